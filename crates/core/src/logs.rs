//! Logs of jobs: spooled in a folder while a job runs, kept with its objects afterwards.
//!
//! The log of a job is one sequence of bytes, its attempts' logs one after the other, so that a place in it is one number.
//! Every line is `<RFC 3339 time, microseconds>Z <out|err|sys> <text>`; a tag with `+` goes on in the next line of its stream.

mod copies;
mod line;

use std::{
    collections::HashMap,
    io::{ErrorKind, SeekFrom},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub use self::{copies::LogCopies, line::Line};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use tokio::{
    fs,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};

use crate::{
    executor::AttemptName,
    id::{JobId, LaunchName},
    job::Job,
    results::{ObjectError, Objects},
};

/// A segment of an archived log.
const SEGMENT: u64 = 8 * 1024 * 1024;

/// Spools that are kept open; there may be more running jobs than files that a process may open.
const MOST_OPEN: usize = 256;

/// Why a log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full.
    #[error("no space is left for logs")]
    NoSpace,
    /// The spool failed.
    #[error("the log spool failed while {doing}")]
    Spool {
        /// What was tried.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The archive failed.
    #[error("the archived log can't be reached")]
    Archive(#[from] ObjectError),
}

/// Logs of all jobs.
#[derive(Clone, Debug)]
pub struct Logs {
    spool: PathBuf,
    objects: Objects,
    open: Arc<Mutex<HashMap<AttemptName, Spool>>>,
    copies: Option<LogCopies>,
}

/// Of one attempt; one writer at a time.
type Spool = Arc<tokio::sync::Mutex<Option<OpenSpool>>>;

#[derive(Debug)]
struct OpenSpool {
    file: fs::File,
    length: u64,
}

impl OpenSpool {
    async fn open(path: &Path) -> Result<Self, LogError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await.map_err(|error| spool_error("making its folder", error))?;
        }
        let opening = |error| spool_error("opening", error);
        let file = fs::OpenOptions::new().create(true).append(true).open(path).await.map_err(opening)?;
        let length = file.metadata().await.map_err(opening)?.len();
        Ok(Self { file, length })
    }
}

/// A piece of a job's log: where it is and how long.
enum Piece {
    Spooled { path: PathBuf, length: u64 },
    Archived { key: String, length: u64 },
}

impl Piece {
    fn length(&self) -> u64 {
        match self {
            Self::Spooled { length, .. } | Self::Archived { length, .. } => *length,
        }
    }
}

impl Logs {
    /// Spooled in `folder`, which must exist.
    pub fn new(folder: &Path, objects: Objects) -> Self {
        Self { spool: folder.to_owned(), objects, open: Arc::default(), copies: None }
    }

    /// Add bytes that begin at `offset` of the attempt's log; those that are there already are skipped.
    /// Gives the new length: where the next bytes must begin.
    pub async fn append(&self, attempt: &AttemptName, offset: u64, bytes: &[u8]) -> Result<u64, LogError> {
        let spool = self.spool_of(attempt);
        let mut spool = spool.lock().await;
        let spool = match &mut *spool {
            Some(open) => open,
            closed => closed.insert(OpenSpool::open(&self.spool_path(attempt)).await?),
        };
        let known = spool.length.saturating_sub(offset);
        let fresh = match usize::try_from(known) {
            Ok(known) if offset <= spool.length && known < bytes.len() => &bytes[known..],
            _ => return Ok(spool.length),
        };
        let written = async {
            spool.file.write_all(fresh).await?;
            spool.file.flush().await
        };
        match written.await {
            Ok(()) => spool.length += fresh.len() as u64,
            Err(source) => {
                // A half-written piece would shift every later offset.
                let length = spool.length;
                let _ = spool.file.set_len(length).await;
                return Err(spool_error("writing", source));
            }
        }
        Ok(spool.length)
    }

    /// Length of a job's log so far.
    pub async fn len(&self, job: &Job) -> Result<u64, LogError> {
        Ok(self.pieces(job).await?.iter().map(Piece::length).sum())
    }

    /// At most `most` bytes of a job's log from a place; empty = nothing more so far.
    pub async fn read(&self, job: &Job, from: u64, most: usize) -> Result<Bytes, LogError> {
        match self.look(job, from, most).await {
            // Archived between two looks: the next one finds it among the objects.
            Err(LogError::Spool { source, .. }) if source.kind() == ErrorKind::NotFound => {
                self.look(job, from, most).await
            }
            read => read,
        }
    }

    async fn look(&self, job: &Job, from: u64, most: usize) -> Result<Bytes, LogError> {
        let mut skip = from;
        for piece in self.pieces(job).await? {
            if skip < piece.length() {
                return self.read_piece(&piece, skip, most).await;
            }
            skip -= piece.length();
        }
        Ok(Bytes::new())
    }

    /// The last lines of a job's log.
    pub async fn tail(&self, job: &Job, lines: usize) -> Result<Vec<String>, LogError> {
        const WINDOW: u64 = 64 * 1024;
        let length = self.len(job).await?;
        let from = length.saturating_sub(WINDOW);
        let mut text = BytesMut::new();
        while (text.len() as u64) < length - from {
            let piece = self.read(job, from + text.len() as u64, usize::MAX).await?;
            if piece.is_empty() {
                break;
            }
            text.extend_from_slice(&piece);
        }
        let text = String::from_utf8_lossy(&text);
        let mut all: Vec<&str> = text.lines().collect();
        if from > 0 && !all.is_empty() {
            all.remove(0);
        }
        Ok(all[all.len().saturating_sub(lines)..].iter().map(|&line| line.to_owned()).collect())
    }

    /// Move a job's spooled log to its objects. May be repeated; the spool goes last.
    pub async fn archive(&self, job: &Job) -> Result<(), LogError> {
        for attempt in attempts(job) {
            let path = self.spool_path(&attempt);
            let Some(length) = file_length(&path).await? else { continue };
            let prefix = archive_prefix(&attempt);
            for number in 0..length.div_ceil(SEGMENT) {
                let at = number * SEGMENT;
                let piece = Piece::Spooled { path: path.clone(), length };
                let most = usize::try_from(SEGMENT.min(length - at)).unwrap_or(usize::MAX);
                let bytes = self.read_exact(&piece, at, most).await?;
                self.objects.put(&format!("{prefix}/{number:06}"), bytes).await?;
            }
            self.lock().remove(&attempt);
            remove_file(&path).await?;
        }
        self.remove_spool(job.id).await
    }

    /// Jobs of which something is spooled.
    pub async fn spooled(&self) -> Result<Vec<JobId>, LogError> {
        let listing = |error| spool_error("listing", error);
        let mut entries = fs::read_dir(&self.spool).await.map_err(listing)?;
        let mut jobs = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(listing)? {
            jobs.extend(entry.file_name().to_str().and_then(|name| name.parse::<JobId>().ok()));
        }
        Ok(jobs)
    }

    /// Whether something of a job is spooled.
    pub async fn is_spooled(&self, job: JobId) -> Result<bool, LogError> {
        Ok(file_length(&self.spool.join(job.to_string())).await?.is_some())
    }

    /// An empty folder for what an attempt without an agent prints, until it is reported; it goes with the job's spool. One for
    /// each `turn` of reading it.
    pub(crate) async fn folder_for_print(
        &self,
        attempt: &AttemptName,
        turn: u32,
    ) -> Result<PathBuf, LogError> {
        let folder = self.spool_path(attempt).with_extension("print").join(turn.to_string());
        match fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(spool_error("removing", error)),
            _ => {}
        }
        fs::create_dir_all(&folder).await.map_err(|error| spool_error("making its folder", error))?;
        Ok(folder)
    }

    /// Remove what is spooled of a job.
    pub async fn remove_spool(&self, job: JobId) -> Result<(), LogError> {
        self.lock().retain(|attempt, _| attempt.launch.job != job);
        match fs::remove_dir_all(self.spool.join(job.to_string())).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(spool_error("removing", error)),
            _ => Ok(()),
        }
    }

    async fn read_exact(&self, piece: &Piece, at: u64, most: usize) -> Result<Bytes, LogError> {
        let mut whole = BytesMut::with_capacity(most);
        while whole.len() < most {
            let bytes = self.read_piece(piece, at + whole.len() as u64, most - whole.len()).await?;
            if bytes.is_empty() {
                break;
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole.freeze())
    }

    async fn read_piece(&self, piece: &Piece, at: u64, most: usize) -> Result<Bytes, LogError> {
        const CHUNK: usize = 1024 * 1024;
        let rest = usize::try_from(piece.length() - at).unwrap_or(usize::MAX);
        let most = most.min(rest).min(CHUNK);
        match piece {
            Piece::Spooled { path, .. } => {
                let mut file = fs::File::open(path).await.map_err(|error| spool_error("opening", error))?;
                file.seek(SeekFrom::Start(at)).await.map_err(|error| spool_error("reading", error))?;
                let mut bytes = vec![0; most];
                let read = file.read(&mut bytes).await.map_err(|error| spool_error("reading", error))?;
                bytes.truncate(read);
                Ok(bytes.into())
            }
            Piece::Archived { key, .. } => {
                let body = self.objects.open(key, Some(at..at + most as u64)).await?;
                let bytes: BytesMut = body
                    .try_fold(BytesMut::new(), |mut all, piece| async move {
                        all.extend_from_slice(&piece);
                        Ok(all)
                    })
                    .await?;
                Ok(bytes.freeze())
            }
        }
    }

    /// An attempt's log is in the spool until every segment of it is archived, then in the objects.
    async fn pieces(&self, job: &Job) -> Result<Vec<Piece>, LogError> {
        let mut pieces = Vec::new();
        for attempt in attempts(job) {
            let path = self.spool_path(&attempt);
            if let Some(length) = file_length(&path).await? {
                pieces.push(Piece::Spooled { path, length });
                continue;
            }
            let archived = self.objects.list(&archive_prefix(&attempt)).await?;
            pieces.extend(archived.into_iter().map(|(key, length)| Piece::Archived { key, length }));
        }
        Ok(pieces)
    }

    /// The spool of an attempt, perhaps not opened yet.
    fn spool_of(&self, attempt: &AttemptName) -> Spool {
        let mut open = self.lock();
        if open.len() >= MOST_OPEN && !open.contains_key(attempt) {
            // Those that nobody writes just now: they are opened again for their next bytes.
            open.retain(|_, spool| Arc::strong_count(spool) > 1);
        }
        open.entry(attempt.clone()).or_default().clone()
    }

    fn spool_path(&self, attempt: &AttemptName) -> PathBuf {
        self.spool
            .join(attempt.launch.job.to_string())
            .join(format!("{}-{}.log", attempt.launch.launch, attempt.uid))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AttemptName, Spool>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names of a job's attempts, in order.
fn attempts(job: &Job) -> impl Iterator<Item = AttemptName> + '_ {
    job.attempts.iter().map(|attempt| AttemptName {
        launch: LaunchName { job: job.id, launch: attempt.launch },
        uid: attempt.uid.clone(),
    })
}

fn archive_prefix(attempt: &AttemptName) -> String {
    format!("jobs/{}/attempts/{}-{}/log", attempt.launch.job, attempt.launch.launch, attempt.uid)
}

async fn file_length(path: &Path) -> Result<Option<u64>, LogError> {
    match fs::metadata(path).await {
        Ok(found) => Ok(Some(found.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(spool_error("looking", error)),
    }
}

async fn remove_file(path: &Path) -> Result<(), LogError> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(spool_error("removing", error)),
        _ => Ok(()),
    }
}

fn spool_error(doing: &'static str, source: std::io::Error) -> LogError {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LogError::NoSpace,
        _ => LogError::Spool { doing, source },
    }
}
