//! Launches that an earlier run of the server left.

use std::{fs, io, sync::Arc};

use rutter_core::{
    executor::{AttemptName, Observation},
    id::LaunchName,
};

use crate::{
    attempt::{AttemptEnd, Standing},
    container::Container,
    folder::LaunchRecord,
    remover::GONE,
    shared::{Begun, Shared},
    supervise::{Supervisor, launch_end, wants_another},
};

/// Find every launch, and give back the supervisors of those that are not over.
pub(crate) fn find_all(shared: &Arc<Shared>) -> io::Result<Vec<(Supervisor, Standing)>> {
    let mut supervisors = Vec::new();
    for entry in fs::read_dir(&shared.config.folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(text) = file_name.to_str() else { continue };
        if text.starts_with(GONE) {
            shared.remover.finish(entry.path());
        } else if let Ok(name) = text.parse() {
            match find(shared, name) {
                Ok(found) => supervisors.extend(found),
                Err(error) => {
                    tracing::error!(job.id = %name.job, %error, "could not read the folder of a launch; it is left alone")
                }
            }
        }
    }
    Ok(supervisors)
}

fn find(shared: &Arc<Shared>, name: LaunchName) -> io::Result<Option<(Supervisor, Standing)>> {
    let folder = shared.folder(name);
    let Some(attempt) = folder.last_attempt()? else {
        // Half made: no agent was started, so the job still waits.
        shared.remover.remove(folder.path())?;
        return Ok(None);
    };
    let record = folder.read_record().unwrap_or_else(|error| {
        tracing::error!(job.id = %name.job, %error, "the record of a launch can't be read; it gets no further attempts");
        LaunchRecord::unknown(name.job)
    });
    let Begun::New(orders) = shared.begin(name, record.needs) else { return Ok(None) };
    for number in 1..=attempt {
        if let Some(token) = folder.attempt(number).token() {
            shared.add_token(token, AttemptName { launch: name, uid: number.to_string() });
        }
    }
    let ending = folder.is_ending();
    let standing = standing(shared, name, &record, attempt);
    match &standing {
        Standing::Over { end, clean }
            if is_over(*end, *clean, !ending && wants_another(*end, attempt, record.retries)) =>
        {
            shared.finish(name, launch_end(*end));
            return Ok(None);
        }
        Standing::Unseen if was_started(shared, name, &record, attempt) => {
            shared.note(name, Observation::Running);
        }
        standing => shared.note(name, standing.observation()),
    }
    if ending {
        shared.end(name, shared.config.grace);
    }
    Ok(Some((Supervisor::new(shared.clone(), name, record, orders, attempt), standing)))
}

/// A container is asked for later: its engine may be slow, or not be there yet.
fn standing(shared: &Shared, name: LaunchName, record: &LaunchRecord, number: u32) -> Standing {
    let attempt = shared.folder(name).attempt(number);
    if record.container.is_some() {
        return attempt.end().map_or(Standing::Unseen, |end| Standing::Over { end, clean: true });
    }
    attempt.examine(&shared.boot).unwrap_or_else(|error| {
        tracing::error!(job.id = %name.job, %error, "could not read the folder of an attempt; it counts as lost");
        Standing::Over { end: AttemptEnd::Lost, clean: false }
    })
}

fn was_started(shared: &Shared, name: LaunchName, record: &LaunchRecord, number: u32) -> bool {
    Container::of(shared, name, record, number).is_some_and(|container| container.was_started())
}

/// Over for good, with nothing left to do: no further attempt, no processes to look for.
fn is_over(end: AttemptEnd, clean: bool, another: bool) -> bool {
    !another && (clean || end != AttemptEnd::Lost)
}
