//! What a pass-through does when the store holds something else than it should, or fails.

use std::sync::Arc;

use rechunk_common::{FailureClass, plan::ShardParts};
use rechunk_storage::{Effect, ErrorClass, FaultRule, LeaseLost, WriteGuard};

use super::{
    case::{Side, ZSTD, function, stored},
    *,
};

#[expect(clippy::unnecessary_wraps, reason = "one of two ways to keep chunks")]
fn shards(per_shard: u64) -> Side {
    Some((vec![per_shard, per_shard], false))
}

/// (8, 8) in chunks of (2, 2), one task, every chunk there.
async fn bench(sides: (&Side, &Side)) -> (Bench, CopyEncoded, Stored) {
    let function = function(&[8, 8], &[2, 2], sides, ZSTD, &[4, 4]);
    let bench = Bench::new(ComputePool::inline());
    let stored = stored(&function, 7, 0);
    write(&bench, &function.source, &stored).await;
    bench.observer.clear();
    (bench, function, stored)
}

#[tokio::test]
async fn a_missing_chunk_is_an_error_where_that_was_asked_for() {
    for sides in [(None, None), (None, shards(2)), (shards(2), None), (shards(2), shards(2)), (shards(2), shards(4))] {
        let (bench, mut function, mut stored) = bench((&sides.0, &sides.1)).await;
        stored.remove(&vec![1, 3]);
        bench.open(&function.source.url).delete_all("", &Unguarded).await.expect("deleted");
        write(&bench, &function.source, &stored).await;
        run(&bench, &function, 2).await.expect("a gap stays one");
        assert_eq!(read(&bench, &function.target).await, stored);
        function.gaps.strict = true;
        let failure = run(&bench, &function, 2).await.expect_err("strict");
        assert_eq!(failure.class, FailureClass::GiveUpTask);
        let key = if sides.0.is_some() { "source/c/0/1" } else { "source/1/3" };
        assert!(failure.message.contains(key) && failure.message.contains("missing"), "{failure}");
    }
}

#[tokio::test]
async fn a_shard_without_a_sound_index_is_not_passed_on() {
    for target in [shards(2), shards(4), None] {
        let (bench, function, _) = bench((&shards(2), &target)).await;
        let source = bench.open(&function.source.url);
        let sound = source.get("c/1/0").await.expect("get").expect("there").to_vec();
        let mut flipped = sound.clone();
        let last = flipped.len() - 6;
        flipped[last] ^= 1;
        for damaged in [flipped, sound[..7].to_vec(), Vec::new()] {
            bench.put(&function.source.url, "c/1/0", damaged).await;
            let failure = run(&bench, &function, 2).await.expect_err("no index");
            assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
            assert!(failure.message.contains("source/c/1/0") && failure.message.contains("index"), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_chunk_that_points_past_its_shard_is_corrupt() {
    for target in [shards(2), shards(4), None] {
        let (bench, function, _) = bench((&shards(2), &target)).await;
        let codec = shard_codec(&function.source).expect("sharded");
        let mut index = ShardIndex::empty(4);
        assert!(index.set(2, ShardEntry { offset: 1000, length: 10 }));
        bench.put(&function.source.url, "c/0/0", codec.encode_index(&index).expect("encodes").to_vec()).await;
        let failure = run(&bench, &function, 2).await.expect_err("past the end");
        assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
        assert!(failure.message.contains("source/c/0/0"), "{failure}");
    }
}

#[tokio::test]
async fn an_object_longer_than_any_encoding_of_ours_passes_where_memory_allows() {
    let (bench, function, mut stored) = bench((&None, &None)).await;
    let long = vec![5; 3000];
    bench.put(&function.source.url, "2/1", long.clone()).await;
    stored.insert(vec![2, 1], long);
    let counts = run_within(&bench, &function, 3000).await.expect("3000 bytes are enough");
    assert_eq!(counts.get_requests, 16, "it is asked for once");
    assert_eq!(read(&bench, &function.target).await, stored);
    let failure = run_within(&bench, &function, 2999).await.expect_err("one byte too few");
    assert_eq!(failure.class, FailureClass::GiveUpTask);
    assert!(failure.message.contains("source/2/1") && failure.message.contains("3000"), "{failure}");
}

#[tokio::test]
async fn a_chunk_too_long_for_its_shard_is_refused_and_named() {
    let (bench, function, _) = bench((&None, &shards(2))).await;
    bench.put(&function.source.url, "2/1", vec![5; 3000]).await;
    let failure = run(&bench, &function, 2).await.expect_err("too long");
    assert_eq!(failure.class, FailureClass::GiveUpTask);
    assert!(failure.message.contains("source/2/") && failure.message.contains("shard"), "{failure}");
}

#[tokio::test]
async fn faults_of_the_store_keep_their_class() {
    for sides in [(None, None), (None, shards(2)), (shards(2), None), (shards(2), shards(4))] {
        let (bench, function, stored) = bench((&sides.0, &sides.1)).await;
        for (kind, class, expected) in [
            (RequestKind::Put, ErrorClass::Full, FailureClass::TryElsewhere),
            (RequestKind::Get, ErrorClass::Denied, FailureClass::GiveUpTask),
            (RequestKind::Get, ErrorClass::TryAgain, FailureClass::TryAgain),
        ] {
            bench.faults.add(FaultRule::nth(kind, 1, Effect::Fail(class)));
            assert_eq!(run(&bench, &function, 2).await.expect_err("a fault").class, expected);
            bench.faults.clear();
        }
        run(&bench, &function, 2).await.expect("no fault, no failure");
        assert_eq!(read(&bench, &function.target).await, stored);
    }
}

#[tokio::test]
async fn what_the_store_does_not_copy_is_read_and_written() {
    for side in [None, shards(2)] {
        let (bench, mut function, stored) = bench((&side, &side)).await;
        function.by_store = true;
        bench.faults.add(FaultRule::every(RequestKind::Put, Effect::Fail(ErrorClass::Unsupported)).times(1));
        let counts = run(&bench, &function, 1).await.expect("there is room for one object");
        assert_eq!(read(&bench, &function.target).await, stored);
        assert!(counts.get_requests > 0 && counts.put_requests == function.target.write_grid().len(), "{counts:?}");
        bench.faults.clear();
        bench.faults.add(FaultRule::every(RequestKind::Put, Effect::Fail(ErrorClass::Unsupported)).times(1));
        let failure = run(&bench, &function, 0).await.expect_err("there is none");
        assert_eq!(failure.class, FailureClass::GiveUpTask);
        assert!(failure.message.contains("give more memory"), "{failure}");
        bench.faults.clear();
    }
}

#[tokio::test]
async fn shards_are_seen_where_a_missing_chunk_is_an_error_though_the_store_could_copy_them() {
    let (bench, mut function, mut stored) = bench((&shards(2), &shards(2))).await;
    stored.remove(&vec![1, 3]);
    bench.open(&function.source.url).delete_all("", &Unguarded).await.expect("deleted");
    write(&bench, &function.source, &stored).await;
    (function.by_store, function.gaps.strict) = (true, true);
    let failure = run_within(&bench, &function, 1 << 20).await.expect_err("strict");
    assert!(failure.message.contains("source/c/0/1") && failure.message.contains("missing"), "{failure}");
}

#[tokio::test]
async fn nothing_is_written_once_the_lease_has_ended() {
    struct Ended;
    impl WriteGuard for Ended {
        fn check(&self) -> Result<(), LeaseLost> {
            Err(LeaseLost)
        }
    }
    let (bench, function, _) = bench((&None, &shards(2))).await;
    let cx = bench.guarded_context(1 << 20, Arc::new(Ended));
    let failure = copy_encoded(&cx, &function, TaskIndex(0)).await.expect_err("no lease");
    assert_eq!(failure.class, FailureClass::TryAgain);
    assert!(bench.observer.count(RequestKind::Get) > 0);
    assert_eq!(bench.observer.count(RequestKind::Put), 0);
}

#[tokio::test]
async fn what_no_plan_would_ask_for_is_refused() {
    let (bench, function, _) = bench((&None, &None)).await;
    let refused = async |function: CopyEncoded, task: u64| {
        let failure = copy_encoded(&bench.context(1 << 20), &function, TaskIndex(task)).await.expect_err("refused");
        assert_eq!(failure.class, FailureClass::InvalidRequest, "{failure}");
    };
    refused(function.clone(), 1).await;
    let mut made = function.clone();
    made.gaps.write_empty_chunks = true;
    refused(made, 0).await;
    let mut other = function.clone();
    other.target = super::case::layout(other.target.url, &[8, 8], &[2, 4], &None, ZSTD);
    refused(other, 0).await;
    refused(CopyEncoded { by_store: true, is_summed: true, ..function }, 0).await;
}

#[tokio::test]
async fn too_little_memory_ends_with_the_figures_instead_of_waiting() {
    let (bench, function, _) = bench((&shards(2), &None)).await;
    let failure = run_within(&bench, &function, 17).await.expect_err("17 bytes");
    assert_eq!(failure.class, FailureClass::Bug);
    assert!(failure.message.contains("17 bytes"), "{failure}");
}

#[tokio::test]
async fn an_object_of_the_target_that_changes_shows_when_it_is_read_back() {
    let parts = Some(ShardParts { bytes: ByteCount(20) });
    for (sides, parts) in [
        ((None, None), None),
        ((None, shards(2)), None),
        ((None, shards(2)), parts),
        ((shards(2), None), None),
        ((shards(2), shards(2)), None),
        ((shards(2), shards(4)), None),
        ((shards(2), shards(4)), parts),
    ] {
        let (bench, mut function, stored) = bench((&sides.0, &sides.1)).await;
        (function.is_summed, function.shard_parts) = (true, parts);
        let copied = run(&bench, &function, 2).await.expect("copied").content;
        assert_eq!(copied, content(&function.source, &stored));
        let (target, verification) = (bench.open(&function.target.url), verification(&function));
        let keys: Vec<String> = targets(&function.target, &stored).into_keys().collect();
        let key = &keys[keys.len() / 2];
        let sound = target.get(key).await.expect("get").expect("there").to_vec();
        let mut flipped = sound.clone();
        flipped[0] ^= 1;
        bench.put(&function.target.url, key, flipped).await;
        assert_ne!(reads_back(&bench, &verification).await.expect("nothing is decoded").content, copied);
        target.delete(key, &Unguarded).await.expect("deleted");
        assert_ne!(reads_back(&bench, &verification).await.expect("a gap").content, copied, "a lost object");
        if sides.1.is_some() {
            bench.put(&function.target.url, key, sound[..5].to_vec()).await;
            let failure = reads_back(&bench, &verification).await.expect_err("no index");
            assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
            let is_said = failure.message.starts_with("what was written does not read back");
            assert!(is_said && failure.message.contains(&format!("target/{key}")), "{failure}");
        }
        bench.put(&function.target.url, key, sound).await;
        assert_eq!(reads_back(&bench, &verification).await.expect("whole again").content, copied);
    }
}
