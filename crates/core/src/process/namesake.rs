//! Processes by what their programs are told: what other systems noted of a job names no process of ours.

use super::{ExecutionUnit, Process};

/// Of these, the process whose program is told this id; of several the one of that image.
pub fn told_as<'a>(
    processes: impl IntoIterator<Item = &'a Process>,
    told: &str,
    image: Option<&str>,
) -> Option<&'a Process> {
    let named = |process: &&Process| process.legacy_id.as_deref().unwrap_or(process.id.as_str()) == told;
    let named: Vec<&Process> = processes.into_iter().filter(named).collect();
    let of_image = |process: &&&Process| {
        let mut units = process.units.iter();
        units.any(|unit| matches!(unit, ExecutionUnit::Docker(unit) if Some(unit.image.as_str()) == image))
    };
    named.iter().find(of_image).or_else(|| named.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::tests::process;

    fn package(id: &str, legacy: &str, image: &str) -> Process {
        process(&format!(
            "processDescription: {{process: {{id: {id}, legacyId: {legacy}, version: '1'}}}}\n\
             executionUnit: {{type: docker, image: '{image}', contract: pygeoapi}}"
        ))
    }

    #[test]
    fn the_image_tells_those_apart_that_are_told_the_same() {
        let all =
            [package("a", "notebook", "x:1"), package("b", "notebook", "x:2"), package("c", "route", "x:1")];
        let found = |told: &str, image| told_as(&all, told, image).map(|process| process.id.as_str());
        assert_eq!(found("notebook", Some("x:2")), Some("b"));
        assert_eq!(found("notebook", Some("other")), Some("a"));
        assert_eq!(found("route", None), Some("c"));
        assert_eq!(found("c", None), None, "it is told another id");
    }
}
