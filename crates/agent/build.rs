//! Tells what the agent is made of, so that a server can tell its own agent from one of another build.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::Path,
};

/// What decides how an agent behaves and what it says to the server.
const SOURCES: [&str; 4] = ["src", "../types/src", "../fetch/src", "../../Cargo.lock"];

fn main() -> io::Result<()> {
    let mut digest = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        add(Path::new(source), &mut digest)?;
    }
    println!("cargo::rustc-env=RUTTER_AGENT_SOURCE={:016x}", digest.finish());
    Ok(())
}

fn add(path: &Path, digest: &mut DefaultHasher) -> io::Result<()> {
    if !path.is_dir() {
        fs::read(path)?.hash(digest);
        return Ok(());
    }
    let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        entry.file_name().hash(digest);
        add(&entry.path(), digest)?;
    }
    Ok(())
}
