//! Why an agent is not served, whatever failed below.

use crate::{
    engine::EngineError, executor::ExecutorError, logs::LogError, results::ObjectError, store::StoreError,
};

/// Why an agent is not served.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Its attempt is over: stop the program, exit 0.
    #[error("this attempt is over")]
    Over,
    /// No attempt has this token.
    #[error("no attempt has this token")]
    NoSuchAttempt,
    /// More bytes than the order allows.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// Most bytes allowed.
        limit: u64,
    },
    /// The disk is full.
    #[error("no space is left")]
    NoSpace,
    /// The call makes no sense.
    #[error("{reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
    /// Try again.
    #[error("not possible now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for AgentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::NoSpace,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<ExecutorError> for AgentError {
    fn from(error: ExecutorError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<EngineError> for AgentError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            EngineError::Objects(error) => error.into(),
            EngineError::Logs(error) => error.into(),
        }
    }
}

impl From<ObjectError> for AgentError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::NoSpace => Self::NoSpace,
            ObjectError::TooLarge { limit } => Self::TooLarge { limit },
            error @ ObjectError::Beyond { .. } => Self::Invalid { reason: error.to_string() },
            ObjectError::Source(source) => Self::Unavailable(source),
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<LogError> for AgentError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NoSpace => Self::NoSpace,
            other => Self::Unavailable(Box::new(other)),
        }
    }
}
