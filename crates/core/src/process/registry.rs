//! The processes of this server: read from folders, and followed as their files change.
//!
//! Files are polled. Nothing else sees a change on NFS, and a ConfigMap changes by one symbolic link.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use tokio::sync::watch;

use super::{
    ExecutionUnit, Fault, Finding, Process, UnitKind, UnitKinds,
    entry::{Entry, Look},
    located::Place,
    scan::{self, Found},
    told_as,
};
use crate::id::ProcessId;

/// Time between two looks. A change that must be confirmed by a second look is still visible within 2 s.
const PERIOD: Duration = Duration::from_millis(750);

/// What this server can run.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The kinds of units.
    pub kinds: UnitKinds,
    /// Name of the executor, for messages.
    pub executor: String,
    /// What the executor forbids to packages.
    pub refuses: Option<Refuses>,
    /// Why it runs no containers though it could, with the remedy: a fragment.
    pub lacks: Option<String>,
}

/// What a unit may not ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Way from the top of the package, such as `executionUnit.kubernetes.volumes`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
}

/// Tells what a unit may not ask for on this server.
#[derive(Clone)]
pub struct Refuses(Arc<Judge>);

type Judge = dyn Fn(&Process, &ExecutionUnit) -> Vec<Refused> + Send + Sync;

impl Refuses {
    /// By a function of the executor.
    pub fn new(of: impl Fn(&Process, &ExecutionUnit) -> Vec<Refused> + Send + Sync + 'static) -> Self {
        Self(Arc::new(of))
    }
}

impl std::fmt::Debug for Refuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refuses")
    }
}

impl Runs {
    /// Units of these kinds, whatever they ask for.
    pub fn new(kinds: impl Into<UnitKinds>, executor: &str) -> Self {
        Self { kinds: kinds.into(), executor: executor.to_owned(), refuses: None, lacks: None }
    }

    /// Why a process can't run there, in one line; `None` if it can.
    pub fn why_not(&self, process: &Process) -> Option<String> {
        if process.runnable(self.kinds) {
            return None;
        }
        let (id, executor) = (&process.id, &self.executor);
        let (has, wants) = match self.kinds.has(UnitKind::Command) {
            true => ("docker", "commands"),
            false => ("command", "containers"),
        };
        let line =
            format!("process {id} has only {has} units; this server runs {wants} (executor: {executor})");
        Some(match &self.lacks {
            Some(lacks) if has == "docker" => format!("{line}: {lacks}"),
            _ => line,
        })
    }

    /// What was read, if the unit that would run asks for nothing that it may not.
    pub(super) fn allowed(
        &self,
        read: Result<Process, Vec<Fault>>,
        file: &Path,
        place: Place,
    ) -> Result<Process, Vec<Fault>> {
        let process = read?;
        let faults = self.faults(&process, file, place);
        if faults.is_empty() { Ok(process) } else { Err(faults) }
    }

    /// What a process asks for that it may not; the faults have no place in the file.
    pub fn faults_of(&self, process: &Process, file: &Path) -> Vec<Fault> {
        self.faults(process, file, Place::default())
    }

    fn faults(&self, process: &Process, file: &Path, place: Place) -> Vec<Fault> {
        let (Some(refuses), Some(unit)) = (&self.refuses, process.unit_for(self.kinds)) else {
            return Vec::new();
        };
        let told = |it: Refused| Finding::at(file, place, &it.path, it.message, Some(it.remedy));
        (refuses.0)(process, unit).into_iter().map(told).collect()
    }
}

/// The processes at one time. Cheap to clone as an `Arc`, and never changes.
#[derive(Debug, Default)]
pub struct Processes {
    /// Counts the changes: another number, other processes.
    pub generation: u64,
    /// Files that are not used, or whose last version is not.
    pub broken: Vec<Broken>,
    by_id: BTreeMap<ProcessId, Arc<Process>>,
}

/// A package file with faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// Every fault.
    pub faults: Vec<Fault>,
    /// The process whose former version is still served.
    pub kept: Option<ProcessId>,
}

impl Processes {
    /// The process of an id.
    pub fn get(&self, id: &str) -> Option<&Arc<Process>> {
        self.by_id.get(id)
    }

    /// The process whose program is told this id; of several the one of that image.
    pub fn told_as(&self, told: &str, image: Option<&str>) -> Option<&Process> {
        told_as(self.by_id.values().map(|process| &**process), told, image)
    }

    /// Every process in order of ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Process>> {
        self.by_id.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// Follows the package files of some folders.
#[derive(Debug)]
pub struct Registry {
    folders: Vec<PathBuf>,
    runs: Runs,
    state: Mutex<State>,
    current: RwLock<Arc<Processes>>,
    generation: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    /// Folders that could not be read at the last look.
    unreadable: Vec<PathBuf>,
    /// What was said of the whole, so that it is said once.
    told: BTreeMap<String, String>,
}

impl Registry {
    /// Reads all packages of the folders; the first folder comes first where ids meet.
    pub fn load(folders: Vec<PathBuf>, runs: Runs) -> Self {
        let registry = Self {
            folders,
            runs,
            state: Mutex::default(),
            current: RwLock::default(),
            generation: watch::Sender::new(0),
        };
        registry.look(Look::First);
        registry
    }

    /// The processes now.
    pub fn snapshot(&self) -> Arc<Processes> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells each change by its generation.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Looks once for changes. True if the processes are others now.
    pub fn poll(&self) -> bool {
        self.look(Look::Again)
    }

    /// Looks for changes until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let registry = Arc::clone(&self);
            // A folder on NFS may hang: that must not stop anybody else.
            if let Err(error) = tokio::task::spawn_blocking(move || registry.poll()).await {
                tracing::error!(%error, "looking for changed packages failed");
            }
        }
    }

    fn look(&self, look: Look) -> bool {
        let mut state = self.lock();
        let known = std::mem::take(&mut state.entries);
        let mut pass = Pass {
            look,
            runs: &self.runs,
            known: known.into_iter().map(|entry| (entry.path.clone(), entry)).collect(),
            seen: BTreeMap::new(),
            changed: look == Look::First,
        };
        for folder in &self.folders {
            match scan::folder(folder) {
                Ok(found) => {
                    readable(&mut state, folder);
                    found.into_iter().for_each(|file| pass.file(file));
                }
                Err(error) => {
                    unreadable(&mut state, folder, &error);
                    pass.keep(folder);
                }
            }
        }
        let (mut entries, changed) = pass.end();
        self.arrange(&mut entries);
        state.entries = entries;
        if changed {
            self.publish(&mut state);
        }
        changed
    }

    /// Folders as they were named, files by path.
    fn arrange(&self, entries: &mut [Entry]) {
        let rank = |entry: &Entry| self.folders.iter().position(|folder| entry.path.starts_with(folder));
        entries.sort_by(|a, b| (rank(a), &a.path).cmp(&(rank(b), &b.path)));
    }

    fn publish(&self, state: &mut State) {
        let generation = self.snapshot().generation + 1;
        let processes = assembled(&state.entries, generation);
        self.tell(state, &processes);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(processes);
        self.generation.send_replace(generation);
    }

    /// Says what is wrong, once for each change.
    fn tell(&self, state: &mut State, processes: &Processes) {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        for broken in &processes.broken {
            let faults: Vec<String> = broken.faults.iter().map(ToString::to_string).collect();
            let kept = match &broken.kept {
                Some(id) => format!("process {id} keeps its former version"),
                None => "the package is not used".to_owned(),
            };
            lines.insert(broken.file.display().to_string(), format!("{kept}: {}", faults.join(" | ")));
        }
        for process in processes.iter() {
            if let Some(line) = self.why_not_runnable(process) {
                lines.insert(format!("process {}", process.id), line);
            }
        }
        for (about, line) in &lines {
            if state.told.get(about) != Some(line) {
                tracing::warn!(package = about, "{line}");
            }
        }
        for about in state.told.keys().filter(|about| !lines.contains_key(*about)) {
            tracing::info!(package = about, "what was wrong with it is right now, or it is gone");
        }
        tracing::info!(processes = processes.len(), generation = processes.generation, "processes are read");
        state.told = lines;
    }

    /// Why a process can't run on this server, in one line; `None` if it can.
    pub fn why_not_runnable(&self, process: &Process) -> Option<String> {
        self.runs.why_not(process)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The processes of the files: of two with one id the first.
fn assembled(entries: &[Entry], generation: u64) -> Processes {
    let mut processes = Processes { generation, ..Processes::default() };
    let mut owners: BTreeMap<ProcessId, &Path> = BTreeMap::new();
    // Files that are there come before one that is about to be forgotten: it may have been renamed.
    let (gone, here): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.is_missed());
    for entry in here.iter().chain(&gone) {
        if let Some(faults) = &entry.faults {
            let kept = entry.good.as_ref().map(|good| good.id.clone());
            processes.broken.push(Broken { file: entry.path.clone(), faults: faults.clone(), kept });
        }
        let Some(good) = &entry.good else { continue };
        match owners.get(&good.id) {
            None => {
                owners.insert(good.id.clone(), &entry.path);
                processes.by_id.insert(good.id.clone(), Arc::clone(good));
            }
            Some(_) if entry.is_missed() => {}
            Some(owner) => processes.broken.push(doubled(entry, &good.id, owner)),
        }
    }
    processes
}

fn doubled(entry: &Entry, id: &ProcessId, owner: &Path) -> Broken {
    let message = format!("the process {id} is defined in {} already", owner.display());
    let remedy = Some("give it another id, or remove one of the files".to_owned());
    let fault = Finding::at(&entry.path, entry.id_place, "processDescription.process.id", message, remedy);
    Broken { file: entry.path.clone(), faults: vec![fault], kept: None }
}

/// One look at all folders.
struct Pass<'a> {
    look: Look,
    runs: &'a Runs,
    /// Files of the look before that were not seen in this one yet.
    known: BTreeMap<PathBuf, Entry>,
    seen: BTreeMap<PathBuf, Entry>,
    changed: bool,
}

impl Pass<'_> {
    fn file(&mut self, file: Found) {
        // Folders may lie in each other.
        if self.seen.contains_key(&file.path) {
            return;
        }
        let (entry, is_other) = Entry::seen(self.known.remove(&file.path), file, self.look, self.runs);
        self.changed |= is_other;
        self.seen.insert(entry.path.clone(), entry);
    }

    /// What was known of a folder stays as it was.
    fn keep(&mut self, folder: &Path) {
        let inside: Vec<PathBuf> =
            self.known.keys().filter(|path| path.starts_with(folder)).cloned().collect();
        for path in inside {
            if let Some(entry) = self.known.remove(&path) {
                self.seen.insert(path, entry);
            }
        }
    }

    /// A file that an editor replaces is gone for a moment; only one that stays away is removed.
    fn end(self) -> (Vec<Entry>, bool) {
        let gone = self.known.len();
        let waiting: Vec<Entry> = self.known.into_values().filter_map(Entry::missed).collect();
        let changed = self.changed || waiting.len() < gone;
        (self.seen.into_values().chain(waiting).collect(), changed)
    }
}

fn readable(state: &mut State, folder: &PathBuf) {
    if let Some(at) = state.unreadable.iter().position(|it| it == folder) {
        state.unreadable.swap_remove(at);
        tracing::info!(folder = %folder.display(), "the folder of packages can be read again");
    }
}

/// What can't be seen is not gone: a server of files that is away for a minute removes no process.
fn unreadable(state: &mut State, folder: &PathBuf, error: &std::io::Error) {
    if !state.unreadable.contains(folder) {
        state.unreadable.push(folder.clone());
        tracing::warn!(folder = %folder.display(), %error, "the folder of packages can't be read; its processes stay");
    }
}
