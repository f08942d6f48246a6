//! Faults of everything around fifty running jobs, on a real cluster of its own: no job is lost, none is published twice, none
//! hangs, and each says what became of it.
//!
//! `RUTTER_TEST_JOBS` changes how many jobs run, `RUTTER_TEST_ROUNDS` how long the random mix is, `RUTTER_TEST_SEED` repeats one.

#![allow(clippy::unwrap_used, reason = "a test that can't go on is to fail")]

#[allow(dead_code, reason = "each test file uses its own part")]
#[path = "../aftermath/mod.rs"]
mod aftermath;
#[allow(dead_code, reason = "each test file uses its own part")]
#[path = "../kube/bed.rs"]
mod bed;
mod disrupted;
mod fault;
#[allow(dead_code, reason = "each test file uses its own part")]
#[path = "../kube/objects.rs"]
mod objects;
mod world;

use std::time::Duration;

use aftermath::Dice;
use fault::Fault;
use world::{World, number};

/// Every fault in turn, each with jobs of its own that end while it lasts, beside those that run all the time.
#[test]
fn every_fault_in_turn_while_jobs_run() {
    let _turn = bed::turn();
    let mut world = World::new();
    let all_the_time = world.load(number("RUTTER_TEST_JOBS", 50), "all");
    world.running(&all_the_time);
    for (fault, seconds) in Fault::IN_TURN {
        let name = format!("{fault:?}");
        world.say(&name);
        let jobs = world.load(4, &name);
        world.running(&jobs);
        let begun = fault.begin(&mut world, &jobs);
        world.open(&name);
        std::thread::sleep(Duration::from_secs(seconds));
        begun.end(&mut world);
        world.settle(&jobs);
    }
    world.say("the end");
    world.open("all");
    world.settle(&all_the_time);
    world.check();
}

/// The database is lost while jobs run, wait for a machine, and have ended: each is there again, and goes on.
#[test]
fn the_database_is_lost_while_jobs_run_wait_and_have_ended() {
    let _turn = bed::turn();
    let mut world = World::new();
    let ended = world.load(5, "early");
    world.open("early");
    world.settle(&ended);
    let running = world.load(number("RUTTER_TEST_JOBS", 50), "all");
    let waiting = world.waiting(5);
    world.running(&running);
    world.say("the database is lost");
    world.lose_database();
    world.open("all");
    world.settle(&running);
    world.dismiss(&waiting);
    world.check();
}

/// Any faults at any time, two at once, with jobs at every step of their lives.
#[test]
fn a_random_mix_of_faults() {
    let _turn = bed::turn();
    let mut dice = Dice::new();
    let mut world = World::new();
    let all_the_time = world.load(10, "all");
    for round in 0..number("RUTTER_TEST_ROUNDS", 8) {
        let gate = format!("round-{round}");
        let jobs = world.load(8, &gate);
        if dice.below(2) == 0 {
            world.running(&jobs);
        }
        let faults = [0, 1].map(|_| Fault::any(&mut dice));
        world.say(&format!("round {round}: {faults:?}"));
        let mut begun = Vec::new();
        for fault in faults {
            std::thread::sleep(Duration::from_millis(dice.below(3000)));
            begun.push(fault.begin(&mut world, &jobs));
        }
        world.open(&gate);
        std::thread::sleep(Duration::from_millis(dice.below(12_000)));
        for begun in begun {
            begun.end(&mut world);
            std::thread::sleep(Duration::from_millis(dice.below(2000)));
        }
        world.settle(&jobs);
    }
    world.say("the end");
    world.open("all");
    world.settle(&all_the_time);
    world.check();
}
