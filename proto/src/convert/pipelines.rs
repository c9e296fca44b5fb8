//! Pipelines that a caller planned. Behind this door their numbers are within the limits and their functions custom.

use std::collections::BTreeMap;

use rechunk_common::{
    ByteCount,
    limits::{MAX_LABELS, MAX_PIPELINES, MAX_STAGES_PER_PIPELINE, MAX_TASKS_PER_STAGE},
    plan::{MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect, StageFunction},
    request::PipelinesRequest,
};

use super::{
    counts::or_zero,
    field::{choice, each, length_within, name, optional, positive, required, same_variants, text, within},
    request::{of_request_id, request_id},
    time::{millis, of_millis},
};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidPipelines, InvalidStage},
    v1,
};

same_variants! {
    v1::StageEffect = StageEffect { Writes, Destroys, Publishes, Verifies }
}

impl From<PipelinesRequest> for v1::SubmitPipelinesRequest {
    fn from(request: PipelinesRequest) -> Self {
        let PipelinesRequest { name, labels, phases, cleanup, temp_limit, weight, max_parallel_tasks, request_id } =
            request;
        let ParallelPipelines { pipelines: cleanup } = cleanup;
        Self {
            request_id: of_request_id(request_id),
            name,
            labels: labels.into_iter().collect(),
            phases: phases.into_iter().map(Into::into).collect(),
            cleanup: cleanup.into_iter().map(Into::into).collect(),
            max_parallel_tasks,
            temp_limit_bytes: temp_limit.map(|limit| limit.0),
            weight,
        }
    }
}

impl TryFrom<v1::SubmitPipelinesRequest> for PipelinesRequest {
    type Error = InvalidPipelines;

    fn try_from(request: v1::SubmitPipelinesRequest) -> Result<Self, InvalidPipelines> {
        if request.phases.is_empty() {
            return Err(Fault::at("phases", Problem::Empty).into());
        }
        let counts = request.phases.iter().map(|phase| phase.pipelines.len());
        let pipelines = counts.fold(request.cleanup.len(), usize::saturating_add);
        length_within(pipelines, MAX_PIPELINES, "MAX_PIPELINES", "phases")?;
        length_within(request.labels.len(), MAX_LABELS, "MAX_LABELS", "labels")?;
        // Sorted first, so that the same request is always refused with the same words.
        let labels: BTreeMap<String, String> = request.labels.into_iter().collect();
        let labels = labels.into_iter().map(|(key, value)| Ok((name(key, "labels")?, text(value, "labels")?)));
        Ok(Self {
            name: text(request.name, "name")?,
            labels: labels.collect::<Result<_, Fault>>()?,
            phases: each(request.phases, "phases")?,
            cleanup: ParallelPipelines { pipelines: each(request.cleanup, "cleanup")? },
            temp_limit: request.temp_limit_bytes.map(ByteCount),
            weight: request.weight.map(|weight| positive(weight, "weight")).transpose()?,
            max_parallel_tasks: request
                .max_parallel_tasks
                .map(|tasks| positive(tasks, "max_parallel_tasks"))
                .transpose()?,
            request_id: request_id(request.request_id)?,
        })
    }
}

impl From<Phase> for v1::Phase {
    fn from(phase: Phase) -> Self {
        let Phase { name, pipelines: ParallelPipelines { pipelines } } = phase;
        Self { name, pipelines: pipelines.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::Phase> for Phase {
    type Error = InvalidStage;

    fn try_from(phase: v1::Phase) -> Result<Self, InvalidStage> {
        let pipelines = ParallelPipelines { pipelines: each(phase.pipelines, "pipelines")? };
        Ok(Self { name: name(phase.name, "name")?, pipelines })
    }
}

impl From<MultiStagePipeline> for v1::Pipeline {
    fn from(pipeline: MultiStagePipeline) -> Self {
        let MultiStagePipeline { name, stages, temp_bytes } = pipeline;
        Self { name, stages: stages.into_iter().map(Into::into).collect(), temp_bytes: temp_bytes.0 }
    }
}

impl TryFrom<v1::Pipeline> for MultiStagePipeline {
    type Error = InvalidStage;

    fn try_from(pipeline: v1::Pipeline) -> Result<Self, InvalidStage> {
        length_within(pipeline.stages.len(), MAX_STAGES_PER_PIPELINE, "MAX_STAGES_PER_PIPELINE", "stages")?;
        Ok(Self {
            name: name(pipeline.name, "name")?,
            stages: each(pipeline.stages, "stages")?,
            temp_bytes: ByteCount(pipeline.temp_bytes),
        })
    }
}

impl From<Stage> for v1::Stage {
    fn from(stage: Stage) -> Self {
        let Stage {
            name,
            // A caller's pipelines have no arrays.
            array: _,
            function,
            task_count,
            task_memory,
            task_scratch,
            retry: RetryPolicy { max_attempts, first_wait_ms, longest_wait_ms },
            effect,
            predicted,
        } = stage;
        Self {
            name,
            function: Some(function.into()),
            task_count,
            task_memory_bytes: task_memory.0,
            task_scratch_bytes: task_scratch.0,
            retry: Some(v1::RetryPolicy {
                max_attempts,
                first_wait: Some(of_millis(first_wait_ms)),
                longest_wait: Some(of_millis(longest_wait_ms)),
            }),
            effect: v1::StageEffect::from(effect).into(),
            predicted: Some(predicted.into()),
        }
    }
}

impl TryFrom<v1::Stage> for Stage {
    type Error = InvalidStage;

    fn try_from(stage: v1::Stage) -> Result<Self, InvalidStage> {
        let stage = any_stage(stage)?;
        if !matches!(stage.function, StageFunction::Custom(_)) {
            return Err(Fault::at("function", Problem::NotCustom).into());
        }
        Ok(stage)
    }
}

/// A stage of any function: of a caller, or of a plan of ours.
pub(super) fn any_stage(stage: v1::Stage) -> Result<Stage, Fault> {
    within(stage.task_count, MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", "task_count")?;
    Ok(Stage {
        name: name(stage.name, "name")?,
        array: None,
        function: required(stage.function, "function")?,
        task_count: stage.task_count,
        task_memory: ByteCount(stage.task_memory_bytes),
        task_scratch: ByteCount(stage.task_scratch_bytes),
        retry: optional(stage.retry, "retry")?.unwrap_or_default(),
        effect: choice::<v1::StageEffect, _>(stage.effect, "effect")?,
        predicted: or_zero(stage.predicted),
    })
}

impl TryFrom<v1::RetryPolicy> for RetryPolicy {
    type Error = Fault;

    fn try_from(retry: v1::RetryPolicy) -> Result<Self, Fault> {
        Ok(Self {
            max_attempts: positive(retry.max_attempts, "max_attempts")?,
            first_wait_ms: millis(retry.first_wait, "first_wait")?,
            longest_wait_ms: millis(retry.longest_wait, "longest_wait")?,
        })
    }
}
