//! What one task holds at its peak: the model by which the planner chooses and which the worker enforces.
//!
//! ```text
//! read → exchange   exchange object + pieces in flight + blocks being packed + indexes of source shards
//! index             its rows + one lease for each exchange object + parts of tables in flight
//! exchange → write  open target chunks + blocks in flight + encoded chunks on their way out + the row of a packed one
//! encoded           objects in flight, with the index of a shard twice + indexes of source shards
//!                   copied by the store: nothing, or one object, should the store refuse, where there is room for it
//! through scratch   as read → exchange, then as exchange → write: the larger of both
//! verify            pieces of the target in flight + indexes of its shards; what is not decoded, as `encoded` of whole
//!                   objects, or chunk by chunk where shards were written in parts
//! direct            open target chunks + pieces in flight + encoded chunks on their way out + indexes of source shards
//! ```
//! - A *piece* is a source read unit in its encoded and its decoded form together; a raw *block* is held once, with its
//!   checksum; a packed one as it is stored, which is one byte longer than its elements at the most, and decoded.
//! - A block that is being packed is held beside its elements; afterwards it takes no more than they did.
//! - *Open target chunks* are counted at their whole decoded size, edges included, from the first piece that touches
//!   them in the visiting order to the end of their encoding. Pieces may arrive and decode in any order, but take the
//!   buffers of chunks that they open **in the visiting order**, waiting until these fit into `open`: then the oldest
//!   piece never waits for a younger one, whatever is in flight.
//! - An open *shard* takes its whole encoded bound (inner chunks and index) when it is opened, until its last byte is
//!   written; an open inner chunk takes, beside that, what its decoded form has more than its encoded bound.
//! - A shard that is written in parts takes a part, one encoded inner chunk and its index; an open inner chunk takes the
//!   larger of its two forms beside that. One part more is on its way, so that the next one is filled meanwhile.
//! - Elements of variable length count as what is assumed of them (`rechunk_common::variable`), or as what the longest
//!   chunk has for each where that is more, beside their descriptors; encoded chunks accordingly. While such a chunk is encoded it
//!   is held once more before it is compressed. What they truly take the worker reserves as it finds it. Blocks of them take
//!   the fill value and what their heaps' parts take beside: one part for each piece that has elements of a block.
//! - An encoded chunk counts from the start of its encoding to the end of its PUT; of a shard's inner chunks, until it
//!   is placed in the shard.
//!
//! Not counted, because it belongs to the process: code, connections, the runtime (`MemoryModel::reserve`).

mod read_back;
mod sides;

use rechunk_common::{
    ByteCount,
    ids::TaskIndex,
    plan::{
        BLOCK_HEADER_BYTES, BLOCK_TRAILER_BYTES, CopyEncoded, CopyExchangeToWrite, CopyReadToExchange, CopyReadToWrite,
        CopyThroughScratch, IndexExchange, ROW_ENTRY_BYTES, TABLE_ENTRY_BYTES,
    },
};

pub use self::read_back::of_verify;
pub(crate) use self::sides::{SourceSide, TargetSide};
use crate::{
    EncodedBound,
    array::Array,
    axis::{self, over_axes, product},
    shifted::Shifted,
    sweep::{self, Touch},
};

/// Source pieces that a task may have in flight at the least (`c_r`): one is fetched while one is copied.
pub const MIN_PIECES_IN_FLIGHT: u64 = 2;
/// Source pieces that a task has in flight at the most, where memory is to spare.
pub const MAX_PIECES_IN_FLIGHT: u64 = 16;
/// Exchange blocks in flight at the most (`c_g`).
pub const MAX_BLOCKS_IN_FLIGHT: u64 = 32;
/// Parts of exchange tables in flight at the most.
pub const MAX_TABLES_IN_FLIGHT: u64 = 32;
/// What an indexing task keeps of each exchange object while it looks for it: whether it is there, and its lease.
const LEASE_BYTES: u64 = 24;
/// Target objects that a pass-through has in flight at the most, where memory is to spare.
pub const MAX_OBJECTS_IN_FLIGHT: u64 = 32;
/// Encoded chunks that a task may have on their way out (`c_w`).
pub const WRITES_IN_FLIGHT: u64 = 2;

/// What one task of a stage holds, part by part, all in bytes; the largest task of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskMemory {
    /// Buffers of open target chunks and shards, or the exchange object that is being filled.
    pub open: u64,
    /// One piece in flight: a source chunk, encoded and decoded; or an exchange block.
    pub piece: u64,
    /// Pieces in flight at the least.
    pub least_pieces: u64,
    /// Pieces in flight at the most: never more than a task has.
    pub most_pieces: u64,
    /// One encoded target chunk.
    pub write: u64,
    /// Encoded target chunks on their way out: never more than a task has.
    pub writes: u64,
    /// Held from the first piece to the last: indexes of source shards, the row of a packed exchange.
    pub indexes: u64,
}

impl TaskMemory {
    /// All of it with `pieces` in flight; `None` beyond 2^64.
    pub fn total(&self, pieces: u64) -> Option<u64> {
        let pieces = self.piece.checked_mul(pieces)?;
        let writes = self.write.checked_mul(self.writes)?;
        self.open.checked_add(pieces)?.checked_add(writes)?.checked_add(self.indexes)
    }

    /// How many pieces may be in flight within a declared `task_memory`.
    pub fn pieces_in_flight(&self, task_memory: ByteCount) -> u64 {
        let rest = task_memory.0.saturating_sub(self.total(0).unwrap_or(u64::MAX));
        let pieces = rest.checked_div(self.piece).unwrap_or(u64::MAX);
        pieces.min(self.most_pieces).max(self.least_pieces)
    }

    /// A task that has `pieces` pieces of `piece` bytes, at most `most` of them at a time.
    fn with_pieces(mut self, piece: u64, pieces: u64, most: u64) -> Self {
        self.piece = piece;
        self.most_pieces = pieces.clamp(1, most);
        self.least_pieces = MIN_PIECES_IN_FLIGHT.min(self.most_pieces);
        self
    }

    fn of_open(open: u64) -> Self {
        Self { open, piece: 0, least_pieces: 0, most_pieces: 0, write: 0, writes: 0, indexes: 0 }
    }
}

/// What a direct sweep's task holds; `None` beyond 2^64. The writers' bounds start where both chunk grids meet, or are
/// those of a part of an array.
pub fn of_read_to_write(function: &CopyReadToWrite, source: EncodedBound, target: EncodedBound) -> Option<TaskMemory> {
    let extents = function.writers.bounds().shape();
    let shifted = Shifted::of(&function.source).and(Shifted::of(&function.target));
    let target = TargetSide::of(&function.target, target).written(function.shard_parts).shifted(shifted);
    let target = target.filled_from(&function.target, &function.source, function.listed.as_ref());
    let sweep = Sweep::new(&extents, function.source.chunks.read_unit(), target)?;
    let source = SourceSide::of(&function.source, source).listed(&function.source, function.listed.as_ref());
    let source = source.shifted(shifted);
    direct(&sweep, &source, function.writers.lengths(), &function.order)
}

/// What a task holds that passes encoded chunks on; `None` beyond 2^64.
pub fn of_encoded(function: &CopyEncoded, source: EncodedBound, target: EncodedBound) -> Option<TaskMemory> {
    let extents = function.writers.bounds().shape();
    let shifted = Shifted::of(&function.source).and(Shifted::of(&function.target));
    let target = TargetSide::of(&function.target, target).written(function.shard_parts).shifted(shifted);
    let sides = (&SourceSide::of(&function.source, source).shifted(shifted), &target);
    encoded_in(&extents, sides, function.writers.lengths(), function.is_of_whole_objects(), function.by_store)
}

/// What a task holds that fills an exchange object; `None` beyond 2^64.
pub fn of_read_to_exchange(function: &CopyReadToExchange, source: EncodedBound) -> Option<TaskMemory> {
    let (readers, writers) = (&function.exchange.readers, &function.exchange.writers);
    let source = SourceSide::of(&function.source, source).listed(&function.source, function.listed.as_ref());
    let source = source.shifted(Shifted::of_grid(writers));
    let is_packed = function.exchange.packing().is_some();
    read_to_exchange(&readers.bounds().shape(), &source, readers.lengths(), writers.lengths(), is_packed)
}

/// What a task holds that writes a part of an exchange's index; `None` beyond 2^64, or where the exchange is raw.
pub fn of_index_exchange(function: &IndexExchange) -> Option<TaskMemory> {
    let (readers, writers) = (&function.exchange.readers, &function.exchange.writers);
    let indexers = function.exchange.packing()?.indexers.lengths();
    let shifted = Shifted::of_grid(readers).and(Shifted::of_grid(writers));
    index_exchange(&readers.bounds().shape(), readers.lengths(), writers.lengths(), indexers, shifted)
}

/// What a task holds that empties exchange objects into target chunks; `None` beyond 2^64.
pub fn of_exchange_to_write(function: &CopyExchangeToWrite, target: EncodedBound) -> Option<TaskMemory> {
    // Of the source's elements of variable length no more is known than is assumed.
    let target = TargetSide::of(&function.target, target).filled_from(&function.target, &function.target, None);
    of_exchange_into(function, target.written(function.shard_parts))
}

/// The same of a target of which more is known.
pub(crate) fn of_exchange_into(function: &CopyExchangeToWrite, target: TargetSide) -> Option<TaskMemory> {
    let (readers, blocks) = (function.exchange.readers.lengths(), function.exchange.writers.lengths());
    let (extents, writers) = (function.writers.bounds().shape(), function.writers.lengths());
    let shifted = Shifted::of_grid(&function.exchange.readers).and(Shifted::of_grid(&function.exchange.writers));
    let target = target.shifted(shifted);
    let pieces = pieces_of(readers, blocks, writers);
    let sweep = Sweep::new(&extents, &pieces, target)?;
    exchange_to_write(&sweep, blocks, writers, &function.order, function.exchange.packing().is_some())
}

/// What a task holds that copies a group over local disk: while it reads, then while it writes, never both at a time;
/// `None` beyond 2^64.
pub fn of_through_scratch(
    function: &CopyThroughScratch,
    source: EncodedBound,
    target: EncodedBound,
) -> Option<[TaskMemory; 2]> {
    // The first group is the largest.
    let (read, write) = function.halves(TaskIndex(0), String::new())?;
    Some([of_read_to_exchange(&read, source)?, of_exchange_to_write(&write, target)?])
}

/// The elements of the largest box of `lengths`, decoded.
pub(crate) fn box_bytes(extents: &[u64], lengths: &[u64], width: u64) -> Option<u64> {
    product(extents.iter().zip(lengths).map(|(n, length)| *n.min(length)))?.checked_mul(width)
}

/// The most units that one box overlaps.
fn most_in_a_box(extents: &[u64], lengths: &[u64], unit: &[u64], shifted: Shifted) -> Option<u64> {
    over_axes(extents.len(), |axis| {
        Some(most_along(axis, *extents.get(axis)?, *lengths.get(axis)?, *unit.get(axis)?, shifted))
    })
}

/// The same of boxes that begin where a unit does, unless they are clipped, and are whole numbers of units long.
fn most_in_an_aligned_box(extents: &[u64], lengths: &[u64], unit: &[u64], shifted: Shifted) -> Option<u64> {
    over_axes(extents.len(), |axis| {
        let (n, length, unit) = (*extents.get(axis)?, *lengths.get(axis)?, *unit.get(axis)?);
        let most = most_along(axis, n, length, unit, shifted);
        Some(if shifted.has(axis) { most.min(axis::boxes(length, unit)) } else { most })
    })
}

/// The most units that one box of `length` overlaps along `axis`.
fn most_along(axis: usize, n: u64, length: u64, unit: u64, shifted: Shifted) -> u64 {
    if shifted.has(axis) {
        axis::most_overlapped_anywhere(n, length, unit)
    } else {
        axis::most_overlapped(n, length, unit)
    }
}

/// A target visited in pieces of one grid: all of the memory model that does not depend on the task's box.
#[derive(Debug, Clone)]
pub(crate) struct Sweep<'a> {
    extents: &'a [u64],
    pieces: &'a [u64],
    target: TargetSide<'a>,
    chunk_touches: Vec<Touch>,
    shard_touches: Vec<Touch>,
    /// What an open shard takes beside its open chunks; 0 where there are none.
    shard_bytes: u64,
    /// What an open chunk takes beside that.
    open_bytes: u64,
    /// What is on its way of shards that are written in parts.
    sent_bytes: u64,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(extents: &'a [u64], pieces: &'a [u64], target: TargetSide<'a>) -> Option<Self> {
        let touches = |unit: &[u64]| -> Vec<Touch> {
            let axes = extents.iter().zip(pieces).zip(unit).enumerate();
            axes.map(|(axis, ((n, piece), unit))| {
                if target.unequal.has(axis) {
                    Touch::anywhere_unequal(*n, *piece, *unit)
                } else if target.shifted.has(axis) {
                    Touch::anywhere(*n, *piece, *unit)
                } else {
                    Touch::of(*n, *piece, *unit)
                }
            })
            .collect()
        };
        let chunk_bytes = product(target.chunk.iter().copied())?.checked_mul(target.width)?;
        let chunk_bytes = chunk_bytes.checked_add(target.beside.open)?;
        let EncodedBound { chunk: ByteCount(encoded), shard_index: ByteCount(index) } = target.encoding;
        let (shard_bytes, open_bytes, sent_bytes) = match (target.shard, target.parts) {
            (None, _) => (0, chunk_bytes, 0),
            // What a chunk takes encoded, its shard has taken already.
            (Some(_), None) => (target.shard_bytes(extents)?, chunk_bytes.saturating_sub(encoded), 0),
            (Some(_), Some(parts)) => (parts.filling_room(encoded, index)?, chunk_bytes.max(encoded), parts.bytes.0),
        };
        Some(Self {
            extents,
            pieces,
            chunk_touches: touches(target.chunk),
            shard_touches: target.shard.map(touches).unwrap_or_default(),
            shard_bytes,
            open_bytes,
            sent_bytes,
            target,
        })
    }

    /// Units of `unit` per axis in the largest box of `lengths`.
    fn counts(&self, lengths: &[u64], unit: &[u64]) -> Vec<u64> {
        self.extents
            .iter()
            .zip(lengths)
            .zip(unit)
            .enumerate()
            .map(|(axis, ((n, length), unit))| self.target.chunks_along(axis, *n, *length, *unit))
            .collect()
    }

    /// Bytes of open chunks and shards, and the chunks of the largest box.
    fn open(&self, lengths: &[u64], order: &[usize]) -> Option<(u64, u64)> {
        let counts = self.counts(lengths, self.target.chunk);
        let chunks = sweep::most_open(&self.chunk_touches, &counts, order)?;
        let all = product(counts)?;
        let open = chunks.checked_mul(self.open_bytes)?.checked_add(self.sent_bytes)?;
        let Some(shard) = self.target.shard else { return Some((open, all)) };
        let shards = sweep::most_open(&self.shard_touches, &self.counts(lengths, shard), order)?;
        Some((shards.checked_mul(self.shard_bytes)?.checked_add(open)?, all))
    }

    fn task(&self, lengths: &[u64], order: &[usize]) -> Option<TaskMemory> {
        let (open, chunks) = self.open(lengths, order)?;
        let mut memory = TaskMemory::of_open(open);
        memory.write = self.target.encoding.chunk.0.checked_add(self.target.beside.write)?;
        memory.writes = WRITES_IN_FLIGHT.min(chunks);
        Some(memory)
    }
}

/// A pass-through of boxes of `lengths`; `whole`: object by object; `by_store`: which the store copies.
pub(crate) fn encoded(array: &Array, lengths: &[u64], whole: bool, by_store: bool) -> Option<TaskMemory> {
    encoded_in(array.shape, (&array.source, &array.target), lengths, whole, by_store)
}

fn encoded_in(
    extents: &[u64],
    (source, target): (&SourceSide, &TargetSide),
    lengths: &[u64],
    whole: bool,
    by_store: bool,
) -> Option<TaskMemory> {
    let mut memory = TaskMemory::of_open(0);
    memory.indexes = if whole { 0 } else { source.indexes(extents, lengths)? };
    // Encoded chunks of the source are those of the target: no encoder of ours makes longer ones.
    let chunk = source.encoding.chunk.0.max(target.encoding.chunk.0);
    let object = if target.shard.is_none() {
        chunk
    } else if let Some(parts) = target.parts.filter(|_| !whole) {
        parts.packing_room(chunk, target.encoding.shard_index.0)?
    } else {
        // The index stands in the shard, and beside it while it is made or checked.
        let encoding = EncodedBound { chunk: ByteCount(chunk), ..target.encoding };
        TargetSide { encoding, ..*target }.shard_bytes(extents)?.checked_add(target.encoding.shard_index.0)?
    };
    let objects = most_in_a_box(extents, lengths, target.shard.unwrap_or(target.chunk), target.shifted)?;
    let (least, most) = if by_store { (0, 1) } else { (1, MAX_OBJECTS_IN_FLIGHT) };
    memory = memory.with_pieces(object, objects, most);
    memory.least_pieces = least;
    Some(memory)
}

/// A direct sweep over boxes of `lengths`.
pub(crate) fn direct(sweep: &Sweep, source: &SourceSide, lengths: &[u64], order: &[usize]) -> Option<TaskMemory> {
    let mut memory = sweep.task(lengths, order)?;
    memory.indexes = source.indexes(sweep.extents, lengths)?;
    let pieces = most_in_a_box(sweep.extents, lengths, source.unit, source.shifted)?;
    Some(memory.with_pieces(source.piece()?, pieces, MAX_PIECES_IN_FLIGHT))
}

/// Exchange objects of `readers` for boxes of `writers`.
pub(crate) fn read_to_exchange(
    extents: &[u64],
    source: &SourceSide,
    readers: &[u64],
    writers: &[u64],
    is_packed: bool,
) -> Option<TaskMemory> {
    let bytes = box_bytes(extents, readers, source.width)?;
    let blocks = most_in_a_box(extents, readers, writers, source.shifted)?;
    let beside = if is_packed { TABLE_ENTRY_BYTES + BLOCK_HEADER_BYTES } else { BLOCK_TRAILER_BYTES };
    let beside = blocks.checked_mul(beside)?.checked_add(source.heaps(extents, readers, writers, blocks)?)?;
    let mut memory = TaskMemory::of_open(bytes.checked_add(beside)?);
    if is_packed {
        memory.write = block_bytes(extents, readers, writers, source.width)?;
        memory.writes = WRITES_IN_FLIGHT.min(blocks);
    }
    memory.indexes = source.indexes(extents, readers)?;
    let pieces = most_in_a_box(extents, readers, source.unit, source.shifted)?;
    Some(memory.with_pieces(source.piece()?, pieces, MAX_PIECES_IN_FLIGHT))
}

/// Lengths of the blocks that tasks of `writers` read where blocks are cut by `readers` and by `blocks`: one of the two lies
/// in the other along an axis that `blocks` cut shorter than tasks.
pub(crate) fn pieces_of(readers: &[u64], blocks: &[u64], writers: &[u64]) -> Vec<u64> {
    let axes = readers.iter().zip(blocks).zip(writers);
    axes.map(|((reader, block), writer)| if block < writer { *reader.min(block) } else { *reader }).collect()
}

/// Boxes of `writers` from blocks that `blocks` cut; the sweep's pieces are the blocks.
pub(crate) fn exchange_to_write(
    sweep: &Sweep,
    blocks: &[u64],
    writers: &[u64],
    order: &[usize],
    is_packed: bool,
) -> Option<TaskMemory> {
    let pieces = sweep.pieces;
    let block = block_bytes(sweep.extents, pieces, blocks, sweep.target.width)?;
    let blocks = most_in_a_box(sweep.extents, writers, pieces, sweep.target.shifted)?;
    let mut memory = sweep.task(writers, order)?;
    let piece = if is_packed {
        memory.indexes = blocks.checked_mul(ROW_ENTRY_BYTES)?;
        block.checked_mul(2)?.checked_add(BLOCK_HEADER_BYTES)?
    } else {
        block.checked_add(BLOCK_TRAILER_BYTES)?
    };
    Some(memory.with_pieces(piece, blocks, MAX_BLOCKS_IN_FLIGHT))
}

/// Elements of the largest block, in bytes.
fn block_bytes(extents: &[u64], readers: &[u64], writers: &[u64], width: u64) -> Option<u64> {
    product(extents.iter().zip(readers).zip(writers).map(|((n, r), w)| *n.min(r).min(w)))?.checked_mul(width)
}

/// The index of boxes of `indexers`.
pub(crate) fn index_exchange(
    extents: &[u64],
    readers: &[u64],
    writers: &[u64],
    indexers: &[u64],
    shifted: Shifted,
) -> Option<TaskMemory> {
    let rows = over_axes(extents.len(), |axis| {
        let (extent, reader, writer) = (*extents.get(axis)?, *readers.get(axis)?, *writers.get(axis)?);
        let n = extent.min(*indexers.get(axis)?);
        // Each boundary of either side inside the box begins another pair.
        most_along(axis, extent, n, reader, shifted)
            .checked_add(writers_along(axis, n, writer, shifted))?
            .checked_sub(1)
    })?;
    let objects = most_in_a_box(extents, indexers, readers, shifted)?;
    // Of a reading task's table as much as it shares with the box: one run where the box is a slab.
    let part = over_axes(extents.len(), |axis| {
        let (n, reader) = (*extents.get(axis)?, *readers.get(axis)?);
        let writer = *writers.get(axis)?;
        let in_box = writers_along(axis, n.min(*indexers.get(axis)?), writer, shifted);
        Some(most_along(axis, n, reader, writer, shifted).min(in_box))
    })?;
    let mut memory = TaskMemory::of_open(rows.checked_mul(ROW_ENTRY_BYTES)?);
    memory.indexes = objects.checked_mul(LEASE_BYTES)?;
    memory = memory.with_pieces(part.checked_mul(TABLE_ENTRY_BYTES)?, objects, MAX_TABLES_IN_FLIGHT);
    memory.least_pieces = 1;
    Some(memory)
}

/// Writers' boxes in one of `length` elements that begins where one of them does, unless it is clipped.
fn writers_along(axis: usize, length: u64, writer: u64, shifted: Shifted) -> u64 {
    if shifted.has(axis) { axis::most_overlapped_anywhere(length, length, writer) } else { axis::boxes(length, writer) }
}
