//! What the planner weighed: what a plan is estimated to take, on which assumptions, and every candidate for an array.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ShapeOfPlan;
use crate::{
    ByteCount, Counts, MicroUsd,
    cost_profile::{CostProfile, Prefer},
};

/// What something is expected to take. An estimate: the exact figures of a plan are its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Time that passes, in whole microseconds.
    pub duration: Duration,
    /// Requests, storage and machines.
    pub usd: MicroUsd,
    /// Encoded bytes that go over the network, in both directions.
    pub wire_bytes: ByteCount,
}

/// What estimates rest on, and what plans are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostBasis {
    /// Where the source lies.
    pub source: CostProfile,
    /// Where the target lies.
    pub target: CostProfile,
    /// Where exchange objects lie.
    pub temp: CostProfile,
    /// An hour of a machine for one worker.
    pub worker_hour: MicroUsd,
    /// Workers that were counted on.
    pub workers: u64,
    /// What was asked for.
    pub prefer: Prefer,
}

/// One way to copy an array that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its shape.
    pub shape_of_plan: ShapeOfPlan,
    /// What became of it.
    pub verdict: Verdict,
    /// Why: one clause.
    pub reason: String,
    /// What it would do; `None` where it fits no limit.
    pub figures: Option<CandidateFigures>,
}

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is the plan.
    Chosen,
    /// It would cost more.
    Dearer,
    /// It does not fit the memory, the temporary space, or another limit.
    DoesNotFit,
    /// It would cost less, but nothing here runs it.
    NotExecuted,
}

/// What a candidate would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateFigures {
    /// What it is weighed by: seconds, and money in seconds. The least is chosen.
    pub cost: Duration,
    /// What it would take.
    pub estimate: Estimate,
    /// What it would ask of the stores; exact, but for candidates that are not executed.
    pub counts: Counts,
    /// Tasks of all stages that move chunks.
    pub tasks: u64,
    /// The most that one task would hold.
    pub peak_memory: ByteCount,
    /// Bytes of exchange objects in all.
    pub exchange_bytes: ByteCount,
}

impl Verdict {
    /// As JSON spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Dearer => "dearer",
            Self::DoesNotFit => "does_not_fit",
            Self::NotExecuted => "not_executed",
        }
    }
}
