//! Not reachable yet.

use axum::Router;

use crate::state::AppState;

/// Its routes.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
}
