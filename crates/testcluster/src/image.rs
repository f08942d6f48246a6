//! Images built from files, without an engine: one layer in the archive format that every runtime imports.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    path::{Path, PathBuf},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::{config, error::Error, layout::hex, prepare};

/// What an image holds and how it starts.
#[derive(Debug, Clone)]
pub struct Image {
    name: String,
    entries: Vec<(String, Entry)>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    environment: Vec<String>,
    user: String,
    folder: String,
}

#[derive(Debug, Clone)]
enum Entry {
    File {
        from: PathBuf,
        mode: u32,
    },
    Bytes {
        bytes: Vec<u8>,
        mode: u32,
    },
    Folder {
        mode: u32,
    },
    Link {
        to: String,
    },
    /// All entries of an archive, as they are.
    Archive {
        from: PathBuf,
    },
}

impl Image {
    /// An empty image, named like `localhost/work:1`.
    pub fn scratch(name: &str) -> Self {
        Self {
            name: name.into(),
            entries: Vec::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            environment: vec!["PATH=/usr/local/bin:/usr/bin:/bin".into()],
            user: String::new(),
            folder: String::new(),
        }
    }

    /// One with a shell and the usual tools (busybox) in `/bin`, `/tmp`, and the users root and nobody. Starts a shell.
    pub fn busybox(name: &str) -> Self {
        let users = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n";
        let mut image = Self::scratch(name)
            .bytes("/etc/passwd", users, 0o644)
            .directory("/tmp", 0o1777)
            .command(["/bin/sh"]);
        // A machine without busybox is told so where the archive is written.
        let busybox = prepare::busybox().unwrap_or_else(|_| "/bin/busybox".into());
        for tool in tools(&busybox) {
            image = image.link(&format!("/bin/{tool}"), "busybox");
        }
        image.file("/bin/busybox", busybox, 0o755)
    }

    /// The image of a pod's first container.
    pub(crate) fn pause() -> Self {
        let busybox = prepare::busybox().unwrap_or_else(|_| "/bin/busybox".into());
        Self::scratch(config::PAUSE)
            .file("/busybox", busybox, 0o755)
            .entrypoint(["/busybox", "sleep", "infinity"])
            .user("65535:65535")
    }

    /// A file of this machine. Programs must be static unless their libraries are put in, too.
    pub fn file(mut self, path: &str, from: impl AsRef<Path>, mode: u32) -> Self {
        self.entries.push((path.into(), Entry::File { from: from.as_ref().into(), mode }));
        self
    }

    /// A file with this content.
    pub fn bytes(mut self, path: &str, bytes: impl AsRef<[u8]>, mode: u32) -> Self {
        self.entries.push((path.into(), Entry::Bytes { bytes: bytes.as_ref().into(), mode }));
        self
    }

    /// A folder. Those above files need not be named.
    pub fn directory(mut self, path: &str, mode: u32) -> Self {
        self.entries.push((path.into(), Entry::Folder { mode }));
        self
    }

    /// Everything in an archive, with its modes and extended attributes.
    pub(crate) fn unpack(mut self, archive: impl AsRef<Path>) -> Self {
        self.entries.push(("/".into(), Entry::Archive { from: archive.as_ref().into() }));
        self
    }

    /// A symbolic link.
    pub fn link(mut self, path: &str, to: &str) -> Self {
        self.entries.push((path.into(), Entry::Link { to: to.into() }));
        self
    }

    /// ENTRYPOINT.
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// CMD.
    pub fn command<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// One more environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push(format!("{name}={value}"));
        self
    }

    /// USER: a number, `uid:gid`, or a name in the image's `/etc/passwd`.
    pub fn user(mut self, user: &str) -> Self {
        self.user = user.into();
        self
    }

    /// WORKDIR.
    pub fn workdir(mut self, path: &str) -> Self {
        self.folder = path.into();
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The archive (`docker save`), in a file that goes with the handle.
    pub fn archive(&self) -> Result<NamedTempFile, Error> {
        let mut layer = self.layer()?;
        self.pack(&mut layer).map_err(|source| self.failed(Path::new("its layer"), source))
    }

    /// Its layer (not compressed), that layer's SHA-256, and its configuration.
    pub(crate) fn parts(&self) -> Result<(File, String, String), Error> {
        let mut layer = self.layer()?;
        let digest = digest(&mut layer).map_err(|source| self.failed(Path::new("its layer"), source))?;
        let config = self.config(&digest).to_string();
        Ok((layer, digest, config))
    }

    fn layer(&self) -> Result<File, Error> {
        let file = tempfile::tempfile().map_err(|source| self.failed(Path::new("its layer"), source))?;
        let mut layer = tar::Builder::new(file);
        for (path, entry) in &self.entries {
            let name = path.trim_start_matches('/');
            append(&mut layer, name, entry).map_err(|source| match entry {
                Entry::File { from, .. } | Entry::Archive { from } => self.failed(from, source),
                _ => self.failed(Path::new(path), source),
            })?;
        }
        layer.into_inner().map_err(|source| self.failed(Path::new("its layer"), source))
    }

    fn pack(&self, layer: &mut File) -> io::Result<NamedTempFile> {
        let digest = digest(layer)?;
        let config = self.config(&digest).to_string();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let layer_name = format!("{digest}.tar");
        let manifest = json!([{"Config": config_name, "RepoTags": [self.name], "Layers": [layer_name]}]);
        let mut archive = tar::Builder::new(NamedTempFile::new()?);
        let size = layer.metadata()?.len();
        archive.append_data(&mut header(size, 0o644), layer_name, layer)?;
        for (name, text) in [(config_name.as_str(), config), ("manifest.json", manifest.to_string())] {
            archive.append_data(&mut header(text.len() as u64, 0o644), name, text.as_bytes())?;
        }
        archive.into_inner()
    }

    fn config(&self, layer: &str) -> serde_json::Value {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        json!({
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": self.entrypoint,
                "Cmd": self.command,
                "Env": self.environment,
                "User": self.user,
                "WorkingDir": self.folder,
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        })
    }

    fn failed(&self, file: &Path, source: io::Error) -> Error {
        Error::Image { image: self.name.clone(), file: file.into(), source }
    }
}

fn append(layer: &mut tar::Builder<File>, name: &str, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::File { from, mode } => {
            let file = File::open(from)?;
            let size = file.metadata()?.len();
            layer.append_data(&mut header(size, *mode), name, file)
        }
        Entry::Bytes { bytes, mode } => {
            layer.append_data(&mut header(bytes.len() as u64, *mode), name, bytes.as_slice())
        }
        Entry::Folder { mode } => {
            let mut header = header(0, *mode);
            header.set_entry_type(tar::EntryType::Directory);
            layer.append_data(&mut header, format!("{name}/"), io::empty())
        }
        Entry::Link { to } => {
            let mut header = header(0, 0o777);
            header.set_entry_type(tar::EntryType::Symlink);
            layer.append_link(&mut header, name, to)
        }
        Entry::Archive { from } => copy_entries(layer, &mut tar::Archive::new(File::open(from)?)),
    }
}

fn copy_entries(layer: &mut tar::Builder<File>, archive: &mut tar::Archive<File>) -> io::Result<()> {
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut attributes = Vec::new();
        for attribute in entry.pax_extensions()?.into_iter().flatten() {
            let attribute = attribute?;
            let key = attribute.key().map_err(io::Error::other)?.to_owned();
            attributes.push((key, attribute.value_bytes().to_vec()));
        }
        let attributes: Vec<_> =
            attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice())).collect();
        if !attributes.is_empty() {
            layer.append_pax_extensions(attributes)?;
        }
        let (mut header, path) = (entry.header().clone(), entry.path()?.into_owned());
        layer.append_data(&mut header, path, &mut entry)?;
    }
    Ok(())
}

/// Of an entry of an archive that goes into an image. Owner root and a fixed time: the same files make the same image.
pub fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Read through once, and wound back.
fn digest(file: &mut File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    file.rewind()?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    file.rewind()?;
    Ok(hex(&hash.finalize()))
}

fn tools(busybox: &Path) -> Vec<String> {
    let listed = std::process::Command::new(busybox).arg("--list").output();
    let text = listed.map(|output| output.stdout).unwrap_or_default();
    let names = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect::<Vec<_>>();
    names.into_iter().filter(|name| name != "busybox").collect()
}
