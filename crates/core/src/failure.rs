//! What a failed attempt is called: one exception type per cause, so that a caller can tell them apart.

use rutter_types::{
    Fault, JsonMap, Problem,
    agent::{Limits, Outcome, exit},
    exception,
};
use serde_json::{Value, json};

use crate::executor::LaunchEnd;

/// Most characters of a program's own words.
const LONGEST_REASON: usize = 4096;

/// The exception of an attempt that ended so; `tail` = the last lines of its log. `None` = it ended well.
pub(crate) fn exception_of(outcome: &Outcome, limits: &Limits, tail: Vec<String>) -> Option<Problem> {
    let problem = match outcome {
        Outcome::Exited { code: 0 } => return None,
        Outcome::Exited { code } => {
            failure("exit-code", "The program failed", format!("the program ended with exit code {code}"))
                .with("exitCode", json!(code))
        }
        Outcome::Signalled { signal } => {
            failure("signal", "The program was killed", format!("the program was ended by signal {signal}"))
                .with("signal", json!(signal))
        }
        Outcome::Stopped => removed(),
        Outcome::TimeLimit => failure(
            "time-limit",
            "Time limit",
            format!("the program ran longer than {} s (`jobTimeout`)", limits.command_seconds),
        )
        .with("limitSeconds", json!(limits.command_seconds)),
        Outcome::OutOfMemory { peak_bytes } => out_of_memory(*peak_bytes, limits),
        Outcome::ScratchLimit => scratch_limit(),
        Outcome::OutputLimit { output } => failure(
            "output-limit",
            "Output too large",
            format!(
                "with output `{output}` the outputs take more than {} bytes (`storageOutputsMin`)",
                limits.output_bytes
            ),
        )
        .with("output", json!(output)),
        Outcome::OutputMissing { outputs } => missing_outputs(outputs),
        Outcome::OutputUnusable { output, reason } => {
            failure("output-unusable", "Unusable output", format!("output `{output}` {reason}"))
                .with("output", json!(output))
        }
        Outcome::CannotStart { reason } => {
            failure("cannot-start", "The program did not start", reason.clone())
        }
        Outcome::StagingFailed { faults } => staging_failed(faults),
        Outcome::BadInput { faults } => invalid_inputs(faults.clone()),
        Outcome::AgentFault { reason } => failure("agent-fault", "The supervisor failed", reason.clone()),
    };
    Some(with_tail(problem, tail))
}

/// With what the program says of its failure, where it ended by itself.
pub(crate) fn in_its_words(problem: Problem, reason: Option<&str>) -> Problem {
    let own = ["exit-code", "signal"].map(|kind| format!("{}{kind}", exception::RUTTER));
    match reason.map(str::trim).filter(|reason| !reason.is_empty() && own.contains(&problem.kind)) {
        Some(reason) => Problem { detail: Some(reason.chars().take(LONGEST_REASON).collect()), ..problem },
        None => problem,
    }
}

/// Inputs that break the process description: the same whether found in the request or after staging.
pub(crate) fn invalid_inputs(faults: Vec<Fault>) -> Problem {
    let detail = match faults.as_slice() {
        [one] => format!("{}: {}", one.pointer, one.detail),
        many => format!("{} faults, see `errors`", many.len()),
    };
    Problem {
        kind: exception::INVALID_PARAMETER.into(),
        title: Some("Invalid inputs".into()),
        status: Some(400),
        detail: Some(detail),
        instance: None,
        errors: faults,
        more: JsonMap::new(),
    }
}

/// The agent died: its command died with it, and nobody knows how far it was.
pub(crate) fn agent_lost() -> Problem {
    failure(
        "agent-lost",
        "The supervisor was lost",
        "the supervisor of the program was killed, and the program with it".into(),
    )
}

/// Whether an attempt was ended by what happens to machines, or by somebody who came to its machine. Such attempts need not
/// count as retries, and whoever looks from outside knows more about their end than their agents.
pub(crate) fn is_from_outside(exception: &Problem) -> bool {
    let kind = exception.kind.strip_prefix(exception::RUTTER).unwrap_or_default();
    matches!(kind, "agent-lost" | "removed" | "node-lost" | "disrupted")
}

/// What a launch failed of: its agent's last word, unless that was none or the launch ended of something else later.
pub(crate) fn exception_of_launch(told: Option<Problem>, end: &LaunchEnd, tail: Vec<String>) -> Problem {
    let is_later = matches!(
        end,
        LaunchEnd::Removed
            | LaunchEnd::Disrupted { .. }
            | LaunchEnd::NodeLost
            | LaunchEnd::CannotStart { .. }
            | LaunchEnd::ImageMissing { .. }
    );
    let is_silent = matches!(end, LaunchEnd::Exited { .. } | LaunchEnd::AgentLost);
    match told {
        Some(told) if is_silent || !(is_later || is_from_outside(&told)) => told,
        _ => with_tail(exception_of_end(end), tail),
    }
}

/// With the last lines of the log.
pub(crate) fn with_tail(problem: Problem, tail: Vec<String>) -> Problem {
    if tail.is_empty() { problem } else { problem.with("logTail", json!(tail)) }
}

/// The launch ended and nothing tells why.
pub(crate) fn cannot_start(reason: &str) -> Problem {
    failure("cannot-start", "The program did not start", reason.into())
}

/// The exception of a launch that ended without its agent having said why.
pub(crate) fn exception_of_end(end: &LaunchEnd) -> Problem {
    match end {
        LaunchEnd::Exited { code: exit::LOST_CONTACT } => lost_contact(),
        LaunchEnd::Exited { code: exit::AGENT_FAULT } => failure(
            "agent-fault",
            "The supervisor failed",
            "the supervisor could not do its work; its last word, which the operator can read, says why"
                .into(),
        ),
        LaunchEnd::AgentLost | LaunchEnd::Exited { .. } => agent_lost(),
        LaunchEnd::CannotStart { reason } => cannot_start(reason),
        LaunchEnd::ImageMissing { reason } => {
            failure("image-missing", "The image can't be fetched", reason.clone())
        }
        LaunchEnd::OutOfMemory => failure(
            "out-of-memory",
            "Out of memory",
            "the program was ended by the system because it used up its memory (`memoryMax`)".into(),
        ),
        LaunchEnd::TimeLimit => {
            failure("time-limit", "Time limit", "the job was ended because its time was used up".into())
        }
        LaunchEnd::ScratchLimit => scratch_limit(),
        LaunchEnd::NodeLost => failure(
            "node-lost",
            "The machine was lost",
            "the machine that the program ran on stopped answering".into(),
        ),
        LaunchEnd::Removed => removed(),
        LaunchEnd::Failed { reason } => failure("failed", "The program failed", reason.clone()),
        LaunchEnd::Disrupted { times: ..=1 } => failure(
            "disrupted",
            "Moved away",
            "the program was stopped to free the machine that it ran on".into(),
        ),
        LaunchEnd::Disrupted { times } => failure(
            "disrupted",
            "Moved away too often",
            format!("the program was stopped {times} times to free the machine that it ran on"),
        )
        .with("times", json!(times)),
    }
}

fn removed() -> Problem {
    failure("removed", "Ended from outside", "the job was ended by somebody else than this server".into())
}

fn scratch_limit() -> Problem {
    failure(
        "scratch-limit",
        "Scratch space",
        "the program's files took more space than `storageTempMin` gives".into(),
    )
}

fn lost_contact() -> Problem {
    failure(
        "lost-contact",
        "The server was out of reach",
        "the program's machine could not reach the server for too long".into(),
    )
}

/// The program ended well and wrote nothing for these.
pub(crate) fn missing_outputs(outputs: &[String]) -> Problem {
    failure(
        "output-missing",
        "Missing output",
        format!("the program ended well but wrote no output {}", quoted(outputs)),
    )
    .with("outputs", json!(outputs))
}

/// An output breaks its schema.
pub(crate) fn invalid_output(output: &str, faults: Vec<Fault>) -> Problem {
    let first = faults.first().map_or(String::new(), |fault| format!(": {}", fault.detail));
    let mut problem =
        failure("output-invalid", "Invalid output", format!("output `{output}` breaks its schema{first}"))
            .with("output", json!(output));
    problem.errors = faults;
    problem
}

fn staging_failed(faults: &[Fault]) -> Problem {
    let detail = match faults {
        [one] => format!("{}: {}", one.pointer, one.detail),
        many => format!("{} references could not be fetched, see `errors`", many.len()),
    };
    let mut problem = failure("staging-failed", "A reference could not be fetched", detail);
    problem.status = Some(400);
    problem.errors = faults.to_vec();
    problem
}

fn out_of_memory(peak: u64, limits: &Limits) -> Problem {
    let limit = limits
        .memory_bytes
        .map_or(String::new(), |limit| format!("; `memoryMax` allows {}", gigabytes(limit)));
    failure(
        "out-of-memory",
        "Out of memory",
        format!("the program was ended when it had {}{limit}", gigabytes(peak)),
    )
    .with("peakBytes", json!(peak))
    .with("limitBytes", json!(limits.memory_bytes))
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{:03} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 1_000_000)
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn failure(kind: &str, title: &str, detail: String) -> Problem {
    Problem {
        kind: format!("{}{kind}", exception::RUTTER),
        title: Some(title.into()),
        status: Some(500),
        detail: Some(detail),
        instance: None,
        errors: Vec::new(),
        more: JsonMap::new(),
    }
}

trait With {
    fn with(self, member: &str, value: Value) -> Self;
}

impl With for Problem {
    /// Absent values stay absent: no member is ever null.
    fn with(mut self, member: &str, value: Value) -> Self {
        if !value.is_null() {
            self.more.insert(member.into(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_end_has_a_type_of_its_own() {
        let reason = || "why".to_owned();
        let ends = [
            LaunchEnd::AgentLost,
            LaunchEnd::CannotStart { reason: reason() },
            LaunchEnd::ImageMissing { reason: reason() },
            LaunchEnd::OutOfMemory,
            LaunchEnd::TimeLimit,
            LaunchEnd::ScratchLimit,
            LaunchEnd::NodeLost,
            LaunchEnd::Removed,
            LaunchEnd::Disrupted { times: 5 },
            LaunchEnd::Exited { code: exit::LOST_CONTACT },
        ];
        let kinds: BTreeSet<String> = ends.iter().map(|end| exception_of_end(end).kind).collect();
        assert_eq!(kinds.len(), ends.len());
        assert_eq!(exception_of_end(&LaunchEnd::Exited { code: 1 }), agent_lost());
    }

    #[test]
    fn the_last_word_counts_unless_something_else_came_later() {
        let told = || exception_of(&Outcome::Exited { code: 3 }, &limits(), Vec::new());
        let stopped = || exception_of(&Outcome::Stopped, &limits(), Vec::new());
        let tail = || vec!["last".to_owned()];
        let kind = |told: Option<Problem>, end: LaunchEnd| {
            let problem = exception_of_launch(told, &end, tail());
            problem.kind.rsplit('/').next().unwrap_or_default().to_owned()
        };
        let exited = LaunchEnd::Exited { code: 1 };
        assert_eq!(kind(told(), exited.clone()), "exit-code");
        assert_eq!(
            kind(told(), LaunchEnd::OutOfMemory),
            "exit-code",
            "it reported before its container ended"
        );
        assert_eq!(kind(told(), LaunchEnd::Removed), "removed", "ended while it waited for another attempt");
        assert_eq!(kind(stopped(), exited), "removed");
        assert_eq!(kind(stopped(), LaunchEnd::TimeLimit), "time-limit");
        assert_eq!(kind(stopped(), LaunchEnd::Disrupted { times: 5 }), "disrupted");
        assert_eq!(kind(None, LaunchEnd::OutOfMemory), "out-of-memory");
        let last = exception_of_launch(None, &LaunchEnd::NodeLost, tail());
        assert_eq!(last.more["logTail"], json!(["last"]));
    }

    fn limits() -> Limits {
        serde_json::from_value(
            json!({"command_seconds": 1, "grace_seconds": 1, "output_bytes": 1, "log_bytes": 1,
            "contact_seconds": 1}),
        )
        .unwrap()
    }
}
