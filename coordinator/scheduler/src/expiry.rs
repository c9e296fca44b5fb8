//! What time brings: leases expire, long polls end, waiting tasks become due, silent workers are forgotten.

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, LeaseId, TaskIndex},
    record::RecordFact,
};

use crate::{
    event::Timestamp,
    lease::{Standing, WhyEnded},
    stage::StagePlace,
    state::{Scheduler, Turn},
    succession::Succession,
};

impl Scheduler {
    /// When time alone changes something next: always set while something waits.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        [
            self.leases.first_deadline().map(|(due, _)| due),
            self.fleet.first_poll().map(|(due, _)| *due),
            self.fleet.first_silent().map(|(heard, _)| self.forgotten_at(*heard)),
            self.timers.first().map(|(due, _, _)| *due),
            self.windows.first().map(|(due, _)| *due),
            self.succession.map(Succession::next),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does all that is due by now.
    pub(crate) fn expire_due(&mut self, turn: &mut Turn) {
        while let Some((due, id)) = self.leases.first_deadline() {
            if due > self.now {
                break;
            }
            self.lease_is_due(turn, id);
        }
        while let Some((due, job, place)) = self.timers.pop_first() {
            if due > self.now {
                self.timers.insert((due, job, place));
                break;
            }
            self.refresh(turn, &job, place);
            turn.wake = true;
        }
        self.windows_are_due(turn);
        self.succession_is_due(turn);
        while let Some((due, worker)) = self.fleet.first_poll() {
            if *due > self.now {
                break;
            }
            let worker = worker.clone();
            self.serve(turn, &worker);
        }
        while let Some((heard, worker)) = self.fleet.first_silent() {
            if self.forgotten_at(*heard) > self.now {
                break;
            }
            let worker = worker.clone();
            self.fleet.remove(&worker);
            self.fleet_changed(turn);
            turn.wake = true;
        }
    }

    /// A silent worker is forgotten when none of its leases can be left.
    fn forgotten_at(&self, heard: Timestamp) -> Timestamp {
        heard.after(self.settings.lease).after(self.settings.margin).after(self.settings.lease + self.settings.margin)
    }

    fn lease_is_due(&mut self, turn: &mut Turn, id: LeaseId) {
        match self.leases.get(id).map(|lease| lease.standing) {
            Some(Standing::Live { expires_at }) if expires_at <= self.now => {
                self.lease_died(turn, id, WhyEnded::Expired);
            }
            Some(Standing::Live { .. }) => self.lease_died(turn, id, WhyEnded::Stuck),
            Some(Standing::Ended { .. }) => self.settle_lease(turn, id),
            None => {}
        }
    }

    /// A live lease ran out without an answer. If it was about a single task, that task may be what kills its workers.
    pub(crate) fn lease_died(&mut self, turn: &mut Turn, id: LeaseId, why: WhyEnded) {
        let Some(lease) = self.leases.get(id).filter(|lease| lease.is_live()) else { return };
        let (job_id, place) = (lease.job.clone(), lease.place);
        let death = (lease.worker.clone(), lease.incarnation);
        let single = lease.unreported.runs().next().filter(|_| lease.unreported.len() == 1).map(|run| run.start);
        self.end_lease(turn, id, why);
        let Some(job) = self.jobs.get_mut(&job_id) else { return };
        let run = job.run;
        job.leases_expired = job.leases_expired.saturating_add(1);
        turn.changed.insert(job_id.clone());
        let Some((task, stage)) = single.zip(job.stage_mut(place)) else { return };
        let deaths = stage.deaths.entry(task).or_default();
        if deaths.insert(death.clone()) {
            let (stage, (worker, incarnation)) = (place.address(&job_id, run), death);
            self.record(turn, RecordFact::TaskDied { stage, task: TaskIndex(task), worker, incarnation });
        }
        self.fail_if_poisonous(turn, &job_id, place);
    }

    /// A task that was given to too many workers fails its job.
    pub(crate) fn fail_if_poisonous(&mut self, turn: &mut Turn, job_id: &JobId, place: StagePlace) {
        let limit = usize::from(self.settings.poison_limit.max(1));
        let Some(job) = self.jobs.get(job_id) else { return };
        let mut deaths = job.stage(place).into_iter().flat_map(|stage| &stage.deaths);
        let Some((task, deaths)) = deaths.find(|(_, deaths)| deaths.len() >= limit) else { return };
        let name = job.stage_plan(place).map(|stage| stage.name.clone()).unwrap_or_default();
        let workers = deaths.len();
        let message =
            format!("task {task} of stage {name} was given to {workers} workers, and each of them fell silent");
        self.fail_job(turn, job_id, Refusal::new(RefusalCode::FailedPrecondition, "TASK_POISONOUS", message));
    }
}
