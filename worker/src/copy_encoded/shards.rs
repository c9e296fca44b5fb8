//! Shards as they stand: which inner chunks they have, and the check of one that is passed on whole.

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::BoxGrid,
    layout::{ArrayLayout, IndexLocation},
};
use rechunk_zarr::{CodecError, ShardCodec, ShardIndex};

use super::source::corrupt;
use crate::failure::bug;

/// The shard that holds the inner chunk at `position`, and the chunk's number in it, in C order.
pub(super) fn inner_of(position: &[u64], chunks_per_shard: &[u64]) -> Result<(Vec<u64>, u64), TaskFailure> {
    let odd = || bug("a shard has no inner chunks along an axis");
    let mut shard = Vec::with_capacity(position.len());
    let mut number = 0_u64;
    for (at, count) in position.iter().zip(chunks_per_shard) {
        shard.push(at.checked_div(*count).ok_or_else(odd)?);
        let within = at.checked_rem(*count).ok_or_else(odd)?;
        number = number.checked_mul(*count).and_then(|number| number.checked_add(within)).ok_or_else(odd)?;
    }
    Ok((shard, number))
}

/// The inner chunks of the shard at `shard` that lie in the array: number in the shard and position in the array.
pub(super) fn inner_chunks(
    layout: &ArrayLayout,
    codec: &ShardCodec,
    shard: &[u64],
) -> Result<Vec<(u64, Vec<u64>)>, TaskFailure> {
    BoxGrid::positions(&layout.read_grid().overlapping(&layout.write_grid().region_at(shard)))
        .map(|position| Ok((inner_of(&position, codec.chunks_per_shard())?.1, position)))
        .collect()
}

/// How many inner chunks of the shard at `shard` lie in the array.
pub(super) fn inner_count(layout: &ArrayLayout, shard: &[u64]) -> u64 {
    layout.read_grid().overlapping(&layout.write_grid().region_at(shard)).element_count()
}

/// The index of a whole shard, verified: its checksum, and that every entry lies in the shard.
pub(super) fn index_of(codec: &ShardCodec, shard: &Bytes, url: &str) -> Result<ShardIndex, TaskFailure> {
    let split = match codec.index_location() {
        IndexLocation::Start => usize::try_from(codec.index_bytes()).ok(),
        IndexLocation::End => (shard.len() as u64).checked_sub(codec.index_bytes()).and_then(|at| at.try_into().ok()),
    };
    let split = split.filter(|at| *at <= shard.len());
    let split = split.ok_or_else(|| corrupt(url, format!("it has {} bytes, too few for its index", shard.len())))?;
    let encoded = match codec.index_location() {
        IndexLocation::Start => shard.slice(..split),
        IndexLocation::End => shard.slice(split..),
    };
    let refuse = |error: CodecError| corrupt(url, format!("its index cannot be read: {error}"));
    let index = codec.decode_index(encoded).map_err(refuse)?;
    index.check(shard.len() as u64).map_err(refuse)?;
    Ok(index)
}
