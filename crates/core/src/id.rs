//! Identifiers. Each is checked when it is made, so that no unchecked text becomes a path, a name or a header.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty.
    #[error("is empty")]
    Empty,
    /// Over the limit.
    #[error("has {length} characters, {limit} are allowed")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A character that is not allowed.
    #[error("has the character {character:?}; letters, digits, '-', '_' and '.' are allowed")]
    Character {
        /// The first such character.
        character: char,
    },
    /// A character that is not allowed at the beginning.
    #[error("begins with {character:?}; the first character must be a letter or digit")]
    First {
        /// It.
        character: char,
    },
    /// Not a UUID.
    #[error("is not a UUID")]
    NotUuid,
}

/// Greatest length of process, input and output ids.
pub const NAME_LIMIT: usize = 128;

fn check_name(text: &str) -> Result<(), IdError> {
    let length = text.chars().count();
    if length == 0 {
        return Err(IdError::Empty);
    }
    if length > NAME_LIMIT {
        return Err(IdError::TooLong { length, limit: NAME_LIMIT });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(character) = text.chars().find(|&c| !allowed(c)) {
        return Err(IdError::Character { character });
    }
    match text.chars().next().filter(|c| !c.is_ascii_alphanumeric()) {
        Some(character) => Err(IdError::First { character }),
        None => Ok(()),
    }
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                check_name(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name_id!(
    /// Identifier of a process: one safe URL and path component of at most [`NAME_LIMIT`] characters.
    ProcessId
);
impl ProcessId {
    /// The identifier that is nearest to what others call a process.
    pub fn near(told: &str) -> Self {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let text: String = told.chars().map(|c| if fits(c) { c } else { '-' }).take(NAME_LIMIT).collect();
        let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        Self(if text.is_empty() { "unknown" } else { text }.into())
    }
}

name_id!(
    /// Identifier of an input.
    InputId
);
name_id!(
    /// Identifier of an output.
    OutputId
);
name_id!(
    /// Who calls: the name that authentication gave.
    CallerId
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier as UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }

            /// From a UUID.
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            /// Only the canonical spelling is taken: one job has one URL.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let uuid = Uuid::try_parse(text).map_err(|_| IdError::NotUuid)?;
                if uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) != text {
                    return Err(IdError::NotUuid);
                }
                Ok(Self(uuid))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id!(
    /// Identifier of a job: a UUID of version 7, unguessable and ordered by time (Part 1, section on security).
    JobId
);
uuid_id!(
    /// Identifier of an installation.
    InstanceId
);

impl JobId {
    /// A new identifier for a job accepted now.
    #[expect(clippy::disallowed_methods, reason = "the one place where job ids are made")]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl InstanceId {
    /// The identifier of an installation that can only be known again by a name.
    pub fn of_name(name: &str) -> Self {
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("https://rutter.dev/instances/{name}").as_bytes()))
    }

    /// A new identifier for a new installation.
    #[expect(clippy::disallowed_methods, reason = "the one place where instance ids are made")]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

/// The executor's name for one launch of a job: the same job and number always give the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaunchName {
    /// The job.
    pub job: JobId,
    /// Number of the launch, from 1.
    pub launch: u32,
}

impl fmt::Display for LaunchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.job, self.launch)
    }
}

impl FromStr for LaunchName {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (job, launch) = text.rsplit_once('-').ok_or(IdError::NotUuid)?;
        Ok(Self { job: job.parse()?, launch: launch.parse().map_err(|_| IdError::NotUuid)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_safe_path_component() {
        for good in ["flood", "flood-extent", "a.b_c", "0"] {
            assert!(good.parse::<ProcessId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\0b", "a\nb", "ä", "-x", &"x".repeat(300)] {
            assert!(bad.parse::<ProcessId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_others_call_a_process_becomes_an_id() {
        let long = "x".repeat(300);
        for (told, id) in [
            ("route-tool", "route-tool"),
            ("my model/\u{fc}", "my-model--"),
            ("__x", "x"),
            ("", "unknown"),
            ("\u{fc}", "unknown"),
            (long.as_str(), &long[..NAME_LIMIT]),
        ] {
            assert_eq!(ProcessId::near(told).as_str(), id, "{told:?}");
            assert!(ProcessId::near(told).as_str().parse::<ProcessId>().is_ok(), "{told:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_name_is_said() {
        let said = |text: &str| text.parse::<ProcessId>().unwrap_err().to_string();
        assert!(said("../x").starts_with("has the character '/'"), "{}", said("../x"));
        assert_eq!(said("..x"), "begins with '.'; the first character must be a letter or digit");
        assert!(said("a b").starts_with("has the character ' '"), "{}", said("a b"));
    }

    #[test]
    fn a_job_has_one_spelling() {
        let id = JobId::generate();
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<JobId>().is_err());
        assert!(id.uuid().simple().to_string().parse::<JobId>().is_err());
    }

    #[test]
    fn launch_names_can_be_read_back() {
        let name = LaunchName { job: JobId::generate(), launch: 3 };
        assert_eq!(name.to_string().parse::<LaunchName>(), Ok(name));
    }
}
