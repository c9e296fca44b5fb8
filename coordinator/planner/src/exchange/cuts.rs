//! What cuts the box of a reading task into blocks: the boxes of writing tasks, or parts of them. A shard that is written in
//! parts holds little only where its inner chunks come one after another, so where a reading task spans many of them its
//! blocks are cut too. Each cut is one request more for every pair of tasks.

use crate::{
    array::Array,
    axis::{self, over_axes},
};

/// Lengths of parts that are tried along one axis.
const MOST_ALONG_AXIS: usize = 4;

/// Cuts that are tried for one pair of boxes.
const MOST_CUTS: usize = 256;

/// The lengths that may cut blocks, those that make the fewest first: those of `writers`, and, where `may_cut`, whole
/// numbers of inner chunks that a shard in parts has whole numbers of. Along an axis that is cut one of the reading task's
/// box and the part lies in the other.
pub(super) fn of(array: &Array, extents: &[u64], readers: &[u64], writers: &[u64], may_cut: bool) -> Vec<Vec<u64>> {
    if array.target.parts.is_none() || !may_cut {
        return vec![writers.to_vec()];
    }
    let mut cuts: Vec<Vec<u64>> = vec![Vec::new()];
    for (axis, writer) in writers.iter().enumerate() {
        let mut lengths = vec![*writer];
        // Where grids do not begin together nothing is known to lie in anything.
        if let (Some(n), Some(reader), false) = (extents.get(axis), readers.get(axis), array.shifted.has(axis)) {
            lengths.extend(along(array, axis, *n, *reader));
        }
        if cuts.len().saturating_mul(lengths.len()) > MOST_CUTS {
            lengths.truncate(1);
        }
        let with = |cut: &Vec<u64>| -> Vec<Vec<u64>> {
            lengths.iter().map(|length| cut.iter().copied().chain([*length]).collect()).collect()
        };
        cuts = cuts.iter().flat_map(with).collect();
    }
    let blocks = |cut: &Vec<u64>| {
        let blocks = |axis: usize| axis::pairs(*extents.get(axis)?, *readers.get(axis)?, *cut.get(axis)?);
        over_axes(cut.len(), blocks).unwrap_or(u64::MAX)
    };
    cuts.sort_by_cached_key(blocks);
    cuts
}

/// Parts of a shard along one axis that are shorter than the reading task's box, evenly chosen.
fn along(array: &Array, axis: usize, n: u64, reader: u64) -> Vec<u64> {
    let (Some(chunk), Some(shard)) = (array.target.chunk.get(axis), array.write_unit.get(axis)) else {
        return Vec::new();
    };
    let chunks = shard.checked_div(*chunk).unwrap_or(0);
    let is_part = |length: &u64| {
        let lies_in = reader >= n || reader.checked_rem(*length) == Some(0);
        length < shard && *length < reader.min(n) && lies_in
    };
    let divisors = divisors(chunks).into_iter().map(|chunks| chunks.saturating_mul(*chunk));
    let parts: Vec<u64> = divisors.filter(is_part).collect();
    let every = parts.len().div_ceil(MOST_ALONG_AXIS).max(1);
    // The shortest is always there.
    parts.into_iter().step_by(every).collect()
}

/// The divisors of a number that are found in its first few thousand, ascending.
fn divisors(number: u64) -> Vec<u64> {
    const MOST_TRIED: u64 = 4096;
    let small = (1..=number.isqrt().min(MOST_TRIED)).filter(|divisor| number.checked_rem(*divisor) == Some(0));
    let mut all: Vec<u64> = small.flat_map(|divisor| [Some(divisor), number.checked_div(divisor)]).flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_come_in_order_once() {
        assert_eq!(divisors(12), [1, 2, 3, 4, 6, 12]);
        assert_eq!(divisors(16), [1, 2, 4, 8, 16]);
        assert_eq!(divisors(1), [1]);
        assert!(divisors(0).is_empty());
    }
}
