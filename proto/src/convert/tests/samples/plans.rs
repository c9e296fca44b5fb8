//! Plans, summaries and requests.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, sample::select};
use rechunk_common::{
    ids::RequestId,
    plan::{
        ArrayPlan, Assumed, MemoryModel, MultiStagePipeline, ParallelPipelines, Phase, PhaseOutline, PipelineOutline,
        PlanOutline, PlanSummary, RetryPolicy, RunnerUp, ShapeOfPlan, Stage, StageEffect, StageOutline, StageSummary,
    },
    request::{ExchangeCodecChoice, PipelinesRequest, RechunkRequest, SourceListing, ZarrFormat},
};

use super::{
    arrays::{lengths, shapes},
    basics::{bytes, counts, names, texts, urls},
    costs::{bases, candidates, estimates, preferences},
    functions::custom_functions,
};
use crate::PlannedRechunk;

pub(crate) fn shapes_of_plan() -> impl Strategy<Value = ShapeOfPlan> {
    select(vec![
        ShapeOfPlan::Empty,
        ShapeOfPlan::CopyEncoded,
        ShapeOfPlan::DirectSweep,
        ShapeOfPlan::GroupLocal,
        ShapeOfPlan::Exchange,
        ShapeOfPlan::SeveralExchanges,
    ])
}

pub(crate) fn array_plans() -> impl Strategy<Value = ArrayPlan> {
    let runner_up = (shapes_of_plan(), texts()).prop_map(|(shape_of_plan, reason)| RunnerUp { shape_of_plan, reason });
    let weighed = (option::of(runner_up), vec(candidates(), 0..3));
    (shapes(), names(), texts(), shapes_of_plan(), texts(), any::<u64>(), weighed).prop_flat_map(
        |(shape, name, dtype, shape_of_plan, reason, pipelines, (runner_up, candidates))| {
            let rank = shape.len();
            let objects = (option::of(any::<u64>()), any::<u64>());
            (lengths(rank), option::of(lengths(rank)), lengths(rank), option::of(lengths(rank)), objects).prop_map(
                move |(source_chunks, source_shards, target_chunks, target_shards, objects)| ArrayPlan {
                    name: name.clone(),
                    shape: shape.clone(),
                    dtype: dtype.clone(),
                    source_chunks,
                    source_shards,
                    target_chunks,
                    target_shards,
                    listed_objects: objects.0,
                    source_objects: objects.1,
                    shape_of_plan,
                    reason: reason.clone(),
                    pipelines,
                    runner_up: runner_up.clone(),
                    candidates: candidates.clone(),
                },
            )
        },
    )
}

pub(crate) fn summaries() -> impl Strategy<Value = PlanSummary> {
    let stage = (names(), names(), any::<u64>(), bytes(), counts())
        .prop_map(|(array, name, tasks, task_memory, counts)| StageSummary { array, name, tasks, task_memory, counts });
    let memory =
        (bytes(), bytes(), bytes()).prop_map(|(max_mem, reserve, budget)| MemoryModel { max_mem, reserve, budget });
    let assumed = select(vec![Assumed::Dense, Assumed::Listed]);
    let sizes = (bytes(), (bytes(), bytes()), bytes());
    let lists = (vec(array_plans(), 0..3), vec(stage, 0..3), vec(texts(), 0..3));
    let costs = (estimates(), bases());
    (lists, counts(), sizes, assumed, memory, option::of(urls()), costs).prop_map(
        |((arrays, stages, warnings), totals, sizes, assumed, memory, temp, (estimate, basis))| {
            let (exchange_bytes, (peak_memory, peak_scratch), temp_bytes) = sizes;
            PlanSummary {
                arrays,
                stages,
                totals,
                exchange_bytes,
                peak_memory,
                peak_scratch,
                assumed,
                estimate,
                basis,
                memory,
                temp,
                temp_bytes,
                warnings,
            }
        },
    )
}

pub(crate) fn outlines() -> impl Strategy<Value = PlanOutline> {
    let stage = (names(), any::<u64>()).prop_map(|(name, task_count)| StageOutline { name, task_count });
    let pipeline = (names(), vec(stage, 0..3), bytes()).prop_map(|(name, stages, temp_bytes)| PipelineOutline {
        name,
        stages,
        temp_bytes,
    });
    let phase = (names(), vec(pipeline, 0..3)).prop_map(|(name, pipelines)| PhaseOutline { name, pipelines });
    vec(phase, 0..3).prop_map(|phases| PlanOutline { phases })
}

pub(crate) fn planned() -> impl Strategy<Value = PlannedRechunk> {
    (summaries(), outlines()).prop_map(|(summary, outline)| PlannedRechunk { summary, outline })
}

pub(crate) fn retries() -> impl Strategy<Value = RetryPolicy> {
    (1_u32.., 0..u64::from(u32::MAX), 0..u64::from(u32::MAX)).prop_map(
        |(max_attempts, first_wait_ms, longest_wait_ms)| RetryPolicy { max_attempts, first_wait_ms, longest_wait_ms },
    )
}

pub(crate) fn stages() -> impl Strategy<Value = Stage> {
    let effect =
        select(vec![StageEffect::Writes, StageEffect::Destroys, StageEffect::Publishes, StageEffect::Verifies]);
    (names(), custom_functions(), 0..1_000_000_000_u64, (bytes(), bytes()), retries(), effect, counts()).prop_map(
        |(name, function, task_count, (task_memory, task_scratch), retry, effect, predicted)| Stage {
            name,
            array: None,
            function,
            task_count,
            task_memory,
            task_scratch,
            retry,
            effect,
            predicted,
        },
    )
}

pub(crate) fn parallel_pipelines() -> impl Strategy<Value = ParallelPipelines> {
    let pipeline = (names(), vec(stages(), 0..3), bytes()).prop_map(|(name, stages, temp_bytes)| MultiStagePipeline {
        name,
        stages,
        temp_bytes,
    });
    vec(pipeline, 0..3).prop_map(|pipelines| ParallelPipelines { pipelines })
}

pub(crate) fn request_ids() -> impl Strategy<Value = Option<RequestId>> {
    option::of(names().prop_map(RequestId))
}

pub(crate) fn pipelines_requests() -> impl Strategy<Value = PipelinesRequest> {
    let phase = (names(), parallel_pipelines()).prop_map(|(name, pipelines)| Phase { name, pipelines });
    let labels = vec((names(), texts()), 0..3).prop_map(BTreeMap::from_iter);
    let shares = (option::of(bytes()), option::of(1_u32..), option::of(1_u64..));
    (texts(), labels, vec(phase, 1..3), parallel_pipelines(), shares, request_ids()).prop_map(
        |(name, labels, phases, cleanup, (temp_limit, weight, max_parallel_tasks), request_id)| PipelinesRequest {
            name,
            labels,
            phases,
            cleanup,
            temp_limit,
            weight,
            max_parallel_tasks,
            request_id,
        },
    )
}

pub(crate) fn rechunk_requests() -> impl Strategy<Value = RechunkRequest> {
    let specs = (vec(texts(), 0..3), vec(texts(), 0..3), vec(texts(), 0..3));
    let patterns = (vec(texts(), 0..3), vec(texts(), 0..3), vec(texts(), 0..3));
    let listings = select(vec![SourceListing::WhereFew, SourceListing::Always, SourceListing::Never]);
    let format = (option::of(select(vec![ZarrFormat::V2, ZarrFormat::V3])), listings);
    let sizes = (option::of(bytes()), option::of(bytes()));
    let places = (urls(), urls(), option::of(urls()), option::of(texts()));
    let codec = select(vec![
        ExchangeCodecChoice::Auto,
        ExchangeCodecChoice::None,
        ExchangeCodecChoice::Lz4,
        ExchangeCodecChoice::Zstd,
    ]);
    let rest = (any::<[bool; 5]>(), any::<Option<bool>>(), codec, preferences());
    (places, (specs, patterns), format, rest, sizes, request_ids()).prop_map(
        |(
            (source, target, temp, append),
            ((chunks, shards, codecs), (include, exclude, region)),
            format,
            rest,
            sizes,
            request_id,
        )| {
            let (zarr_format, listing) = format;
            let (flags, consolidate, exchange_codec, prefer) = rest;
            RechunkRequest {
                source,
                target,
                chunks,
                shards,
                codecs,
                include,
                exclude,
                zarr_format,
                overwrite: flags[0],
                consolidate,
                max_mem: sizes.0,
                temp,
                keep_temp: flags[1],
                temp_limit: sizes.1,
                exchange_codec,
                write_empty_chunks: flags[2],
                strict: flags[3],
                verify: flags[4],
                prefer,
                listing,
                region,
                append,
                request_id,
            }
        },
    )
}
