//! What is kept of jobs beside the database, so that the database can be lost (protocols, section 2).
//!
//! `jobs/<id>/order.json` is written before a launch, `jobs/<id>/final.json` when the job is over. From these, and from
//! what the executor still has, everything comes back but jobs that were only queued.

use jiff::Timestamp;
use rutter_types::JsonMap;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{EngineError, Parts},
    executor::Results,
    id::{InstanceId, JobId},
    job::{Job, Place, State},
    plan::{Plan, PlannedUnit},
    removal,
    results::{ObjectError, Objects},
    store::{JobStore, StoreError},
};

/// Version of the documents below.
const VERSION: u32 = 1;
const INSTANCE: &str = "instance.json";

#[derive(Serialize, Deserialize)]
struct Order {
    version: u32,
    job: Job,
    plan: Plan,
}

#[derive(Serialize, Deserialize)]
struct Final {
    version: u32,
    job: Job,
}

#[derive(Serialize, Deserialize)]
struct Instance {
    version: u32,
    id: InstanceId,
    /// Where jobs are launched; absent before the first start that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

impl Instance {
    fn new(id: InstanceId) -> Self {
        Self { version: VERSION, id, place: None }
    }
}

/// Why an installation could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database belongs to another installation than the objects.
    #[error(
        "the store belongs to installation {store}, the objects to {objects}: one of them was put here by mistake"
    )]
    OtherInstance {
        /// Installation of the store.
        store: InstanceId,
        /// Installation of the objects.
        objects: InstanceId,
    },
    /// A newer server has written here.
    #[error(
        "the stored objects are of version {found} and this server knows version {VERSION}: start the newer one again"
    )]
    Newer {
        /// Version of the objects.
        found: u32,
    },
    /// Jobs run in another place than the one that is configured.
    #[error(
        "{jobs} unfinished jobs were launched in {then}, and this server is configured for {now}: configure the former \
         place until they are over (nothing was changed), or dismiss them there"
    )]
    OtherPlace {
        /// Where they were launched.
        then: String,
        /// Where new ones would be.
        now: String,
        /// How many.
        jobs: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] ObjectError),
}

/// Note where jobs are launched from now on; after [`open`], before anything is concluded about them. `former` = another name of
/// the same place.
///
/// # Errors
/// [`OpenError::OtherPlace`] while jobs run elsewhere: what can't be seen from here is not lost (invariant 4).
pub async fn settle(
    store: &dyn JobStore,
    objects: &Objects,
    place: &str,
    former: Option<&str>,
) -> Result<(), OpenError> {
    let Some(known) = objects.get_json::<Instance>(INSTANCE).await? else { return Ok(()) };
    match &known.place {
        Some(then) if then == place => return Ok(()),
        Some(then) if Some(then.as_str()) == former => {}
        Some(then) => {
            let jobs = store.unfinished().await?.iter().filter(|(_, _, launched)| *launched).count();
            if jobs > 0 {
                return Err(OpenError::OtherPlace { then: then.clone(), now: place.to_owned(), jobs });
            }
        }
        None => {}
    }
    Ok(objects.put_json(INSTANCE, &Instance { place: Some(place.to_owned()), ..known }).await?)
}

/// Open an installation: make it when both store and objects are new, rebuild the store when only it was lost; then
/// keys older than `keys_from` are not known again.
pub async fn open(
    store: &dyn JobStore,
    objects: &Objects,
    keys_from: Timestamp,
) -> Result<InstanceId, OpenError> {
    open_as(store, objects, keys_from, InstanceId::generate()).await
}

/// The same; a new installation is called `new`. For one that has to know itself again without anything of its own.
pub async fn open_as(
    store: &dyn JobStore,
    objects: &Objects,
    keys_from: Timestamp,
    new: InstanceId,
) -> Result<InstanceId, OpenError> {
    let known: Option<Instance> = objects.get_json(INSTANCE).await?;
    if let Some(found) = known.as_ref().map(|known| known.version).filter(|version| *version > VERSION) {
        return Err(OpenError::Newer { found });
    }
    match (store.instance().await?, known) {
        (Some(stored), Some(known)) if stored == known.id => Ok(stored),
        (Some(store), Some(known)) => Err(OpenError::OtherInstance { store, objects: known.id }),
        (Some(id), None) => {
            objects.put_json(INSTANCE, &Instance::new(id)).await?;
            Ok(id)
        }
        (None, Some(known)) => {
            let jobs = rebuild(store, objects).await?;
            store.forget(keys_from, Timestamp::MIN).await?;
            store.set_instance(known.id).await?;
            tracing::warn!(jobs, "the database was lost: jobs were rebuilt from the stored objects");
            Ok(known.id)
        }
        (None, None) => {
            objects.put_json(INSTANCE, &Instance::new(new)).await?;
            store.set_instance(new).await?;
            Ok(new)
        }
    }
}

/// Put every job back whose documents are there and whose removal was not begun; a single unreadable one is said and
/// left out.
async fn rebuild(store: &dyn JobStore, objects: &Objects) -> Result<usize, OpenError> {
    let leaving = removal::marked(objects).await?;
    let mut restored = 0;
    for folder in objects.folders("jobs").await? {
        let Some(id) = folder.parse::<JobId>().ok().filter(|id| !leaving.contains(id)) else { continue };
        match read(objects, id).await {
            Ok(Some((job, plan))) => restored += usize::from(store.restore(&job, plan.as_ref()).await?),
            Ok(None) => {}
            Err(ObjectError::Document { key, source }) => {
                tracing::error!(job.id = %id, key, %source, "a stored job can't be read and is left out");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(restored)
}

async fn read(objects: &Objects, id: JobId) -> Result<Option<(Job, Option<Plan>)>, ObjectError> {
    if let Some(last) = objects.get_json::<Final>(&final_key(id)).await? {
        return Ok(Some((last.job, None)));
    }
    let order = objects.get_json::<Order>(&order_key(id)).await?;
    Ok(order.map(|order| (order.job, Some(order.plan))))
}

/// What is to be known of a launch, for an executor that keeps it with the launch: nothing of what the caller sent. It can't be
/// launched again from it, and need not.
pub(crate) fn order_record(job: &Job, plan: &Plan) -> Vec<u8> {
    let plan = Plan {
        unit: PlannedUnit::Command,
        env: Vec::new(),
        inputs: JsonMap::new(),
        stage: Vec::new(),
        command: Vec::new(),
        ..plan.clone()
    };
    record(&Record::Order(Box::new(Order { version: VERSION, job: job.clone(), plan })))
}

/// The whole record of a job that is over, for the same. Results that are objects are not in it.
pub(crate) fn final_record(job: &Job, with: Results) -> Vec<u8> {
    let mut job = job.clone();
    job.archived = true;
    if let (Results::Left, State::Successful { results, .. } | State::Failed { kept: results, .. }) =
        (with, &mut job.state)
    {
        for value in results.values_mut().flatten() {
            value.place = Place::Object(format!("jobs/{}/lost", job.id));
        }
    }
    record(&Record::Final(Box::new(Final { version: VERSION, job })))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Record {
    Order(Box<Order>),
    Final(Box<Final>),
}

fn record(record: &Record) -> Vec<u8> {
    // Types of our own always have a text.
    serde_json::to_vec(record).unwrap_or_default()
}

/// Put jobs back of which an executor kept records with their launches and the store knows nothing. Gives how many.
///
/// # Errors
/// The store fails.
pub async fn take_up(store: &dyn JobStore, records: &[Vec<u8>]) -> Result<usize, OpenError> {
    let mut restored = 0;
    for text in records {
        let (job, plan) = match serde_json::from_slice(text) {
            Ok(Record::Order(order)) => (order.job, Some(order.plan)),
            Ok(Record::Final(last)) => (last.job, None),
            Err(error) => {
                tracing::error!(%error, "a job's record in the cluster can't be read and is left out");
                continue;
            }
        };
        if store.gone(job.id).await?.is_none() && store.get(job.id).await?.is_none() {
            restored += usize::from(store.restore(&job, plan.as_ref()).await?);
        }
    }
    Ok(restored)
}

impl Parts {
    /// Write what a launch needs; before the launch.
    pub(crate) async fn write_order(&self, job: &Job, plan: &Plan) -> Result<(), EngineError> {
        let order = Order { version: VERSION, job: job.clone(), plan: plan.clone() };
        let work = async {
            // The record is durable in the store; this copy is for a lost store, and the launch it is for ends with the machine.
            Ok(self.objects.put_json_unsynced(&order_key(job.id), &order).await?)
        };
        self.writing::<_, EngineError>(job.id, work).await.map(|_| ())
    }

    /// Whether what a launch needs is written.
    pub(crate) async fn has_order(&self, id: JobId) -> Result<bool, EngineError> {
        Ok(self.objects.size(&order_key(id)).await?.is_some())
    }

    /// Write the whole record of a job that is over; one that is there already is the same and stays.
    pub(crate) async fn write_final(&self, job: &Job) -> Result<(), EngineError> {
        let work = async { Ok(self.put_final(job).await?) };
        self.writing::<_, EngineError>(job.id, work).await?;
        if let Some(name) = job.launch_name()
            && let Err(error) = self.executor.keep_record(name, &|with| final_record(job, with)).await
        {
            // The pass that lets the launch go tries again, and does not let it go without.
            tracing::warn!(job.id = %job.id, error = &error as &dyn std::error::Error, "the record of a job is not kept yet");
        }
        Ok(())
    }

    async fn put_final(&self, job: &Job) -> Result<(), ObjectError> {
        if self.objects.size(&final_key(job.id)).await?.is_some() {
            return Ok(());
        }
        let mut job = job.clone();
        job.archived = true;
        self.objects.put_json(&final_key(job.id), &Final { version: VERSION, job }).await
    }

    /// Keep the log and the record of a job that is over, and note that in the store.
    pub(crate) async fn archive(&self, job: &Job) -> Result<(), EngineError> {
        let work = async {
            self.logs.archive(job).await?;
            Ok(self.put_final(job).await?)
        };
        self.writing::<_, EngineError>(job.id, work).await?;
        self.store.set_archived(job.id).await?;
        self.changes.tell(job.id);
        Ok(())
    }
}

fn order_key(id: JobId) -> String {
    format!("jobs/{id}/order.json")
}

fn final_key(id: JobId) -> String {
    format!("jobs/{id}/final.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: [&str; 2] =
        [include_str!("../test-data/v1/order-without-key.json"), include_str!("../test-data/v1/order.json")];
    const FINAL: &str = include_str!("../test-data/v1/final.json");

    /// What is written today reads like the files of its version: whoever changes a stored type sees it here.
    fn reads<T: Serialize + serde::de::DeserializeOwned>(text: &str) -> T {
        let document: T = serde_json::from_str(text).unwrap();
        let stored: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&document).unwrap(), stored);
        document
    }

    #[test]
    fn documents_of_version_1_are_read_with_and_without_a_key() {
        let [without, with] = ORDERS.map(reads::<Order>);
        assert_eq!(without.job.key, None);
        assert_eq!(with.job.key.unwrap().key, "8e03978e-40d5-43dd-bc93-6894a57f9324");
        assert!(reads::<Final>(FINAL).job.archived);
    }
}
