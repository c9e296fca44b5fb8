//! Whatever is written down twice says the same, and whatever waits for time has a deadline.

use std::collections::BTreeMap;

use rechunk_common::ids::JobId;

use super::{Verdict, hold};
use crate::{job::Ghosts, stage::StagePlace, state::Scheduler};

pub(super) const RULES: &[fn(&Scheduler) -> Verdict] = &[
    the_fleet_is_indexed,
    every_lease_has_one_deadline,
    what_was_due_was_done,
    whatever_waits_has_a_deadline,
    a_job_counts_its_leases,
    the_queue_holds_the_queued_jobs,
];

fn the_fleet_is_indexed(scheduler: &Scheduler) -> Verdict {
    let is_indexed = scheduler.fleet.is_indexed();
    hold(is_indexed, "the fleet's indexes agree with its workers", || "they do not".to_owned())
}

fn every_lease_has_one_deadline(scheduler: &Scheduler) -> Verdict {
    let is_indexed = scheduler.leases.is_indexed(scheduler.progress_ms());
    hold(is_indexed, "every lease has one deadline", || "one is missing or too many".to_owned())
}

fn what_was_due_was_done(scheduler: &Scheduler) -> Verdict {
    let due = scheduler.next_deadline();
    hold(due.is_none_or(|due| due > scheduler.now), "what was due was done", || {
        format!("{due:?} is due at {:?}", scheduler.now)
    })
}

/// A call, a lease, a silent worker, a window, a task that is to be tried later, an earlier reign: none waits for ever.
fn whatever_waits_has_a_deadline(scheduler: &Scheduler) -> Verdict {
    let jobs = || scheduler.jobs.values();
    let stages = || jobs().filter(|job| job.lifecycle.is_active()).flat_map(|job| job.open.values());
    let waits = scheduler.fleet.len() > 0
        || scheduler.leases.iter().next().is_some()
        || jobs().any(|job| job.window.is_some() || job.ghosts != Ghosts::Gone)
        || stages()
            .flat_map(|pipeline| &pipeline.stages)
            .any(|stage| stage.index_at(scheduler.now, scheduler.settings.lease_work).due.is_some());
    hold(!waits || scheduler.next_deadline().is_some(), "whatever waits has a deadline", || {
        format!("something waits at {:?}, and nothing is due", scheduler.now)
    })
}

fn a_job_counts_its_leases(scheduler: &Scheduler) -> Verdict {
    let mut counted: BTreeMap<&JobId, BTreeMap<StagePlace, u32>> = BTreeMap::new();
    for (_, lease) in scheduler.leases.iter() {
        let count = counted.entry(&lease.job).or_default().entry(lease.place).or_default();
        *count = count.saturating_add(1);
    }
    for (id, job) in &scheduler.jobs {
        let leases = counted.remove(id).unwrap_or_default();
        hold(leases == job.leases, "a job counts its leases", || format!("{id}: {leases:?}, {:?}", job.leases))?;
    }
    hold(counted.is_empty(), "every lease belongs to a job", || format!("{counted:?}"))
}

fn the_queue_holds_the_queued_jobs(scheduler: &Scheduler) -> Verdict {
    let queued = scheduler.jobs.iter().filter(|(_, job)| job.is_queued).map(|(id, _)| id);
    let mut in_turn: Vec<&JobId> = scheduler.turns.jobs().collect();
    in_turn.sort();
    hold(queued.eq(in_turn.iter().copied()), "the queue holds the queued jobs", || format!("{in_turn:?}"))
}
