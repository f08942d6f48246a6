//! What is put into a container before it starts: the attempt's folder, its token, and the package's environment.
//!
//! They travel as an archive on the engine's standard input, so that no secret stands on a command line, in what the
//! engine tells of a container, or in a file that other users of this machine could read.

use std::{collections::BTreeMap, io};

/// Where everything of ours is in a container, the same as on a cluster.
const ROOT: &str = "rutter";
/// The attempt's folder.
pub(super) const ATTEMPT_FOLDER: &str = "/rutter/attempt";
/// File with the token.
pub(super) const TOKEN: &str = "/rutter/token/token";
/// File with the environment.
pub(super) const ENVIRONMENT: &str = "/rutter/token/environment.json";

/// The archive, to be unpacked at the container's root. Whoever the container runs as reads it and writes its own folder.
pub(super) fn archive(token: &str, environment: &BTreeMap<String, String>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (folder, mode) in [(ROOT, 0o755), (&ATTEMPT_FOLDER[1..], 0o1777), ("rutter/token", 0o755)] {
        let mut header = header(0, mode);
        header.set_entry_type(tar::EntryType::Directory);
        archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
    }
    let environment = serde_json::to_vec(environment)?;
    for (file, bytes) in [(TOKEN, token.as_bytes()), (ENVIRONMENT, environment.as_slice())] {
        archive.append_data(&mut header(bytes.len() as u64, 0o444), &file[1..], bytes)?;
    }
    archive.into_inner()
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn everybody_in_the_container_reads_it_and_writes_the_folder() {
        let environment = BTreeMap::from([("KEY".to_owned(), "two\nlines".to_owned())]);
        let bytes = archive("secret", &environment).unwrap();
        let mut seen = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            seen.push((path, entry.header().mode().unwrap(), text));
        }
        let line = |path: &str, mode, text: &str| (path.to_owned(), mode, text.to_owned());
        assert_eq!(
            seen,
            [
                line("rutter/", 0o755, ""),
                line("rutter/attempt/", 0o1777, ""),
                line("rutter/token/", 0o755, ""),
                line("rutter/token/token", 0o444, "secret"),
                line("rutter/token/environment.json", 0o444, r#"{"KEY":"two\nlines"}"#),
            ]
        );
    }
}
