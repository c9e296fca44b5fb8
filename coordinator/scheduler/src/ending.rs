//! How jobs end: cancelled, failed, succeeded, deleted. Each step is recorded before it takes effect.

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, LeaseId},
    job::JobState,
    limits::MAX_REMEMBERED_JOBS,
};

use crate::{
    command::{Command, RecordFact},
    durable::Held,
    event::Timestamp,
    job::{Ending, Lifecycle},
    lease::WhyEnded,
    state::{Scheduler, Turn},
    view::spaces_overlap,
};

/// What a cancel or a delete leads to.
enum Verdict {
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
            | Lifecycle::Deleting
            | Lifecycle::Forgetting(_) => ended(),
            Lifecycle::Submitted { .. } => Verdict::Refuse(no_such_job(job_id)),
        }
    }

    /// A caller deletes a terminal job.
    pub(crate) fn delete(&mut self, turn: &mut Turn, job_id: &JobId) {
        match self.judge_delete(job_id) {
            Verdict::Begin => {
                self.await_confirmation(job_id);
                let Some(job) = self.jobs.get_mut(job_id) else { return };
                if job.lifecycle == Lifecycle::Ended(Ending::Failed) {
                    job.lifecycle = Lifecycle::Deleting;
                    let phase = job.cleanup_phase();
                    self.begin_phase(job_id, phase);
                    turn.touch(job_id);
                } else {
                    self.forget(turn, job_id);
                }
            }
            Verdict::Join => self.await_confirmation(job_id),
            Verdict::Confirm => turn.commands.push(Command::Confirmed { job: job_id.clone() }),
            Verdict::Refuse(refusal) => turn.commands.push(Command::Refused { job: job_id.clone(), refusal }),
        }
    }

    fn judge_delete(&self, job_id: &JobId) -> Verdict {
        let Some(job) = self.jobs.get(job_id).filter(|job| job.accepted_at.is_some()) else {
            return Verdict::Refuse(no_such_job(job_id));
        };
        match &job.lifecycle {
            Lifecycle::Ended(Ending::Failed) => match self.job_in_the_way(job_id) {
                Some(other) => {
                    let message = format!(
                        "job {job_id} would remove what it wrote, but job {other} uses the same target or temporary space"
                    );
                    Verdict::Refuse(precondition("TARGET_REUSED", message))
                }
                None => Verdict::Begin,
            },
            Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled) => Verdict::Begin,
            Lifecycle::Deleting | Lifecycle::Forgetting(_) => Verdict::Join,
            Lifecycle::Submitted { .. } => Verdict::Refuse(no_such_job(job_id)),
            Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_) => {
                let message = format!("job {job_id} is {}; cancel it first", job.state().as_str());
                Verdict::Refuse(precondition("JOB_LIVE", message))
            }
        }
    }

    /// A job that has written, or will write, where deleting this one would remove.
    fn job_in_the_way(&self, job_id: &JobId) -> Option<&JobId> {
        let spaces = self.jobs.get(job_id)?.spaces();
        let accepted = self.jobs.get(job_id)?.accepted_at;
        self.jobs.iter().find_map(|(other_id, other)| {
            let is_live = !other.state().is_terminal() || other.lifecycle == Lifecycle::Deleting;
            let is_newer = other.accepted_at > accepted && other.state() == JobState::Succeeded;
            let overlaps = || other.spaces().iter().any(|a| spaces.iter().any(|b| spaces_overlap(a, b)));
            (other_id != job_id && (is_live || is_newer) && overlaps()).then_some(other_id)
        })
    }

    fn await_confirmation(&mut self, job_id: &JobId) {
        if let Some(job) = self.jobs.get_mut(job_id) {
            job.confirmations = job.confirmations.saturating_add(1);
        }
    }

    fn confirm(&mut self, turn: &mut Turn, job_id: &JobId) {
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
            Lifecycle::Deleting => {
                let refusal = left_behind("the job was to be deleted", &refusal);
                job.lifecycle = Lifecycle::Ended(Ending::Failed);
                let count = std::mem::take(&mut job.confirmations);
                self.revoke_all(turn, job_id);
                self.unindex(job_id);
                let refused = Command::Refused { job: job_id.clone(), refusal };
                turn.commands.extend((0..count).map(|_| refused.clone()));
            }
            Lifecycle::Submitted { .. }
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Settling(_)
            | Lifecycle::Ended(_)
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

    fn revoke_all(&mut self, turn: &mut Turn, job_id: &JobId) {
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
        let Some(job) = self.jobs.get(job_id).filter(|job| job.leases.is_empty()) else { return false };
        if job.lifecycle == Lifecycle::Deleting {
            self.forget(turn, job_id);
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
        let now = self.now;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Lifecycle::Settling(ending) = job.lifecycle else { return };
        job.lifecycle = Lifecycle::Ended(ending);
        job.ended_at = Some(now);
        if ending != Ending::Failed {
            job.open.clear();
        }
        self.unindex(job_id);
        turn.changed.insert(job_id.clone());
        self.forget_oldest(turn);
    }

    fn forget(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let ending = match &job.lifecycle {
            Lifecycle::Ended(ending) => *ending,
            Lifecycle::Deleting => Ending::Failed,
            Lifecycle::Submitted { .. }
            | Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Forgetting(_) => return,
        };
        job.lifecycle = Lifecycle::Forgetting(ending);
        self.requeue(turn, job_id);
        self.record_and_hold(turn, RecordFact::JobDeleted { job: job_id.clone() }, Held::Deleted(job_id.clone()));
    }

    /// The deletion is durable: the job was never here.
    pub(crate) fn deleted(&mut self, turn: &mut Turn, job_id: &JobId) {
        self.confirm(turn, job_id);
        self.unindex(job_id);
        let Some(job) = self.jobs.remove(job_id) else { return };
        if let Some(request) = job.request_id.filter(|request| self.requests.get(request) == Some(job_id)) {
            self.requests.remove(&request);
        }
    }

    /// Of too many terminal jobs, the one that ended first is forgotten; failed ones are not: they have left objects.
    fn forget_oldest(&mut self, turn: &mut Turn) {
        let ended =
            |lifecycle: &Lifecycle| matches!(lifecycle, Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled));
        let terminal = self.jobs.iter().filter(|(_, job)| ended(&job.lifecycle));
        let (count, oldest) =
            terminal.fold((0_usize, None::<(Option<Timestamp>, &JobId)>), |(count, oldest), (id, job)| {
                let this = (job.ended_at, id);
                (count.saturating_add(1), Some(oldest.map_or(this, |oldest| oldest.min(this))))
            });
        if let Some((_, oldest)) = oldest.filter(|_| count > MAX_REMEMBERED_JOBS) {
            let oldest = oldest.clone();
            self.forget(turn, &oldest);
        }
    }
}

fn precondition(reason: &str, message: String) -> Refusal {
    Refusal::new(RefusalCode::FailedPrecondition, reason, message)
}

fn no_such_job(job: &JobId) -> Refusal {
    Refusal::new(RefusalCode::NotFound, "NO_SUCH_JOB", format!("there is no job {job}"))
}
