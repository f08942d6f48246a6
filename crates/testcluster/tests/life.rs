//! A cluster begins and ends: nothing is left, whoever was killed, and the next one starts.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use rutter_testcluster::{Cluster, Options};
use support::*;

const KILLED: &str = "RUTTER_TESTCLUSTER_KILLED";

#[test]
fn nothing_is_left_and_the_next_one_starts() {
    let Some(_turn) = serial() else { return };
    for round in 1..=2 {
        let before = machine();
        let begin = Instant::now();
        let cluster = Cluster::up(Options::new()).unwrap();
        eprintln!("up in {:?}", begin.elapsed());
        let (folder, cgroup) = (cluster.folder().to_owned(), cluster.cgroup());
        tools(&cluster);
        assert_eq!(run_pod(&cluster, "hello", "echo hello"), "hello\n");
        // One that runs when everything ends, and does not want to.
        cluster.apply(&pod("stubborn", "trap '' TERM; while :; do sleep 1; done")).unwrap();
        wait_for_phase(&cluster, "stubborn", "Running");
        assert!(!groups(&cgroup).is_empty() && !processes(&folder).is_empty());

        let begin = Instant::now();
        if round == 1 {
            cluster.down().unwrap()
        } else {
            drop(cluster)
        }
        eprintln!("down in {:?}", begin.elapsed());
        assert_eq!(machine(), before);
        assert_eq!((groups(&cgroup), processes(&folder)), (vec![], vec![]));
        assert!(!folder.exists());
    }
}

#[test]
fn a_killed_run_takes_its_cluster_along() {
    let Some(_turn) = serial() else { return };
    if std::env::var_os(KILLED).is_some() {
        let cluster = Cluster::up(Options::new().name("killed")).unwrap();
        println!("up: {} {}", cluster.cgroup(), cluster.folder().display());
        loop {
            thread::park();
        }
    }
    let before = machine();
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_run_takes_its_cluster_along", "--nocapture"])
        .env(KILLED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find_map(|line| line.split_once("up: ").map(|(_, rest)| rest.to_owned())).unwrap();
    let (cgroup, folder) = line.split_once(' ').unwrap();
    let folder = std::path::Path::new(folder);
    assert!(folder.exists());
    run.kill().unwrap();
    run.wait().unwrap();
    until("the killed run's cluster ends by itself", || !folder.exists() && processes(folder).is_empty());
    assert_eq!((machine(), groups(cgroup)), (before, vec![]));
    assert!(Cluster::find("killed").unwrap().is_none());
}

#[test]
fn a_new_one_replaces_one_whose_supervisor_was_killed() {
    let Some(_turn) = serial() else { return };
    let before = machine();
    let first = Cluster::up(Options::new().name("replaced").keep()).unwrap();
    let (first_pid, folder, cgroup) = (first.pid(), first.folder().to_owned(), first.cgroup());
    drop(first);
    // The shell that would clean up, and nothing else.
    let shell = format!("sh {}", folder.join("hold.sh").display());
    let output = Command::new("ps").args(["-eww", "-o", "pid=,args="]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.contains(&shell)).unwrap();
    let supervisor = line.split_whitespace().next().unwrap();
    assert!(Command::new("kill").args(["-KILL", supervisor]).status().unwrap().success());
    assert_eq!(Cluster::find("replaced").unwrap().unwrap().pid(), first_pid);

    let second = Cluster::up(Options::new().name("replaced").keep()).unwrap();
    assert_ne!(second.pid(), first_pid);
    drop(second);
    let found = Cluster::find("replaced").unwrap().unwrap();
    tools(&found);
    assert_eq!(run_pod(&found, "hello", "echo again"), "again\n");
    found.down().unwrap();
    assert_eq!((machine(), groups(&cgroup), processes(&folder)), (before, vec![], vec![]));
}

#[test]
fn two_run_side_by_side() {
    let Some(_turn) = serial() else { return };
    let up = || thread::spawn(|| Cluster::up(Options::new()).unwrap());
    let (one, two) = (up(), up());
    let (one, two) = (one.join().unwrap(), two.join().unwrap());
    for (cluster, word) in [(&one, "one"), (&two, "two")] {
        tools(cluster);
        cluster.apply(&pod("same-name", &format!("echo {word}; exec sleep 1000"))).unwrap();
    }
    for (cluster, word) in [(&one, "one\n"), (&two, "two\n")] {
        wait_for_phase(cluster, "same-name", "Running");
        assert_eq!(cluster.kubectl(["logs", "same-name"]).unwrap(), word);
    }
    one.down().unwrap();
    wait_for_phase(&two, "same-name", "Running");
    assert_eq!(run_pod(&two, "hello", "echo still here"), "still here\n");
}
