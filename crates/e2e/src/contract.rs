//! The contract with programs, as cases that must look the same wherever they run.

use serde_json::{Value, json};

use crate::{Client, Package, shell};

/// A package, the inputs it gets, and which exception it ends with.
#[derive(Clone, Debug)]
pub struct Case {
    /// The package.
    pub package: Package,
    /// Its inputs.
    pub inputs: Value,
    /// Last part of the exception's type.
    pub exception: Option<&'static str>,
    /// What a failed program said of its failure, and the outputs that it left.
    pub failure: Option<(&'static str, &'static str)>,
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let case = |package, inputs, exception| Case { package, inputs, exception, failure: None };
    let text = json!({"schema": {"type": "string"}});
    let file = json!({"schema": {"type": "string", "contentMediaType": "text/csv"}});
    vec![
        case(shell("prints", "echo hello; echo aside >&2"), json!({}), None),
        case(
            shell(
                "reads",
                "cat \"$RUTTER_INPUTS_FILE\"; echo; cat \"$1\"; env | grep -c ^RUTTER_AGENT_ || true",
            )
            .unit(
                "command",
                json!([
                    "sh",
                    "-c",
                    "cat $1; echo $0; env | grep -c ^RUTTER_AGENT_; true",
                    "$(inputs.word)",
                    "$(inputs.table.path)"
                ]),
            )
            .input("word", text.clone())
            .input("table", file.clone()),
            json!({"word": "a b; rm -rf / $(x) \u{fc}", "table": "x,y\n1,2\n"}),
            None,
        ),
        case(
            Package::new(
                "files",
                json!([
                    "sh",
                    "-c",
                    "echo 1,2 > $RUTTER_OUT/table.csv; pwd > /dev/null; cd $RUTTER_WORK && echo 3 > other"
                ]),
            )
            .output("table", file),
            json!({}),
            None,
        ),
        case(shell("exits", "echo last words; exit 7"), json!({}), Some("exit-code")),
        Case {
            package: Package::new(
                "explains",
                json!([
                    "sh",
                    "-c",
                    "echo half > $RUTTER_OUT/draft.txt; echo 'no water' > $RUTTER_FAILURE; exit 3"
                ]),
            )
            .output("draft", text.clone())
            .output("other", text.clone())
            .unit("bindings", json!({"outputBindings": {"draft": {"whenFailed": true}}})),
            inputs: json!({}),
            exception: Some("exit-code"),
            failure: Some(("no water", "half\n")),
        },
        case(shell("killed", "kill -9 $$"), json!({}), Some("signal")),
        case(shell("slow", "sleep 600").config("jobTimeout", json!(1)), json!({}), Some("time-limit")),
        case(Package::new("silent", json!(["true"])).output("y", text), json!({}), Some("output-missing")),
        case(Package::new("nothing-there", json!(["no-such-program"])), json!({}), Some("cannot-start")),
        case(
            shell("again", "echo attempt; exit 1").config("retries", json!(1)),
            json!({}),
            Some("exit-code"),
        ),
    ]
}

/// What a caller sees of an execution, without what may differ.
#[derive(Debug, PartialEq)]
pub struct Seen {
    status: String,
    exception: Option<String>,
    detail: Option<String>,
    results: Option<Value>,
    left: Vec<String>,
    log: Vec<String>,
}

impl Seen {
    /// Whether it is what the case is to end with.
    pub fn check(&self, case: &Case) {
        let id = case.package.id();
        assert_eq!(self.exception(), case.exception, "{id}: {self:?}");
        if let Some((detail, left)) = case.failure {
            assert_eq!(
                (self.detail.as_deref(), self.left.as_slice()),
                (Some(detail), &[left.to_owned()][..]),
                "{id}"
            );
        }
    }

    /// Last part of the exception's type.
    pub fn exception(&self) -> Option<&str> {
        self.exception.as_deref().and_then(|kind| kind.rsplit('/').next())
    }
}

/// Execute a case, and look at it.
pub fn run(client: &Client, case: &Case) -> Seen {
    let job = client.submit(case.package.id(), &case.inputs);
    let status = client.finish(&job);
    let exception = status["exception"]["type"].as_str().map(str::to_owned);
    let results = (status["status"] == "successful" && has_outputs(client, &job))
        .then(|| client.get(&format!("{job}/results?f=json")).expect(200).json());
    // What the program itself says must be the same; other words may tell of the place.
    let own = exception.as_deref().is_some_and(|kind| kind.ends_with("/exit-code"));
    let detail = status["exception"]["detail"].as_str().filter(|_| own).map(str::to_owned);
    let left = left(client, &status);
    let log = client.get(&format!("{job}/logs")).expect(200).text();
    let mut log: Vec<String> =
        log.lines().map(|line| line.split_once(' ').unwrap_or((line, "")).1.to_owned()).collect();
    // The order of two streams is that of their arrival.
    log.sort();
    let status = status["status"].as_str().unwrap_or_default().to_owned();
    Seen { status, exception, detail, results, left, log }
}

/// Outputs of a failed job, by the links of its status.
fn left(client: &Client, status: &Value) -> Vec<String> {
    let links = status["links"].as_array().into_iter().flatten();
    let of_output = |link: &Value| {
        let path = link["href"].as_str()?;
        let path = path.get(path.find("/jobs/")?..)?.to_owned();
        path.contains("/results/").then_some(path)
    };
    links.filter_map(of_output).map(|path| client.get(&path).expect(200).text()).collect()
}

fn has_outputs(client: &Client, job: &str) -> bool {
    client.get(&format!("{job}/results")).status == 200
}
