//! The HTTP side: OGC API - Processes, pages, the agents' listener
