//! The first JSON value of a text, wherever it ends.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use serde::de::IgnoredAny;

/// Whether a text begins as a JSON value that is worth one.
pub(crate) fn begins(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
}

/// Where the first JSON value of a file stands: its first byte, and the byte behind it. `None` = there is none.
pub(crate) fn first(file: &mut File) -> io::Result<Option<(u64, u64)>> {
    let start = white_space(file)?;
    file.seek(SeekFrom::Start(start))?;
    let mut values = serde_json::Deserializer::from_reader(BufReader::new(file)).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(Some((start, start + values.byte_offset() as u64))),
        Some(Err(error)) if error.is_io() => Err(error.into()),
        Some(Err(_)) | None => Ok(None),
    }
}

/// Bytes of white space at the beginning.
fn white_space(file: &mut File) -> io::Result<u64> {
    file.seek(SeekFrom::Start(0))?;
    let mut count = 0;
    for byte in BufReader::new(file).bytes() {
        if !byte?.is_ascii_whitespace() {
            break;
        }
        count += 1;
    }
    Ok(count)
}
