//! Reading back: what was copied gives the content that was summed while it was copied, anything else does not.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use rechunk_common::{ContentSum, Counts, FailureClass, TaskFailure, ids::TaskIndex, plan::Verify};
use rechunk_planner::memory;
use rechunk_storage::{RequestKind, Unguarded};

use super::{
    bound,
    case::{Case, Shape},
    declared, oracle, task,
};
use crate::{compute::ComputePool, verification::verify, workbench::Bench};

/// Runs every task within the least that a plan would declare.
async fn run(bench: &Bench, function: &Verify) -> Result<Counts, TaskFailure> {
    run_within(bench, function, declared(memory::of_verify(function, bound(&function.target)))).await
}

/// Runs every task within `memory`.
pub(super) async fn run_within(bench: &Bench, function: &Verify, memory: u64) -> Result<Counts, TaskFailure> {
    let mut counts = Counts::default();
    for index in 0..function.boxes.len() {
        counts += task(bench, memory, |cx| async move { verify(&cx, function, TaskIndex(index)).await }).await?;
    }
    Ok(counts)
}

/// What lies at the target of the case has `content`, and is asked for as counted.
pub(super) async fn reads_the_same_back(bench: &Bench, case: &Case, content: ContentSum) -> Result<(), TestCaseError> {
    bench.observer.clear();
    let counts = run(bench, &case.verification()).await;
    let counts = counts.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    prop_assert_eq!(counts.content, content);
    // The bitmap is no chunk.
    prop_assert_eq!(counts.get_requests + counts.metadata_requests, bench.observer.count(RequestKind::Get));
    prop_assert_eq!(counts.wire_bytes_read, bench.observer.bytes_received());
    prop_assert_eq!(bench.observer.count(RequestKind::Put) + bench.observer.count(RequestKind::List), 0);
    let of_copy = (counts.missing_source_chunks, counts.skipped_fill_chunks, counts.put_requests);
    prop_assert_eq!(of_copy, (0, 0, 0), "what the copy left out is told once");
    let target = &case.target;
    if case.verification().presence.is_none() && !target.chunks.is_sharded() {
        prop_assert_eq!(counts.get_requests, target.write_grid().len(), "each object is read once");
    }
    Ok(())
}

/// A copy of raw elements into some chunks without edges, all of them stored.
async fn copied() -> (Bench, Case, ContentSum) {
    let mut runner = TestRunner::deterministic();
    let is_plain = |case: &Case| {
        let is_raw = |codecs: &str| !codecs.contains("zstd") && !codecs.contains("crc32c") && !codecs.contains("blosc");
        matches!(case.shape, Shape::Direct)
            && !case.target.chunks.is_sharded()
            && is_raw(case.target.chunks.codecs())
            && (4..10).contains(&case.target.write_grid().len())
            && case.target.shape.iter().product::<u64>() <= 60
            && case.target.shape.iter().zip(case.target.chunks.write_unit()).all(|(n, unit)| n.is_multiple_of(*unit))
    };
    let case = std::iter::repeat_with(|| super::case::cases().new_tree(&mut runner).expect("a case").current());
    let mut case = case.take(20_000).find(is_plain).expect("one of many");
    (case.missing, case.filled, case.is_listed) = (0, 0, false);
    case.gaps.write_empty_chunks = true;
    let bench = Bench::new(ComputePool::inline());
    oracle::write_source(&bench, &case).await;
    let content = super::run(&bench, &case).await.expect("copied").content;
    assert_eq!(run(&bench, &case.verification()).await.expect("read back").content, content);
    (bench, case, content)
}

#[tokio::test]
async fn whatever_happens_to_an_object_that_was_written_shows() {
    let (bench, case, content) = Box::pin(copied()).await;
    let prefix = bench.open(&case.target.url);
    let grid = case.target.write_grid();
    let keys: Vec<String> =
        (0..grid.len()).map(|index| case.target.keys.key(&grid.position(index).expect("in the grid"))).collect();
    let other = prefix.get(&keys[1]).await.expect("get").expect("there");
    for key in &keys {
        let sound = prefix.get(key).await.expect("get").expect("there").to_vec();
        let put = |body: Vec<u8>| bench.put(&case.target.url, key, body);
        for byte in 0..sound.len() {
            let mut flipped = sound.clone();
            flipped[byte] ^= 0x80;
            put(flipped).await;
            let found = run(&bench, &case.verification()).await.expect("it decodes").content;
            assert_ne!(found, content, "byte {byte} of {key}");
        }
        put(sound[1..].to_vec()).await;
        let failure = run(&bench, &case.verification()).await.expect_err("too short");
        assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
        let named = failure.message.contains(&format!("{}/{key}", case.target.url));
        assert!(named && failure.message.starts_with("what was written does not read back"), "{failure}");
        if sound != other.to_vec() {
            put(other.to_vec()).await;
            assert_ne!(run(&bench, &case.verification()).await.expect("it decodes").content, content, "another chunk");
        }
        prefix.delete(key, &Unguarded).await.expect("deleted");
        let is_fill = sound.chunks(case.target.fill.len()).all(|element| element == case.target.fill);
        let found = run(&bench, &case.verification()).await.expect("a gap").content;
        assert_eq!(found == content, is_fill, "{key} is not there");
        put(sound).await;
    }
    assert_eq!(run(&bench, &case.verification()).await.expect("whole again").content, content);
}

#[tokio::test]
async fn a_task_that_is_not_there_is_refused() {
    let (bench, case, _) = Box::pin(copied()).await;
    let function = case.verification();
    let beyond = TaskIndex(function.boxes.len());
    let failure = verify(&bench.context(1 << 20), &function, beyond).await.expect_err("no such box");
    assert_eq!(failure.class, FailureClass::InvalidRequest);
}
