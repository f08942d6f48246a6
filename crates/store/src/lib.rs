//! Job stores: SQLite and memory, held to one conformance suite
