//! What each stage will ask of the stores, exactly, for a dense source and no faults: closed forms over all tasks, and
//! the same for one task, which is the rule that a worker follows.

use rechunk_common::{
    Counts,
    geometry::{BoxGrid, Cut, Region},
    layout::{ArrayLayout, ChunkLayout},
    plan::{CopyEncoded, CopyThroughScratch, Exchange},
};

use crate::axis::{self, over_axes};

/// What a task reads of a source for a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SourceReads {
    /// Chunks or inner chunks that overlap the region: each is read once.
    pub units: u64,
    /// Shards that overlap the region: the index of each is read once by each task; 0 where the source has none.
    pub indexes: u64,
    /// Decoded bytes of the units, clipped to the array or to the part of it that is copied, however little of them the region needs; of chunks that are
    /// stored as their elements are, only what the region needs is read, and counts.
    pub bytes: u64,
}

impl SourceReads {
    /// All requests.
    pub fn requests(&self) -> u64 {
        self.units.saturating_add(self.indexes)
    }
}

/// What one task reads of `source` whose box is `region`; saturating.
pub fn source_reads(source: &ArrayLayout, region: &Region) -> SourceReads {
    let grid = source.read_grid();
    let overlapping = grid.overlapping(region);
    let covered = (0..region.rank()).fold(source.element.width, |bytes, axis| {
        let at = |lengths: &[u64]| lengths.get(axis).copied().unwrap_or(0);
        let last = at(overlapping.end()).saturating_sub(1);
        let start = grid.span(axis, at(overlapping.start())).start.max(at(grid.bounds().start()));
        let end = grid.span(axis, last).end.min(at(grid.bounds().end()));
        bytes.saturating_mul(end.saturating_sub(start))
    });
    let indexes = if source.chunks.is_sharded() { source.write_grid().overlapping(region).element_count() } else { 0 };
    let needed = region.element_count().saturating_mul(source.element.width);
    let bytes = if source.is_raw() { needed } else { covered };
    SourceReads { units: overlapping.element_count(), indexes, bytes }
}

/// The sum of [`source_reads`] over all boxes of `tasks`, whose bounds start where both grids meet, or are those of a part
/// of an array; `None` beyond 2^64.
fn source_reads_of_all(source: &ArrayLayout, tasks: &BoxGrid) -> Option<SourceReads> {
    let over = |figure: Figure, units: &BoxGrid| over_pairs(tasks.bounds(), units, tasks, figure);
    let units = source.read_grid();
    let indexes = match &source.chunks {
        ChunkLayout::Plain { .. } => 0,
        ChunkLayout::Sharded { .. } => over(PAIRS, &source.write_grid())?,
    };
    let bytes = if source.is_raw() {
        bytes_of(tasks, source.element.width)?
    } else {
        over(COVERED, &units)?.checked_mul(source.element.width)?
    };
    Some(SourceReads { units: over(PAIRS, &units)?, indexes, bytes })
}

/// A closed form of how two grids cut the first elements of an axis.
type Figure = fn(u64, Cut, Cut) -> Option<u64>;

/// Pairs of boxes that share an element.
const PAIRS: Figure = |n, one, other| axis::pairs(n, one, other);

/// Elements of the boxes of the first grid that each of the other's overlaps.
const COVERED: Figure = |n, units, boxes| axis::covered(n, units, boxes);

/// The product over the axes of `figure`, of two grids over `bounds`.
fn over_pairs(bounds: &Region, one: &BoxGrid, other: &BoxGrid, figure: Figure) -> Option<u64> {
    over_axes(bounds.rank(), |axis| {
        let start = *bounds.start().get(axis)?;
        figure(bounds.length(axis), one.cut(axis, start)?, other.cut(axis, start)?)
    })
}

/// Boxes of `grid` over `bounds`, the clipped ones included; `None` beyond 2^64.
fn boxes_over(bounds: &Region, grid: &BoxGrid) -> Option<u64> {
    over_axes(bounds.rank(), |axis| Some(grid.cut(axis, *bounds.start().get(axis)?)?.boxes(bounds.length(axis))))
}

/// Decoded bytes within the bounds of `tasks`.
fn bytes_of(tasks: &BoxGrid, width: u64) -> Option<u64> {
    over_axes(tasks.lengths().len(), |axis| Some(tasks.bounds().length(axis)))?.checked_mul(width)
}

/// Objects of `target` within `bounds`, and their decoded bytes; `None` beyond 2^64.
pub(crate) fn written(target: &ArrayLayout, bounds: &Region) -> Option<(u64, u64)> {
    let objects = boxes_over(bounds, &target.write_grid())?;
    let elements = over_axes(bounds.rank(), |axis| Some(bounds.length(axis)))?;
    Some((objects, elements.checked_mul(target.element.width)?))
}

/// copy_read_to_write: every unit that overlaps a box is read for that box; every write unit is written once.
pub(crate) fn read_to_write(source: &ArrayLayout, target: &ArrayLayout, writers: &BoxGrid) -> Option<Counts> {
    let reads = source_reads_of_all(source, writers)?;
    Some(Counts {
        get_requests: reads.units.checked_add(reads.indexes)?,
        put_requests: boxes_over(writers.bounds(), &target.write_grid())?,
        bytes_decoded: reads.bytes,
        bytes_encoded: bytes_of(writers, target.element.width)?,
        ..Counts::default()
    })
}

/// copy_encoded: every chunk is read once and nothing is decoded; objects that are passed on whole are one request each,
/// and none where the store copies them.
pub(crate) fn encoded(function: &CopyEncoded) -> Option<Counts> {
    let CopyEncoded { source, target, writers, .. } = function;
    let put_requests = boxes_over(writers.bounds(), &target.write_grid())?;
    let get_requests = match (function.is_of_whole_objects(), function.by_store) {
        (true, true) => 0,
        (true, false) => put_requests,
        (false, _) => {
            let reads = source_reads_of_all(source, writers)?;
            reads.units.checked_add(reads.indexes)?
        }
    };
    Some(Counts { get_requests, put_requests, ..Counts::default() })
}

/// copy_read_to_exchange: one object per box; its elements count, its trailers do not.
pub(crate) fn read_to_exchange(source: &ArrayLayout, readers: &BoxGrid) -> Option<Counts> {
    let reads = source_reads_of_all(source, readers)?;
    Some(Counts {
        get_requests: reads.units.checked_add(reads.indexes)?,
        put_requests: boxes_over(readers.bounds(), readers)?,
        bytes_decoded: reads.bytes,
        bytes_encoded: bytes_of(readers, source.element.width)?,
        ..Counts::default()
    })
}

/// copy_exchange_to_write: one ranged read per pair of boxes that share an element; one more per box for the row of a
/// packed exchange.
pub(crate) fn exchange_to_write(target: &ArrayLayout, exchange: &Exchange) -> Option<Counts> {
    let Exchange { readers, writers, .. } = exchange;
    let bytes = bytes_of(writers, target.element.width)?;
    let rows = if exchange.packing().is_some() { writers.len() } else { 0 };
    Some(Counts {
        get_requests: blocks(readers, writers)?.checked_add(rows)?,
        put_requests: boxes_over(writers.bounds(), &target.write_grid())?,
        bytes_decoded: bytes,
        bytes_encoded: bytes,
        ..Counts::default()
    })
}

/// index_exchange: one part of a table per pair of an index's box and a reading task that share an element, one listing
/// and one object per box.
pub(crate) fn index_exchange(readers: &BoxGrid, indexers: &BoxGrid) -> Option<Counts> {
    let boxes = indexers.len();
    Some(Counts {
        get_requests: blocks(readers, indexers)?,
        put_requests: boxes,
        metadata_requests: boxes,
        ..Counts::default()
    })
}

/// verify: what the stages before it wrote, objects and the bytes in them, is read once; of shards the index, and every
/// chunk of the `chunks` in them.
pub(crate) fn read_back(written: &Counts, chunks: u64) -> Option<Counts> {
    let get_requests = written.put_requests.checked_add(chunks)?;
    Some(Counts { get_requests, bytes_decoded: written.bytes_encoded, ..Counts::default() })
}

/// Chunks (inner chunks of shards) of `target` within `bounds`; `None` beyond 2^64.
pub(crate) fn chunks_within(target: &ArrayLayout, bounds: &Region) -> Option<u64> {
    boxes_over(bounds, &target.read_grid())
}

/// Blocks of an exchange: pairs of boxes of both grids that share an element.
pub(crate) fn blocks(readers: &BoxGrid, writers: &BoxGrid) -> Option<u64> {
    over_pairs(readers.bounds(), readers, writers, PAIRS)
}

/// copy_through_scratch: the source as an exchange reads it, the target as an exchange writes it. What lies in between
/// is on a disk, and no request to a store.
pub(crate) fn through_scratch(function: &CopyThroughScratch) -> Option<Counts> {
    let CopyThroughScratch { source, target, groups, readers, .. } = function;
    // The product over the axes of the sum over the groups along one.
    // Grids that do not begin together make one group along their axis; all other groups begin where both do.
    let start = groups.bounds().start();
    let boxes = source.boxes_of_read_units(groups.bounds().clone(), readers.clone());
    let over = |figure: &dyn Fn(u64, usize) -> Option<u64>| {
        over_axes(readers.len(), |axis| {
            let (n, length) = (groups.bounds().length(axis), *groups.lengths().get(axis)?);
            let full = n.checked_sub(1)?.checked_div(length)?;
            let last = n.checked_sub(full.checked_mul(length)?)?;
            let of_full = if full == 0 { 0 } else { figure(length, axis)?.checked_mul(full)? };
            of_full.checked_add(figure(last, axis)?)
        })
    };
    let in_boxes = |of: Figure, units: &BoxGrid| {
        over(&|n, axis| of(n, units.cut(axis, *start.get(axis)?)?, boxes.cut(axis, *start.get(axis)?)?))
    };
    let units = source.read_grid();
    let indexes = match &source.chunks {
        ChunkLayout::Plain { .. } => 0,
        ChunkLayout::Sharded { .. } => in_boxes(PAIRS, &source.write_grid())?,
    };
    let written = target.write_grid();
    Some(Counts {
        get_requests: in_boxes(PAIRS, &units)?.checked_add(indexes)?,
        put_requests: over(&|n, axis| Some(written.cut(axis, *start.get(axis)?)?.boxes(n)))?,
        bytes_decoded: in_boxes(COVERED, &units)?.checked_mul(source.element.width)?,
        bytes_encoded: bytes_of(groups, target.element.width)?,
        ..Counts::default()
    })
}
