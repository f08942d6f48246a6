//! All results as one `application/zip`: a folder for each output.

use jiff::Timestamp;
use rutter_core::results::{ByteStream, Objects};

use super::{
    flow::flow,
    outputs::Output,
    zip_stream::{Entry, ZipWriter, length},
};

/// The archive and its length; its files carry `time`.
pub(crate) fn archive(objects: Objects, outputs: Vec<Output>, time: Timestamp) -> (ByteStream, u64) {
    let mut files = Vec::new();
    for output in outputs {
        for (index, value) in output.values.iter().enumerate() {
            let number = if output.values.len() > 1 { format!("{index}-") } else { String::new() };
            let name = format!("{}/{number}{}", output.id, safe_name(&value.name));
            files.push((Entry { name, size: value.size }, value.clone()));
        }
    }
    let entries: Vec<Entry> = files.iter().map(|(entry, _)| entry.clone()).collect();
    let pieces = flow(|sink| async move {
        let mut zip = ZipWriter::new(&sink, time);
        for (entry, value) in &files {
            zip.add(entry, objects.open_value(value, None).await?).await?;
        }
        zip.finish().await
    });
    (pieces, length(&entries))
}

/// One path component that no unpacker can be led astray with.
fn safe_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(200)
        .map(|c| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c })
        .collect();
    match safe.trim_matches(['.', ' ']) {
        "" => "result".into(),
        trimmed => trimmed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder() {
        for (name, safe) in [
            ("depth.tif", "depth.tif"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..", "result"),
            ("a\nb\0", "a_b_"),
            ("C:\\x", "C__x"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
    }
}
