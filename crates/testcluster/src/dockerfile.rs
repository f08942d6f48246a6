//! Dockerfiles that only put files together are built without an engine, so that what is tested is what is shipped.

use std::{fs, path::Path};

use crate::{
    Image,
    error::{Error, io},
};

/// Mode of what is copied without `--chmod`: engines keep that of the build's folder, which vary with the umask.
const MODE: u32 = 0o755;

impl Image {
    /// The image that an engine would make of this file and the build's folder. It starts `FROM scratch` and runs nothing.
    pub fn dockerfile(name: &str, file: &Path, context: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(io(format!("read {}", file.display())))?;
        let mut image = Self::scratch(name);
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            image = image.instruction(line, context).ok_or_else(|| Error::Instruction {
                file: file.into(),
                line: number,
                text: line.into(),
            })?;
        }
        Ok(image)
    }

    fn instruction(self, line: &str, context: &Path) -> Option<Self> {
        let (word, rest) = line.split_once(' ')?;
        Some(match word {
            "FROM" if rest == "scratch" => self,
            "COPY" => self.copy(rest, context)?,
            "ADD" => self.unpack(context.join(rest.strip_suffix(" /").filter(|it| it.ends_with(".tar"))?)),
            "USER" => self.user(rest),
            "WORKDIR" => self.workdir(rest),
            // A note for people.
            "EXPOSE" => self,
            "ENTRYPOINT" => self.entrypoint(serde_json::from_str::<Vec<String>>(rest).ok()?),
            "CMD" => self.command(serde_json::from_str::<Vec<String>>(rest).ok()?),
            _ => return None,
        })
    }

    /// `[--chmod=MODE] FROM TO`, of one file or an empty folder.
    fn copy(self, words: &str, context: &Path) -> Option<Self> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let (mode, from, to) = match words[..] {
            [from, to] => (None, from, to),
            [flag, from, to] => {
                let mode = flag.strip_prefix("--chmod=")?;
                (Some(u32::from_str_radix(mode, 8).ok()?), from, to)
            }
            _ => return None,
        };
        let from = context.join(from);
        if !from.is_dir() {
            return Some(self.file(to, from, mode.unwrap_or(MODE)));
        }
        let is_empty = fs::read_dir(&from).ok()?.next().is_none();
        is_empty.then(|| self.directory(to, mode.unwrap_or(MODE)))
    }
}
