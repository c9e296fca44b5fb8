//! Ids: one newtype each, so that none can stand for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text! {
    /// A job, as users see it: `job-` and 12 hexadecimal digits.
    JobId
}
text! {
    /// A worker process, as it names itself.
    WorkerId
}
text! {
    /// A caller's name for a submission: the same id gives the same job.
    RequestId
}

number! {
    /// The number of a job's attempt as a whole; `retry` starts the next one.
    RunNumber(u32)
}
number! {
    /// The position of a phase in its plan.
    PhaseIndex(u32)
}
number! {
    /// The position of a pipeline in its phase.
    PipelineIndex(u32)
}
number! {
    /// The position of a stage in its pipeline.
    StageIndex(u32)
}
number! {
    /// One input of one stage.
    TaskIndex(u64)
}
number! {
    /// The number of a coordinator's reign; a newer one fences the older.
    Epoch(u64)
}
number! {
    /// One start of one worker process: two processes with one name never share it, and the later one has the greater.
    Incarnation(u64)
}
number! {
    /// The position of a record in the journal.
    JournalPosition(u64)
}
number! {
    /// Counts the calls of one worker; a higher one ends the older long poll.
    SyncSeq(u64)
}

/// The right to run a range of tasks: unique over all coordinators that ever reigned over a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId {
    /// The reign in which it was granted.
    pub epoch: Epoch,
    /// Counts within the reign.
    pub counter: u64,
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.counter)
    }
}

/// Where a stage stands: job, run, phase, pipeline, stage.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StageAddress {
    /// The job.
    pub job: JobId,
    /// The run of that job.
    pub run: RunNumber,
    /// The phase of its plan.
    pub phase: PhaseIndex,
    /// The pipeline of that phase.
    pub pipeline: PipelineIndex,
    /// The stage of that pipeline.
    pub stage: StageIndex,
}

impl fmt::Display for StageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}/{}", self.job, self.run, self.phase, self.pipeline, self.stage)
    }
}
