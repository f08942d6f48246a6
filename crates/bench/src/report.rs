//! The table, and how its figures are written.

use std::time::Duration;

/// Rows as they are measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 5]>,
}

impl Report {
    /// A row: what was measured, the reference, how they compare, the goal.
    pub(crate) fn row(
        &mut self,
        work: &str,
        measured: String,
        reference: String,
        compared: String,
        goal: &str,
    ) {
        eprintln!("{work}: {measured}, reference {reference}: {compared} (goal: {goal})");
        self.rows.push([work.into(), measured, reference, compared, goal.into()]);
    }

    /// A row whose goal is a plain number.
    pub(crate) fn plain(&mut self, work: &str, measured: String, goal: &str) {
        self.row(work, measured, String::new(), String::new(), goal);
    }

    /// Print the table in Markdown.
    pub(crate) fn print(&self) {
        println!("| work | measured | reference | compared | goal |\n|---|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The one that this share of all is not longer than.
pub(crate) fn percentile(times: &[Duration], share: f64) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() as f64 * share).ceil() as usize;
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// 2^20 bytes.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Number per second.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{per_second:.0}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 0.5), Duration::from_millis(50));
        assert_eq!(percentile(&times, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&times[..1], 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }

    #[test]
    fn one_bad_round_does_not_move_the_median() {
        assert_eq!(median(vec![0.9, 0.01, 0.8]), 0.8);
    }
}
