//! What to ask for where a target chunk is too large for the memory: the chunk as a shard of smaller ones, a smaller
//! shard, or a smaller chunk. What is proposed has been planned, and fits.

use rechunk_common::{
    ByteCount,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, IndexLocation},
};

use crate::{
    CopySpec, EncodedBound,
    array::Array,
    axis::{over_axes, product},
    choice,
    copy::Copier,
    refusal::joined,
    summary::quoted,
};

/// Inner chunks that a proposal of shards aims at: small enough to be buffered by the dozen.
const PROPOSED_CHUNK_BYTES: u64 = 4 << 20;

/// Halvings that are tried: after them an object is a millionth of what was asked for, and no answer to it.
const MOST_HALVINGS: usize = 20;

/// Bytes of a shard's index for each chunk, and of its checksum.
const INDEX_ENTRY_BYTES: u64 = 16;
const INDEX_CHECKSUM_BYTES: u64 = 4;

/// Options of the command line that would fit, if there are any.
pub(crate) fn proposal(work: &Copier) -> Option<String> {
    let spec = work.array.spec;
    let is_group = work.input.copies.iter().any(|copy| !copy.name.is_empty());
    let name = if is_group { format!("{}:", spec.name) } else { String::new() };
    let option = |flag: &str, lengths: &[u64]| format!("{flag} {}", quoted(&format!("{name}{}", joined(lengths))));
    let asked = work.array.write_unit;
    match &spec.target.chunks {
        ChunkLayout::Sharded { chunk_shape, .. } => {
            let shard = halvings(asked, chunk_shape).find(|shard| fits(work, shard, Some(chunk_shape)))?;
            Some(option("--shards", &shard))
        }
        ChunkLayout::Plain { .. } => {
            // Zarr v2 has no shards, and spells its keys this way.
            let has_shards = !matches!(spec.target.keys, ChunkKeys::V2 { .. });
            let inner = has_shards.then(|| inner_chunk(asked, spec.target.element.held_bytes())).flatten();
            if let Some(inner) = inner.filter(|inner| fits(work, asked, Some(inner))) {
                return Some(format!("{} {}", option("--chunks", &inner), option("--shards", asked)));
            }
            let ones = vec![1; asked.len()];
            let chunk = halvings(asked, &ones).find(|chunk| fits(work, chunk, None))?;
            Some(option("--chunks", &chunk))
        }
    }
}

/// `lengths` with its longest axis, in units of `unit`, halved again and again.
fn halvings(lengths: &[u64], unit: &[u64]) -> impl Iterator<Item = Vec<u64>> {
    let halve = move |lengths: &Vec<u64>| {
        let mut half = lengths.clone();
        let (length, unit) = half.iter_mut().zip(unit).max_by_key(|(length, unit)| length.div_ceil((**unit).max(1)))?;
        let units = length.div_ceil((*unit).max(1));
        if units < 2 {
            return None;
        }
        *length = units.div_ceil(2).checked_mul(*unit)?;
        Some(half)
    };
    std::iter::successors(Some(lengths.to_vec()), halve).skip(1).take(MOST_HALVINGS)
}

/// A part of `shard` of the proposed size; `None` where it has none.
fn inner_chunk(shard: &[u64], width: u64) -> Option<Vec<u64>> {
    let mut chunk = shard.to_vec();
    while product(chunk.iter().copied())?.checked_mul(width)? > PROPOSED_CHUNK_BYTES {
        let longest = chunk.iter_mut().max_by_key(|length| **length)?;
        let factor = (2..1000).find(|factor| longest.checked_rem(*factor) == Some(0))?;
        *longest = longest.checked_div(factor)?;
    }
    (chunk != shard).then_some(chunk)
}

/// Whether the array has a plan with target objects of `object`, made of chunks of `inner` where there are any.
fn fits(work: &Copier, object: &[u64], inner: Option<&Vec<u64>>) -> bool {
    let Some(spec) = with_objects(work.array.spec, object, inner) else { return false };
    let Ok(Some(array)) = Array::new(&spec) else { return false };
    choice::fits(&Copier { array: &array, ..*work })
}

/// The copy with other target objects. Encoded bounds are in proportion to the chunks.
fn with_objects(spec: &CopySpec, object: &[u64], inner: Option<&Vec<u64>>) -> Option<CopySpec> {
    let elements = |lengths: &[u64]| product(lengths.iter().copied());
    let chunk = inner.map_or(object, Vec::as_slice);
    let before = elements(spec.target.chunks.read_unit())?.max(1);
    let bound = u128::from(spec.target_encoding.chunk.0).checked_mul(u128::from(elements(chunk)?))?;
    let bound = u64::try_from(bound.div_ceil(u128::from(before))).ok()?;
    let codecs = spec.target.chunks.codecs().to_owned();
    let (chunks, index) = match inner {
        None => (ChunkLayout::Plain { chunk_shape: object.to_vec(), codecs }, 0),
        Some(inner) => {
            let parts = over_axes(object.len(), |axis| object.get(axis)?.checked_div(*inner.get(axis)?))?;
            let index = parts.checked_mul(INDEX_ENTRY_BYTES)?.checked_add(INDEX_CHECKSUM_BYTES)?;
            let sharded = ChunkLayout::Sharded {
                shard_shape: object.to_vec(),
                chunk_shape: inner.clone(),
                codecs,
                index_codecs: String::new(),
                index_location: index_location(&spec.target.chunks),
            };
            (sharded, index)
        }
    };
    Some(CopySpec {
        target: ArrayLayout { chunks, ..spec.target.clone() },
        target_encoding: EncodedBound { chunk: ByteCount(bound), shard_index: ByteCount(index) },
        ..spec.clone()
    })
}

/// Where the index of the target's shards stands, or would stand.
fn index_location(chunks: &ChunkLayout) -> IndexLocation {
    match chunks {
        ChunkLayout::Plain { .. } => IndexLocation::End,
        ChunkLayout::Sharded { index_location, .. } => *index_location,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halvings_end_at_one_unit() {
        let all: Vec<Vec<u64>> = halvings(&[8, 3], &[2, 3]).collect();
        assert_eq!(all, [[4, 3], [2, 3]]);
        assert_eq!(halvings(&[1, 1], &[1, 1]).count(), 0);
        assert!(halvings(&[u64::MAX, 5], &[1, 1]).count() <= MOST_HALVINGS);
    }

    #[test]
    fn an_inner_chunk_divides_its_shard() {
        assert_eq!(
            inner_chunk(&[8760, 72, 144], 4).map(|chunk| chunk.iter().product::<u64>() * 4 <= 4 << 20),
            Some(true)
        );
        assert_eq!(inner_chunk(&[16, 16], 4), None, "it is small enough as it is");
        assert_eq!(inner_chunk(&[1_000_003, 16], 4), None, "a prime beyond what is tried");
    }
}
