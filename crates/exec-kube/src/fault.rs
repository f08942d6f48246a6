//! What an answer of the cluster means for whoever called the executor.

use rutter_core::executor::ExecutorError;

use crate::reach;

/// A failed request as the executor's error: another try may help.
pub(crate) fn unavailable(doing: &'static str) -> impl FnOnce(kube::Error) -> ExecutorError {
    move |error| if is_away(&error) { away(doing)(error) } else { other(doing)(error) }
}

/// No answer at all: told once for all that waits for it ([`crate::reach`]).
pub(crate) fn away<E>(doing: &'static str) -> impl FnOnce(E) -> ExecutorError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| ExecutorError::Away { doing: format!("could not {doing}"), source: Box::new(source) }
}

/// Whether the cluster, not this call, is in trouble.
pub(crate) fn is_away(error: &kube::Error) -> bool {
    match error {
        kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => true,
        // Its own store does not answer it.
        kube::Error::Api(status) if status.code == 500 => status.message.contains("etcdserver"),
        kube::Error::Api(status) => reach::is_away(status.code),
        _ => false,
    }
}

/// Any other failure on the way.
pub(crate) fn other<E>(doing: &'static str) -> impl FnOnce(E) -> ExecutorError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| ExecutorError::Unavailable { doing: format!("could not {doing}"), source: Box::new(source) }
}

/// What became of creating an object.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is one of that name.
    Exists,
    /// It will never be taken as it is.
    Invalid,
    /// Another try may help.
    Later,
}

/// Why an object was not created.
pub(crate) fn refusal(error: &kube::Error) -> Refusal {
    match error {
        kube::Error::Api(status) if status.is_already_exists() => Refusal::Exists,
        kube::Error::Api(status) if matches!(status.code, 400 | 422) => Refusal::Invalid,
        _ => Refusal::Later,
    }
}

/// Whether an object was not there, or was another one by then.
pub(crate) fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

/// Whether this server lacks the right.
pub(crate) fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Whether an object changed meanwhile.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
