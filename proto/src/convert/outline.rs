//! The pipelines of a plan by name and size, and the answer to PlanRechunk.

use rechunk_common::{
    ByteCount,
    limits::{MAX_PIPELINES, MAX_STAGES_PER_PIPELINE},
    plan::{PhaseOutline, PipelineOutline, PlanOutline, PlanSummary, StageOutline},
};

use super::field::{each, length_within, name, required, text};
use crate::{fault::Fault, invalid::InvalidPlan, v1};

/// A rechunk as it would be done: what PlanRechunk answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRechunk {
    /// In figures.
    pub summary: PlanSummary,
    /// Its pipelines by name and size.
    pub outline: PlanOutline,
}

impl From<PlannedRechunk> for v1::PlanRechunkResponse {
    fn from(planned: PlannedRechunk) -> Self {
        let PlannedRechunk { summary, outline } = planned;
        Self { summary: Some(summary.into()), outline: Some(outline.into()) }
    }
}

impl TryFrom<v1::PlanRechunkResponse> for PlannedRechunk {
    type Error = InvalidPlan;

    fn try_from(planned: v1::PlanRechunkResponse) -> Result<Self, InvalidPlan> {
        Ok(Self { summary: required(planned.summary, "summary")?, outline: required(planned.outline, "outline")? })
    }
}

impl From<PlanOutline> for v1::PlanOutline {
    fn from(outline: PlanOutline) -> Self {
        let PlanOutline { phases } = outline;
        let phase = |PhaseOutline { name, pipelines }| v1::PhaseOutline {
            name,
            pipelines: pipelines.into_iter().map(of_pipeline).collect(),
        };
        Self { phases: phases.into_iter().map(phase).collect() }
    }
}

fn of_pipeline(pipeline: PipelineOutline) -> v1::PipelineOutline {
    let PipelineOutline { name, stages, temp_bytes } = pipeline;
    let stage = |StageOutline { name, task_count }| v1::StageOutline { name, task_count };
    v1::PipelineOutline { name, stages: stages.into_iter().map(stage).collect(), temp_bytes: temp_bytes.0 }
}

impl TryFrom<v1::PlanOutline> for PlanOutline {
    type Error = InvalidPlan;

    fn try_from(outline: v1::PlanOutline) -> Result<Self, InvalidPlan> {
        let pipelines = outline.phases.iter().map(|phase| phase.pipelines.len()).fold(0, usize::saturating_add);
        length_within(pipelines, MAX_PIPELINES, "MAX_PIPELINES", "phases")?;
        Ok(Self { phases: each(outline.phases, "phases")? })
    }
}

impl TryFrom<v1::PhaseOutline> for PhaseOutline {
    type Error = Fault;

    fn try_from(phase: v1::PhaseOutline) -> Result<Self, Fault> {
        Ok(Self { name: name(phase.name, "name")?, pipelines: each(phase.pipelines, "pipelines")? })
    }
}

impl TryFrom<v1::PipelineOutline> for PipelineOutline {
    type Error = Fault;

    fn try_from(pipeline: v1::PipelineOutline) -> Result<Self, Fault> {
        length_within(pipeline.stages.len(), MAX_STAGES_PER_PIPELINE, "MAX_STAGES_PER_PIPELINE", "stages")?;
        Ok(Self {
            // Empty for the one pipeline of an array job: it is named by its array.
            name: text(pipeline.name, "name")?,
            stages: each(pipeline.stages, "stages")?,
            temp_bytes: ByteCount(pipeline.temp_bytes),
        })
    }
}

impl TryFrom<v1::StageOutline> for StageOutline {
    type Error = Fault;

    fn try_from(stage: v1::StageOutline) -> Result<Self, Fault> {
        Ok(Self { name: name(stage.name, "name")?, task_count: stage.task_count })
    }
}
