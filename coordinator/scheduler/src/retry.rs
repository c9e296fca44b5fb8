//! A failed job goes on: a new run that keeps what is done. Recorded before it takes effect.

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, RunNumber},
    limits::MAX_LIVE_JOBS,
    record::RecordFact,
    task_set::{TaskRange, TaskSet},
};

use crate::{
    command::Command,
    durable::Held,
    ending::{Verdict, no_such_job, precondition},
    job::{Ending, Lifecycle, Remains},
    stage::{StagePlace, StageProgress},
    state::{Scheduler, Turn},
    waiting::WaitingTasks,
};

impl Scheduler {
    /// A caller retries a failed job.
    pub(crate) fn retry(&mut self, turn: &mut Turn, job_id: &JobId) {
        match self.judge_retry(job_id) {
            Verdict::Begin => {
                self.await_confirmation(job_id);
                self.close_window(job_id);
                let Some(job) = self.jobs.get_mut(job_id) else { return };
                job.lifecycle = Lifecycle::Retrying;
                let run = RunNumber(job.run.0.saturating_add(1));
                let fact = RecordFact::RetryStarted { job: job_id.clone(), run };
                self.record_and_hold(turn, fact, Held::Retried(job_id.clone()));
            }
            Verdict::Join => self.await_confirmation(job_id),
            Verdict::Confirm => turn.commands.push(Command::Confirmed { job: job_id.clone() }),
            Verdict::Refuse(refusal) => turn.commands.push(Command::Refused { job: job_id.clone(), refusal }),
        }
    }

    fn judge_retry(&self, job_id: &JobId) -> Verdict {
        let Some(job) = self.jobs.get(job_id).filter(|job| job.accepted_at.is_some()) else {
            return Verdict::Refuse(no_such_job(job_id));
        };
        let gone = || {
            let message = format!("what job {job_id} wrote is removed, or is being removed; submit it again");
            Verdict::Refuse(precondition("JOB_REMOVED", message))
        };
        match &job.lifecycle {
            Lifecycle::Retrying => Verdict::Join,
            Lifecycle::Ended(Ending::Failed) => {
                if job.remains != Remains::Kept {
                    gone()
                } else if job.phase >= job.cleanup_phase() {
                    let message = format!("job {job_id} was cancelled, and its removal failed; delete it");
                    Verdict::Refuse(precondition("JOB_CANCELLED", message))
                } else if let Some(place) = job.first_mismatch() {
                    // A retry keeps what is done, and so would keep it.
                    Verdict::Refuse(job.mismatch(place))
                } else {
                    self.judge_room_for(job_id)
                }
            }
            Lifecycle::Condemned { .. } | Lifecycle::Deleting { .. } | Lifecycle::Removing => gone(),
            Lifecycle::Submitted { .. } => Verdict::Refuse(no_such_job(job_id)),
            Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled)
            | Lifecycle::Forgetting(_) => {
                let message = format!("job {job_id} is {}; only a failed job is retried", job.state().as_str());
                Verdict::Refuse(precondition("JOB_NOT_FAILED", message))
            }
        }
    }

    /// Whether the job may come back beside those that are live.
    fn judge_room_for(&self, job_id: &JobId) -> Verdict {
        let live = self.jobs.values().filter(|job| !job.state().is_terminal()).count();
        if live >= MAX_LIVE_JOBS {
            let message =
                format!("{live} jobs are running or waiting, and MAX_LIVE_JOBS is {MAX_LIVE_JOBS}; try later");
            return Verdict::Refuse(Refusal::new(RefusalCode::ResourceExhausted, "TOO_MANY_JOBS", message));
        }
        match self.job_in_the_way(job_id) {
            Some(other) => {
                let message = format!("job {other} uses the target or the temporary space of job {job_id}");
                Verdict::Refuse(precondition("TARGET_REUSED", message))
            }
            None => Verdict::Begin,
        }
    }

    /// The new run is durable: every task that is not done is to be leased again, with its faults forgotten.
    pub(crate) fn retried(&mut self, turn: &mut Turn, job_id: &JobId) {
        self.close_window(job_id);
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.run = RunNumber(job.run.0.saturating_add(1));
        job.lifecycle = Lifecycle::Running;
        job.failure = None;
        job.ended_at = None;
        let phase = job.phase;
        let mut places = Vec::new();
        for (pipeline, progress) in &mut job.open {
            for (stage, progress) in (0_u32..).zip(&mut progress.stages) {
                progress.start_again();
                places.push(StagePlace { phase, pipeline: *pipeline, stage });
            }
        }
        for place in places {
            self.refresh(turn, job_id, place);
            self.decide_barrier(turn, job_id, place);
        }
        self.confirm(turn, job_id);
        turn.touch(job_id);
    }
}

impl StageProgress {
    /// Keeps what is done; all else is as when the stage opened.
    fn start_again(&mut self) {
        let open: TaskSet = self.done.gaps(TaskRange::new(0, self.task_count)).into_iter().collect();
        self.untouched = open;
        self.waiting = WaitingTasks::default();
        self.blocked.clear();
        self.repairs.clear();
        self.failures.clear();
        self.deaths.clear();
        self.leases.clear();
        self.unbacked.clear();
    }
}
