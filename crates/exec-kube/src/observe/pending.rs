//! What a launch waits for.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use rutter_core::executor::LaunchEnd;

use super::{Seen, image, pod};

/// What a launch waits for.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// For people.
    pub(super) reason: Option<String>,
    /// Set when the wait is in vain.
    pub(super) end: Option<LaunchEnd>,
    /// Whether it waits for an image.
    pub(super) is_image: bool,
}

impl Pending {
    fn because(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}

/// What a launch waits for; `live` = its pod that has not ended.
pub(super) fn of(seen: &Seen<'_>, live: Option<&Pod>) -> Pending {
    if seen.job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true) {
        return Pending::because("waits in the cluster's queue");
    }
    match live {
        Some(pod) => of_pod(pod, seen.notes.pulling),
        None => match &seen.notes.refused {
            Some(message) if seen.pods.is_empty() => Pending::because(refused(message)),
            _ => Pending::default(),
        },
    }
}

fn of_pod(pod: &Pod, pulling: bool) -> Pending {
    if pod.metadata.deletion_timestamp.is_some() {
        return Pending::because("is moved to another machine");
    }
    let placed = pod::condition(pod, "PodScheduled");
    if let Some(placed) = placed.filter(|placed| placed.status != "True") {
        return match placed.reason.as_deref() {
            Some("SchedulingGated") => Pending::because("waits in the cluster's queue"),
            _ => Pending::because(unplaced(placed.message.as_deref().unwrap_or_default())),
        };
    }
    let containers = pod::preparing(pod).iter().chain(pod::program(pod));
    if let Some(pending) = containers.into_iter().find_map(|status| of_container(pod, status)) {
        return pending;
    }
    let started = pod.status.as_ref().is_some_and(|status| status.start_time.is_some());
    Pending::because(match (pulling, started) {
        (true, _) => "the image is fetched",
        (false, true) => "its container is prepared",
        (false, false) => "waits for a machine",
    })
}

/// Trouble of one container that waits.
fn of_container(pod: &Pod, status: &ContainerStatus) -> Option<Pending> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let (reason, message) = (waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default());
    if let Some(trouble) = image::trouble(reason, message, image_of(pod, status)) {
        let end = trouble.is_final.then(|| LaunchEnd::ImageMissing { reason: trouble.reason.clone() });
        return Some(Pending { reason: Some(trouble.reason), end, is_image: true });
    }
    match reason {
        "CreateContainerConfigError" => Some(Pending::because(config_error(message))),
        "CreateContainerError" | "RunContainerError" => {
            Some(Pending::because("its container could not be started; it is tried again"))
        }
        _ => None,
    }
}

/// As it was asked for; statuses have it as it was found.
fn image_of<'a>(pod: &'a Pod, status: &'a ContainerStatus) -> &'a str {
    let spec = pod.spec.as_ref();
    let all =
        spec.into_iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let asked = all.filter(|container| container.name == status.name).find_map(|it| it.image.as_deref());
    asked.unwrap_or(&status.image)
}

fn config_error(message: &str) -> &'static str {
    if message.contains("secret") || message.contains("Secret") {
        "a secret that the process needs is missing"
    } else if message.contains("configmap") || message.contains("ConfigMap") {
        "a setting that the process needs is missing"
    } else if message.contains("root") || message.contains("non-numeric user") {
        "its image would run as root, which is not allowed here"
    } else {
        "its container can't be set up"
    }
}

/// Why no pod is made.
fn refused(message: &str) -> &'static str {
    if message.contains("exceeded quota") || message.contains("failed quota") {
        "waits for other jobs: the cluster's quota is used up"
    } else {
        "the cluster's rules do not let it start; the operator must look into it"
    }
}

/// Why no machine is found: the scheduler's message in our words.
fn unplaced(message: &str) -> String {
    let mut lacks: Vec<&str> = Vec::new();
    for rest in message.split("Insufficient ").skip(1) {
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        let what = resource(rest[..end].trim_end_matches('.'));
        if !lacks.contains(&what) {
            lacks.push(what);
        }
    }
    if message.contains("Too many pods") && !lacks.contains(&"a free place") {
        lacks.push("a free place");
    }
    if !lacks.is_empty() {
        return format!("waits for a machine with {}", listed(&lacks));
    }
    if message.contains("ersistent") {
        return "waits for a volume".to_owned();
    }
    if ["affinity", "selector", "untolerated taint", "topology"].iter().any(|word| message.contains(word)) {
        return "waits for a machine of the kind that the process asks for".to_owned();
    }
    "waits for a machine".to_owned()
}

fn resource(name: &str) -> &str {
    match name {
        "cpu" => "enough processors",
        "memory" => "enough memory",
        "ephemeral-storage" => "enough scratch space",
        "pods" => "a free place",
        name if name.contains("gpu") => "a graphics processor",
        name => name,
    }
}

fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
