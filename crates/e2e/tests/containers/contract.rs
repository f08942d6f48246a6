//! The same package gives the same as a command of this machine and in a container.

use rutter_e2e::{
    Package, Server,
    contract::{cases, run},
    shell, static_agent, wait_until,
};
use rutter_testcluster::Image;
use serde_json::json;

use crate::bed::{Podman, TOOLS};

#[test]
fn the_same_as_a_command_and_in_a_container() {
    let podman = Podman::new();
    let cases = cases();
    let local = cases
        .iter()
        .fold(Server::builder().config("jobs: {graceSeconds: 2, maxDiskPercent: 99}"), |server, case| {
            server.package(&case.package)
        });
    let local = local.start();
    let packages: Vec<Package> = cases.iter().map(|case| case.package.clone().in_image(TOOLS)).collect();
    let contained = podman.server(&packages).start();
    for case in &cases {
        let there = run(&local.client(), case);
        let here = run(&contained.client(), case);
        assert_eq!(here, there, "{}", case.package.id());
        here.check(case);
    }
    wait_until("nothing is left", || podman.containers().is_empty());
}

/// Tells where it is, who it is, and what it was given.
fn teller(id: &str, image: &str) -> Package {
    let line = "pwd; id -u; echo $COLOUR; echo $SIZE; test $HOME = $RUTTER_WORK && echo at home; \
                echo x > $TMPDIR/x && echo room; echo $0 $1";
    Package::new(id, json!(["sh", "-c", line, "zero", "one"]))
        .stdout_output("out")
        .unit("env", json!([{"name": "SIZE", "value": "2"}]))
        .in_image(image)
}

#[test]
fn an_image_runs_in_its_own_folder_as_its_own_user_with_its_own_variables() {
    let podman = Podman::new();
    let image = |name: &str| Image::busybox(name).workdir("/tmp").env("COLOUR", "red").env("SIZE", "1");
    podman.load(&image("localhost/anonymous:1"));
    podman.load(&image("localhost/owned:1").user("1234:1234"));
    podman.load(&image("localhost/root:1").user("root"));
    let server = podman
        .server(&[
            teller("anonymous", "localhost/anonymous:1"),
            teller("owned", "localhost/owned:1"),
            teller("root", "localhost/root:1"),
            teller("baseline", "localhost/root:1").unit("kubernetes", json!({"security": "baseline"})),
        ])
        .start();
    for (process, user) in [("anonymous", 65532), ("owned", 1234), ("root", 65532), ("baseline", 0)] {
        let told = server.client().execute(process, &json!({"inputs": {}})).expect(200).text();
        assert_eq!(told, format!("/tmp\n{user}\nred\n2\nat home\nroom\nzero one\n"), "{process}");
    }
}

#[test]
fn an_image_runs_its_own_command_when_the_package_names_none() {
    let podman = Podman::new();
    let image = Image::busybox("localhost/own:1").entrypoint(["echo", "a b"]).command(["$HOME", "d"]);
    podman.load(&image);
    let package = shell("own", "").without("command").in_image("localhost/own:1");
    let server = podman.server(&[package]).start();
    let told = server.client().execute("own", &json!({"inputs": {}})).expect(200).text();
    assert_eq!(told, "a b $HOME d\n", "word by word, and no shell reads it");
}

#[test]
fn an_image_with_nothing_in_it_but_a_program() {
    let podman = Podman::new();
    let image = Image::scratch("localhost/bare:1").file("/model", static_agent(), 0o755);
    podman.load(&image.entrypoint(["/model", "help"]));
    let package = shell("bare", "").without("command").in_image("localhost/bare:1");
    let server = podman.server(&[package]).start();
    let job = server.client().submit("bare", &json!({}));
    let status = server.client().finish(&job);
    assert!(status["exception"]["type"].as_str().unwrap().ends_with("/exit-code"), "{status}");
    let log = server.client().get(&format!("{job}/logs")).expect(200).text();
    assert!(log.contains("usage: rutter-agent"), "{log}");
}

#[test]
fn a_secret_reaches_the_program_and_nobody_else() {
    const SECRET: &str = "hunter2hunter2\nsecond line";
    let podman = Podman::new();
    let env = json!([{"name": "KEY", "secretName": "s3", "secretKey": "key"}]);
    let line = "echo got `printf %s \"$KEY\" | wc -c`; sleep 600";
    let package = shell("secretive", line).unit("env", env).in_image(TOOLS);
    podman.secret("s3", "key", SECRET);
    let server = podman.server(&[package]).start();
    let job = server.client().submit("secretive", &json!({}));
    let got = format!("got {}", SECRET.len());
    wait_until("the program got it", || server.client().get(&format!("{job}/logs")).text().contains(&got));
    let [container] = &podman.containers()[..] else { panic!("one container") };
    let told = podman.run(&["container", "inspect", container]);
    assert!(!told.contains("hunter2"), "{told}");
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("hunter2"), "{}", process.path().display());
    }
    server.client().delete(&job).expect(200);
}
