//! What a handle says to the driver. Every question carries the way back for its answer.

use std::time::Duration;

use rechunk_common::{
    Refusal,
    ids::{Epoch, JobId},
    job::{JobView, WorkerView},
    request::{PipelinesRequest, RechunkRequest},
    session::{SyncCall, SyncRequest, SyncResponse},
};
use rechunk_scheduler::Figures;
use tokio::sync::{oneshot, watch};

use crate::{
    door::{Fleet, LiveSpace},
    page::{JobsPage, PageRequest},
};

/// Where an answer goes; the caller may have gone.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// Something that a caller wants of the driver.
pub(crate) enum Message {
    /// What a plan is made for.
    Outlook { answer: Answer<Outlook> },
    /// Plan a request, then run it.
    SubmitRechunk { request: Box<RechunkRequest>, answer: Answer<JobId> },
    /// Run a caller's own pipelines; they are checked.
    SubmitPipelines { request: Box<PipelinesRequest>, answer: Answer<JobId> },
    /// End a job early.
    Cancel { job: JobId, answer: Answer<()> },
    /// Let a failed job go on.
    Retry { job: JobId, answer: Answer<()> },
    /// Forget a terminal job.
    Delete { job: JobId, answer: Answer<()> },
    /// A worker speaks.
    Sync { request: Box<SyncRequest>, answer: oneshot::Sender<SyncResponse> },
    /// The caller of a `Sync` is gone.
    SyncDropped { call: SyncCall },
    /// One job, with its plan.
    Job { job: JobId, answer: Answer<JobView> },
    /// Some jobs.
    Jobs { page: PageRequest, answer: Answer<JobsPage> },
    /// All workers.
    Workers { answer: Answer<Vec<WorkerView>> },
    /// How everything stands, in numbers.
    Figures { answer: Answer<CoordinatorFigures> },
    /// A job as it changes; the sender goes after the terminal view.
    Watch { job: JobId, answer: Answer<watch::Receiver<JobView>> },
}

/// What a plan is made for: the workers that there are, and the places that are taken.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    /// The workers.
    pub(crate) fleet: Fleet,
    /// Targets and temporary spaces of live jobs.
    pub(crate) taken: Vec<LiveSpace>,
}

/// A coordinator in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorFigures {
    /// Jobs, tasks, leases and workers.
    pub scheduler: Figures,
    /// The reign.
    pub epoch: Epoch,
    /// Records that wait for the journal.
    pub records_waiting: u64,
    /// How long ago the journal showed that nobody else reigns.
    pub confirmed_age: Duration,
}
