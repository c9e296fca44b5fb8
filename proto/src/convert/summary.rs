//! The plan in figures.

use rechunk_common::{
    ByteCount,
    limits::{MAX_ARRAYS, MAX_CANDIDATES},
    plan::{ArrayPlan, Assumed, Candidate, MemoryModel, PlanSummary, RunnerUp, ShapeOfPlan, StageSummary},
};

use super::{
    counts::or_zero,
    field::{choice, each, length_within, lengths, name, optional, required, same_variants, shape, text, url},
};
use crate::{fault::Fault, invalid::InvalidPlan, v1};

same_variants! {
    v1::ShapeOfPlan = ShapeOfPlan { Empty, CopyEncoded, DirectSweep, GroupLocal, Exchange, SeveralExchanges }
    v1::Assumed = Assumed { Dense, Listed }
}

impl From<PlanSummary> for v1::PlanSummary {
    fn from(summary: PlanSummary) -> Self {
        let PlanSummary {
            arrays,
            stages,
            totals,
            exchange_bytes,
            peak_memory,
            peak_scratch,
            assumed,
            estimate,
            basis,
            memory: MemoryModel { max_mem, reserve, budget },
            temp,
            temp_bytes,
            warnings,
        } = summary;
        Self {
            arrays: arrays.into_iter().map(Into::into).collect(),
            stages: stages.into_iter().map(Into::into).collect(),
            totals: Some(totals.into()),
            exchange_bytes: exchange_bytes.0,
            peak_memory_bytes: peak_memory.0,
            assumed: v1::Assumed::from(assumed).into(),
            estimate: Some(estimate.into()),
            basis: Some(basis.into()),
            memory: Some(v1::MemoryModel {
                max_mem_bytes: max_mem.0,
                reserve_bytes: reserve.0,
                budget_bytes: budget.0,
            }),
            temp,
            temp_bytes: temp_bytes.0,
            warnings,
            peak_scratch_bytes: peak_scratch.0,
        }
    }
}

impl TryFrom<v1::PlanSummary> for PlanSummary {
    type Error = InvalidPlan;

    fn try_from(summary: v1::PlanSummary) -> Result<Self, InvalidPlan> {
        length_within(summary.arrays.len(), MAX_ARRAYS, "MAX_ARRAYS", "arrays")?;
        Ok(Self {
            arrays: each(summary.arrays, "arrays")?,
            stages: each(summary.stages, "stages")?,
            totals: or_zero(summary.totals),
            exchange_bytes: ByteCount(summary.exchange_bytes),
            peak_memory: ByteCount(summary.peak_memory_bytes),
            peak_scratch: ByteCount(summary.peak_scratch_bytes),
            assumed: choice::<v1::Assumed, _>(summary.assumed, "assumed")?,
            estimate: required(summary.estimate, "estimate")?,
            basis: required(summary.basis, "basis")?,
            memory: required(summary.memory, "memory")?,
            temp: summary.temp.map(|temp| url(temp, "temp")).transpose()?,
            temp_bytes: ByteCount(summary.temp_bytes),
            warnings: summary.warnings,
        })
    }
}

impl From<v1::MemoryModel> for MemoryModel {
    fn from(memory: v1::MemoryModel) -> Self {
        Self {
            max_mem: ByteCount(memory.max_mem_bytes),
            reserve: ByteCount(memory.reserve_bytes),
            budget: ByteCount(memory.budget_bytes),
        }
    }
}

impl From<ArrayPlan> for v1::ArrayPlan {
    fn from(array: ArrayPlan) -> Self {
        let ArrayPlan {
            name,
            shape,
            dtype,
            source_chunks,
            source_shards,
            target_chunks,
            target_shards,
            listed_objects,
            source_objects,
            shape_of_plan,
            reason,
            pipelines,
            runner_up,
            candidates,
        } = array;
        let shards = |lengths| v1::ShardShape { lengths };
        Self {
            name,
            shape,
            dtype,
            source_chunks,
            source_shards: source_shards.map(shards),
            target_chunks,
            target_shards: target_shards.map(shards),
            listed_objects,
            source_objects,
            shape_of_plan: v1::ShapeOfPlan::from(shape_of_plan).into(),
            reason,
            pipelines,
            runner_up: runner_up.map(|RunnerUp { shape_of_plan, reason }| v1::RunnerUp {
                shape_of_plan: v1::ShapeOfPlan::from(shape_of_plan).into(),
                reason,
            }),
            candidates: candidates.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::ArrayPlan> for ArrayPlan {
    type Error = Fault;

    fn try_from(array: v1::ArrayPlan) -> Result<Self, Fault> {
        let shape = shape(array.shape, "shape")?;
        let rank = shape.len();
        let shards = |shards: Option<v1::ShardShape>, field| {
            shards.map(|shards| lengths(shards.lengths, rank, field)).transpose()
        };
        Ok(Self {
            name: text(array.name, "name")?,
            dtype: array.dtype,
            source_chunks: lengths(array.source_chunks, rank, "source_chunks")?,
            source_shards: shards(array.source_shards, "source_shards")?,
            target_chunks: lengths(array.target_chunks, rank, "target_chunks")?,
            target_shards: shards(array.target_shards, "target_shards")?,
            listed_objects: array.listed_objects,
            source_objects: array.source_objects,
            shape_of_plan: choice::<v1::ShapeOfPlan, _>(array.shape_of_plan, "shape_of_plan")?,
            reason: array.reason,
            pipelines: array.pipelines,
            runner_up: optional(array.runner_up, "runner_up")?,
            candidates: candidates(array.candidates)?,
            shape,
        })
    }
}

/// A few for each shape.
fn candidates(candidates: Vec<v1::Candidate>) -> Result<Vec<Candidate>, Fault> {
    length_within(candidates.len(), MAX_CANDIDATES, "MAX_CANDIDATES", "candidates")?;
    each(candidates, "candidates")
}

impl TryFrom<v1::RunnerUp> for RunnerUp {
    type Error = Fault;

    fn try_from(runner_up: v1::RunnerUp) -> Result<Self, Fault> {
        let shape_of_plan = choice::<v1::ShapeOfPlan, _>(runner_up.shape_of_plan, "shape_of_plan")?;
        Ok(Self { shape_of_plan, reason: runner_up.reason })
    }
}

impl From<StageSummary> for v1::StageSummary {
    fn from(stage: StageSummary) -> Self {
        let StageSummary { array, name, tasks, task_memory, counts } = stage;
        Self { array, name, tasks, task_memory_bytes: task_memory.0, counts: Some(counts.into()) }
    }
}

impl TryFrom<v1::StageSummary> for StageSummary {
    type Error = Fault;

    fn try_from(stage: v1::StageSummary) -> Result<Self, Fault> {
        Ok(Self {
            array: text(stage.array, "array")?,
            name: name(stage.name, "name")?,
            tasks: stage.tasks,
            task_memory: ByteCount(stage.task_memory_bytes),
            counts: or_zero(stage.counts),
        })
    }
}
