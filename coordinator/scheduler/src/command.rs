//! What the scheduler asks for. The driver carries it out, in order.

use rechunk_common::{
    Refusal,
    ids::JobId,
    record::Record,
    session::{SyncCall, SyncResponse},
};

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Append to the journal; `Event::RecordDurable` answers. Records carry rising positions.
    Append(Record),
    /// Answer this `Sync`, if it still waits.
    Answer {
        /// Which.
        call: SyncCall,
        /// The answer.
        response: Box<SyncResponse>,
    },
    /// Answer a submission: accepted durably under this id, which is an older job's where the request id was seen.
    Accepted {
        /// The id that the driver chose.
        submitted: JobId,
        /// The id that the caller gets.
        job: JobId,
    },
    /// Refuse a submission, a cancel, a retry or a delete.
    Refused {
        /// The job that was named.
        job: JobId,
        /// Why.
        refusal: Refusal,
    },
    /// A cancel, a retry or a delete is durable.
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
