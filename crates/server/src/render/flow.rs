//! Bodies that are written piece by piece while they are read: whatever their size, a few pieces are in memory.

use std::future::Future;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use http::{HeaderValue, Response, header};
use rutter_core::results::{ByteStream, ObjectError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Pieces between writer and reader: a slow reader holds the writer up.
const PIECES: usize = 4;
/// A body that ends within so many bytes is sent with its length.
const MEASURED: usize = 256 * 1024;

/// Takes what a writer makes.
#[derive(Clone, Debug)]
pub struct Sink(mpsc::Sender<Result<Bytes, ObjectError>>);

/// Why a writer stops early.
#[derive(Debug)]
pub enum Stop {
    /// The reader went away.
    Gone,
    /// Something could not be read.
    Failed(ObjectError),
}

impl From<ObjectError> for Stop {
    fn from(error: ObjectError) -> Self {
        Self::Failed(error)
    }
}

impl Sink {
    /// Hand over a piece, when there is room for it.
    pub async fn send(&self, piece: impl Into<Bytes>) -> Result<(), Stop> {
        self.0.send(Ok(piece.into())).await.map_err(|_| Stop::Gone)
    }

    /// Hand over everything of a stream.
    pub async fn send_all(&self, mut pieces: ByteStream) -> Result<(), Stop> {
        while let Some(piece) = pieces.try_next().await? {
            self.send(piece).await?;
        }
        Ok(())
    }

    /// Until the reader is gone.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// What `write` writes, as a stream. The writer ends with its reader.
pub fn flow<W, F>(write: W) -> ByteStream
where
    W: FnOnce(Sink) -> F,
    F: Future<Output = Result<(), Stop>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(PIECES);
    let writing = write(Sink(sender.clone()));
    tokio::spawn(async move {
        if let Err(Stop::Failed(error)) = writing.await {
            // The reader must not take a broken body for a whole one.
            let _ = sender.send(Err(error)).await;
        }
    });
    ReceiverStream::new(receiver).boxed()
}

/// A response with a streamed body, with its length where that is known or soon found. Faults at the very beginning are
/// still told as errors.
pub async fn response(mut pieces: ByteStream, length: Option<u64>) -> Result<Response<Body>, ObjectError> {
    if let Some(length) = length {
        let first = pieces.try_next().await?;
        let mut response = Response::new(after(first.unwrap_or_default(), pieces));
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        return Ok(response);
    }
    let mut start = BytesMut::new();
    while let Some(piece) = pieces.try_next().await? {
        start.extend_from_slice(&piece);
        if start.len() > MEASURED {
            return Ok(Response::new(after(start.freeze(), pieces)));
        }
    }
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(start.len()));
    *response.body_mut() = Body::from(start.freeze());
    Ok(response)
}

fn after(first: Bytes, rest: BoxStream<'static, Result<Bytes, ObjectError>>) -> Body {
    Body::from_stream(stream::iter([Ok(first)]).chain(rest).inspect_err(|error| {
        tracing::error!(error = %error, "a result could not be read to its end; the connection is closed");
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_short_body_has_its_length_and_a_long_one_streams() {
        let short = response(flow(|sink| async move { sink.send("abc").await }), None).await.unwrap();
        assert_eq!(short.headers()[header::CONTENT_LENGTH], "3");
        let long = flow(|sink| async move {
            for _ in 0..100 {
                sink.send(vec![0; 10_000]).await?;
            }
            Ok(())
        });
        let long = response(long, None).await.unwrap();
        assert!(!long.headers().contains_key(header::CONTENT_LENGTH));
        assert_eq!(axum::body::to_bytes(long.into_body(), usize::MAX).await.unwrap().len(), 1_000_000);
    }

    #[tokio::test]
    async fn a_broken_body_does_not_end_like_a_whole_one() {
        let broken = flow(|sink| async move {
            sink.send(vec![0; 1_000_000]).await?;
            Err(Stop::Failed(ObjectError::NoSpace))
        });
        let response = response(broken, Some(2_000_000)).await.unwrap();
        assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
    }

    #[tokio::test]
    async fn a_writer_waits_for_its_reader_and_ends_with_it() {
        let (told, mut hears) = mpsc::unbounded_channel();
        let pieces = flow(|sink| async move {
            loop {
                sink.send("x").await?;
                let _ = told.send(());
            }
        });
        tokio::task::yield_now().await;
        drop(pieces);
        let mut written = 0;
        while hears.recv().await.is_some() {
            written += 1;
        }
        assert!(written <= PIECES, "{written}");
    }
}
