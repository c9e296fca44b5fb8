//! Chunks passed on as they are, still encoded: whole objects to whole objects, chunks packed into shards, shards
//! unpacked into chunks, and inner chunks packed into other shards. Nothing is decoded, so a corrupt chunk passes
//! unseen: all that is verified are the indexes of shards, those of shards that are passed on whole too, unless the
//! store copies them: then nothing is seen of them at all.
//!
//! A chunk that is missing stays missing, and one that is stored is passed on, whatever its elements are. Knows nothing
//! of plans, leases or other tasks; that both sides have the same chunks by the same codecs is the planner's to know.

mod content;
mod flow;
mod passage;
mod shards;
mod source;

use std::sync::Arc;

use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkLayout},
    plan::{CopyEncoded, GapPolicy, ReadBackAs, Verify},
};

use self::{flow::Flow, passage::Passage};
use crate::{
    context::TaskContext,
    failure::{bug, invalid},
    presence::{Listed, presence_of},
};

#[cfg(test)]
mod tests;

/// Fills the target objects of box `task` with the chunks of the source.
pub async fn copy_encoded(cx: &TaskContext, function: &CopyEncoded, task: TaskIndex) -> Result<(), TaskFailure> {
    let CopyEncoded { source, target, writers, gaps, by_store, listed, shard_parts: _, is_summed } = function;
    let is_same_array = source.shape == target.shape && source.element == target.element;
    if !is_same_array || source.chunks.read_unit() != target.chunks.read_unit() {
        return Err(invalid(format!("the chunks of {} cannot be those of {}", source.url, target.url)));
    }
    if gaps.write_empty_chunks {
        return Err(invalid("chunks that are passed on cannot be made where they are missing"));
    }
    if *by_store && *is_summed {
        return Err(invalid("chunks that the store copies cannot be summed: they are never seen"));
    }
    let region = box_of(writers, task)?;
    let listed = Listed::of(cx, listed.as_ref()).await?;
    let passage = Passage::open(cx.clone(), function, &region, listed)?;
    Flow::new(Arc::new(passage)).run().await
}

/// Sums the chunks of box `task` of a target as they are stored: object by object, or inner chunk by inner chunk.
pub(crate) async fn read_back(cx: &TaskContext, function: &Verify, task: TaskIndex) -> Result<(), TaskFailure> {
    let Verify { target, boxes, read_back_as, presence } = function;
    let region = box_of(boxes, task)?;
    let presence = presence_of(cx, presence.as_ref()).await?;
    let chunks = match read_back_as {
        ReadBackAs::Elements => return Err(bug("elements are not read back as they are stored")),
        ReadBackAs::EncodedChunks => target.chunks.clone(),
        ReadBackAs::EncodedInnerChunks => ChunkLayout::Plain {
            chunk_shape: target.chunks.read_unit().to_vec(),
            codecs: target.chunks.codecs().to_owned(),
        },
    };
    // As if it was passed on once more, into such objects, but for the writing.
    let again = CopyEncoded {
        source: target.clone(),
        target: ArrayLayout { chunks, ..target.clone() },
        writers: boxes.clone(),
        gaps: GapPolicy::default(),
        by_store: false,
        listed: None,
        shard_parts: None,
        is_summed: true,
    };
    let passage = Passage::open(cx.clone(), &again, &region, Listed { longest: None, presence })?;
    Flow::new(Arc::new(passage.without_writing())).run().await
}

fn box_of(grid: &BoxGrid, task: TaskIndex) -> Result<Region, TaskFailure> {
    grid.region(task.0).ok_or_else(|| invalid(format!("there is no task {task}: the stage has {}", grid.len())))
}
