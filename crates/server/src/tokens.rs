//! Tokens of callers: the file that names them, and finding the caller of a token.
//!
//! Only digests are kept. A token is found by its digest, so that the time of a look-up tells nothing of its characters.

use std::{collections::HashMap, fmt, path::PathBuf};

use rutter_core::id::{CallerId, IdError};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Executes processes and sees own jobs.
    Caller,
    /// Sees all jobs, and the metrics.
    Operator,
}

/// Shortest token that is taken as written.
const LEAST: usize = 16;

/// Callers by the digests of their tokens.
#[derive(Clone, Default)]
pub struct Tokens(HashMap<[u8; 32], (CallerId, Role)>);

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.values()).finish()
    }
}

/// Why a token file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// No file, or not ours to read.
    #[error("the token file {} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not the right form.
    #[error(
        "line {line}, column {column}: {reason}; write a list such as `- {{name: ada, role: caller, tokenSha256: 64 hexadecimal digits}}`"
    )]
    Form {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// No entries.
    #[error(
        "there is no entry, so that nobody could call; add `- {{name: …, role: operator, tokenSha256: …}}`"
    )]
    Empty,
    /// A name that can't be one.
    #[error("entry {entry}: the name {name:?} {source}")]
    Name {
        /// Number of the entry, from 1.
        entry: usize,
        /// The name.
        name: String,
        /// Why.
        source: IdError,
    },
    /// Neither or both ways to give the token.
    #[error("entry {entry} ({name}): write either `token` or `tokenSha256`")]
    OneToken {
        /// Number of the entry, from 1.
        entry: usize,
        /// The name.
        name: String,
    },
    /// A token that can be guessed.
    #[error(
        "entry {entry} ({name}): the token is shorter than {LEAST} characters; make one with `openssl rand -hex 32`"
    )]
    Short {
        /// Number of the entry, from 1.
        entry: usize,
        /// The name.
        name: String,
    },
    /// No digest.
    #[error(
        "entry {entry} ({name}): `tokenSha256` must be 64 hexadecimal digits: `printf %s TOKEN | sha256sum`"
    )]
    Hex {
        /// Number of the entry, from 1.
        entry: usize,
        /// The name.
        name: String,
    },
    /// One token of two callers.
    #[error("entry {entry} ({name}) has the token of another entry; make one of its own")]
    Twice {
        /// Number of the entry, from 1.
        entry: usize,
        /// The name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    name: String,
    role: Role,
    token: Option<String>,
    token_sha256: Option<String>,
}

impl Tokens {
    /// Reads a token file: a YAML or JSON list of `{name, role, tokenSha256}`, or `token` instead of its digest.
    ///
    /// # Errors
    /// The first fault, with the entry and what to write instead. Tokens never stand in it.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let entries: Vec<Entry> = rutter_core::yaml::from_str(text).map_err(|error| {
            TokenFileError::Form { line: error.line, column: error.column, reason: error.message }
        })?;
        if entries.is_empty() {
            return Err(TokenFileError::Empty);
        }
        let mut tokens = Self::default();
        for (at, entry) in entries.into_iter().enumerate() {
            tokens.add(at + 1, entry)?;
        }
        Ok(tokens)
    }

    fn add(&mut self, number: usize, entry: Entry) -> Result<(), TokenFileError> {
        let Entry { name, role, token, token_sha256 } = entry;
        let caller: CallerId = name.parse().map_err(|source| TokenFileError::Name {
            entry: number,
            name: name.clone(),
            source,
        })?;
        let digest = match (token, token_sha256) {
            (Some(token), None) if token.len() < LEAST => {
                return Err(TokenFileError::Short { entry: number, name });
            }
            (Some(token), None) => digest(&token),
            (None, Some(hex)) => {
                from_hex(&hex).ok_or_else(|| TokenFileError::Hex { entry: number, name: name.clone() })?
            }
            _ => return Err(TokenFileError::OneToken { entry: number, name }),
        };
        match self.0.insert(digest, (caller, role)) {
            None => Ok(()),
            Some(_) => Err(TokenFileError::Twice { entry: number, name }),
        }
    }

    /// Whose token it is.
    pub(crate) fn find(&self, token: &str) -> Option<&(CallerId, Role)> {
        self.0.get(&digest(token))
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_found_by_token_only() {
        let hex: String = digest("a-long-enough-secret").iter().map(|byte| format!("{byte:02x}")).collect();
        let file = format!(
            "- {{name: ada, role: operator, tokenSha256: \"{hex}\"}}\n- {{name: ben, role: caller, token: another-long-secret}}\n"
        );
        let tokens = Tokens::parse(&file).unwrap();
        assert_eq!(tokens.find("a-long-enough-secret").unwrap().1, Role::Operator);
        assert_eq!(tokens.find("another-long-secret").unwrap().0.as_str(), "ben");
        assert!(tokens.find(&hex).is_none());
        assert!(tokens.find("").is_none());
        assert!(!format!("{tokens:?}").contains("secret"));
    }

    #[test]
    fn faults_name_the_entry_and_the_remedy() {
        for (file, wanted) in [
            ("[]", "there is no entry"),
            ("- {name: ada, role: caller}", "entry 1 (ada): write either"),
            ("- {name: ada, role: caller, token: short}", "shorter than 16"),
            ("- {name: ada, role: caller, tokenSha256: xyz}", "64 hexadecimal digits"),
            ("- {name: ../x, role: caller, token: aaaaaaaaaaaaaaaaaaaa}", "entry 1: the name"),
            (
                "- {name: a, role: caller, token: aaaaaaaaaaaaaaaaaaaa}\n- {name: b, role: caller, token: aaaaaaaaaaaaaaaaaaaa}",
                "entry 2 (b) has the token of another",
            ),
            ("- {name: a, role: boss, token: aaaaaaaaaaaaaaaaaaaa}", "line 1"),
        ] {
            let error = Tokens::parse(file).unwrap_err().to_string();
            assert!(error.contains(wanted), "{file}: {error}");
            assert!(!error.contains("aaaaaaaa"), "{error}");
        }
    }
}
