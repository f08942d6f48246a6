//! Connections: accepted up to a limit, dropped when they are slow, and ended in order when the server stops.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response, serve::Listener};
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderValue, header::CONNECTION};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt;

use crate::{
    base::Connection, config::Limits, encrypted::Encrypted, front::App, routes, state::AppState,
    steady::Clients,
};

/// Serves the API until `stop` turns true; then no connection is accepted any more, and requests in progress get
/// [`Limits::shutdown`] to finish.
pub async fn serve(listener: TcpListener, state: AppState, stop: watch::Receiver<bool>) {
    let limits = state.config.limits.clone();
    let local = listener.local_addr().unwrap_or(state.config.listen);
    let app = App::new(state.clone());
    let told = state.clone();
    let stop = stopping(stop, move || told.stop());
    let answer = move |mut request: Request, peer: SocketAddr| {
        let app = app.clone();
        async move {
            request.extensions_mut().insert(Connection { peer, local });
            app.answer(request).await
        }
    };
    served(Clients::new(listener, limits.send_stall), Room::of(&limits), &limits, stop, answer).await;
}

/// Where agents come from.
#[derive(Debug)]
pub enum AgentsListener {
    /// This machine.
    Machine(UnixListener),
    /// The network, with TLS, or without where the network itself is trusted.
    Network(TcpListener, Option<Arc<rustls::ServerConfig>>),
}

/// Serves agents until `stop` turns true.
///
/// # Errors
/// The listener can't be used.
pub async fn serve_agents(
    listener: AgentsListener,
    state: AppState,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let limits = state.config.limits.clone();
    let router = routes::agents_router(state);
    let room = Room { yields: true, ..Room::of(&limits) };
    match listener {
        AgentsListener::Machine(listener) => served(listener, room, &limits, stop, answers(router)).await,
        AgentsListener::Network(listener, None) => {
            let agents = Clients::new(listener, limits.send_stall);
            served(agents, room, &limits, stop, answers(router)).await;
        }
        AgentsListener::Network(listener, Some(tls)) => {
            let agents = Encrypted::start(Clients::new(listener, limits.send_stall), tls)?;
            served(agents, room, &limits, stop, answers(router)).await;
        }
    }
    Ok(())
}

/// Answers by a router, whoever asks.
fn answers<P>(router: Router) -> impl Fn(Request, P) -> BoxFuture<'static, Response> + Clone + Send + Sync {
    move |request, _| {
        let answered = router.clone().oneshot(request);
        async move {
            match answered.await {
                Ok(response) => response,
                Err(impossible) => match impossible {},
            }
        }
        .boxed()
    }
}

/// A receiver that turns true with another one, after `first` was done.
fn stopping(mut stop: watch::Receiver<bool>, first: impl FnOnce() + Send + 'static) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        told(&mut stop).await;
        first();
        let _ = sender.send(true);
    });
    receiver
}

/// Until it is true; a sender that is gone wants the same.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Connections that may be open.
#[derive(Clone, Debug)]
struct Room {
    places: Arc<Semaphore>,
    all: usize,
    /// Whether a connection ends with its answer while half of the places are taken. There may be more running jobs than places,
    /// and one that logs now and then must not hold a place that another one waits for.
    yields: bool,
}

impl Room {
    fn of(limits: &Limits) -> Self {
        let all = limits.connections.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(all)), all, yields: false }
    }

    fn is_crowded(&self) -> bool {
        self.yields && self.places.available_permits() < self.all / 2
    }
}

async fn served<L, A, F>(
    mut listener: L,
    room: Room,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
    answer: A,
) where
    L: Listener,
    A: Fn(Request, L::Addr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
    L::Addr: Clone + Send + Sync + 'static,
{
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let permit = room.places.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, (io, peer)) = tokio::select! {
            () = told(&mut stop) => break,
            Some(_) = open.join_next() => continue,
            accepted = accepted => accepted,
        };
        let (answer, limits, stop, room) = (answer.clone(), limits.clone(), stop.clone(), room.clone());
        let answer = move |request: Request, peer: L::Addr| {
            let (answered, room) = (answer(request, peer), room.clone());
            async move {
                let mut response = answered.await;
                if room.is_crowded() {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        };
        open.spawn(async move {
            connection(io, peer, &limits, stop, answer).await;
            drop(permit);
        });
    }
    drop(listener);
    finish(open, limits.shutdown).await;
}

async fn connection<I, P, A, F>(io: I, peer: P, limits: &Limits, mut stop: watch::Receiver<bool>, answer: A)
where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    P: Clone + Send,
    A: Fn(Request, P) -> F,
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let answered = answer(request.map(Body::new), peer.clone());
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.head_bytes.max(8 * 1024))
        .half_close(false);
    let connection = builder.serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients that go away or talk something else are no concern of the operator.
        tracing::debug!(%error, "a connection ended");
    }
}

async fn finish(mut open: JoinSet<()>, limit: Duration) {
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!(http.requests = open.len(), "requests were cut off: they did not finish in time");
        open.shutdown().await;
    }
}
