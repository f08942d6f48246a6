//! `multipart/related` (RFC 2387): one part for each value, named by its `Content-ID` (Part 1, 1.0, table 11).

use rutter_core::{
    job::StoredValue,
    results::{ByteStream, Objects, hex},
};
use sha2::{Digest, Sha256};

use super::{
    disposition::{content_disposition, content_type},
    flow::flow,
    outputs::Output,
};

/// A multipart answer, ready to be sent.
pub(crate) struct Multipart {
    /// `Content-Type` with its boundary.
    pub content_type: String,
    /// Bytes of the whole.
    pub length: u64,
    parts: Vec<Part>,
    end: String,
}

struct Part {
    head: String,
    value: Option<StoredValue>,
}

impl Multipart {
    /// Of these outputs; those by reference give parts that are empty but for their `Content-Location`.
    pub(crate) fn of(outputs: &[Output]) -> Self {
        let boundary = boundary(outputs);
        let mut parts = Vec::new();
        for output in outputs {
            for (index, value) in output.values.iter().enumerate() {
                let start = if parts.is_empty() { "" } else { "\r\n" };
                let head = format!("{start}--{boundary}\r\n{}\r\n", part_headers(output, value, index));
                parts.push(Part { head, value: (!output.by_reference).then(|| value.clone()) });
            }
        }
        let end = format!("{}--{boundary}--\r\n", if parts.is_empty() { "" } else { "\r\n" });
        let first = outputs.iter().flat_map(|output| &output.values).next();
        let media_type =
            first.map_or("text/plain", |value| value.media_type.as_str()).replace(['"', '\\'], "");
        let bytes = |part: &Part| part.head.len() as u64 + part.value.as_ref().map_or(0, |value| value.size);
        Self {
            content_type: format!("multipart/related; boundary={boundary}; type=\"{media_type}\""),
            length: parts.iter().map(bytes).sum::<u64>() + end.len() as u64,
            parts,
            end,
        }
    }

    /// Its bytes.
    pub(crate) fn stream(self, objects: Objects) -> ByteStream {
        flow(|sink| async move {
            for part in self.parts {
                sink.send(part.head).await?;
                if let Some(value) = part.value {
                    sink.send_all(objects.open_value(&value, None).await?).await?;
                }
            }
            sink.send(self.end).await
        })
    }
}

/// Depends on the digests of the values, so that no value can contain it, and is the same each time.
fn boundary(outputs: &[Output]) -> String {
    let mut digest = Sha256::new();
    for value in outputs.iter().flat_map(|output| &output.values) {
        digest.update(&value.sha256);
    }
    format!("rutter-{}", &hex(&digest.finalize())[..40])
}

fn part_headers(output: &Output, value: &StoredValue, index: usize) -> String {
    use std::fmt::Write;
    let text = |header: http::HeaderValue| header.to_str().unwrap_or_default().to_owned();
    // The way text parts are read by the official suite: `text/plain` as it stands.
    let mut headers = format!("Content-Type: {}\r\n", text(content_type(&value.media_type)));
    let number = if output.is_many { format!("/{index}") } else { String::new() };
    let _ = write!(headers, "Content-ID: <{}{number}>\r\n", output.id);
    let _ = write!(headers, "Content-Location: {}\r\n", output.value_href(index));
    if !output.by_reference {
        let _ = write!(headers, "Content-Disposition: {}\r\n", text(content_disposition(&value.name)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::{
        super::document::tests::{inline, objects, output, text},
        *,
    };

    #[tokio::test]
    async fn every_value_is_a_part_and_the_length_is_told() {
        let mut reference = output("r", vec![inline("image/tiff", "r.tif", b"secret")]);
        reference.by_reference = true;
        let outputs = vec![
            output("a", vec![inline("text/plain", "a\r\nX: y.txt", b"teststring")]),
            reference,
            output("m", vec![inline("application/json", "1", b"1"), inline("application/json", "2", b"2")]),
        ];
        let multipart = Multipart::of(&outputs);
        let (kind, length) = (multipart.content_type.clone(), multipart.length);
        let body = text(multipart.stream(objects())).await;
        assert_eq!(body.len() as u64, length);
        let boundary = kind.split("boundary=").nth(1).unwrap().split(';').next().unwrap();
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 6, "{body}");
        assert_eq!(parts[5], "--\r\n");
        assert!(
            parts[1].contains("Content-Type: text/plain") && parts[1].ends_with("\r\n\r\nteststring\r\n")
        );
        assert!(!parts[1].contains("\nX: y"), "a file name is no header");
        assert!(parts[2].contains("Content-ID: <r>\r\nContent-Location: http://x/results/r\r\n\r\n\r\n"));
        assert!(parts[4].contains("Content-ID: <m/1>"));
        assert!(!body.contains("secret"));
    }
}
