//! Resources and limits, from the package or else from the server's configuration.

use rutter_types::agent::Limits;

use super::{Needs, PlanDefaults};
use crate::process::Config;

/// Bytes of a GB, as the standard writes sizes (Part 2, `config`).
const GB: f64 = 1e9;
/// Longest time for a command, in seconds: ten years. A time limit always ends.
const LONGEST: f64 = 10.0 * 366.0 * 86_400.0;

/// What a job holds while it runs.
pub(super) fn needs(config: &Config, defaults: &PlanDefaults) -> Needs {
    let memory = config.memory_min.or(config.memory_max);
    Needs {
        cpu_milli: config.cpu_min.map_or(defaults.needs.cpu_milli, |cores| whole(cores * 1000.0)),
        memory_bytes: memory.map_or(defaults.needs.memory_bytes, |memory| whole(memory * GB)),
    }
}

/// Most thousandths of a core.
pub(super) fn cpu_limit(config: &Config) -> Option<u64> {
    config.cpu_max.map(|cores| whole(cores * 1000.0))
}

/// What an attempt must keep to.
pub(super) fn limits(config: &Config, defaults: &PlanDefaults) -> Limits {
    let limits = &defaults.limits;
    let time = config.job_timeout.map(|seconds| whole(seconds.clamp(1.0, LONGEST)));
    Limits {
        command_seconds: time.unwrap_or(limits.command_seconds),
        grace_seconds: limits.grace_seconds,
        memory_bytes: config.memory_max.map(|memory| whole(memory * GB)),
        scratch_bytes: config.storage_temp_min.map(|space| whole(space * GB)).or(limits.scratch_bytes),
        output_bytes: config.storage_outputs_min.map_or(limits.output_bytes, |space| whole(space * GB)),
        log_bytes: limits.log_bytes,
        contact_seconds: limits.contact_seconds,
    }
}

/// Rounded up to a whole number; what is no number, or negative, is 0 (the cast saturates).
fn whole(number: f64) -> u64 {
    // 0.1 * 1e9 and its likes are a hair off: they are not rounded up to the next byte.
    let rounded = number.round();
    if (number - rounded).abs() < 1e-6 { rounded as u64 } else { number.ceil() as u64 }
}
