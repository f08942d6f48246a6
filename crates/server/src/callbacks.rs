//! Calls receivers back about jobs: what the store's outbox holds is sent at least once, and never changes a job.
//!
//! Callers choose the URLs, so calls go through the guarded client; a receiver that hangs holds up nobody but itself.

mod message;
mod retry;
mod sign;
mod under_way;

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use rutter_core::{
    engine::Settings,
    id::JobId,
    store::{Call, CallKind, StoreError},
};
use rutter_fetch::{Client, Policy};
use rutter_types::{Fault, Subscriber};
use tokio::sync::watch;

pub use self::sign::KEY_PLACE;
use self::{sign::Key, under_way::UnderWay};
use crate::{base::Base, config::ServerConfig, state::AppState};

/// Calls at the same time.
const AT_ONCE: usize = 16;
/// Of them to one host.
const PER_HOST: usize = 2;
/// Calls looked at in one round.
const ROUND: usize = 256;
/// Time for a receiver to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The outbox is looked at so often even if nobody says that there is something in it.
const POLL: Duration = Duration::from_secs(1);
/// Receivers of progress remembered as gone.
const MOST_GONE: usize = 10_000;
/// Calls that wait behind a busy host are looked at again after this.
const ASIDE: SignedDuration = SignedDuration::from_secs(15);

/// Sends callbacks until `stop` turns true. A call that is cut off is made again by the next server.
pub async fn run(state: AppState, mut stop: watch::Receiver<bool>) {
    let opened = async {
        loop {
            match Dispatcher::open(state.clone()).await {
                Ok(dispatcher) => return dispatcher,
                Err(error) => {
                    tracing::error!(error = &*error, "callbacks can't be sent; trying again");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    };
    let stopped = stop.clone();
    tokio::select! {
        mut dispatcher = opened => dispatcher.work(stopped).await,
        () = rutter_core::told_to_stop(&mut stop) => {}
    }
}

struct Dispatcher {
    sender: Sender,
    under_way: UnderWay<Sent>,
    /// Jobs whose progress is told to nobody any more, because the receiver is gone.
    gone: HashSet<JobId>,
}

#[derive(Clone)]
struct Sender {
    state: AppState,
    base: Base,
    client: Client,
    key: Key,
}

/// What became of a call.
#[derive(PartialEq, Eq)]
enum Sent {
    /// Made, or of no use any more.
    Done,
    /// The receiver is gone for good.
    Gone,
    /// To be tried again.
    Failed(String),
    /// It may never be made.
    Refused(String),
}

impl Dispatcher {
    async fn open(state: AppState) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let client = Client::new(policy(state.engine.settings()), None)?;
        let key = Key::open(state.engine.objects()).await?;
        let base = base(&state.config);
        let sender = Sender { state, base, client, key };
        Ok(Self { sender, under_way: UnderWay::default(), gone: HashSet::new() })
    }

    async fn work(&mut self, mut stop: watch::Receiver<bool>) {
        let engine = self.sender.state.engine.clone();
        loop {
            if let Err(error) = self.round().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the outbox of callbacks can't be read"
                );
            }
            tokio::select! {
                () = rutter_core::told_to_stop(&mut stop) => return,
                () = engine.calls().notified() => {}
                Some((call, ended)) = self.under_way.next() => match ended {
                    Ok(sent) => self.ended(&call, &sent),
                    Err(error) => {
                        tracing::error!(job.id = %call.id.job, %error, "a callback ended unexpectedly");
                        self.sender.note(&call, &Sent::Failed(error.to_string())).await;
                    }
                },
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Start what is due and has room.
    async fn round(&mut self) -> Result<(), StoreError> {
        if self.under_way.len() >= AT_ONCE {
            return Ok(());
        }
        let now = self.sender.state.engine.clock().now();
        let due = self.sender.state.engine.store().calls_due(now, ROUND).await?;
        let is_full = due.len() == ROUND;
        let mut behind = Vec::new();
        for call in due {
            if self.under_way.len() >= AT_ONCE {
                return Ok(());
            }
            if self.under_way.has(&call.id) {
                continue;
            }
            let host = host_of(&call.url);
            if self.under_way.to(&host) >= PER_HOST {
                behind.push(call);
                continue;
            }
            self.start(call, host);
        }
        if is_full {
            self.set_aside(behind, now).await?;
        }
        Ok(())
    }

    fn start(&mut self, call: Call, host: String) {
        let sender = self.sender.clone();
        let unwanted = call.kind == CallKind::Progress && self.gone.contains(&call.id.job);
        self.under_way.start(call.clone(), host, async move {
            let sent = if unwanted { Sent::Done } else { sender.send(&call).await };
            sender.note(&call, &sent).await;
            sent
        });
    }

    fn ended(&mut self, call: &Call, sent: &Sent) {
        let id = call.id;
        match id.kind {
            CallKind::Progress if *sent == Sent::Gone => {
                // Forgotten ones are called once more, which does no harm.
                if self.gone.len() >= MOST_GONE {
                    self.gone.clear();
                }
                self.gone.insert(id.job);
            }
            CallKind::Progress => {}
            CallKind::Success | CallKind::Failed => drop(self.gone.remove(&id.job)),
        }
    }

    /// A slow host with many calls must not fill every round: others would never be seen.
    async fn set_aside(&self, calls: Vec<Call>, now: Timestamp) -> Result<(), StoreError> {
        let due = now.checked_add(ASIDE).unwrap_or(now);
        for call in calls {
            self.sender.state.engine.store().call_again(&call, call.tries, due).await?;
        }
        Ok(())
    }
}

impl Sender {
    /// Note what became of a call.
    async fn note(&self, call: &Call, sent: &Sent) {
        let store = self.state.engine.store();
        let noted = match sent {
            Sent::Done | Sent::Gone => store.call_done(call).await,
            Sent::Refused(reason) => {
                tracing::warn!(job.id = %call.id.job, reason, "a callback is given up: it is not allowed");
                store.call_done(call).await
            }
            Sent::Failed(reason) => match retry::again(call, self.state.engine.clock().now()) {
                Some(due) => {
                    tracing::debug!(job.id = %call.id.job, reason, "a callback failed; it is tried again");
                    store.call_again(call, call.tries.saturating_add(1), due).await
                }
                None => {
                    tracing::warn!(job.id = %call.id.job, reason, "a callback is given up: it failed for a day");
                    store.call_done(call).await
                }
            },
        };
        if let Err(error) = noted {
            let error: &dyn std::error::Error = &error;
            tracing::error!(job.id = %call.id.job, error, "what became of a callback can't be noted; it is repeated");
        }
    }

    async fn send(&self, call: &Call) -> Sent {
        let id = call.id.job;
        let job = match self.state.engine.store().get(id).await {
            Ok(Some(job)) => job,
            Ok(None) => return Sent::Done,
            Err(error) => return Sent::Failed(error.to_string()),
        };
        let body = match message::body(&self.state, &self.base, &job, call.kind).await {
            Ok(Some(body)) => body,
            Ok(None) => return Sent::Done,
            Err(error) => return Sent::Failed(error.to_string()),
        };
        match tokio::time::timeout(PATIENCE, self.post(call, body)).await {
            Err(_) => Sent::Failed(format!("no answer for {} s", PATIENCE.as_secs())),
            Ok(Err(error)) if error.is_refusal() => Sent::Refused(error.to_string()),
            Ok(Err(error)) => Sent::Failed(error.to_string()),
            Ok(Ok(200..=299)) => Sent::Done,
            Ok(Ok(410)) => {
                tracing::info!(job.id = %id, "a callback's receiver is gone (410); it is not called again");
                Sent::Gone
            }
            Ok(Ok(status)) => Sent::Failed(format!("the receiver answered {status}")),
        }
    }

    async fn post(&self, call: &Call, body: Bytes) -> Result<u16, rutter_fetch::Error> {
        let seconds = self.state.engine.clock().now().as_second();
        let mut headers = self.key.headers(&message_id(call), seconds, &body);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self.client.post(&call.url, headers, body).await?.status)
    }
}

/// The same for each try of a call, so that receivers can tell repeats.
fn message_id(call: &Call) -> String {
    let kind = match call.kind {
        CallKind::Progress => "progress",
        CallKind::Success => "success",
        CallKind::Failed => "failed",
    };
    format!("msg_{}_{kind}_{}", call.id.job, call.created.as_microsecond())
}

/// Who is called: programs at other ports of a machine are others.
fn host_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    url.map(|url| url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()).unwrap_or_default()
}

/// URLs of a subscriber that could never be called: nobody would notice later.
pub(crate) fn faults(settings: &Settings, subscriber: &Subscriber) -> Vec<Fault> {
    refused(&policy(settings), subscriber)
}

fn refused(policy: &Policy, subscriber: &Subscriber) -> Vec<Fault> {
    let members = [
        ("successUri", &subscriber.success),
        ("inProgressUri", &subscriber.in_progress),
        ("failedUri", &subscriber.failed),
    ];
    let given = members.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?)));
    let refused = given.filter_map(|(name, url)| {
        let error = policy.check(url).err()?;
        Some(Fault::new(format!("/subscriber/{name}"), format!("can't be called: {error}")))
    });
    refused.collect()
}

/// Callbacks reach what references may reach, and are not redirected.
fn policy(settings: &Settings) -> Policy {
    let fetch = &settings.plan.fetch;
    Policy {
        private_networks: fetch.private_networks,
        allow: fetch.allow.iter().filter_map(|text| text.parse().ok()).collect(),
        max_bytes: 1024 * 1024,
        idle: PATIENCE,
        max_redirects: 0,
    }
}

/// No request is there to tell under which URL the world sees this server.
fn base(config: &ServerConfig) -> Base {
    match &config.public_url {
        Some(url) => Base::new(url.as_str()),
        None => Base::new(&format!("http://{}", reachable(config.listen))),
    }
}

/// An address that stands for all of a machine's is none that can be called; on this machine loopback is.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    match listen.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    listen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_never_lead_to_every_address() {
        for (listen, link) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:80", "http://[::1]:80"),
            ("192.0.2.9:8080", "http://192.0.2.9:8080"),
        ] {
            let config = ServerConfig { listen: listen.parse().unwrap(), ..ServerConfig::default() };
            assert_eq!(base(&config).as_str(), link);
        }
    }

    #[test]
    fn what_could_never_be_called_is_refused_before_anything_runs() {
        let policy = |private_networks, allow: &[&str]| Policy {
            private_networks,
            allow: allow.iter().filter_map(|text| text.parse().ok()).collect(),
            max_bytes: 1,
            idle: PATIENCE,
            max_redirects: 0,
        };
        let pointers = |policy: &Policy, url: &str| {
            let subscriber = Subscriber { success: Some(url.into()), ..Subscriber::default() };
            refused(policy, &subscriber).into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
        };
        let (laptop, public) = (policy(true, &[]), policy(false, &[]));
        for never in
            ["http://169.254.169.254/x", "http://[fe80::1]/", "http://0.0.0.0/", "ftp://h/", "http://u:p@h/"]
        {
            assert_eq!(pointers(&laptop, never), ["/subscriber/successUri"], "{never}");
        }
        for private in ["http://127.0.0.1:9/", "http://2130706433/", "http://[::ffff:10.0.0.1]/"] {
            assert!(pointers(&laptop, private).is_empty(), "{private}");
            assert_eq!(pointers(&public, private).len(), 1, "{private}");
        }
        assert!(pointers(&policy(false, &["10.0.0.0/8"]), "http://10.0.0.1/").is_empty());
        assert!(
            pointers(&public, "https://example.org/hook").is_empty(),
            "names are looked up when they are called"
        );
    }

    #[test]
    fn a_port_is_part_of_who_is_called() {
        assert_eq!(host_of("http://user@h.example:81/x?y"), "h.example:81");
        assert_ne!(host_of("http://h.example/x"), host_of("http://h.example:81/x"));
        assert_eq!(host_of("http://h.example/x"), host_of("http://h.example:80/y"));
        assert_eq!(host_of("no URL"), "");
    }
}
