//! What must hold of every lease.

use rechunk_common::ids::LeaseId;

use super::{Verdict, hold};
use crate::{
    lease::{LeaseKind, LeaseState, Standing},
    state::Scheduler,
};

pub(super) const RULES: &[fn(&Scheduler, LeaseId, &LeaseState) -> Verdict] = &[
    a_live_lease_belongs_to_an_open_stage,
    a_live_lease_is_held_by_a_known_worker,
    a_late_lease_has_one_backup_elsewhere,
    every_lease_ends,
];

fn a_live_lease_belongs_to_an_open_stage(scheduler: &Scheduler, id: LeaseId, lease: &LeaseState) -> Verdict {
    let stage = || scheduler.jobs.get(&lease.job)?.stage(lease.place);
    let is_listed = !lease.is_live() || stage().is_some_and(|stage| stage.leases.contains(&id));
    hold(is_listed, "a live lease belongs to an open stage", || format!("{id} of {}", lease.job))
}

fn a_live_lease_is_held_by_a_known_worker(scheduler: &Scheduler, id: LeaseId, lease: &LeaseState) -> Verdict {
    let worker = scheduler.fleet.get(&lease.worker);
    let is_held =
        || worker.is_some_and(|worker| worker.incarnation == lease.incarnation && worker.leases.contains(&id));
    hold(!lease.is_live() || is_held(), "a live lease is held by a worker that is known", || {
        format!("{id} of {}", lease.worker)
    })
}

/// Of two leases of the same tasks one is the backup; both are live, of two workers, and there is no third.
fn a_late_lease_has_one_backup_elsewhere(scheduler: &Scheduler, id: LeaseId, lease: &LeaseState) -> Verdict {
    let is_backup = |lease: &LeaseState| lease.kind == LeaseKind::Backup;
    let is_pair = |other: &LeaseState| {
        lease.is_live()
            && other.is_live()
            && other.partner == Some(id)
            && other.worker != lease.worker
            && (&other.job, other.place) == (&lease.job, lease.place)
            && is_backup(other) != is_backup(lease)
    };
    let is_right = lease.partner.is_none_or(|partner| scheduler.leases.get(partner).is_some_and(is_pair));
    hold(is_right, "a late lease has one backup, on another worker", || format!("{id} and {:?}", lease.partner))
}

/// A live lease is renewed for one lease and the margin at the most; one that ended is over a margin after that, or two
/// where an older coordinator granted it.
fn every_lease_ends(scheduler: &Scheduler, id: LeaseId, lease: &LeaseState) -> Verdict {
    let (now, settings) = (scheduler.now, &scheduler.settings);
    let renewed = now.after(settings.lease).after(settings.margin);
    let (until, latest) = match lease.standing {
        Standing::Live { expires_at } => (expires_at, renewed),
        Standing::Ended { until, .. } => (until, renewed.after(settings.margin)),
    };
    hold(until <= latest, "every lease ends", || format!("{id} at {until:?}, and it is {now:?}"))
}
