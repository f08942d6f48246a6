//! The same package gives the same results, statuses, exceptions and logs on this machine and on the cluster.

use rutter_e2e::{Client, Package, shell};
use serde_json::{Value, json};

use crate::bed;

/// A package, the inputs it gets, and which exception it ends with.
struct Case {
    package: Package,
    inputs: Value,
    exception: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let case = |package, inputs, exception| Case { package, inputs, exception };
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
struct Seen {
    status: String,
    exception: Option<String>,
    results: Option<Value>,
    log: Vec<String>,
}

fn run(client: &Client, case: &Case) -> Seen {
    let job = client.submit(case.package.id(), &case.inputs);
    let status = client.finish(&job);
    let exception = status["exception"]["type"].as_str().map(str::to_owned);
    let results = (status["status"] == "successful" && has_outputs(client, &job))
        .then(|| client.get(&format!("{job}/results?f=json")).expect(200).json());
    let log = client.get(&format!("{job}/logs")).expect(200).text();
    let mut log: Vec<String> =
        log.lines().map(|line| line.split_once(' ').unwrap_or((line, "")).1.to_owned()).collect();
    // The order of two streams is that of their arrival.
    log.sort();
    Seen { status: status["status"].as_str().unwrap_or_default().to_owned(), exception, results, log }
}

fn has_outputs(client: &Client, job: &str) -> bool {
    client.get(&format!("{job}/results")).status == 200
}

#[test]
fn the_same_on_this_machine_and_on_the_cluster() {
    let _turn = bed::turn();
    let cases = cases();
    let packages: Vec<Package> = cases.iter().map(|case| case.package.clone()).collect();
    let local = bed::local(&packages).start();
    let cluster = bed::server(&packages).start();
    for case in &cases {
        let there = run(&local.client(), case);
        let here = run(&cluster.client(), case);
        assert_eq!(here, there, "{}", case.package.id());
        let kind = here.exception.as_deref().and_then(|kind| kind.rsplit('/').next());
        assert_eq!(kind, case.exception, "{}: {here:?}", case.package.id());
    }
}
