//! Findings as compilers show them: the place, the line, a mark below the column, the remedy.

use rutter_core::process::Finding;

/// Characters of a line that are shown around the place.
const WIDTH: usize = 110;

/// One finding, with the line of the file that it is about.
pub(super) fn finding(out: &mut String, level: &str, finding: &Finding, text: &str) {
    out.push_str(&finding.file.display().to_string());
    if finding.line > 0 {
        out.push_str(&format!(":{}:{}", finding.line, finding.column));
    }
    out.push_str(&format!(": {level}: "));
    if !finding.path.is_empty() {
        out.push_str(&format!("{}: ", plain(&finding.path)));
    }
    out.push_str(&plain(&finding.message));
    out.push('\n');
    source_line(out, finding, text);
    if let Some(remedy) = &finding.remedy {
        out.push_str(&format!("    = {}\n", plain(remedy)));
    }
}

fn source_line(out: &mut String, finding: &Finding, text: &str) {
    let Some(index) = usize::try_from(finding.line).ok().and_then(|line| line.checked_sub(1)) else { return };
    let Some(line) = text.lines().nth(index) else { return };
    let column = usize::try_from(finding.column).unwrap_or(1).max(1) - 1;
    let start = column.saturating_sub(WIDTH / 2);
    let shown: String = line.chars().skip(start).take(WIDTH).map(visible).collect();
    let number = finding.line.to_string();
    let margin = " ".repeat(number.len());
    let mark = " ".repeat(column - start);
    out.push_str(&format!("  {number} | {}\n  {margin} | {mark}^\n", shown.trim_end()));
}

/// A terminal obeys control characters: none must reach it.
fn plain(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// `1 fault`, `2 faults`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
