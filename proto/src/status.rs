//! Refusals as gRPC statuses and back: the code, `google.rpc.ErrorInfo` with the reason, and `google.rpc.BadRequest` with
//! the field at fault.

use std::{collections::HashMap, error::Error};

use rechunk_common::{Refusal, RefusalCode};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::convert::cut;

/// The domain of our reasons.
pub const ERROR_DOMAIN: &str = "rechunk";

/// A status travels in HTTP headers, of which many clients take 8 KiB: percent-encoded, and twice more in base64.
const MAX_STATUS_MESSAGE_BYTES: usize = 1536;

/// A path to a field in a status.
const MAX_STATUS_FIELD_BYTES: usize = 256;

/// What a refused call answers.
pub fn to_status(refusal: Refusal) -> Status {
    let Refusal { code, reason, field, message } = refusal;
    let message = cut(message, MAX_STATUS_MESSAGE_BYTES);
    let mut details = ErrorDetails::new();
    details.set_error_info(reason, ERROR_DOMAIN, HashMap::new());
    if let Some(field) = field {
        details.add_bad_request_violation(cut(field, MAX_STATUS_FIELD_BYTES), &message);
    }
    Status::with_error_details(to_code(code), message, details)
}

/// What a call answers whose caller is not known: `UNAUTHENTICATED`, with our reason.
pub fn unauthenticated(reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unauthenticated, message, details)
}

/// What a status says, in our words. One that is not from a coordinator of ours has the code's name as its reason.
pub fn from_status(status: &Status) -> Refusal {
    let details = status.get_error_details();
    let ours = details.error_info().filter(|info| info.domain == ERROR_DOMAIN);
    let reason = ours.map_or_else(|| name_of(status.code()).to_owned(), |info| info.reason.clone());
    let violation = details.bad_request().and_then(|bad| bad.field_violations.first());
    Refusal {
        code: from_code(status.code()),
        reason,
        field: violation.map(|violation| violation.field.clone()),
        message: status.message().to_owned(),
    }
}

/// Whether the status was made on the way, because the coordinator could not be reached or did not answer in time, and
/// not by a coordinator.
pub(crate) fn is_of_transport(status: &Status) -> bool {
    if status.get_details_error_info().is_some_and(|info| info.domain == ERROR_DOMAIN) {
        return false;
    }
    // A status with a source was made here, of an error of the connection; one from the wire has none.
    status.source().is_some()
        || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown)
}

fn to_code(code: RefusalCode) -> Code {
    match code {
        RefusalCode::InvalidArgument => Code::InvalidArgument,
        RefusalCode::NotFound => Code::NotFound,
        RefusalCode::AlreadyExists => Code::AlreadyExists,
        RefusalCode::PermissionDenied => Code::PermissionDenied,
        RefusalCode::FailedPrecondition => Code::FailedPrecondition,
        RefusalCode::ResourceExhausted => Code::ResourceExhausted,
        RefusalCode::Unavailable => Code::Unavailable,
        RefusalCode::Internal => Code::Internal,
    }
}

/// The nearest of ours. OUT_OF_RANGE is what gRPC answers to a message above the limit.
fn from_code(code: Code) -> RefusalCode {
    match code {
        Code::InvalidArgument => RefusalCode::InvalidArgument,
        Code::NotFound => RefusalCode::NotFound,
        Code::AlreadyExists => RefusalCode::AlreadyExists,
        Code::PermissionDenied | Code::Unauthenticated => RefusalCode::PermissionDenied,
        Code::FailedPrecondition | Code::Unimplemented => RefusalCode::FailedPrecondition,
        Code::ResourceExhausted | Code::OutOfRange => RefusalCode::ResourceExhausted,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Aborted => RefusalCode::Unavailable,
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok => RefusalCode::Internal,
    }
}

fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests;
