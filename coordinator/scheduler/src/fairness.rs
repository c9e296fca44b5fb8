//! Whose turn it is: jobs by weight, and within a job its open pipelines one after another.

use std::{collections::BTreeSet, ops::Bound};

use rechunk_common::{
    ids::{JobId, WorkerId},
    session::Capacity,
};

use crate::{
    event::Timestamp,
    job::Job,
    stage::{StagePlace, StageProgress, StageState, TaskClass},
    state::Scheduler,
    worker::{Fleet, Worker},
};

/// What one lease costs a job of weight 1.
const STRIDE: u64 = 1 << 20;

/// Jobs that have something to lease, the one that had least for its weight first (stride scheduling).
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Turns {
    queue: BTreeSet<(u64, JobId)>,
    /// The pass of the job that was served last: a job that comes new begins there and can't catch up on the past.
    pub(crate) floor: u64,
}

impl Turns {
    pub(crate) fn insert(&mut self, pass: u64, job: &JobId) {
        self.queue.insert((pass, job.clone()));
    }

    pub(crate) fn remove(&mut self, pass: u64, job: &JobId) {
        self.queue.remove(&(pass, job.clone()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The job after `last` in the queue, or the first.
    pub(crate) fn after(&self, last: Option<&(u64, JobId)>) -> Option<&(u64, JobId)> {
        match last {
            Some(last) => self.queue.range((Bound::Excluded(last), Bound::Unbounded)).next(),
            None => self.queue.first(),
        }
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &JobId> {
        self.queue.iter().map(|(_, job)| job)
    }
}

impl Scheduler {
    /// The job got a lease: its next turn comes the later the less it weighs.
    pub(crate) fn charge(&mut self, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        self.turns.floor = self.turns.floor.max(job.pass);
        let pass = job.pass.saturating_add(STRIDE / u64::from(job.weight.max(1)));
        if job.is_queued {
            self.turns.remove(job.pass, job_id);
            self.turns.insert(pass, job_id);
        }
        job.pass = pass;
    }
}

/// Whether a worker offers what a task of the class needs, out of `capacity`.
pub(crate) fn fits(class: &TaskClass, worker: &Worker, capacity: &Capacity) -> bool {
    capacity.slots > 0
        && class.memory <= capacity.memory
        && class.scratch <= capacity.scratch
        && worker.functions.contains(&class.function)
}

/// Whether a task that failed on `excluded` may be leased to `worker`: another one, or there is no other.
pub(crate) fn may_run(excluded: Option<&WorkerId>, worker: &WorkerId, fleet: &Fleet, class: &TaskClass) -> bool {
    excluded != Some(worker)
        || !fleet.iter().any(|(id, other)| id != worker && !other.is_draining && fits(class, other, &other.total))
}

/// The stage whose turn it is for this worker, among those with a task that it can take.
pub(crate) fn next_stage(
    job: &Job,
    fleet: &Fleet,
    worker_id: &WorkerId,
    free: &Capacity,
    now: Timestamp,
) -> Option<StagePlace> {
    let worker = fleet.get(worker_id)?;
    let takes =
        |place: &&StagePlace| job.stage(**place).is_some_and(|stage| has_task_for(stage, fleet, worker_id, now));
    let first_of_class = |places: &BTreeSet<StagePlace>| {
        let later = (Bound::Excluded(job.cursor), Bound::Unbounded);
        places.range(later).find(takes).or_else(|| places.range(..=job.cursor).find(takes)).copied()
    };
    job.ready
        .iter()
        .filter(|(class, _)| fits(class, worker, free))
        .filter_map(|(_, places)| first_of_class(places))
        .min_by_key(|place| (*place <= job.cursor, *place))
}

fn has_task_for(stage: &StageProgress, fleet: &Fleet, worker: &WorkerId, now: Timestamp) -> bool {
    let allows = |excluded: Option<&WorkerId>| may_run(excluded, worker, fleet, &stage.class);
    (stage.state == StageState::Open && !stage.untouched.is_empty())
        || stage.waiting.find_due(now, |waiting| allows(waiting.not_on.as_ref())).is_some()
        || stage.repairs.values().any(|repair| repair.is_ready(now, allows))
}
