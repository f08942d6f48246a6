//! Every way to break a cluster breaks it as it says, and lets it heal. All tests share one cluster.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{MutexGuard, OnceLock},
    time::Duration,
};

use rutter_testcluster::{Cluster, Component, Image, Options};
use serde_json::{Value, json};
use support::*;

/// The cluster, and the turn to use it. It ends with this process.
fn shared() -> Option<(&'static Cluster, MutexGuard<'static, ()>)> {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    let turn = serial()?;
    let cluster = SHARED.get_or_init(|| {
        let cluster = Cluster::up(Options::new().user("alice", &["readers"])).unwrap();
        tools(&cluster);
        cluster
    });
    // A test that failed half-way must not make the next one fail.
    for component in Component::ALL.into_iter().filter(|&component| !cluster.is_running(component)) {
        cluster.start(component).unwrap();
    }
    Some((cluster, turn))
}

fn unschedulable(cluster: &Cluster, pod: &str, why: &str) {
    let condition =
        |pod: &Value| pod["status"]["conditions"][0]["message"].as_str().unwrap_or_default().to_owned();
    cluster.wait_for_object(&format!("pod/{pod}"), LIMIT, |pod| condition(pod).contains(why)).unwrap();
}

fn node_is(cluster: &Cluster, node: &str, ready: &str) {
    cluster
        .wait_for_object(&format!("node/{node}"), LIMIT, |node| {
            let conditions = node["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == ready)
        })
        .unwrap();
}

#[test]
fn an_image_is_what_it_was_built_from() {
    let Some((cluster, _turn)) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("greet"),
        "#!/bin/sh\necho \"$GREETING $* $(id -u) $(pwd)\"; cat note\n",
    )
    .unwrap();
    let image = Image::busybox("localhost/greeter:2")
        .file("/opt/greet", folder.path().join("greet"), 0o755)
        .bytes("/home/work/note", "a note\n", 0o644)
        .entrypoint(["/opt/greet", "dear"])
        .command(["nobody"])
        .env("GREETING", "hello")
        .user("65532")
        .workdir("/home/work");
    cluster.import(&image).unwrap();
    // Twice is no fault.
    cluster.import(&image).unwrap();
    let mut manifest = pod("greeter", "");
    manifest["spec"]["containers"][0]["image"] = image.name().into();
    manifest["spec"]["containers"][0].as_object_mut().unwrap().remove("command");
    cluster.apply(&manifest).unwrap();
    wait_for_phase(cluster, "greeter", "Succeeded");
    assert_eq!(cluster.kubectl(["logs", "greeter"]).unwrap(), "hello dear nobody 65532 /home/work\na note\n");
    delete(cluster, "greeter");

    let missing = Image::scratch("localhost/missing:1").file("/x", folder.path().join("missing"), 0o644);
    let error = cluster.import(&missing).unwrap_err().to_string();
    assert!(error.contains("missing into the image localhost/missing:1"), "{error}");
}

#[test]
fn every_component_can_be_killed_and_comes_back() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.apply(&pod("survivor", "exec sleep 1000")).unwrap();
    let before = wait_for_phase(cluster, "survivor", "Running");
    for component in Component::ALL {
        assert!(cluster.is_running(component));
        cluster.kill(component).unwrap();
        assert!(!cluster.is_running(component));
        cluster.kill(component).unwrap();
        cluster.start(component).unwrap();
        assert!(cluster.is_running(component));
    }
    assert_eq!(run_pod(cluster, "after", "echo all is well"), "all is well\n");
    let after = wait_for_phase(cluster, "survivor", "Running");
    let container = |pod: &Value| pod["status"]["containerStatuses"][0]["containerID"].clone();
    assert_eq!(container(&before), container(&after));
    delete(cluster, "survivor");
}

#[test]
fn a_paused_api_server_answers_when_it_goes_on() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.pause(Component::ApiServer).unwrap();
    assert!(cluster.kubectl(["get", "nodes", "--request-timeout=2s"]).is_err());
    cluster.resume(Component::ApiServer).unwrap();
    assert!(cluster.kubectl(["get", "nodes"]).unwrap().contains("node1"));
    node_is(cluster, "node1", "True");
}

#[test]
fn watches_expire() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.kubectl(["create", "configmap", "earlier"]).unwrap();
    let earlier = cluster.get("configmap/earlier").unwrap().unwrap();
    let version = earlier["metadata"]["resourceVersion"].as_str().unwrap();
    cluster.kubectl(["create", "configmap", "later"]).unwrap();
    let watch =
        format!("/api/v1/namespaces/rutter/configmaps?watch=1&timeoutSeconds=2&resourceVersion={version}");
    let watched = cluster.kubectl(["get", "--raw", &watch]).unwrap();
    assert!(watched.contains("\"later\""), "{watched}");
    cluster.expire_watches().unwrap();
    let printed = match cluster.kubectl(["get", "--raw", &watch]) {
        Ok(events) => events,
        Err(error) => error.to_string(),
    };
    assert!(printed.contains("too old resource version"), "{printed}");
    cluster.kubectl(["delete", "configmap", "earlier", "later"]).unwrap();
}

#[test]
fn a_cut_line_swallows_and_mends() {
    let Some((cluster, _turn)) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(cluster, folder.path());
    // Not wget: a static one without the C library's files ends with a segmentation fault.
    let ask = format!("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 {} {PORT}", cluster.address());
    let ask = format!("while :; do echo $({ask} || echo nothing) end; sleep 0.5; done");
    for name in ["cut-off", "other"] {
        cluster.apply(&pod(name, &ask)).unwrap();
    }
    let last = |name: &str| cluster.kubectl(["logs", name, "--tail=1"]).unwrap_or_default();
    let hears = |name: &str| last(name).contains("hello from the node");
    until("both are heard", || hears("cut-off") && hears("other"));
    let cut = cluster.cut_pod("cut-off", PORT).unwrap();
    until("one is cut off", || last("cut-off").contains("nothing"));
    assert!(hears("other"));
    cut.mend().unwrap();
    until("the cut is mended", || hears("cut-off"));
    let all = cluster.cut_all_pods(PORT).unwrap();
    until("all are cut off", || last("cut-off").contains("nothing") && last("other").contains("nothing"));
    drop(all);
    until("all cuts are mended", || hears("cut-off") && hears("other"));
    for name in ["cut-off", "other"] {
        delete(cluster, name);
    }
}

#[test]
fn a_full_node_takes_no_pod_until_it_is_freed() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.fill_node().unwrap();
    let mut manifest = pod("hungry", "echo fed");
    manifest["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "100m"}});
    cluster.apply(&manifest).unwrap();
    unschedulable(cluster, "hungry", "Insufficient cpu");
    cluster.free_node().unwrap();
    wait_for_phase(cluster, "hungry", "Succeeded");
    delete(cluster, "hungry");
}

#[test]
fn an_extended_resource_is_handed_out() {
    let Some((cluster, _turn)) = shared() else { return };
    let mut manifest = pod("gpu", "echo computed");
    manifest["spec"]["containers"][0]["resources"] = json!({"limits": {"nvidia.com/gpu": "1"}});
    cluster.apply(&manifest).unwrap();
    unschedulable(cluster, "gpu", "Insufficient nvidia.com/gpu");
    cluster.add_extended_resource("nvidia.com/gpu", 1).unwrap();
    wait_for_phase(cluster, "gpu", "Succeeded");
    delete(cluster, "gpu");
}

#[test]
fn a_fake_node_takes_pods_and_is_lost() {
    let Some((cluster, _turn)) = shared() else { return };
    let node = cluster.add_fake_node("node2", &[("disk", "fast")]).unwrap();
    let mut manifest = pod("elsewhere", "echo never");
    manifest["spec"]["nodeSelector"] = json!({"disk": "fast"});
    cluster.apply(&manifest).unwrap();
    cluster.wait_for_object("pod/elsewhere", LIMIT, |pod| pod["spec"]["nodeName"] == "node2").unwrap();
    // Longer than a node without a heart stays ready.
    std::thread::sleep(Duration::from_secs(10));
    node_is(cluster, node.name(), "True");
    drop(node);
    node_is(cluster, "node2", "Unknown");
    cluster.kubectl(["delete", "pod", "elsewhere", "--force", "--grace-period=0"]).unwrap();
    cluster.kubectl(["delete", "node", "node2"]).unwrap();
}

#[test]
fn a_node_without_its_kubelet_is_lost_and_comes_back() {
    let Some((cluster, _turn)) = shared() else { return };
    // Where no node is ready, Kubernetes suspects itself and evicts nobody.
    let other = cluster.add_fake_node("node3", &[]).unwrap();
    let mut manifest = pod("lost", "exec sleep 1000");
    manifest["spec"]["nodeName"] = "node1".into();
    // It is to wait for the kubelet's word that it has ended.
    manifest["spec"]["terminationGracePeriodSeconds"] = 1.into();
    cluster.apply(&manifest).unwrap();
    wait_for_phase(cluster, "lost", "Running");
    cluster.kill(Component::Kubelet).unwrap();
    node_is(cluster, "node1", "Unknown");
    cluster
        .wait_for_object("pod/lost", LIMIT, |pod| pod["metadata"]["deletionTimestamp"].is_string())
        .unwrap();
    cluster.start(Component::Kubelet).unwrap();
    node_is(cluster, "node1", "True");
    until("the evicted pod is gone", || cluster.get("pod/lost").unwrap().is_none());
    drop(other);
    cluster.kubectl(["delete", "node", "node3"]).unwrap();
}

#[test]
fn an_evicted_pod_goes() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.apply(&pod("evicted", "exec sleep 1000")).unwrap();
    wait_for_phase(cluster, "evicted", "Running");
    cluster.evict("evicted").unwrap();
    until("the evicted pod is gone", || cluster.get("pod/evicted").unwrap().is_none());
}

#[test]
fn a_container_is_killed_as_a_whole() {
    let Some((cluster, _turn)) = shared() else { return };
    cluster.apply(&pod("killed", "sleep 1000 & exec sleep 1000")).unwrap();
    wait_for_phase(cluster, "killed", "Running");
    cluster.kill_container("killed", "main").unwrap();
    let after = wait_for_phase(cluster, "killed", "Failed");
    assert_eq!(after["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 137);
    delete(cluster, "killed");
    let error = cluster.kill_container("killed", "main").unwrap_err().to_string();
    assert!(error.contains("killed/main"), "{error}");
}

#[test]
fn the_outside_reaches_in() {
    let Some((cluster, _turn)) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(cluster, folder.path());
    let inside = (cluster.address(), PORT).into();
    let ask = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer.contains("hello from the node")
    };
    assert!(ask(cluster.connect(inside).unwrap()));
    let forward = cluster.forward(0, inside).unwrap();
    let outside = forward.address();
    assert!(ask(TcpStream::connect(outside).unwrap()));
    assert!(ask(TcpStream::connect(outside).unwrap()));
    drop(forward);
    until("the port is closed", || TcpStream::connect(outside).is_err());
    let entered = std::thread::scope(|scope| {
        let enter = || {
            cluster.enter_network().unwrap();
            ask(TcpStream::connect(inside).unwrap())
        };
        scope.spawn(enter).join().unwrap()
    });
    assert!(entered);
}

#[test]
fn a_user_may_do_what_rules_allow() {
    let Some((cluster, _turn)) = shared() else { return };
    let config = cluster.kubeconfig_of("alice");
    let config = config.to_str().unwrap();
    let as_alice = || cluster.kubectl(["--kubeconfig", config, "get", "pods"]);
    let refused = as_alice().unwrap_err().to_string();
    assert!(refused.contains("User \"alice\" cannot list resource \"pods\""), "{refused}");
    cluster.kubectl(["create", "rolebinding", "readers", "--clusterrole=view", "--group=readers"]).unwrap();
    as_alice().unwrap();
}

#[test]
fn services_are_reached_by_name_and_address() {
    let Some((cluster, _turn)) = shared() else { return };
    let services = cluster.serve_services().unwrap();
    let through_its_service = ["--server", "https://10.0.0.1", "get", "--raw", "/readyz"];
    until("the API server's Service leads to it", || {
        cluster.kubectl(through_its_service).is_ok_and(|answer| answer == "ok")
    });
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(cluster, folder.path());
    let address = cluster.address().to_string();
    for (kind, rest) in [
        ("Service", json!({"spec": {"ports": [{"name": "http", "port": 80}]}})),
        (
            "EndpointSlice",
            json!({"addressType": "IPv4", "ports": [{"name": "http", "port": PORT}], "endpoints": [{"addresses": [address]}]}),
        ),
    ] {
        let version = if kind == "Service" { "v1" } else { "discovery.k8s.io/v1" };
        let labels = json!({"kubernetes.io/service-name": "web"});
        let mut object =
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web", "labels": labels}});
        object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        cluster.apply(&object).unwrap();
    }
    let own = cluster.get("service/web").unwrap().unwrap()["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let answers = || {
        let mut stream = cluster.connect(format!("{own}:80").parse().unwrap()).ok()?;
        let mut answer = String::new();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    until("the Service answers", || answers().is_some_and(|answer| answer.contains("hello from the node")));
    drop(services);
}
