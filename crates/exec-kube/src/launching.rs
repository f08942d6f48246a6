//! Making the Job of a launch, once.

use std::time::Duration;

use kube::api::PostParams;
use rutter_core::{
    executor::ExecutorError,
    id::LaunchName,
    plan::{Plan, PlannedUnit},
};
use tokio::time::timeout;

use crate::{
    check::check,
    fault::{self, Refusal},
    manifest,
    names::{job_name, launch_of},
    program, records,
    shared::Shared,
};

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Create the Job of a launch, or find the one that an earlier call created.
pub(crate) async fn launch(
    shared: &Shared,
    name: LaunchName,
    plan: &Plan,
    record: Option<&[u8]>,
) -> Result<(), ExecutorError> {
    allowed(shared, plan)?;
    let program = match program::of(shared, name, plan).await {
        // An earlier try may have known it, and made the Job.
        Err(_) if shared.job(name).await?.is_some() => return Ok(()),
        program => program?,
    };
    let mut job = manifest::job(plan, &program, name, shared.instance, &shared.config)
        .map_err(|error| ExecutorError::Impossible { reason: error.to_string() })?;
    if let Some(text) = record.and_then(|record| records::packed(record, records::LONGEST)) {
        job.metadata.annotations.get_or_insert_default().insert(records::ORDER.to_owned(), text);
    }
    let _permit = shared.creates.acquire().await;
    let created = timeout(ANSWER, shared.jobs.create(&PostParams::default(), &job)).await;
    let result = match created {
        Ok(Ok(job)) => {
            shared.cache.add(job);
            Ok(())
        }
        Ok(Err(error)) => match fault::refusal(&error) {
            Refusal::Exists => found(shared, name).await,
            Refusal::Invalid => {
                tracing::error!(job.id = %name.job, error = &error as &dyn std::error::Error, "the cluster refuses a job for good");
                let reason =
                    "the cluster refuses it as it is; the operator finds the reason in the server's log";
                Err(ExecutorError::Impossible { reason: reason.to_owned() })
            }
            Refusal::Later => Err(fault::unavailable("create a job in the cluster")(error)),
        },
        Err(elapsed) => Err(shared.late("create a job in the cluster", elapsed)),
    };
    // After a failure there may be a Job all the same: the next try finds it, if nobody removes it meanwhile.
    if matches!(result, Err(ExecutorError::Unavailable { .. } | ExecutorError::Away { .. })) {
        shared.unsure().insert(name);
    } else {
        shared.unsure().remove(&name);
    }
    result
}

/// Once more at the last moment: what was loaded may have been allowed by other settings.
fn allowed(shared: &Shared, plan: &Plan) -> Result<(), ExecutorError> {
    if plan.unit == PlannedUnit::Adopted {
        let reason = "another system launched it, and its Job is gone from the cluster".to_owned();
        return Err(ExecutorError::Impossible { reason });
    }
    let PlannedUnit::Docker { kubernetes, .. } = &plan.unit else {
        let reason = "the process has no execution unit of `type: docker`".to_owned();
        return Err(ExecutorError::Impossible { reason });
    };
    let faults = check(&plan.env, kubernetes.as_ref(), &shared.config);
    match faults.first() {
        None => Ok(()),
        Some(fault) => Err(ExecutorError::Impossible {
            reason: format!(
                "the package may not run here: `{}` {}; {}",
                fault.pointer, fault.message, fault.remedy
            ),
        }),
    }
}

async fn found(shared: &Shared, name: LaunchName) -> Result<(), ExecutorError> {
    let get = shared.jobs.get_opt(&job_name(name)).await.map_err(fault::unavailable("look up a job"))?;
    match get {
        Some(job) if launch_of(&job, shared.instance) == Some(name) => {
            shared.cache.add(job);
            Ok(())
        }
        Some(_) => {
            let reason = format!("the name {} is taken by somebody else in the cluster", job_name(name));
            Err(ExecutorError::Impossible { reason })
        }
        None => {
            let gone = std::io::Error::new(std::io::ErrorKind::NotFound, "it was there and is gone");
            Err(fault::other("create a job in the cluster")(gone))
        }
    }
}
