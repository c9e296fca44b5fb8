//! Lost output of tasks that are done: written again under a repair lease while the readers wait.

use rechunk_common::ids::{LeaseId, WorkerId};

use crate::event::Timestamp;

/// Repairs of one task's output at the most.
pub(crate) const MOST_REPAIRS: u32 = 2;

/// A task of an earlier stage of the same pipeline whose output is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LostTask {
    /// The position of its stage in the pipeline.
    pub(crate) stage: u32,
    pub(crate) task: u64,
}

/// The repairs of one task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Repair {
    /// Repairs asked for so far.
    pub(crate) rounds: u32,
    pub(crate) state: RepairState,
}

/// Where the latest repair stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RepairState {
    /// To be leased.
    Waiting {
        /// From when on.
        due: Timestamp,
        /// The worker on which it failed and others may not.
        not_on: Option<WorkerId>,
    },
    /// A worker writes the output again.
    Leased(LeaseId),
    /// Its own input was lost too: that task is repaired first.
    Blocked(LostTask),
    /// The output was written again; readers whose lease is older may have seen the lost one.
    Finished(Timestamp),
}

impl Default for Repair {
    /// An output that was never lost.
    fn default() -> Self {
        Self { rounds: 0, state: RepairState::Finished(Timestamp::default()) }
    }
}

impl Repair {
    /// From when on it may be leased, if it waits for that.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        match &self.state {
            RepairState::Waiting { due, .. } => Some(*due),
            RepairState::Leased(_) | RepairState::Blocked(_) | RepairState::Finished(_) => None,
        }
    }

    /// The task of an earlier stage that is repaired first.
    pub(crate) fn blocked_on(&self) -> Option<LostTask> {
        match &self.state {
            RepairState::Blocked(lost) => Some(*lost),
            RepairState::Waiting { .. } | RepairState::Leased(_) | RepairState::Finished(_) => None,
        }
    }

    /// Whether the output is there again.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, RepairState::Finished(_))
    }

    /// Whether it is due at `now` and `allows` lets its excluded worker pass.
    pub(crate) fn is_ready(&self, now: Timestamp, allows: impl Fn(Option<&WorkerId>) -> bool) -> bool {
        match &self.state {
            RepairState::Waiting { due, not_on } => *due <= now && allows(not_on.as_ref()),
            RepairState::Leased(_) | RepairState::Blocked(_) | RepairState::Finished(_) => false,
        }
    }
}
