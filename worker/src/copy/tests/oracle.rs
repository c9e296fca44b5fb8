//! The naive copy: one element at a time, and nothing clever.

use std::borrow::Cow;

use bytes::Bytes;
use proptest::prelude::*;
use rechunk_common::{
    ByteCount, ContentHash, ContentSum, Counts, Presence, ValueHash,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkLayout, IndexLocation},
    plan::{ListedSource, PresenceBitmap},
};
use rechunk_storage::{Access, Prefix, PutPayload, StoreUrl, Unguarded};
use rechunk_zarr::{ChunkCodec, Descriptor, ShardCodec, ShardEntry, ShardIndex, VariableChunk};

use super::case::{Case, Shape};
use crate::workbench::Bench;

/// What a read unit of the source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Missing,
    Filled,
    Values,
}

fn mixed(seed: u64, number: u64) -> u64 {
    let mut x = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 31)
}

fn unit(case: &Case, position: &[u64]) -> Unit {
    let number = case.source.read_grid().index(position).expect("in the grid");
    match mixed(case.seed, number) % 8 {
        n if n < case.missing => Unit::Missing,
        n if n < case.missing + case.filled => Unit::Filled,
        _ => Unit::Values,
    }
}

fn unit_of(case: &Case, element: &[u64]) -> Unit {
    unit(case, &position_of(&case.source.read_grid(), element))
}

/// The position of the box that holds an element.
fn position_of(grid: &BoxGrid, element: &[u64]) -> Vec<u64> {
    let end = element.iter().map(|at| at + 1).collect();
    grid.overlapping(&Region::new(element.to_vec(), end)).start().to_vec()
}

/// The number of an element among those that are copied, in C order, but for where they begin.
fn number(case: &Case, element: &[u64]) -> u64 {
    element.iter().zip(&case.source.shape).fold(0, |sum, (at, length)| sum * length + at)
}

/// The element's bytes as stored, or the source's fill value.
fn value(case: &Case, element: &[u64]) -> Vec<u8> {
    if unit_of(case, element) != Unit::Values {
        return case.source.fill.clone();
    }
    let random = mixed(!case.seed, number(case, element));
    if case.source.element.is_variable() {
        return text(case, random);
    }
    let mut bytes = case.source.fill.clone();
    bytes.iter_mut().zip(random.to_le_bytes()).for_each(|(byte, value)| *byte = value % 3);
    bytes
}

/// A value of any length: often short, sometimes a fill value, now and then longer than anybody would assume.
fn text(case: &Case, random: u64) -> Vec<u8> {
    let length = match random % 16 {
        0 => return case.source.fill.clone(),
        1 => return case.target.fill.clone(),
        2 if case.seed.is_multiple_of(2) => 900,
        _ => (random >> 8) % 30,
    };
    (0..length).map(|at| mixed(random, at).to_le_bytes()[0]).collect()
}

/// The content of the array, element by element.
pub(in crate::copy) fn content(case: &Case) -> ContentSum {
    if case.source.element.is_variable() {
        let hash = ValueHash::new(&case.target.fill);
        let elements = BoxGrid::positions(&case.source.bounds());
        return elements.map(|element| hash.of_value(number(case, &element), &value(case, &element))).sum();
    }
    let hash = ContentHash::new(&case.target.fill);
    let elements = BoxGrid::positions(&case.source.bounds());
    elements.map(|element| hash.of_run(number(case, &element), &value(case, &element))).sum()
}

/// A decoded chunk: the values of `of` inside the array, or the part of it, `padding` beyond.
fn buffer(layout: &ArrayLayout, region: &Region, padding: &[u8], of: impl Fn(&[u64]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    let bounds = layout.bounds();
    for element in BoxGrid::positions(region) {
        let mut axes = element.iter().zip(bounds.start()).zip(bounds.end());
        let inside = axes.all(|((at, start), end)| start <= at && at < end);
        elements.push(if inside { of(&element) } else { padding.to_vec() });
    }
    elements
}

/// The encoded chunk of `elements`.
fn encode(codec: &ChunkCodec, elements: &[Vec<u8>]) -> Bytes {
    let heap = elements.concat();
    if !codec.is_variable() {
        return codec.encode(Cow::Owned(heap)).expect("encodes");
    }
    let mut offset = 0;
    let descriptors = elements.iter().flat_map(|element| {
        let length = u32::try_from(element.len()).expect("small");
        let descriptor = Descriptor { offset, length };
        offset += length;
        descriptor.to_bytes()
    });
    let descriptors: Vec<u8> = descriptors.collect();
    codec.encode_variable(&descriptors, |descriptor| descriptor.of_heap(&heap)).expect("encodes")
}

/// The elements of an encoded chunk, whose width is that of `fill` if they have one.
fn decode(codec: &ChunkCodec, encoded: Bytes, fill: &[u8]) -> Vec<Vec<u8>> {
    if !codec.is_variable() {
        return codec.decode(encoded).expect("decodes").chunks(fill.len()).map(<[u8]>::to_vec).collect();
    }
    let VariableChunk { descriptors, heap } = codec.decode_variable(encoded, 1 << 24).expect("decodes");
    let of = |bytes: &[u8; 8]| Descriptor::of_bytes(*bytes).of_heap(&heap).expect("in the heap").to_vec();
    descriptors.as_chunks().0.iter().map(of).collect()
}

fn prefix(bench: &Bench, layout: &ArrayLayout) -> Prefix {
    bench.stores.open(&StoreUrl::parse(&layout.url).expect("url"), Access::ReadWrite).expect("prefix")
}

fn codec(layout: &ArrayLayout) -> ChunkCodec {
    ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("codec")
}

/// That of the read unit at `position`.
fn codec_at(layout: &ArrayLayout, position: &[u64]) -> ChunkCodec {
    let shape = layout.read_grid().unclipped_at(position).shape();
    ChunkCodec::new(layout.chunks.codecs(), &layout.element, &shape, &layout.fill).expect("codec")
}

/// That of the shard at `position`; `None` where there are none.
fn shard_codec_at(layout: &ArrayLayout, position: &[u64]) -> Option<ShardCodec> {
    let mut chunks = layout.chunks.clone();
    if let ChunkLayout::Sharded { shard_shape, .. } = &mut chunks {
        *shard_shape = layout.write_grid().unclipped_at(position).shape();
    }
    ShardCodec::new(&chunks, &layout.element, &layout.fill).expect("codec")
}

/// Positions of the inner chunks of the shard at `shard` that lie in the array, with their number in the shard.
fn inner_chunks(layout: &ArrayLayout, shard: &[u64]) -> Vec<(u64, Vec<u64>)> {
    let grid = layout.read_grid();
    let codec = shard_codec_at(layout, shard).expect("sharded");
    let per_shard = codec.chunks_per_shard();
    let (objects, chunk) = (layout.write_grid(), layout.chunks.read_unit());
    let first = |axis: usize| (objects.span(axis, shard[axis]).start - objects.origin(axis)) / chunk[axis];
    BoxGrid::positions(&grid.overlapping(&layout.write_grid().region_at(shard)))
        .map(|position| {
            let axes = position.iter().zip(per_shard).enumerate();
            let number = axes.fold(0, |sum, (axis, (at, count))| sum * count + at - first(axis));
            (number, position)
        })
        .collect()
}

/// Which objects of the source there are: shards of which every chunk is missing are not.
fn presence(case: &Case) -> Presence {
    let (units, objects) = (case.source.read_grid(), case.source.write_grid());
    let mut presence = Presence::none(objects.clone()).expect("small");
    for position in BoxGrid::positions(&objects.overlapping(objects.bounds())) {
        let within = units.overlapping(&objects.region_at(&position));
        if BoxGrid::positions(&within).any(|unit_position| unit(case, &unit_position) != Unit::Missing) {
            presence.insert(&position);
        }
    }
    presence
}

/// What a listing would say of the source, if the case has one.
pub(in crate::copy) fn listed(case: &Case) -> Option<ListedSource> {
    let presence = presence(case);
    let bitmap = PresenceBitmap {
        url: format!("{}/presence/0", case.url),
        size: ByteCount(presence.bits().len() as u64),
        crc32c: crc32c::crc32c(presence.bits()),
        objects: presence.objects().clone(),
        fill: case.source.fill.clone(),
    };
    let longest = if case.source.element.is_variable() {
        let units = case.source.read_grid();
        let positions = BoxGrid::positions(&units.overlapping(units.bounds()));
        positions.filter_map(|position| encoded_unit(case, &position)).map(|unit| unit.len() as u64).max().unwrap_or(0)
    } else {
        codec(&case.source).worst_encoded_bytes()
    };
    let longest = ByteCount(longest);
    let listed = ListedSource { longest, presence: (!presence.is_complete()).then_some(bitmap) };
    case.is_listed.then_some(listed)
}

/// Whether a target chunk of `region` is known to hold nothing, and so is not even looked at.
fn is_known_as_empty(case: &Case, region: &Region) -> bool {
    let leaves_out = case.gaps.leaves_out_gaps(&case.source.fill, &case.target.fill);
    case.is_listed && leaves_out && !presence(case).overlaps(region)
}

/// A read unit of the source as it is stored.
fn encoded_unit(case: &Case, position: &[u64]) -> Option<Bytes> {
    let layout = &case.source;
    let region = layout.read_grid().unclipped_at(position);
    // What stands beyond the array's edge is anybody's guess.
    let elements = buffer(layout, &region, &vec![0xEE; layout.fill.len()], |element| value(case, element));
    (unit(case, position) != Unit::Missing).then(|| encode(&codec_at(layout, position), &elements))
}

/// Writes the source of the case.
pub(in crate::copy) async fn write_source(bench: &Bench, case: &Case) {
    bench.put(&format!("{}/presence", case.url), "0", presence(case).bits()).await;
    let layout = &case.source;
    let prefix = prefix(bench, layout);
    let encoded = |position: &[u64]| encoded_unit(case, position);
    let grid = layout.write_grid();
    for position in BoxGrid::positions(&grid.overlapping(grid.bounds())) {
        let key = layout.keys.key(&position);
        let Some(shards) = &shard_codec_at(layout, &position) else {
            if let Some(encoded) = encoded(&position) {
                prefix.put(&key, encoded, &Unguarded).await.expect("put");
            }
            continue;
        };
        let mut index = ShardIndex::empty(shards.entry_count());
        let mut parts = Vec::new();
        let mut offset = if shards.index_location() == IndexLocation::Start { shards.index_bytes() } else { 0 };
        for (number, inner) in inner_chunks(layout, &position).into_iter().rev() {
            if let Some(encoded) = encoded(&inner) {
                let length = encoded.len() as u64;
                assert!(index.set(number, ShardEntry { offset, length }));
                offset += length;
                parts.push(encoded);
            }
        }
        if parts.is_empty() {
            continue;
        }
        let at = if shards.index_location() == IndexLocation::Start { 0 } else { parts.len() };
        parts.insert(at, shards.encode_index(&index).expect("encodes"));
        prefix.put(&key, parts.into_iter().collect::<PutPayload>(), &Unguarded).await.expect("put");
    }
}

/// Whether the writing task is told that `element` may be stored: an exchange says it per block, not per element.
fn is_known_as_stored(case: &Case, element: &[u64]) -> bool {
    let is_stored = |element: &[u64]| unit_of(case, element) != Unit::Missing;
    let whole = case.source.bounds();
    let around = |grid: BoxGrid| grid.region_at(&position_of(&grid, element));
    let (readers, group) = match &case.shape {
        Shape::Direct => return is_stored(element),
        Shape::Exchange { readers, .. } => (readers, whole),
        Shape::Scratch { readers, groups } => (readers, around(BoxGrid::new(whole, groups.clone()))),
    };
    let reader = around(case.source.boxes_of_read_units(group.clone(), readers.clone()));
    let writer = around(case.target.boxes_of_write_units(group, case.blocks_by().to_vec()));
    let block = reader.intersection(&writer).expect("both hold the element");
    BoxGrid::positions(&block).any(|element| is_stored(&element))
}

/// Whether a target chunk of `region` must be written.
fn is_written(case: &Case, region: &Region) -> bool {
    let elements = || BoxGrid::positions(region);
    let differs = || elements().any(|element| value(case, &element) != case.target.fill);
    let is_stored = || !is_known_as_empty(case, region) && elements().any(|element| is_known_as_stored(case, &element));
    case.gaps.write_empty_chunks || if case.target.has_fill { differs() } else { is_stored() }
}

/// Compares every object of the target with what it must be.
pub(in crate::copy) async fn check_target(bench: &Bench, case: &Case, counts: Counts) -> Result<(), TestCaseError> {
    let layout = &case.target;
    let prefix = prefix(bench, layout);
    let expected = |position: &[u64]| {
        let region = layout.read_grid().unclipped_at(position);
        buffer(layout, &region, &layout.fill, |element| value(case, element))
    };
    let shards = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("codec");
    let grid = layout.write_grid();
    let mut skipped = 0;
    for position in BoxGrid::positions(&grid.overlapping(grid.bounds())) {
        let key = layout.keys.key(&position);
        let object = prefix.get(&key).await.expect("get");
        let Some(shards) = &shards else {
            let is_due = is_written(case, &grid.region_at(&position));
            prop_assert_eq!(object.is_some(), is_due, "{}", key);
            skipped += u64::from(!is_due && !is_known_as_empty(case, &grid.region_at(&position)));
            if let Some(object) = object {
                prop_assert_eq!(
                    decode(&codec_at(layout, &position), object, &layout.fill),
                    expected(&position),
                    "{}",
                    key
                );
            }
            continue;
        };
        let inner = inner_chunks(layout, &position);
        let is_due = |inner: &[u64]| is_written(case, &layout.read_grid().region_at(inner));
        prop_assert_eq!(object.is_some(), inner.iter().any(|(_, inner)| is_due(inner)), "{}", key);
        let Some(object) = object else {
            skipped += u64::from(!is_known_as_empty(case, &grid.region_at(&position)));
            continue;
        };
        let index_bytes = usize::try_from(shards.index_bytes()).expect("small");
        let index = match shards.index_location() {
            IndexLocation::Start => object.slice(..index_bytes),
            IndexLocation::End => object.slice(object.len() - index_bytes..),
        };
        let index = shards.decode_index(index).expect("decodes");
        prop_assert_eq!(index.check(object.len() as u64), Ok(()));
        for (number, inner) in inner {
            let entry = index.entry(number);
            prop_assert_eq!(entry.is_some(), is_due(&inner), "{} inner {:?}", key, inner);
            if let Some(ShardEntry { offset, length }) = entry {
                let small = |n: u64| usize::try_from(n).expect("small");
                let chunk = object.slice(small(offset)..small(offset + length));
                prop_assert_eq!(
                    decode(&codec_at(layout, &inner), chunk, &layout.fill),
                    expected(&inner),
                    "{} inner {:?}",
                    key,
                    inner
                );
            }
        }
    }
    prop_assert_eq!(counts.skipped_fill_chunks, skipped);
    Ok(())
}
