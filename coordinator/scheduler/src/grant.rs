//! Grants: which tasks a worker gets next, and the lease that says so.

use rechunk_common::{
    ids::{JobId, LeaseId, WorkerId},
    session::{Capacity, Grant, Lease},
    task_set::{TaskRange, TaskSet},
};

use crate::{
    fairness::{fits, may_run, next_stage},
    lease::{LeaseKind, LeaseState, Standing},
    lease_size::lease_size,
    repair::RepairState,
    stage::{StagePlace, TaskClass, first_with_tasks},
    state::{Scheduler, Turn},
};

/// Tasks taken from where they waited.
struct Taken {
    tasks: TaskRange,
    kind: LeaseKind,
    was_tried: bool,
}

impl Scheduler {
    /// The next lease for a worker with so much free: of the job whose turn it is, else a backup.
    pub(crate) fn grant_next(&mut self, turn: &mut Turn, worker: &WorkerId, free: &Capacity) -> Option<Grant> {
        let mut last = None;
        while let Some(next) = self.turns.after(last.as_ref()).cloned() {
            if let Some(grant) = self.grant_from(turn, &next.1, worker, free) {
                self.charge(&next.1);
                return Some(grant);
            }
            last = Some(next);
        }
        self.grant_backup(turn, worker, free)
    }

    fn grant_from(&mut self, turn: &mut Turn, job_id: &JobId, worker: &WorkerId, free: &Capacity) -> Option<Grant> {
        loop {
            let job = self.jobs.get(job_id)?;
            if let Some(place) = next_stage(job, &self.fleet, worker, free, self.now) {
                let id = self.next_lease_id();
                let taken = self.take_tasks(job_id, place, worker, id)?;
                return self.grant(turn, job_id, place, worker, id, &taken, None);
            }
            // None of the open pipelines has a task for this worker; the next one may.
            if !self.would_help(job_id, worker, free) || !self.open_next_pipeline(turn, job_id) {
                return None;
            }
        }
    }

    /// Whether the first tasks of the next pipeline fit the worker.
    fn would_help(&self, job_id: &JobId, worker: &WorkerId, free: &Capacity) -> bool {
        let next = || {
            let (job, worker) = (self.jobs.get(job_id)?, self.fleet.get(worker)?);
            if job.is_held_up() {
                return None;
            }
            let stage = first_with_tasks(job.pipeline_plan(job.phase, job.next_pipeline)?)?;
            Some(fits(&TaskClass::of(stage), worker, free))
        };
        next().unwrap_or(false)
    }

    /// Takes the next tasks of a stage: repairs first, since others wait for them, then what is to be done again.
    fn take_tasks(&mut self, job_id: &JobId, place: StagePlace, worker: &WorkerId, id: LeaseId) -> Option<Taken> {
        let (now, fleet) = (self.now, &self.fleet);
        let job = self.jobs.get_mut(job_id)?;
        let headroom = job.headroom();
        let stage = job.stage_mut(place)?;
        let class = stage.class.clone();
        let allows = |excluded: Option<&WorkerId>| may_run(excluded, worker, fleet, &class);
        if let Some((task, repair)) = stage.repairs.iter_mut().find(|(_, repair)| repair.is_ready(now, allows)) {
            repair.state = RepairState::Leased(id);
            return Some(Taken { tasks: TaskRange::single(*task), kind: LeaseKind::Repair, was_tried: true });
        }
        let remaining = stage.untouched.len().saturating_add(stage.waiting.len());
        let record = fleet.get(worker).map(|worker| worker.record).unwrap_or_default();
        let size = lease_size(stage.pace, record, remaining, fleet.slots(), self.settings.lease_work);
        let size = size.min(headroom).max(1);
        let due = stage.waiting.find_due(now, |waiting| allows(waiting.not_on.as_ref()));
        if let Some((tasks, waiting)) = due.and_then(|key| stage.waiting.take(key, size)) {
            return Some(Taken { tasks, kind: LeaseKind::Only, was_tried: waiting.was_tried });
        }
        let first = stage.untouched.runs().next()?;
        let tasks = TaskRange::new(first.start, first.end.min(first.start.saturating_add(size)));
        stage.untouched.remove(tasks);
        Some(Taken { tasks, kind: LeaseKind::Only, was_tried: false })
    }

    #[allow(clippy::too_many_arguments)] // one place makes leases, of three kinds
    fn grant(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        place: StagePlace,
        worker_id: &WorkerId,
        id: LeaseId,
        taken: &Taken,
        partner: Option<LeaseId>,
    ) -> Option<Grant> {
        let worker = self.fleet.get(worker_id)?;
        let incarnation = worker.incarnation;
        let job = self.jobs.get_mut(job_id)?;
        let run = job.run;
        job.cursor = place;
        if taken.was_tried {
            job.retries = job.retries.saturating_add(taken.tasks.len());
        }
        let stage = job.stage_plan(place)?;
        let grant = Grant {
            lease: Lease { id, stage: place.address(job_id, run), tasks: taken.tasks, ttl: self.settings.lease },
            stage_name: stage.name.clone(),
            function: stage.function.clone(),
            task_memory: stage.task_memory,
            task_scratch: stage.task_scratch,
        };
        let expires_at = self.now.after(self.settings.lease).after(self.settings.margin);
        let lease = LeaseState {
            job: job_id.clone(),
            run,
            place,
            tasks: taken.tasks,
            unreported: TaskSet::from_iter([taken.tasks]),
            worker: worker_id.clone(),
            incarnation,
            kind: taken.kind,
            partner,
            granted_at: self.now,
            progress_at: self.now,
            moved: 0,
            moved_at: self.now,
            standing: Standing::Live { expires_at },
            was_told: false,
        };
        self.add_lease(turn, id, lease);
        Some(grant)
    }

    fn next_lease_id(&mut self) -> LeaseId {
        let id = LeaseId { epoch: self.epoch, counter: self.next_lease };
        self.next_lease = self.next_lease.saturating_add(1);
        id
    }

    /// A second lease of what is left of a late one, for a worker that has nothing else to do.
    fn grant_backup(&mut self, turn: &mut Turn, worker: &WorkerId, free: &Capacity) -> Option<Grant> {
        let (job_id, late, tasks) = self.late.iter().find_map(|job_id| {
            let (late, tasks) = self.late_lease(job_id, worker, free)?;
            Some((job_id.clone(), late, tasks))
        })?;
        let place = self.leases.get(late)?.place;
        let id = self.next_lease_id();
        self.leases.change(late, self.progress_ms(), |lease| lease.partner = Some(id));
        if let Some(stage) = self.jobs.get_mut(&job_id).and_then(|job| job.stage_mut(place)) {
            stage.unbacked.remove(&late);
        }
        let taken = Taken { tasks, kind: LeaseKind::Backup, was_tried: true };
        self.grant(turn, &job_id, place, worker, id, &taken, Some(late))
    }

    /// The oldest late lease of the job, and what is left of it.
    fn late_lease(&self, job_id: &JobId, worker_id: &WorkerId, free: &Capacity) -> Option<(LeaseId, TaskRange)> {
        let (job, worker) = (self.jobs.get(job_id)?, self.fleet.get(worker_id)?);
        job.late.iter().find_map(|place| {
            let stage = job.stage(*place).filter(|stage| fits(&stage.class, worker, free))?;
            let late = stage.late_leases(self.settings.lease_work).filter(|(_, at)| *at <= self.now);
            late.map(|(id, _)| id).find_map(|id| {
                let lease = self.leases.get(id).filter(|lease| lease.worker != *worker_id)?;
                let left = lease.unreported.runs().flat_map(|run| stage.done.gaps(run)).next()?;
                Some((id, left))
            })
        })
    }
}
