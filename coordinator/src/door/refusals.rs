//! How errors of stores and of metadata become refusals: the class decides the code, the text is kept for people.

use rechunk_common::{Refusal, RefusalCode};
use rechunk_storage::{ErrorClass, Operation, StorageError};
use rechunk_zarr::MetadataError;

/// A failed request to a store, on behalf of a field of the request.
pub(super) fn of_storage(error: &StorageError, field: &str) -> Refusal {
    let (code, reason, advice) = match error.class {
        ErrorClass::Denied => {
            (RefusalCode::PermissionDenied, denied(error.operation), "grant it or use other credentials")
        }
        ErrorClass::Missing => (RefusalCode::NotFound, "NO_SUCH_STORE", "create the bucket or correct the URL"),
        ErrorClass::TryAgain => (RefusalCode::Unavailable, "STORE_UNAVAILABLE", "try again later"),
        ErrorClass::Full => (RefusalCode::ResourceExhausted, "STORE_FULL", "make room and try again"),
        ErrorClass::Unsupported => (RefusalCode::InvalidArgument, "STORE_UNSUPPORTED", "use another store"),
        ErrorClass::Invalid => (RefusalCode::InvalidArgument, "MALFORMED_URL", "correct the URL"),
        ErrorClass::Corrupt => {
            (RefusalCode::FailedPrecondition, "SOURCE_CHANGED", "try again when nobody writes to it")
        }
        ErrorClass::BadIndex => (RefusalCode::InvalidArgument, "BAD_INDEX", "write the index anew"),
        // Nothing here writes, so a lost lease is our fault.
        ErrorClass::LeaseLost | ErrorClass::Other => {
            (RefusalCode::Internal, "STORE_ERROR", "see the coordinator's log")
        }
    };
    Refusal::new(code, reason, format!("{error}; {advice}")).at(field)
}

/// Reading, writing and listing are told apart.
fn denied(operation: Operation) -> &'static str {
    match operation {
        Operation::Open => "ACCESS_NOT_GRANTED",
        Operation::Read | Operation::Inspect => "READ_DENIED",
        Operation::Write => "WRITE_DENIED",
        Operation::Delete => "DELETE_DENIED",
        Operation::List => "LIST_DENIED",
    }
}

/// A metadata document that can't be used. `what` names it: `source array s3://b/g/tas`.
pub(super) fn of_metadata(error: &MetadataError, field: &str, what: &str) -> Refusal {
    let invalid = RefusalCode::InvalidArgument;
    let (code, advice) = match error {
        MetadataError::Limit { .. } => (RefusalCode::ResourceExhausted, "make it smaller"),
        MetadataError::Corrupt { .. } => (invalid, "restore or correct the document"),
        MetadataError::WrongNode { .. } => (invalid, "name another node"),
        MetadataError::UnsupportedDataType { .. } => (invalid, "convert the array to another type first"),
        MetadataError::UnsupportedCodec { .. } => (invalid, "use another codec"),
        MetadataError::UnsupportedExtension { .. } => (invalid, "write the array without it first"),
        MetadataError::FillValue { .. } => (invalid, "correct the fill value"),
        MetadataError::NoTwin { .. } => (invalid, "keep the source's format, or give the target what its format has"),
        MetadataError::ChunkShape { .. } => (invalid, "choose other lengths"),
        MetadataError::CodecChoice { .. } => (invalid, "choose another codec"),
    };
    Refusal::new(code, error.reason(), format!("{what}: {error}; {advice}")).at(field)
}

/// A limit is passed: it is named, with its value.
pub(super) fn over_limit(field: &str, limit: &str, message: impl Into<String>) -> Refusal {
    let reason = format!("LIMIT_{limit}");
    Refusal::new(RefusalCode::ResourceExhausted, &reason, message).at(field)
}
