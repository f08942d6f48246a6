//! The report: kept on disk before it is sent, then sent until there is a verdict.

use std::io;
use std::path::Path;

use rutter_types::agent::{Outcome, Report, Verdict, exit};

use crate::contact::{Contact, Error};

/// Delivers a report; gives the exit code that the verdict asks for.
pub(super) async fn deliver(report: &Report, folder: &Path, contact: &Contact) -> Result<i32, Error> {
    // On a full disk the report still goes out.
    let _ = keep(report, folder);
    let verdict = contact.report(report).await?;
    Ok(exit_code(verdict, &report.outcome))
}

fn keep(report: &Report, folder: &Path) -> io::Result<()> {
    let draft = folder.join("report.new");
    std::fs::write(&draft, serde_json::to_vec(report)?)?;
    std::fs::rename(draft, folder.join("report.json"))
}

fn exit_code(verdict: Verdict, outcome: &Outcome) -> i32 {
    let code = match verdict {
        Verdict::Done => return 0,
        Verdict::Retry { exit } | Verdict::Fail { exit } => exit & 0xff,
    };
    // Executors read our codes as ours: a program's own must not be taken for them, nor a failure for success.
    let own = matches!(outcome, Outcome::Exited { .. } | Outcome::Signalled { .. });
    let reserved = (exit::BAD_INPUT..=exit::AGENT_FAULT).contains(&code);
    if code == 0 || own && reserved { 1 } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let own = |code| exit_code(Verdict::Fail { exit: code }, &Outcome::Exited { code });
        assert_eq!((own(3), own(120), own(123), own(119), own(124), own(256)), (3, 1, 1, 119, 124, 1));
        let ours = Outcome::BadInput { faults: Vec::new() };
        assert_eq!(exit_code(Verdict::Fail { exit: exit::BAD_INPUT }, &ours), exit::BAD_INPUT);
        assert_eq!(exit_code(Verdict::Done, &Outcome::Exited { code: 120 }), 0);
    }
}
