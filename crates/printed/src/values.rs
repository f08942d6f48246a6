//! Outputs of a program: from markers in what it printed, from its last word, or all that it printed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use rutter_types::{
    JsonMap,
    agent::{Find, Outcome, OutputWanted},
};

use crate::{Kept, json, spool::Spool};

/// A value of an output.
#[derive(Debug, PartialEq, Eq)]
pub struct Value {
    /// Output id.
    pub output: String,
    /// Media type.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// Where they are.
    pub source: Source,
}

/// Where the bytes of a value are.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// In a file of the folder that was given.
    File(PathBuf),
    /// Here: short, or a member of a larger value.
    Bytes(Vec<u8>),
}

/// Whether a media type is one of JSON.
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// What stands for a value before it is known which output it is of.
struct Text {
    spool: Spool,
    /// As the program says it.
    media_type: Option<String>,
}

pub(crate) fn of(
    wanted: &[OutputWanted],
    last_word: Option<&str>,
    kept: Kept,
) -> io::Result<Result<Vec<Value>, Outcome>> {
    let Kept { mut whole, value, before, markers, .. } = kept;
    let value = if markers.has_text() { value } else { before.unwrap_or(value) };
    let marked = match (markers.media_type(), last_word.map(str::trim).filter(|word| !word.is_empty())) {
        (Some(media_type), _) => Some(Text { spool: value, media_type: media_type.map(str::to_owned) }),
        (None, Some(word)) => Some(of_word(value, word)?),
        (None, None) => None,
    };
    let (printed, named): (Vec<_>, Vec<_>) = wanted.iter().partition(|it| it.find == Find::Stdout);
    let mut values = Vec::new();
    for output in printed {
        match all(output, &mut whole)? {
            Ok(value) => values.push(value),
            Err(outcome) => return Ok(Err(outcome)),
        }
    }
    let more = match (named.as_slice(), marked) {
        ([], _) => Ok(Vec::new()),
        ([output], Some(marked)) => one(output, marked)?.map(|value| vec![value]),
        ([output], None) => all(output, &mut whole)?.map(|value| vec![value]),
        (several, marked) => split(several, marked)?,
    };
    Ok(more.map(|more| {
        values.extend(more);
        values
    }))
}

fn of_word(mut spool: Spool, word: &str) -> io::Result<Text> {
    spool.clear()?;
    spool.write(word.as_bytes())?;
    Ok(Text { spool, media_type: None })
}

/// All that was printed, which may be the value of more than one output.
fn all(wanted: &OutputWanted, whole: &mut Option<Spool>) -> io::Result<Result<Value, Outcome>> {
    let Some(spool) = whole.as_mut().filter(|whole| !whole.is_cut()) else {
        return Ok(Err(Outcome::OutputLimit { output: wanted.id.clone() }));
    };
    let due = wanted.media_type.as_deref();
    // Where JSON is due, and JSON it is, it is not called a text.
    let media_type = match due.filter(|named| is_json(named)) {
        Some(json) if is_all_json(&mut spool.read()?)? => json,
        Some(_) => "text/plain",
        None => due.unwrap_or("text/plain"),
    };
    value(wanted, media_type, spool.twin()?).map(Ok)
}

fn is_all_json(file: &mut File) -> io::Result<bool> {
    let Some((start, end)) = json::first(file)? else { return Ok(false) };
    file.seek(SeekFrom::Start(0))?;
    let before = is_blank(BufReader::new(&mut *file).take(start))?;
    file.seek(SeekFrom::Start(end))?;
    Ok(before && is_blank(BufReader::new(file))?)
}

fn is_blank(text: impl BufRead) -> io::Result<bool> {
    for byte in text.bytes() {
        if !byte?.is_ascii_whitespace() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The value of the only output.
fn one(wanted: &OutputWanted, marked: Text) -> io::Result<Result<Value, Outcome>> {
    let Text { mut spool, media_type } = marked;
    if spool.is_cut() {
        return Ok(Err(Outcome::OutputLimit { output: wanted.id.clone() }));
    }
    let due = media_type.or_else(|| wanted.media_type.clone());
    if let Some(text) = due.as_deref().filter(|due| !is_json(due)) {
        return value(wanted, text, spool).map(Ok);
    }
    match (json::first(&mut spool.read()?)?, due) {
        (Some(place), due) => {
            value(wanted, due.as_deref().unwrap_or("application/json"), only(spool, place)?).map(Ok)
        }
        (None, None) => value(wanted, "text/plain", spool).map(Ok),
        (None, Some(due)) => Ok(Err(Outcome::OutputUnusable {
            output: wanted.id.clone(),
            reason: format!("is said to be {due}, and what the program printed is not"),
        })),
    }
}

/// The text between two places.
fn only(mut spool: Spool, (start, end): (u64, u64)) -> io::Result<Spool> {
    let mut file = spool.read()?;
    file.seek(SeekFrom::Start(start))?;
    let mut part = Spool::create(spool.path().with_extension("json"), u64::MAX)?;
    let mut reader = file.take(end - start);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(part),
            length => part.write(&buffer[..length])?,
        }
    }
}

/// Longest object that is taken apart: it is held in memory for that.
const LONGEST_OBJECT: u64 = 16 << 20;

/// Several outputs are the members of one object. One that has none of them is the value of the first.
fn split(wanted: &[&OutputWanted], marked: Option<Text>) -> io::Result<Result<Vec<Value>, Outcome>> {
    let mut members = JsonMap::new();
    if let (Some(Text { mut spool, .. }), Some(first)) = (marked, wanted.first()) {
        if spool.is_cut() {
            return Ok(Err(Outcome::OutputLimit { output: first.id.clone() }));
        }
        let mut file = spool.read()?;
        if let Some((start, end)) = json::first(&mut file)? {
            if end - start > LONGEST_OBJECT {
                return Ok(Err(Outcome::OutputLimit { output: first.id.clone() }));
            }
            file.seek(SeekFrom::Start(start))?;
            members = serde_json::from_reader(BufReader::new(file.take(end - start))).unwrap_or_default();
            let has_any = wanted.iter().any(|output| members.contains_key(&output.id));
            if !has_any && wanted.iter().all(|output| !output.required) {
                let whole = value(first, "application/json", only(spool, (start, end))?)?;
                return Ok(Ok(vec![whole]));
            }
        }
    }
    let is_missing = |wanted: &&&OutputWanted| wanted.required && !members.contains_key(&wanted.id);
    let missing: Vec<String> = wanted.iter().filter(is_missing).map(|wanted| wanted.id.clone()).collect();
    if !missing.is_empty() {
        return Ok(Err(Outcome::OutputMissing { outputs: missing }));
    }
    let member = |wanted: &&OutputWanted| {
        let found = members.get(&wanted.id)?;
        let named = wanted.media_type.as_deref().unwrap_or("application/json");
        Some(match found.as_str() {
            Some(text) if !is_json(named) => short(wanted, named, text.as_bytes().to_vec()),
            _ => short(wanted, "application/json", found.to_string().into_bytes()),
        })
    };
    Ok(Ok(wanted.iter().filter_map(member).collect()))
}

fn value(wanted: &OutputWanted, media_type: &str, spool: Spool) -> io::Result<Value> {
    let (path, size) = spool.take()?;
    let source = Source::File(path);
    Ok(Value { output: wanted.id.clone(), media_type: media_type.to_owned(), size, source })
}

fn short(wanted: &OutputWanted, media_type: &str, bytes: Vec<u8>) -> Value {
    Value {
        output: wanted.id.clone(),
        media_type: media_type.to_owned(),
        size: bytes.len() as u64,
        source: Source::Bytes(bytes),
    }
}

impl Value {
    /// Writes the bytes.
    ///
    /// # Errors
    /// They can't be read or written.
    pub fn write(&self, to: &mut impl Write) -> io::Result<u64> {
        match &self.source {
            Source::Bytes(bytes) => to.write_all(bytes).map(|()| self.size),
            Source::File(path) => io::copy(&mut File::open(path)?, to),
        }
    }
}
