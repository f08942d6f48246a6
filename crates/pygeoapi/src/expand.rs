//! `$(NAME)` as Kubernetes fills it in, in commands and in values of variables.
//!
//! 52N hands a command to Kubernetes as it stands. Here the agent hands it to the program, and Kubernetes does not see it; so
//! what it would have filled in is filled in when the file is read, as far as the file says it.

use std::collections::HashMap;

/// What is known of a container's variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// `None`: it has a value that stands in no file.
    values: HashMap<String, Option<String>>,
}

/// What came of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Names of variables whose values are known only in the cluster; they are left as they stand.
    pub(crate) unknown: Vec<String>,
}

impl Variables {
    /// A variable with its value; `None` = one that is known only in the cluster.
    pub(crate) fn set(&mut self, name: &str, value: Option<String>) {
        self.values.insert(name.to_owned(), value);
    }

    /// The text as Kubernetes would give it to the program.
    pub(crate) fn expand(&self, text: &str) -> Expanded {
        let mut expanded = Expanded { text: String::new(), unknown: Vec::new() };
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            expanded.text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.text.push('$');
                rest = after;
                continue;
            }
            match rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
                Some((name, after)) => {
                    self.fill(&mut expanded, name);
                    rest = after;
                }
                None => expanded.text.push('$'),
            }
        }
        expanded.text.push_str(rest);
        expanded
    }

    fn fill(&self, expanded: &mut Expanded, name: &str) {
        if let Some(Some(value)) = self.values.get(name) {
            expanded.text.push_str(value);
            return;
        }
        if self.values.contains_key(name) {
            expanded.unknown.push(name.to_owned());
        }
        expanded.text.push_str(&format!("$({name})"));
    }
}

/// The text as a command of a package has it: `$(` alone would name an input.
pub(crate) fn as_argument(text: &str) -> String {
    text.replace("$(", "$$(")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> (String, Vec<String>) {
        let mut variables = Variables::default();
        variables.set("BUCKET", Some("data".to_owned()));
        variables.set("KEY", None);
        let expanded = variables.expand(text);
        (expanded.text, expanded.unknown)
    }

    #[test]
    fn texts_are_expanded_as_kubernetes_does() {
        for (text, wanted) in [
            ("s3://$(BUCKET)/x", "s3://data/x"),
            ("$$(BUCKET)", "$(BUCKET)"),
            ("$$$(BUCKET)", "$data"),
            ("$(date) $BUCKET ${BUCKET} $", "$(date) $BUCKET ${BUCKET} $"),
            ("$(BUCKET", "$(BUCKET"),
            ("echo $$", "echo $"),
            ("$()", "$()"),
        ] {
            assert_eq!(expanded(text), (wanted.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_only_the_cluster_knows_is_told() {
        assert_eq!(expanded("--key=$(KEY)"), ("--key=$(KEY)".to_owned(), vec!["KEY".to_owned()]));
    }

    #[test]
    fn arguments_keep_their_text() {
        assert_eq!(as_argument("echo $(date) $$(x"), "echo $$(date) $$$(x");
    }
}
