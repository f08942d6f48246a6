//! What this crate's tests stand on: a cluster's API in memory that can be made to fail, and a signer of tokens.

pub(crate) mod fake;
pub(crate) mod signer;
