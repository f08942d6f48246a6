//! Not reachable yet.

use tokio::sync::watch;

use crate::state::AppState;

/// Until `stop` turns true.
pub async fn run(_: AppState, mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
