//! Guarded HTTP client: addresses are checked before a connection is made to them.
//!
//! URLs come from callers (inputs by reference, callback addresses), and the machine that fetches them stands inside
//! a network that callers should not see. So every name is resolved once, the answers are filtered, and the
//! connection goes to one of the addresses that passed; redirects are followed by our own loop that checks every hop
//! again. What a source sends is bounded in size and in time. Bytes are streamed: nothing is stored here.

mod address;
mod client;
mod error;
mod policy;
mod resolve;
mod response;
mod tls;

pub use address::{Reach, reach};
pub use client::Client;
pub use error::Error;
pub use policy::{Allowed, BadAllow, Policy};
pub use resolve::{Addresses, Lookup, system_lookup};
pub use response::Response;
pub use tls::{BadCertificates, client_config};
