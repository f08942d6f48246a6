//! Connections to clients that must keep taking what they are sent: one that stops reading would hold its answer, the file
//! behind it and the kernel's buffers for as long as it likes.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::serve::Listener;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};

/// Bytes that the kernel takes ahead of what the client's window admits.
///
/// Without a bound it takes megabytes for each client that does not read, and tells of room only when a third of them
/// is gone: a slow reader would look like one that stopped.
const AHEAD: u32 = 256 * 1024;
/// Silence after which a client is asked whether it is still there, and the time between two such questions.
const SILENCE: Duration = Duration::from_secs(60);
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// TCP connections of clients, of whom none is trusted to read what it asked for, or to say when it goes.
pub(crate) struct Clients {
    listener: TcpListener,
    stall: Duration,
}

impl Clients {
    /// With the longest time in which a client takes nothing of what it is sent.
    pub(crate) fn new(listener: TcpListener, stall: Duration) -> Self {
        Self { listener, stall }
    }
}

impl Listener for Clients {
    type Io = Steady<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "a connection stays as the system made it");
        }
        (Steady::new(stream, self.stall), peer)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Set up a new connection: answers are written whole, so Nagle's delay is of no use, and a client that vanished
/// without a word is found out.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_notsent_lowat(AHEAD)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE).with_interval(ASK_AGAIN))
}

/// A connection whose writes fail once the other side has taken nothing for a time.
pub(crate) struct Steady<T> {
    inner: T,
    limit: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Steady<T> {
    /// With the longest time in which nothing is taken.
    pub(crate) fn new(inner: T, limit: Duration) -> Self {
        Self { inner, limit, waiting: None }
    }

    fn judge<R>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Steady<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Steady<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.judge(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.judge(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_reader_that_stops_is_cut_and_a_slow_one_is_not() {
        let (ours, mut theirs) = duplex(100);
        let mut ours = Steady::new(ours, LIMIT);
        let reading = tokio::spawn(async move {
            for _ in 0..40 {
                sleep(LIMIT / 20).await;
                theirs.read_exact(&mut [0; 10]).await.unwrap();
            }
            theirs
        });
        let error = ours.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut rest = Vec::new();
        drop(ours);
        reading.await.unwrap().read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len(), 100, "what fitted after the last read, and no more");
    }

    #[tokio::test]
    async fn time_between_writes_does_not_count() {
        let (ours, mut theirs) = duplex(100);
        let mut ours = Steady::new(ours, LIMIT);
        ours.write_all(&[0; 100]).await.unwrap();
        sleep(LIMIT * 2).await;
        theirs.read_exact(&mut [0; 100]).await.unwrap();
        ours.write_all(&[0; 100]).await.unwrap();
    }

    /// A machine that lost its power closes no connection: without questions it would hold one for ever.
    #[tokio::test]
    async fn clients_are_asked_whether_they_are_still_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut clients = Clients::new(listener, LIMIT);
        let _client = TcpStream::connect(clients.local_addr().unwrap()).await.unwrap();
        let (stream, _) = clients.accept().await;
        let socket = SockRef::from(&stream.inner);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), SILENCE);
    }
}
