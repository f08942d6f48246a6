//! The rules of the executor for one machine, each with a sequence of events that would break it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;

use std::{fs, time::Duration};

use futures_util::FutureExt;

use bench::{Bench, ended, exited, is_running, lost, name, runs};
use rutter_core::{
    executor::{AttemptName, Executor, ExecutorError, LaunchEnd, Observation, Waiting},
    plan::Needs,
    process::{EnvEntry, EnvValue},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_runs_and_ends_and_is_forgotten() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let mut changes = executor.changes().unwrap();
    assert!(executor.changes().is_none(), "taken once");
    let name = name();
    assert_eq!(executor.observe(name).await.unwrap(), None);
    executor.launch(name, &bench.plan("lock record line hold")).await.unwrap();
    assert_eq!(executor.observe(name).await.unwrap(), Some(Observation::Running));
    assert_eq!(executor.list().await.unwrap(), vec![name]);
    bench.go();
    assert_eq!(ended(&executor, name).await, exited(0));
    assert_eq!(changes.recv().await, Some(name), "started");
    assert_eq!(changes.recv().await, Some(name), "ended");
    executor.release(name).await.unwrap();
    executor.release(name).await.unwrap();
    assert_eq!(executor.observe(name).await.unwrap(), None);
    bench.until_empty().await;
    assert_eq!(bench.lines(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_launch_finds_the_first() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    let plan = bench.plan("lock record line");
    for _ in 0..3 {
        executor.launch(name, &plan).await.unwrap();
    }
    assert_eq!(ended(&executor, name).await, exited(0));
    executor.launch(name, &plan).await.unwrap();
    assert_eq!(executor.observe(name).await.unwrap(), Some(Observation::Ended { end: exited(0) }));
    assert_eq!(bench.lines(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_attempts_are_repeated_as_often_as_the_plan_says() {
    let bench = Bench::new();
    let executor = bench.open().await;
    for (script, retries, end, lines) in [
        ("lock record line exit:3", 0, exited(3), 1),
        ("lock record line exit:3", 2, exited(3), 3),
        ("lock record line until:2", 5, exited(0), 2),
        ("lock record line exit:120", 5, exited(120), 1),
        ("lock record line exit:122", 1, exited(122), 2),
        ("lock record line kill", 1, lost(), 2),
        ("line exit:7", 1, exited(7), 2),
    ] {
        let (name, before) = (name(), bench.lines());
        executor.launch(name, &bench.plan_with(script, retries)).await.unwrap();
        assert_eq!(ended(&executor, name).await, end, "{script} {retries}");
        assert_eq!(bench.lines() - before, lines, "{script} {retries}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_agent_leaves_is_killed() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan("lock record child kill")).await.unwrap();
    assert_eq!(ended(&executor, name).await, lost());
    assert!(!runs(bench.child()), "the child was ended before the end was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_launch_gets_no_further_attempt() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan_with("term:3 lock record line sleep:60000", 5)).await.unwrap();
    bench.until_lines(1).await;
    executor.end(name, Duration::from_secs(60)).await.unwrap();
    executor.end(name, Duration::from_secs(60)).await.unwrap();
    assert_eq!(ended(&executor, name).await, exited(3));
    assert_eq!(bench.lines(), 1);
    executor.end(name, Duration::ZERO).await.unwrap();
    executor.end(bench::name(), Duration::ZERO).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_the_end_is_killed_with_all_children() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan("deaf lock record child line sleep:60000")).await.unwrap();
    bench.until_lines(1).await;
    executor.end(name, Duration::from_millis(100)).await.unwrap();
    assert_eq!(ended(&executor, name).await, lost());
    assert!(!runs(bench.child()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_launch_that_is_released_is_ended_first() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan("term:0 lock record line sleep:60000")).await.unwrap();
    bench.until_lines(1).await;
    executor.release(name).await.unwrap();
    bench::until(async || executor.observe(name).await.unwrap().is_none()).await;
    bench.until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_agents_are_found_again() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    let plan = bench.plan_with("lock record line hold until:2", 1);
    executor.launch(name, &plan).await.unwrap();
    bench.until_lines(1).await;
    let token = bench.token(name, 1);
    let attempt = AttemptName { launch: name, uid: "1".to_owned() };
    assert_eq!(executor.identify(&token).await.unwrap(), Some(attempt.clone()));
    drop(executor);

    let executor = bench.open().await;
    assert_eq!(executor.observe(name).await.unwrap(), Some(Observation::Running));
    assert_eq!(executor.changes().unwrap().recv().await, Some(name), "found");
    assert_eq!(executor.identify(&token).await.unwrap(), Some(attempt));
    assert_eq!(executor.identify("").await.unwrap(), None);
    // Its room is held: the machine has two cores, and it holds one and a half.
    let waiting = Waiting { name: bench::name(), needs: Needs { cpu_milli: 1000, memory_bytes: 0 } };
    assert_eq!(executor.admit(&[waiting]), vec![waiting.name]);
    assert!(executor.room(waiting.name).now_or_never().is_none());
    executor.launch(name, &plan).await.unwrap();
    bench.go();
    assert_eq!(ended(&executor, name).await, exited(0), "the second attempt of two");
    assert_eq!(bench.lines(), 2);
    executor.room(waiting.name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_outlive_a_killed_server() {
    for (script, retries, end, lines) in [
        ("lock record line hold report:0", 0, exited(0), 1),
        ("lock record line hold report:4", 0, exited(4), 1),
        ("lock record line hold", 0, lost(), 1),
        // The first failed by its report; the second is our own child, whose exit code is known.
        ("lock record line hold report:4", 1, exited(0), 2),
        ("lock line hold record", 0, lost(), 1),
        // Gone before its command: the same attempt is started again.
        ("lock line hold", 0, exited(0), 2),
    ] {
        for late in [false, true] {
            let bench = Bench::new();
            let name = name();
            bench.server_that_dies(name, &bench.plan_with(script, retries), || bench.lines() == 1);
            if late {
                bench.go();
                bench.until_free(name, 1).await;
            }
            let executor = bench.open().await;
            assert_eq!(executor.list().await.unwrap(), vec![name]);
            if !late {
                assert!(is_running(&executor, name).await, "{script}");
                bench.go();
            }
            assert_eq!(ended(&executor, name).await, end, "{script} late: {late}");
            assert_eq!(bench.lines(), lines, "{script} late: {late}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_is_seen_although_nobody_waits_for_the_process() {
    let bench = Bench::new();
    let name = name();
    let plan = bench.plan("lock record line hold report:5");
    // As in a container whose first process does not wait for orphans: the dead agent keeps its number.
    let parent = bench.server_that_stops(name, &plan);
    bench.until_lines(1).await;
    let executor = bench.open().await;
    bench.go();
    assert_eq!(ended(&executor, name).await, exited(5));
    drop(parent);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_just_starting_does_not_run_twice() {
    let bench = Bench::new();
    let name = name();
    // Killed before the agent took the lock: the next start can't see it and starts another.
    let plan = bench.plan("sleep:300 lock record line sleep:300 report:0");
    bench.server_that_dies(name, &plan, || true);
    let executor = bench.open().await;
    assert_eq!(ended(&executor, name).await, exited(0));
    assert_eq!(bench.lines(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_found_before_its_command_can_be_ended() {
    let bench = Bench::new();
    let name = name();
    let plan = bench.plan_with("deaf lock line child sleep:60000", 3);
    bench.server_that_dies(name, &plan, || bench.out("child").exists());
    let executor = bench.open().await;
    assert!(is_running(&executor, name).await);
    executor.end(name, Duration::ZERO).await.unwrap();
    assert_eq!(ended(&executor, name).await, lost());
    assert!(!runs(bench.child()));
    assert_eq!(bench.lines(), 1);
    drop(executor);
    let executor = bench.open().await;
    assert_eq!(executor.observe(name).await.unwrap(), Some(Observation::Ended { end: lost() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_ordered_holds_after_a_restart() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan_with("deaf lock record line hold exit:1", 3)).await.unwrap();
    bench.until_lines(1).await;
    executor.end(name, Duration::from_secs(60)).await.unwrap();
    bench::until(async || bench.launch(name).join("ending").exists()).await;
    drop(executor);
    let executor = bench.open().await;
    bench.go();
    assert_eq!(ended(&executor, name).await, exited(1));
    assert_eq!(bench.lines(), 1, "no further attempt");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reboot_nothing_runs() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan("lock record line sleep:60000")).await.unwrap();
    bench.until_lines(1).await;
    drop(executor);
    let path = bench.launch(name).join("1/record.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let pid = record["pid"].as_i64().unwrap();
    record["boot_id"] = "11111111-1111-1111-1111-111111111111".into();
    fs::write(&path, record.to_string()).unwrap();
    let executor = bench.open().await;
    assert_eq!(executor.observe(name).await.unwrap(), Some(Observation::Ended { end: lost() }));
    assert!(runs(pid), "a process that happens to have the number is left alone");
    bench::kill(pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_before_a_restart_stays_ended() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let (good, bad) = (name(), name());
    executor.launch(good, &bench.plan("lock record line")).await.unwrap();
    executor.launch(bad, &bench.plan_with("lock record line exit:9", 1)).await.unwrap();
    ended(&executor, good).await;
    ended(&executor, bad).await;
    drop(executor);
    let executor = bench.open().await;
    assert_eq!(executor.observe(good).await.unwrap(), Some(Observation::Ended { end: exited(0) }));
    assert_eq!(executor.observe(bad).await.unwrap(), Some(Observation::Ended { end: exited(9) }));
    assert_eq!(bench.lines(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_made_folders_do_not_stand_in_the_way() {
    let bench = Bench::new();
    let (empty, draft, broken) = (name(), name(), name());
    fs::create_dir_all(bench.launch(empty)).unwrap();
    fs::create_dir_all(bench.launch(draft)).unwrap();
    fs::write(bench.launch(draft).join("launch.new"), "{\"ver").unwrap();
    fs::create_dir_all(bench.launch(broken).join("1")).unwrap();
    fs::write(bench.launch(broken).join("1/end.json"), "\"lost\"").unwrap();
    fs::write(bench.launch(broken).join("launch.json"), "").unwrap();
    fs::create_dir_all(bench.folder().join("lost+found")).unwrap();
    let executor = bench.open().await;
    assert_eq!(executor.list().await.unwrap(), vec![broken]);
    assert_eq!(executor.observe(broken).await.unwrap(), Some(Observation::Ended { end: lost() }));
    for name in [empty, draft] {
        executor.launch(name, &bench.plan("lock record line")).await.unwrap();
        assert_eq!(ended(&executor, name).await, exited(0));
    }
    assert_eq!(bench.lines(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_while_somebody_holds_the_lock() {
    let bench = Bench::new();
    let name = name();
    let plan = bench.plan("lock record line");
    // Made, and never started: by a server that was killed in between.
    bench.server_that_dies(name, &bench.plan("kill"), || true);
    bench.rewrite(name, &plan);
    let lock = fs::File::create(bench.launch(name).join("1/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let executor = bench.open().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((bench.lines(), is_running(&executor, name).await), (0, true));
    drop(lock);
    assert_eq!(ended(&executor, name).await, exited(0));
    assert_eq!(bench.lines(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_a_clear_end() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    let mut plan = bench.plan("lock record line");
    let value = EnvValue::Secret { name: "db".to_owned(), key: "password".to_owned() };
    plan.env.push(EnvEntry { name: "PASSWORD".to_owned(), value });
    let error = executor.launch(name, &plan).await.unwrap_err();
    assert!(matches!(error, ExecutorError::Impossible { reason } if reason.contains("write its value to")));
    assert_eq!(executor.observe(name).await.unwrap(), None);
    bench.until_empty().await;
    bench.secret("db", "password", "top");
    executor.launch(name, &plan).await.unwrap();
    assert_eq!(ended(&executor, name).await, exited(0));
    assert!(!fs::read_to_string(bench.launch(name).join("launch.json")).unwrap().contains("top"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_sees_only_what_it_should() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    executor.launch(name, &bench.plan("lock record env")).await.unwrap();
    ended(&executor, name).await;
    let text = fs::read_to_string(bench.out("env")).unwrap();
    let names: Vec<_> = text.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name)).collect();
    let expected = [
        "FAKE_DO",
        "FAKE_OUT",
        "LANG",
        "PATH",
        "RUTTER_AGENT_FOLDER",
        "RUTTER_AGENT_SERVER",
        "RUTTER_AGENT_TOKEN_FILE",
    ];
    let names: Vec<_> = names.into_iter().filter(|&name| name != "TZ").collect();
    assert_eq!(names, expected);
    assert!(text.contains("PATH=/first/on/path:"));
    assert_eq!(bench.mode(name, "1/token"), 0o600);
    assert_eq!(bench.mode(name, "1"), 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_apart_and_blocks_nothing() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let name = name();
    // What is written to /dev/full fails as on a full disk.
    fs::create_dir(bench.launch(name)).unwrap();
    std::os::unix::fs::symlink("/dev/full", bench.launch(name).join("launch.new")).unwrap();
    let plan = bench.plan("lock record line");
    assert!(matches!(executor.launch(name, &plan).await, Err(ExecutorError::NoSpace)));
    assert_eq!(executor.observe(name).await.unwrap(), None);
    executor.launch(name, &plan).await.unwrap();
    assert_eq!(ended(&executor, name).await, exited(0));
    assert_eq!(bench.lines(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_can_not_be_started_leaves_nothing() {
    let bench = Bench::new();
    let executor = bench.open_with(|config| config.agent.program = "/no/such/agent".into()).await;
    let name = name();
    let error = executor.launch(name, &bench.plan("line")).await.unwrap_err();
    assert!(matches!(error, ExecutorError::Unavailable { .. }));
    assert!(error.to_string().contains("/no/such/agent"));
    bench.until_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admitted_launch_is_pending_until_it_is_made() {
    let bench = Bench::new();
    let executor = bench.open().await;
    let waiting = Waiting { name: name(), needs: Needs { cpu_milli: 2000, memory_bytes: 0 } };
    let other = Waiting { name: name(), ..waiting };
    let third = Waiting { name: name(), ..waiting };
    assert_eq!(executor.admit(&[waiting, other, third]), vec![waiting.name, other.name], "one gets ready");
    executor.room(waiting.name).await;
    assert!(executor.room(other.name).now_or_never().is_none(), "its command is not to start");
    let seen = executor.observe(waiting.name).await.unwrap();
    assert_eq!(seen, Some(Observation::Pending { reason: None }), "so that nobody lets it wait again");
    assert_eq!(executor.admit(&[third]), vec![]);
    executor.release(waiting.name).await.unwrap();
    executor.room(other.name).await;
    assert_eq!(executor.admit(&[third]), vec![third.name]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once() {
    let bench = Bench::new();
    let executor = std::sync::Arc::new(bench.open().await);
    let plan = bench.plan("lock record line");
    let names: Vec<_> = (0..200).map(|_| name()).collect();
    let mut starts = tokio::task::JoinSet::new();
    for name in names.clone() {
        let (executor, plan) = (executor.clone(), plan.clone());
        starts.spawn(async move { executor.launch(name, &plan).await.unwrap() });
    }
    starts.join_all().await;
    for name in &names {
        assert_eq!(ended(&executor, *name).await, LaunchEnd::Exited { code: 0 });
        executor.release(*name).await.unwrap();
    }
    assert_eq!(bench.lines(), 200);
    bench.until_empty().await;
}
