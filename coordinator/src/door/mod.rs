//! The door: from a request and the stores to a checked, planned job. Behind it nothing is checked again.
//!
//! Reads metadata documents and lists keys; chunk bytes it never touches. Writes nothing but, for a job that is about to
//! be accepted, what it was told of the source's gaps ([`Door::write`]). Knows nothing of gRPC, of the journal, or of the
//! workers beyond what [`Fleet`] says of them. [`Door::survey`] and the listing of the source's chunks are all the I/O
//! of a plan; what follows from them is pure.

mod append;
mod assignment;
mod chunk_spec;
mod codec_spec;
mod discovery;
mod enclosing;
mod encoding;
mod info;
mod listing;
mod memory;
mod node;
mod places;
mod presence;
mod referred;
mod refusals;
mod region;
mod selection;
mod shard_spec;
mod spec;
mod standing;
mod subject;
mod survey;
mod target;

#[cfg(test)]
mod tests;

use rechunk_common::{ByteCount, Refusal, ids::JobId, plan::Plan, request::RechunkRequest};
use rechunk_storage::Stores;

pub use info::{ArrayInfo, GridInfo, SourceInfo, StoredInfo};
pub use presence::TempObjects;
pub use survey::Survey;

/// Where requests are checked and planned.
#[derive(Debug, Clone)]
pub struct Door {
    stores: Stores,
}

/// What the workers that may take a job have. A plan is for the smallest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet {
    /// What the tasks of the smallest eligible worker may hold together; `None` where there is no worker yet.
    pub worker_memory_budget: Option<ByteCount>,
    /// What a worker process itself takes, measured at its start.
    pub reserve: ByteCount,
    /// Local disk that the tasks of each worker may use together: the smallest eligible worker's.
    pub worker_scratch: ByteCount,
    /// Tasks that may run at once in the whole fleet.
    pub slots: u64,
    /// Threads of one worker.
    pub threads: u64,
}

/// A place that a live job writes: its target, or its temporary space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSpace {
    /// The job.
    pub job: JobId,
    /// The place's canonical URL.
    pub url: String,
}

/// A request that was found good, planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What is to be done.
    pub plan: Plan,
    /// The source's canonical URL.
    pub source: String,
    /// The target's canonical URL.
    pub target: String,
    /// What the job will write: its target and its temporary space. No other live job may overlap with these.
    pub spaces: Vec<String>,
    /// Temporary bytes that may stand at one time.
    pub temp_limit: Option<ByteCount>,
    /// What must be written before the job is accepted.
    pub objects: TempObjects,
}

impl Door {
    /// A door to these stores.
    pub fn new(stores: Stores) -> Self {
        Self { stores }
    }

    /// Checks a request and plans it as `job`: everything that can be refused without it is refused before the source's
    /// chunks are listed. `live` are the places of all other jobs that are not terminal.
    pub async fn prepare(
        &self,
        request: &RechunkRequest,
        job: &JobId,
        fleet: &Fleet,
        live: &[LiveSpace],
    ) -> Result<Prepared, Refusal> {
        // It holds much while it asks the stores, and nothing of that afterwards.
        let survey = Box::pin(self.survey(request, job, fleet, live)).await?;
        let mut target = target::of(&survey)?;
        if survey.appends() {
            Box::pin(standing::mind_leftovers(&self.stores, &mut target.copies)).await?;
        }
        let listings = listing::list(&self.stores, &target.copies, request.listing).await?;
        survey.plan(target, listings)
    }

    /// Writes what a job needs before it is accepted.
    pub async fn write(&self, objects: &TempObjects) -> Result<(), Refusal> {
        objects.write(&self.stores).await
    }

    /// Removes it again from the temporary space of a job that was not accepted.
    pub async fn discard(&self, space: &str) {
        presence::remove(&self.stores, space).await;
    }
}
