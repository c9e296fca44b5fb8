//! Why a task failed, and what follows from it. The class is chosen where the fault happens; nothing downstream
//! reads the text to decide.

use serde::{Deserialize, Serialize};

use crate::ids::TaskIndex;

/// What the scheduler does about a failed task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FailureClass {
    /// A passing fault (throttling, a reset, a timeout): again, later, anywhere.
    TryAgain,
    /// A fault of this worker (its disk, its memory): again, on another one.
    TryElsewhere,
    /// An object of an earlier stage is gone or corrupt: write it again first, with the task that owns it.
    InputLost {
        /// How far before this stage in its pipeline the one is that writes the lost object: 1 directly before.
        stages_back: u32,
        /// The task of that stage that writes it.
        task: TaskIndex,
    },
    /// No attempt can succeed (a corrupt source chunk, access denied): the job fails with this reason.
    GiveUpTask,
    /// The request itself is wrong, found only while running: the job fails with this reason.
    InvalidRequest,
    /// An invariant of ours is broken: the job fails with this reason.
    Bug,
}

impl FailureClass {
    /// Whether another attempt of the same task can succeed.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::TryAgain | Self::TryElsewhere | Self::InputLost { .. } => true,
            Self::GiveUpTask | Self::InvalidRequest | Self::Bug => false,
        }
    }
}

/// The failure of one task: the class for code, the message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct TaskFailure {
    /// What follows from it.
    pub class: FailureClass,
    /// What and which: `cannot read chunk c/0/17 of s3://b/a.zarr: access denied`.
    pub message: String,
}

impl TaskFailure {
    /// A failure of `class` with its message.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}
