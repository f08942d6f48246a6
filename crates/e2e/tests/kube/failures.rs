//! The causes of failure that callers are told apart, each brought about as it happens: every one has a type of its own, the
//! log is there, and no word of the cluster's reaches the caller.

use std::time::Duration;

use rutter_e2e::{Client, Package, shell, wait_until};
use rutter_testcluster::{Component, FakeNode};
use serde_json::{Value, json};

use crate::{
    bed,
    objects::{jobs_of, name_of, pods_of},
};

/// Words that only the cluster's operators know.
const JARGON: [&str; 14] = [
    "kube",
    "pod ",
    "Pod",
    "container \"",
    "node1",
    "OOMKilled",
    "Evicted",
    "BackoffLimit",
    "DeadlineExceeded",
    "DisruptionTarget",
    "emptyDir",
    "ErrImage",
    "ephemeral",
    "namespace",
];

/// The status of a failed job, whose exception has this type.
fn failed(client: &Client, job: &str, kind: &str) -> Value {
    let status = client.finish(job);
    assert_eq!(status["status"], "failed", "{status}");
    let told = status["exception"]["type"].as_str().unwrap_or_default();
    assert_eq!(told.rsplit('/').next(), Some(kind), "{status}");
    let text = status.to_string();
    for word in JARGON {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(status["finished"].is_string() && status["exception"]["detail"].is_string(), "{status}");
    let exception = client.get(&format!("{job}/results?f=json"));
    assert_eq!(exception.json()["type"], status["exception"]["type"]);
    status
}

fn running(client: &Client, job: &str) {
    client.wait_for(job, &["running"]);
    wait_until("the program printed", || client.get(&format!("{job}/logs")).text().contains("began"));
}

fn tail(status: &Value) -> String {
    status["exception"]["logTail"].to_string()
}

#[test]
fn what_a_program_does_wrong() {
    let _turn = bed::turn();
    let text = json!({"schema": {"type": "string"}});
    let number = json!({"schema": {"type": "number"}});
    let write = |line: &str| json!(["sh", "-c", line]);
    let server = bed::server(&[
        shell("exits", "echo began; for i in $$(seq 40); do echo line $i; done; exit 7"),
        shell("slow", "echo began; sleep 600").config("jobTimeout", json!(2)),
        Package::new("missing", json!(["echo", "began"])).output("y", text),
        Package::new("invalid", write("echo began; echo '\"x\"' > $RUTTER_OUT/y")).output("y", number),
        shell("files", "echo began; dd if=/dev/zero of=$RUTTER_WORK/x bs=1000000 count=97; sleep 600")
            .config("storageTempMin", json!(0.1)),
    ])
    .start();
    let client = server.client();
    let ids = ["exits", "slow", "missing", "invalid", "files"];
    let jobs = ids.map(|id| client.submit(id, &json!({})));
    let exits = failed(&client, &jobs[0], "exit-code");
    assert_eq!(exits["exception"]["exitCode"], 7);
    assert!(tail(&exits).contains("line 40") && tail(&exits).contains("line 25"), "{exits}");
    for (job, kind) in
        jobs[1..].iter().zip(["time-limit", "output-missing", "output-invalid", "scratch-limit"])
    {
        let status = failed(&client, job, kind);
        assert!(tail(&status).contains("began") && status["started"].is_string(), "{status}");
    }
}

#[test]
fn what_the_machine_does_to_a_program() {
    let _turn = bed::turn();
    let large = "x=xxxxxxxx; while true; do x=$x$x; done";
    // Over its limit in files that the agent does not see: those of the image.
    let own_files = "echo began; for i in $$(seq 20); do dd if=/dev/zero of=/tmp/$i bs=1000000 count=20 2> /dev/null; done; sleep 600";
    let small = |package: Package| package.config("memoryMax", json!(0.06));
    let server = bed::server(&[
        small(shell("greedy", &format!("echo began; {large}"))),
        small(shell("greedy-child", &format!("echo began; sh -c '{large}' || exit 3"))),
        small(shell("whole", &format!("echo began; sh -c '{large}'; echo survived; sleep 600"))),
        shell("killed", "echo began; sleep 600"),
        shell("evicted", own_files).config("storageTempMin", json!(0.05)),
    ])
    .start();
    let client = server.client();
    let killed = ["whole", "killed"].map(|id| client.submit(id, &json!({})));
    let others = ["evicted", "greedy", "greedy-child"].map(|id| client.submit(id, &json!({})));
    for (job, word) in killed.iter().zip(["survived", "began"]) {
        // The kernel may have taken all of it already.
        wait_until("the program printed, or is over", || {
            client.get(&format!("{job}/logs")).text().contains(word)
                || client.status(job)["finished"].is_string()
        });
        if let Some(pod) = pods_of(job).first().map(name_of) {
            let _ = bed::cluster().kill_container(&pod, "main");
        }
    }
    for (job, kind) in killed.iter().zip(["out-of-memory", "agent-lost"]) {
        let status = failed(&client, job, kind);
        assert!(tail(&status).contains("began"), "{status}");
    }
    for (job, kind) in others.iter().zip(["scratch-limit", "out-of-memory", "out-of-memory"]) {
        let status = failed(&client, job, kind);
        assert!(tail(&status).contains("began"), "{status}");
    }
}

#[test]
fn what_others_take_away() {
    let _turn = bed::turn();
    let server = bed::server(&[shell("long", "echo began; sleep 600")]).start();
    let client = server.client();
    let jobs = [0, 1].map(|_| client.submit("long", &json!({})));
    jobs.iter().for_each(|job| running(&client, job));
    let name = name_of(&pods_of(&jobs[0])[0]);
    bed::cluster().kubectl(["delete", "pod", &name, "--wait=false"]).unwrap();
    let name = name_of(&jobs_of(&jobs[1])[0]);
    bed::cluster().kubectl(["delete", "job", &name, "--wait=false"]).unwrap();
    for job in &jobs {
        let status = failed(&client, job, "removed");
        assert!(tail(&status).contains("began"), "{status}");
        wait_until("nothing of it runs", || pods_of(job).is_empty());
        assert!(client.get(&format!("{job}/logs")).text().contains("began"));
    }
    wait_until("a Job that was deleted goes", || jobs_of(&jobs[1]).is_empty());
}

#[test]
fn an_image_that_is_not_there() {
    let _turn = bed::turn();
    let server = bed::with(&[], "  pendingSeconds: 15").start();
    shell("image", "true").in_image("localhost/none:1").write(&server.folder().join("processes"));
    let client = server.client();
    wait_until("the package is read", || client.get("/processes/image").status == 200);
    let status = failed(&client, &client.submit("image", &json!({})), "image-missing");
    assert!(status["exception"]["detail"].as_str().unwrap().contains("localhost/none:1"), "{status}");
    assert!(status.get("started").is_none(), "{status}");
}

/// A machine that stops answering is given up, and its pod removed by force; when no other is found, that is the reason.
#[test]
fn a_machine_that_is_lost() {
    let _turn = bed::turn();
    let lines = "  stuckSeconds: 1\n  pendingSeconds: 40";
    let server = bed::with(&[shell("lost", "echo began; sleep 600")], lines).start();
    let client = server.client();
    let job = client.submit("lost", &json!({}));
    running(&client, &job);
    let first = name_of(&pods_of(&job)[0]);
    let machine = Lost::begin();
    wait_until("its pod is removed", || pods_of(&job).iter().all(|pod| name_of(pod) != first));
    let status = failed(&client, &job, "node-lost");
    assert!(tail(&status).contains("began"), "{status}");
    drop(machine);
    wait_until("nothing of it is left", || pods_of(&job).is_empty() && jobs_of(&job).is_empty());
}

/// The machine does not answer until this is dropped, and another one is there, which its jobs do not fit.
struct Lost(Option<FakeNode>);

impl Lost {
    fn begin() -> Self {
        let other = bed::cluster().add_fake_node("node2", &[]).unwrap();
        let lost = Self(Some(other));
        bed::cluster().kill(Component::Kubelet).unwrap();
        lost
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        let cluster = bed::cluster();
        cluster.start(Component::Kubelet).unwrap();
        self.0.take();
        cluster.kubectl(["delete", "node", "node2"]).unwrap();
        let ready = |node: &Value| node["spec"]["taints"].as_array().is_none_or(Vec::is_empty);
        cluster.wait_for_object("node/node1", Duration::from_secs(60), ready).unwrap();
    }
}
