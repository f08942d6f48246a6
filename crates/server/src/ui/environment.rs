//! The templates and what they can call.

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};

use super::kind::kind;

const TEMPLATES: [(&str, &str); 13] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("macros.html", include_str!("templates/macros.html")),
    ("landing.html", include_str!("templates/landing.html")),
    ("conformance.html", include_str!("templates/conformance.html")),
    ("processes.html", include_str!("templates/processes.html")),
    ("process.html", include_str!("templates/process.html")),
    ("jobs.html", include_str!("templates/jobs.html")),
    ("job.html", include_str!("templates/job.html")),
    ("results.html", include_str!("templates/results.html")),
    ("log.html", include_str!("templates/log.html")),
    ("api.html", include_str!("templates/api.html")),
    ("error.html", include_str!("templates/error.html")),
    ("plain.html", include_str!("templates/plain.html")),
];

/// Every template, ready to be filled.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    for (name, source) in TEMPLATES {
        // They are part of the program and a test fills each one: a broken one never ships.
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!("the template {name} is broken: {error}");
        }
    }
    environment.add_filter("bytes", bytes);
    environment.add_filter("time", time);
    environment.add_filter("seconds", seconds);
    environment.add_filter("clock", clock);
    environment.add_filter("short", short);
    environment.add_filter("relation", last_step);
    environment.add_filter("last_step", last_step);
    environment.add_filter("ran", |job: Serde<serde_json::Value>| ran(&job.0));
    environment.add_filter("kind", |schema: Serde<serde_json::Value>| kind(&schema.0));
    environment.add_filter("needed", |input: Serde<serde_json::Value>| needed(&input.0));
    environment.add_filter("compact", compact);
    environment.add_filter("pretty", pretty);
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    environment.add_global("stylesheet", super::assets::stylesheet_path());
    environment.add_global("statuses", Value::from(Serde(rutter_types::StatusCode::ALL)));
    environment
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{number} bytes"),
        _ if value < 10.0 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A time for people: UTC, to the second.
fn time(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The time of day in UTC, to the millisecond.
fn clock(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%H:%M:%S%.3f").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// The end of a job's id, which differs where its beginning, a time, does not.
fn short(id: &str) -> String {
    let tail: String = id.chars().rev().take(8).collect();
    tail.chars().rev().collect()
}

/// What follows the last slash: the word of a registered relation, the name of a component.
fn last_step(text: &str) -> String {
    text.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How long a finished job ran.
fn ran(job: &serde_json::Value) -> String {
    let time = |name: &str| job.get(name)?.as_str()?.parse::<jiff::Timestamp>().ok();
    match (time("started"), time("finished")) {
        (Some(started), Some(finished)) => seconds(finished.duration_since(started).as_secs_f64()),
        _ => String::new(),
    }
}

/// Whether a request must have a value for an input.
fn needed(input: &serde_json::Value) -> bool {
    let least = input.get("minOccurs").and_then(serde_json::Value::as_u64).unwrap_or(1);
    least > 0 && input.pointer("/schema/default").is_none()
}

fn seconds(number: f64) -> String {
    if number < 60.0 {
        return format!("{number:.1} s");
    }
    let whole = number.round();
    let (hours, rest) = ((whole / 3600.0).floor(), whole % 3600.0);
    let (minutes, seconds) = ((rest / 60.0).floor(), rest % 60.0);
    if hours > 0.0 { format!("{hours} h {minutes} min") } else { format!("{minutes} min {seconds} s") }
}

fn compact(value: &Value) -> Result<String, minijinja::Error> {
    json(value, serde_json::to_string)
}

fn pretty(value: &Value) -> Result<String, minijinja::Error> {
    json(value, serde_json::to_string_pretty)
}

fn json(
    value: &Value,
    write: impl FnOnce(&serde_json::Value) -> serde_json::Result<String>,
) -> Result<String, minijinja::Error> {
    let failed = |error: serde_json::Error| {
        minijinja::Error::new(minijinja::ErrorKind::BadSerialization, "not JSON").with_source(error)
    };
    let value = serde_json::to_value(value).map_err(failed)?;
    write(&value).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(bytes(1_500), "1.5 kB");
        assert_eq!(bytes(123_456_789), "123 MB");
        assert_eq!(seconds(1.25), "1.2 s");
        assert_eq!(seconds(61.0), "1 min 1 s");
        assert_eq!(seconds(7260.0), "2 h 1 min");
        assert_eq!(time("2026-11-25T12:00:00.5Z"), "2026-11-25 12:00:00 UTC");
    }
}
