//! Both sides of a copy as far as memory is concerned.

use rechunk_common::{
    layout::{ArrayLayout, ChunkLayout},
    plan::ShardParts,
};

use super::most_in_a_box;
use crate::{
    EncodedBound,
    axis::{self, over_axes, product},
};

/// The source as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceSide<'a> {
    pub(crate) unit: &'a [u64],
    pub(crate) shard: Option<&'a [u64]>,
    pub(crate) width: u64,
    pub(crate) encoding: EncodedBound,
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
        Self { unit: chunks.read_unit(), shard: shard_of(chunks), width: layout.element.width, encoding }
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
        most_in_a_box(extents, lengths, shard)?.checked_mul(self.encoding.shard_index.0)
    }
}

impl<'a> TargetSide<'a> {
    pub(crate) fn of(layout: &'a ArrayLayout, encoding: EncodedBound) -> Self {
        let chunks = &layout.chunks;
        let (chunk, shard) = (chunks.read_unit(), shard_of(chunks));
        Self { chunk, shard, width: layout.element.width, encoding, parts: None }
    }

    /// The same, written in `parts`.
    pub(crate) fn written(self, parts: Option<ShardParts>) -> Self {
        Self { parts, ..self }
    }

    /// The longest encoded shard with its index; 0 where there are none.
    pub(crate) fn shard_bytes(&self, extents: &[u64]) -> Option<u64> {
        let Some(shard) = self.shard else { return Some(0) };
        over_axes(extents.len(), |axis| {
            Some(axis::boxes(*extents.get(axis)?.min(shard.get(axis)?), *self.chunk.get(axis)?))
        })?
        .checked_mul(self.encoding.chunk.0)?
        .checked_add(self.encoding.shard_index.0)
    }
}
