//! A shard that is written in parts, as they come. The object appears when it is ended; whatever ends the task before,
//! nothing is left of it.

use std::sync::{Mutex, PoisonError};

use rechunk_common::{TaskFailure, plan::ShardParts};
use rechunk_storage::{GrowingObject, Prefix, SentPart};
use tokio::sync::OnceCell;

use super::Part;
use crate::{context::TaskContext, failure::of_storage, payload::as_kept};

/// One shard's way into its store.
#[derive(Debug)]
pub(crate) struct ShardUpload {
    prefix: Prefix,
    key: String,
    parts: ShardParts,
    /// Begun when the first part is there.
    object: OnceCell<GrowingObject>,
    sent: Mutex<Vec<SentPart>>,
}

impl ShardUpload {
    pub(crate) fn new(prefix: Prefix, key: String, parts: ShardParts) -> Self {
        Self { prefix, key, parts, object: OnceCell::new(), sent: Mutex::default() }
    }

    /// Sends a part; several at a time, in any order. One that is all of the shard is put at once.
    pub(crate) async fn send(&self, cx: &TaskContext, part: Part) -> Result<(), TaskFailure> {
        let Part { number, payload, is_all } = part;
        let payload = as_kept(&self.prefix, payload);
        let guard = cx.guard();
        if is_all {
            return self.prefix.put(&self.key, payload, guard).await.map_err(|error| of_storage(&error));
        }
        let begin = || self.prefix.grow(&self.key, self.parts.bytes.0, guard);
        let object = self.object.get_or_try_init(begin).await.map_err(|error| of_storage(&error))?;
        let sent = object.put_part(number, &payload, guard).await.map_err(|error| of_storage(&error))?;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        Ok(())
    }

    /// Makes the object of its parts, all of which have been sent; counts it with the `decoded` bytes that it was made
    /// from.
    pub(crate) async fn end(&self, cx: &TaskContext, decoded: u64) -> Result<(), TaskFailure> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(object) = self.object.get() {
            object.complete(sent, cx.guard()).await.map_err(|error| of_storage(&error))?;
        }
        cx.tally().add(|counts| {
            counts.put_requests += 1;
            counts.bytes_encoded = counts.bytes_encoded.saturating_add(decoded);
        });
        Ok(())
    }
}
