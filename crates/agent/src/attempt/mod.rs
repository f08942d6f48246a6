//! One attempt from order to verdict.

mod course;
mod report;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rutter_types::agent::{Arg, OrderAnswer, Part, WorkOrder, exit};

use crate::contact::{self, Contact};
use crate::container;
use crate::lock;
use crate::settings::{Place, Settings};
use crate::stop::Stop;
use course::Course;

/// Why an attempt ends without a verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error("signals can't be received: {0}")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Contact(#[from] contact::Error),
    #[error("asked to stop before there was an order")]
    Stopped,
}

/// Exit code after SIGTERM, as shells have it: not 0, which would say that the attempt needs no successor.
const STOPPED: i32 = 143;

/// Runs the attempt; gives the exit code.
pub(crate) async fn run(settings: Settings) -> Result<i32, Error> {
    let place = settings.place;
    match attempt(settings).await {
        // Somebody else has it, or nobody wants it: nothing went wrong here.
        Err(Error::Lock(lock::Error::Busy) | Error::Contact(contact::Error::Over)) => Ok(0),
        Err(Error::Stopped) => Ok(STOPPED),
        Err(error @ Error::Contact(contact::Error::Lost { .. })) => {
            crate::complain(&error);
            if place == Place::Container {
                container::last_word(&error.to_string());
            }
            Ok(exit::LOST_CONTACT)
        }
        Err(error) => {
            if place == Place::Container {
                container::last_word(&error.to_string());
            }
            Err(error)
        }
        code => code,
    }
}

async fn attempt(settings: Settings) -> Result<i32, Error> {
    let held = lock::take(&settings.folder)?;
    let stop = Stop::listen().map_err(Error::Signals)?;
    let contact = Arc::new(Contact::new(settings.server, settings.token_file, settings.ca.clone()));
    if let Some(budget) = settings.contact {
        contact.set_budget(budget);
    }
    let Some(mut order) = order(&contact, stop.clone()).await? else { return Ok(0) };
    if order.command.is_empty() {
        order.command = settings.own_command.into_iter().map(|word| Arg(vec![Part::Text(word)])).collect();
    }
    held.record(&order.job)?;
    contact.set_budget(Duration::from_secs(order.limits.contact_seconds));
    let course =
        Course::new(&order, settings.folder, settings.ca, Arc::clone(&contact), stop, settings.place);
    let report = course.run().await?;
    let code = report::deliver(&report, &course.folder, &contact).await?;
    if code != 0 && settings.place == Place::Container {
        container::last_word(&container::words(&report.outcome));
    }
    Ok(code)
}

/// Asks until there is something to do; `None` when there is not.
async fn order(contact: &Contact, mut stop: Stop) -> Result<Option<Box<WorkOrder>>, Error> {
    loop {
        let answer = tokio::select! {
            answer = contact.order() => answer?,
            () = stop.asked() => return Err(Error::Stopped),
        };
        match answer {
            OrderAnswer::Run(order) => return Ok(Some(order)),
            OrderAnswer::Over => return Ok(None),
            OrderAnswer::Wait { millis } => tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(millis)) => {}
                () = stop.asked() => return Err(Error::Stopped),
            },
        }
    }
}
