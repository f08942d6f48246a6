//! Results among what a program prints, for programs that leave no files: what stands behind the older managers' markers, or
//! all of it.
//!
//! The agent asks this of the program that it runs, the server of a program that runs without an agent: so an image gives the
//! same results both ways. What was printed may be large: it stands in files, and so do the values.

mod json;
mod lines;
mod markers;
mod spool;
mod values;

use std::{
    io,
    path::{Path, PathBuf},
};

use lines::Lines;
pub use lines::Stream;
use markers::{Found, Markers};
use rutter_types::agent::{Find, OutputWanted};
use spool::Spool;
pub use values::{Source, Value, is_json};

/// What a program prints, as it comes.
#[derive(Debug)]
pub struct Printed {
    lines: Lines,
    kept: Kept,
}

/// What of it may become a value.
#[derive(Debug)]
struct Kept {
    /// All of it; not needed any more once a value began, unless an output is standard output itself.
    whole: Option<Spool>,
    is_whole_wanted: bool,
    /// What came behind the last marker.
    value: Spool,
    /// What came behind the one before, if anything did.
    before: Option<Spool>,
    folder: PathBuf,
    most: u64,
    starts: u32,
    markers: Markers,
}

impl Printed {
    /// Keeps in files of `folder`, which must be there; `most` = most bytes of a value.
    ///
    /// # Errors
    /// The files can't be made.
    pub fn new(folder: &Path, wanted: &[OutputWanted], most: u64) -> io::Result<Self> {
        let kept = Kept {
            whole: Some(Spool::create(folder.join("printed"), most)?),
            is_whole_wanted: wanted.iter().any(|output| output.find == Find::Stdout),
            value: Spool::create(folder.join("marked-0"), most)?,
            before: None,
            folder: folder.to_owned(),
            most,
            starts: 0,
            markers: Markers::default(),
        };
        Ok(Self { lines: Lines::default(), kept })
    }

    /// Takes bytes as they come out of a stream.
    ///
    /// # Errors
    /// They can't be kept.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.lines.push(stream, bytes, &mut self.kept)
    }

    /// Takes a result that was found among what was printed before, by somebody who kept nothing else of it.
    ///
    /// # Errors
    /// It can't be kept.
    pub fn push_found(&mut self, media_type: Option<&str>, text: &[u8]) -> io::Result<()> {
        if let Some(media_type) = media_type {
            self.push(Stream::Out, &[markers::MEDIA_TYPE, b":", media_type.as_bytes(), b"\n"].concat())?;
        }
        self.push(Stream::Out, &[markers::START, b"\n", text].concat())
    }

    /// The values of the outputs wanted, when the program has ended well. `last_word` = a text that the executor has of its
    /// end, which counts where there is no marker.
    ///
    /// # Errors
    /// The program broke its word, or nothing can be read.
    pub fn values(
        mut self,
        wanted: &[OutputWanted],
        last_word: Option<&str>,
    ) -> io::Result<Result<Vec<Value>, rutter_types::agent::Outcome>> {
        self.lines.finish(&mut self.kept)?;
        values::of(wanted, last_word, self.kept)
    }
}

impl Kept {
    /// Another value begins; the one before counts until something of this one is there.
    fn begin(&mut self, had_text: bool) -> io::Result<()> {
        if !self.is_whole_wanted {
            self.whole = None;
        }
        if !had_text {
            return self.value.clear();
        }
        self.starts += 1;
        let next = Spool::create(self.folder.join(format!("marked-{}", self.starts)), self.most)?;
        self.before = Some(std::mem::replace(&mut self.value, next));
        Ok(())
    }
}

impl lines::Take for Kept {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(whole) = &mut self.whole {
            whole.line(line)?;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let had_text = self.markers.has_text();
        match self.markers.line(line) {
            Found::Nothing if self.markers.is_started() => self.value.line(line),
            Found::Nothing | Found::MediaType => Ok(()),
            Found::Start(rest) => {
                let text = rest.trim_ascii_end().to_vec();
                self.begin(had_text)?;
                if json::begins(&text) { self.value.line(&text) } else { Ok(()) }
            }
        }
    }

    fn long(&mut self, part: &[u8]) -> io::Result<()> {
        if let Some(whole) = &mut self.whole {
            whole.write(part)?;
        }
        let had_text = self.markers.has_text();
        match self.markers.line(part) {
            Found::Nothing if self.markers.is_started() => self.value.write(part),
            Found::Nothing | Found::MediaType => Ok(()),
            Found::Start(rest) => {
                let text = rest.to_vec();
                self.begin(had_text)?;
                if json::begins(&text) { self.value.write(&text) } else { Ok(()) }
            }
        }
    }

    fn part(&mut self, part: &[u8]) -> io::Result<()> {
        if let Some(whole) = &mut self.whole {
            whole.write(part)?;
        }
        if self.markers.is_started() { self.value.write(part) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
