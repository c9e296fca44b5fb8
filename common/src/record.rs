//! What the journal holds: facts about jobs, in order. What is not here may be forgotten and done again.

use std::sync::Arc;

use crate::{
    ByteCount, Counts, Refusal,
    ids::{Incarnation, JobId, JournalPosition, RequestId, RunNumber, StageAddress, TaskIndex, WorkerId},
    job::JobState,
    plan::Plan,
    task_set::TaskRange,
};

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Rises by one.
    pub position: JournalPosition,
    /// When it was made, on the scheduler's clock: milliseconds since the Unix epoch, never less than in a record before.
    pub at_ms: u64,
    /// Whether its effect waits for it (the facts of invariant 7), or it may be flushed with others. Not written down.
    pub is_synchronous: bool,
    /// What is recorded.
    pub fact: RecordFact,
}

/// What is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordFact {
    /// A job is accepted, with its whole plan.
    JobAccepted {
        /// The job.
        job: JobId,
        /// What it is.
        accepted: Box<AcceptedJob>,
    },
    /// Tasks are done.
    TasksDone {
        /// Their stage.
        stage: StageAddress,
        /// The tasks.
        tasks: TaskRange,
        /// Their requests and bytes.
        counts: Counts,
    },
    /// A lease of a single task died: that task may be what kills its workers.
    TaskDied {
        /// Its stage.
        stage: StageAddress,
        /// The task.
        task: TaskIndex,
        /// On which worker.
        worker: WorkerId,
        /// Which start of that worker.
        incarnation: Incarnation,
    },
    /// Every task of a stage is done.
    BarrierPassed {
        /// The stage.
        stage: StageAddress,
    },
    /// How the job will end is decided.
    EndingDecided {
        /// The job.
        job: JobId,
        /// Its run.
        run: RunNumber,
        /// Succeeding, Failing or Cancelling.
        ending: JobState,
        /// Why it fails.
        failure: Option<Refusal>,
    },
    /// The job is terminal.
    JobSettled {
        /// The job.
        job: JobId,
        /// Its run.
        run: RunNumber,
        /// Succeeded, Failed or Cancelled.
        state: JobState,
    },
    /// A failed job goes on under a new run, and keeps what is done.
    RetryStarted {
        /// The job.
        job: JobId,
        /// The new run.
        run: RunNumber,
    },
    /// What a failed job wrote is going to be removed: it can't be retried any more.
    CleanupStarted {
        /// The job.
        job: JobId,
    },
    /// What a failed job wrote is removed; the job is remembered.
    CleanupDone {
        /// The job.
        job: JobId,
    },
    /// The job is forgotten.
    JobDeleted {
        /// The job.
        job: JobId,
    },
}

/// A job as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedJob {
    /// The caller's name for it.
    pub request_id: Option<RequestId>,
    /// What is to be done: kept whole, so that a newer planner never renumbers a running job.
    pub plan: Arc<Plan>,
    /// Shown to people.
    pub source: String,
    /// Shown to people, and compared with the targets of later jobs.
    pub target: String,
    /// Temporary bytes that may stand at one time.
    pub temp_limit: Option<ByteCount>,
    /// Its share beside other jobs; at least 1.
    pub weight: u32,
    /// Tasks of it that may be leased at a time.
    pub max_parallel_tasks: Option<u64>,
}

impl RecordFact {
    /// The job that it is about.
    pub fn job(&self) -> &JobId {
        match self {
            Self::JobAccepted { job, .. }
            | Self::EndingDecided { job, .. }
            | Self::JobSettled { job, .. }
            | Self::RetryStarted { job, .. }
            | Self::CleanupStarted { job }
            | Self::CleanupDone { job }
            | Self::JobDeleted { job } => job,
            Self::TasksDone { stage, .. } | Self::TaskDied { stage, .. } | Self::BarrierPassed { stage } => &stage.job,
        }
    }
}
