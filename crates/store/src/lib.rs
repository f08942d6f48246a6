//! Job stores: SQLite for installations, memory for tests; both held to one conformance suite.

pub mod conformance;
mod lock;
mod memory;
mod place;
mod recent;
mod record;
mod sqlite;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
