//! What people are shown of a plan, before and after the run: the JSON of the command line is made from it.

use serde::{Deserialize, Serialize};

use super::{Candidate, CostBasis, Estimate};
use crate::{ByteCount, Counts};

/// The plan in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// One per array, in the order of their names.
    pub arrays: Vec<ArrayPlan>,
    /// One per array and stage name, summed over pipelines, in run order.
    pub stages: Vec<StageSummary>,
    /// All stages together.
    pub totals: Counts,
    /// Bytes of exchange objects written in all: exactly where their blocks are raw, at the most where they are packed.
    pub exchange_bytes: ByteCount,
    /// The most that one task holds.
    pub peak_memory: ByteCount,
    /// The most local disk that one task needs.
    pub peak_scratch: ByteCount,
    /// What was assumed of the source's chunks.
    pub assumed: Assumed,
    /// What all of it is expected to take.
    pub estimate: Estimate,
    /// What the estimates rest on.
    pub basis: CostBasis,
    /// How the memory was shared out.
    pub memory: MemoryModel,
    /// The temporary space; `None` where no stage needs one.
    pub temp: Option<String>,
    /// Bytes that stand in the temporary space at one time, at the most.
    pub temp_bytes: ByteCount,
    /// Things to know before the run, each one sentence.
    pub warnings: Vec<String>,
}

/// One array of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayPlan {
    /// Path from the group's root; empty for an array job.
    pub name: String,
    /// Length per axis.
    pub shape: Vec<u64>,
    /// The data type as the source's metadata spells it.
    pub dtype: String,
    /// Chunks (inner chunks where sharded) of the source.
    pub source_chunks: Vec<u64>,
    /// Shards of the source.
    pub source_shards: Option<Vec<u64>>,
    /// Chunks (inner chunks where sharded) of the target.
    pub target_chunks: Vec<u64>,
    /// Shards of the target.
    pub target_shards: Option<Vec<u64>>,
    /// Objects (chunks or shards) of the source that a listing named; `None`: it was not listed, and every one is taken
    /// to be there.
    pub listed_objects: Option<u64>,
    /// Objects of the source if every one is there.
    pub source_objects: u64,
    /// The shape chosen.
    pub shape_of_plan: ShapeOfPlan,
    /// Why it was chosen: one clause.
    pub reason: String,
    /// Pipelines of the copy phase.
    pub pipelines: u64,
    /// The candidate of another shape that came second.
    pub runner_up: Option<RunnerUp>,
    /// All that was looked at, the cheapest first; none for an array without elements.
    pub candidates: Vec<Candidate>,
}

/// The second-best candidate and why it lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunnerUp {
    /// Its shape.
    pub shape_of_plan: ShapeOfPlan,
    /// Why it lost: one clause.
    pub reason: String,
}

/// Shapes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapeOfPlan {
    /// No element: metadata only.
    Empty,
    /// copy_encoded.
    CopyEncoded,
    /// copy_read_to_write.
    DirectSweep,
    /// copy_through_scratch.
    GroupLocal,
    /// copy_read_to_exchange, then copy_exchange_to_write; where blocks are packed, index_exchange between the two.
    Exchange,
    /// More than one exchange, one after another. Known by its cost only: nothing here runs it.
    SeveralExchanges,
}

impl ShapeOfPlan {
    /// As JSON spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::CopyEncoded => "copy_encoded",
            Self::DirectSweep => "direct_sweep",
            Self::GroupLocal => "group_local",
            Self::Exchange => "exchange",
            Self::SeveralExchanges => "several_exchanges",
        }
    }
}

/// The stages of one name of one array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageSummary {
    /// The array's name; empty for an array job and for stages of the whole job.
    pub array: String,
    /// The stage's name.
    pub name: String,
    /// Tasks, summed over pipelines.
    pub tasks: u64,
    /// The most that one task holds.
    pub task_memory: ByteCount,
    /// Requests and bytes.
    pub counts: Counts,
}

/// What was assumed of the source's chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assumed {
    /// Every chunk is there.
    Dense,
    /// The chunks that a listing named.
    Listed,
}

/// How `max_mem` is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryModel {
    /// The resident set of one worker process.
    pub max_mem: ByteCount,
    /// What the process itself takes.
    pub reserve: ByteCount,
    /// What tasks may hold together.
    pub budget: ByteCount,
}
