//! The exchange: the temporary objects between two stages. One object per reading task R; its blocks R∩W in the order
//! of the writing tasks W, so that each (R, W) pair is one contiguous range at an offset that arithmetic gives.
//! rechunker and cubed write one object per intermediate chunk instead, which needs a grid that divides both sides.

use serde::{Deserialize, Serialize};

use super::{BLOCK_HEADER_BYTES, ExchangeEncoding, TABLE_ENTRY_BYTES};
use crate::{
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
};

/// Bytes after each raw block: its crc32c, little-endian.
pub const BLOCK_TRAILER_BYTES: u64 = 4;

/// An exchange: where its objects lie, who writes them, who reads them. Both grids cut the same group;
/// where that is of a part of an array, boxes of either may begin before it and are clipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// URL of the prefix that holds the objects: `<temp>/<job>/<generation>/<stage>`.
    pub url: String,
    /// Bytes of one element.
    pub width: u64,
    /// Box `i` is written by reading task `i`, as object `i`.
    pub readers: BoxGrid,
    /// Box `j` is assembled by writing task `j`; or several of them by one that takes them one after another.
    pub writers: BoxGrid,
    /// How blocks are stored. What is said of offsets here is of raw ones; of packed ones it is in `packing.rs`.
    pub encoding: ExchangeEncoding,
}

/// One block of an exchange object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The elements in it, in C order.
    pub region: Region,
    /// Where its elements start in the object.
    pub offset: u64,
    /// Bytes of its elements, without the trailer.
    pub bytes: u64,
}

impl Exchange {
    /// Whether boxes of either side begin before the bounds do.
    pub fn is_of_parts(&self) -> bool {
        (0..self.readers.lengths().len()).any(|axis| self.readers.ahead(axis) > 0 || self.writers.ahead(axis) > 0)
    }

    /// The key of the raw object of reading task `task`, relative to the prefix. Two hexadecimal digits spread the keys.
    pub fn key(task: TaskIndex) -> String {
        format!("{:02x}/{task}", spread(task.0))
    }

    /// Length of the object of reading task `task` in bytes: exactly where blocks are raw, at the most where they are
    /// packed; `None` past the end or beyond 2^64.
    pub fn object_bytes(&self, task: TaskIndex) -> Option<u64> {
        let region = self.readers.region(task.0)?;
        let beside = self.blocks_of(&region).checked_mul(self.bytes_beside_block())?;
        region.element_count().checked_mul(self.width)?.checked_add(beside)
    }

    /// What an exchange object holds for each block beside its elements.
    pub fn bytes_beside_block(&self) -> u64 {
        match self.encoding {
            ExchangeEncoding::Raw => BLOCK_TRAILER_BYTES,
            ExchangeEncoding::Packed(_) => TABLE_ENTRY_BYTES + BLOCK_HEADER_BYTES,
        }
    }

    /// The block of reading task `reader` for the writing task at `writer` (a position in the writers' grid); `None`
    /// where they share no element.
    ///
    /// Blocks stand in C order of the writers that overlap R. With the cell lengths `l` that the writers cut R into
    /// and their prefix sums `P`, the elements before block `i` are
    /// `Σ_k (Π_{j<k} l_j[i_j]) · P_k[i_k] · (Π_{j>k} |R|_j)`.
    pub fn block(&self, reader: &Region, writer: &[u64]) -> Option<Block> {
        let cells = self.writers.overlapping(reader);
        let region = self.writers.region_at(writer).intersection(reader)?;
        let rank = reader.rank();
        let mut elements_before: u64 = 0;
        let mut cells_before: u64 = 0;
        let mut lengths_of_axes_before: u64 = 1;
        for axis in 0..rank {
            let first = *cells.start().get(axis)?;
            let at = *writer.get(axis)?;
            let prefix = region.start().get(axis)?.checked_sub(*reader.start().get(axis)?)?;
            let after = (axis.checked_add(1)?..rank).try_fold(1_u64, |p, j| p.checked_mul(reader.length(j)))?;
            let term = lengths_of_axes_before.checked_mul(prefix)?.checked_mul(after)?;
            elements_before = elements_before.checked_add(term)?;
            cells_before = cells_before.checked_mul(cells.length(axis))?.checked_add(at.checked_sub(first)?)?;
            lengths_of_axes_before = lengths_of_axes_before.checked_mul(region.length(axis))?;
        }
        let offset =
            elements_before.checked_mul(self.width)?.checked_add(cells_before.checked_mul(BLOCK_TRAILER_BYTES)?)?;
        let bytes = region.element_count().checked_mul(self.width)?;
        Some(Block { region, offset, bytes })
    }
}

/// Two hexadecimal digits' worth of a multiplicative hash (Knuth): neighbours land far apart.
pub(super) fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exchanges() -> impl Strategy<Value = Exchange> {
        let axis = (0_u64..9, 1_u64..13, 1_u64..7, 1_u64..7, (0_u64..9, 0_u64..9));
        prop::collection::vec(axis, 0..4).prop_map(|axes| {
            let start: Vec<u64> = axes.iter().map(|axis| axis.0).collect();
            let end = axes.iter().map(|axis| axis.0 + axis.1).collect();
            let bounds = Region::new(start, end);
            let of_readers = axes.iter().map(|axis| axis.0.min(axis.4.0)).collect();
            let of_writers = axes.iter().map(|axis| axis.0.min(axis.4.1)).collect();
            let readers = BoxGrid::new(bounds.clone(), axes.iter().map(|axis| axis.2).collect());
            let writers = BoxGrid::new(bounds, axes.iter().map(|axis| axis.3).collect());
            Exchange {
                url: "memory://t/x".into(),
                width: 3,
                readers: readers.begun_ahead(of_readers),
                writers: writers.begun_ahead(of_writers),
                encoding: ExchangeEncoding::Raw,
            }
        })
    }

    proptest! {
        #[test]
        fn the_arithmetic_offset_is_the_sum_of_the_blocks_before(exchange in exchanges()) {
            for task in 0..exchange.readers.len() {
                let reader = exchange.readers.region(task).expect("reader");
                let mut offset = 0;
                for position in BoxGrid::positions(&exchange.writers.overlapping(&reader)) {
                    let block = exchange.block(&reader, &position).expect("overlapping");
                    prop_assert_eq!(block.offset, offset);
                    prop_assert_eq!(block.bytes, block.region.element_count() * 3);
                    offset += block.bytes + BLOCK_TRAILER_BYTES;
                }
                prop_assert_eq!(Some(offset), exchange.object_bytes(TaskIndex(task)));
            }
        }
    }

    #[test]
    fn keys_are_spread_over_prefixes() {
        let prefixes: std::collections::BTreeSet<_> =
            (0..64).map(|task| Exchange::key(TaskIndex(task))[..2].to_owned()).collect();
        assert!(prefixes.len() > 48, "{prefixes:?}");
    }
}
