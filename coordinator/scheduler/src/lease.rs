//! Leases: who holds which tasks until when, and what becomes of the tasks when a lease ends.

use std::collections::{BTreeMap, BTreeSet};

use rechunk_common::{
    ids::{Incarnation, JobId, LeaseId, RunNumber, WorkerId},
    task_set::{TaskRange, TaskSet},
};

use crate::{
    event::Timestamp,
    late::Unbacked,
    repair::RepairState,
    stage::StagePlace,
    state::{Scheduler, Turn},
    waiting::Waiting,
};

/// What a lease is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LeaseKind {
    /// Tasks that nobody else holds.
    Only,
    /// The same tasks as an older lease, which may be stuck.
    Backup,
    /// A task of a complete stage whose output was lost.
    Repair,
}

/// Whether a lease counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Standing {
    /// Its tasks are its own. It expires unless it is renewed.
    Live {
        /// When.
        expires_at: Timestamp,
    },
    /// Its tasks were given back, but its worker may still write.
    Ended {
        /// Why.
        why: WhyEnded,
        /// Until then at the most.
        until: Timestamp,
    },
}

/// Why a lease is not live any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WhyEnded {
    /// Its worker fell silent; it is live again if the worker comes back before its tasks are leased.
    Expired,
    /// It made no progress for too long.
    Stuck,
    /// It is not needed any more.
    Revoked,
}

/// One lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct LeaseState {
    pub(crate) job: JobId,
    pub(crate) run: RunNumber,
    pub(crate) place: StagePlace,
    pub(crate) tasks: TaskRange,
    /// Tasks that its worker has not reported: it may be writing them.
    pub(crate) unreported: TaskSet,
    pub(crate) worker: WorkerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) kind: LeaseKind,
    /// The lease of the same tasks, if one of both is the other's backup.
    pub(crate) partner: Option<LeaseId>,
    pub(crate) granted_at: Timestamp,
    /// When its worker last reported a task of it, or got it.
    pub(crate) progress_at: Timestamp,
    /// How far its worker says that it has moved, and when that changed last, or a task of it was reported.
    pub(crate) moved: u64,
    pub(crate) moved_at: Timestamp,
    pub(crate) standing: Standing,
    /// Its worker was told that it ended; said again in every answer, but no further one is hastened by it.
    pub(crate) was_told: bool,
}

impl LeaseState {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.standing, Standing::Live { .. })
    }

    fn belongs_to(&self, worker: &WorkerId, incarnation: Incarnation) -> bool {
        self.worker == *worker && self.incarnation == incarnation
    }
}

/// All leases that are live or may still write.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct LeaseTable {
    all: BTreeMap<LeaseId, LeaseState>,
    /// When something about a lease is due.
    deadlines: BTreeSet<(Timestamp, LeaseId)>,
}

impl LeaseTable {
    pub(crate) fn get(&self, id: LeaseId) -> Option<&LeaseState> {
        self.all.get(&id)
    }

    /// The lease, if that worker process has it, live or not.
    pub(crate) fn of(&self, id: LeaseId, worker: &WorkerId, incarnation: Incarnation) -> Option<&LeaseState> {
        self.get(id).filter(|lease| lease.belongs_to(worker, incarnation))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (LeaseId, &LeaseState)> {
        self.all.iter().map(|(id, lease)| (*id, lease))
    }

    pub(crate) fn insert(&mut self, id: LeaseId, lease: LeaseState, progress_ms: u64) {
        self.deadlines.insert((deadline(&lease, progress_ms), id));
        self.all.insert(id, lease);
    }

    pub(crate) fn remove(&mut self, id: LeaseId, progress_ms: u64) -> Option<LeaseState> {
        let lease = self.all.remove(&id)?;
        self.deadlines.remove(&(deadline(&lease, progress_ms), id));
        Some(lease)
    }

    /// Changes a lease and keeps its deadline right.
    pub(crate) fn change(&mut self, id: LeaseId, progress_ms: u64, change: impl FnOnce(&mut LeaseState)) {
        let Some(lease) = self.all.get_mut(&id) else { return };
        let before = deadline(lease, progress_ms);
        change(lease);
        let after = deadline(lease, progress_ms);
        if before != after {
            self.deadlines.remove(&(before, id));
            self.deadlines.insert((after, id));
        }
    }

    pub(crate) fn first_deadline(&self) -> Option<(Timestamp, LeaseId)> {
        self.deadlines.first().copied()
    }

    pub(crate) fn is_indexed(&self, progress_ms: u64) -> bool {
        self.deadlines.len() == self.all.len()
            && self.iter().all(|(id, lease)| self.deadlines.contains(&(deadline(lease, progress_ms), id)))
    }
}

/// When something is due about a lease: it expires, it has made no progress for too long, or it is over for good.
fn deadline(lease: &LeaseState, progress_ms: u64) -> Timestamp {
    match lease.standing {
        Standing::Live { expires_at } => expires_at.min(lease.moved_at.after_ms(progress_ms)),
        Standing::Ended { until, .. } => until,
    }
}

impl Scheduler {
    /// Adds a lease; if it is live, its tasks have been taken from where they waited.
    pub(crate) fn add_lease(&mut self, turn: &mut Turn, id: LeaseId, lease: LeaseState) {
        let (job_id, place, is_live) = (lease.job.clone(), lease.place, lease.is_live());
        if let Some(worker) = self.fleet.get_mut(&lease.worker) {
            worker.leases.insert(id);
        }
        if let Some(job) = self.jobs.get_mut(&job_id) {
            job.has_started = true;
            let count = job.leases.entry(place).or_insert(0);
            *count = count.saturating_add(1);
            if let Some(stage) = job.stage_mut(place).filter(|_| is_live) {
                stage.leases.insert(id);
                if lease.kind == LeaseKind::Only {
                    stage.unbacked.insert(id, Unbacked::of(&lease));
                }
            }
        }
        self.leases.insert(id, lease, self.progress_ms());
        self.refresh(turn, &job_id, place);
        turn.changed.insert(job_id);
    }

    /// The lease is not live any more; its tasks are leased again. Its worker may write until it says that it has
    /// stopped, or until the lease is over by any clock.
    pub(crate) fn end_lease(&mut self, turn: &mut Turn, id: LeaseId, why: WhyEnded) {
        let in_halves = match why {
            WhyEnded::Expired | WhyEnded::Stuck => true,
            WhyEnded::Revoked => false,
        };
        self.give_back(turn, id, in_halves);
        let margin = self.settings.margin;
        self.leases.change(id, self.progress_ms(), |lease| {
            if let Standing::Live { expires_at } = lease.standing {
                lease.standing = Standing::Ended { why, until: expires_at.after(margin) };
            }
        });
        if let Some(lease) = self.leases.get(id) {
            turn.serve.insert(lease.worker.clone());
        }
    }

    /// The lease is over: its worker does nothing for it any more.
    pub(crate) fn settle_lease(&mut self, turn: &mut Turn, id: LeaseId) {
        self.give_back(turn, id, false);
        let Some(lease) = self.leases.remove(id, self.progress_ms()) else { return };
        if let Some(worker) = self.fleet.get_mut(&lease.worker) {
            worker.leases.remove(&id);
        }
        let Some(job) = self.jobs.get_mut(&lease.job) else { return };
        if let Some(count) = job.leases.get_mut(&lease.place) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                job.leases.remove(&lease.place);
            }
        }
        turn.touch(&lease.job);
    }

    /// The tasks of a live lease that are neither done nor held by its partner wait to be leased again, in halves where
    /// the lease died: a poisonous task is found by halving.
    fn give_back(&mut self, turn: &mut Turn, id: LeaseId, in_halves: bool) {
        let Some(lease) = self.leases.get(id).filter(|lease| lease.is_live()) else { return };
        let (job_id, place, kind, partner) = (lease.job.clone(), lease.place, lease.kind, lease.partner);
        let tasks = lease.tasks;
        let mut open = lease.unreported.clone();
        if let Some(other) = partner.and_then(|partner| self.leases.get(partner)) {
            other.unreported.runs().for_each(|run| {
                open.remove(run);
            });
        }
        let backed = partner.filter(|_| kind == LeaseKind::Backup);
        let backed = backed.and_then(|partner| Some((partner, Unbacked::of(self.leases.get(partner)?))));
        if let Some(partner) = partner {
            self.leases.change(partner, self.progress_ms(), |other| other.partner = None);
            self.leases.change(id, self.progress_ms(), |lease| lease.partner = None);
        }
        let now = self.now;
        let Some(stage) = self.jobs.get_mut(&job_id).and_then(|job| job.stage_mut(place)) else { return };
        if !stage.leases.remove(&id) {
            return;
        }
        stage.unbacked.remove(&id);
        // Its backup did a part of the late lease: the rest may get one too.
        if let Some((late, unbacked)) = backed.filter(|_| stage.done.contains_range(tasks)) {
            stage.unbacked.insert(late, unbacked);
        }
        if kind == LeaseKind::Repair {
            for repair in stage.repairs.values_mut().filter(|repair| repair.state == RepairState::Leased(id)) {
                repair.state = RepairState::Waiting { due: now, not_on: None };
                turn.wake = true;
            }
        } else {
            let open: TaskSet = open.runs().flat_map(|run| stage.done.gaps(run)).collect();
            let piece = if in_halves { open.len().div_ceil(2).max(1) } else { u64::MAX };
            for run in open.runs() {
                let mut start = run.start;
                while start < run.end {
                    let end = run.end.min(start.saturating_add(piece));
                    let waiting = Waiting { not_on: None, was_tried: in_halves };
                    stage.waiting.push(now, TaskRange::new(start, end), waiting);
                    start = end;
                }
                turn.wake = true;
            }
        }
        self.refresh(turn, &job_id, place);
    }

    pub(crate) fn progress_ms(&self) -> u64 {
        u64::try_from(self.settings.progress_deadline.as_millis()).unwrap_or(u64::MAX)
    }
}
