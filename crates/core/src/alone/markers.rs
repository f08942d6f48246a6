//! A result among what a program prints, as images of the older managers write it: a line with the media type, a line that says
//! that the value begins, and the value.
//!
//! Anything may stand before a marker in its line: loggers write their own words there. Of several results the last counts.

use serde_json::value::RawValue;

const MEDIA_TYPE: &str = "PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE";
const START: &str = "PYGEOAPI_K8S_MANAGER_RESULT_START";

/// Looks for markers line by line.
#[derive(Debug)]
pub(super) struct Markers {
    most: u64,
    media_type: Option<String>,
    value: Option<Marked>,
}

/// A result as it was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marked {
    /// As the program says it.
    pub(super) media_type: Option<String>,
    /// Lines of the value, each with its end.
    pub(super) text: String,
    /// Whether it was longer than it may be.
    pub(super) is_cut: bool,
}

impl Markers {
    /// `most` = most bytes of a value.
    pub(super) fn new(most: u64) -> Self {
        Self { most, media_type: None, value: None }
    }

    pub(super) fn line(&mut self, line: &str) {
        if let Some((_, after)) = line.split_once(MEDIA_TYPE) {
            let named = after.strip_prefix(':').map(str::trim).filter(|named| !named.is_empty());
            self.media_type = named.map(str::to_owned);
            // Some say it after the start.
            if let Some(value) = self.value.as_mut().filter(|value| value.text.trim().is_empty()) {
                value.media_type.clone_from(&self.media_type);
            }
        } else if let Some((_, after)) = line.split_once(START) {
            let after = after.trim_start_matches(':').trim();
            let text = if begins_json(after) { format!("{after}\n") } else { String::new() };
            self.value = Some(Marked { media_type: self.media_type.clone(), text, is_cut: false });
        } else if let Some(value) = &mut self.value {
            if (value.text.len() + line.len()) as u64 >= self.most {
                value.is_cut = true;
            } else {
                value.text.push_str(line.trim_end_matches('\r'));
                value.text.push('\n');
            }
        }
    }

    /// The last result.
    pub(super) fn result(self) -> Option<Marked> {
        self.value
    }
}

fn begins_json(text: &str) -> bool {
    text.starts_with(['{', '[', '"'])
}

/// The first JSON value of a text, as it stands; what follows is passed over.
pub(super) fn first_json(text: &str) -> Option<String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>();
    values.next()?.ok().map(|value| value.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(log: &str) -> Option<Marked> {
        let mut markers = Markers::new(100);
        log.lines().for_each(|line| markers.line(line));
        markers.result()
    }

    fn value(log: &str) -> (Option<String>, String) {
        let marked = of(log).unwrap();
        (marked.media_type, marked.text)
    }

    #[test]
    fn what_real_images_print() {
        let log = "start\n\
            2025-01-01 INFO - PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:application/json\n\
            2025-01-01 INFO - PYGEOAPI_K8S_MANAGER_RESULT_START\n\
            {\"id\": \"route\",\n  \"value\": \"s3://x\"}\n";
        let (media_type, text) = value(log);
        assert_eq!(media_type.as_deref(), Some("application/json"));
        assert_eq!(first_json(&text).unwrap(), "{\"id\": \"route\",\n  \"value\": \"s3://x\"}");
        let csv = value(
            "X PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE: text/csv; charset=utf-8\nPYGEOAPI_K8S_MANAGER_RESULT_START\na,b\r\n  1,2\n",
        );
        assert_eq!(csv, (Some("text/csv; charset=utf-8".into()), "a,b\n  1,2\n".into()));
    }

    #[test]
    fn the_last_of_several_counts_and_odd_orders_are_understood() {
        let start = "PYGEOAPI_K8S_MANAGER_RESULT_START";
        assert_eq!(value(&format!("{start}\n1\n{start}\n2\n")).1, "2\n");
        assert_eq!(value(&format!("{start} {{\"a\": 1}}\n")).1, "{\"a\": 1}\n");
        assert_eq!(value(&format!("{start} words\nx\n")).1, "x\n");
        let late = value(&format!("{start}\nPYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:text/csv\na\n"));
        assert_eq!(late, (Some("text/csv".into()), "a\n".into()));
        let bare = value(&format!("PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE\n{start}\n"));
        assert_eq!(bare, (None, String::new()));
        assert_eq!(of("nothing\n"), None);
        assert_eq!(of("PYGEOAPI_K8S_MANAGER_RESULT_MIMETYPE:a/b\n"), None);
    }

    #[test]
    fn values_have_a_limit() {
        let marked = of(&format!("PYGEOAPI_K8S_MANAGER_RESULT_START\n{}\nx\n", "y".repeat(200))).unwrap();
        assert!(marked.is_cut && marked.text.len() <= 100);
    }

    #[test]
    fn the_first_json_value_of_a_text() {
        assert_eq!(first_json(" {\"a\": 1.50} and more").as_deref(), Some("{\"a\": 1.50}"));
        assert_eq!(first_json("[1]\n{\n").as_deref(), Some("[1]"));
        assert_eq!(first_json("{\"a\": "), None);
        assert_eq!(first_json("INFO x"), None);
        assert_eq!(first_json(""), None);
    }
}
