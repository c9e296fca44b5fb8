//! Failures of a copy, each with the class that the scheduler acts on.

use rechunk_common::{FailureClass, TaskFailure};
use rechunk_storage::StorageError;

/// A failed request.
pub(crate) fn of_storage(error: &StorageError) -> TaskFailure {
    TaskFailure::new(error.to_failure_class(), error.to_string())
}

/// A chunk of the source that cannot be decoded.
pub(crate) fn corrupt_source(url: &str, reason: impl std::fmt::Display) -> TaskFailure {
    TaskFailure::new(FailureClass::GiveUpTask, format!("cannot decode {url}: {reason}"))
}

/// The target's filters cannot hold what the source has.
pub(crate) fn unfit_filter(url: &str, reason: impl std::fmt::Display) -> TaskFailure {
    let message = format!("cannot encode {url}: {reason}; choose other filters with --codec");
    TaskFailure::new(FailureClass::InvalidRequest, message)
}

/// An invariant of ours is broken.
pub(crate) fn bug(reason: impl Into<String>) -> TaskFailure {
    TaskFailure::new(FailureClass::Bug, reason)
}

/// Something does not fit this machine's addresses.
pub(crate) fn too_large(what: &str) -> TaskFailure {
    TaskFailure::new(FailureClass::InvalidRequest, format!("{what} is too large for this machine"))
}

/// What the plan asks for cannot be, whatever the worker.
pub(crate) fn invalid(reason: impl Into<String>) -> TaskFailure {
    TaskFailure::new(FailureClass::InvalidRequest, reason)
}

/// A chunk that must be there is not.
pub(crate) fn missing_chunk(url: &str) -> TaskFailure {
    TaskFailure::new(FailureClass::GiveUpTask, format!("cannot read {url}: the source chunk is missing (strict)"))
}
