//! The HTTP side: OGC API - Processes, pages, the agents' listener.
//!
//! A request's way: [`serve`] reads it, the front finds out under which [`Base`] URL and by which [`Caller`] it
//! comes and refuses what must not go further, the [router](routes) finds its handler, the handler asks the engine and
//! [answers](answer) as was [negotiated](negotiate), and the front tells errors in the client's format.

pub mod access;
pub mod answer;
pub mod base;
pub mod body;
mod cache;
pub mod callbacks;
mod config;
mod cors;
mod describe;
mod encrypted;
pub mod error;
mod forwarded;
mod front;
mod metrics;
pub mod negotiate;
pub mod openapi;
mod place;
pub mod render;
pub mod routes;
mod serve;
mod state;
mod statuses;
mod steady;
mod tokens;
pub mod ui;

pub use access::{Caller, may_see};
pub use base::{Base, Connection};
pub use config::{Access, CallerToken, Limits, Pages, ServerConfig};
pub use encrypted::{BadIdentity, identity};
pub use error::ApiError;
pub use front::App;
pub use metrics::Metrics;
pub use serve::{AgentsListener, serve, serve_agents};
pub use state::AppState;
pub use tokens::{Role, TokenFileError, Tokens};
