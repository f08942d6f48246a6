//! Which program a launch runs: its package's, or what its image runs by itself.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use kube::{Api, Client};
use rutter_core::{
    executor::ExecutorError,
    id::LaunchName,
    plan::{Plan, PlannedUnit},
    process::why_plan_not_alone,
};

use crate::{
    config::KubernetesConfig,
    image::{LookUpError, LookUps, OwnCommand, Settings},
    shared::Shared,
    wishes::Wishes,
};

/// Which program a launch runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// The package's, by an agent.
    OfPackage,
    /// The image's own, by an agent.
    OfImage(OwnCommand),
    /// The image's own, which nobody knows, or any where pods do not reach the server: without an agent.
    Alone,
}

/// Knows what images run, and who waits for that.
#[derive(Debug)]
pub(crate) struct Programs {
    look_ups: Option<LookUps>,
    /// Since when launches wait for a registry.
    waiting: Mutex<HashMap<LaunchName, Timestamp>>,
}

impl Programs {
    pub(crate) fn new(config: &KubernetesConfig, client: &Client) -> Self {
        let look_ups = config.registries.as_ref().map(|registries| {
            let settings =
                Settings { insecure: registries.insecure.clone(), authority: registries.authority.clone() };
            let secrets = Api::namespaced(client.clone(), &config.namespace);
            LookUps::new(&settings, &config.architecture, secrets)
        });
        Self { look_ups, waiting: Mutex::default() }
    }

    /// How long a launch has waited by now.
    fn waits(&self, name: LaunchName, now: Timestamp, longest: SignedDuration) -> SignedDuration {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were dismissed meanwhile are not heard of again.
        waiting.retain(|_, since| now.duration_since(*since) <= longest.saturating_mul(2));
        now.duration_since(*waiting.entry(name).or_insert(now))
    }

    fn waits_no_more(&self, name: LaunchName) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }
}

/// Which program a launch runs.
pub(crate) async fn of(shared: &Shared, name: LaunchName, plan: &Plan) -> Result<Program, ExecutorError> {
    let PlannedUnit::Docker { image, kubernetes, .. } = &plan.unit else { return Ok(Program::OfPackage) };
    let why_not_alone = why_plan_not_alone(plan);
    if !shared.config.agents {
        let refused = |why| ExecutorError::Impossible {
            reason: format!(
                "pods do not reach this server, and without that {why}; its operator can set kubernetes.serverUrl"
            ),
        };
        return why_not_alone.map_or(Ok(Program::Alone), |why| Err(refused(why)));
    }
    if !plan.command.is_empty() {
        return Ok(Program::OfPackage);
    }
    let Some(look_ups) = &shared.programs.look_ups else {
        let refused = |why| ExecutorError::Impossible {
            reason: format!(
                "this server does not look up what images run, and without that {why}; write `command`"
            ),
        };
        return why_not_alone.map_or(Ok(Program::Alone), |why| Err(refused(why)));
    };
    let secrets = pull_secrets(&Wishes::read(kubernetes.as_ref()), &shared.config);
    match look_ups.command(image, &secrets).await {
        Ok(own) => {
            shared.programs.waits_no_more(name);
            Ok(Program::OfImage(own))
        }
        Err(error) if error.is_refusal() && why_not_alone.is_none() => Ok(Program::Alone),
        Err(error) => Err(refusal(shared, name, image, &error)),
    }
}

/// Names of the Secrets that its pods fetch images with.
fn pull_secrets(wishes: &Wishes, config: &KubernetesConfig) -> Vec<String> {
    let own = wishes.template["spec"]["imagePullSecrets"].as_array().into_iter().flatten();
    let own = own.filter_map(|secret| secret["name"].as_str()).map(str::to_owned);
    own.chain(config.image_pull_secrets.iter().cloned()).collect()
}

fn refusal(shared: &Shared, name: LaunchName, image: &str, error: &LookUpError) -> ExecutorError {
    if *error == LookUpError::Missing {
        shared.programs.waits_no_more(name);
        return ExecutorError::ImageMissing {
            reason: format!("the image `{image}` can't be fetched: {error}"),
        };
    }
    let reason = format!("what the image `{image}` runs can't be looked up: {error}");
    let budget = shared.config.pending_budget;
    let longest = SignedDuration::try_from(budget).unwrap_or(SignedDuration::MAX);
    let is_overdue = || shared.programs.waits(name, shared.clock.now(), longest) > longest;
    if error.is_final() {
        shared.programs.waits_no_more(name);
        ExecutorError::Impossible { reason }
    } else if is_overdue() {
        shared.programs.waits_no_more(name);
        let seconds = budget.as_secs();
        ExecutorError::Impossible { reason: format!("it could not be started within {seconds} s: {reason}") }
    } else {
        ExecutorError::NotYet { reason }
    }
}
