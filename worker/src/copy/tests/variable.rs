//! Copies of elements of variable length, against the same oracle. How much memory they take shows only as they run:
//! within plenty they must succeed, within anything less they succeed just the same, or say what would help.

use proptest::prelude::*;
use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkLayout, ElementType, IndexLocation},
    plan::GapPolicy,
};
use rechunk_planner::memory;
use rechunk_storage::RequestKind;

use super::{
    bound,
    case::{Case, Shape, cases, of_variable},
    declared, faults, is_as_the_oracle_has_it, oracle, task, verification,
};
use crate::{compute::ComputePool, copy::read_to_write, workbench::Bench};

const TEXT: &str = r#"[{"name":"vlen-utf8"}]"#;
const TEXT_ZSTD: &str = r#"[{"name":"vlen-utf8"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;

/// Runs all tasks, each within `memory`.
async fn run_within(bench: &Bench, case: &Case, memory: u64) -> Result<Counts, TaskFailure> {
    let function = case.direct();
    let mut counts = Counts::default();
    for index in 0..function.writers.len() {
        let function = &function;
        let copied = task(bench, memory, |cx| async move { read_to_write(&cx, function, TaskIndex(index)).await });
        counts += Box::pin(copied).await?;
    }
    Ok(counts)
}

fn least(case: &Case) -> u64 {
    declared(memory::of_read_to_write(&case.direct(), bound(&case.source), bound(&case.target)))
}

async fn copies_within_plenty(case: Case, compute: ComputePool) -> Result<(), TestCaseError> {
    let bench = Bench::new(compute);
    oracle::write_source(&bench, &case).await;
    bench.observer.clear();
    let counts = run_within(&bench, &case, 16 << 20).await;
    let counts = counts.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    is_as_the_oracle_has_it(&bench, &case, counts).await?;
    bench.observer.clear();
    let read = verification::run_within(&bench, &case.verification(), 16 << 20).await;
    let read = read.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    prop_assert_eq!(read.content, counts.content);
    prop_assert_eq!(read.get_requests + read.metadata_requests, bench.observer.count(RequestKind::Get));
    Ok(())
}

/// Whether the copy succeeds; it must be right then, and say what would help if not.
async fn copies_or_says_why(case: &Case, memory: u64) -> Result<bool, TestCaseError> {
    let bench = Bench::new(ComputePool::inline());
    oracle::write_source(&bench, case).await;
    bench.observer.clear();
    match run_within(&bench, case, memory).await {
        Ok(counts) => is_as_the_oracle_has_it(&bench, case, counts).await.map(|()| true),
        Err(failure) => {
            prop_assert_eq!(failure.class, FailureClass::GiveUpTask, "{}", failure.message);
            prop_assert!(failure.message.contains("--max-mem"), "{}", failure.message);
            prop_assert!(failure.message.contains(&case.url), "{}", failure.message);
            Ok(false)
        }
    }
}

fn on_one_thread<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
}

proptest! {
    #[test]
    fn every_copy_is_what_an_element_by_element_copy_would_be(case in cases().prop_map(of_variable)) {
        on_one_thread(copies_within_plenty(case, ComputePool::inline()))?;
    }

    #[test]
    fn and_so_it_is_with_real_threads(case in cases().prop_map(of_variable)) {
        thread_local! {
            static RUNTIME: (tokio::runtime::Runtime, ComputePool) = (
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime"),
                ComputePool::new(2).expect("threads"),
            );
        }
        RUNTIME.with(|(runtime, compute)| runtime.block_on(copies_within_plenty(case, compute.clone())))?;
    }

    #[test]
    fn within_little_memory_it_is_so_too_or_the_task_says_what_would_help(
        case in cases().prop_map(of_variable),
        memory in 0_u64..20_000,
    ) {
        let memory = memory + case.source.read_grid().len() * 16;
        on_one_thread(copies_or_says_why(&case, memory))?;
    }
}

/// (64, 64) elements, rows into columns; of the source one chunk has 64 KiB.
fn case(codecs: &str) -> Case {
    let case = faults::case(codecs);
    let layout = |layout: ArrayLayout, chunk_shape: [u64; 2]| ArrayLayout {
        shape: vec![64, 64],
        element: ElementType::variable(),
        fill: b"none".to_vec(),
        chunks: ChunkLayout::Plain { chunk_shape: chunk_shape.into(), codecs: codecs.into() },
        ..layout
    };
    Case {
        source: layout(case.source.clone(), [8, 64]),
        target: layout(case.target.clone(), [64, 8]),
        writers: vec![64, 64],
        gaps: GapPolicy::default(),
        shape: Shape::Direct,
        // Odd: all values are short.
        seed: 7,
        ..case
    }
}

#[tokio::test]
async fn what_is_as_long_as_is_assumed_fits_into_what_is_declared_and_is_read_once() {
    for codecs in [TEXT, TEXT_ZSTD] {
        let case = case(codecs);
        let bench = faults::bench_with_source(&case).await;
        let counts = run_within(&bench, &case, least(&case)).await.expect("copied");
        assert_eq!((counts.get_requests, counts.put_requests), (8, 8));
        // Descriptors count, not what they point to.
        assert_eq!((counts.bytes_decoded, counts.bytes_encoded), (64 * 64 * 8, 64 * 64 * 8));
        oracle::check_target(&bench, &case, counts).await.expect("every element is there");
    }
}

#[tokio::test]
async fn longer_elements_take_what_is_free_or_come_again_alone_or_fail_by_the_name_of_their_chunk() {
    // Even: some values have 900 bytes.
    let case = Case { seed: 8, ..case(TEXT_ZSTD) };
    let bench = faults::bench_with_source(&case).await;
    let (mut failed, mut again, mut once) = (0, 0, 0);
    for memory in (100_000..1_000_000).step_by(20_000) {
        bench.observer.clear();
        match run_within(&bench, &case, memory).await {
            Ok(counts) => {
                assert_eq!(counts.get_requests, bench.observer.count(RequestKind::Get));
                assert_eq!(counts.content, oracle::content(&case), "what came again is summed once");
                assert_eq!(counts.bytes_decoded, 64 * 64 * 8, "and counts once");
                oracle::check_target(&bench, &case, counts).await.expect("every element is there");
                if counts.get_requests == 8 { once += 1 } else { again += 1 }
            }
            Err(failure) => {
                assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
                let says_all = failure.message.contains("--max-mem") && failure.message.contains(&case.url);
                assert!(says_all, "{failure}");
                failed += 1;
            }
        }
    }
    assert!(failed > 0 && again > 0 && once > 0, "{failed} failed, {again} read again, {once} read once");
}

#[tokio::test]
async fn a_shard_in_parts_is_the_same_at_every_attempt() {
    let case = case(TEXT_ZSTD);
    let chunks = ChunkLayout::Sharded {
        shard_shape: vec![64, 64],
        chunk_shape: vec![16, 8],
        codecs: TEXT_ZSTD.into(),
        index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.into(),
        index_location: IndexLocation::End,
    };
    let target = ArrayLayout { chunks, ..case.target.clone() };
    let case = Case { target, seed: 8, parts: Some(4000), ..case };
    let bench = faults::bench_with_source(&case).await;
    let mut written = Vec::new();
    for _ in 0..2 {
        let counts = run_within(&bench, &case, 4 << 20).await.expect("copied");
        assert!(counts.upload_parts > 2, "{} parts", counts.upload_parts);
        oracle::check_target(&bench, &case, counts).await.expect("every element is there");
        written.push(bench.open(&case.target.url).get("c/0/0").await.expect("get").expect("there"));
    }
    assert_eq!(written[0], written[1]);
}

#[tokio::test]
async fn a_chunk_that_is_corrupt_is_not_taken_for_one_that_is_long() {
    for codecs in [TEXT, TEXT_ZSTD] {
        let case = case(codecs);
        let bench = faults::bench_with_source(&case).await;
        let key = "c/3/0";
        let sound = bench.open(&case.source.url).get(key).await.expect("get").expect("there").to_vec();
        for corrupt in [sound[..sound.len() - 1].to_vec(), [&sound[..], b"\0"].concat(), Vec::new()] {
            bench.put(&case.source.url, key, corrupt).await;
            let failure = run_within(&bench, &case, 4 << 20).await.expect_err("corrupt");
            assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
            assert!(failure.message.starts_with(&format!("cannot decode {}/{key}", case.source.url)), "{failure}");
        }
    }
}
