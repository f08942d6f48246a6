//! What can go wrong with a cluster, each with what to change.

use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why something with the cluster did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Namespaces, mounts and control groups are root's.
    #[error("a test cluster makes namespaces, mounts and control groups: run it as root")]
    NotRoot,
    /// A program is missing and cannot be installed from here.
    #[error("`{program}` is missing: install the Debian package {package}")]
    Missing {
        /// The program or file.
        program: &'static str,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// Kubernetes is built from source.
    #[error("Kubernetes is built from source for the test cluster: install Go 1.25 or newer")]
    NoGo,
    /// There is no home for the cache.
    #[error("set XDG_CACHE_HOME or HOME: the test cluster is built and kept below it")]
    NoCache,
    /// A cluster's name becomes part of paths.
    #[error("{name:?} cannot name a cluster: take up to 30 of a-z, 0-9 and -")]
    Name {
        /// The name.
        name: String,
    },
    /// The same name twice.
    #[error("a cluster of the name {name:?} is already starting")]
    Taken {
        /// The name.
        name: String,
    },
    /// No component of this name.
    #[error("there is no component {name:?}: take one of {known}")]
    NoComponent {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// A file or socket did not do what it should.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A program ended badly.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// The command line.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed, errors first.
        output: String,
    },
    /// Something took too long.
    #[error("{what}: not within {limit:?}{log}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
        /// The end of a log that may tell why.
        log: String,
    },
    /// A component ended by itself.
    #[error("{component} ended by itself:\n{log}")]
    Ended {
        /// Its name.
        component: &'static str,
        /// The end of its log.
        log: String,
    },
    /// A program printed something else than expected.
    #[error("cannot read {what}: {text:?}")]
    Unreadable {
        /// What was expected.
        what: &'static str,
        /// What was there.
        text: String,
    },
    /// What only an engine can do.
    #[error("{}:{line}: only FROM scratch, COPY of a file or an empty folder, ADD of a .tar to /, USER, WORKDIR, EXPOSE, ENTRYPOINT and CMD \
             as lists are done without an engine: {text}", file.display())]
    Instruction {
        /// The Dockerfile.
        file: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A file for an image is not there.
    #[error("cannot put {} into the image {image}", file.display())]
    Image {
        /// The image's name.
        image: String,
        /// The file on this machine.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// For `map_err`: what was tried when this failed.
pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { what: what.into(), source }
}
