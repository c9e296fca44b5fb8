//! Leases that a worker holds and this scheduler does not count: adopted where their tasks are still to be had.

use rechunk_common::{
    session::{Lease, SyncRequest},
    task_set::TaskSet,
};

use crate::{
    job::Lifecycle,
    late::Unbacked,
    lease::{LeaseKind, LeaseState, Standing, WhyEnded},
    stage::{StagePlace, StageState},
    state::{Scheduler, Turn},
};

impl Scheduler {
    /// Makes a listed lease live, if it is not and can be: one that expired, or one of an older coordinator.
    pub(crate) fn adopt(&mut self, turn: &mut Turn, request: &SyncRequest, lease: &Lease) {
        match self.leases.get(lease.id) {
            Some(known) => {
                let is_back = matches!(known.standing, Standing::Ended { why: WhyEnded::Expired, .. })
                    && known.worker == request.worker
                    && known.incarnation == request.incarnation
                    && known.kind != LeaseKind::Repair;
                if is_back {
                    let known = known.clone();
                    self.revive(turn, lease, &known);
                }
            }
            // All leases of this reign are known: one without a record is over.
            None if lease.id.epoch >= self.epoch => {}
            None => self.adopt_foreign(turn, request, lease),
        }
    }

    /// A lease expired, and its worker comes back before its tasks were leased again.
    fn revive(&mut self, turn: &mut Turn, lease: &Lease, known: &LeaseState) {
        let Some(open) = self.open_tasks(known) else { return };
        let Some(stage) = self.jobs.get_mut(&known.job).and_then(|job| job.stage_mut(known.place)) else { return };
        open.runs().for_each(|run| stage.take_out(run));
        stage.leases.insert(lease.id);
        if known.kind == LeaseKind::Only {
            stage.unbacked.insert(lease.id, Unbacked::of(known));
        }
        let (now, expires_at) = (self.now, self.now.after(self.settings.lease).after(self.settings.margin));
        self.leases.change(lease.id, self.progress_ms(), |lease| {
            lease.standing = Standing::Live { expires_at };
            (lease.progress_at, lease.moved_at) = (now, now);
            lease.was_told = false;
        });
        self.refresh(turn, &known.job, known.place);
    }

    /// A lease that an older coordinator granted. Where it can't be adopted, its worker is told to stop, and until it
    /// has it counts as one that may still write.
    fn adopt_foreign(&mut self, turn: &mut Turn, request: &SyncRequest, lease: &Lease) {
        let place = StagePlace::of(&lease.stage);
        let Some(job) = self.jobs.get(&lease.stage.job).filter(|job| job.run == lease.stage.run) else { return };
        let Some(plan) = job.stage_plan(place) else { return };
        let is_over = matches!(
            job.lifecycle,
            Lifecycle::Ended(_)
                | Lifecycle::Retrying
                | Lifecycle::Condemned { .. }
                | Lifecycle::Removing
                | Lifecycle::Forgetting(_)
                | Lifecycle::Settling(_)
        );
        if is_over || lease.tasks.is_empty() || lease.tasks.end > plan.task_count {
            return;
        }
        // It was granted, so its pipeline was open; a new reign opens pipelines one by one.
        while lease.stage.phase.0 == self.jobs.get(&lease.stage.job).map_or(0, |job| job.phase)
            && self.jobs.get(&lease.stage.job).is_some_and(|job| job.next_pipeline <= place.pipeline)
            && self.open_next_pipeline(turn, &lease.stage.job)
        {}
        let expires_at = self.now.after(self.settings.lease).after(self.settings.margin);
        let mut state = LeaseState {
            job: lease.stage.job.clone(),
            run: lease.stage.run,
            place,
            tasks: lease.tasks,
            unreported: TaskSet::from_iter([lease.tasks]),
            worker: request.worker.clone(),
            incarnation: request.incarnation,
            kind: LeaseKind::Only,
            partner: None,
            granted_at: self.now,
            progress_at: self.now,
            moved: 0,
            moved_at: self.now,
            standing: Standing::Live { expires_at },
            was_told: false,
        };
        if let Some(open) = self.open_tasks(&state) {
            if let Some(stage) = self.jobs.get_mut(&state.job).and_then(|job| job.stage_mut(place)) {
                open.runs().for_each(|run| stage.take_out(run));
            }
            state.unreported = open;
            self.add_lease(turn, lease.id, state);
        } else {
            state.standing = Standing::Ended { why: WhyEnded::Revoked, until: expires_at.after(self.settings.margin) };
            self.add_lease(turn, lease.id, state);
        }
    }

    /// What is left to do of a lease's tasks, if the stage is open, nobody else has any of it, and
    /// the job may have so much leased.
    fn open_tasks(&self, lease: &LeaseState) -> Option<TaskSet> {
        let job = self.jobs.get(&lease.job).filter(|job| job.run == lease.run && job.lifecycle.is_active())?;
        let stage = job.stage(lease.place).filter(|stage| stage.state == StageState::Open)?;
        let open: TaskSet = lease.unreported.runs().flat_map(|run| stage.done.gaps(run)).collect();
        let is_free = !open.is_empty() && open.len() <= job.headroom() && open.runs().all(|run| stage.is_free(run));
        is_free.then_some(open)
    }
}
