//! The server dies at every step, the disk is full, the database is lost: a job that is shown has its results, one that
//! is gone stays gone, and a full disk can be freed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anything;
mod fault;
mod world;

use rutter_core::{
    engine::{Dismissed, EngineError},
    id::JobId,
    retention,
    store::{JobFilter, Page, StoreError},
};

use self::{
    fault::{Death, Room},
    world::{Server, Shown, World, eventually},
};

/// What a job may be after its removal was begun: there with all that belongs to it, or gone with nothing left.
async fn assert_whole_or_gone(world: &World, server: &Server, id: JobId) -> Shown {
    let shown = server.shown(id).await;
    if matches!(shown, Shown::Gone | Shown::Unknown) {
        assert_eq!(world.kept(id).await, Vec::<String>::new());
        assert!(!listed(server).await.contains(&id));
    }
    shown
}

async fn listed(server: &Server) -> Vec<JobId> {
    let page = Page { after: None, limit: 100 };
    let found = server.engine.list(&JobFilter::default(), page).await.unwrap();
    found.jobs.iter().map(|job| job.id).collect()
}

/// Whether the dead server shows a job as gone, and what the next one makes of it, with and without its database.
async fn removed_by_a_server_that_dies(death: Death, loses_store: bool) -> bool {
    let mut world = World::new();
    let server = world.start().await;
    let id = server.done(&world).await;
    let before = server.shown(id).await;
    world.switch.die_at(death);
    let answer = server.engine.dismiss(id).await;
    let died = world.switch.is_dead();
    assert_eq!(answer.is_err(), died, "{answer:?}");
    // A server that dies in a test still reads.
    let seen_gone = matches!(server.shown(id).await, Shown::Gone);
    let server =
        if loses_store { world.restart_without_store(server).await } else { world.restart(server).await };
    let after = assert_whole_or_gone(&world, &server, id).await;
    if seen_gone || !died {
        assert!(!matches!(after, Shown::Job(_)), "{death:?}: it was gone");
    }
    if !loses_store && seen_gone {
        assert_eq!(after, Shown::Gone, "{death:?}: a tombstone stands");
    }
    if let Shown::Job(_) = after {
        assert_eq!(after, before, "{death:?}");
    }
    // Whatever it is now, a lost database does not change it.
    let server = world.restart_without_store(server).await;
    let last = assert_whole_or_gone(&world, &server, id).await;
    assert_eq!(matches!(last, Shown::Job(_)), matches!(after, Shown::Job(_)), "{death:?}");
    died
}

#[tokio::test]
async fn a_removal_that_dies_at_any_step_is_whole_or_not_begun() {
    for loses_store in [false, true] {
        for after in [false, true] {
            let mut steps = 0;
            while removed_by_a_server_that_dies(Death { step: steps, after }, loses_store).await {
                steps += 1;
            }
            assert!(steps > 5, "mark, record, files and mark again: {steps}");
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_freed_by_a_removal_although_the_store_must_grow_for_it() {
    let world = World::new();
    let server = world.start().await;
    let [first, second] = [server.done(&world).await, server.done(&world).await];
    world.switch.set_room(Room::UntilFreed, Room::Enough);
    assert!(matches!(server.engine.dismiss(first).await.unwrap(), Dismissed::Removed(_)));
    assert_eq!(assert_whole_or_gone(&world, &server, first).await, Shown::Gone);
    assert!(matches!(server.shown(second).await, Shown::Job(_)));
}

#[tokio::test]
async fn retention_frees_a_full_disk() {
    let world = World::new();
    let server = world.start().await;
    let jobs = [server.done(&world).await, server.done(&world).await, server.done(&world).await];
    world.switch.set_room(Room::UntilFreed, Room::Enough);
    world.clock.set(rutter_store::conformance::at(40 * 24 * 3600));
    assert_eq!(retention::sweep(&server.engine, &|| Some(1.0)).await.unwrap(), 3);
    for id in jobs {
        assert_eq!(assert_whole_or_gone(&world, &server, id).await, Shown::Gone);
    }
}

#[tokio::test]
async fn a_tombstone_that_finds_no_room_is_written_later_and_meanwhile_nobody_sees_half_a_job() {
    let world = World::new();
    let server = world.start().await;
    let id = server.done(&world).await;
    world.switch.set_room(Room::None, Room::Enough);
    let error = server.engine.dismiss(id).await.unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::Full)), "{error:?}");
    assert_eq!(server.shown(id).await, Shown::Gone);
    assert!(!listed(&server).await.contains(&id));
    assert!(retention::sweep(&server.engine, &|| Some(1.0)).await.is_err());

    let server = world.restart(server).await;
    assert_eq!(server.shown(id).await, Shown::Gone, "after a restart neither");
    world.switch.set_room(Room::Enough, Room::Enough);
    retention::sweep(&server.engine, &|| None).await.unwrap();
    assert_eq!(assert_whole_or_gone(&world, &server, id).await, Shown::Gone);
    let server = world.restart(server).await;
    assert_eq!(assert_whole_or_gone(&world, &server, id).await, Shown::Gone);
}

#[tokio::test]
async fn where_nothing_at_all_can_be_written_a_job_stays_as_it_is() {
    let world = World::new();
    let server = world.start().await;
    let id = server.done(&world).await;
    let before = server.shown(id).await;
    world.switch.set_room(Room::None, Room::None);
    let error = server.engine.dismiss(id).await.unwrap_err();
    assert!(matches!(error, EngineError::Store(StoreError::Full)), "{error:?}");
    assert_eq!(server.shown(id).await, before);
    // The store has room in its own files where the objects have none.
    world.switch.set_room(Room::Enough, Room::None);
    assert!(matches!(server.engine.dismiss(id).await.unwrap(), Dismissed::Removed(_)));
    assert_eq!(assert_whole_or_gone(&world, &server, id).await, Shown::Gone);
}

/// Between the change of a job and its `final.json` a caller sees it as successful, and may remove it.
#[tokio::test]
async fn what_is_written_of_a_job_while_it_is_removed_goes_with_it() {
    let mut world = World::new();
    let server = world.start().await;
    let id = server.submit(None).await.unwrap().job.id;
    let attempt = world.launched(id).await;
    world.switch.hold(Some("final.json"));
    let reported = async {
        // The report is answered one way or the other; what counts is what stays.
        let _ = server.succeed(&world, &attempt).await;
    };
    let removed = async {
        eventually(async || server.job(id).await.is_some_and(|job| job.finished().is_some())).await;
        assert!(matches!(server.engine.dismiss(id).await.unwrap(), Dismissed::Removed(_)));
        world.switch.hold(None);
    };
    tokio::join!(reported, removed);
    eventually(async || world.kept(id).await.is_empty()).await;
    let server = world.restart_without_store(server).await;
    assert_eq!(server.shown(id).await, Shown::Unknown, "a lost database does not bring it back");
}

#[tokio::test]
async fn a_dismissal_that_was_answered_outlives_the_database() {
    let mut world = World::new();
    let server = world.start().await;
    let id = server.submit(None).await.unwrap().job.id;
    world.launched(id).await;
    assert!(matches!(server.engine.dismiss(id).await.unwrap(), Dismissed::Ended(_)));
    let server = world.restart_without_store(server).await;
    assert_eq!(server.job(id).await.unwrap().status(), rutter_types::StatusCode::Dismissed);
    assert_eq!(world.executor.begun.lock().unwrap().len(), 1, "it is not run again");
}

#[tokio::test]
async fn keys_come_back_with_their_jobs_for_as_long_as_they_count() {
    let mut world = World::new();
    let server = world.start().await;
    let running = server.submit(Some("running")).await.unwrap().job.id;
    world.launched(running).await;
    let over = server.submit(Some("over")).await.unwrap().job.id;
    let attempt = world.launched(over).await;
    server.succeed(&world, &attempt).await.unwrap();

    let server = world.restart_without_store(server).await;
    for (key, id) in [("running", running), ("over", over)] {
        let again = server.submit(Some(key)).await.unwrap();
        assert!(again.known, "{key}");
        assert_eq!(again.job.id, id);
    }
    world.clock.set(rutter_store::conformance::at(25 * 3600));
    let server = world.restart_without_store(server).await;
    assert!(!server.submit(Some("over")).await.unwrap().known, "a day is over");
}
