//! Chunks passed on between stores in memory. They hold bytes that no codec would take, so that a decoder would fail;
//! every one must arrive as it was, every count as an observer of the store counted it, within the declared memory.

mod case;
mod faults;

use std::collections::BTreeMap;

use bytes::Bytes;
use case::{Case, cases};
use proptest::prelude::*;
use rechunk_common::{
    ByteCount, ContentSum, Counts, Presence, TaskFailure,
    geometry::BoxGrid,
    ids::TaskIndex,
    layout::{ArrayLayout, IndexLocation},
    plan::{CopyEncoded, ListedSource, PresenceBitmap, ReadBackAs, Verify},
};
use rechunk_planner::{EncodedBound, memory};
use rechunk_storage::{PutPayload, RequestKind, Unguarded};
use rechunk_zarr::{ChunkCodec, ShardCodec, ShardEntry, ShardIndex};

use super::copy_encoded;
use crate::{compute::ComputePool, verification::verify, workbench::Bench};

/// The chunks (inner chunks) that are stored, by position, counted from the first chunk of what is copied.
type Stored = BTreeMap<Vec<u64>, Vec<u8>>;

/// What lies in shards of the source beside the part that is copied.
const BESIDE: &[u8] = b"beside";

/// A position in a grid, counted from its first box.
fn counted(grid: &BoxGrid, position: &[u64]) -> Vec<u64> {
    position.iter().zip(grid.first()).map(|(at, first)| at - first).collect()
}

fn shard_codec(layout: &ArrayLayout) -> Option<ShardCodec> {
    ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("codecs")
}

fn bound(layout: &ArrayLayout) -> EncodedBound {
    let chunk = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("codecs");
    let shard_index = shard_codec(layout).map_or(0, |shard| shard.index_bytes());
    EncodedBound { chunk: ByteCount(chunk.worst_encoded_bytes()), shard_index: ByteCount(shard_index) }
}

/// The inner chunks of a shard that lie in the array: number and position.
fn inner(layout: &ArrayLayout, shard: &[u64]) -> Vec<(u64, Vec<u64>)> {
    let codec = shard_codec(layout).expect("sharded");
    BoxGrid::positions(&layout.read_grid().overlapping(&layout.write_grid().region_at(shard)))
        .map(|position| {
            let axes = position.iter().zip(codec.chunks_per_shard());
            (axes.fold(0, |sum, (at, count)| sum * count + at % count), position)
        })
        .collect()
}

/// Every object of the layout, with the chunks in reverse order in their shards, after what lies `beside` in them.
fn objects(layout: &ArrayLayout, stored: &Stored, beside: Option<&[u8]>) -> BTreeMap<String, Bytes> {
    let mut objects = BTreeMap::new();
    let chunks = layout.read_grid();
    for position in BoxGrid::positions(&layout.write_grid().overlapping(layout.write_grid().bounds())) {
        let Some(codec) = shard_codec(layout) else {
            if let Some(body) = stored.get(&counted(&chunks, &position)) {
                objects.insert(layout.keys.key(&position), Bytes::from(body.clone()));
            }
            continue;
        };
        let is_first = codec.index_location() == IndexLocation::Start;
        let mut index = ShardIndex::empty(codec.entry_count());
        let start = if is_first { codec.index_bytes() } else { 0 };
        let mut body = Vec::new();
        let inner = inner(layout, &position);
        for number in (0..codec.entry_count()).filter(|number| inner.iter().all(|(inside, _)| inside != number)) {
            if let Some(chunk) = beside {
                let offset = start + body.len() as u64;
                assert!(index.set(number, ShardEntry { offset, length: chunk.len() as u64 }));
                body.extend_from_slice(chunk);
            }
        }
        for (number, position) in inner.into_iter().rev() {
            if let Some(chunk) = stored.get(&counted(&chunks, &position)) {
                let offset = start + body.len() as u64;
                assert!(index.set(number, ShardEntry { offset, length: chunk.len() as u64 }));
                body.extend_from_slice(chunk);
            }
        }
        if !index.is_all_missing() {
            let index = codec.encode_index(&index).expect("encodes").to_vec();
            let body = if is_first { [index, body].concat() } else { [body, index].concat() };
            objects.insert(layout.keys.key(&position), Bytes::from(body));
        }
    }
    objects
}

/// Every object of a source.
fn sources(layout: &ArrayLayout, stored: &Stored) -> BTreeMap<String, Bytes> {
    objects(layout, stored, layout.part.as_ref().map(|_| BESIDE))
}

/// Every object that a target shall have.
fn targets(layout: &ArrayLayout, stored: &Stored) -> BTreeMap<String, Bytes> {
    objects(layout, stored, None)
}

async fn write(bench: &Bench, layout: &ArrayLayout, stored: &Stored) {
    let prefix = bench.open(&layout.url);
    for (key, body) in sources(layout, stored) {
        prefix.put(&key, PutPayload::from(body), &Unguarded).await.expect("put");
    }
}

/// The chunks that are stored at the layout, read by its own indexes.
async fn read(bench: &Bench, layout: &ArrayLayout) -> Stored {
    let prefix = bench.open(&layout.url);
    let (mut stored, chunks) = (Stored::new(), layout.read_grid());
    for position in BoxGrid::positions(&layout.write_grid().overlapping(layout.write_grid().bounds())) {
        let Some(object) = prefix.get(&layout.keys.key(&position)).await.expect("get") else { continue };
        let Some(codec) = shard_codec(layout) else {
            stored.insert(counted(&chunks, &position), object.to_vec());
            continue;
        };
        let index_bytes = usize::try_from(codec.index_bytes()).expect("small");
        let encoded = match codec.index_location() {
            IndexLocation::Start => object.slice(..index_bytes),
            IndexLocation::End => object.slice(object.len() - index_bytes..),
        };
        let index = codec.decode_index(encoded).expect("an index");
        index.check(object.len() as u64).expect("entries inside");
        let inner = inner(layout, &position);
        let entries = (0..codec.entry_count()).filter(|number| index.entry(*number).is_some()).count();
        let inside = inner.iter().filter(|(number, _)| index.entry(*number).is_some()).count();
        assert_eq!(entries, inside, "nothing beside what is copied");
        for (number, position) in inner {
            if let Some(ShardEntry { offset, length }) = index.entry(number) {
                let small = |n: u64| usize::try_from(n).expect("small");
                stored.insert(counted(&chunks, &position), object[small(offset)..small(offset + length)].to_vec());
            }
        }
    }
    stored
}

/// Runs all tasks with as little memory as the planner may declare, or with room for `pieces` objects.
async fn run(bench: &Bench, function: &CopyEncoded, pieces: u64) -> Result<Counts, TaskFailure> {
    let memory = memory::of_encoded(function, bound(&function.source), bound(&function.target)).expect("small");
    let memory = memory.total(pieces.clamp(memory.least_pieces, memory.most_pieces)).expect("small");
    run_within(bench, function, memory).await
}

async fn run_within(bench: &Bench, function: &CopyEncoded, memory: u64) -> Result<Counts, TaskFailure> {
    let mut counts = Counts::default();
    for task in 0..function.writers.len() {
        let cx = bench.context(memory);
        copy_encoded(&cx, function, TaskIndex(task)).await?;
        let peak = cx.memory().peak();
        assert!(peak <= ByteCount(memory), "held {peak:?} of {memory}");
        assert_eq!(cx.memory().reserved(), 0, "everything is given back");
        counts += cx.tally().total();
    }
    Ok(counts)
}

async fn passes_every_byte_on(case: Case, compute: ComputePool) -> Result<(), TestCaseError> {
    let bench = Bench::new(compute);
    write(&bench, &case.function.source, &case.stored).await;
    bench.observer.clear();
    let counts = run(&bench, &case.function, case.pieces).await;
    let counts = counts.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    let observer = &bench.observer;
    let by_store = case.function.by_store && case.function.is_of_whole_objects();
    // That there is nothing to copy, the store says.
    let in_vain = if by_store { counts.skipped_fill_chunks } else { 0 };
    prop_assert_eq!(counts.get_requests, observer.count(RequestKind::Get));
    prop_assert_eq!(counts.put_requests + in_vain, observer.count(RequestKind::Put));
    prop_assert_eq!(observer.count(RequestKind::Head) + observer.count(RequestKind::List), 0);
    prop_assert_eq!(counts.wire_bytes_written, observer.bytes_sent());
    prop_assert_eq!(counts.wire_bytes_read, observer.bytes_received());
    prop_assert_eq!((counts.bytes_decoded, counts.bytes_encoded), (0, 0));

    let (source, target) = (&case.function.source, &case.function.target);
    let written = targets(target, &case.stored).len() as u64;
    prop_assert_eq!(counts.put_requests, written);
    prop_assert_eq!(counts.skipped_fill_chunks, target.write_grid().len() - written);
    if !(by_store && source.chunks.is_sharded()) {
        prop_assert_eq!(counts.missing_source_chunks, source.read_grid().len() - case.stored.len() as u64);
    }
    if !case.function.is_of_whole_objects() {
        let shards_of = |task| {
            let region = case.function.writers.region(task).expect("task");
            source.write_grid().overlapping(&region).element_count()
        };
        let indexes: u64 = (0..case.function.writers.len()).map(shards_of).sum();
        let asked =
            if source.chunks.is_sharded() { case.stored.len() as u64 + indexes } else { source.read_grid().len() };
        prop_assert_eq!(counts.get_requests, asked);
    }
    if case.function.is_of_whole_objects() {
        prop_assert_eq!(counts.get_requests, if by_store { 0 } else { target.write_grid().len() });
        prop_assert!(!by_store || counts.wire_bytes_written == 0, "no byte passes through the worker");
        for number in 0..target.write_grid().len() {
            let position = target.write_grid().position(number).expect("in the grid");
            let object = |layout: &ArrayLayout| {
                let position = layout.write_grid().position(number).expect("in the grid");
                let (prefix, key) = (bench.open(&layout.url), layout.keys.key(&position));
                async move { prefix.get(&key).await.expect("get") }
            };
            prop_assert_eq!(object(target).await, object(source).await, "{:?}", position);
        }
    }
    prop_assert_eq!(&read(&bench, target).await, &case.stored);
    if case.function.is_summed {
        prop_assert_eq!(counts.content, content(source, &case.stored), "each chunk is summed once");
        let read_back = reads_back(&bench, &verification(&case.function)).await;
        let read_back = read_back.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
        prop_assert_eq!(read_back.content, counts.content);
        let asked = target.write_grid().len() + read_alone(&case.function, &case.stored);
        prop_assert_eq!(read_back.get_requests, asked, "each object is read once, or its index and its chunks");
        prop_assert_eq!(bench.observer.count(RequestKind::Get), read_back.get_requests);
        prop_assert_eq!(bench.observer.count(RequestKind::Put), 0);
    }
    Ok(())
}

/// The content of the chunks that are stored.
fn content(layout: &ArrayLayout, stored: &Stored) -> ContentSum {
    let counts = layout.read_grid().counts();
    let number = |position: &[u64]| position.iter().zip(&counts).fold(0, |sum, (at, count)| sum * count + at);
    stored.iter().map(|(position, chunk)| ContentSum::of_encoded(number(position), chunk)).sum()
}

fn verification(function: &CopyEncoded) -> Verify {
    let (target, boxes) = (function.target.clone(), function.writers.clone());
    let presence = function.listed.as_ref().and_then(|listed| listed.presence.clone());
    let read_back_as = match function.shard_parts {
        None => ReadBackAs::EncodedChunks,
        Some(_) => ReadBackAs::EncodedInnerChunks,
    };
    Verify { target, boxes, read_back_as, presence }
}

/// The chunks that are read one by one when the target is read back.
fn read_alone(function: &CopyEncoded, stored: &Stored) -> u64 {
    if function.shard_parts.is_some() { stored.len() as u64 } else { 0 }
}

/// Reads back with as little memory as the planner may declare.
async fn reads_back(bench: &Bench, function: &Verify) -> Result<Counts, TaskFailure> {
    bench.observer.clear();
    let memory = memory::of_verify(function, bound(&function.target)).expect("small");
    let memory = memory.total(memory.least_pieces).expect("small");
    let mut counts = Counts::default();
    for task in 0..function.boxes.len() {
        let cx = bench.context(memory);
        verify(&cx, function, TaskIndex(task)).await?;
        let peak = cx.memory().peak();
        assert!(peak <= ByteCount(memory), "held {peak:?} of {memory}");
        counts += cx.tally().total();
    }
    Ok(counts)
}

/// The same with a listing of the source: what is absent is never asked for, and the same objects come about.
async fn passes_on_what_is_there(case: Case) -> Result<(), TestCaseError> {
    let bench = Bench::new(ComputePool::inline());
    let (source, target) = (&case.function.source, &case.function.target);
    write(&bench, source, &case.stored).await;
    let there = sources(source, &case.stored);
    let mut presence = Presence::none(source.write_grid()).expect("small");
    for position in BoxGrid::positions(&source.write_grid().overlapping(source.write_grid().bounds())) {
        if there.contains_key(&source.keys.key(&position)) {
            presence.insert(&position);
        }
    }
    let url = format!("{}-presence/0", source.url);
    bench.put(&format!("{}-presence", source.url), "0", presence.bits()).await;
    bench.observer.clear();
    let bitmap = PresenceBitmap {
        url,
        size: ByteCount(presence.bits().len() as u64),
        crc32c: crc32c::crc32c(presence.bits()),
        objects: source.write_grid(),
        fill: source.fill.clone(),
    };
    let longest = there.values().map(|body| body.len() as u64).max().unwrap_or(0);
    let listed = Some(ListedSource { longest: ByteCount(longest), presence: Some(bitmap) });
    let function = CopyEncoded { listed, ..case.function.clone() };
    let counts = run(&bench, &function, case.pieces).await;
    let counts = counts.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    prop_assert_eq!(counts.get_requests + counts.metadata_requests, bench.observer.count(RequestKind::Get));
    let written = targets(target, &case.stored);
    let known = BoxGrid::positions(&target.write_grid().overlapping(target.write_grid().bounds()))
        .filter(|position| presence.overlaps(&target.write_grid().region_at(position)))
        .count() as u64;
    prop_assert_eq!(counts.put_requests, written.len() as u64);
    prop_assert_eq!(counts.put_requests + counts.skipped_fill_chunks, known, "of what may be there");
    if !source.chunks.is_sharded() {
        let by_store = function.by_store && function.is_of_whole_objects();
        let read = if by_store { 0 } else { there.len() as u64 };
        prop_assert_eq!((counts.missing_source_chunks, counts.get_requests), (0, read));
    }
    let asked = bench.observer.of_kind(RequestKind::Get).into_iter().filter_map(|get| {
        let key = get.url.strip_prefix(&format!("{}/", source.url))?;
        Some(key.to_owned())
    });
    for key in asked {
        prop_assert!(there.contains_key(&key), "{} is absent", key);
    }
    prop_assert_eq!(&read(&bench, target).await, &case.stored);
    if function.is_summed {
        let known = known + read_alone(&function, &case.stored);
        let read_back = reads_back(&bench, &verification(&function)).await;
        let read_back = read_back.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
        prop_assert_eq!((read_back.content, read_back.get_requests), (counts.content, known));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_listing_says_is_absent_is_never_asked_for(case in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(passes_on_what_is_there(case))?;
    }

    #[test]
    fn every_chunk_arrives_as_it_was(case in cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(passes_every_byte_on(case, ComputePool::inline()))?;
    }

    #[test]
    fn and_so_it_does_with_real_threads(case in cases()) {
        thread_local! {
            static RUNTIME: (tokio::runtime::Runtime, ComputePool) = (
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime"),
                ComputePool::new(2).expect("threads"),
            );
        }
        RUNTIME.with(|(runtime, compute)| runtime.block_on(passes_every_byte_on(case, compute.clone())))?;
    }
}
