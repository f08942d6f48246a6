//! Arguments of an order to words of a command line. No shell is involved anywhere.

use std::path::Path;

use rutter_types::agent::{Arg, FileField, Part, WorkOrder};

use super::Error;
use crate::stage::Ready;

/// Puts the parts of each argument together.
pub(super) fn expand(order: &WorkOrder, ready: &Ready) -> Result<Vec<String>, Error> {
    if order.command.is_empty() {
        return Err(Error::Empty);
    }
    let word = |argument: &Arg| argument.0.iter().map(|part| text(part, order, ready)).collect();
    order.command.iter().map(word).collect()
}

fn text(part: &Part, order: &WorkOrder, ready: &Ready) -> Result<String, Error> {
    match part {
        Part::Text(text) => Ok(text.clone()),
        Part::File { stage, field } => {
            let path = ready.paths.get(*stage).ok_or(Error::NoSuchFile(*stage))?;
            Ok(of_path(path, *field))
        }
        Part::Staged { stage } => {
            let item = order.stage.get(*stage).ok_or(Error::NoSuchFile(*stage))?;
            let value = ready.value(item).ok_or(Error::NoSuchFile(*stage))?;
            Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }
    }
}

fn of_path(path: &Path, field: FileField) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name that starts with its only dot has no extension.
    let dot = name.rfind('.').filter(|at| *at > 0);
    match field {
        FileField::Path => path.to_string_lossy().into_owned(),
        FileField::Basename => name.into_owned(),
        FileField::Nameroot => name[..dot.unwrap_or(name.len())].to_owned(),
        FileField::Nameext => name[dot.unwrap_or(name.len())..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_a_path() {
        let all = |path: &str| {
            [FileField::Path, FileField::Basename, FileField::Nameroot, FileField::Nameext]
                .map(|field| of_path(Path::new(path), field))
        };
        assert_eq!(all("/in/a/dem.tar.gz"), ["/in/a/dem.tar.gz", "dem.tar.gz", "dem.tar", ".gz"]);
        assert_eq!(all("/in/.hidden"), ["/in/.hidden", ".hidden", ".hidden", ""]);
    }

    fn order(command: serde_json::Value) -> WorkOrder {
        let stage = |input: &str, index: Option<usize>| {
            json!({"input": input, "index": index, "name": "x",
            "source": {"text": ""}, "becomes": "value"})
        };
        serde_json::from_value(json!({"job": "j", "process": "p", "inputs": {}, "command": command, "outputs": [],
            "stage": [stage("text", None), stage("many", Some(1))],
            "limits": {"command_seconds": 1, "grace_seconds": 1, "output_bytes": 1, "log_bytes": 1, "contact_seconds": 1},
            "fetch": {"max_bytes": 1, "idle_seconds": 1, "max_redirects": 1, "private_networks": false, "allow": []}}))
        .unwrap()
    }

    #[test]
    fn parts_make_one_word_whatever_is_in_them() {
        let inputs = json!({"text": "a b", "many": [1, {"x": [1, 2]}]});
        let ready = Ready { paths: vec!["/in/a b".into()], inputs: inputs.as_object().unwrap().clone() };
        let expanded = |command| expand(&order(command), &ready);
        let file = json!({"file": {"stage": 0, "field": "basename"}});
        assert_eq!(expanded(json!([[{"text": "--f= $(x) "}, file]])).unwrap(), ["--f= $(x) a b"]);
        let values = json!([[{"staged": {"stage": 0}}], [{"staged": {"stage": 1}}]]);
        assert_eq!(expanded(values).unwrap(), ["a b", r#"{"x":[1,2]}"#]);
        let missing = json!([[{"file": {"stage": 3, "field": "path"}}]]);
        assert!(matches!(expanded(missing), Err(Error::NoSuchFile(3))));
        assert!(matches!(expanded(json!([])), Err(Error::Empty)));
    }
}
