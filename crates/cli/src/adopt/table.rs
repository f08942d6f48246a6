//! What `rutter adopt` tells: of each Job what would be done, and of what is left alone why.

use std::fmt;

use jiff::Timestamp;
use rutter_core::id::{InstanceId, ProcessId};
use rutter_exec_kube::{PodLeft, Survey, System, TheirJob, TheirState};

use super::Names;
use crate::config::Config;

/// All that there is.
pub(super) struct Table<'a> {
    pub(super) survey: &'a Survey,
    pub(super) names: &'a Names,
    /// The installation that Jobs are given to.
    pub(super) known: Option<InstanceId>,
    /// What ended before is not kept.
    pub(super) since: Timestamp,
    pub(super) config: &'a Config,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, left): (Vec<_>, Vec<_>) = self.survey.jobs.iter().partition(|job| job.is_free(self.since));
        self.rows(f, &free)?;
        for pod in &self.survey.orphans {
            writeln!(
                f,
                "pod {pod}: its Job is gone: its log is written into the data folder, then it is let go"
            )?;
        }
        self.left_alone(f, &left)?;
        self.servers(f)
    }
}

impl Table<'_> {
    fn rows(&self, f: &mut fmt::Formatter<'_>, jobs: &[&TheirJob]) -> fmt::Result {
        if jobs.is_empty() {
            return writeln!(
                f,
                "There is no Job to adopt: none of the names {}… is 52North's or EOX's and nobody's yet.",
                self.config.kubernetes.adopt_prefix
            );
        }
        let mut lines = vec![["JOB", "PROCESS", "STATE", "WHAT IS DONE"].map(str::to_owned)];
        lines.extend(
            jobs.iter().map(|job| {
                [job.id.to_string(), self.process(job), state(job).to_owned(), what(job).to_owned()]
            }),
        );
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        for [job, process, state, what] in &lines {
            writeln!(f, "{job:0$}  {process:1$}  {state:2$}  {what}", widths[0], widths[1], widths[2])?;
        }
        Ok(())
    }

    /// As it will be called here.
    fn process(&self, job: &TheirJob) -> String {
        let (told, image) = (&job.told.process, job.told.image.as_deref());
        let known = self.names.told_as(told, image);
        known.map_or_else(|| ProcessId::near(told), |process| process.id.clone()).to_string()
    }

    fn left_alone(&self, f: &mut fmt::Formatter<'_>, jobs: &[&TheirJob]) -> fmt::Result {
        if !jobs.is_empty() || !self.survey.strangers.is_empty() {
            writeln!(f, "\nNot touched:")?;
        }
        for job in jobs {
            writeln!(f, "  {} {}", job.name, self.why(job))?;
        }
        for (name, why) in &self.survey.strangers {
            writeln!(f, "  {name} {why}")?;
        }
        match self.survey.others {
            0 => Ok(()),
            others => writeln!(f, "\nJobs of other names, which are not looked at: {others}"),
        }
    }

    fn why(&self, job: &TheirJob) -> String {
        match (&job.belongs_to, self.known) {
            (Some(owner), Some(known)) if *owner == known.to_string() => "is adopted already".to_owned(),
            (Some(owner), _) => format!("belongs to installation {owner}"),
            (None, _) => {
                let ended = job.told.ended.map(|ended| ended.to_string()).unwrap_or_default();
                let days = self.config.jobs.keep_days;
                format!(
                    "ended at {ended}, and finished jobs stay {days} days here: raise jobs.keepDays to have it"
                )
            }
        }
    }

    fn servers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.config.kubernetes.executor_config(None).namespace;
        for (pod, image) in &self.survey.servers {
            writeln!(
                f,
                "\nWarning: pod {pod} runs {image}: a server of the former system seems to work on these Jobs still. Stop it first: \
                 kubectl --namespace {namespace} scale deployment NAME --replicas=0"
            )?;
        }
        if self.survey.servers.is_empty() {
            writeln!(
                f,
                "\nNo pod of namespace {namespace} runs an image of 52North's or EOX's server. Whether one works on it from elsewhere, or under \
                 another name, can't be seen from here: make sure with kubectl get deployments --all-namespaces"
            )?;
        }
        Ok(())
    }
}

fn state(job: &TheirJob) -> &'static str {
    match job.state {
        TheirState::Active => "not ended",
        TheirState::Successful => "successful",
        TheirState::Failed => "failed",
    }
}

fn what(job: &TheirJob) -> &'static str {
    let is_north = job.system == System::North;
    match (job.state, job.pod) {
        (TheirState::Active, _) if is_north => "followed to its end, with log and result",
        (TheirState::Active, _) => "followed to its end, with its log; its notebook stays on its volume",
        (TheirState::Successful, _) if job.told.result.is_some() => {
            "imported with the result that is kept on it"
        }
        (TheirState::Successful, PodLeft::Hangs) if is_north => {
            "imported with its result from its log; its pod is let go"
        }
        (TheirState::Successful, PodLeft::There) if is_north => "imported with its result from its log",
        (TheirState::Successful, _) if is_north => "imported without a result: its pod is gone",
        (_, PodLeft::Hangs) => "imported with its log; its pod is let go",
        (_, PodLeft::There) => "imported with its log",
        (_, PodLeft::Gone) => "imported without its log: its pod is gone",
    }
}
