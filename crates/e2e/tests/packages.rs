//! Packages come, change, break and go while the server runs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rutter_e2e::{Server, shell, wait_until};
use serde_json::json;

#[test]
fn packages_are_followed_while_the_server_runs() {
    let server = Server::builder().expect_warning("processes").start();
    let client = server.client();
    let folder = server.folder().join("processes");
    client.get("/processes/late").expect(404);
    shell("late", "printf one").write(&folder);
    wait_until("the new package is served", || client.get("/processes/late").status == 200);
    assert_eq!(client.execute("late", &json!({"inputs": {}})).expect(200).text(), "one");
    shell("late", "printf two").write(&folder);
    wait_until("the changed package is served", || {
        client.execute("late", &json!({"inputs": {}})).expect(200).text() == "two"
    });
    std::fs::write(folder.join("late.json"), "{ broken").unwrap();
    wait_until("the fault is said", || server.log().contains("late.json:1"));
    assert_eq!(client.execute("late", &json!({"inputs": {}})).expect(200).text(), "two");
    std::fs::remove_file(folder.join("late.json")).unwrap();
    wait_until("the removed package is gone", || client.get("/processes/late").status == 404);
}

#[test]
fn a_process_that_cannot_run_here_is_described_and_says_why() {
    let package =
        shell("image", "true").unit("type", json!("docker")).unit("image", json!("example/image:1"));
    let server = Server::builder()
        .config("local: {containerEngine: none}")
        .package(&package)
        .expect_warning("only docker units")
        .start();
    let client = server.client();
    client.get("/processes/image").expect(200);
    let answer = client.execute("image", &json!({"inputs": {}}));
    assert!(answer.status >= 400, "{}", answer.text());
    assert!(answer.text().contains("docker"), "{}", answer.text());
}
