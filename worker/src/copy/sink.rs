//! Where the elements of a copy go: chunks, shards filled by inner chunk, or the blocks of an exchange object.

mod chunks;
mod exchange_object;
mod packed_object;
mod parted_shards;
mod shards;

pub(crate) use chunks::ChunkSink;
pub(crate) use exchange_object::ExchangeSink;
pub(crate) use packed_object::PackedSink;
use rechunk_common::{TaskFailure, layout::ArrayLayout, plan::GapPolicy};
use rechunk_storage::{Prefix, PutPayload};
use rechunk_zarr::Descriptor;
pub(crate) use shards::{ShardSink, Visits};

use super::{
    cells::Cells,
    heap::Heap,
    kernel::is_all,
    targets::{Complete, gap_of},
};
use crate::{
    context::TaskContext,
    failure::{bug, of_storage},
    memory::{Buffer, Reservation},
    payload::as_kept,
};

/// The targets of one task and what becomes of them.
#[derive(Debug)]
pub(crate) enum Sink {
    /// A target is a chunk.
    Chunks(ChunkSink),
    /// A target is an inner chunk.
    Shards(ShardSink),
    /// A target is a block.
    Exchange(ExchangeSink),
    /// A target is a block that is compressed.
    Packed(PackedSink),
}

/// The room that a target needs from its first element on, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TargetRoom {
    /// Its buffer.
    pub(crate) buffer: usize,
    /// What its encoding needs beyond that, where encodings are kept until others are there too.
    pub(crate) encoded: u64,
    /// What its elements of variable length are assumed to take beside their descriptors.
    pub(crate) heap: u64,
}

impl Sink {
    /// The targets' cells.
    pub(crate) fn cells(&self) -> &Cells {
        match self {
            Self::Chunks(chunks) => chunks.cells(),
            Self::Shards(shards) => shards.cells(),
            Self::Exchange(exchange) => exchange.cells(),
            Self::Packed(packed) => packed.cells(),
        }
    }

    /// What target `index` needs from its first element on.
    pub(crate) fn target_room(&self, index: usize) -> Result<TargetRoom, TaskFailure> {
        match self {
            Self::Chunks(chunks) => chunks.target_room(index),
            Self::Shards(shards) => shards.target_room(index),
            Self::Exchange(exchange) => exchange.target_room(index),
            Self::Packed(packed) => packed.target_room(index),
        }
    }

    /// What a complete target needs besides, to be encoded and written, whose elements of variable length have `values`
    /// bytes.
    pub(crate) fn write_room(&self, values: u64) -> u64 {
        match self {
            Self::Chunks(chunks) => chunks.write_room(values),
            Self::Shards(shards) => shards.write_room(values),
            Self::Exchange(_) => 0,
            Self::Packed(packed) => packed.write_room(values),
        }
    }

    /// What is kept of such a target when it is encoded beyond what it held before: its descriptors, and `held` bytes.
    pub(crate) fn kept_beside(&self, values: u64, held: u64) -> u64 {
        match self {
            Self::Shards(shards) => shards.kept_beside(values, held),
            Self::Chunks(_) | Self::Exchange(_) | Self::Packed(_) => 0,
        }
    }

    /// The object that target `index` is, or lies in.
    pub(crate) fn url_of(&self, index: usize) -> Result<String, TaskFailure> {
        match self {
            Self::Chunks(chunks) => Ok(chunks.url_of(index)),
            Self::Shards(shards) => shards.url_of(index),
            Self::Packed(packed) => Ok(packed.url()),
            Self::Exchange(_) => Ok("a block of an exchange object".to_owned()),
        }
    }

    /// Target `index` is not made: nothing of it is there.
    pub(crate) fn leave_out(&self, index: usize) -> Result<(), TaskFailure> {
        match self {
            Self::Chunks(_) => Ok(()),
            Self::Shards(shards) => shards.leave_out(index),
            Self::Exchange(_) | Self::Packed(_) => Err(bug("a block of an exchange object cannot be left out")),
        }
    }

    /// What is held from the first piece to the last.
    pub(crate) fn standing_room(&self) -> u64 {
        match self {
            Self::Chunks(_) => 0,
            Self::Shards(shards) => shards.standing_room(),
            Self::Exchange(exchange) => exchange.standing_room(),
            Self::Packed(packed) => packed.standing_room(),
        }
    }

    /// Encodes and writes a complete target, or what it completes.
    pub(crate) async fn finish(
        &self,
        cx: &TaskContext,
        target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        match self {
            Self::Chunks(chunks) => chunks.finish(cx, target, room).await,
            Self::Shards(shards) => shards.finish(cx, target, room).await,
            Self::Exchange(exchange) => exchange.finish(cx, target).await,
            Self::Packed(packed) => packed.finish(cx, target, room).await,
        }
    }
}

/// Writes an object, and counts it with the `decoded` bytes that it was made from.
pub(super) async fn put(
    cx: &TaskContext,
    prefix: &Prefix,
    key: &str,
    payload: impl Into<PutPayload> + Send,
    decoded: u64,
) -> Result<(), TaskFailure> {
    let payload = as_kept(prefix, payload.into());
    prefix.put(key, payload, cx.guard()).await.map_err(|error| of_storage(&error))?;
    cx.tally().add(|counts| {
        counts.put_requests += 1;
        counts.bytes_encoded = counts.bytes_encoded.saturating_add(decoded);
    });
    Ok(())
}

/// When a target chunk is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeaveOut {
    write_empty_chunks: bool,
    /// `None` where the array has no fill value.
    fill: Option<Vec<u8>>,
    /// What stands in elements that nothing was stored for.
    gap: Vec<u8>,
}

/// What is to be encoded.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) buffer: Buffer,
    /// What its descriptors point into, where elements are of variable length.
    pub(super) heap: Option<Heap>,
}

impl LeaveOut {
    pub(crate) fn new(target: &ArrayLayout, gaps: GapPolicy) -> Self {
        Self {
            write_empty_chunks: gaps.write_empty_chunks,
            fill: target.has_fill.then(|| target.fill.clone()),
            gap: gap_of(target.element.is_variable(), &target.fill),
        }
    }

    /// What the chunk holds, or `None` where it is left out.
    fn kept(&self, target: Complete) -> Option<Kept> {
        let Complete { mut buffer, heap, encoded_room, is_stored, is_filled, .. } = target;
        drop(encoded_room);
        if !is_filled {
            // Only where both fill values agree does a buffer stay unfilled.
            if !self.write_empty_chunks {
                return None;
            }
            super::targets::fill(&mut buffer, &self.gap);
            return Some(Kept { buffer, heap });
        }
        let is_empty = match (&self.fill, &heap) {
            (Some(fill), None) => is_all(buffer.as_slice(), fill),
            (Some(fill), Some(heap)) => are_all(buffer.as_slice(), heap, fill),
            (None, _) => !is_stored,
        };
        (self.write_empty_chunks || !is_empty).then_some(Kept { buffer, heap })
    }
}

/// Whether every element of variable length equals `fill`.
fn are_all(descriptors: &[u8], heap: &Heap, fill: &[u8]) -> bool {
    let mut each = descriptors.as_chunks::<8>().0.iter();
    each.all(|descriptor| heap.get(Descriptor::of_bytes(*descriptor)) == Some(fill))
}
