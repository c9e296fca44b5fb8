//! The plan in figures, and the warnings that go with it.

use std::collections::BTreeMap;

use rechunk_common::{
    ByteCount, Counts,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout},
    plan::{ArrayPlan, Assumed, Estimate, Phase, PlanSummary, ShapeOfPlan, Stage, StageFunction, StageSummary},
};

use crate::{
    CopySpec, PlanInput,
    advice::{self, ShardAxis},
    axis::{self, over_axes, product},
    choice::Choice,
    cost::Fleet,
    refusal::joined,
};

/// Objects smaller than this cost more in requests than in bytes.
const SMALL_OBJECT_BYTES: u64 = 1 << 20;

/// Small objects are nothing to warn of where there are few.
const FEW_OBJECTS: u64 = 100;

/// One array's row; no choice: it has no elements.
pub(crate) fn array_plan(spec: &CopySpec, choice: Option<&Choice>) -> ArrayPlan {
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
        listed_objects: spec.listed.as_ref().map(|listed| listed.presence.count()),
        source_objects: spec.source.write_grid().len(),
        shape_of_plan: choice.map_or(ShapeOfPlan::Empty, |choice| choice.kind),
        reason: choice.map_or_else(|| "it has no elements".to_owned(), |choice| choice.reason.clone()),
        pipelines: choice.map_or(0, |choice| u64::try_from(choice.pipelines.len()).unwrap_or(u64::MAX)),
        runner_up: choice.and_then(|choice| choice.runner_up.clone()),
        candidates: choice.map(|choice| choice.candidates.clone()).unwrap_or_default(),
    }
}

/// Everything that people are shown, but for estimates.
pub(crate) fn summary(input: &PlanInput, fleet: &Fleet, arrays: Vec<ArrayPlan>, phases: &[Phase]) -> PlanSummary {
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
    let bitmaps = input.copies.iter().filter_map(|spec| spec.listed.as_ref()?.source.presence.as_ref());
    let bitmap_bytes = bitmaps.fold(0_u64, |bytes, bitmap| bytes.saturating_add(bitmap.size.0));
    let uses_temp =
        bitmap_bytes > 0 || all.iter().any(|stage| matches!(stage.function, StageFunction::CopyReadToExchange(_)));
    // An array without elements has nothing that could be assumed.
    let is_listed = |array: &ArrayPlan| array.listed_objects.is_some() || array.source_objects == 0;
    let assumed = if arrays.iter().all(is_listed) { Assumed::Listed } else { Assumed::Dense };
    PlanSummary {
        stages: rows(&arrays, &all),
        arrays,
        totals: all.iter().map(|stage| stage.predicted).sum::<Counts>(),
        exchange_bytes: ByteCount(exchange_bytes),
        peak_scratch: all.iter().map(|stage| stage.task_scratch).max().unwrap_or_default(),
        peak_memory: all.iter().map(|stage| stage.task_memory).max().unwrap_or_default(),
        assumed,
        estimate: Estimate::default(),
        basis: fleet.basis,
        memory: input.memory,
        temp: uses_temp.then(|| input.temp.url.clone()),
        temp_bytes: ByteCount(standing.saturating_add(bitmap_bytes)),
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
    // The one array of an array job has no name.
    let is_group = input.copies.iter().any(|spec| !spec.name.is_empty());
    input.copies.iter().filter_map(|spec| of_objects(spec, is_group)).collect()
}

/// Too many or too small objects, and what would make fewer.
fn of_objects(spec: &CopySpec, is_group: bool) -> Option<String> {
    let unit = spec.target.chunks.write_unit();
    let objects = objects_of(spec, unit)?;
    let bytes = product(unit.iter().copied())?.checked_mul(spec.target.element.held_bytes())?;
    let many = objects > advice::MANY_OBJECTS;
    let small = bytes < SMALL_OBJECT_BYTES && objects > FEW_OBJECTS;
    if !many && !small {
        return None;
    }
    let name = if spec.name.is_empty() { String::new() } else { format!("array {}: ", spec.name) };
    let proposal = proposal(spec, objects, is_group).map(|proposal| format!("; {proposal}"));
    let size = ByteCount(bytes);
    Some(format!("{name}the target has {objects} objects of {size} before encoding{}", proposal.unwrap_or_default()))
}

/// What to type for fewer than `objects` objects; `None` where nothing helps.
fn proposal(spec: &CopySpec, objects: u64, is_group: bool) -> Option<String> {
    let name = if is_group { format!("{}:", spec.name) } else { String::new() };
    let target = &spec.target;
    // Zarr v2 has no shards, and spells its keys this way.
    if matches!(target.keys, ChunkKeys::V2 { .. }) {
        return Some(format!("--chunks {} makes fewer", quoted(&format!("{name}auto"))));
    }
    let axes = target.shape.iter().zip(target.chunks.read_unit());
    let axes: Vec<ShardAxis> = axes.map(|(&length, &chunk)| ShardAxis { length, chunk, asked: None }).collect();
    let shard = advice::shards(&axes, target.element.held_bytes());
    let fewer = objects_of(spec, &shard).filter(|fewer| *fewer < objects)?;
    let noun = if fewer == 1 { "object" } else { "objects" };
    Some(format!("--shards {} makes it {fewer} {noun}", quoted(&format!("{name}{}", joined(&shard)))))
}

/// Objects of the target with write units of `unit`.
fn objects_of(spec: &CopySpec, unit: &[u64]) -> Option<u64> {
    let shape = &spec.target.shape;
    over_axes(shape.len(), |axis| Some(axis::boxes(*shape.get(axis)?, *unit.get(axis)?)))
}

/// As a shell takes it for one word.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
