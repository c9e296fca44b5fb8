//! Chunk advice: what `auto` and sizes become, and the shards that a warning proposes. Pure geometry; knows nothing
//! of specs, codecs or stores.
//!
//! The rule of `auto`. A chunk aims at [`AUTO_CHUNK_BYTES`] decoded bytes. The axes that are left open are cut about
//! equally often: a reader of any one slice, along any axis, then touches the same share of the chunks. That is how
//! h5py's and zarr-python's `guess_chunks` shrink a chunk (all axes in turn), and what R. Rew's "Chunking data: choosing
//! shapes" (Unidata, 2013) asks for where nobody says which way the data is read. Then every open axis is moved to a
//! length that lines up with the source (a multiple or a divisor of its read unit, or the whole axis) if there is one
//! within a factor of 1.5: then no target chunk shares a source chunk's boundary with another, and the copy is a merge
//! or a split. The axis that has to move most moves first, and the others make up for it: the chunk ends within a
//! factor of 1.5 of the aim, unless the axes are too short for it.

use rechunk_common::ByteCount;

use crate::axis::{boxes, lcm, product};

/// What a chunk of `auto` aims at, decoded. Within the 10 to 100 MB that users of xarray and dask settle on, well above
/// the 1 MB that zarr-python's guide asks for at the least, and at the usual compression of 2 to 4 an object of the
/// 8 to 16 MB that the S3 guide recommends for one request.
pub const AUTO_CHUNK_BYTES: ByteCount = ByteCount(32 << 20);

/// What a shard of `auto` and a proposed one aim at, decoded.
pub const AUTO_SHARD_BYTES: ByteCount = ByteCount(64 << 20);

/// No shard that makes objects fewer is proposed beyond this: it is written, and often fetched, as one object.
const LARGEST_SHARD_BYTES: u64 = 512 << 20;

/// Objects of one array above which listings, deletions and file systems suffer.
pub const MANY_OBJECTS: u64 = 100_000;

/// How far a length may move to line up with the source.
const STRETCH: f64 = 1.5;

/// A read unit is not divided into more pieces than this in search of a divisor.
const MOST_PIECES: u64 = 4096;

/// One axis of a chunk that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkAxis {
    /// Elements of the array.
    pub length: u64,
    /// Elements of the source's read unit.
    pub source: u64,
    /// The chunk's length where it is given; `None` leaves it open.
    pub asked: Option<u64>,
}

/// One axis of a shard that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardAxis {
    /// Elements of the array.
    pub length: u64,
    /// Elements of the inner chunk.
    pub chunk: u64,
    /// The shard's length where it is given; `None` leaves it open.
    pub asked: Option<u64>,
}

/// The lengths of a chunk of about `aim` bytes with elements of `width`: the open axes by the rule of this module, the
/// others as asked. Every open length is at least 1 and at most the axis (1 where that is empty).
pub fn chunks(axes: &[ChunkAxis], width: u64, aim: ByteCount) -> Vec<u64> {
    let mut lengths: Vec<Option<u64>> = axes.iter().map(|axis| axis.asked).collect();
    loop {
        let open = || axes.iter().enumerate().filter(|(axis, _)| lengths.get(*axis) == Some(&None));
        let settled = lengths.iter().flatten().fold(width.max(1) as f64, |bytes, length| bytes * *length as f64);
        let open_lengths: Vec<u64> = open().map(|(_, axis)| axis.length).collect();
        let cuts = equal_cuts(&open_lengths, aim.0 as f64 / settled);
        let moves = open().map(|(index, axis)| {
            let ideal = (axis.length as f64 / cuts).max(1.0);
            let length = lined_up(axis.length.max(1), axis.source.max(1), ideal);
            (index, length, apart(length as f64, ideal))
        });
        // On a tie the first axis: the last ones are contiguous in a chunk, and stay closer to the aim.
        let first = moves.reduce(|most, next| if next.2 > most.2 { next } else { most });
        let Some((index, length, _)) = first else { break };
        if let Some(slot) = lengths.get_mut(index) {
            *slot = Some(length);
        }
    }
    lengths.into_iter().map(|length| length.unwrap_or(1)).collect()
}

/// The number of cuts, the same along every axis, that leaves boxes of `room` elements; at least 1. No box is shorter
/// than one element.
fn equal_cuts(lengths: &[u64], room: f64) -> f64 {
    let elements = |cuts: f64| lengths.iter().fold(1.0, |product, length| product * (*length as f64 / cuts).max(1.0));
    let (mut few, mut many) = (1.0, lengths.iter().copied().max().unwrap_or(1).max(1) as f64);
    if elements(few) <= room {
        return few;
    }
    // Halves 2^64 down to less than the precision of a float.
    for _ in 0..128 {
        let middle = f64::midpoint(few, many);
        if elements(middle) > room {
            few = middle;
        } else {
            many = middle;
        }
    }
    many
}

/// The factor between two lengths, at least 1.
fn apart(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

/// The length near `ideal` (1 to `n`) that lines up with units of `unit`, or else one that cuts the axis evenly.
fn lined_up(n: u64, unit: u64, ideal: f64) -> u64 {
    let even = evenly(n, ideal, 1);
    let mut near = vec![n];
    let mut uneven = Vec::new();
    if unit < n {
        near.extend(evenly(n, ideal, unit));
        near.extend(divisor_near(unit, ideal));
        let below = floor(ideal).checked_div(unit).unwrap_or(0).saturating_mul(unit);
        uneven.extend([below, below.saturating_add(unit)]);
    } else {
        // The source does not cut this axis: every length lines up.
        near.extend(even);
    }
    near.retain(|length| (1..=n).contains(length));
    uneven.retain(|length| (1..=n).contains(length));
    let nearest = |lengths: &[u64]| {
        let all = lengths.iter().map(|length| (*length, apart(*length as f64, ideal)));
        all.filter(|(_, apart)| *apart <= STRETCH).reduce(|best, next| if next.1 < best.1 { next } else { best })
    };
    let rounded = floor(ideal).clamp(1, n);
    let plain = [even[0], even[1], rounded, rounded.saturating_add(1)].map(|length| length.clamp(1, n));
    nearest(&near).or_else(|| nearest(&uneven)).or_else(|| nearest(&plain)).map_or(rounded, |(length, _)| length)
}

/// The two lengths, multiples of `unit`, that cut `n` evenly into the numbers of boxes on both sides of `n / ideal`:
/// no scrap of a chunk is left at the end.
fn evenly(n: u64, ideal: f64, unit: u64) -> [u64; 2] {
    let fewer = floor(n as f64 / ideal).max(1);
    [fewer, fewer.saturating_add(1)].map(|count| boxes(boxes(n, count), unit).saturating_mul(unit))
}

/// The divisor of `unit` nearest to `ideal`, within the stretch.
fn divisor_near(unit: u64, ideal: f64) -> Option<u64> {
    let pieces = unit as f64 / ideal;
    if pieces * STRETCH > MOST_PIECES as f64 {
        return None;
    }
    let divisors = (floor(pieces / STRETCH).max(1)..=floor(pieces * STRETCH).saturating_add(1))
        .filter(|pieces| unit.checked_rem(*pieces) == Some(0))
        .filter_map(|pieces| unit.checked_div(pieces));
    divisors.reduce(|best, next| if apart(next as f64, ideal) < apart(best as f64, ideal) { next } else { best })
}

/// The longest length up to `most` that lines up with the source's read units of `source` along an axis of `length`
/// and is a multiple of `step`, as `most` is; `most` itself where that would be shorter by more than a factor of 1.5,
/// or where the source does not cut the axis.
pub fn aligned(most: u64, step: u64, length: u64, source: u64) -> u64 {
    if most >= length || source >= length || source == 0 {
        return most;
    }
    let pitch = lcm(source, step.max(1));
    let multiple = most.checked_div(pitch).unwrap_or(0).saturating_mul(pitch);
    let is_close = |shorter: u64| u128::from(shorter) * 3 >= u128::from(most) * 2;
    if multiple > 0 {
        return if is_close(multiple) { multiple } else { most };
    }
    let fewest = boxes(source, most).max(1);
    let divisors = (fewest..=fewest.saturating_mul(2).min(MOST_PIECES))
        .filter(|pieces| source.checked_rem(*pieces) == Some(0))
        .filter_map(|pieces| source.checked_div(pieces));
    let mut fitting = divisors.filter(|length| length.checked_rem(step.max(1)) == Some(0) && *length <= most);
    fitting.next().filter(|length| is_close(*length)).unwrap_or(most)
}

/// The lengths of a shard of whole chunks: the open axes are doubled, each time the one along which most shards lie,
/// until the shard has [`AUTO_SHARD_BYTES`] and the array no more than [`MANY_OBJECTS`] of them. Doubling keeps shards
/// in the shape of the array, as [`chunks`] does for chunks.
pub fn shards(axes: &[ShardAxis], width: u64) -> Vec<u64> {
    let mut shard: Vec<u64> = axes.iter().map(|axis| axis.asked.unwrap_or(axis.chunk)).collect();
    loop {
        let bytes = |shard: &[u64]| product(shard.iter().copied()).and_then(|n| n.checked_mul(width.max(1)));
        let lie = |axis: usize| Some(boxes(axes.get(axis)?.length, *shard.get(axis)?));
        let objects = (0..axes.len()).filter_map(lie).fold(1_u64, u64::saturating_mul);
        if bytes(&shard).is_none_or(|bytes| bytes >= AUTO_SHARD_BYTES.0 && objects <= MANY_OBJECTS) {
            return shard;
        }
        let open = axes.iter().enumerate().filter(|(index, axis)| axis.asked.is_none() && lie(*index) > Some(1));
        let Some((index, most)) = open.max_by_key(|(index, _)| lie(*index)) else { return shard };
        let whole = boxes(most.length, most.chunk).saturating_mul(most.chunk);
        let mut longer = shard.clone();
        if let Some(length) = longer.get_mut(index) {
            *length = length.saturating_mul(2).min(whole);
        }
        if bytes(&longer).is_none_or(|bytes| bytes > LARGEST_SHARD_BYTES) {
            return shard;
        }
        shard = longer;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths are positive, and a cast saturates"
)]
fn floor(length: f64) -> u64 {
    length as u64
}

#[cfg(test)]
mod tests;
