//! The pipelines of a plan by name and size: what a caller is shown of them. Functions stay behind.

use serde::{Deserialize, Serialize};

use super::{ParallelPipelines, Plan};
use crate::ByteCount;

/// The phases of a plan, in the order they run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanOutline {
    /// The phases.
    pub phases: Vec<PhaseOutline>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseOutline {
    /// Its name.
    pub name: String,
    /// Its pipelines, which may run side by side.
    pub pipelines: Vec<PipelineOutline>,
}

/// One pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineOutline {
    /// Its name.
    pub name: String,
    /// Its stages, in order.
    pub stages: Vec<StageOutline>,
    /// Temporary bytes that stand while it is open.
    pub temp_bytes: ByteCount,
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageOutline {
    /// Its name.
    pub name: String,
    /// Number of tasks.
    pub task_count: u64,
}

impl Plan {
    /// The plan by name and size.
    pub fn outline(&self) -> PlanOutline {
        let phases = self.phases.iter();
        PlanOutline {
            phases: phases
                .map(|phase| PhaseOutline { name: phase.name.clone(), pipelines: outlines(&phase.pipelines) })
                .collect(),
        }
    }
}

fn outlines(pipelines: &ParallelPipelines) -> Vec<PipelineOutline> {
    let one = |pipeline: &super::MultiStagePipeline| PipelineOutline {
        name: pipeline.name.clone(),
        stages: pipeline
            .stages
            .iter()
            .map(|stage| StageOutline { name: stage.name.clone(), task_count: stage.task_count })
            .collect(),
        temp_bytes: pipeline.temp_bytes,
    };
    pipelines.pipelines.iter().map(one).collect()
}
