//! "Did you mean …": the known word nearest to a misspelt one.

/// The candidate nearest to `word`, if it is near enough to be meant: a third of its letters may be wrong, or its end
/// missing.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let folded = fold(word);
    if folded.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| Some((score(&folded, &fold(candidate))?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits from one word to the other; `None` when they are not near.
fn score(word: &[char], candidate: &[char]) -> Option<usize> {
    const SHORTEST_START: usize = 4;
    let distance = distance(word, candidate);
    let near = distance <= (candidate.len() / 3).clamp(1, 3);
    let start = word.len() >= SHORTEST_START && candidate.starts_with(word);
    (near || start).then_some(distance)
}

/// Case, hyphens and underscores are what people get wrong without noticing.
fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Edit distance where two swapped neighbours count as one edit (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let differs = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + differs);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_found() {
        let known = ["cpuMin", "cpuMax", "memoryMin", "memoryMax", "jobTimeout"];
        let near = |word: &str| nearest(word, known);
        assert_eq!(near("cpumin"), Some("cpuMin"));
        assert_eq!(near("memory_max"), Some("memoryMax"));
        assert_eq!(near("jobTimoeut"), Some("jobTimeout"));
        assert_eq!(near("memory"), Some("memoryMin"));
        assert_eq!(near("volumes"), None);
        assert_eq!(near(&"x".repeat(10_000)), None);
        assert_eq!(near(""), None);
    }
}
