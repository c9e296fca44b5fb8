//! Chunks passed on as they are, still encoded: whole objects to whole objects, chunks packed into shards, shards
//! unpacked into chunks, and inner chunks packed into other shards. Nothing is decoded, so a corrupt chunk passes
//! unseen: all that is verified are the indexes of shards, those of shards that are passed on whole too, unless the
//! store copies them: then nothing is seen of them at all.
//!
//! A chunk that is missing stays missing, and one that is stored is passed on, whatever its elements are. Knows nothing
//! of plans, leases or other tasks; that both sides have the same chunks by the same codecs is the planner's to know.

mod flow;
mod passage;
mod shards;
mod source;

use std::sync::Arc;

use rechunk_common::{TaskFailure, ids::TaskIndex, plan::CopyEncoded};

use self::{flow::Flow, passage::Passage};
use crate::{context::TaskContext, failure::invalid, presence::Listed};

#[cfg(test)]
mod tests;

/// Fills the target objects of box `task` with the chunks of the source.
pub async fn copy_encoded(cx: &TaskContext, function: &CopyEncoded, task: TaskIndex) -> Result<(), TaskFailure> {
    let CopyEncoded { source, target, writers, gaps, by_store: _, listed, shard_parts: _ } = function;
    let is_same_array = source.shape == target.shape && source.element == target.element;
    if !is_same_array || source.chunks.read_unit() != target.chunks.read_unit() {
        return Err(invalid(format!("the chunks of {} cannot be those of {}", source.url, target.url)));
    }
    if gaps.write_empty_chunks {
        return Err(invalid("chunks that are passed on cannot be made where they are missing"));
    }
    let region = writers
        .region(task.0)
        .ok_or_else(|| invalid(format!("there is no task {task}: the stage has {}", writers.len())))?;
    let listed = Listed::of(cx, listed.as_ref()).await?;
    let passage = Passage::open(cx.clone(), function, &region, listed)?;
    Flow::new(Arc::new(passage)).run().await
}
