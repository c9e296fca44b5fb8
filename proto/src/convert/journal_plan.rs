//! Plans as they are persisted: the wire's stages, of any function, with what the wire leaves out.

use rechunk_common::{
    ByteCount,
    limits::{MAX_PIPELINES, MAX_STAGES_PER_PIPELINE},
    plan::{MultiStagePipeline, ParallelPipelines, Phase, Plan, Stage},
};

use super::{
    field::{each, length_within, optional, text},
    pipelines::any_stage,
};
use crate::{
    fault::{Fault, Problem},
    generated::journal::v1,
};

impl From<Plan> for v1::Plan {
    fn from(plan: Plan) -> Self {
        let Plan { phases, cleanup: ParallelPipelines { pipelines: cleanup }, summary } = plan;
        Self {
            phases: phases.into_iter().map(Into::into).collect(),
            cleanup: cleanup.into_iter().map(Into::into).collect(),
            summary: summary.map(Into::into),
        }
    }
}

impl TryFrom<v1::Plan> for Plan {
    type Error = Fault;

    fn try_from(plan: v1::Plan) -> Result<Self, Fault> {
        let counts = plan.phases.iter().map(|phase| phase.pipelines.len());
        let pipelines = counts.fold(0, usize::saturating_add);
        length_within(pipelines, MAX_PIPELINES, "MAX_PIPELINES", "phases")?;
        Ok(Self {
            phases: each(plan.phases, "phases")?,
            cleanup: ParallelPipelines { pipelines: each(plan.cleanup, "cleanup")? },
            summary: optional(plan.summary, "summary")?,
        })
    }
}

impl From<Phase> for v1::PlanPhase {
    fn from(phase: Phase) -> Self {
        let Phase { name, pipelines: ParallelPipelines { pipelines } } = phase;
        Self { name, pipelines: pipelines.into_iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::PlanPhase> for Phase {
    type Error = Fault;

    fn try_from(phase: v1::PlanPhase) -> Result<Self, Fault> {
        let pipelines = ParallelPipelines { pipelines: each(phase.pipelines, "pipelines")? };
        Ok(Self { name: text(phase.name, "name")?, pipelines })
    }
}

impl From<MultiStagePipeline> for v1::PlanPipeline {
    fn from(pipeline: MultiStagePipeline) -> Self {
        let MultiStagePipeline { name, stages, temp_bytes } = pipeline;
        Self { name, stages: stages.into_iter().map(Into::into).collect(), temp_bytes: temp_bytes.0 }
    }
}

impl TryFrom<v1::PlanPipeline> for MultiStagePipeline {
    type Error = Fault;

    fn try_from(pipeline: v1::PlanPipeline) -> Result<Self, Fault> {
        length_within(pipeline.stages.len(), MAX_STAGES_PER_PIPELINE, "MAX_STAGES_PER_PIPELINE", "stages")?;
        Ok(Self {
            name: text(pipeline.name, "name")?,
            stages: each(pipeline.stages, "stages")?,
            temp_bytes: ByteCount(pipeline.temp_bytes),
        })
    }
}

impl From<Stage> for v1::PlanStage {
    fn from(stage: Stage) -> Self {
        let array = stage.array;
        Self { stage: Some(stage.into()), array }
    }
}

impl TryFrom<v1::PlanStage> for Stage {
    type Error = Fault;

    fn try_from(stage: v1::PlanStage) -> Result<Self, Fault> {
        let array = stage.array;
        let stage = stage.stage.ok_or_else(|| Fault::at("stage", Problem::Missing))?;
        Ok(Self { array, ..any_stage(stage).map_err(|fault| fault.under("stage"))? })
    }
}
