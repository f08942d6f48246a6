//! Base64 on the fly, for binary values inside JSON documents.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::BytesMut;
use futures_util::TryStreamExt;
use rutter_core::results::ByteStream;

use super::flow::{Sink, Stop};

/// Write a stream's bytes as base64 with padding.
pub(crate) async fn send_base64(sink: &Sink, mut pieces: ByteStream) -> Result<(), Stop> {
    let mut kept = BytesMut::new();
    while let Some(piece) = pieces.try_next().await? {
        kept.extend_from_slice(&piece);
        let whole = kept.len() / 3 * 3;
        if whole > 0 {
            sink.send(STANDARD.encode(kept.split_to(whole))).await?;
        }
    }
    if kept.is_empty() { Ok(()) } else { sink.send(STANDARD.encode(kept)).await }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};

    use super::{super::flow::flow, *};

    #[tokio::test]
    async fn pieces_of_any_size_give_the_same_text() {
        let all: Vec<u8> = (0..=255).collect();
        for size in [1, 2, 3, 4, 100, 256] {
            let pieces: Vec<_> = all.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let text: Vec<Bytes> =
                flow(|sink| async move { send_base64(&sink, stream::iter(pieces).boxed()).await })
                    .try_collect()
                    .await
                    .unwrap();
            assert_eq!(text.concat(), STANDARD.encode(&all).into_bytes(), "{size}");
        }
    }
}
