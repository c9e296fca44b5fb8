//! Payloads as a store may keep them.

use bytes::Bytes;
use rechunk_storage::{Prefix, PutPayload, Scheme};

/// The payload as it may be given to the store of `prefix`. A store in memory keeps the bytes that it is given: those of
/// a task go back to it, and may be part of a larger object.
pub(crate) fn as_kept(prefix: &Prefix, payload: PutPayload) -> PutPayload {
    if prefix.url().scheme() == Scheme::Memory {
        return payload.into_iter().map(|part| Bytes::copy_from_slice(&part)).collect();
    }
    payload
}
