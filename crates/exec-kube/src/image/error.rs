//! Why the command of an image is not known. Callers read it: it names the image and what to change.

/// Why the command of an image is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookUpError {
    #[error("it is no name of an image in a registry")]
    NoReference,
    #[error("its digest is not of the kind sha256")]
    OtherDigest,
    #[error("there is no such image")]
    Missing,
    #[error(
        "its registry refuses access; the operator or the package must name its secret (`imagePullSecrets`)"
    )]
    Denied,
    #[error("its registry refuses access, and the server may not read the secret {name:?}")]
    SecretForbidden { name: String },
    #[error("there is none for machines of the kind {architecture}")]
    OtherKind { architecture: String },
    #[error("it has neither ENTRYPOINT nor CMD; write `command` in its unit")]
    NoCommand,
    #[error("its command is longer than {limit} bytes, or has a zero byte")]
    UnusableCommand { limit: usize },
    #[error("its format is older than 2016: build and push it anew")]
    Old,
    #[error("its registry sends what is no description of an image ({what})")]
    NotUnderstood { what: &'static str },
    #[error("its registry sends something else than what was asked for ({what})")]
    WrongDigest { what: &'static str },
    #[error("its registry sends more than {limit} bytes where a description is due")]
    TooLarge { limit: u64 },
    #[error("its registry redirects more than {limit} times")]
    Redirects { limit: usize },
    #[error("its registry leads to {url}, which is not encrypted")]
    NotEncrypted { url: String },
    #[error("its registry answers with status {status}")]
    Status { status: u16 },
    #[error("its registry asks for an unknown kind of authentication")]
    UnknownChallenge,
    #[error("its registry did not answer within {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("its registry can't be reached: {reason}")]
    Unreachable { reason: String },
    #[error("the server can't look it up: {reason}")]
    Setup { reason: String },
    #[error("the cluster does not answer when it is asked for the secret {name:?}")]
    Secret { name: String },
}

impl LookUpError {
    /// Whether the registry does not let us ask, though it may let machines fetch.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Denied | Self::SecretForbidden { .. })
    }

    /// Whether another try is useless.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::NoReference
            | Self::OtherDigest
            | Self::Missing
            | Self::Denied
            | Self::SecretForbidden { .. }
            | Self::OtherKind { .. }
            | Self::NoCommand
            | Self::UnusableCommand { .. }
            | Self::Old => true,
            Self::NotUnderstood { .. }
            | Self::WrongDigest { .. }
            | Self::TooLarge { .. }
            | Self::Redirects { .. }
            | Self::NotEncrypted { .. }
            | Self::Status { .. }
            | Self::UnknownChallenge
            | Self::TooSlow { .. }
            | Self::Unreachable { .. }
            | Self::Setup { .. }
            | Self::Secret { .. } => false,
        }
    }
}

impl From<rutter_fetch::Error> for LookUpError {
    fn from(error: rutter_fetch::Error) -> Self {
        use rutter_fetch::Error;
        match error {
            Error::TooLarge { limit } => Self::TooLarge { limit },
            Error::Idle { seconds, .. } => Self::TooSlow { seconds },
            Error::Setup { reason } => Self::Setup { reason },
            other => Self::Unreachable { reason: other.to_string() },
        }
    }
}
