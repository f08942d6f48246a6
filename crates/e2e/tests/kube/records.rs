//! A server without a volume, ended as a crash does: what it told stays true. And a second one that should not be there.

use rutter_e2e::wait_until;
use serde_json::json;

use crate::{
    bed,
    objects::{name_of, pods_of},
    theirs,
};

#[test]
fn what_was_told_to_be_successful_is_so_after_a_crash_in_that_moment() {
    let _turn = bed::turn();
    let folder = tempfile::tempdir().unwrap();
    let prefix = ("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX", "told-");
    let mut server = theirs::server(folder.path(), "").variable(prefix.0, prefix.1).start();
    let client = theirs::client();
    for round in 0..3 {
        let job = client.submit("hello", &json!({"name": format!("Ada {round}")}));
        client.wait_for(&job, &["successful", "failed"]);
        server.kill();
        std::fs::remove_dir_all(server.data()).unwrap();
        // Nothing is left but the Job: what the program printed is gone.
        for pod in pods_of(&job) {
            bed::cluster().kubectl(["delete", "pod", &name_of(&pod), "--now", "--ignore-not-found"]).unwrap();
        }
        server.start();
        let status = client.status(&job);
        assert_eq!(status["status"], "successful", "{status}");
        let told = client.get(&format!("{job}/results?f=json")).expect(200).text();
        assert!(told.contains(&format!("Hello 'Ada {round}'!")), "{told}");
    }
    assert_eq!(client.get("/jobs").json()["jobs"].as_array().unwrap().len(), 3);
}

#[test]
fn two_servers_for_one_namespace_and_prefix_are_told_of() {
    let _turn = bed::turn();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = folders.each_ref().map(|folder| {
        let server =
            theirs::server(folder.path(), "").variable("PYGEOAPI_K8S_MANAGER_JOB_NAME_PREFIX", "two-");
        server.expect_warning("another server works for the same namespace and prefix")
    });
    let first = first.start();
    let second = second.listen("127.0.0.1:18081").start();
    let client = theirs::client();
    let job = client.submit("hello", &json!({"name": "Ada"}));
    wait_until("the second one tells", || second.log().contains("another server works for the same"));
    assert_eq!(client.finish(&job)["status"], "successful");
    assert!(!first.log().contains("another server works"), "it launched all that there is");
}
