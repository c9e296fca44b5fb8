//! The plan in figures, and the warnings that go with it.

use std::collections::BTreeMap;

use rechunk_common::{
    ByteCount, Counts,
    layout::{ArrayLayout, ChunkLayout},
    plan::{ArrayPlan, Assumed, Phase, PlanSummary, ShapeOfPlan, Stage, StageFunction, StageSummary},
};

use crate::{
    CopySpec, PlanInput,
    axis::{self, over_axes, product},
    choice::Choice,
    refusal::joined,
};

/// Objects of one array above which listings, deletions and file systems suffer.
const MANY_OBJECTS: u64 = 100_000;

/// Objects smaller than this cost more in requests than in bytes.
const SMALL_OBJECT_BYTES: u64 = 1 << 20;

/// Small objects are nothing to warn of where there are few.
const FEW_OBJECTS: u64 = 1_000;

/// What a proposal of shards aims at.
const PROPOSED_SHARD_BYTES: u64 = 64 << 20;

/// One array's row; no choice: it has no elements.
pub(crate) fn array_plan(spec: &CopySpec, choice: Option<&Choice>, pipelines: usize) -> ArrayPlan {
    let shards = |layout: &ArrayLayout| match &layout.chunks {
        ChunkLayout::Plain { .. } => None,
        ChunkLayout::Sharded { shard_shape, .. } => Some(shard_shape.clone()),
    };
    ArrayPlan {
        name: spec.name.clone(),
        shape: spec.source.shape.clone(),
        dtype: spec.dtype.clone(),
        source_chunks: spec.source.chunks.read_unit().to_vec(),
        source_shards: shards(&spec.source),
        target_chunks: spec.target.chunks.read_unit().to_vec(),
        target_shards: shards(&spec.target),
        shape_of_plan: choice.map_or(ShapeOfPlan::Empty, |choice| choice.shape.kind()),
        reason: choice.map_or_else(|| "it has no elements".to_owned(), |choice| choice.reason.clone()),
        pipelines: u64::try_from(pipelines).unwrap_or(u64::MAX),
        runner_up: choice.and_then(|choice| choice.runner_up.clone()),
    }
}

/// Everything that people are shown.
pub(crate) fn summary(input: &PlanInput, arrays: Vec<ArrayPlan>, phases: &[Phase]) -> PlanSummary {
    let pipelines = || phases.iter().flat_map(|phase| &phase.pipelines.pipelines);
    let all: Vec<&Stage> = pipelines().flat_map(|pipeline| &pipeline.stages).collect();
    let temp = pipelines().map(|pipeline| pipeline.temp_bytes.0);
    let exchange_bytes = temp.clone().fold(0_u64, u64::saturating_add);
    let largest = temp.max().unwrap_or(0);
    let standing = match input.temp.limit {
        // One pipeline always may open, others while they stay within the limit. What is kept stands to the end.
        Some(limit) if !input.temp.keep => exchange_bytes.min(limit.0).max(largest),
        Some(_) | None => exchange_bytes,
    };
    let uses_temp = all.iter().any(|stage| matches!(stage.function, StageFunction::CopyReadToExchange(_)));
    PlanSummary {
        stages: rows(&arrays, &all),
        arrays,
        totals: all.iter().map(|stage| stage.predicted).sum::<Counts>(),
        exchange_bytes: ByteCount(exchange_bytes),
        peak_memory: all.iter().map(|stage| stage.task_memory).max().unwrap_or_default(),
        assumed: Assumed::Dense,
        memory: input.memory,
        temp: uses_temp.then(|| input.temp.url.clone()),
        temp_bytes: ByteCount(standing),
        warnings: warnings(input),
    }
}

/// One row per array and stage name, in the order in which they first run.
fn rows(arrays: &[ArrayPlan], stages: &[&Stage]) -> Vec<StageSummary> {
    let mut rows: Vec<StageSummary> = Vec::new();
    let mut places: BTreeMap<(Option<u32>, &str), usize> = BTreeMap::new();
    for stage in stages {
        let place = *places.entry((stage.array, &stage.name)).or_insert(rows.len());
        if let Some(row) = rows.get_mut(place) {
            row.tasks = row.tasks.saturating_add(stage.task_count);
            row.task_memory = row.task_memory.max(stage.task_memory);
            row.counts += stage.predicted;
        } else {
            let array = stage.array.and_then(|index| arrays.get(usize::try_from(index).ok()?));
            rows.push(StageSummary {
                array: array.map(|array| array.name.clone()).unwrap_or_default(),
                name: stage.name.clone(),
                tasks: stage.task_count,
                task_memory: stage.task_memory,
                counts: stage.predicted,
            });
        }
    }
    rows
}

fn warnings(input: &PlanInput) -> Vec<String> {
    input.copies.iter().filter_map(of_objects).collect()
}

/// Too many or too small objects, and shards that would help.
fn of_objects(spec: &CopySpec) -> Option<String> {
    let unit = spec.target.chunks.write_unit();
    let shape = &spec.target.shape;
    let objects = over_axes(shape.len(), |axis| Some(axis::boxes(*shape.get(axis)?, *unit.get(axis)?)))?;
    let bytes = product(unit.iter().copied())?.checked_mul(spec.target.element.width)?;
    let many = objects > MANY_OBJECTS;
    let small = bytes < SMALL_OBJECT_BYTES && objects > FEW_OBJECTS;
    if !many && !small {
        return None;
    }
    let name = if spec.name.is_empty() { String::new() } else { format!("array {}: ", spec.name) };
    let proposal = proposed_shards(shape, unit, bytes)
        .filter(|_| !spec.target.chunks.is_sharded())
        .map(|shards| format!("; with Zarr v3, shards {} would make fewer", joined(&shards)));
    let size = ByteCount(bytes);
    Some(format!("{name}the target has {objects} objects of {size} before encoding{}", proposal.unwrap_or_default()))
}

/// Shards of whole chunks, doubled where most chunks lie, until they are large; `None` if the array has no more.
fn proposed_shards(shape: &[u64], chunk: &[u64], chunk_bytes: u64) -> Option<Vec<u64>> {
    let mut shard = chunk.to_vec();
    let mut bytes = chunk_bytes;
    while bytes < PROPOSED_SHARD_BYTES {
        let left = |axis: &usize| Some(axis::boxes(*shape.get(*axis)?, *shard.get(*axis)?));
        let Some(axis) = (0..shape.len()).max_by_key(left).filter(|axis| left(axis) > Some(1)) else { break };
        let length = shard.get_mut(axis)?;
        *length = length.checked_mul(2)?;
        bytes = bytes.checked_mul(2)?;
    }
    (shard != chunk).then_some(shard)
}
