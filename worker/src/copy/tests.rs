//! Copies on memory stores, against a naive oracle: every target object bit for bit, every count as an observer of
//! the store counted it, and never more memory than the plan's model declares.

mod case;
mod faults;
mod oracle;
mod packed;
mod parts;
mod scratch;
mod variable;
mod verification;

use case::{Case, Shape};
use proptest::prelude::*;
use rechunk_common::{ByteCount, Counts, TaskFailure, ids::TaskIndex, plan::IndexExchange};
use rechunk_planner::{EncodedBound, memory};
use rechunk_storage::RequestKind;
use rechunk_zarr::{ChunkCodec, ShardCodec};

use super::{exchange_to_write, index_exchange, read_to_exchange, read_to_write};
use crate::{compute::ComputePool, context::TaskContext, workbench::Bench};

/// The bounds that a plan would be made with.
pub(super) fn bound(layout: &rechunk_common::layout::ArrayLayout) -> EncodedBound {
    let chunk = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("codecs");
    let shard = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("codecs");
    EncodedBound {
        chunk: ByteCount(chunk.worst_encoded_bytes()),
        shard_index: ByteCount(shard.map_or(0, |shard| shard.index_bytes())),
    }
}

/// What a stage's task declares, with as many pieces in flight as it must be able to have.
pub(super) fn declared(memory: Option<memory::TaskMemory>) -> u64 {
    let memory = memory.expect("small");
    memory.total(memory.least_pieces).expect("small")
}

/// Runs one task and checks what it held.
async fn task<F>(bench: &Bench, memory: u64, run: impl FnOnce(TaskContext) -> F) -> Result<Counts, TaskFailure>
where
    F: Future<Output = Result<(), TaskFailure>>,
{
    let cx = bench.context(memory);
    run(cx.clone()).await?;
    let peak = cx.memory().peak();
    assert!(peak <= ByteCount(memory), "held {peak:?} of {memory}");
    assert_eq!(cx.memory().reserved(), 0, "everything is given back");
    Ok(cx.tally().total())
}

/// Runs all tasks of the case, by the shape that it asks for; gives the counts of all together.
pub(super) async fn run(bench: &Bench, case: &Case) -> Result<Counts, TaskFailure> {
    let mut counts = Counts::default();
    match &case.shape {
        Shape::Direct => {
            let function = case.direct();
            let memory = declared(memory::of_read_to_write(&function, bound(&case.source), bound(&case.target)));
            for index in 0..function.writers.len() {
                let function = &function;
                let copied =
                    task(bench, memory, |cx| async move { read_to_write(&cx, function, TaskIndex(index)).await });
                counts += Box::pin(copied).await?;
            }
        }
        Shape::Scratch { .. } => counts += Box::pin(scratch::run(bench, &case.through_scratch())).await?,
        Shape::Exchange { .. } => {
            let (first, second) = case.exchange();
            let memory = declared(memory::of_read_to_exchange(&first, bound(&case.source)));
            for index in 0..first.exchange.readers.len() {
                let first = &first;
                counts += task(bench, memory, |cx| async move { read_to_exchange(&cx, first, TaskIndex(index)).await })
                    .await?;
            }
            if let Some(packing) = first.exchange.packing() {
                let index = IndexExchange { exchange: first.exchange.clone() };
                let memory = declared(memory::of_index_exchange(&index));
                for number in 0..packing.indexers.len() {
                    let index = &index;
                    counts +=
                        task(bench, memory, |cx| async move { index_exchange(&cx, index, TaskIndex(number)).await })
                            .await?;
                }
            }
            let memory = declared(memory::of_exchange_to_write(&second, bound(&case.target)));
            for index in 0..second.writers.len() {
                let second = &second;
                counts +=
                    task(bench, memory, |cx| async move { exchange_to_write(&cx, second, TaskIndex(index)).await })
                        .await?;
            }
        }
    }
    Ok(counts)
}

async fn copies_as_the_oracle(case: Case, compute: ComputePool) -> Result<(), TestCaseError> {
    let bench = Bench::new(compute);
    oracle::write_source(&bench, &case).await;
    bench.observer.clear();
    let counts = run(&bench, &case).await.map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
    is_as_the_oracle_has_it(&bench, &case, counts).await?;
    verification::reads_the_same_back(&bench, &case, counts.content).await
}

/// Counts are what the store saw, and the target is bit for bit what it must be.
async fn is_as_the_oracle_has_it(bench: &Bench, case: &Case, counts: Counts) -> Result<(), TestCaseError> {
    let observer = &bench.observer;
    // A bitmap and a listing are no chunks.
    let lists = observer.count(RequestKind::List);
    prop_assert_eq!(counts.get_requests + counts.metadata_requests, observer.count(RequestKind::Get) + lists);
    prop_assert!(case.is_listed || counts.metadata_requests == lists, "a bitmap is read");
    if case.is_listed && !case.source.chunks.is_sharded() {
        prop_assert_eq!(counts.missing_source_chunks, 0, "what is absent is never asked for");
    }
    prop_assert_eq!(counts.put_requests, observer.count(RequestKind::Put));
    prop_assert_eq!(counts.wire_bytes_written, observer.bytes_sent());
    prop_assert_eq!(counts.wire_bytes_read, observer.bytes_received());
    prop_assert_eq!(observer.count(RequestKind::Head), 0);
    prop_assert_eq!(counts.repeated_requests, 0);
    prop_assert_eq!(counts.content, oracle::content(case), "each element is summed once");
    oracle::check_target(bench, case, counts).await
}

proptest! {
    #[test]
    fn every_copy_is_bit_for_bit_what_an_element_by_element_copy_would_be(case in case::cases()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(copies_as_the_oracle(case, ComputePool::inline()))?;
    }

    #[test]
    fn and_so_it_is_with_real_threads(case in case::cases()) {
        thread_local! {
            static RUNTIME: (tokio::runtime::Runtime, ComputePool) = (
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime"),
                ComputePool::new(2).expect("threads"),
            );
        }
        RUNTIME.with(|(runtime, compute)| runtime.block_on(copies_as_the_oracle(case, compute.clone())))?;
    }
}
