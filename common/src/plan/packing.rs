//! The packed exchange: blocks are compressed, or of elements of variable length, so that their lengths are known only when
//! they are written.
//!
//! ```text
//! exchange object   one entry per block, in C order of the writing tasks that overlap R; then the blocks in that order
//! index object      the rows of one box of writing tasks, in C order; a row: one entry per reading task that overlaps W
//! ```
//! Tables stand in front and entries have fixed sizes, so that every entry's place is arithmetic. The keys of exchange
//! objects name the lease that wrote them: two builds may compress differently, and an attempt that comes late must not
//! replace what an index describes already. Which of several objects of one task is read, the index decides.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Exchange, exchange::spread};
use crate::{
    geometry::{BoxGrid, Region, pairs},
    ids::{Epoch, LeaseId, TaskIndex},
};

/// Bytes of a block's entry in the table of its exchange object: offset, length, the block's crc32c, the entry's own.
pub const TABLE_ENTRY_BYTES: u64 = 24;

/// Bytes before a block's elements: how they are stored.
pub const BLOCK_HEADER_BYTES: u64 = 1;

/// Bytes before the compressed elements of a block where these are of variable length: how many bytes they decode to, four
/// for the length of each and then their own.
pub const BLOCK_LENGTH_BYTES: u64 = 4;

/// Bytes of an entry in a row of the index: the lease that names the object, then as in the object's table.
pub const ROW_ENTRY_BYTES: u64 = 40;

/// Exchange objects of so many consecutive tasks lie in one directory, which one listing shows.
pub const TASKS_PER_DIRECTORY: u64 = 100;

/// How the blocks of an exchange are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ExchangeEncoding {
    /// As they are: every offset is arithmetic.
    #[default]
    Raw,
    /// Compressed, or of elements of variable length.
    Packed(Packing),
}

/// How blocks are compressed and found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// Compresses the blocks, after a byte shuffle.
    pub codec: ExchangeCodec,
    /// Boxes of whole writing tasks: index object `i` holds the rows of those in box `i`.
    pub indexers: BoxGrid,
}

/// The compressor of exchange blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ExchangeCodec {
    /// LZ4 blocks.
    Lz4,
    /// Zstandard frames at level 1.
    Zstd,
    /// None: blocks are packed only because their elements are of variable length.
    None,
}

impl ExchangeCodec {
    /// As it is spelled on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }
}

/// Where a writing task finds its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The task that wrote the index object.
    pub indexer: TaskIndex,
    /// Where the row begins in it.
    pub offset: u64,
    /// Positions of the reading tasks that have an entry each, in C order.
    pub readers: Region,
}

impl Row {
    /// Its length in bytes; `None` beyond 2^64.
    pub fn bytes(&self) -> Option<u64> {
        self.readers.element_count().checked_mul(ROW_ENTRY_BYTES)
    }
}

impl Exchange {
    /// How blocks are packed, if they are.
    pub fn packing(&self) -> Option<&Packing> {
        match &self.encoding {
            ExchangeEncoding::Raw => None,
            ExchangeEncoding::Packed(packing) => Some(packing),
        }
    }

    /// The directory of the packed objects of `task` and its neighbours.
    pub fn packed_directory(task: TaskIndex) -> String {
        let number = task.0.checked_div(TASKS_PER_DIRECTORY).unwrap_or(0);
        format!("{:02x}-{number}", spread(number))
    }

    /// The key of the packed object that reading task `task` writes under `lease`.
    pub fn packed_key(task: TaskIndex, lease: LeaseId) -> String {
        format!("{}/{task}-{:x}-{:x}", Self::packed_directory(task), lease.epoch.0, lease.counter)
    }

    /// The task and the lease of a packed object; `None` for any other key.
    pub fn parse_packed_key(key: &str) -> Option<(TaskIndex, LeaseId)> {
        let (_, name) = key.rsplit_once('/')?;
        let mut parts = name.split('-');
        let task = TaskIndex(parts.next()?.parse().ok()?);
        let epoch = Epoch(u64::from_str_radix(parts.next()?, 16).ok()?);
        let counter = u64::from_str_radix(parts.next()?, 16).ok()?;
        let lease = LeaseId { epoch, counter };
        (parts.next().is_none() && Self::packed_key(task, lease) == key).then_some((task, lease))
    }

    /// The key of index object `task`.
    pub fn index_key(task: TaskIndex) -> String {
        format!("index/{:02x}/{task}", spread(task.0))
    }

    /// Number of blocks in the object of the reading task whose box is `reader`: entries of its table.
    pub fn blocks_of(&self, reader: &Region) -> u64 {
        self.writers.overlapping(reader).element_count()
    }

    /// The number of the block for the writing task at `writer` in the object of the reading task whose box is `reader`;
    /// `None` where they share no element.
    pub fn block_number(&self, reader: &Region, writer: &[u64]) -> Option<u64> {
        self.writers.overlapping(reader).number_of(writer)
    }

    /// The entries, from first to last, that the object of the reading task whose box is `reader` has for writing tasks
    /// inside `indexer`, a box of the indexers. Only where that box is cut along more than its slowest axis does
    /// anything else lie between them.
    pub fn table_run(&self, reader: &Region, indexer: &Region) -> Option<Range<u64>> {
        let common = self.writers.overlapping(&indexer.intersection(reader)?);
        let last: Vec<u64> = common.end().iter().map(|end| end.saturating_sub(1)).collect();
        let first = self.block_number(reader, common.start())?;
        Some(first..self.block_number(reader, &last)?.checked_add(1)?)
    }

    /// Where the row of the writing task at `writer` lies; `None` outside the grid, beyond 2^64, or in a raw exchange.
    ///
    /// Rows stand in C order of the writing tasks in their indexer's box. With `c` the number of reading tasks that
    /// overlap a cell of an axis, `P` the sum of the `c` before it and `T` the sum of all of the box, the entries before
    /// a row are `Σ_k (Π_{j<k} c_j) · P_k · (Π_{j>k} T_j)`.
    pub fn row(&self, writer: &[u64]) -> Option<Row> {
        let packing = self.packing()?;
        let region = self.writers.region_at(writer);
        let readers = self.readers.overlapping(&region);
        let at = packing.indexers.overlapping(&region);
        let indexer = packing.indexers.region_at(at.start());
        let cells = self.writers.overlapping(&indexer);
        let (mut before, mut shared_before) = (0_u64, 1_u64);
        for (axis, position) in writer.iter().enumerate() {
            let first = *cells.start().get(axis)?;
            let totals_after = (axis.checked_add(1)?..writer.len()).try_fold(1_u64, |product, j| {
                product.checked_mul(self.shared(j, *cells.start().get(j)?, *cells.end().get(j)?)?)
            })?;
            let prefix = self.shared(axis, first, *position)?;
            before = before.checked_add(shared_before.checked_mul(prefix)?.checked_mul(totals_after)?)?;
            shared_before = shared_before.checked_mul(readers.length(axis))?;
        }
        let indexer = TaskIndex(packing.indexers.index(at.start())?);
        Some(Row { indexer, offset: before.checked_mul(ROW_ENTRY_BYTES)?, readers })
    }

    /// Entries of index object `task`; `None` past the end, beyond 2^64, or in a raw exchange.
    pub fn index_entries(&self, task: TaskIndex) -> Option<u64> {
        let cells = self.writers.overlapping(&self.packing()?.indexers.region(task.0)?);
        (0..cells.rank()).try_fold(1_u64, |product, axis| {
            product.checked_mul(self.shared(axis, *cells.start().get(axis)?, *cells.end().get(axis)?)?)
        })
    }

    /// Where all rows of index object `task` lie; `None` past the end, beyond 2^64, or in a raw exchange.
    pub fn rows(&self, task: TaskIndex) -> Option<Rows> {
        let writers = self.writers.overlapping(&self.packing()?.indexers.region(task.0)?);
        let mut axes = Vec::with_capacity(writers.rank());
        for axis in 0..writers.rank() {
            let (mut cells, mut total) = (Vec::new(), 0_u64);
            let (n, length) = (self.writers.bounds().length(axis), *self.writers.lengths().get(axis)?);
            let (ahead, reader) = (self.writers.ahead(axis), *self.readers.lengths().get(axis)?);
            // A reader's box of an element that is counted from the start of the bounds.
            let from_reader = |at: u64| at.saturating_add(self.readers.ahead(axis));
            for at in *writers.start().get(axis)?..*writers.end().get(axis)? {
                let start = at.checked_mul(length)?.saturating_sub(ahead);
                let end = at.checked_add(1)?.saturating_mul(length).saturating_sub(ahead).min(n);
                let first_reader = from_reader(start).checked_div(reader)?;
                let readers = from_reader(end).div_ceil(reader.max(1)).checked_sub(first_reader)?;
                cells.push(RowCell { first_reader, readers, before: total });
                total = total.checked_add(readers)?;
            }
            axes.push((cells, total));
        }
        Some(Rows { writers, axes })
    }

    /// Pairs along `axis` of a writing task's cell in `from..to` and a reading task's that share an element.
    fn shared(&self, axis: usize, from: u64, to: u64) -> Option<u64> {
        let (n, start) = (self.writers.bounds().length(axis), *self.writers.bounds().start().get(axis)?);
        let (writer, reader) = (self.writers.cut(axis, start)?, self.readers.cut(axis, start)?);
        let ahead = self.writers.ahead(axis);
        let before =
            |cells: u64| pairs(cells.saturating_mul(writer.length).saturating_sub(ahead).min(n), writer, reader);
        before(to)?.checked_sub(before(from)?)
    }
}

/// Where the rows of one index object lie: [`Exchange::row`] for whoever needs all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The writing tasks that have a row.
    writers: Region,
    /// Per axis: its cells, and the sum of their readers.
    axes: Vec<(Vec<RowCell>, u64)>,
}

/// A writing task's cell along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowCell {
    first_reader: u64,
    readers: u64,
    /// Readers of the cells before it.
    before: u64,
}

impl Rows {
    /// The number, in the whole index object, of the entry that writing task `writer` has for reading task `reader`, both
    /// by position; `None` where there is none.
    pub fn entry(&self, writer: &[u64], reader: &[u64]) -> Option<u64> {
        let (mut row, mut entry, mut shared_before) = (0_u64, 0_u64, 1_u64);
        // What is before on a slower axis counts as often as there is anything on the faster ones.
        for (axis, (cells, total)) in self.axes.iter().enumerate() {
            let at = writer.get(axis)?.checked_sub(*self.writers.start().get(axis)?)?;
            let RowCell { first_reader, readers, before } = *cells.get(usize::try_from(at).ok()?)?;
            let within = reader.get(axis)?.checked_sub(first_reader).filter(|within| *within < readers)?;
            row = row.checked_mul(*total)?.checked_add(shared_before.checked_mul(before)?)?;
            shared_before = shared_before.checked_mul(readers)?;
            entry = entry.checked_mul(readers)?.checked_add(within)?;
        }
        row.checked_add(entry)
    }
}

#[cfg(test)]
#[path = "packing_tests.rs"]
mod tests;
