//! Keeps the indexes of jobs and scheduler in step with the stages: the only place that writes them.

use rechunk_common::ids::JobId;

use crate::{
    job::{Ghosts, Job},
    stage::{Indexed, StagePlace, TaskClass},
    state::{Scheduler, Turn},
};

impl Scheduler {
    /// Brings the indexes up to date with a stage; called after every change of one.
    pub(crate) fn refresh(&mut self, turn: &mut Turn, job_id: &JobId, place: StagePlace) {
        let (now, lease_work) = (self.now, self.settings.lease_work);
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let had_headroom = job.headroom() > 0;
        let Some(stage) = job.stage_mut(place) else { return };
        let new = stage.index_at(now, lease_work);
        let old = std::mem::replace(&mut stage.indexed, new);
        if old == new {
            return;
        }
        let (class, row) = (stage.class.clone(), stage.row);
        job.leased = job.leased.saturating_add(new.leased).saturating_sub(old.leased);
        if let Some(row) = row.and_then(|row| job.rows.get_mut(row)) {
            row.leased = row.leased.saturating_add(new.leased).saturating_sub(old.leased);
            row.done = row.done.saturating_add(new.done).saturating_sub(old.done);
        }
        job.index_ready(&class, place, new.is_ready);
        if new.is_late {
            job.late.insert(place);
        } else {
            job.late.remove(&place);
        }
        turn.wake |=
            (new.is_ready && !old.is_ready) || (new.is_late && !old.is_late) || (!had_headroom && job.headroom() > 0);
        // A job without a fresh task may open its next pipeline.
        if old.is_ready && job.ready.is_empty() {
            turn.touch(job_id);
        }
        if old.due != new.due {
            self.index_timer(job_id, place, old, new);
        }
        self.requeue(turn, job_id);
    }

    fn index_timer(&mut self, job_id: &JobId, place: StagePlace, old: Indexed, new: Indexed) {
        if let Some(due) = old.due {
            self.timers.remove(&(due, job_id.clone(), place));
        }
        if let Some(due) = new.due {
            self.timers.insert((due, job_id.clone(), place));
        }
    }

    /// Puts the job into the queues of jobs that have something to lease, or takes it out.
    pub(crate) fn requeue(&mut self, turn: &mut Turn, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let is_active = job.lifecycle.is_active() && job.ghosts != Ghosts::MayBeHeld;
        // Two runs of a task at a time would pass a limit on tasks at a time.
        if is_active && !job.late.is_empty() && job.max_parallel_tasks.is_none() {
            if !self.late.contains(job_id) {
                self.late.insert(job_id.clone());
            }
        } else {
            self.late.remove(job_id);
        }
        let belongs = is_active && !job.ready.is_empty() && job.headroom() > 0;
        if belongs != job.is_queued {
            job.is_queued = belongs;
            if belongs {
                job.pass = job.pass.max(self.turns.floor);
                self.turns.insert(job.pass, job_id);
                turn.wake = true;
            } else {
                self.turns.remove(job.pass, job_id);
            }
        }
    }

    /// Takes the job out of every index, because its open pipelines are left behind.
    pub(crate) fn unindex(&mut self, job_id: &JobId) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        if job.is_queued {
            job.is_queued = false;
            self.turns.remove(job.pass, job_id);
        }
        job.ready.clear();
        job.late.clear();
        job.leased = 0;
        for row in &mut job.rows {
            row.leased = 0;
        }
        let phase = job.phase;
        for (pipeline, progress) in &mut job.open {
            for (stage, progress) in (0_u32..).zip(&mut progress.stages) {
                let old = progress.indexed;
                progress.indexed = Indexed { done: old.done, ..Indexed::default() };
                if let Some(due) = old.due {
                    self.timers.remove(&(due, job_id.clone(), StagePlace { phase, pipeline: *pipeline, stage }));
                }
            }
        }
        self.late.remove(job_id);
    }
}

impl Job {
    fn index_ready(&mut self, class: &TaskClass, place: StagePlace, is_ready: bool) {
        if is_ready {
            if let Some(places) = self.ready.get_mut(class) {
                places.insert(place);
            } else {
                self.ready.insert(class.clone(), [place].into());
            }
        } else if let Some(places) = self.ready.get_mut(class) {
            places.remove(&place);
            if places.is_empty() {
                self.ready.remove(class);
            }
        }
    }
}
