//! What an image runs by itself: ENTRYPOINT and CMD, looked up in its registry, so that the agent can stand in front of it.
//!
//! Registries, and whoever names them in a package, are strangers: every answer has a limit of size and time, what is named by
//! a digest must have it, and a name and password go to nobody but the registry that they are for.

mod challenge;
mod credentials;
mod document;
mod error;
mod lookup;
mod reference;
mod registry;
mod secrets;

pub(crate) use error::LookUpError;
pub(crate) use lookup::LookUps;
pub(crate) use registry::Settings;

/// The command of an image, and which image exactly it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnCommand {
    /// Reference that names this very image: what was looked up is what runs.
    pub(crate) image: String,
    /// Program and arguments; at least the program.
    pub(crate) words: Vec<String>,
    /// Whether it names a user by a number, who is not root.
    pub(crate) has_user: bool,
}

#[cfg(test)]
mod tests;
