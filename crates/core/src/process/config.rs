//! Reads `config` of an execution unit: resources and limits.

use super::{
    Config,
    walk::{Report, Spot},
};

const MEMBERS: [&str; 9] = [
    "cpuMin",
    "cpuMax",
    "memoryMin",
    "memoryMax",
    "gpus",
    "storageTempMin",
    "storageOutputsMin",
    "jobTimeout",
    "retries",
];

/// More than any machine has; keeps every sum of bytes and thousandths within 64 bits.
const LARGEST: f64 = 1e9;

/// What is wanted and allowed. Faults are reported.
pub(super) fn read(report: &mut Report<'_>, spot: &Spot<'_>) -> Config {
    if !report.object(spot, &MEMBERS) {
        return Config::default();
    }
    let mut amount =
        |name: &str, unit: &str| spot.get(name).and_then(|member| positive(report, &member, unit));
    let config = Config {
        cpu_min: amount("cpuMin", "cores"),
        cpu_max: amount("cpuMax", "cores"),
        memory_min: amount("memoryMin", "GB (10^9 bytes)"),
        memory_max: amount("memoryMax", "GB (10^9 bytes)"),
        storage_temp_min: amount("storageTempMin", "GB (10^9 bytes)"),
        storage_outputs_min: amount("storageOutputsMin", "GB (10^9 bytes)"),
        job_timeout: amount("jobTimeout", "seconds"),
        gpus: spot.get("gpus").and_then(|member| report.whole(&member)),
        retries: spot.get("retries").and_then(|member| report.whole(&member)),
    };
    ordered(report, spot, ("cpuMin", config.cpu_min), ("cpuMax", config.cpu_max));
    ordered(report, spot, ("memoryMin", config.memory_min), ("memoryMax", config.memory_max));
    if let (Some(cores), Some(member)) = (config.cpu_min, spot.get("cpuMin"))
        && cores < 1.0
    {
        let message =
            "is less than 1, the least that the schema of Part 2 allows; this server takes fractions";
        report.notice(&member, message, None);
    }
    config
}

fn positive(report: &mut Report<'_>, spot: &Spot<'_>, unit: &str) -> Option<f64> {
    let number = report.number(spot)?;
    if number > 0.0 && number <= LARGEST {
        return Some(number);
    }
    report.fault(
        spot,
        format!("must be more than 0 and at most {LARGEST}, is {number}"),
        format!("write {unit}"),
    );
    None
}

fn ordered(report: &mut Report<'_>, spot: &Spot<'_>, least: (&str, Option<f64>), most: (&str, Option<f64>)) {
    let (Some(low), Some(high), Some(at)) = (least.1, most.1, spot.get(least.0)) else { return };
    if low > high {
        let message = format!("is {low}, more than {}, which is {high}", most.0);
        report.fault(&at, message, format!("lower it to {high}, or raise {}", most.0));
    }
}
