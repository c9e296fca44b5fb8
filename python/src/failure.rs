//! Failures as Python exceptions. The classes are those of `rechunk._errors`; the sentences are those of the command
//! line.

use pyo3::{PyErr, Python, types::PyAnyMethods};
use rechunk_cli::failure::Failure;
use rechunk_common::{FailureClass, TaskFailure};

/// The exception that a failure is raised as.
pub(crate) fn of_failure(py: Python<'_>, failure: &Failure) -> PyErr {
    let kind = match failure {
        // Only the command line has checks that can be unwell.
        Failure::JobFailed(_) | Failure::Unwell(_) => "failed",
        Failure::Refused(_) => "refused",
        Failure::Unreachable(_) => "unreachable",
        Failure::Cancelled(_) => "cancelled",
    };
    let refusal = failure.refusal();
    exception(py, kind, refusal.code.as_str(), &refusal.reason, refusal.field.as_deref(), &refusal.message)
}

/// The exception that the failure of a task is raised as; its reason says whether another attempt can help.
pub(crate) fn of_task(py: Python<'_>, failure: &TaskFailure) -> PyErr {
    let reason = match failure.class {
        FailureClass::TryAgain => "TRY_AGAIN",
        FailureClass::TryElsewhere => "TRY_ELSEWHERE",
        FailureClass::InputLost { .. } => "INPUT_LOST",
        FailureClass::GiveUpTask => "GIVE_UP_TASK",
        FailureClass::InvalidRequest => "INVALID_REQUEST",
        FailureClass::Bug => "BUG",
    };
    exception(py, "task", "FAILED", reason, None, &failure.message)
}

fn exception(py: Python<'_>, kind: &str, code: &str, reason: &str, field: Option<&str>, message: &str) -> PyErr {
    let made = py
        .import("rechunk._errors")
        .and_then(|errors| errors.getattr("of_failure")?.call1((kind, code, reason, field, message)));
    // Where the exception itself cannot be made, why not is raised.
    made.map_or_else(|error| error, PyErr::from_value)
}
