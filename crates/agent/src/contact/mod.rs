//! Calls to the server: each is repeated with backoff until it is answered, the attempt is over, or nothing has been
//! heard for the contact budget. So a server may be killed and started again at any step of an attempt.

mod address;
mod calls;
mod parts;
mod upload;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use rutter_types::Problem;
use rutter_types::agent::{VERSION, VERSION_HEADER};
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use address::Address;
use address::Dialer;
pub(crate) use calls::{path_of_package_file, path_of_result};
pub(crate) use upload::digest;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Before the order tells the budget, where nobody else did.
const FIRST_BUDGET: Duration = Duration::from_secs(300);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Time for an answer, on top of what the size of a body takes at [`SLOWEST`].
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Bytes per second that even a bad network manages.
const SLOWEST: u64 = 64 * 1024;
/// Answers to one call that break off before the call is given up.
const BROKEN_ANSWERS: u32 = 100;
/// Answers (orders, verdicts) are smaller than this.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// The server, as seen from one attempt.
pub(crate) struct Contact {
    dialer: Dialer,
    token_file: Option<PathBuf>,
    idle: Mutex<Vec<SendRequest<Body>>>,
    heard: Mutex<Instant>,
    budget: Mutex<Duration>,
    state: watch::Sender<State>,
}

/// Whether there is still somebody who wants this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As far as known.
    Open,
    /// The server said that the attempt is over.
    Over,
    /// Nothing was heard for the contact budget.
    Lost,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the attempt is over")]
    Over,
    #[error("the server at {server} can't be reached: {cause}")]
    Lost { server: String, cause: String },
    #[error("the server does not take so many bytes")]
    TooLarge,
    #[error("the server refused {path} with status {status}: {text}")]
    Refused { path: String, status: u16, text: String },
}

/// A call that can be made again.
pub(crate) struct Call<'a> {
    method: Method,
    path: &'a str,
    content_type: &'a str,
    length: u64,
    body: &'a (dyn Fn() -> io::Result<Body> + Sync),
}

/// What became of one try.
enum Try {
    Answer(Response<Incoming>, SendRequest<Body>),
    Failed { cause: String, stale: bool },
}

impl Contact {
    pub(crate) fn new(address: Address, token_file: Option<PathBuf>, ca: Option<Vec<u8>>) -> Self {
        Self {
            dialer: Dialer::new(address, ca),
            token_file,
            idle: Mutex::default(),
            heard: Mutex::new(Instant::now()),
            budget: Mutex::new(FIRST_BUDGET),
            state: watch::Sender::new(State::Open),
        }
    }

    /// The time without any answer after which the agent gives up.
    pub(crate) fn set_budget(&self, budget: Duration) {
        *locked(&self.budget) = budget;
    }

    /// Where the server is, for people.
    pub(crate) fn server(&self) -> String {
        self.dialer.address.to_string()
    }

    /// Waits until the attempt is over or the server lost.
    pub(crate) async fn ended(&self) -> State {
        let mut state = self.state.subscribe();
        match state.wait_for(|state| *state != State::Open).await {
            Ok(state) => *state,
            Err(_) => State::Lost,
        }
    }

    /// Makes a call until it has an answer, whose body is read.
    async fn call(&self, call: &Call<'_>) -> Result<Bytes, Error> {
        let mut cause = String::new();
        for _ in 0..BROKEN_ANSWERS {
            let (answer, sender) = self.open(call).await?;
            let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect();
            match tokio::time::timeout(ANSWER_TIME, body).await {
                Ok(Ok(body)) => {
                    self.keep(sender);
                    return Ok(body.to_bytes());
                }
                // The server was killed between head and body: every call may be made again.
                Ok(Err(error)) => cause = error.to_string(),
                Err(_) => cause = "the answer broke off".to_owned(),
            }
            tokio::time::sleep(jittered(FIRST_PAUSE)).await;
        }
        Err(Error::Refused { path: call.path.to_owned(), status: 200, text: cause })
    }

    /// Makes a call once; `None` = it has no answer, or one that asks for another try.
    async fn once(&self, call: &Call<'_>) -> Result<Option<Bytes>, Error> {
        self.still_open()?;
        let Try::Answer(answer, sender) = self.attempt(call).await else { return Ok(None) };
        let Ok((answer, sender)) = self.judge(call, answer, sender).await? else { return Ok(None) };
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect();
        let Ok(Ok(body)) = tokio::time::timeout(ANSWER_TIME, body).await else { return Ok(None) };
        self.keep(sender);
        Ok(Some(body.to_bytes()))
    }

    /// Makes a call until it has an answer, whose body is left to read.
    async fn open(&self, call: &Call<'_>) -> Result<(Response<Incoming>, SendRequest<Body>), Error> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            self.still_open()?;
            let cause = match self.attempt(call).await {
                Try::Answer(answer, sender) => match self.judge(call, answer, sender).await? {
                    Ok(answered) => return Ok(answered),
                    Err(cause) => cause,
                },
                // A connection kept alive may have been closed meanwhile: that tells nothing about the server.
                Try::Failed { stale: true, .. } => continue,
                Try::Failed { cause, .. } => cause,
            };
            let silent = started.max(*locked(&self.heard)).elapsed();
            if silent > *locked(&self.budget) {
                self.state.send_if_modified(|state| {
                    let open = *state == State::Open;
                    *state = if open { State::Lost } else { *state };
                    open
                });
                return Err(Error::Lost { server: self.server(), cause });
            }
            tokio::select! {
                () = tokio::time::sleep(jittered(pause)) => {}
                _ = self.ended() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn still_open(&self) -> Result<(), Error> {
        match *self.state.borrow() {
            State::Open => Ok(()),
            State::Over => Err(Error::Over),
            State::Lost => {
                let cause = "nothing was heard for the contact budget".to_owned();
                Err(Error::Lost { server: self.server(), cause })
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Try {
        let time = ANSWER_TIME + Duration::from_secs(call.length / SLOWEST);
        let failed = |cause: String| Try::Failed { cause, stale: false };
        match tokio::time::timeout(time, self.send(call)).await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => failed(error.to_string()),
            Err(_) => failed("no answer in time".to_owned()),
        }
    }

    async fn send(&self, call: &Call<'_>) -> io::Result<Try> {
        let request = self.request(call)?;
        let (mut sender, reused) = match self.kept().await {
            Some(sender) => (sender, true),
            None => (self.dialer.dial().await?, false),
        };
        match sender.send_request(request).await {
            Ok(answer) => Ok(Try::Answer(answer, sender)),
            Err(error) => Ok(Try::Failed { cause: cause_of(&error), stale: reused }),
        }
    }

    fn request(&self, call: &Call<'_>) -> io::Result<Request<Body>> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path)
            .header(HOST, self.dialer.authority())
            .header(VERSION_HEADER, VERSION);
        if call.method != Method::GET {
            request = request.header(CONTENT_TYPE, call.content_type).header(CONTENT_LENGTH, call.length);
        }
        if let Some(file) = &self.token_file {
            // Read each time: the kubelet replaces it before it expires.
            let token = std::fs::read_to_string(file)?;
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.trim()));
        }
        request.body((call.body)()?).map_err(io::Error::other)
    }

    /// A connection that is open as far as known.
    async fn kept(&self) -> Option<SendRequest<Body>> {
        loop {
            let mut sender = locked(&self.idle).pop()?;
            if !sender.is_closed() && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    fn keep(&self, sender: SendRequest<Body>) {
        if !sender.is_closed() {
            locked(&self.idle).push(sender);
        }
    }

    /// Tells answers from reasons to try again.
    async fn judge(
        &self,
        call: &Call<'_>,
        answer: Response<Incoming>,
        sender: SendRequest<Body>,
    ) -> Result<Result<(Response<Incoming>, SendRequest<Body>), String>, Error> {
        let status = answer.status();
        if status.is_success() {
            *locked(&self.heard) = Instant::now();
            return Ok(Ok((answer, sender)));
        }
        match status {
            StatusCode::GONE => {
                self.state.send_replace(State::Over);
                Err(Error::Over)
            }
            StatusCode::PAYLOAD_TOO_LARGE => Err(Error::TooLarge),
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Ok(Err(format!("it answered {status}"))),
            _ if status.is_server_error() => Ok(Err(format!("it answered {status}"))),
            _ => {
                let text = Limited::new(answer.into_body(), 4096).collect().await;
                let text = text.map(|text| words_of(&text.to_bytes())).unwrap_or_default();
                Err(Error::Refused { path: call.path.to_owned(), status: status.as_u16(), text })
            }
        }
    }
}

/// What a refusal says: the detail of a problem document, else the text as it is.
fn words_of(answer: &[u8]) -> String {
    let detail = serde_json::from_slice::<Problem>(answer).ok().and_then(|problem| problem.detail);
    detail.unwrap_or_else(|| String::from_utf8_lossy(answer).into_owned())
}

fn cause_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Between half and the whole of a pause, so that many agents don't come back at the same moment.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause / 2 + pause.mul_f64((random % 1024) as f64 / 2048.0)
}

/// A lock whose holder never leaves it half-changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
