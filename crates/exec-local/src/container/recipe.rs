//! How a container is made: pure, from what is known of its launch.

use std::{ffi::OsString, path::Path};

use rutter_core::{executor::ExecutorError, id::LaunchName};
use rutter_types::agent::{ENV_ENVIRONMENT_FILE, ENV_FOLDER, ENV_SERVER, ENV_TOKEN_FILE};

use super::{
    ContainerRecord, Containers, EngineKind,
    contents::{ATTEMPT_FOLDER, ENVIRONMENT, TOKEN},
    image::ImageFacts,
    record::Security,
};

/// Label with the installation's identifier.
pub(super) const INSTANCE: &str = "rutter.instance";
/// Label with the job.
const JOB: &str = "rutter.job";
/// Where the agent is in the container.
const AGENT: &str = "/rutter/bin/rutter-agent";
/// Where the socket's folder is in the container.
const SOCKET_FOLDER: &str = "/rutter/server";
/// Whom containers run as whose image names nobody, names root, or names somebody whose number is not known.
const NOBODY: &str = "65532:65532";

/// Name of an attempt's container.
pub(super) fn name(launch: LaunchName, attempt: u32) -> String {
    format!("{PREFIX}{launch}-{attempt}")
}

/// The launch whose attempt a container's name is of.
pub(super) fn launch_of(name: &str) -> Option<LaunchName> {
    let (launch, attempt) = name.strip_prefix(PREFIX)?.rsplit_once('-')?;
    attempt.parse::<u32>().ok()?;
    launch.parse().ok()
}

const PREFIX: &str = "rutter-";

/// Words for the engine: make the container of an attempt.
pub(super) fn create(
    containers: &Containers,
    record: &ContainerRecord,
    facts: &ImageFacts,
    launch: LaunchName,
    attempt: u32,
) -> Result<Vec<OsString>, ExecutorError> {
    let mut words = Words::default();
    words.plain(["create", "--pull", "never", "--log-driver", "none"]);
    words.pair("--name", name(launch, attempt));
    words.pair("--label", format!("{INSTANCE}={}", containers.instance));
    words.pair("--label", format!("{JOB}={}", launch.job));
    words.mount(&containers.agent, AGENT)?;
    words.mount(&containers.socket_folder, SOCKET_FOLDER)?;
    words.variable(ENV_SERVER, &format!("unix:{SOCKET_FOLDER}/agents.sock"));
    words.variable(ENV_TOKEN_FILE, TOKEN);
    words.variable(ENV_ENVIRONMENT_FILE, ENVIRONMENT);
    words.variable(ENV_FOLDER, ATTEMPT_FOLDER);
    if let Some(network) = &containers.network {
        words.pair("--network", network);
    }
    words.resources(record);
    words.security(record.security, &facts.user);
    words.pair("--entrypoint", AGENT);
    words.plain([record.image.as_str(), "run", "--"]);
    words.plain(facts.command.iter().map(String::as_str));
    Ok(words.0)
}

#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn plain<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) {
        self.0.extend(words.into_iter().map(Into::into));
    }

    fn pair(&mut self, flag: &str, value: impl Into<OsString>) {
        self.0.extend([flag.into(), value.into()]);
    }

    fn variable(&mut self, name: &str, value: &str) {
        self.pair("--env", format!("{name}={value}"));
    }

    /// Something of this machine, to be read only.
    fn mount(&mut self, source: &Path, target: &str) -> Result<(), ExecutorError> {
        let mut value = OsString::from("type=bind,source=");
        if source.as_os_str().as_encoded_bytes().iter().any(|byte| b",\"\n".contains(byte)) {
            let reason =
                format!("{} can't be mounted: use a path without commas and quotes", source.display());
            return Err(ExecutorError::Impossible { reason });
        }
        value.push(source);
        value.push(format!(",destination={target},readonly"));
        self.pair("--mount", value);
        Ok(())
    }

    fn resources(&mut self, record: &ContainerRecord) {
        if let Some(bytes) = record.memory_bytes {
            // Both: otherwise the engine gives as much swap on top.
            self.pair("--memory", format!("{bytes}b"));
            self.pair("--memory-swap", format!("{bytes}b"));
        }
        if let Some(milli) = record.cpu_limit_milli {
            self.pair("--cpus", format!("{}.{:03}", milli / 1000, milli % 1000));
        }
        if record.gpus > 0 {
            match record.engine.kind() {
                // By the Container Device Interface.
                EngineKind::Podman => self.pair("--device", "nvidia.com/gpu=all"),
                EngineKind::Docker => self.pair("--gpus", "all"),
            }
        }
    }

    fn security(&mut self, level: Security, user: &str) {
        // SELinux keeps confined containers from sockets of the machine's processes.
        self.pair("--security-opt", "label=disable");
        if level != Security::None {
            self.pair("--cap-drop", "ALL");
            self.pair("--security-opt", "no-new-privileges");
        }
        if level == Security::Restricted && !is_number_of_somebody(user) {
            self.pair("--user", NOBODY);
        }
    }
}

/// Whether an image's USER is a number, and not root's.
fn is_number_of_somebody(user: &str) -> bool {
    let number = user.split(':').next().unwrap_or_default();
    number.parse::<u32>().is_ok_and(|number| number > 0)
}

#[cfg(test)]
mod tests {
    use rutter_core::id::JobId;

    use super::*;
    use crate::container::Engine;

    fn engine(kind: &str) -> Engine {
        serde_json::from_value(serde_json::json!({"kind": kind, "program": "/usr/bin/engine"})).unwrap()
    }

    fn containers() -> Containers {
        Containers {
            engine: engine("podman"),
            agent: "/opt/rutter-agent".into(),
            socket_folder: "/data/containers".into(),
            network: None,
            instance: "i-1".into(),
        }
    }

    fn record(kind: &str) -> ContainerRecord {
        ContainerRecord {
            engine: engine(kind),
            image: "localhost/model:1".into(),
            cpu_limit_milli: None,
            memory_bytes: None,
            gpus: 0,
            security: Security::Restricted,
        }
    }

    fn launch() -> LaunchName {
        LaunchName { job: JobId::generate(), launch: 2 }
    }

    fn line(containers: &Containers, record: &ContainerRecord, facts: &ImageFacts) -> String {
        let words = create(containers, record, facts, launch(), 3).unwrap();
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_agent_stands_before_the_images_own_command() {
        let facts = ImageFacts { command: vec!["/model".into(), "--all".into()], user: String::new() };
        let line = line(&containers(), &record("podman"), &facts);
        assert!(
            line.ends_with("--entrypoint /rutter/bin/rutter-agent localhost/model:1 run -- /model --all"),
            "{line}"
        );
        for piece in [
            "--label rutter.instance=i-1",
            "source=/opt/rutter-agent,destination=/rutter/bin/rutter-agent,readonly",
            "source=/data/containers,destination=/rutter/server,readonly",
            "--env RUTTER_AGENT_SERVER=unix:/rutter/server/agents.sock",
            "--cap-drop ALL --security-opt no-new-privileges --user 65532:65532",
        ] {
            assert!(line.contains(piece), "{piece} is missing: {line}");
        }
        assert!(
            !line.contains("--network") && !line.contains("--memory") && !line.contains("--cpus"),
            "{line}"
        );
    }

    #[test]
    fn limits_are_the_engines_to_keep() {
        let record = ContainerRecord {
            memory_bytes: Some(2_000_000_000),
            cpu_limit_milli: Some(1500),
            gpus: 2,
            ..record("podman")
        };
        let containers = Containers { network: Some("host".into()), ..containers() };
        let line = |record: &ContainerRecord| line(&containers, record, &ImageFacts::default());
        let podman = line(&record);
        let memory =
            "--memory 2000000000b --memory-swap 2000000000b --cpus 1.500 --device nvidia.com/gpu=all";
        assert!(podman.contains(memory) && podman.contains("--network host"), "{podman}");
        assert!(line(&ContainerRecord { engine: engine("docker"), ..record }).contains("--gpus all"));
    }

    #[test]
    fn whom_it_runs_as() {
        let user = |security, user: &str| {
            let facts = ImageFacts { user: user.into(), ..ImageFacts::default() };
            line(&containers(), &ContainerRecord { security, ..record("podman") }, &facts)
        };
        for nobody in ["", "0", "0:0", "root", "model"] {
            assert!(user(Security::Restricted, nobody).contains("--user 65532:65532"), "{nobody}");
        }
        for own in ["1000", "1000:0"] {
            assert!(!user(Security::Restricted, own).contains("--user"), "{own}");
        }
        let baseline = user(Security::Baseline, "root");
        assert!(!baseline.contains("--user") && baseline.contains("--cap-drop ALL"), "{baseline}");
        assert!(!user(Security::None, "root").contains("--cap-drop"));
    }

    #[test]
    fn names_lead_back_to_their_launch() {
        let launch = launch();
        assert_eq!(launch_of(&name(launch, 3)), Some(launch));
        for other in ["rutter-x", "postgres", "rutter-", &format!("rutter-{launch}-x")] {
            assert_eq!(launch_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_that_would_be_read_as_two_is_refused() {
        let containers = Containers { agent: "/opt/a,b".into(), ..containers() };
        let made = create(&containers, &record("podman"), &ImageFacts::default(), launch(), 1);
        assert!(matches!(made, Err(ExecutorError::Impossible { .. })));
    }
}
