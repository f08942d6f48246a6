//! `countdown`: a job that takes as long as one likes, to watch progress and to try dismissal.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::contract::Progress;

/// Waits `seconds`, reporting at each, and writes the output `result`.
pub(crate) fn run(seconds: u32, out: &Path, progress: &mut Progress) -> anyhow::Result<()> {
    for left in (1..=seconds).rev() {
        let percent = 100 * u64::from(seconds - left) / u64::from(seconds);
        progress.report(u8::try_from(percent).unwrap_or(100), &format!("{left} seconds left"));
        std::thread::sleep(Duration::from_secs(1));
    }
    progress.report(100, "lift-off");
    let result = json!({"seconds": seconds, "message": format!("counted {seconds} seconds")});
    let file = out.join("result.json");
    std::fs::write(&file, result.to_string()).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seconds_is_a_result_at_once() {
        let out = tempfile::tempdir().unwrap();
        run(0, out.path(), &mut Progress::silent()).unwrap();
        let text = std::fs::read_to_string(out.path().join("result.json")).unwrap();
        assert_eq!(text, r#"{"seconds":0,"message":"counted 0 seconds"}"#);
    }
}
