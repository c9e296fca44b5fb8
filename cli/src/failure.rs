//! How a command ends when it does not end well, and the exit code that says so.

use std::process::ExitCode;

use rechunk_common::{Refusal, RefusalCode};

/// A command that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The job ran and failed.
    JobFailed(Refusal),
    /// The request is wrong; nothing was done.
    Refused(Refusal),
    /// The coordinator can't be reached.
    Unreachable(Refusal),
    /// The user cancelled.
    Cancelled(Refusal),
    /// Checks failed; each was printed.
    Unwell(Refusal),
}

impl Failure {
    /// What a program reads.
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::JobFailed(refusal)
            | Self::Refused(refusal)
            | Self::Unreachable(refusal)
            | Self::Cancelled(refusal)
            | Self::Unwell(refusal) => refusal,
        }
    }

    /// 1 the job or a check failed, 2 the request is wrong, 3 the coordinator can't be reached, 130 cancelled.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::JobFailed(_) | Self::Unwell(_) => 1,
            Self::Refused(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Cancelled(_) => 130,
        })
    }

    /// The user pressed Ctrl-C, or another client cancelled the job.
    pub fn cancelled() -> Self {
        let message = "cancelled; what the job had written is removed";
        Self::Cancelled(Refusal::new(RefusalCode::FailedPrecondition, "CANCELLED", message))
    }

    /// The program was told to end at once.
    pub fn interrupted(is_cancelling: bool) -> Self {
        let message = if is_cancelling {
            "interrupted before the cancel was through; parts of the target and temporary objects may be left"
        } else {
            "interrupted"
        };
        Self::Cancelled(Refusal::new(RefusalCode::FailedPrecondition, "INTERRUPTED", message))
    }

    /// A fault of this program or of the machine.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::JobFailed(Refusal::new(RefusalCode::Internal, "INTERNAL", message))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            // With a field it is a store that does not answer, not the coordinator.
            RefusalCode::Unavailable if refusal.field.is_some() => Self::JobFailed(refusal),
            RefusalCode::Unavailable => Self::Unreachable(refusal),
            RefusalCode::Internal => Self::JobFailed(refusal),
            RefusalCode::InvalidArgument
            | RefusalCode::NotFound
            | RefusalCode::AlreadyExists
            | RefusalCode::PermissionDenied
            | RefusalCode::FailedPrecondition
            | RefusalCode::ResourceExhausted => Self::Refused(refusal),
        }
    }
}
