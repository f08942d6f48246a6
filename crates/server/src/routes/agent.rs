//! Not reachable yet.

use axum::Router;

use crate::state::AppState;

/// Its routes.
pub(crate) fn routes() -> Router<AppState> {
    Router::new()
}
