//! ParallelPipelines, as in rechunker's PR #77 "Refactor executors": pipelines side by side, each a list of stages,
//! each stage one function mapped over many tasks. An executor of these knows nothing of rechunking.

use serde::{Deserialize, Serialize};

use super::{PlanSummary, StageFunction};
use crate::{ByteCount, Counts};

/// What is to be done, and its exact predicted cost. Phases run one after another: one opens when every pipeline of
/// the phase before is durably complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The phases, in the order they run.
    pub phases: Vec<Phase>,
    /// Run when a job is cancelled or deleted: removes all that the phases may have written.
    pub cleanup: ParallelPipelines,
    /// What people are shown; `None` for pipelines that a caller planned.
    pub summary: Option<PlanSummary>,
}

/// ParallelPipelines with a name: prepare, copy, finish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Shown to people.
    pub name: String,
    /// What the phase runs.
    pub pipelines: ParallelPipelines,
}

/// Pipelines that may run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParallelPipelines {
    /// The pipelines, in the order in which they are opened.
    pub pipelines: Vec<MultiStagePipeline>,
}

/// Stages that run one after another, a barrier between neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiStagePipeline {
    /// Shown to people: the array, and the group in it.
    pub name: String,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Temporary bytes that stand while the pipeline is open.
    pub temp_bytes: ByteCount,
}

/// One function mapped over `task_count` inputs. Inputs are never listed: the function turns an index into its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `copy_read_to_exchange`; one row of the report per array and stage name.
    pub name: String,
    /// The array that the stage belongs to, as an index into the summary's arrays.
    pub array: Option<u32>,
    /// What is mapped.
    pub function: StageFunction,
    /// Number of inputs; 0 is a stage that is complete when it opens.
    pub task_count: u64,
    /// What one task holds at its peak; the worker admits by it.
    pub task_memory: ByteCount,
    /// Local disk that one task needs.
    pub task_scratch: ByteCount,
    /// How often a task is tried.
    pub retry: RetryPolicy,
    /// Whether the stage needs every earlier lease to have ended before it opens.
    pub effect: StageEffect,
    /// What the stage will ask of the stores.
    pub predicted: Counts,
}

/// What a stage does to what others wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageEffect {
    /// Writes its own objects: may overlap with late attempts of stages before it.
    Writes,
    /// Deletes: opens only when every earlier lease of the job, backups too, is settled or expired.
    Destroys,
    /// Makes the result visible: as for deletes; once one has opened, a cancel is refused.
    Publishes,
    /// Reads back what the stages before it in its pipeline wrote: opens as for deletes, so that nothing is written
    /// afterwards. Their content must be its content, else the job fails.
    Verifies,
}

/// How often a task is tried, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Attempts in all; at least 1.
    pub max_attempts: u32,
    /// The wait before the second attempt in milliseconds; doubled before each further one.
    pub first_wait_ms: u64,
    /// The longest wait in milliseconds.
    pub longest_wait_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 5, first_wait_ms: 500, longest_wait_ms: 30_000 }
    }
}

impl Plan {
    /// Every stage with its phase, pipeline and position, in run order.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.phases.iter().flat_map(|phase| &phase.pipelines.pipelines).flat_map(|pipeline| &pipeline.stages)
    }
}
