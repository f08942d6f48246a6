//! Blocks of documents, run as written: what a newcomer types works, and prints what the document says.
//!
//! Blocks marked `sh` run in order, in one shell and folder. A block marked `text`
//! after one says what it prints: its lines must appear in that order, `…` stands for anything.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};

use crate::shell;

const MARK: &str = "--- end of block";

/// A block of commands and what it must print.
#[derive(Debug, Default, PartialEq)]
struct Block {
    commands: String,
    expected: Vec<String>,
}

/// The README's, in an empty folder.
pub(crate) fn readme() -> anyhow::Result<()> {
    let folder = shell::target().join("readme");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut bash = Command::new("bash");
    let path = std::env::var("PATH").unwrap_or_default();
    bash.env("PATH", format!("{}:{path}", shell::target().join("debug").display()));
    run("README.md", "", bash, &folder)
}

/// Run the blocks of a document in a folder; `before` stands before the first.
pub(crate) fn run(document: &str, before: &str, mut bash: Command, folder: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(shell::root().join(document))?;
    let blocks = blocks(&text);
    anyhow::ensure!(!blocks.is_empty(), "{document} has no block to run");
    let mut script =
        format!("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{before}\n");
    for block in &blocks {
        script.push_str(&format!("{}\necho '{MARK}'\n", block.commands));
    }
    let output = bash
        .arg("-c")
        .arg(&script)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(fs::File::create(folder.join("stderr.txt"))?)
        .output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let mut parts = printed.split(MARK);
    for (number, block) in blocks.iter().enumerate() {
        let part = parts.next().unwrap_or_default();
        check(part, &block.expected).with_context(|| {
            let errors = fs::read_to_string(folder.join("stderr.txt")).unwrap_or_default();
            format!("block {}:\n{}\nprinted:\n{part}\nerrors:\n{errors}", number + 1, block.commands)
        })?;
    }
    let errors = || fs::read_to_string(folder.join("stderr.txt")).unwrap_or_default();
    anyhow::ensure!(
        output.status.success(),
        "the blocks of {document} ended with {}:\n{}",
        output.status,
        errors()
    );
    println!("{} blocks of {document} do what they say", blocks.len());
    Ok(())
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut kind = None;
    for line in text.lines() {
        match (kind, line.strip_prefix("```")) {
            (None, Some("sh")) => {
                blocks.push(Block::default());
                kind = Some("sh");
            }
            (None, Some("text")) => kind = Some("text"),
            (None, Some(_)) => kind = Some("other"),
            (Some(_), Some("")) => kind = None,
            (Some("sh"), _) => {
                if let Some(block) = blocks.last_mut() {
                    block.commands.push_str(line);
                    block.commands.push('\n');
                }
            }
            (Some("text"), _) => {
                blocks.last_mut().into_iter().for_each(|block| block.expected.push(line.into()))
            }
            _ => {}
        }
    }
    blocks
}

fn check(printed: &str, expected: &[String]) -> anyhow::Result<()> {
    let mut lines = printed.lines();
    for wanted in expected.iter().filter(|line| !matches!(line.trim(), "" | "…")) {
        if !lines.any(|line| matches(line.trim_end(), wanted.trim_end())) {
            bail!("did not print: {wanted}");
        }
    }
    Ok(())
}

fn matches(line: &str, wanted: &str) -> bool {
    let mut rest = line;
    let mut pieces = wanted.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    let mut anything = false;
    for piece in pieces {
        anything = true;
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (anything && wanted.ends_with('…'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_expected_lines() {
        let text = "a\n```sh\nls\n```\nb\n```text\none\n… two\n```\n```console\n$ x\n```\n";
        assert_eq!(
            blocks(text),
            [Block { commands: "ls\n".into(), expected: vec!["one".into(), "… two".into()] }]
        );
    }

    #[test]
    fn dots_stand_for_anything() {
        assert!(matches("job 17 is done", "job … is done"));
        assert!(matches("job 17", "job …"));
        assert!(!matches("job 17 is", "job … done"));
        assert!(!matches("job 17", "job 1"));
    }
}
