//! What can go wrong with a store, named by what the caller must do. The class is for code, the message for people.
//!
//! Knows nothing of `object_store`: `classify` makes these errors from its.

use std::time::Duration;

use rechunk_common::FailureClass;

/// What follows from a failed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// A passing fault (throttling, a reset, a timeout, a body cut short); our own retries are used up.
    TryAgain,
    /// The store, the file system or a store profile said no.
    Denied,
    /// Something that must be there is not: the bucket, or a region of it.
    Missing,
    /// No room left on the device, or a quota is used up.
    Full,
    /// The store cannot do this, or we cannot with this store.
    Unsupported,
    /// The lease that allowed the write has ended; nothing was sent.
    LeaseLost,
    /// The object is not what it must be: shorter than a range of it, or changed while it was read.
    Corrupt,
    /// The key, the URL or the configuration is wrong.
    Invalid,
    /// An index of references can't be used as it is.
    BadIndex,
    /// None of these.
    Other,
}

impl ErrorClass {
    /// What the scheduler does about a task that failed so.
    pub fn to_failure_class(self) -> FailureClass {
        match self {
            // A worker whose lease has ended reports nothing anyhow; another one gets the task.
            Self::TryAgain | Self::LeaseLost => FailureClass::TryAgain,
            // An unknown fault is most often one of this machine: the number of attempts bounds it.
            Self::Full | Self::Other => FailureClass::TryElsewhere,
            Self::Denied | Self::Missing | Self::Unsupported | Self::Corrupt | Self::BadIndex => {
                FailureClass::GiveUpTask
            }
            Self::Invalid => FailureClass::InvalidRequest,
        }
    }
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Opening a prefix: the profile, the credentials, the client.
    Open,
    /// Reading an object or a part of it.
    Read,
    /// Asking for an object's size.
    Inspect,
    /// Writing an object.
    Write,
    /// Deleting objects.
    Delete,
    /// Listing keys.
    List,
}

impl Operation {
    /// The verb, as it stands after "cannot".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Inspect => "inspect",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }
}

/// A failed operation on a store: `cannot read s3://b/a.zarr/c/0/17: access denied`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {} {url}: {message}", operation.as_str())]
pub struct StorageError {
    /// What follows from it.
    pub class: ErrorClass,
    /// What was tried.
    pub operation: Operation,
    /// The object or prefix.
    pub url: String,
    /// Why: one line, without secrets.
    pub message: String,
}

impl StorageError {
    /// An error of `class`.
    pub fn new(
        class: ErrorClass,
        operation: Operation,
        url: impl std::fmt::Display,
        message: impl Into<String>,
    ) -> Self {
        Self { class, operation, url: url.to_string(), message: message.into() }
    }

    /// What the scheduler does about a task that failed with this.
    pub fn to_failure_class(&self) -> FailureClass {
        self.class.to_failure_class()
    }
}

/// A fault before it is known which operation on which object it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) class: ErrorClass,
    pub(crate) message: String,
    pub(crate) hint: Hint,
}

/// What a fault says beyond its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hint {
    /// Nothing.
    #[default]
    None,
    /// The store asks for fewer requests, and perhaps for a pause.
    Throttled {
        /// How long.
        retry_after: Option<Duration>,
    },
    /// The store does not know the upload in parts.
    UploadGone,
}

impl Fault {
    pub(crate) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), hint: Hint::None }
    }

    pub(crate) fn with_hint(self, hint: Hint) -> Self {
        Self { hint, ..self }
    }

    pub(crate) fn of(self, operation: Operation, url: impl std::fmt::Display) -> StorageError {
        StorageError::new(self.class, operation, url, self.message)
    }
}
