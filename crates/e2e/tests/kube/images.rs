//! Images whose package names no command: what they run by themselves is looked up in a real registry.

use rutter_e2e::{Package, wait_until};
use rutter_testcluster::Image;
use serde_json::{Value, json};

use crate::bed;

/// Name `me`, password `hunter2-registry`.
pub(crate) const USERS: &str = "me:$2b$04$O1t0h4nf6As2QhKpmNnc/.nY.R5FC/Kiz5d2Z5qgfhLb.0R5kfHvK\n";

const SCRIPT: &str = "#!/bin/sh
echo \"$1 in $(pwd) as $(id -u)\"
cp \"$RUTTER_INPUTS_FILE\" \"$RUTTER_OUT/inputs.json\"
";

/// An image with a user of its own, whose ENTRYPOINT is relative to its WORKDIR and has an argument with dollars; CMD is the second
/// argument.
fn image() -> Image {
    Image::busybox("model")
        .bytes("/opt/model/run", SCRIPT, 0o755)
        .workdir("/opt/model")
        .user("1234:1234")
        .entrypoint(["./run", "costs $(HOME) $$5"])
        .command(["ignored"])
}

fn package(id: &str, image: &str) -> Package {
    Package::new(id, json!([]))
        .in_image(image)
        .without_command()
        .input("level", json!({"schema": {"type": "number"}}))
        .output("inputs", json!({"schema": {"type": "object"}}))
        .stdout_output("out")
}

fn results(server: &rutter_e2e::Server, process: &str) -> Value {
    let client = server.client();
    let job = client.submit(process, &json!({"level": 3}));
    let status = client.finish(&job);
    assert_eq!(status["status"], "successful", "{status}");
    client.get(&format!("{job}/results?f=json")).expect(200).json()
}

#[test]
fn images_run_what_they_run_by_themselves() {
    let _turn = bed::turn();
    let registry = bed::cluster().registry("").unwrap();
    let docker = package("docker", &registry.put(&image(), "team/model:1").unwrap());
    let oci = package("oci", &registry.put_index(&image(), "team/model:many").unwrap());
    let server = bed::server_of_images(&[docker, oci], "").start();
    for process in ["docker", "oci"] {
        let results = results(&server, process);
        assert_eq!(results["inputs"]["value"], json!({"level": 3}), "{results}");
        assert_eq!(results["out"], "costs $(HOME) $$5 in /opt/model as 1234\n", "{results}");
    }
}

#[test]
fn a_private_image_is_looked_up_with_the_secret_that_pods_use() {
    let _turn = bed::turn();
    let registry = bed::cluster().registry(USERS).unwrap();
    let image = registry.put(&image(), "private/model:1").unwrap();
    let (host, user, password) =
        (registry.host(), "--docker-username=me", "--docker-password=hunter2-registry");
    let host = format!("--docker-server={host}");
    bed::cluster()
        .kubectl(["create", "secret", "docker-registry", "registry", &host, user, password])
        .unwrap();
    let own = package("own", &image).unit("kubernetes", json!({"imagePullSecrets": [{"name": "registry"}]}));
    let without = package("without", &image);
    let server = bed::server_of_images(&[own, without.clone()], "").expect_warning("refuses access").start();
    assert_eq!(results(&server, "own")["inputs"]["value"], json!({"level": 3}));
    let job = server.client().submit("without", &json!({"level": 3}));
    let status = server.client().finish(&job);
    assert!(status["exception"]["detail"].as_str().unwrap().contains("imagePullSecrets"), "{status}");

    let named = bed::server_of_images(&[without], "  imagePullSecrets: [registry]").start();
    assert_eq!(results(&named, "without")["inputs"]["value"], json!({"level": 3}));
    for log in [server.log(), named.log()] {
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[test]
fn what_can_not_be_looked_up_is_said_and_tried_again() {
    let _turn = bed::turn();
    let mut registry = bed::cluster().registry("").unwrap();
    let there = package("there", &registry.put(&image(), "team/model:1").unwrap());
    let missing = package("missing", &format!("{}/team/missing:1", registry.host()));
    let none = package("none", &registry.put(&Image::scratch("none"), "team/none:1").unwrap());
    let server =
        bed::server_of_images(&[there, missing, none], "").expect_warning("could not look up").start();
    let client = server.client();
    for (process, kind, word) in
        [("missing", "image-missing", "no such image"), ("none", "cannot-start", "ENTRYPOINT")]
    {
        let job = client.submit(process, &json!({"level": 3}));
        let exception = client.finish(&job)["exception"].clone();
        assert!(exception["type"].as_str().unwrap().ends_with(kind), "{exception}");
        assert!(exception["detail"].as_str().unwrap().contains(word), "{exception}");
    }
    registry.stop();
    let job = client.submit("there", &json!({"level": 3}));
    wait_until("the status says what it waits for", || {
        client.status(&job)["message"].as_str().is_some_and(|text| text.contains("registry can't be reached"))
    });
    registry.start(bed::cluster()).unwrap();
    assert_eq!(client.finish(&job)["status"], "successful");
}
