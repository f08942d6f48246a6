//! Guesses what a command's arguments are: program, flags, values that callers may choose, files.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use serde_json::{Number, Value};

/// Larger files are not copied: they become inputs that must be given.
const COPY_LIMIT: u64 = 100_000_000;

/// A command understood.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) items: Vec<Item>,
    pub(super) inputs: Vec<Input>,
    pub(super) copies: Vec<Copy>,
}

/// An item of the package's command.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    /// As it stands.
    Text(String),
    /// A flag and the input that is its value: `--level 3`.
    Pair(String, String),
    /// A flag with its value in one word: `--level=3`.
    Glued(String, String),
}

/// A value that callers may choose.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) id: String,
    pub(super) kind: InputKind,
}

#[derive(Debug, PartialEq)]
pub(super) enum InputKind {
    Number(Number),
    Boolean(bool),
    Text(String),
    /// A file: its media type, and where it is in the package.
    File(&'static str, Option<String>),
}

/// A file that goes into the package.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) from: PathBuf,
    /// Relative to the package's folder.
    pub(super) to: PathBuf,
}

/// Understand a command typed in a folder. `name` is the package's folder there.
pub(super) fn guess(command: &[String], here: &Path, name: &str) -> anyhow::Result<Guess> {
    let mut guess = Guess::default();
    let mut words = command.iter().peekable();
    let Some(program) = words.next() else { bail!("the command is empty: write it after `--`") };
    let mut code_flag = rutter_core::process::code_flag(program);
    if program.contains('/') && !program.starts_with('/') {
        must_be_there(program, here)?;
    }
    let program = guess.program(program, here, name);
    guess.items.push(Item::Text(program));
    while let Some(word) = words.next() {
        // The code of an interpreter is nothing that callers may choose.
        if code_flag.is_some_and(|letter| is_flag(word) && word.ends_with(letter)) {
            code_flag = None;
            guess.items.push(Item::Text(escaped(word)));
            guess.items.extend(words.next().map(|code| Item::Text(escaped(code))));
            continue;
        }
        if code_flag.is_some() && is_script(word) {
            must_be_there(word, here)?;
        }
        code_flag = code_flag.filter(|_| is_flag(word));
        if let Some((flag, value)) = word.split_once('=').filter(|(flag, _)| is_flag(flag)) {
            let id = guess.input(flag, value, here, name);
            guess.items.push(Item::Glued(format!("{flag}="), id));
            continue;
        }
        let value = words.next_if(|next| is_flag(word) && !is_flag(next));
        match value {
            Some(value) => {
                let id = guess.input(word, value, here, name);
                guess.items.push(Item::Pair(word.clone(), id));
            }
            None => {
                let word = guess.constant(word, here, name);
                guess.items.push(Item::Text(word));
            }
        }
    }
    Ok(guess)
}

/// Whether an interpreter's word looks like the file that it is to run.
fn is_script(word: &str) -> bool {
    const ENDINGS: [&str; 9] = ["py", "sh", "r", "jl", "pl", "js", "rb", "lua", "m"];
    let ending = Path::new(word).extension().and_then(|it| it.to_str()).unwrap_or_default();
    !is_flag(word) && ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

/// Without it the package would be right, and every job fail.
fn must_be_there(word: &str, here: &Path) -> anyhow::Result<()> {
    if here.join(word).exists() {
        return Ok(());
    }
    bail!("there is no file {word:?} in {}: write its path as it is from there", here.display())
}

/// `-5` is a number.
fn is_flag(word: &str) -> bool {
    word.starts_with('-') && word.len() > 1 && word.parse::<f64>().is_err()
}

impl Guess {
    /// A program in a folder is one of the package; any other is looked for in PATH.
    fn program(&mut self, word: &str, here: &Path, name: &str) -> String {
        if !word.contains('/') || word.starts_with('/') {
            return escaped(word);
        }
        match self.take(word, here, name, "") {
            Some(path) => format!("./{}", escaped(&path)),
            None => escaped(word),
        }
    }

    /// A script goes with the package.
    fn constant(&mut self, word: &str, here: &Path, name: &str) -> String {
        match self.take(word, here, name, "") {
            Some(path) => format!("$(package)/{}", escaped(&path)),
            None => escaped(word),
        }
    }

    fn input(&mut self, flag: &str, value: &str, here: &Path, name: &str) -> String {
        let id = self.free_id(flag);
        let kind = self.kind(value, here, name);
        self.inputs.push(Input { id: id.clone(), kind });
        id
    }

    fn kind(&mut self, value: &str, here: &Path, name: &str) -> InputKind {
        if let Ok(number) = serde_json::from_str::<Number>(value) {
            return InputKind::Number(number);
        }
        if let Ok(Value::Bool(it)) = serde_json::from_str(value) {
            return InputKind::Boolean(it);
        }
        if is_file(&here.join(value)) {
            return InputKind::File(media_type(value), self.take(value, here, name, "data"));
        }
        InputKind::Text(value.to_owned())
    }

    /// Path in the package of a file that is there, or is copied there.
    fn take(&mut self, word: &str, here: &Path, name: &str, into: &str) -> Option<String> {
        let from = here.join(word);
        let meta = from.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let inside: Option<PathBuf> =
            plain(word).and_then(|path| path.strip_prefix(name).map(Path::to_owned).ok());
        if let Some(inside) = inside {
            return inside.to_str().map(ToOwned::to_owned);
        }
        if meta.len() > COPY_LIMIT || word.starts_with("/usr/") || word.starts_with("/bin/") {
            return None;
        }
        let to = Path::new(into).join(from.file_name()?);
        let text = to.to_str()?.to_owned();
        self.copies.push(Copy { from, to });
        Some(text)
    }

    fn free_id(&self, flag: &str) -> String {
        let name: String = flag
            .chars()
            .skip_while(|c| !c.is_ascii_alphanumeric())
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .take(60)
            .collect();
        let name = if name.is_empty() { "value".to_owned() } else { name };
        let taken = |id: &str| self.inputs.iter().any(|input| input.id == id);
        if !taken(&name) {
            return name;
        }
        (2..).map(|number| format!("{name}_{number}")).find(|id| !taken(id)).unwrap_or(name)
    }
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file())
}

/// A path without `.`; `None` when it goes upwards or starts at the root.
fn plain(word: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in Path::new(word).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(path)
}

/// `$(` in what was typed is text.
pub(super) fn escaped(word: &str) -> String {
    word.replace("$(", "$$(")
}

fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match extension.as_str() {
        "tif" | "tiff" => "image/tiff; application=geotiff",
        "csv" => "text/csv",
        "txt" | "log" | "dat" => "text/plain",
        "json" => "application/json",
        "geojson" => "application/geo+json",
        "nc" | "nc4" => "application/netcdf",
        "gpkg" => "application/geopackage+sqlite3",
        "zip" => "application/zip",
        "xml" | "gml" => "application/xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/octet-stream",
    }
}
