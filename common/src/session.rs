//! What a worker and the coordinator say to each other in one `Sync`, in the words of the domain.
//!
//! Level-triggered: the worker says what it holds, the coordinator answers what it should hold. A lost answer costs
//! one round, a repeated one nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    ByteCount, Counts, TaskFailure,
    ids::{Epoch, Incarnation, LeaseId, StageAddress, SyncSeq, TaskIndex, WorkerId},
    plan::{FunctionId, StageFunction},
    request_rate::{RequestShares, StoreRates},
    task_set::TaskRange,
};

/// The right of one worker to run a range of tasks of one stage. It describes itself, so that a coordinator that has
/// just started can adopt it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Unique over all reigns.
    pub id: LeaseId,
    /// The stage.
    pub stage: StageAddress,
    /// The tasks.
    pub tasks: TaskRange,
    /// How long it lasts from its grant, and from each renewal. The worker counts from before it asked, the
    /// coordinator from after it was asked plus a margin: the worker always stops first.
    pub ttl: Duration,
}

/// A lease with the work that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The lease.
    pub lease: Lease,
    /// The stage's name, for logs.
    pub stage_name: String,
    /// The stage's function.
    pub function: StageFunction,
    /// What one task holds at its peak.
    pub task_memory: ByteCount,
    /// Local disk that one task needs.
    pub task_scratch: ByteCount,
}

/// What came of some tasks of a lease. Each task is reported once; a report is repeated until it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseReport {
    /// The lease.
    pub lease: LeaseId,
    /// Its stage: a report outlives its lease.
    pub stage: StageAddress,
    /// Counts up per worker incarnation; acknowledged as a high-water mark.
    pub number: u64,
    /// Tasks that are done, with what they asked of the stores.
    pub done: Vec<DoneTasks>,
    /// Tasks that failed.
    pub failed: Vec<FailedTask>,
}

/// Consecutive tasks that are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoneTasks {
    /// The tasks.
    pub tasks: TaskRange,
    /// Their requests and bytes together.
    pub counts: Counts,
}

/// A task that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTask {
    /// The task.
    pub task: TaskIndex,
    /// Why.
    pub failure: TaskFailure,
    /// What the attempt asked of the stores.
    pub counts: Counts,
}

/// Whether a lease moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseProgress {
    /// The lease.
    pub lease: LeaseId,
    /// Another number than in the call before: a task of it got an answer of a store meanwhile, or waits behind others
    /// that did.
    pub count: u64,
}

/// Which call of which process. Two processes of one name count their calls each for themselves, so the number alone
/// would take one's call for the other's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncCall {
    /// Who.
    pub worker: WorkerId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which call.
    pub seq: SyncSeq,
}

/// A worker speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// Who.
    pub worker: WorkerId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// A higher one ends the older call with nothing granted.
    pub seq: SyncSeq,
    /// What it can run.
    pub functions: Vec<FunctionId>,
    /// What it can take on beside what it holds.
    pub free: Capacity,
    /// What it has in all.
    pub total: Capacity,
    /// It takes no new leases and leaves when it holds none.
    pub draining: bool,
    /// The leases that it works on.
    pub held: Vec<Lease>,
    /// What is not acknowledged yet.
    pub reports: Vec<LeaseReport>,
    /// How long the coordinator may hold the call while there is nothing to say.
    pub wait: Duration,
    /// The program's version, shown to people.
    pub version: String,
    /// The largest resident set since it started, where the machine says it.
    pub peak_rss: ByteCount,
    /// What it keeps to towards the stores, as it was told last.
    pub request_rates: Vec<StoreRates>,
    /// How the leases that it works on move.
    pub progress: Vec<LeaseProgress>,
}

impl SyncRequest {
    /// Which call this is.
    #[must_use]
    pub fn call(&self) -> SyncCall {
        SyncCall { worker: self.worker.clone(), incarnation: self.incarnation, seq: self.seq }
    }
}

/// What a worker can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Capacity {
    /// Memory for tasks.
    pub memory: ByteCount,
    /// Local disk for tasks.
    pub scratch: ByteCount,
    /// Tasks at a time.
    pub slots: u32,
}

/// The coordinator answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncResponse {
    /// Whose reign.
    pub epoch: Epoch,
    /// Of which request.
    pub seq: SyncSeq,
    /// New leases.
    pub granted: Vec<Grant>,
    /// Held leases to stop at once.
    pub revoked: Vec<LeaseId>,
    /// Held leases that are good for another `ttl`, counted by the worker from before it asked.
    pub renewed: Vec<LeaseId>,
    /// Reports up to this number are taken and may be forgotten.
    pub reports_accepted_through: u64,
    /// The latest time for the next call, from this answer.
    pub next_sync_after: Duration,
    /// What this worker may ask of the stores from now on; `None`: nothing is shared out, and it keeps to its own
    /// configuration.
    pub request_shares: Option<RequestShares>,
}
