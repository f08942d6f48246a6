//! The first JSON value of a text, wherever it ends.
//!
//! Two streams have no order but that in which they are read, so words of the one may stand before a value of the other: then
//! the value begins with a later line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
};

use serde::de::IgnoredAny;

/// Most lines that are tried.
const TRIES: usize = 64;

/// Whether a text begins as a JSON value that is worth one.
pub(crate) fn begins(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'{' | b'[' | b'"'))
}

/// Where the first JSON value of a file stands: its first byte, and the byte behind it. `None` = there is none.
pub(crate) fn first(file: &mut File) -> io::Result<Option<(u64, u64)>> {
    for (try_number, start) in line_starts(file)?.into_iter().enumerate() {
        file.seek(SeekFrom::Start(start.at))?;
        // Any value may stand first, a word that is none too; later only what can't be meant otherwise.
        if try_number > 0 && !start.begins {
            continue;
        }
        let mut values =
            serde_json::Deserializer::from_reader(BufReader::new(&mut *file)).into_iter::<IgnoredAny>();
        match values.next() {
            Some(Ok(_)) => return Ok(Some((start.at, start.at + values.byte_offset() as u64))),
            Some(Err(error)) if error.is_io() => return Err(error.into()),
            Some(Err(_)) | None => {}
        }
    }
    Ok(None)
}

/// The first byte of a line that is no white space.
struct Start {
    at: u64,
    begins: bool,
}

/// Of the first line with something in it, and of later ones that begin as a value does.
fn line_starts(file: &mut File) -> io::Result<Vec<Start>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file);
    let (mut starts, mut at, mut is_fresh) = (Vec::new(), 0, true);
    while starts.len() < TRIES {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        for (offset, byte) in piece.iter().enumerate() {
            if *byte == b'\n' {
                is_fresh = true;
            } else if is_fresh && !byte.is_ascii_whitespace() {
                is_fresh = false;
                let begins = begins(&piece[offset..]);
                if starts.is_empty() || (begins && starts.len() < TRIES) {
                    starts.push(Start { at: at + offset as u64, begins });
                }
            }
        }
        let length = piece.len();
        at += length as u64;
        reader.consume(length);
    }
    Ok(starts)
}
