//! How terminal jobs go: what a failed one wrote is removed when a caller deletes it or nobody has retried it in time,
//! and the job is forgotten. Each step is recorded before it takes effect.

use std::time::Duration;

use rechunk_common::{Refusal, ids::JobId, job::JobState, limits::MAX_REMEMBERED_JOBS, record::RecordFact};

use crate::{
    command::Command,
    durable::Held,
    ending::{Verdict, no_such_job, precondition},
    event::Timestamp,
    job::{Ending, Lifecycle, Remains},
    state::{Scheduler, Turn},
    view::spaces_overlap,
};

impl Scheduler {
    /// A caller deletes a terminal job.
    pub(crate) fn delete(&mut self, turn: &mut Turn, job_id: &JobId) {
        match self.judge_delete(job_id) {
            Verdict::Begin => {
                self.await_confirmation(job_id);
                let leaves = |lifecycle: &Lifecycle| *lifecycle == Lifecycle::Ended(Ending::Failed);
                let job = self.jobs.get(job_id);
                if job.is_some_and(|job| leaves(&job.lifecycle) && job.remains != Remains::Removed) {
                    self.condemn(turn, job_id, true);
                } else {
                    self.forget(turn, job_id);
                }
            }
            Verdict::Join => {
                self.await_confirmation(job_id);
                // The window has ended, and the removal runs: now the job goes with it.
                if let Some(Lifecycle::Condemned { forget } | Lifecycle::Deleting { forget }) =
                    self.jobs.get_mut(job_id).map(|job| &mut job.lifecycle)
                {
                    *forget = true;
                }
            }
            Verdict::Confirm => turn.commands.push(Command::Confirmed { job: job_id.clone() }),
            Verdict::Refuse(refusal) => turn.commands.push(Command::Refused { job: job_id.clone(), refusal }),
        }
    }

    fn judge_delete(&self, job_id: &JobId) -> Verdict {
        let Some(job) = self.jobs.get(job_id).filter(|job| job.accepted_at.is_some()) else {
            return Verdict::Refuse(no_such_job(job_id));
        };
        match &job.lifecycle {
            Lifecycle::Ended(Ending::Failed) if job.remains != Remains::Removed => match self.job_in_the_way(job_id) {
                Some(other) => {
                    let message = format!(
                        "job {job_id} would remove what it wrote, but job {other} uses the same target or temporary space"
                    );
                    Verdict::Refuse(precondition("TARGET_REUSED", message))
                }
                None => Verdict::Begin,
            },
            Lifecycle::Ended(_) => Verdict::Begin,
            Lifecycle::Condemned { .. } | Lifecycle::Deleting { .. } | Lifecycle::Forgetting(_) => Verdict::Join,
            Lifecycle::Submitted { .. } => Verdict::Refuse(no_such_job(job_id)),
            Lifecycle::Removing => {
                let message = format!("what job {job_id} wrote is just being removed; try again");
                Verdict::Refuse(precondition("JOB_LIVE", message))
            }
            Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Retrying
            | Lifecycle::Settling(_) => {
                let message = format!("job {job_id} is {}; cancel it first", job.state().as_str());
                Verdict::Refuse(precondition("JOB_LIVE", message))
            }
        }
    }

    /// A job that has written, or will write, where this one did.
    pub(crate) fn job_in_the_way(&self, job_id: &JobId) -> Option<&JobId> {
        let spaces = self.jobs.get(job_id)?.spaces();
        let accepted = self.jobs.get(job_id)?.accepted_at;
        self.jobs.iter().find_map(|(other_id, other)| {
            let is_newer = other.accepted_at > accepted && other.state() == JobState::Succeeded;
            let overlaps = || other.spaces().iter().any(|a| spaces.iter().any(|b| spaces_overlap(a, b)));
            (other_id != job_id && (other.is_live() || is_newer) && overlaps()).then_some(other_id)
        })
    }

    /// What the failed job wrote is to be removed; from when that is recorded on, it can't be retried.
    fn condemn(&mut self, turn: &mut Turn, job_id: &JobId, forget: bool) {
        self.close_window(job_id);
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.lifecycle = Lifecycle::Condemned { forget };
        let fact = RecordFact::CleanupStarted { job: job_id.clone() };
        self.record_and_hold(turn, fact, Held::Condemned(job_id.clone()));
    }

    /// The removal is recorded: the cleanup phase runs.
    pub(crate) fn condemned(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Lifecycle::Condemned { forget } = job.lifecycle else { return };
        job.lifecycle = Lifecycle::Deleting { forget };
        job.remains = Remains::Condemned;
        let phase = job.cleanup_phase();
        self.begin_phase(job_id, phase);
        turn.touch(job_id);
    }

    /// Nothing is left of what the job wrote.
    pub(crate) fn is_removed(&mut self, turn: &mut Turn, job_id: &JobId, forget: bool) {
        if forget {
            self.forget(turn, job_id);
            return;
        }
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.lifecycle = Lifecycle::Removing;
        self.requeue(turn, job_id);
        self.record_and_hold(turn, RecordFact::CleanupDone { job: job_id.clone() }, Held::Removed(job_id.clone()));
    }

    /// That nothing is left is durable.
    pub(crate) fn removed(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.lifecycle = Lifecycle::Ended(Ending::Failed);
        job.remains = Remains::Removed;
        job.open.clear();
        self.unindex(job_id);
        turn.changed.insert(job_id.clone());
    }

    /// The removal broke off: what is left stays, and is tried again when another window has ended.
    pub(crate) fn removal_failed(&mut self, turn: &mut Turn, job_id: &JobId, refusal: &Refusal) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.lifecycle = Lifecycle::Ended(Ending::Failed);
        let count = std::mem::take(&mut job.confirmations);
        self.revoke_all(turn, job_id);
        self.unindex(job_id);
        self.open_window(job_id);
        let refused = Command::Refused { job: job_id.clone(), refusal: refusal.clone() };
        turn.commands.extend((0..count).map(|_| refused.clone()));
    }

    /// A failed job keeps what it wrote for so long from now.
    pub(crate) fn open_window(&mut self, job_id: &JobId) {
        self.close_window(job_id);
        let due = self.now.after(self.settings.retry_window.max(Duration::from_millis(1)));
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.window = Some(due);
        self.windows.insert((due, job_id.clone()));
    }

    /// Nothing is removed of itself any more.
    pub(crate) fn close_window(&mut self, job_id: &JobId) {
        if let Some(due) = self.jobs.get_mut(job_id).and_then(|job| job.window.take()) {
            self.windows.remove(&(due, job_id.clone()));
        }
    }

    /// What failed jobs wrote whose window has ended is removed, unless another job uses the place now.
    pub(crate) fn windows_are_due(&mut self, turn: &mut Turn) {
        while let Some((due, job_id)) = self.windows.first().cloned() {
            if due > self.now {
                return;
            }
            let is_failed = self.jobs.get(&job_id).is_some_and(|job| job.lifecycle == Lifecycle::Ended(Ending::Failed));
            if !is_failed {
                self.windows.remove(&(due, job_id));
            } else if self.job_in_the_way(&job_id).is_some() {
                self.open_window(&job_id);
            } else {
                self.condemn(turn, &job_id, false);
            }
        }
    }

    pub(crate) fn forget(&mut self, turn: &mut Turn, job_id: &JobId) {
        self.close_window(job_id);
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let ending = match &job.lifecycle {
            Lifecycle::Ended(ending) => *ending,
            Lifecycle::Deleting { .. } => Ending::Failed,
            Lifecycle::Submitted { .. }
            | Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
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

    /// Of too many terminal jobs, the one that ended first is forgotten; failed ones only when nothing is left of them.
    pub(crate) fn forget_oldest(&mut self, turn: &mut Turn) {
        let terminal = self.jobs.iter().filter(|(_, job)| match job.lifecycle {
            Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled) => true,
            Lifecycle::Ended(Ending::Failed) => job.remains == Remains::Removed,
            Lifecycle::Submitted { .. }
            | Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Deleting { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => false,
        });
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
