//! What the scheduler asks for. The driver carries it out, in order.

use rechunk_common::{
    Counts, Refusal,
    ids::{JobId, JournalPosition, RunNumber, StageAddress, WorkerId},
    job::JobState,
    plan::Plan,
    session::SyncResponse,
    task_set::TaskRange,
};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Append to the journal; `Event::RecordDurable` answers. Records carry rising positions.
    Append(Record),
    /// Answer the `Sync` of this worker with this sequence number.
    Answer {
        /// The worker.
        worker: WorkerId,
        /// The answer; it names the call.
        response: Box<SyncResponse>,
    },
    /// Answer a submission: accepted durably under this id, which is an older job's where the request id was seen.
    Accepted {
        /// The id that the driver chose.
        submitted: JobId,
        /// The id that the caller gets.
        job: JobId,
    },
    /// Refuse a submission, a cancel or a delete.
    Refused {
        /// The job that was named.
        job: JobId,
        /// Why.
        refusal: Refusal,
    },
    /// A cancel or a delete is durable.
    Confirmed {
        /// The job.
        job: JobId,
    },
    /// Something that people see of the job has changed.
    JobChanged {
        /// The job.
        job: JobId,
    },
}

/// One record of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Rises by one.
    pub position: JournalPosition,
    /// Whether its effect waits for it (the six facts), or it may be flushed with others.
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
        /// Its plan.
        plan: Box<Plan>,
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
    /// The job is forgotten.
    JobDeleted {
        /// The job.
        job: JobId,
    },
}
