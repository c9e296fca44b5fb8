//! What a caller sees of a job.

use serde::{Deserialize, Serialize};

use crate::{
    ByteCount, Counts, Refusal,
    ids::{JobId, RunNumber, WorkerId},
    plan::{FunctionId, PlanSummary},
    session::Capacity,
};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Durable, not started.
    Accepted,
    /// Tasks are leased.
    Running,
    /// Every task is done; waiting for leases to end and for the record.
    Succeeding,
    /// A task failed for good; waiting for leases to end and for the record.
    Failing,
    /// Cancel was asked for; waiting for leases to end, then removing what was written.
    Cancelling,
    /// Done: every output object is written and published.
    Succeeded,
    /// Nothing is published; the temporary space stays for a retry.
    Failed,
    /// What the job wrote is removed.
    Cancelled,
}

impl JobState {
    /// Whether no worker will start another write for the job.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }

    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Succeeding => "SUCCEEDING",
            Self::Failing => "FAILING",
            Self::Cancelling => "CANCELLING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// What a job's temporary space is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TempStanding {
    /// The job reads and writes there, or would if it were retried.
    InUse,
    /// The job has ended and was asked to leave what is there.
    Kept,
    /// The job has ended for good: what is there was left behind.
    Released,
}

/// Where a job's temporary objects go: a place of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TempView {
    /// Its URL: the job's temporary space, or a place in it.
    pub url: String,
    /// What the space is to the job.
    pub standing: TempStanding,
}

/// A job at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// Its current run.
    pub run: RunNumber,
    /// Where it stands.
    pub state: JobState,
    /// The source's URL; empty for a caller's own pipelines.
    pub source: String,
    /// The target's URL; empty for a caller's own pipelines.
    pub target: String,
    /// When it was accepted, in milliseconds since the Unix epoch.
    pub accepted_at_ms: u64,
    /// When it became terminal.
    pub ended_at_ms: Option<u64>,
    /// One per array and stage name, summed over pipelines, in run order.
    pub stages: Vec<StageProgressView>,
    /// What it waits for, if it waits: workers, a function, memory; one sentence.
    pub waits_for: Option<String>,
    /// Why it failed.
    pub failure: Option<Refusal>,
    /// Leases that ran out without an answer.
    pub leases_expired: u64,
    /// Attempts of tasks beyond the first.
    pub retries: u64,
    /// The largest resident set of a worker that worked on it.
    pub peak_rss: ByteCount,
    /// Its temporary space; `None` where no stage needs one, or the caller planned the job.
    pub temp: Option<TempView>,
    /// The plan in figures; not in lists and not while watching.
    pub plan: Option<PlanSummary>,
}

/// A worker at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub id: WorkerId,
    /// Its program's version.
    pub version: String,
    /// What it has in all.
    pub total: Capacity,
    /// What it can take on.
    pub free: Capacity,
    /// Tasks of the leases that it holds.
    pub leased_tasks: u64,
    /// It takes no new leases.
    pub draining: bool,
    /// What it can run.
    pub functions: Vec<FunctionId>,
    /// When it was last heard, in milliseconds since the Unix epoch.
    pub last_heard_at_ms: u64,
}

/// The stages of one name of one array, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageProgressView {
    /// The array's name; empty for an array job.
    pub array: String,
    /// The stage's name.
    pub name: String,
    /// All tasks.
    pub tasks: u64,
    /// Tasks done.
    pub done: u64,
    /// Tasks leased now.
    pub leased: u64,
    /// What was planned.
    pub predicted: Counts,
    /// What was counted so far.
    pub measured: Counts,
}
