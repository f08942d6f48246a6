//! Guarded HTTP client: addresses are checked before a connection is made to them
