//! Whether a task fits the budget, and how much of what is left over it gets for pieces in flight.

use crate::{cost::Fleet, memory::TaskMemory};

/// Bytes in flight that keep a link busy; a task that fits only with less still runs, slower.
const BUSY_LINK_BYTES: u64 = 64_000_000;

/// The part of the budget that pieces in flight may take beyond the least.
const PART_IN_FLIGHT: u64 = 8;

/// How many pieces in flight a box must leave room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// As many as keep a link busy.
    Busy,
    /// The least with which a task runs at all.
    Least,
}

impl Room {
    /// Pieces in flight that count against the budget.
    fn pieces(self, memory: &TaskMemory, budget: u64) -> u64 {
        match self {
            Self::Least => memory.least_pieces,
            Self::Busy => {
                let bytes = budget.checked_div(PART_IN_FLIGHT).unwrap_or(0).min(BUSY_LINK_BYTES);
                let pieces = bytes.checked_div(memory.piece).unwrap_or(u64::MAX);
                pieces.min(memory.most_pieces).max(memory.least_pieces)
            }
        }
    }

    /// What one task takes, if that is within the budget.
    pub(crate) fn fits(self, memory: &TaskMemory, budget: u64) -> Option<u64> {
        memory.total(self.pieces(memory, budget)).filter(|total| *total <= budget)
    }

    /// What one of `tasks` tasks is declared to hold: as many pieces in flight as the budget has room for, without
    /// keeping out another task that would share the worker.
    pub(crate) fn declared(self, memory: &TaskMemory, fleet: &Fleet, tasks: u64) -> Option<u64> {
        let least = self.fits(memory, fleet.budget)?;
        let residents = fleet.residents(least).min(tasks).max(1);
        let part = fleet.budget.checked_div(residents)?;
        let spare = part.checked_sub(least)?.checked_div(memory.piece).unwrap_or(u64::MAX);
        let pieces = self.pieces(memory, fleet.budget).saturating_add(spare).min(memory.most_pieces);
        memory.total(pieces)
    }
}
