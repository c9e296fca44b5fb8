//! How jobs end: cancelled, failed, succeeded. Each step is recorded before it takes effect.

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, LeaseId},
    job::JobState,
    record::RecordFact,
};

use crate::{
    command::Command,
    durable::Held,
    job::{Ending, Lifecycle},
    lease::WhyEnded,
    state::{Scheduler, Turn},
};

/// What a cancel, a retry or a delete leads to.
pub(crate) enum Verdict {
    Begin,
    Join,
    Confirm,
    Refuse(Refusal),
}

impl Scheduler {
    /// A caller cancels a job.
    pub(crate) fn cancel(&mut self, turn: &mut Turn, job_id: &JobId) {
        match self.judge_cancel(job_id) {
            Verdict::Begin => {
                self.await_confirmation(job_id);
                self.decide(turn, job_id, Ending::Cancelled);
            }
            Verdict::Join => self.await_confirmation(job_id),
            Verdict::Confirm => turn.commands.push(Command::Confirmed { job: job_id.clone() }),
            Verdict::Refuse(refusal) => turn.commands.push(Command::Refused { job: job_id.clone(), refusal }),
        }
    }

    fn judge_cancel(&self, job_id: &JobId) -> Verdict {
        let Some(job) = self.jobs.get(job_id).filter(|job| job.accepted_at.is_some()) else {
            return Verdict::Refuse(no_such_job(job_id));
        };
        let ended = || Verdict::Refuse(precondition("JOB_ENDED", format!("job {job_id} is {}", job.state().as_str())));
        let publishing = || {
            let message = format!("job {job_id} is publishing its result and can't be cancelled any more");
            Verdict::Refuse(precondition("PUBLISHING", message))
        };
        match &job.lifecycle {
            Lifecycle::Running if job.is_publishing => publishing(),
            Lifecycle::Running => Verdict::Begin,
            Lifecycle::Deciding { ending: Ending::Cancelled, .. } => Verdict::Join,
            Lifecycle::Ending(Ending::Cancelled) | Lifecycle::Cleaning | Lifecycle::Settling(Ending::Cancelled) => {
                Verdict::Confirm
            }
            Lifecycle::Ending(Ending::Succeeded) | Lifecycle::Settling(Ending::Succeeded) => publishing(),
            Lifecycle::Deciding { .. }
            | Lifecycle::Ending(Ending::Failed)
            | Lifecycle::Settling(Ending::Failed)
            | Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Deleting { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => ended(),
            Lifecycle::Submitted { .. } => Verdict::Refuse(no_such_job(job_id)),
        }
    }

    pub(crate) fn await_confirmation(&mut self, job_id: &JobId) {
        if let Some(job) = self.jobs.get_mut(job_id) {
            job.confirmations = job.confirmations.saturating_add(1);
        }
    }

    pub(crate) fn confirm(&mut self, turn: &mut Turn, job_id: &JobId) {
        let count = self.jobs.get_mut(job_id).map_or(0, |job| std::mem::take(&mut job.confirmations));
        turn.commands.extend((0..count).map(|_| Command::Confirmed { job: job_id.clone() }));
    }

    /// The job can't go on. While it is being removed, what is left stays.
    pub(crate) fn fail_job(&mut self, turn: &mut Turn, job_id: &JobId, refusal: Refusal) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let left_behind = |cause: &str, refusal: &Refusal| Refusal {
            message: format!("{cause}, but not all that it wrote could be removed: {}", refusal.message),
            ..refusal.clone()
        };
        match &job.lifecycle {
            Lifecycle::Running => {
                job.failure = Some(refusal);
                self.decide(turn, job_id, Ending::Failed);
            }
            Lifecycle::Cleaning => {
                job.failure = Some(left_behind("the job was cancelled", &refusal));
                self.decide(turn, job_id, Ending::Failed);
            }
            Lifecycle::Deleting { .. } => {
                let refusal = left_behind("the job was to be removed", &refusal);
                self.removal_failed(turn, job_id, &refusal);
            }
            Lifecycle::Submitted { .. }
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Settling(_)
            | Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => {}
        }
        turn.changed.insert(job_id.clone());
    }

    /// The job stops granting; how it ends takes effect when it is durable.
    fn decide(&mut self, turn: &mut Turn, job_id: &JobId, ending: Ending) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.lifecycle = Lifecycle::Deciding { ending, was: job.state() };
        let (state, failure) = match ending {
            Ending::Succeeded => (JobState::Succeeding, None),
            Ending::Failed => (JobState::Failing, job.failure.clone()),
            Ending::Cancelled => (JobState::Cancelling, None),
        };
        let fact = RecordFact::EndingDecided { job: job_id.clone(), run: job.run, ending: state, failure };
        self.requeue(turn, job_id);
        self.record_and_hold(turn, fact, Held::Decided(job_id.clone()));
    }

    /// The decision is durable: every lease is revoked.
    pub(crate) fn decided(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Lifecycle::Deciding { ending, .. } = job.lifecycle else { return };
        job.lifecycle = Lifecycle::Ending(ending);
        self.revoke_all(turn, job_id);
        self.confirm(turn, job_id);
        turn.touch(job_id);
    }

    pub(crate) fn revoke_all(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get(job_id) else { return };
        let stages = job.open.values().flat_map(|pipeline| &pipeline.stages);
        let live: Vec<LeaseId> = stages.flat_map(|stage| stage.leases.iter().copied()).collect();
        for lease in live {
            self.end_lease(turn, lease, WhyEnded::Revoked);
        }
    }

    /// No lease of the job can write any more: it is settled, or cleaned first. Says whether it went on to another phase.
    pub(crate) fn leases_are_over(&mut self, turn: &mut Turn, job_id: &JobId, ending: Ending) -> bool {
        let Some(job) = self.jobs.get_mut(job_id) else { return false };
        match ending {
            Ending::Cancelled => {
                job.lifecycle = Lifecycle::Cleaning;
                let phase = job.cleanup_phase();
                self.begin_phase(job_id, phase);
                true
            }
            Ending::Succeeded => self.settle(turn, job_id, ending, JobState::Succeeded),
            Ending::Failed => self.settle(turn, job_id, ending, JobState::Failed),
        }
    }

    /// The cleanup phase is complete; says whether the job moved on.
    pub(crate) fn is_clean(&mut self, turn: &mut Turn, job_id: &JobId) -> bool {
        let Some(job) = self.jobs.get(job_id).filter(|job| !job.may_be_written()) else { return false };
        if let Lifecycle::Deleting { forget } = job.lifecycle {
            self.is_removed(turn, job_id, forget);
            false
        } else {
            self.settle(turn, job_id, Ending::Cancelled, JobState::Cancelled)
        }
    }

    fn settle(&mut self, turn: &mut Turn, job_id: &JobId, ending: Ending, state: JobState) -> bool {
        let Some(job) = self.jobs.get_mut(job_id) else { return false };
        job.lifecycle = Lifecycle::Settling(ending);
        let fact = RecordFact::JobSettled { job: job_id.clone(), run: job.run, state };
        self.requeue(turn, job_id);
        self.record_and_hold(turn, fact, Held::Settled(job_id.clone()));
        false
    }

    /// The end is durable: the job is terminal.
    pub(crate) fn settled(&mut self, turn: &mut Turn, job_id: &JobId) {
        self.end(turn, job_id);
        self.forget_oldest(turn);
    }

    /// The job is terminal. A failed one keeps what is done for a retry, and what it wrote until its window ends.
    pub(crate) fn end(&mut self, turn: &mut Turn, job_id: &JobId) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Lifecycle::Settling(ending) = job.lifecycle else { return };
        job.lifecycle = Lifecycle::Ended(ending);
        job.ended_at = Some(now);
        if ending != Ending::Failed {
            job.open.clear();
        }
        self.unindex(job_id);
        if ending == Ending::Failed {
            self.open_window(job_id);
        }
        turn.changed.insert(job_id.clone());
    }
}

pub(crate) fn precondition(reason: &str, message: String) -> Refusal {
    Refusal::new(RefusalCode::FailedPrecondition, reason, message)
}

pub(crate) fn no_such_job(job: &JobId) -> Refusal {
    Refusal::new(RefusalCode::NotFound, "NO_SUCH_JOB", format!("there is no job {job}"))
}
