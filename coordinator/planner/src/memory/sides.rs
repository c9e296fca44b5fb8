//! Both sides of a copy as far as memory is concerned.

use rechunk_common::{
    ByteCount,
    geometry::Edges,
    layout::{ArrayLayout, ChunkLayout},
    plan::{BLOCK_LENGTH_BYTES, ListedSource, ShardParts},
    variable::{ASSUMED_BYTES, LENGTH_BYTES, chunk_bytes},
};

use super::{most_along, most_in_a_box, most_in_an_aligned_box};
use crate::{
    EncodedBound,
    axis::{self, over_axes, product},
    codec::CodecFamily,
    shifted::Shifted,
};

/// The source as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceSide<'a> {
    pub(crate) unit: &'a [u64],
    pub(crate) shard: Option<&'a [u64]>,
    /// Bytes that one element takes.
    pub(crate) width: u64,
    pub(crate) encoding: EncodedBound,
    /// Where objects end along axes where they differ in length: an entry per axis, or none at all.
    edges: &'a [Option<Edges>],
    /// Axes along which other grids do not begin where this one does.
    pub(crate) shifted: Shifted,
    /// Boxes are of whole objects, and begin where one does.
    is_aligned: bool,
    /// Bytes that the heap of an exchange block begins with, where elements are of variable length.
    heap_start: Option<u64>,
}

/// The target as far as memory is concerned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TargetSide<'a> {
    pub(crate) chunk: &'a [u64],
    pub(crate) shard: Option<&'a [u64]>,
    /// Bytes that one element takes.
    pub(crate) width: u64,
    pub(crate) encoding: EncodedBound,
    /// What one chunk takes beside its elements, and while it is encoded, where these are of variable length.
    pub(crate) beside: Beside,
    /// In what shards are written that are not held whole.
    pub(crate) parts: Option<ShardParts>,
    /// Axes along which its chunks differ in length.
    pub(crate) unequal: Shifted,
    /// Axes along which other grids do not begin where this one does.
    pub(crate) shifted: Shifted,
}

/// What target chunks of elements of variable length take beside these; nothing where they have a width.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside {
    /// The fill values of both sides, which its heap begins with.
    pub(crate) open: u64,
    /// The chunk before it is compressed.
    pub(crate) write: u64,
}

/// What a heap's first block takes beside its bytes.
const HEAP_BLOCK_BYTES: u64 = 64;

/// Bytes that one element of `source` has at the most, as far as is known: what the longest chunk has for each, twice
/// where it is compressed, and what is assumed of any.
fn value_bytes(source: &ArrayLayout, listed: Option<&ListedSource>) -> u64 {
    let longest = listed.filter(|_| !source.chunks.is_sharded()).map_or(0, |listed| listed.longest.0);
    let elements = elements_of(source).max(1);
    let decoded = CodecFamily::of(source.chunks.codecs()).decoded_bytes(longest);
    decoded.div_ceil(elements).max(ASSUMED_BYTES)
}

fn elements_of(layout: &ArrayLayout) -> u64 {
    product(layout.chunks.read_unit().iter().copied()).unwrap_or(u64::MAX)
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
        let (width, edges) = (layout.element.held_bytes(), layout.edges.as_slice());
        Self { unit, shard, width, encoding, edges, shifted, is_aligned: false, heap_start: None }
    }

    /// The same of `layout`, of which a listing told.
    pub(crate) fn listed(self, layout: &ArrayLayout, listed: Option<&ListedSource>) -> Self {
        if !layout.element.is_variable() {
            return self;
        }
        let value = value_bytes(layout, listed);
        let width = layout.element.width.saturating_add(LENGTH_BYTES).saturating_add(value);
        let fill = u64::try_from(layout.fill.len()).unwrap_or(u64::MAX);
        Self { width, heap_start: Some(fill.saturating_add(HEAP_BLOCK_BYTES)), ..self }
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

    /// What `blocks` blocks of `readers` and `writers` take beside elements of variable length.
    pub(super) fn heaps(&self, extents: &[u64], readers: &[u64], writers: &[u64], blocks: u64) -> Option<u64> {
        let Some(start) = self.heap_start else { return Some(0) };
        // Each boundary of either grid inside the box begins another part.
        let parts = over_axes(extents.len(), |axis| {
            let (n, length) = (*extents.get(axis)?, *readers.get(axis)?);
            let most = |unit: u64| most_along(axis, n, length, unit, self.shifted);
            let unit = *self.unit.get(axis)?;
            let unit = if self.shard.is_some() { unit } else { self.shortest(axis, unit) };
            most(unit).checked_add(most(*writers.get(axis)?))?.checked_sub(1)
        })?;
        let of_parts = parts.checked_mul(HEAP_BLOCK_BYTES)?;
        blocks.checked_mul(start.checked_add(BLOCK_LENGTH_BYTES)?)?.checked_add(of_parts)
    }

    /// Length of the shortest object along `axis`, of which the longest are `longest`: where objects are equal that.
    fn shortest(&self, axis: usize, longest: u64) -> u64 {
        self.edges.get(axis).and_then(Option::as_ref).map_or(longest, Edges::shortest)
    }

    /// The indexes of all source shards that one box overlaps.
    pub(super) fn indexes(&self, extents: &[u64], lengths: &[u64]) -> Option<u64> {
        let Some(longest) = self.shard else { return Some(0) };
        // As many as there were if all were as short as the shortest.
        let shard: Vec<u64> = longest.iter().enumerate().map(|(axis, longest)| self.shortest(axis, *longest)).collect();
        self.most_in_a_box(extents, lengths, &shard)?.checked_mul(self.encoding.shard_index.0)
    }
}

impl<'a> TargetSide<'a> {
    pub(crate) fn of(layout: &'a ArrayLayout, encoding: EncodedBound) -> Self {
        let chunks = &layout.chunks;
        let (chunk, shard) = (chunks.read_unit(), shard_of(chunks));
        let (width, shifted) = (layout.element.held_bytes(), Shifted::of(layout));
        let unequal = Shifted::of_unequal(layout);
        Self { chunk, shard, width, encoding, beside: Beside::default(), parts: None, unequal, shifted }
    }

    /// The same of `layout`, filled from `source`.
    pub(crate) fn filled_from(self, layout: &ArrayLayout, source: &ArrayLayout, listed: Option<&ListedSource>) -> Self {
        if !layout.element.is_variable() {
            return self;
        }
        let (value, elements) = (value_bytes(source, listed), elements_of(layout));
        let fills = layout.fill.len().saturating_add(source.fill.len());
        let write = chunk_bytes(elements, elements.saturating_mul(value));
        let beside = Beside { open: u64::try_from(fills).unwrap_or(u64::MAX).saturating_add(HEAP_BLOCK_BYTES), write };
        let chunk = ByteCount(self.encoding.chunk.0.max(write));
        let width = layout.element.width.saturating_add(LENGTH_BYTES).saturating_add(value);
        Self { width, beside, encoding: EncodedBound { chunk, ..self.encoding }, ..self }
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
