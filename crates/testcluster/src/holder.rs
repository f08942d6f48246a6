//! The first process of a cluster, which holds its namespaces. Its end is the end of everything in them.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use crate::{
    error::{Error, io},
    layout::{self, Layout},
    process::Process,
    run,
};

const HOLD: &str = include_str!("../scripts/hold.sh");
const INSIDE: &str = include_str!("../scripts/inside.sh");
const CLEAN: &str = include_str!("../scripts/clean.sh");
const LIMIT: Duration = Duration::from_secs(30);

/// The namespaces of a running cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder {
    init: Process,
}

/// The process that made them, as its parent knows it. While `stdin` is open the cluster lives.
#[derive(Debug)]
pub(crate) struct Parent {
    child: Child,
    _stdin: Option<ChildStdin>,
}

impl Holder {
    /// Make the cluster's folder and its namespaces, after clearing away what earlier runs left.
    pub(crate) fn start(name: Option<&str>, keep: bool) -> Result<(Layout, Self, Parent), Error> {
        let lock_path = layout::base()?.join("lock");
        let lock = File::create(&lock_path).map_err(io(format!("make {}", lock_path.display())))?;
        lock.lock().map_err(io(format!("lock {}", lock_path.display())))?;
        sweep(name)?;
        let layout = make_folder(name)?;
        match hold(&layout, keep) {
            Ok((holder, parent)) => Ok((layout, holder, parent)),
            Err(error) => {
                clean(&layout)?;
                Err(error)
            }
        }
    }

    /// The holder of a running cluster.
    pub(crate) fn of(layout: &Layout) -> Option<Self> {
        let init = Process::parse(&fs::read_to_string(layout.path("init")).ok()?)?;
        init.alive(Path::new("/proc")).then_some(Self { init })
    }

    /// Runs a program among the cluster's processes.
    pub(crate) fn inside(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.init.pid.to_string(), "--pid", "--mount", "--net", "--"])
            .arg(program);
        command
    }

    /// The cluster's network, for `nsenter --net=`.
    pub(crate) fn network(self) -> PathBuf {
        format!("/proc/{}/ns/net", self.init.pid).into()
    }

    /// The cluster's processes under their numbers inside.
    pub(crate) fn proc(self) -> PathBuf {
        format!("/proc/{}/root/proc", self.init.pid).into()
    }

    pub(crate) fn pid(self) -> i32 {
        self.init.pid
    }

    /// End everything and wait until nothing is left.
    pub(crate) fn end(self, layout: &Layout, parent: Option<Parent>) -> Result<(), Error> {
        let proc = Path::new("/proc");
        if self.init.alive(proc)
            && let Some(pid) = rustix::process::Pid::from_raw(self.init.pid)
        {
            // Ended meanwhile is as good.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        run::wait_until("the end of the cluster's processes", LIMIT, || Ok(!self.init.alive(proc)))?;
        // The parent cleans too, unless somebody killed it.
        clean(layout)?;
        if let Some(mut parent) = parent {
            parent.child.wait().map_err(io("wait for the cluster's parent"))?;
        }
        Ok(())
    }
}

/// End what has our name, clear away what belongs to nobody.
fn sweep(name: Option<&str>) -> Result<(), Error> {
    let own = name.map(Layout::named).transpose()?;
    for layout in Layout::all()? {
        match Holder::of(&layout) {
            None => clean(&layout)?,
            Some(holder) if own.as_ref().is_some_and(|own| own.folder == layout.folder) => {
                holder.end(&layout, None)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn make_folder(name: Option<&str>) -> Result<Layout, Error> {
    let names = (1..).map(|number| format!("run-{}-{number}", std::process::id()));
    for name in name.map(str::to_owned).into_iter().chain(names) {
        let layout = Layout::named(&name)?;
        match fs::create_dir(&layout.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| layout).map_err(io(format!("make the folder of {name}"))),
        }
    }
    Err(Error::Taken { name: name.unwrap_or_default().into() })
}

fn hold(layout: &Layout, keep: bool) -> Result<(Holder, Parent), Error> {
    for (name, script) in [("hold.sh", HOLD), ("inside.sh", INSIDE), ("clean.sh", CLEAN)] {
        layout.write(name, script)?;
    }
    layout.write("logs/hold.log", "")?;
    let log = || File::options().append(true).open(layout.path("logs/hold.log")).map_err(io("open hold.log"));
    let mut child = Command::new("sh")
        .arg(layout.path("hold.sh"))
        .arg(&layout.folder)
        .args([layout.cgroup().as_str(), if keep { "keep" } else { "follow" }])
        .current_dir("/")
        .stdin(if keep { Stdio::null() } else { Stdio::piped() })
        .stdout(log()?)
        .stderr(log()?)
        // Ctrl-C is for the one who asked; he ends the cluster, and in order.
        .process_group(0)
        .spawn()
        .map_err(io("start a shell"))?;
    let stdin = child.stdin.take();
    let mut parent = Parent { child, _stdin: stdin };
    let began = run::wait_until("namespaces for the cluster", LIMIT, || {
        let ended = parent.child.try_wait().map_err(io("look after the cluster's parent"))?;
        if ended.is_some() {
            return Err(Error::Ended { component: "hold.sh", log: layout.log_end("hold") });
        }
        Ok(Holder::of(layout).is_some())
    });
    if let (Ok(()), Some(holder)) = (&began, Holder::of(layout)) {
        return Ok((holder, parent));
    }
    let _ = parent.child.kill();
    let _ = parent.child.wait();
    Err(began.err().unwrap_or(Error::Ended { component: "hold.sh", log: layout.log_end("hold") }))
}

fn clean(layout: &Layout) -> Result<(), Error> {
    // Run from memory: the folder's copy may be gone already.
    let folder = layout.folder.as_os_str();
    let mut shell = Command::new("sh");
    shell.args(["-c", CLEAN, "clean.sh"]).arg(folder).arg(layout.cgroup()).current_dir("/");
    run::output(&mut shell, None).map(drop)
}
