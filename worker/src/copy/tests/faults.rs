//! What copies do when the stores hold something else than they should, or fail.

use std::sync::Arc;

use rechunk_common::{
    FailureClass, TaskFailure,
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, ElementType, Separator},
    plan::{Exchange, GapPolicy},
};
use rechunk_storage::{Effect, ErrorClass, FaultRule, LeaseLost, RequestKind, WriteGuard};

use super::{
    case::{Case, Shape},
    oracle, run,
};
use crate::{
    compute::ComputePool,
    copy::{exchange_to_write, read_to_exchange, read_to_write},
    workbench::{Bench, fresh_url},
};

pub(super) const PLENTY: u64 = 1 << 20;

pub(super) const ZSTD: &str = r#"[{"name":"bytes"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;

/// (4, 4) of single bytes, rows into columns, every chunk there and none fill-only.
pub(super) fn case(codecs: &str) -> Case {
    let url = fresh_url();
    let layout = |place: &str, chunk_shape: [u64; 2]| ArrayLayout {
        url: format!("{url}/{place}"),
        shape: vec![4, 4],
        element: ElementType { data_type: "uint8".into(), width: 1 },
        fill: vec![9],
        has_fill: true,
        chunks: ChunkLayout::Plain { chunk_shape: chunk_shape.into(), codecs: codecs.into() },
        keys: ChunkKeys::Default { separator: Separator::Slash },
        part: None,
        edges: Vec::new(),
    };
    Case {
        source: layout("source", [1, 4]),
        target: layout("target", [4, 1]),
        url,
        writers: vec![4, 4],
        order: vec![0, 1],
        gaps: GapPolicy::default(),
        shape: Shape::Exchange { readers: vec![2, 4], packed: None },
        seed: 1,
        missing: 0,
        filled: 0,
        is_listed: false,
        parts: None,
        is_cut: false,
    }
}

pub(super) async fn bench_with_source(case: &Case) -> Bench {
    let bench = Bench::new(ComputePool::inline());
    oracle::write_source(&bench, case).await;
    bench.observer.clear();
    bench
}

async fn direct(bench: &Bench, case: &Case) -> Result<(), TaskFailure> {
    read_to_write(&bench.context(PLENTY), &case.direct(), TaskIndex(0)).await
}

#[tokio::test]
async fn a_lost_or_corrupt_exchange_object_names_the_task_that_wrote_it() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    let (first, second) = case.exchange();
    for task in 0..2 {
        read_to_exchange(&bench.context(PLENTY), &first, TaskIndex(task)).await.expect("written");
    }
    let temp = bench.open(&second.exchange.url);
    let key = Exchange::key(TaskIndex(1));
    let intact = temp.get(&key).await.expect("get").expect("there").to_vec();
    let mut flipped = intact.clone();
    flipped[3] ^= 1;
    let short = intact[..intact.len() - 1].to_vec();
    for (damaged, reason) in [(Some(flipped), "checksum"), (Some(short), "bytes"), (None, "not there")] {
        match damaged {
            Some(body) => bench.put(&second.exchange.url, &key, body).await,
            None => temp.delete(&key, &rechunk_storage::Unguarded).await.expect("deleted"),
        }
        let failure = exchange_to_write(&bench.context(PLENTY), &second, TaskIndex(0)).await.expect_err("damaged");
        assert_eq!(failure.class, FailureClass::InputLost { stages_back: 1, task: TaskIndex(1) });
        assert!(failure.message.contains(&key) && failure.message.contains(reason), "{}", failure.message);
    }
    bench.put(&second.exchange.url, &key, intact).await;
    exchange_to_write(&bench.context(PLENTY), &second, TaskIndex(0)).await.expect("written again");
}

#[tokio::test]
async fn a_corrupt_source_chunk_fails_for_good_and_is_named() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    for body in [b"garbage".to_vec(), Vec::new(), vec![0; 1 << 16]] {
        bench.put(&case.source.url, "c/2/0", body).await;
        let failure = direct(&bench, &case).await.expect_err("corrupt");
        assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
        assert!(failure.message.contains("source/c/2/0"), "{failure}");
    }
}

#[tokio::test]
async fn a_raw_chunk_of_another_length_is_corrupt_also_where_a_part_of_it_is_read() {
    // Tasks of two columns read half of each row.
    let case = Case { writers: vec![4, 2], ..case(r#"[{"name":"bytes"}]"#) };
    let bench = bench_with_source(&case).await;
    for length in [0, 1, 3, 5] {
        bench.put(&case.source.url, "c/2/0", vec![7; length]).await;
        let failure = direct(&bench, &case).await.expect_err("corrupt");
        assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
        assert!(failure.message.contains("source/c/2/0"), "{failure}");
    }
    bench.put(&case.source.url, "c/2/0", vec![7; 4]).await;
    direct(&bench, &case).await.expect("a whole chunk");
}

#[tokio::test]
async fn a_missing_chunk_is_an_error_where_that_was_asked_for() {
    let mut case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    bench.open(&case.source.url).delete("c/3/0", &rechunk_storage::Unguarded).await.expect("deleted");
    direct(&bench, &case).await.expect("a gap is filled");
    case.gaps.strict = true;
    let failure = direct(&bench, &case).await.expect_err("strict");
    assert_eq!(failure.class, FailureClass::GiveUpTask);
    assert!(failure.message.contains("source/c/3/0"), "{failure}");
}

#[tokio::test]
async fn faults_of_the_store_keep_their_class() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    for (kind, class, expected) in [
        (RequestKind::Put, ErrorClass::Full, FailureClass::TryElsewhere),
        (RequestKind::Get, ErrorClass::Denied, FailureClass::GiveUpTask),
        (RequestKind::Get, ErrorClass::TryAgain, FailureClass::TryAgain),
    ] {
        bench.faults.add(FaultRule::nth(kind, 2, Effect::Fail(class)));
        assert_eq!(direct(&bench, &case).await.expect_err("a fault").class, expected);
        bench.faults.clear();
    }
    direct(&bench, &case).await.expect("no fault, no failure");
}

#[tokio::test]
async fn nothing_is_written_once_the_lease_has_ended() {
    struct Ended;
    impl WriteGuard for Ended {
        fn check(&self) -> Result<(), LeaseLost> {
            Err(LeaseLost)
        }
    }
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    let cx = bench.guarded_context(PLENTY, Arc::new(Ended));
    let failure = read_to_write(&cx, &case.direct(), TaskIndex(0)).await.expect_err("no lease");
    assert_eq!(failure.class, FailureClass::TryAgain);
    assert!(bench.observer.count(RequestKind::Get) > 0);
    assert_eq!(bench.observer.count(RequestKind::Put), 0);
}

#[tokio::test]
async fn a_copy_whose_memory_cannot_do_ends_with_the_figures_instead_of_waiting() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    let failure = read_to_write(&bench.context(17), &case.direct(), TaskIndex(0)).await.expect_err("17 bytes");
    assert_eq!(failure.class, FailureClass::Bug);
    assert!(failure.message.contains("17 bytes"), "{failure}");
}

#[tokio::test]
async fn a_task_that_the_stage_does_not_have_is_refused() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    let failure = read_to_write(&bench.context(PLENTY), &case.direct(), TaskIndex(1)).await.expect_err("one box");
    assert_eq!(failure.class, FailureClass::InvalidRequest);
}

#[tokio::test]
async fn a_second_run_writes_the_same_bytes() {
    let case = case(ZSTD);
    let bench = bench_with_source(&case).await;
    run(&bench, &case).await.expect("copied");
    let first = bench.open(&case.target.url).get("c/0/2").await.expect("get").expect("there");
    run(&bench, &case).await.expect("copied again");
    assert_eq!(bench.open(&case.target.url).get("c/0/2").await.expect("get"), Some(first));
}
