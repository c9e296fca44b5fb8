//! From the errors of `object_store` and the operating system to ours: the one place that knows both.

#![allow(clippy::wildcard_enum_match_arm, reason = "the enums of others grow; what is new to us is `Other`")]

use std::{error::Error as StdError, io, time::Duration};

use object_store::client::{HttpError, HttpErrorKind};

use crate::{
    error::{ErrorClass, Fault, Hint},
    http::{LoginRefused, NoCredentials, StatusError},
    kerchunk::ReferenceFault,
};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// There is no object of that key.
    Absent,
    /// Anything else.
    Fault(Fault),
}

impl From<Cause> for Fault {
    /// For operations where an absent object is a fault.
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Absent => Self::new(ErrorClass::Missing, "it is not there"),
            Cause::Fault(fault) => fault,
        }
    }
}

fn fault(class: ErrorClass, message: impl Into<String>) -> Cause {
    Cause::Fault(Fault::new(class, message))
}

/// The store asks for fewer requests.
fn throttled(answer: impl std::fmt::Display, retry_after: Option<Duration>) -> Cause {
    let fault = Fault::new(ErrorClass::TryAgain, format!("the store answered with {answer}"));
    Cause::Fault(fault.with_hint(Hint::Throttled { retry_after }))
}

fn upload_gone() -> Cause {
    let fault = Fault::new(ErrorClass::Other, "the upload in parts is not there any more");
    Cause::Fault(fault.with_hint(Hint::UploadGone))
}

/// Whether a store refused to create an object because there is one of its key, or may be.
pub(crate) fn is_refused_creation(error: &object_store::Error) -> bool {
    let status = chain(error).find_map(|error| error.downcast_ref::<StatusError>()).map(|error| error.status);
    matches!(error, object_store::Error::AlreadyExists { .. }) || matches!(status, Some(409 | 412))
}

/// What an error of `object_store` means.
pub(crate) fn classify(error: &object_store::Error) -> Cause {
    // The deepest cause says most: a status, an errno.
    let chain = || chain(error);
    if let Some(ReferenceFault(fault)) = chain().find_map(|error| error.downcast_ref()) {
        return Cause::Fault(fault.clone());
    }
    if let Some(status) = chain().find_map(|error| error.downcast_ref::<StatusError>()) {
        return of_status(status);
    }
    if chain().any(<dyn StdError>::is::<NoCredentials>) {
        return fault(ErrorClass::Denied, no_credentials(error));
    }
    if let Some(refused) = chain().find_map(|error| error.downcast_ref::<LoginRefused>()) {
        return fault(ErrorClass::Denied, refused.to_string());
    }
    if let Some(http) = chain().find_map(|error| error.downcast_ref::<HttpError>()) {
        return of_transport(http);
    }
    if let Some(io) = chain().filter_map(|error| error.downcast_ref::<io::Error>()).last() {
        return of_io(io);
    }
    of_store(error)
}

/// How to say who one is to the store that does not know it.
fn no_credentials(error: &object_store::Error) -> &'static str {
    match error {
        object_store::Error::Generic { store: "GCS", .. } => {
            "no credentials were found; set GOOGLE_APPLICATION_CREDENTIALS, or log in (gcloud auth application-default \
             login), or ask for anonymous access"
        }
        object_store::Error::Generic { store: "MicrosoftAzure", .. } => {
            "no credentials were found; set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or \
             AZURE_STORAGE_SAS_TOKEN, or log in (az login), or ask for anonymous access"
        }
        _ => {
            "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or ask for \
             anonymous access"
        }
    }
}

fn of_store(error: &object_store::Error) -> Cause {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => Cause::Absent,
        Error::PermissionDenied { .. } => fault(ErrorClass::Denied, "access denied"),
        Error::Unauthenticated { .. } => fault(ErrorClass::Denied, "the credentials are not valid"),
        Error::NotSupported { source } if source.to_string().starts_with("Range request not supported") => {
            fault(ErrorClass::Unsupported, "the web server does not answer requests for a part of a file")
        }
        Error::InvalidPath { source } => fault(ErrorClass::Invalid, one_line(source)),
        Error::NotSupported { .. } | Error::NotImplemented { .. } => fault(ErrorClass::Unsupported, one_line(error)),
        Error::UnknownConfigurationKey { .. } => fault(ErrorClass::Invalid, one_line(error)),
        other => {
            let text = one_line(deepest(other));
            if text.starts_with("MultipartUpload not found") {
                return upload_gone();
            }
            match bulk_delete_code(&text) {
                Some(code) => match code.parse() {
                    Ok(status) => of_status(&StatusError { status, ..StatusError::default() }),
                    Err(_) => of_code(code).unwrap_or_else(|| fault(ErrorClass::Other, code)),
                },
                None => fault(class_of_text(&text), text),
            }
        }
    }
}

/// Errors that `object_store` keeps private show in their text only.
fn class_of_text(text: &str) -> ErrorClass {
    const BEYOND: [&str; 3] = ["Wanted range starting at", "Out of range of file", "Requested range was invalid"];
    if BEYOND.iter().any(|start| text.starts_with(start)) || text.contains("but object was only") {
        ErrorClass::Corrupt
    } else if text.contains("non-partial response") || text.starts_with("Content-Length Header missing") {
        ErrorClass::Unsupported
    } else if text.starts_with("Server returned error response") {
        // S3 may find out that it cannot copy when it has said already that it will.
        ErrorClass::TryAgain
    } else {
        ErrorClass::Other
    }
}

/// The code of one key's failure within a bulk deletion that succeeded as a whole; on Azure its status.
fn bulk_delete_code(text: &str) -> Option<&str> {
    text.strip_prefix("DeleteObjects request failed").or_else(|| text.strip_prefix("Bulk delete request failed"))?;
    text.rsplit_once("(code: ")?.1.split_once(')').map(|(code, _)| code)
}

fn of_status(error: &StatusError) -> Cause {
    if matches!(error.status, 429 | 503) {
        // The code alone, as people know it, where there is one.
        return match &error.code {
            Some(code) => throttled(code, error.retry_after),
            None => throttled(error, error.retry_after),
        };
    }
    if let Some(cause) = error.code.as_deref().and_then(of_code) {
        return cause;
    }
    let elsewhere = || match &error.bucket_region {
        Some(region) => format!("the bucket is in the region {region}; set it as the region"),
        None => format!("the store answered with {error}; is the region or the URL right?"),
    };
    match error.status {
        404 => Cause::Absent,
        401 | 403 => fault(ErrorClass::Denied, "access denied"),
        300..=399 => fault(ErrorClass::Invalid, elsewhere()),
        400 if error.bucket_region.is_some() => fault(ErrorClass::Invalid, elsewhere()),
        408 | 409 | 425 | 500 | 502 | 504 | 520..=599 => {
            fault(ErrorClass::TryAgain, format!("the store answered with {error}"))
        }
        416 => fault(ErrorClass::Corrupt, "the object is shorter than the range asked for"),
        413 => fault(ErrorClass::Invalid, "the object is larger than the store accepts"),
        507 => fault(ErrorClass::Full, "the store is full"),
        405 | 501 | 505 => fault(ErrorClass::Unsupported, format!("the store answered with {error}")),
        _ => fault(ErrorClass::Other, format!("the store answered with {error}")),
    }
}

/// What an error code means, where it says more than the status.
fn of_code(code: &str) -> Option<Cause> {
    of_s3_code(code).or_else(|| of_azure_code(code))
}

/// The codes of Azure; some are those of S3.
fn of_azure_code(code: &str) -> Option<Cause> {
    Some(match code {
        "BlobNotFound" | "ResourceNotFound" => Cause::Absent,
        // Another attempt of the same object was sooner, and what was sent for this one is gone.
        "InvalidBlockList" => upload_gone(),
        "ContainerNotFound" | "ContainerBeingDeleted" => fault(ErrorClass::Missing, "there is no such container"),
        "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions"
        | "AccountIsDisabled"
        | "ContainerDisabled"
        | "PublicAccessNotPermitted"
        | "NoAuthenticationInformation"
        | "BlobImmutableDueToPolicy"
        | "LeaseIdMissing" => fault(ErrorClass::Denied, format!("access denied ({code})")),
        "AuthenticationFailed" | "InvalidAuthenticationInfo" => {
            fault(ErrorClass::Denied, format!("the credentials are not valid ({code})"))
        }
        "BlobArchived" => fault(ErrorClass::Denied, "the object is archived and must be restored first"),
        "InvalidBlobType" => fault(ErrorClass::Invalid, "the blob there is of another type"),
        "InvalidResourceName" | "OutOfRangeInput" => fault(ErrorClass::Invalid, "the store does not accept the name"),
        _ => return None,
    })
}

/// The codes of S3; GCS has them too.
fn of_s3_code(code: &str) -> Option<Cause> {
    Some(match code {
        "NoSuchKey" => Cause::Absent,
        "NoSuchUpload" => upload_gone(),
        "NoSuchBucket" => fault(ErrorClass::Missing, "there is no such bucket"),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => fault(ErrorClass::Denied, "access denied"),
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "TokenRefreshRequired" => {
            fault(ErrorClass::Denied, format!("the credentials are not valid ({code})"))
        }
        "ExpiredToken" | "ExpiredTokenException" => fault(ErrorClass::Denied, "the credentials have expired"),
        "RequestTimeTooSkewed" => fault(ErrorClass::Denied, "the clock of this machine differs from the store's"),
        // Within an answer that succeeded as a whole.
        "SlowDown" | "ServiceUnavailable" => throttled(code, None),
        "RequestTimeout" | "InternalError" | "OperationAborted" => {
            fault(ErrorClass::TryAgain, format!("the store answered with {code}"))
        }
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "ServerQuotaExceeded" => {
            fault(ErrorClass::Full, format!("the store is full ({code})"))
        }
        "KeyTooLongError" => fault(ErrorClass::Invalid, "the key is longer than the store accepts"),
        "EntityTooLarge" => fault(ErrorClass::Invalid, "the object is larger than the store accepts"),
        // Of GCS.
        "UserProjectMissing" => fault(ErrorClass::Denied, "the caller must pay, which is supported for s3:// only"),
        "InvalidObjectState" => fault(ErrorClass::Denied, "the object is archived and must be restored first"),
        "NotImplemented" => fault(ErrorClass::Unsupported, "the store does not implement this request"),
        // Never mended by another attempt; a copy of an object that is too large for one is answered so.
        "InvalidRequest" => fault(ErrorClass::Unsupported, "the store does not take this request"),
        _ => return None,
    })
}

fn of_transport(error: &HttpError) -> Cause {
    match error.kind() {
        HttpErrorKind::Connect => fault(ErrorClass::TryAgain, format!("no connection: {}", one_line(deepest(error)))),
        HttpErrorKind::Timeout => fault(ErrorClass::TryAgain, "the request timed out"),
        HttpErrorKind::Request | HttpErrorKind::Interrupted => {
            fault(ErrorClass::TryAgain, format!("the connection broke: {}", one_line(deepest(error))))
        }
        // A body that ends early is reported as one that can't be decoded.
        _ => fault(ErrorClass::TryAgain, format!("the transfer failed: {}", one_line(deepest(error)))),
    }
}

/// Too many open files, in the process or the system; the standard library has no kind for them.
const OUT_OF_FILES: [i32; 2] = [24, 23];

fn of_io(error: &io::Error) -> Cause {
    use io::ErrorKind;
    if error.raw_os_error().is_some_and(|code| OUT_OF_FILES.contains(&code)) {
        return fault(ErrorClass::TryAgain, "too many files are open");
    }
    match error.kind() {
        // A file where the key has a directory, or the reverse: no object can have that key.
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => Cause::Absent,
        ErrorKind::PermissionDenied => fault(ErrorClass::Denied, "permission denied"),
        ErrorKind::ReadOnlyFilesystem => fault(ErrorClass::Denied, "the file system is read-only"),
        ErrorKind::StorageFull => fault(ErrorClass::Full, "no space is left on the device"),
        ErrorKind::QuotaExceeded => fault(ErrorClass::Full, "the disk quota is used up"),
        ErrorKind::FileTooLarge => fault(ErrorClass::Invalid, "the object is larger than the file system accepts"),
        ErrorKind::InvalidFilename => fault(ErrorClass::Invalid, "the file system does not accept the name"),
        ErrorKind::TimedOut
        | ErrorKind::Interrupted
        | ErrorKind::WouldBlock
        | ErrorKind::ResourceBusy
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::ConnectionRefused
        | ErrorKind::BrokenPipe
        | ErrorKind::NetworkDown
        | ErrorKind::NetworkUnreachable
        | ErrorKind::HostUnreachable
        | ErrorKind::UnexpectedEof => fault(ErrorClass::TryAgain, one_line(error)),
        _ => fault(ErrorClass::Other, one_line(error)),
    }
}

/// An error and its causes, the innermost last.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let next = |error: &&'a (dyn StdError + 'static)| -> Option<&'a (dyn StdError + 'static)> {
        // `io::Error::source` skips the error that it wraps.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => (*error).source(),
        }
    };
    std::iter::successors(Some(error), next)
}

/// The innermost cause, which has no "error performing … in …" around it.
fn deepest<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    chain(error).last().unwrap_or(error)
}

/// Whether the operating system said that there is no such file or directory.
pub(crate) fn is_file_not_found(error: &object_store::Error) -> bool {
    chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Longest message that is passed on.
const MAX_MESSAGE: usize = 300;

/// The text of an error on one line, cut where it is long, without what a query string may carry.
pub(crate) fn one_line(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let words = text.split_whitespace().map(|word| match word.split_once('?') {
        Some((before, _)) if before.contains("://") => before,
        _ => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let line = line.trim_end_matches('.');
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
