//! The faults: each begins, lasts, and ends.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rutter_testcluster::{Component, Cut, FakeNode};

use crate::{
    aftermath::{Dice, refusal, serve},
    bed,
    objects::{among, name_of},
    world::World,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    ServerKilled,
    SecondServer,
    ApiServerDown,
    WatchesExpired,
    KubeletDown,
    ControllersDown,
    ContainerdDown,
    PodEvicted,
    PodDeleted,
    JobDeleted,
    AgentKilled,
    ProgramOutOfMemory,
    ContainerOutOfMemory,
    ServerUnreachable,
    ObjectsReadOnly,
    NodeLost,
}

/// What must be done for its end.
pub(crate) struct Begun(Cure);

enum Cure {
    Nothing,
    StartServer,
    Start(Component),
    Mend(Cut),
    Writable(ReadOnly),
    Return(FakeNode),
}

impl Fault {
    /// All, with the seconds that each lasts after the jobs were let go; the last one moves every job.
    pub(crate) const IN_TURN: [(Self, u64); 16] = [
        (Self::ServerKilled, 5),
        (Self::SecondServer, 0),
        (Self::ApiServerDown, 30),
        (Self::WatchesExpired, 0),
        (Self::KubeletDown, 5),
        (Self::ControllersDown, 10),
        (Self::ContainerdDown, 5),
        (Self::PodEvicted, 0),
        (Self::PodDeleted, 0),
        (Self::JobDeleted, 0),
        (Self::AgentKilled, 0),
        (Self::ProgramOutOfMemory, 0),
        (Self::ServerUnreachable, 60),
        (Self::ObjectsReadOnly, 30),
        (Self::ContainerOutOfMemory, 0),
        (Self::NodeLost, 25),
    ];

    /// One of the first: losing the only machine takes too long for a mix, and a container that runs out of memory is waited for.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        let most = Self::IN_TURN.len() as u64 - 2;
        Self::IN_TURN[usize::try_from(dice.below(most)).unwrap()].0
    }

    /// Let it happen, to the first of these jobs where it happens to one.
    pub(crate) fn begin(self, world: &mut World, jobs: &[String]) -> Begun {
        let cluster = bed::cluster();
        // While the API server is down, nothing can be done to what it has.
        let pod = || first_of("pods", &jobs[0]).unwrap_or_default();
        let job = || first_of("jobs", &jobs[0]).unwrap_or_default();
        Begun(match self {
            Self::ServerKilled => {
                world.server.kill();
                Cure::StartServer
            }
            Self::SecondServer => {
                second_server(world);
                Cure::Nothing
            }
            Self::ApiServerDown => down(Component::ApiServer),
            Self::WatchesExpired => {
                // Whatever keeps the API server from coming back is the business of another fault.
                let _ = cluster.expire_watches();
                Cure::Start(Component::ApiServer)
            }
            Self::KubeletDown => down(Component::Kubelet),
            Self::ControllersDown => down(Component::ControllerManager),
            Self::ContainerdDown => {
                // Started again, it gives up pods whose shims do not answer in time, and the kubelet ends what runs in them.
                world.all_may_fail("removed");
                down(Component::Containerd)
            }
            Self::PodEvicted => {
                let _ = cluster.evict(&pod());
                Cure::Nothing
            }
            Self::PodDeleted => {
                world.may_fail(&jobs[0], &["removed"]);
                let _ = cluster.kubectl(["delete", "pod", &pod(), "--wait=false"]);
                Cure::Nothing
            }
            Self::JobDeleted => {
                world.may_fail(&jobs[0], &["removed"]);
                let _ = cluster.kubectl(["delete", "job", &job(), "--wait=false"]);
                Cure::Nothing
            }
            Self::AgentKilled => {
                world.may_fail(&jobs[0], &["agent-lost"]);
                let _ = cluster.kill_container(&pod(), "main");
                Cure::Nothing
            }
            Self::ProgramOutOfMemory => {
                world.may_fail(&jobs[0], &["out-of-memory"]);
                world.open(&format!("{}.eats", job()));
                Cure::Nothing
            }
            Self::ContainerOutOfMemory => {
                world.may_fail(&jobs[0], &["out-of-memory"]);
                world.open(&format!("{}.feeds", job()));
                world.is_fed(&jobs[0]);
                // What the kernel left of it, or nothing.
                let _ = cluster.kill_container(&pod(), "main");
                Cure::Nothing
            }
            Self::ServerUnreachable => Cure::Mend(cluster.cut_all_pods(world.agents_port()).unwrap()),
            Self::ObjectsReadOnly => Cure::Writable(ReadOnly::mount(world.server.data().join("objects"))),
            Self::NodeLost => {
                let other = cluster.add_fake_node("node2", &[]).unwrap();
                cluster.kill(Component::Kubelet).unwrap();
                Cure::Return(other)
            }
        })
    }
}

impl Begun {
    /// Make it good again.
    pub(crate) fn end(self, world: &mut World) {
        let cluster = bed::cluster();
        match self.0 {
            Cure::Nothing => {}
            Cure::StartServer => {
                // It refuses to start without a cluster, and is started again.
                start_if_down(Component::ApiServer);
                // Another fault of the mix may have killed it, too.
                if !world.server.is_running() {
                    world.start_server();
                }
            }
            Cure::Start(component) => start_if_down(component),
            Cure::Mend(cut) => cut.mend().unwrap(),
            Cure::Writable(mount) => drop(mount),
            Cure::Return(other) => {
                cluster.start(Component::Kubelet).unwrap();
                drop(other);
                cluster.kubectl(["delete", "node", "node2"]).unwrap();
            }
        }
    }
}

/// Name of the first of a job's, if the API server answers.
fn first_of(kind: &str, job: &str) -> Option<String> {
    among(&bed::look(&[kind])?, job).first().map(name_of)
}

fn down(component: Component) -> Cure {
    bed::cluster().kill(component).unwrap();
    Cure::Start(component)
}

fn start_if_down(component: Component) {
    let cluster = bed::cluster();
    if !cluster.is_running(component) {
        cluster.start(component).unwrap();
    }
}

/// One that is started by mistake on the same data says so, and changes nothing.
fn second_server(world: &World) {
    if !world.server.is_running() {
        return;
    }
    let plain = serve(world.server.folder(), "127.0.0.1:0", &world.server.data());
    let mut inside = bed::cluster().command(plain.get_program());
    inside.args(plain.get_args()).stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let told = refusal(&mut inside);
    assert!(told.contains("another server"), "{told}");
}

/// A folder that can't be written.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(folder: PathBuf) -> Self {
        run("mount", &["--bind"], &[&folder, &folder]);
        let mounted = Self(folder);
        run("mount", &["-o", "remount,bind,ro"], &[&mounted.0]);
        mounted
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &[&self.0]);
    }
}

fn run(program: &str, words: &[&str], paths: &[&Path]) {
    let status = Command::new(program).args(words).args(paths).status().unwrap();
    assert!(status.success(), "{program} {words:?} {paths:?}");
}
