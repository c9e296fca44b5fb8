//! Copies of elements of variable length, against the same oracle. How much memory they take shows only as they run:
//! within plenty they must succeed, within anything less they succeed just the same, or say what would help.

use proptest::prelude::*;
use rechunk_common::{
    Counts, FailureClass, TaskFailure,
    ids::TaskIndex,
    layout::{ArrayLayout, ChunkLayout, ElementType, IndexLocation},
    plan::{ExchangeCodec, GapPolicy, IndexExchange, ROW_ENTRY_BYTES},
};
use rechunk_planner::memory;
use rechunk_storage::RequestKind;

use super::{
    bound,
    case::{Case, Shape, cases, of_variable},
    declared, faults, is_as_the_oracle_has_it, oracle, task, verification,
};
use crate::{
    compute::ComputePool,
    copy::{exchange_to_write, index_exchange, read_to_exchange, read_to_write},
    workbench::Bench,
};

const TEXT: &str = r#"[{"name":"vlen-utf8"}]"#;
const TEXT_ZSTD: &str = r#"[{"name":"vlen-utf8"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#;

/// Runs all tasks, each within `memory`, and those of an index within what it takes.
async fn run_within(bench: &Bench, case: &Case, memory: u64) -> Result<Counts, TaskFailure> {
    if matches!(case.shape, Shape::Exchange { .. }) {
        return Box::pin(exchange_within(bench, case, [memory, memory])).await;
    }
    let function = case.direct();
    let mut counts = Counts::default();
    for index in 0..function.writers.len() {
        let function = &function;
        let copied = task(bench, memory, |cx| async move { read_to_write(&cx, function, TaskIndex(index)).await });
        counts += Box::pin(copied).await?;
    }
    Ok(counts)
}

/// Runs both stages of an exchange, each within its memory, and the index between them.
async fn exchange_within(bench: &Bench, case: &Case, memory: [u64; 2]) -> Result<Counts, TaskFailure> {
    let (read, write) = case.exchange();
    let index = IndexExchange { exchange: read.exchange.clone() };
    let of_index = declared(memory::of_index_exchange(&index));
    // A row is no element.
    let of_writer = memory[1] + read.exchange.readers.len() * ROW_ENTRY_BYTES;
    let mut counts = Counts::default();
    for number in 0..read.exchange.readers.len() {
        let read = &read;
        let copied = task(bench, memory[0], |cx| async move { read_to_exchange(&cx, read, TaskIndex(number)).await });
        counts += Box::pin(copied).await?;
    }
    for number in 0..read.exchange.packing().expect("packed").indexers.len() {
        let index = &index;
        counts +=
            task(bench, of_index, |cx| async move { index_exchange(&cx, index, TaskIndex(number)).await }).await?;
    }
    for number in 0..write.writers.len() {
        let write = &write;
        let copied = task(bench, of_writer, |cx| async move { exchange_to_write(&cx, write, TaskIndex(number)).await });
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

/// The same through blocks: four reading tasks, eight writing tasks.
fn through_exchange(case: Case, codec: ExchangeCodec) -> Case {
    Case { writers: vec![64, 8], shape: Shape::Exchange { readers: vec![16, 64], packed: Some(codec) }, ..case }
}

const EXCHANGE_CODECS: [ExchangeCodec; 3] = [ExchangeCodec::None, ExchangeCodec::Lz4, ExchangeCodec::Zstd];

#[tokio::test]
async fn an_exchange_of_what_is_as_long_as_is_assumed_fits_into_what_is_declared_and_asks_for_everything_once() {
    for (codecs, codec) in [TEXT, TEXT_ZSTD].into_iter().flat_map(|codecs| EXCHANGE_CODECS.map(|codec| (codecs, codec)))
    {
        let case = through_exchange(case(codecs), codec);
        let bench = faults::bench_with_source(&case).await;
        let (read, write) = case.exchange();
        let memory = [
            declared(memory::of_read_to_exchange(&read, bound(&case.source))),
            declared(memory::of_exchange_to_write(&write, bound(&case.target))),
        ];
        let counts = exchange_within(&bench, &case, memory).await.expect("copied");
        // Chunks, four tables, and four blocks and a row for each writing task.
        assert_eq!((counts.get_requests, counts.put_requests), (8 + 4 + 8 * (4 + 1), 4 + 1 + 8));
        assert_eq!((counts.bytes_decoded, counts.bytes_encoded), (2 * 64 * 64 * 8, 2 * 64 * 64 * 8));
        assert_eq!(counts.content, oracle::content(&case));
        oracle::check_target(&bench, &case, counts).await.expect("every element is there");
    }
}

#[tokio::test]
async fn longer_elements_of_an_exchange_come_again_alone_or_fail_by_name_in_either_stage() {
    // Even: some values have 900 bytes.
    for codec in EXCHANGE_CODECS {
        let case = through_exchange(Case { seed: 8, ..case(TEXT_ZSTD) }, codec);
        let bench = faults::bench_with_source(&case).await;
        let (mut failed, mut done) = ([0, 0], 0);
        let plenty = 16 << 20;
        for (stage, memory) in
            [0, 1].into_iter().flat_map(|stage| (20_000..400_000).step_by(20_000).map(move |m| (stage, m)))
        {
            let memories = if stage == 0 { [memory, plenty] } else { [plenty, memory] };
            match exchange_within(&bench, &case, memories).await {
                Ok(counts) => {
                    assert_eq!(counts.content, oracle::content(&case), "what came again is summed once");
                    assert_eq!(counts.bytes_decoded, 2 * 64 * 64 * 8, "and counts once");
                    oracle::check_target(&bench, &case, counts).await.expect("every element is there");
                    done += 1;
                }
                Err(failure) => {
                    assert_eq!(failure.class, FailureClass::GiveUpTask, "{failure}");
                    let says_all = failure.message.contains("--max-mem") && failure.message.contains(&case.url);
                    assert!(says_all, "{failure}");
                    failed[stage] += 1;
                }
            }
        }
        assert!(failed[0] > 0 && failed[1] > 0 && done > 4, "{codec:?}: {failed:?} failed, {done} done");
    }
}

#[tokio::test]
async fn blocks_of_text_are_packed_or_the_task_is_refused() {
    let mut case = through_exchange(case(TEXT), ExchangeCodec::None);
    case.shape = Shape::Exchange { readers: vec![16, 64], packed: None };
    let bench = faults::bench_with_source(&case).await;
    let (read, write) = case.exchange();
    let cx = bench.context(1 << 20);
    for failure in [
        read_to_exchange(&cx, &read, TaskIndex(0)).await.expect_err("refused"),
        exchange_to_write(&cx, &write, TaskIndex(0)).await.expect_err("refused"),
    ] {
        assert_eq!(failure.class, FailureClass::InvalidRequest, "{failure}");
        assert!(failure.message.contains("variable length"), "{failure}");
    }
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
