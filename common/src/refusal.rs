//! Why a request is refused: a code for programs, a reason to look up, the field at fault, a sentence for people.

use serde::{Deserialize, Serialize};

/// The canonical gRPC codes that rechunk answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalCode {
    /// The request is wrong.
    InvalidArgument,
    /// No such source, or no such job.
    NotFound,
    /// The target is there already, or belongs to a live job.
    AlreadyExists,
    /// A store said no, or no profile covers the URL.
    PermissionDenied,
    /// The state of the job or of the source does not allow it.
    FailedPrecondition,
    /// A limit, named in the message.
    ResourceExhausted,
    /// The coordinator or a store can't be reached.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl RefusalCode {
    /// The code as gRPC spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Refusal {
    /// The class of the refusal.
    pub code: RefusalCode,
    /// One upper-case word per cause, stable: `TARGET_EXISTS`, `MEMORY_TOO_SMALL`.
    pub reason: String,
    /// The field of the request at fault, as the API names it: `chunks[0]`, `target`.
    pub field: Option<String>,
    /// What is wrong, where, and what to do.
    pub message: String,
}

impl Refusal {
    /// A refusal without a field.
    pub fn new(code: RefusalCode, reason: &str, message: impl Into<String>) -> Self {
        Self { code, reason: reason.to_owned(), field: None, message: message.into() }
    }

    /// INVALID_ARGUMENT on a field.
    pub fn invalid(field: &str, reason: &str, message: impl Into<String>) -> Self {
        Self::new(RefusalCode::InvalidArgument, reason, message).at(field)
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }
}
