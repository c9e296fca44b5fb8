//! Refusals inside an answer. A refused call is a status instead: `status.rs`.

use rechunk_common::{Refusal, RefusalCode, limits::MAX_ERROR_MESSAGE_BYTES};

use super::field::{choice, cut, name, same_variants, text};
use crate::{invalid::InvalidRefusal, v1};

same_variants! {
    v1::RefusalCode = RefusalCode {
        InvalidArgument, NotFound, AlreadyExists, PermissionDenied, FailedPrecondition, ResourceExhausted, Unavailable,
        Internal,
    }
}

impl From<Refusal> for v1::Refusal {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, reason, field, message } = refusal;
        Self { code: v1::RefusalCode::from(code).into(), reason, field, message: cut(message, MAX_ERROR_MESSAGE_BYTES) }
    }
}

impl TryFrom<v1::Refusal> for Refusal {
    type Error = InvalidRefusal;

    fn try_from(refusal: v1::Refusal) -> Result<Self, InvalidRefusal> {
        Ok(Self {
            code: choice::<v1::RefusalCode, _>(refusal.code, "code")?,
            reason: name(refusal.reason, "reason")?,
            field: refusal.field.map(|field| text(field, "field")).transpose()?,
            message: cut(refusal.message, MAX_ERROR_MESSAGE_BYTES),
        })
    }
}
