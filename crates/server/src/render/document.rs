//! The results document (`results.yaml`): literals and arrays as they stand, objects and files as qualified values, what is
//! large or wanted by reference as links.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::TryStreamExt;
use rutter_core::{
    job::StoredValue,
    results::{ByteStream, ObjectError, Objects},
};
use rutter_types::Link;
use serde_json::{Value, json};

use super::{
    base64_stream::send_base64,
    flow::{Sink, Stop, flow},
    outputs::Output,
};

/// Values up to this size are looked at as a whole before they are written.
const LOOKED_AT: u64 = 1024 * 1024;

/// Which values stand in the document itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inline {
    /// All that are not wanted by reference.
    All,
    /// Those, while they are at most so many bytes together.
    UpTo(u64),
}

/// The document as a stream.
pub fn document(objects: Objects, outputs: Vec<Output>, inline: Inline) -> ByteStream {
    flow(|sink| async move {
        let mut writer = Writer { sink: &sink, objects: &objects, inline };
        for (at, output) in outputs.iter().enumerate() {
            let comma = if at == 0 { "{" } else { "," };
            sink.send(format!("{comma}{}:", json_text(output.id.as_str()))).await?;
            writer.output(output).await?;
        }
        sink.send(if outputs.is_empty() { "{}" } else { "}" }).await
    })
}

/// The values of one output as an array (`values.yaml`).
pub fn values(objects: Objects, output: Output, inline: Inline) -> ByteStream {
    flow(|sink| async move { Writer { sink: &sink, objects: &objects, inline }.array(&output).await })
}

/// One value as JSON: text becomes a string.
pub fn single(objects: Objects, value: StoredValue) -> ByteStream {
    flow(|sink| async move {
        Writer { sink: &sink, objects: &objects, inline: Inline::All }.content(&value, false).await
    })
}

struct Writer<'a> {
    sink: &'a Sink,
    objects: &'a Objects,
    inline: Inline,
}

impl Writer<'_> {
    async fn output(&mut self, output: &Output) -> Result<(), Stop> {
        match output.values.as_slice() {
            [value] if !output.is_many => self.value(output, value, 0).await,
            _ => self.array(output).await,
        }
    }

    async fn array(&mut self, output: &Output) -> Result<(), Stop> {
        for (index, value) in output.values.iter().enumerate() {
            self.sink.send(if index == 0 { "[" } else { "," }).await?;
            self.value(output, value, index).await?;
        }
        self.sink.send(if output.values.is_empty() { "[]" } else { "]" }).await
    }

    async fn value(&mut self, output: &Output, value: &StoredValue, index: usize) -> Result<(), Stop> {
        if output.by_reference || !self.fits(value) {
            return self.sink.send(link(output, value, index)).await;
        }
        self.content(value, output.as_base64).await
    }

    fn fits(&mut self, value: &StoredValue) -> bool {
        match &mut self.inline {
            Inline::All => true,
            Inline::UpTo(left) if value.size <= *left => {
                *left -= value.size;
                true
            }
            Inline::UpTo(_) => false,
        }
    }

    async fn content(&mut self, value: &StoredValue, as_base64: bool) -> Result<(), Stop> {
        let kind = if as_base64 { Kind::Binary } else { kind(&value.media_type) };
        if value.size > LOOKED_AT {
            return self.large(value, kind).await;
        }
        let bytes = self.objects.read_value(value, LOOKED_AT).await?;
        self.sink.send(small(&value.media_type, kind, &bytes)).await
    }

    async fn large(&mut self, value: &StoredValue, kind: Kind) -> Result<(), Stop> {
        if kind != Kind::Json || !is_json(self.objects.open_value(value, None).await?).await? {
            self.sink
                .send(format!("{{{}\"encoding\":\"base64\",\"value\":\"", media_type_member(value)))
                .await?;
            send_base64(self.sink, self.objects.open_value(value, None).await?).await?;
            return self.sink.send("\"}").await;
        }
        let start = self.objects.open_value(value, Some(0..value.size.min(4096))).await?;
        let start: Vec<Bytes> = start.try_collect().await?;
        let wrapped = start.concat().trim_ascii_start().first() == Some(&b'{');
        if wrapped {
            let media_type =
                if is_plain_json(&value.media_type) { String::new() } else { media_type_member(value) };
            self.sink.send(format!("{{{media_type}\"value\":")).await?;
        }
        self.sink.send_all(self.objects.open_value(value, None).await?).await?;
        if wrapped { self.sink.send("}").await } else { Ok(()) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Text,
    Binary,
}

fn kind(media_type: &str) -> Kind {
    let essence = essence(media_type);
    if essence == "application/json" || essence.ends_with("+json") {
        Kind::Json
    } else if essence.starts_with("text/") || essence.ends_with("+xml") || essence == "application/xml" {
        Kind::Text
    } else {
        Kind::Binary
    }
}

/// Whether values of this type are JSON.
pub(crate) fn is_json_type(media_type: &str) -> bool {
    kind(media_type) == Kind::Json
}

/// A media type without its parameters, in lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_plain_json(media_type: &str) -> bool {
    essence(media_type) == "application/json"
}

/// A value whose bytes are at hand. What is not what its type says still gives a right document.
fn small(media_type: &str, kind: Kind, bytes: &[u8]) -> Bytes {
    if kind == Kind::Json
        && let Ok(value) = serde_json::from_slice::<&serde_json::value::RawValue>(bytes)
    {
        return json_member(media_type, value.get()).into();
    }
    let text = std::str::from_utf8(bytes).ok().filter(|_| kind != Kind::Binary);
    match text {
        Some(text) if essence(media_type) == "text/plain" => json_text(text).into(),
        Some(text) => json!({ "mediaType": media_type, "value": text }).to_string().into(),
        None => json!({ "mediaType": media_type, "encoding": "base64", "value": STANDARD.encode(bytes) })
            .to_string()
            .into(),
    }
}

/// Objects are wrapped, or they would be taken for links, bounding boxes or qualified values; bounding boxes are not.
fn json_member(media_type: &str, text: &str) -> BytesMut {
    let mut member = BytesMut::with_capacity(text.len() + 64);
    if !text.starts_with('{') || is_bbox(text) {
        member.put_slice(text.as_bytes());
        return member;
    }
    member.put_slice(b"{");
    if !is_plain_json(media_type) {
        member.put_slice(format!("\"mediaType\":{},", json_text(media_type)).as_bytes());
    }
    member.put_slice(b"\"value\":");
    member.put_slice(text.as_bytes());
    member.put_slice(b"}");
    member
}

fn is_bbox(text: &str) -> bool {
    const LONGEST: usize = 2048;
    if text.len() > LONGEST {
        return false;
    }
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return false };
    let numbers = |value: &Value| {
        value.as_array().is_some_and(|it| matches!(it.len(), 4 | 6) && it.iter().all(Value::is_number))
    };
    members.get("bbox").is_some_and(numbers)
        && members.iter().all(|(name, value)| name == "bbox" || (name == "crs" && value.is_string()))
}

fn link(output: &Output, value: &StoredValue, index: usize) -> Bytes {
    let mut link = Link::new(output.value_href(index), rutter_types::rel::RESULTS, &value.media_type)
        .titled(&*value.name);
    link.length = Some(value.size);
    serde_json::to_vec(&link).unwrap_or_default().into()
}

fn media_type_member(value: &StoredValue) -> String {
    format!("\"mediaType\":{},", json_text(&value.media_type))
}

/// A text as a JSON string.
pub(crate) fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

/// Whether a stream is one JSON value; it is read once, in flat memory.
async fn is_json(mut pieces: ByteStream) -> Result<bool, ObjectError> {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(2);
    let reading = tokio::task::spawn_blocking(move || {
        let reader = PieceReader { receiver, piece: Bytes::new() };
        serde_json::from_reader::<_, serde::de::IgnoredAny>(std::io::BufReader::new(reader)).is_ok()
    });
    while let Some(piece) = pieces.try_next().await? {
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    Ok(reading.await.unwrap_or(false))
}

struct PieceReader {
    receiver: tokio::sync::mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl std::io::Read for PieceReader {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = into.len().min(self.piece.len());
        into[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use rutter_core::job::Place;

    use super::*;

    pub(crate) fn inline(media_type: &str, name: &str, bytes: &[u8]) -> StoredValue {
        StoredValue {
            media_type: media_type.into(),
            name: name.into(),
            size: bytes.len() as u64,
            sha256: "00".into(),
            place: Place::Inline(STANDARD.encode(bytes)),
        }
    }

    pub(crate) fn output(id: &str, values: Vec<StoredValue>) -> Output {
        Output {
            id: id.parse().unwrap(),
            is_many: values.len() != 1,
            values,
            by_reference: false,
            as_base64: false,
            href: format!("http://x/results/{id}"),
        }
    }

    pub(crate) fn objects() -> Objects {
        Objects::new(Arc::new(object_store::memory::InMemory::new()))
    }

    pub(crate) async fn text(pieces: ByteStream) -> String {
        let pieces: Vec<Bytes> = pieces.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    async fn made(outputs: Vec<Output>, inline: Inline) -> Value {
        serde_json::from_str(&text(document(objects(), outputs, inline)).await).unwrap()
    }

    #[tokio::test]
    async fn every_kind_of_value_has_its_form() {
        let outputs = vec![
            output("number", vec![inline("application/json", "n", b"42\n")]),
            output("list", vec![inline("application/json", "l", b" [1, 2]")]),
            output("object", vec![inline("application/json", "o", br#"{"href":"x"}"#)]),
            output("geo", vec![inline("application/geo+json", "g", br#"{"type":"Point"}"#)]),
            output("box", vec![inline("application/json", "b", br#"{"bbox":[1,2,3,4],"crs":"http://x"}"#)]),
            output("text", vec![inline("text/plain", "t", "ä\"\n".as_bytes())]),
            output("csv", vec![inline("text/csv", "c", b"a,b")]),
            output("latin", vec![inline("text/plain", "t", b"\xe4")]),
            output("lie", vec![inline("application/json", "x", b"{broken")]),
            output("tiff", vec![inline("image/tiff", "t", b"II*\0")]),
            output("many", vec![inline("application/json", "1", b"1"), inline("image/png", "2", b"png")]),
        ];
        let expected = json!({
            "number": 42,
            "list": [1, 2],
            "object": {"value": {"href": "x"}},
            "geo": {"mediaType": "application/geo+json", "value": {"type": "Point"}},
            "box": {"bbox": [1, 2, 3, 4], "crs": "http://x"},
            "text": "ä\"\n",
            "csv": {"mediaType": "text/csv", "value": "a,b"},
            "latin": {"mediaType": "text/plain", "encoding": "base64", "value": "5A=="},
            "lie": {"mediaType": "application/json", "value": "{broken"},
            "tiff": {"mediaType": "image/tiff", "encoding": "base64", "value": "SUkqAA=="},
            "many": [1, {"mediaType": "image/png", "encoding": "base64", "value": "cG5n"}],
        });
        assert_eq!(made(outputs, Inline::All).await, expected);
        assert_eq!(made(vec![], Inline::All).await, json!({}));
    }

    #[tokio::test]
    async fn what_does_not_fit_or_is_wanted_so_is_a_link() {
        let mut by_reference = output("r", vec![inline("text/plain", "r.txt", b"x")]);
        by_reference.by_reference = true;
        let many =
            output("m", vec![inline("text/plain", "a", b"12345"), inline("text/plain", "b", b"123456")]);
        let made = made(vec![by_reference, many], Inline::UpTo(10)).await;
        assert_eq!(made["r"]["href"], "http://x/results/r");
        assert_eq!(made["r"]["type"], "text/plain");
        assert_eq!(made["m"][0], "12345");
        assert_eq!(made["m"][1]["href"], "http://x/results/m/1");
    }

    #[tokio::test]
    async fn large_values_are_streamed_in_the_same_forms() {
        let list = format!("  [{}1]", "1,".repeat(LOOKED_AT as usize));
        let object = format!("{{\"a\":\"{}\"}}", "x".repeat(LOOKED_AT as usize));
        let lie = "[".repeat(LOOKED_AT as usize + 1);
        let made = made(
            vec![
                output("list", vec![inline("application/json", "l", list.as_bytes())]),
                output("object", vec![inline("application/json", "o", object.as_bytes())]),
                output("lie", vec![inline("application/json", "x", lie.as_bytes())]),
                output("text", vec![inline("text/plain", "t", lie.as_bytes())]),
            ],
            Inline::All,
        )
        .await;
        assert_eq!(made["list"].as_array().unwrap().len(), LOOKED_AT as usize + 1);
        assert_eq!(made["object"]["value"]["a"].as_str().unwrap().len(), LOOKED_AT as usize);
        for id in ["lie", "text"] {
            assert_eq!(STANDARD.decode(made[id]["value"].as_str().unwrap()).unwrap(), lie.as_bytes(), "{id}");
        }
    }
}
