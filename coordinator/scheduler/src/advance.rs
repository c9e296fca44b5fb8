//! Moves a job on as far as it can go: stages open, pipelines and phases follow each other, endings settle.

use rechunk_common::{
    ids::JobId,
    plan::{Stage, StageEffect},
};

use crate::{
    barrier::{self, BarrierPassed},
    job::{Ending, Job, Lifecycle, PipelineProgress},
    stage::{StagePlace, StageProgress, first_with_tasks},
    state::{Scheduler, Turn},
};

impl Scheduler {
    /// Advances every job that this turn has touched.
    pub(crate) fn advance_touched(&mut self, turn: &mut Turn) {
        while let Some(job) = turn.touched.pop_first() {
            while self.advance(turn, &job) {}
            turn.changed.insert(job);
        }
    }

    /// One step; says whether the job moved to another phase or state, so that there may be another.
    fn advance(&mut self, turn: &mut Turn, job_id: &JobId) -> bool {
        let Some(job) = self.jobs.get(job_id) else { return false };
        match &job.lifecycle {
            Lifecycle::Running | Lifecycle::Cleaning | Lifecycle::Deleting { .. } => self.advance_phase(turn, job_id),
            Lifecycle::Ending(ending) => {
                let ending = *ending;
                !job.may_be_written() && self.leases_are_over(turn, job_id, ending)
            }
            Lifecycle::Submitted { .. }
            | Lifecycle::Deciding { .. }
            | Lifecycle::Settling(_)
            | Lifecycle::Ended(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => false,
        }
    }

    fn advance_phase(&mut self, turn: &mut Turn, job_id: &JobId) -> bool {
        let Some(job) = self.jobs.get(job_id) else { return false };
        let permitted: Vec<u32> = job.permits.keys().copied().collect();
        for pipeline in permitted {
            self.use_permit(turn, job_id, pipeline);
        }
        while self.jobs.get(job_id).is_some_and(|job| job.ready.is_empty() && !job.is_held_up())
            && self.open_next_pipeline(turn, job_id)
        {}
        let Some(job) = self.jobs.get_mut(job_id) else { return false };
        let pipelines = job.phase_plan(job.phase).map_or(0, |phase| phase.pipelines.len());
        if !job.open.is_empty() || usize::try_from(job.next_pipeline).is_ok_and(|next| next < pipelines) {
            return false;
        }
        let next = job.phase.saturating_add(1);
        if job.lifecycle.is_cleaning() {
            self.is_clean(turn, job_id)
        } else if next < job.cleanup_phase() {
            self.begin_phase(job_id, next);
            true
        } else {
            job.lifecycle = Lifecycle::Ending(Ending::Succeeded);
            self.requeue(turn, job_id);
            true
        }
    }

    /// The job goes on with `phase`.
    pub(crate) fn begin_phase(&mut self, job_id: &JobId, phase: u32) {
        self.unindex(job_id);
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        job.phase = phase;
        job.next_pipeline = 0;
        job.open.clear();
        job.permits.clear();
        job.open_temp = 0;
    }

    /// Opens the next pipeline of the current phase, if there is one and its temporary bytes may stand beside those of
    /// the open ones; one always may.
    pub(crate) fn open_next_pipeline(&mut self, turn: &mut Turn, job_id: &JobId) -> bool {
        let Some(job) = self.jobs.get_mut(job_id).filter(|job| job.lifecycle.is_active()) else { return false };
        let pipeline = job.next_pipeline;
        let Some(plan) = job.pipeline_plan(job.phase, pipeline) else { return false };
        let added = plan.temp_bytes.0;
        if !job.open.is_empty() && !job.has_room_for(job.open_temp.saturating_add(added)) {
            return false;
        }
        if job.admit_pipeline(pipeline, added).is_none() {
            return false;
        }
        self.use_permit(turn, job_id, pipeline);
        true
    }

    /// Opens the stage that the pipeline has a permit for, unless earlier leases must end first; a pipeline without a
    /// further stage is complete.
    pub(crate) fn use_permit(&mut self, turn: &mut Turn, job_id: &JobId, pipeline: u32) {
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Some(permit) = job.permits.remove(&pipeline) else { return };
        let place = permit.opens();
        if job.stage_plan(place).is_none() {
            let temp = job.pipeline_plan(job.phase, pipeline).map_or(0, |plan| plan.temp_bytes.0);
            job.open_temp = job.open_temp.saturating_sub(temp);
            job.open.remove(&pipeline);
        } else if job.waits_for_leases(place) {
            job.permits.insert(pipeline, permit);
            job.is_publishing |= job.may_have_published();
        } else {
            self.open_stage(turn, job_id, &permit);
        }
    }

    pub(crate) fn open_stage(&mut self, turn: &mut Turn, job_id: &JobId, permit: &BarrierPassed) {
        let place = permit.opens();
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Some(plan) = job.stage_plan(place) else { return };
        let publishes = plan.effect == StageEffect::Publishes;
        let stage = StageProgress::open(plan, job.row_index(place));
        if publishes && !job.lifecycle.is_cleaning() {
            job.is_publishing = true;
        }
        if let Some(pipeline) = job.open.get_mut(&place.pipeline) {
            pipeline.stages.push(stage);
        }
        self.refresh(turn, job_id, place);
        self.decide_barrier(turn, job_id, place);
    }
}

impl Job {
    /// Whether so many temporary bytes of several pipelines may stand at a time.
    fn has_room_for(&self, temp: u64) -> bool {
        self.temp_limit.is_none_or(|limit| temp <= limit.0)
    }

    /// The stages with which the pipelines that may open now would begin, in the order in which
    /// `Scheduler::open_next_pipeline` would open them.
    pub(crate) fn stages_to_open(&self) -> impl Iterator<Item = &Stage> {
        let next = (!self.is_held_up()).then_some(self.next_pipeline..);
        let (mut temp, mut is_only) = (self.open_temp, self.open.is_empty());
        let opened = next.into_iter().flatten().map_while(move |pipeline| {
            let plan = self.pipeline_plan(self.phase, pipeline)?;
            temp = temp.saturating_add(plan.temp_bytes.0);
            let first = StagePlace { phase: self.phase, pipeline, stage: 0 };
            let may_open = (is_only || self.has_room_for(temp)) && !self.waits_for_leases(first);
            is_only = false;
            may_open.then_some(plan)
        });
        opened.filter_map(first_with_tasks)
    }

    /// The next pipeline is open, with a permit for its first stage.
    pub(crate) fn admit_pipeline(&mut self, pipeline: u32, temp: u64) -> Option<()> {
        let permit = barrier::permit_first_stage(self, pipeline)?;
        self.next_pipeline = pipeline.saturating_add(1);
        self.open_temp = self.open_temp.saturating_add(temp);
        self.open.insert(pipeline, PipelineProgress::default());
        self.permits.insert(pipeline, permit);
        Some(())
    }
}
