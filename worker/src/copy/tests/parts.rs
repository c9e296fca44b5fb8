//! Shards that are written in parts: larger than what a task holds, the same bytes at every attempt, and nothing left of
//! those that fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rechunk_common::{
    ByteCount, FailureClass, TaskFailure,
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkLayout, IndexLocation},
    plan::GapPolicy,
};
use rechunk_planner::memory;
use rechunk_storage::{Effect, ErrorClass, FaultRule, LeaseLost, RequestKind, WriteGuard};

use super::{
    bound,
    case::{Case, Shape},
    declared, faults, oracle, run,
};
use crate::{compute::ComputePool, copy::read_to_write, workbench::Bench};

const RAW: &str = r#"[{"name":"bytes"}]"#;

/// (256, 128) of single bytes, swept into one shard of 32 KiB whose inner chunks have 1 KiB.
fn case(codecs: &str) -> Case {
    let case = faults::case(codecs);
    let layout = |layout: ArrayLayout, chunks: ChunkLayout| ArrayLayout { shape: vec![256, 128], chunks, ..layout };
    let source = ChunkLayout::Plain { chunk_shape: vec![16, 32], codecs: codecs.into() };
    let target = ChunkLayout::Sharded {
        shard_shape: vec![256, 128],
        chunk_shape: vec![32, 32],
        codecs: codecs.into(),
        index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.into(),
        index_location: IndexLocation::End,
    };
    Case {
        source: layout(case.source.clone(), source),
        target: layout(case.target.clone(), target),
        writers: vec![256, 128],
        order: vec![0, 1],
        gaps: GapPolicy::default(),
        shape: Shape::Direct,
        parts: Some(1000),
        ..case
    }
}

/// What the task is declared to hold.
fn memory_of(case: &Case) -> u64 {
    let function = case.direct();
    declared(memory::of_read_to_write(&function, bound(&case.source), bound(&case.target)))
}

async fn copied(bench: &Bench, case: &Case) -> Result<(), TaskFailure> {
    let cx = bench.context(memory_of(case));
    read_to_write(&cx, &case.direct(), TaskIndex(0)).await
}

#[tokio::test]
async fn a_shard_larger_than_its_tasks_memory_is_one_put_of_many_parts() {
    for codecs in [RAW, faults::ZSTD] {
        let case = case(codecs);
        let bench = faults::bench_with_source(&case).await;
        let memory = memory_of(&case);
        let counts = run(&bench, &case).await.expect("copied, within what is declared");
        assert_eq!((counts.put_requests, counts.bytes_encoded), (1, 32_768));
        assert_eq!(counts.upload_parts, bench.observer.count(RequestKind::Part));
        assert!(counts.upload_parts > 5, "{} parts", counts.upload_parts);
        if codecs == RAW {
            assert!(counts.wire_bytes_written > 2 * memory, "{} within {memory}", counts.wire_bytes_written);
        }
        oracle::check_target(&bench, &case, counts).await.expect("bit for bit");
        let whole = Case { parts: None, ..case.clone() };
        assert!(memory_of(&whole) > 2 * memory, "whole it would not fit");
    }
}

#[tokio::test]
async fn a_shard_no_longer_than_a_part_is_put_at_once() {
    let case = Case { parts: Some(1 << 20), ..case(RAW) };
    let bench = faults::bench_with_source(&case).await;
    run(&bench, &case).await.expect("copied");
    let count = |kind| bench.observer.count(kind);
    assert_eq!((count(RequestKind::Put), count(RequestKind::Part), count(RequestKind::Upload)), (1, 0, 0));
}

#[test]
fn attempts_write_the_same_bytes_whatever_comes_first() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        let case = case(faults::ZSTD);
        let bench = Bench::new(ComputePool::new(2).expect("threads"));
        oracle::write_source(&bench, &case).await;
        let mut objects = Vec::new();
        for late in [0, 1, 2, 9, 30] {
            bench.faults.clear();
            let time = Duration::from_millis(20);
            bench.faults.add(FaultRule::nth(RequestKind::Get, late, Effect::Delay(time)));
            // With room for many pieces, so that the late one is overtaken.
            let cx = bench.context(1 << 20);
            read_to_write(&cx, &case.direct(), TaskIndex(0)).await.expect("copied");
            objects.push(bench.open(&case.target.url).get("c/0/0").await.expect("get").expect("there"));
        }
        assert!(objects.windows(2).all(|pair| pair[0] == pair[1]));
    });
}

#[tokio::test]
async fn a_part_that_fails_ends_the_task_by_name_and_leaves_nothing() {
    let case = case(RAW);
    let bench = faults::bench_with_source(&case).await;
    for (kind, nth) in [(RequestKind::Upload, 1), (RequestKind::Part, 1), (RequestKind::Part, 7), (RequestKind::Put, 1)]
    {
        bench.observer.clear();
        bench.faults.add(FaultRule::nth(kind, nth, Effect::Fail(ErrorClass::Full)));
        let failure = copied(&bench, &case).await.expect_err("a fault");
        assert_eq!(failure.class, FailureClass::TryElsewhere, "{failure}");
        assert!(failure.message.contains("target/c/0/0"), "{failure}");
        bench.faults.clear();
        let aborted = async {
            while kind != RequestKind::Upload && bench.observer.count(RequestKind::Upload) < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), aborted).await.expect("begun and aborted");
        assert_eq!(bench.open(&case.target.url).get("c/0/0").await.expect("get"), None);
    }
    copied(&bench, &case).await.expect("no fault, no failure");
}

#[tokio::test]
async fn a_lease_that_ends_between_parts_leaves_nothing() {
    struct Soon(AtomicU32);
    impl WriteGuard for Soon {
        fn check(&self) -> Result<(), LeaseLost> {
            let take = |left: u32| left.checked_sub(1);
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).map(|_| ()).map_err(|_| LeaseLost)
        }
    }
    let case = case(RAW);
    let bench = faults::bench_with_source(&case).await;
    for checks in [1, 5, 20] {
        bench.observer.clear();
        let cx = bench.guarded_context(memory_of(&case), Arc::new(Soon(checks.into())));
        let failure = read_to_write(&cx, &case.direct(), TaskIndex(0)).await.expect_err("the lease has ended");
        assert_eq!(failure.class, FailureClass::TryAgain, "{failure}");
        assert_eq!(bench.observer.count(RequestKind::Put), 0, "it never came to the end");
        assert_eq!(bench.open(&case.target.url).get("c/0/0").await.expect("get"), None);
    }
}

#[tokio::test]
async fn a_task_that_fails_gives_back_all_that_it_held() {
    let case = case(faults::ZSTD);
    let bench = faults::bench_with_source(&case).await;
    bench.faults.add(FaultRule::nth(RequestKind::Get, 20, Effect::Fail(ErrorClass::Denied)));
    let memory = memory_of(&case);
    let cx = bench.context(memory);
    read_to_write(&cx, &case.direct(), TaskIndex(0)).await.expect_err("a fault");
    assert!(cx.memory().peak() <= ByteCount(memory));
    bench.faults.clear();
    copied(&bench, &case).await.expect("again");
}
