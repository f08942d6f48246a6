//! Files that lie beside a package: a pod has them as a program of the server's machine does.

use std::fs;

use rutter_e2e::{Client, Package, shell};
use serde_json::{Value, json};

use crate::bed;

const TABLE: &str = "x,y\n1,2\n";

/// Two defaults that are files, one of them read as a value.
fn package() -> Package {
    shell("defaults", "unused")
        .input(
            "table",
            json!({"schema": {"type": "string", "contentMediaType": "text/csv", "default": {"href": "data/table.csv"}}}),
        )
        .input("level", json!({"schema": {"type": "object", "required": ["m"], "default": {"href": "data/level.json"}}}))
        .unit("command", json!(["sh", "-c", "cat $1; echo $2", "-", "$(inputs.table.path)", "$(inputs.level)"]))
}

fn result(client: &Client, inputs: &Value) -> Value {
    let job = client.submit("defaults", inputs);
    let status = client.finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    client.get(&format!("{job}/results?f=json")).expect(200).json()
}

#[test]
fn defaults_that_are_files_are_the_same_on_this_machine_and_on_the_cluster() {
    let _turn = bed::turn();
    let servers = [bed::local(&[package()]), bed::server(&[package()])].map(|server| {
        server.file("processes/data/level.json", "{\"m\": 3}").file("processes/data/table.csv", TABLE).start()
    });
    let [local, cluster] = servers.each_ref().map(|server| server.client());
    for inputs in [json!({}), json!({"table": "own\n"}), json!({"level": {"m": 1}})] {
        assert_eq!(result(&cluster, &inputs), result(&local, &inputs), "{inputs}");
    }
    for server in &servers {
        fs::remove_file(server.folder().join("processes/data/table.csv")).unwrap();
        let job = server.client().submit("defaults", &json!({}));
        let status = server.client().finish(&job);
        assert!(status["exception"]["type"].as_str().unwrap().ends_with("/staging-failed"), "{status}");
        assert!(status["exception"]["detail"].as_str().unwrap().contains("data/table.csv"), "{status}");
    }
}
