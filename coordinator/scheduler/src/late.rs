//! Late leases: which one takes so much longer than its tasks usually do that a second worker is to do them too.
//!
//! Knows nothing of workers. The first of both to finish wins: outputs are whole objects of equal content, and a task is
//! done once, whoever says so.

use std::time::Duration;

use rechunk_common::ids::LeaseId;

use crate::{event::Timestamp, lease::LeaseState, stage::StageProgress};

/// Leases of one stage that are looked at: the oldest ones are the late ones.
const CANDIDATES: usize = 4;

/// A live lease that has no backup and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Unbacked {
    granted_at: Timestamp,
    tasks: u64,
}

impl Unbacked {
    pub(crate) fn of(lease: &LeaseState) -> Self {
        Self { granted_at: lease.granted_at, tasks: lease.tasks.len() }
    }
}

impl StageProgress {
    /// When each of the oldest leases will have taken more than twice the time that its tasks usually do, and no less
    /// than `lease_work`. None where another task is still to be leased, where nothing is measured yet, or where a late
    /// write would do harm.
    pub(crate) fn late_leases(&self, lease_work: Duration) -> impl Iterator<Item = (LeaseId, Timestamp)> + '_ {
        let at_least = u64::try_from(lease_work.as_millis()).unwrap_or(u64::MAX);
        let may_have = self.may_be_backed && self.has_leased_all();
        self.unbacked.iter().take(if may_have { CANDIDATES } else { 0 }).filter_map(move |(id, lease)| {
            let usual = self.pace.ms_for(lease.tasks)?;
            Some((*id, lease.granted_at.after_ms(usual.saturating_mul(2).max(at_least))))
        })
    }

    /// Whether a late lease waits for a backup at `now`, and when the next one will.
    pub(crate) fn lateness_at(&self, now: Timestamp, lease_work: Duration) -> (bool, Option<Timestamp>) {
        self.late_leases(lease_work).fold((false, None), |(is_late, next), (_, at)| {
            if at <= now { (true, next) } else { (is_late, Some(next.map_or(at, |next: Timestamp| next.min(at)))) }
        })
    }
}
