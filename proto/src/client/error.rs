//! Why a call gave no answer.

use rechunk_common::{Refusal, RefusalCode};

use crate::fault::Fault;

/// A call without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The coordinator cannot be reached, went away, or did not answer in time: the same call may succeed later.
    #[error("cannot reach the coordinator at {url}: {cause}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What the connection said.
        cause: String,
    },
    /// The coordinator said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl ClientError {
    /// The answer is not one: a coordinator of another version, or something else at that address.
    pub(super) fn bad_answer(url: &str, fault: &Fault) -> Self {
        let message = format!("the answer of the coordinator at {url} is wrong: {fault}; check that its version fits");
        Self::Refused(Refusal::new(RefusalCode::Internal, "ANSWER_INVALID", message))
    }
}
