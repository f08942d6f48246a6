//! What EOX's callers may choose of the pod: amounts of CPU and memory, the kind of machine, the image.

use serde_json::{Map, Value, json};

use super::pod::says_something;
use crate::{remark::Report, spot::Spot, trial};

/// Amounts as Kubernetes writes them.
const AMOUNT: &str = "^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";
/// Where the kind of machine stands.
const PURPOSE: &str = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/\
                       matchExpressions/0/values/0";

/// Inputs that choose something, and what they choose (`fromInputs` of a unit).
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) inputs: Map<String, Value>,
    pub(super) places: Map<String, Value>,
}

impl Chosen {
    /// By what the processor allows; `template` = what the pod is without it.
    pub(super) fn read(report: &mut Report, processor: &Spot<'_>, template: &Value) -> Self {
        let mut chosen = Self::default();
        for (input, title, part, resource) in [
            ("cpu_limit", "Cores at most", "limits", "cpu"),
            ("mem_limit", "Memory at most", "limits", "memory"),
            ("cpu_requests", "Cores", "requests", "cpu"),
            ("mem_requests", "Memory", "requests", "memory"),
        ] {
            let schema = json!({"type": ["string", "number"], "pattern": AMOUNT, "exclusiveMinimum": 0});
            chosen.add(input, title, schema);
            // What the configuration says wins, as it does there.
            let place = format!("/spec/containers/0/resources/{part}/{resource}");
            if template.pointer(&format!("/podTemplate{place}")).is_none() {
                chosen.places.insert(input.to_owned(), place.into());
            }
        }
        if template.pointer(&format!("/podTemplate{PURPOSE}")).is_some() {
            chosen.allowed(
                report,
                processor,
                "allowed_node_purposes_regex",
                ("node_purpose", "Kind of machine", PURPOSE),
            );
        }
        // A label that only one vendor's machines know.
        chosen.add("run_on_fargate", "Run on Fargate", json!({"enum": [false]}));
        chosen
    }

    /// An input whose values an expression of Python allows; without one it is refused.
    pub(super) fn allowed(
        &mut self,
        report: &mut Report,
        processor: &Spot<'_>,
        key: &str,
        (input, title, place): (&str, &str, &str),
    ) {
        let Some(spot) = says_something(processor, key) else { return };
        let Some(expression) = report.text(&spot) else { return };
        // `fullmatch` of Python: all of it.
        let schema = json!({"type": "string", "pattern": format!("^(?:{expression})$")});
        match trial::value("inputs", input, &json!({"schema": schema})) {
            Ok(()) => {
                self.add(input, title, schema);
                self.places.insert(input.to_owned(), place.into());
            }
            Err(why) => report.doubt(&spot, format!("{why}; the input `{input}` is refused")),
        }
    }

    fn add(&mut self, input: &str, title: &str, schema: Value) {
        self.inputs.insert(input.to_owned(), json!({"title": title, "schema": schema, "minOccurs": 0}));
    }
}
