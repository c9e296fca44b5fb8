//! Both sides of a copy as far as memory is concerned.

use rechunk_common::{
    layout::{ArrayLayout, ChunkLayout},
    plan::ShardParts,
};

use super::{most_in_a_box, most_in_an_aligned_box};
use crate::{
    EncodedBound,
    axis::{self, over_axes, product},
    shifted::Shifted,
};

/// The source as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceSide<'a> {
    pub(crate) unit: &'a [u64],
    pub(crate) shard: Option<&'a [u64]>,
    pub(crate) width: u64,
    pub(crate) encoding: EncodedBound,
    /// Axes along which other grids do not begin where this one does.
    pub(crate) shifted: Shifted,
    /// Boxes are of whole objects, and begin where one does.
    is_aligned: bool,
}

/// The target as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetSide<'a> {
    pub(crate) chunk: &'a [u64],
    pub(crate) shard: Option<&'a [u64]>,
    pub(crate) width: u64,
    pub(crate) encoding: EncodedBound,
    /// In what shards are written that are not held whole.
    pub(crate) parts: Option<ShardParts>,
    /// Axes along which other grids do not begin where this one does.
    pub(crate) shifted: Shifted,
}

fn shard_of(chunks: &ChunkLayout) -> Option<&[u64]> {
    match chunks {
        ChunkLayout::Plain { .. } => None,
        ChunkLayout::Sharded { shard_shape, .. } => Some(shard_shape),
    }
}

impl<'a> SourceSide<'a> {
    pub(crate) fn of(layout: &'a ArrayLayout, encoding: EncodedBound) -> Self {
        let chunks = &layout.chunks;
        let (unit, shard, shifted) = (chunks.read_unit(), shard_of(chunks), Shifted::of(layout));
        Self { unit, shard, width: layout.element.width, encoding, shifted, is_aligned: false }
    }

    /// The same read in boxes of its own whole objects.
    pub(super) fn aligned(self) -> Self {
        Self { is_aligned: true, ..self }
    }

    /// The most units that one box overlaps: chunks, or whole shards.
    pub(super) fn most_in_a_box(&self, extents: &[u64], lengths: &[u64], unit: &[u64]) -> Option<u64> {
        let most = if self.is_aligned { most_in_an_aligned_box } else { most_in_a_box };
        most(extents, lengths, unit, self.shifted)
    }

    /// The same beside a grid that is shifted too.
    pub(crate) fn shifted(self, shifted: Shifted) -> Self {
        Self { shifted: self.shifted.and(shifted), ..self }
    }

    /// One read unit, decoded.
    fn decoded(&self) -> Option<u64> {
        product(self.unit.iter().copied())?.checked_mul(self.width)
    }

    /// One read unit, encoded and decoded.
    pub(crate) fn piece(&self) -> Option<u64> {
        self.decoded()?.checked_add(self.encoding.chunk.0)
    }

    /// The indexes of all source shards that one box overlaps.
    pub(super) fn indexes(&self, extents: &[u64], lengths: &[u64]) -> Option<u64> {
        let Some(shard) = self.shard else { return Some(0) };
        self.most_in_a_box(extents, lengths, shard)?.checked_mul(self.encoding.shard_index.0)
    }
}

impl<'a> TargetSide<'a> {
    pub(crate) fn of(layout: &'a ArrayLayout, encoding: EncodedBound) -> Self {
        let chunks = &layout.chunks;
        let (chunk, shard) = (chunks.read_unit(), shard_of(chunks));
        Self { chunk, shard, width: layout.element.width, encoding, parts: None, shifted: Shifted::of(layout) }
    }

    /// The same beside a grid that is shifted too.
    pub(crate) fn shifted(self, shifted: Shifted) -> Self {
        Self { shifted: self.shifted.and(shifted), ..self }
    }

    /// Chunks along `axis` of a box of `length` that begins where a write unit does.
    pub(super) fn chunks_along(&self, axis: usize, n: u64, length: u64, chunk: u64) -> u64 {
        if self.shifted.has(axis) {
            axis::boxes(length, chunk).min(axis::most_overlapped_anywhere(n, length, chunk))
        } else {
            axis::boxes(n.min(length), chunk)
        }
    }

    /// The same, written in `parts`.
    pub(crate) fn written(self, parts: Option<ShardParts>) -> Self {
        Self { parts, ..self }
    }

    /// The longest encoded shard with its index; 0 where there are none.
    pub(crate) fn shard_bytes(&self, extents: &[u64]) -> Option<u64> {
        let Some(shard) = self.shard else { return Some(0) };
        over_axes(extents.len(), |axis| {
            Some(self.chunks_along(axis, *extents.get(axis)?, *shard.get(axis)?, *self.chunk.get(axis)?))
        })?
        .checked_mul(self.encoding.chunk.0)?
        .checked_add(self.encoding.shard_index.0)
    }
}
