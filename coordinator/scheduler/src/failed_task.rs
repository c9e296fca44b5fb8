//! A task failed: tried again later or elsewhere, after a repair of its input, or the job fails.

use rechunk_common::{
    FailureClass, Refusal, RefusalCode, TaskFailure,
    ids::{JobId, LeaseId, WorkerId},
    plan::RetryPolicy,
    session::FailedTask,
    task_set::TaskRange,
};

use crate::{
    event::Timestamp,
    lease::{LeaseKind, LeaseState},
    repair::{LostTask, MOST_REPAIRS, RepairState},
    stage::StagePlace,
    state::{Scheduler, Turn},
    waiting::Waiting,
};

impl Scheduler {
    /// Takes the failure of a task; it counts only from the live lease that holds it.
    pub(crate) fn task_failed(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        place: StagePlace,
        own: Option<LeaseId>,
        failed: &FailedTask,
    ) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.count_repeated(place, failed.counts);
        let task = failed.task.0;
        let Some(id) = own else { return };
        let Some(lease) = self.leases.get(id).filter(|lease| lease.unreported.contains(task)).cloned() else { return };
        let progress_ms = self.progress_ms();
        self.leases.change(id, progress_ms, |lease| {
            lease.unreported.remove(TaskRange::single(task));
        });
        let Some(stage) = self.jobs.get(job_id).and_then(|job| job.stage(place)) else { return };
        let is_needed = lease.kind == LeaseKind::Repair || !stage.done.contains(task);
        if !lease.is_live() || !is_needed {
            return;
        }
        let may_be_the_worker = matches!(failed.failure.class, FailureClass::TryAgain | FailureClass::TryElsewhere);
        if let Some(worker) = self.fleet.get_mut(&lease.worker).filter(|_| may_be_the_worker) {
            worker.record.note_failure(self.now);
        }
        match failed.failure.class {
            FailureClass::TryAgain => self.try_again(turn, job_id, &lease, task, &failed.failure, None),
            FailureClass::TryElsewhere => {
                let not_on = Some(lease.worker.clone());
                self.try_again(turn, job_id, &lease, task, &failed.failure, not_on);
            }
            FailureClass::InputLost { stages_back, task: lost } => {
                let writer = lease.place.back(stages_back).filter(|_| stages_back > 0);
                self.input_lost(turn, job_id, &lease, task, (writer, lost.0), &failed.failure);
            }
            FailureClass::GiveUpTask | FailureClass::InvalidRequest | FailureClass::Bug => {
                self.put_back(turn, job_id, &lease, task, self.now, None);
                self.fail_job(turn, job_id, refusal(&failed.failure));
            }
        }
    }

    /// The task waits until `due`, unless the lease's partner still holds it.
    fn put_back(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        lease: &LeaseState,
        task: u64,
        due: Timestamp,
        not_on: Option<WorkerId>,
    ) {
        let is_held = self.partner_holds(lease, task);
        let Some(stage) = self.jobs.get_mut(job_id).and_then(|job| job.stage_mut(lease.place)) else { return };
        if lease.kind == LeaseKind::Repair {
            if let Some(repair) = stage.repairs.get_mut(&task) {
                repair.state = RepairState::Waiting { due, not_on };
            }
        } else if !is_held {
            stage.waiting.push(due, TaskRange::single(task), Waiting { not_on, was_tried: true });
        }
        turn.wake |= due <= self.now;
    }

    fn try_again(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        lease: &LeaseState,
        task: u64,
        failure: &TaskFailure,
        not_on: Option<WorkerId>,
    ) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Some((name, policy)) = job.stage_plan(lease.place).map(|plan| (plan.name.clone(), plan.retry)) else {
            return;
        };
        let Some(stage) = job.stage_mut(lease.place) else { return };
        let attempts = stage.failures.entry(task).or_insert(0);
        *attempts = attempts.saturating_add(1);
        let attempts = *attempts;
        self.put_back(turn, job_id, lease, task, retry_at(self.now, policy, attempts), not_on);
        if attempts >= policy.max_attempts.max(1) {
            let message = format!("{} (task {task} of stage {name}, after {attempts} attempts)", failure.message);
            self.fail_job(turn, job_id, refusal(&TaskFailure::new(failure.class, message)));
        }
    }

    /// The output of a task of the stage at `writer` is gone: it is written again while `task` waits.
    fn input_lost(
        &mut self,
        turn: &mut Turn,
        job_id: &JobId,
        lease: &LeaseState,
        task: u64,
        (writer, lost): (Option<StagePlace>, u64),
        failure: &TaskFailure,
    ) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let owner = writer.and_then(|writer| job.stage_mut(writer)).filter(|stage| lost < stage.task_count);
        let Some((writer, owner)) = writer.zip(owner) else {
            let message = format!("{} (no stage before has a task {lost} that writes it)", failure.message);
            self.put_back(turn, job_id, lease, task, now, None);
            self.fail_job(turn, job_id, refusal(&TaskFailure::new(FailureClass::Bug, message)));
            return;
        };
        let repair = owner.repairs.entry(lost).or_default();
        let RepairState::Finished(finished_at) = repair.state else {
            // It is being repaired already.
            self.block(job_id, lease, task, LostTask { stage: writer.stage, task: lost });
            return;
        };
        // An attempt that began before the latest repair was finished may have read what was there before it.
        if repair.rounds > 0 && lease.granted_at < finished_at {
            self.put_back(turn, job_id, lease, task, now, None);
            return;
        }
        if repair.rounds >= MOST_REPAIRS {
            let message = format!("{} (its task {lost} was run {MOST_REPAIRS} times more)", failure.message);
            let refusal = Refusal::new(RefusalCode::FailedPrecondition, "INPUT_LOST", cut(message));
            self.put_back(turn, job_id, lease, task, now, None);
            self.fail_job(turn, job_id, refusal);
            return;
        }
        repair.rounds = repair.rounds.saturating_add(1);
        repair.state = RepairState::Waiting { due: now, not_on: None };
        turn.wake = true;
        self.block(job_id, lease, task, LostTask { stage: writer.stage, task: lost });
        self.refresh(turn, job_id, writer);
    }

    /// The task waits until the lost output is written again, unless the lease's partner still holds it.
    fn block(&mut self, job_id: &JobId, lease: &LeaseState, task: u64, lost: LostTask) {
        let is_held = self.partner_holds(lease, task);
        let Some(stage) = self.jobs.get_mut(job_id).and_then(|job| job.stage_mut(lease.place)) else { return };
        if lease.kind == LeaseKind::Repair {
            if let Some(repair) = stage.repairs.get_mut(&task) {
                repair.state = RepairState::Blocked(lost);
            }
        } else if !is_held {
            stage.blocked.insert(task, lost);
        }
    }

    /// The output of `task` is there again: who waited for it is leased again.
    pub(crate) fn repair_is_done(&mut self, turn: &mut Turn, job_id: &JobId, place: StagePlace, task: u64) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        if let Some(repair) = job.stage_mut(place).and_then(|stage| stage.repairs.get_mut(&task)) {
            repair.state = RepairState::Finished(now);
        }
        self.refresh(turn, job_id, place);
        let lost = LostTask { stage: place.stage, task };
        let mut later = place.next();
        while let Some(readers) = self.jobs.get_mut(job_id).and_then(|job| job.stage_mut(later)) {
            turn.wake |= readers.unblock(lost, now);
            self.refresh(turn, job_id, later);
            later = later.next();
        }
    }

    fn partner_holds(&self, lease: &LeaseState, task: u64) -> bool {
        lease
            .partner
            .and_then(|partner| self.leases.get(partner))
            .is_some_and(|partner| partner.is_live() && partner.unreported.contains(task))
    }
}

/// When the attempt after `attempts` failed ones may begin: the wait doubles each time.
fn retry_at(now: Timestamp, policy: RetryPolicy, attempts: u32) -> Timestamp {
    let doublings = attempts.saturating_sub(1).min(62);
    let wait = policy.first_wait_ms.saturating_mul(1_u64 << doublings);
    now.after_ms(wait.min(policy.longest_wait_ms))
}

/// What the caller of the job is told.
fn refusal(failure: &TaskFailure) -> Refusal {
    let (code, reason) = match failure.class {
        FailureClass::TryAgain | FailureClass::TryElsewhere | FailureClass::GiveUpTask => {
            (RefusalCode::FailedPrecondition, "TASK_FAILED")
        }
        FailureClass::InputLost { .. } => (RefusalCode::FailedPrecondition, "INPUT_LOST"),
        FailureClass::InvalidRequest => (RefusalCode::InvalidArgument, "INVALID_REQUEST"),
        FailureClass::Bug => (RefusalCode::Internal, "BUG"),
    };
    Refusal::new(code, reason, cut(failure.message.clone()))
}

/// A message no longer than its limit, cut at a character.
fn cut(mut message: String) -> String {
    let mut end = rechunk_common::limits::MAX_ERROR_MESSAGE_BYTES.min(message.len());
    while !message.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    message.truncate(end);
    message
}
