//! A plan as bytes: all that a task needs but credentials. Pipelines are numbered through all phases, those of the
//! clean-up last.

use std::sync::{Arc, Mutex, PoisonError};

use rechunk_cli::failure::Failure;
use rechunk_common::{
    ByteCount, Refusal,
    ids::{JobId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex},
    plan::{MultiStagePipeline, ParallelPipelines, Plan, Stage},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::machine::StoreOptions;

/// Plans that a process keeps as it read them: engines hand over the same bytes with every task.
const KEPT: usize = 4;

static OPENED: Mutex<Vec<(Vec<u8>, Arc<EnginePlan>)>> = Mutex::new(Vec::new());

/// A plan with what its tasks may use, wherever they run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EnginePlan {
    pub(crate) job: JobId,
    pub(crate) stores: StoreOptions,
    /// What the tasks of one process may hold together.
    pub(crate) budget: ByteCount,
    /// Threads of one process.
    pub(crate) threads: usize,
    pub(crate) plan: Plan,
}

/// A stage, and where it stands.
#[derive(Debug)]
pub(crate) struct PlannedStage<'p> {
    pub(crate) address: StageAddress,
    pub(crate) stage: &'p Stage,
    /// It removes what the others wrote.
    pub(crate) is_of_cleanup: bool,
}

impl EnginePlan {
    /// The plan as bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|error| Failure::internal(error.to_string()))
    }

    /// Phases with their pipelines, and the clean-up, by name and size.
    pub(crate) fn outline(&self) -> String {
        let mut next = 0;
        let phases: Vec<Value> = self
            .plan
            .phases
            .iter()
            .map(|phase| json!({"name": phase.name, "pipelines": outlines(&phase.pipelines, &mut next)}))
            .collect();
        json!({"phases": phases, "cleanup": outlines(&self.plan.cleanup, &mut next)}).to_string()
    }

    fn pipelines(&self) -> impl Iterator<Item = (usize, &MultiStagePipeline)> {
        let phases = self.plan.phases.iter().map(|phase| &phase.pipelines).chain([&self.plan.cleanup]);
        phases.enumerate().flat_map(|(phase, pipelines)| pipelines.pipelines.iter().map(move |one| (phase, one)))
    }

    /// A stage by the numbers of the outline.
    pub(crate) fn stage(&self, pipeline: u32, stage: u32) -> Result<PlannedStage<'_>, Failure> {
        let found = self.pipelines().nth(pipeline as usize);
        let found = found.and_then(|(phase, found)| Some((phase, found.stages.get(stage as usize)?)));
        let (phase, found) = found.ok_or_else(|| {
            let message = format!("the plan has no stage {stage} of a pipeline {pipeline}");
            Failure::from(Refusal::invalid("stage", "UNKNOWN_STAGE", message))
        })?;
        let address = StageAddress {
            job: self.job.clone(),
            run: RunNumber(1),
            phase: PhaseIndex(u32::try_from(phase).unwrap_or(u32::MAX)),
            pipeline: PipelineIndex(pipeline),
            stage: StageIndex(stage),
        };
        Ok(PlannedStage { address, stage: found, is_of_cleanup: phase == self.plan.phases.len() })
    }
}

/// The plan in `bytes`, read once by a process.
pub(crate) fn open(bytes: &[u8]) -> Result<Arc<EnginePlan>, Failure> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, known)) = opened.iter().find(|(known, _)| known == bytes) {
        return Ok(Arc::clone(known));
    }
    let plan: EnginePlan = serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("these bytes are not a plan of this version of rechunk: {error}");
        Failure::from(Refusal::invalid("plan", "BAD_PLAN", message))
    })?;
    let read = Arc::new(plan);
    opened.truncate(KEPT - 1);
    opened.insert(0, (bytes.to_vec(), Arc::clone(&read)));
    Ok(read)
}

fn outlines(pipelines: &ParallelPipelines, next: &mut u32) -> Vec<Value> {
    let one = |pipeline: &MultiStagePipeline| {
        let number = *next;
        *next = next.saturating_add(1);
        let stages: Vec<Value> =
            pipeline.stages.iter().map(|stage| json!({"name": stage.name, "tasks": stage.task_count})).collect();
        json!({"number": number, "name": pipeline.name, "stages": stages})
    };
    pipelines.pipelines.iter().map(one).collect()
}
