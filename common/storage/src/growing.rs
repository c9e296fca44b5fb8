//! Objects that are written while their bytes come: part by part, and visible, whole and at once, when the last one is
//! there. Stores take them as uploads in parts, local files as a file beside the object's that is renamed in its end.
//!
//! What was sent is gone from memory, so an upload that the store forgot can't be sent again from here: whoever has made
//! the bytes makes them again.

use std::sync::Arc;

use object_store::{PutPayload, multipart::PartId};
use rechunk_common::limits::MAX_UPLOAD_PARTS;

use crate::{
    error::{ErrorClass, Operation, StorageError},
    guard::WriteGuard,
    local_uploads::LocalUploads,
    prefix::Prefix,
    upload::{Object, Upload},
};

/// An object of which parts are being sent; dropped before its end nothing is left of it.
pub struct GrowingObject {
    upload: Upload,
    url: String,
}

/// A part that the store has.
#[derive(Debug, Clone)]
pub struct SentPart {
    number: usize,
    id: PartId,
}

impl std::fmt::Debug for GrowingObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GrowingObject").field(&self.url).finish()
    }
}

impl Prefix {
    /// Begins an object at `key` of parts that have `part` bytes each, the last one excepted. `guard` is asked before each
    /// attempt of every message.
    pub async fn grow(&self, key: &str, part: u64, guard: &dyn WriteGuard) -> Result<GrowingObject, StorageError> {
        self.check_writable(key, Operation::Write)?;
        let path = self.path_of(key, Operation::Write)?;
        let url = self.url_of(key);
        let uploads = match &self.place.uploads {
            Some(uploads) => Arc::clone(uploads),
            None => Arc::new(LocalUploads::new(self.place.local_reads.clone(), part, self.place.is_synced)),
        };
        let object = Arc::new(Object { prefix: self.clone(), path, url: url.clone(), uploads, first_attempt: 1 });
        Ok(GrowingObject { upload: object.begin(guard).await?, url })
    }
}

impl GrowingObject {
    /// Sends part `number`, from 0. Parts may be sent at the same time, and in any order.
    pub async fn put_part(
        &self,
        number: usize,
        part: &PutPayload,
        guard: &dyn WriteGuard,
    ) -> Result<SentPart, StorageError> {
        if u64::try_from(number).is_ok_and(|number| number >= MAX_UPLOAD_PARTS) {
            let message = format!("it has more than {MAX_UPLOAD_PARTS} parts");
            return Err(StorageError::new(ErrorClass::Invalid, Operation::Write, &self.url, message));
        }
        let sent = self.upload.put_part(number, part, guard).await;
        sent.map(|id| SentPart { number, id }).map_err(|error| self.made_again(error))
    }

    /// Makes the object of its parts: all of them, from 0 on, in any order. Counted as the PUT that it is.
    pub async fn complete(&self, mut parts: Vec<SentPart>, guard: &dyn WriteGuard) -> Result<(), StorageError> {
        parts.sort_by_key(|part| part.number);
        if parts.iter().enumerate().any(|(at, part)| at != part.number) {
            let message = "a part of it was never sent";
            return Err(StorageError::new(ErrorClass::Other, Operation::Write, &self.url, message));
        }
        let ids = parts.into_iter().map(|part| part.id).collect();
        self.upload.complete(ids, guard).await.map_err(|error| self.made_again(error))
    }

    /// An upload that the store has forgotten may have come to its end, with an answer that was lost: what makes the
    /// object again, from its first byte on, is right in both cases.
    fn made_again(&self, error: StorageError) -> StorageError {
        if self.upload.is_gone() { StorageError { class: ErrorClass::TryAgain, ..error } } else { error }
    }
}

#[cfg(test)]
#[path = "growing_tests.rs"]
mod tests;
