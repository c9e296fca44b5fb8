//! A scheduler from its journal: what was recorded is true, all else is to be done again. Leases are not recorded; see
//! `succession.rs` for those that workers still hold.
//!
//! Replays through the same steps that made the records, so that there is one meaning of each.

use rechunk_common::{
    Counts,
    ids::{Epoch, JobId, JournalPosition, RunNumber, StageAddress},
    job::JobState,
    plan::StageEffect,
    record::{AcceptedJob, Record, RecordFact},
    task_set::TaskRange,
};

use crate::{
    barrier::BarrierPassed,
    durable::Journal,
    event::{Settings, Timestamp},
    job::{Ending, Ghosts, Job, Lifecycle, Remains},
    stage::{StagePlace, StageState},
    state::{Scheduler, Turn},
    succession::Succession,
};

/// A record that contradicts those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {position} does not follow from those before it: {problem}")]
pub struct Inconsistent {
    /// Which one.
    pub position: JournalPosition,
    /// Why.
    pub problem: String,
}

impl Scheduler {
    /// The scheduler that `records` tell of, all there are or a `Ledger`'s, in a reign that begins at `now`. Its records
    /// come after `last`. Apply `Event::Begin` next.
    pub fn recover(
        epoch: Epoch,
        settings: Settings,
        now: Timestamp,
        records: impl IntoIterator<Item = Record>,
        last: JournalPosition,
    ) -> Result<Self, Inconsistent> {
        let mut scheduler = Self::new(epoch, settings);
        // Commands were carried out when the records were made.
        let mut turn = Turn::default();
        for record in records {
            let Record { position, at_ms, is_synchronous: _, fact } = record;
            scheduler.now = scheduler.now.max(Timestamp(at_ms));
            scheduler.replay(&mut turn, fact).map_err(|problem| Inconsistent { position, problem })?;
        }
        scheduler.now = scheduler.now.max(now);
        scheduler.journal = Journal::starting_at(JournalPosition(last.0.saturating_add(1)));
        for job in scheduler.jobs.values_mut().filter(|job| job.is_live()) {
            // What was decided and not recorded is decided again.
            let stages = job.open.values_mut().flat_map(|pipeline| &mut pipeline.stages);
            for stage in stages.filter(|stage| stage.state == StageState::Draining) {
                stage.state = StageState::Open;
            }
            job.ghosts = Ghosts::MayBeHeld;
        }
        for job_id in scheduler.jobs.keys().cloned().collect::<Vec<_>>() {
            scheduler.requeue(&mut turn, &job_id);
        }
        if scheduler.jobs.values().any(|job| job.ghosts != Ghosts::Gone) {
            scheduler.succession = Some(Succession::begin(scheduler.now, &scheduler.settings));
        }
        Ok(scheduler)
    }

    fn replay(&mut self, turn: &mut Turn, fact: RecordFact) -> Result<(), String> {
        match fact {
            RecordFact::JobAccepted { job, accepted } => self.replay_accepted(turn, &job, *accepted),
            RecordFact::TasksDone { stage, tasks, counts } => self.replay_done(turn, &stage, tasks, counts),
            RecordFact::TaskDied { stage, task, worker, incarnation } => {
                let place = self.replay_open(turn, &stage)?;
                self.known(&stage.job)?.has_started = true;
                let progress = self.jobs.get_mut(&stage.job).and_then(|job| job.stage_mut(place));
                if let Some(progress) = progress.filter(|progress| !progress.done.contains(task.0)) {
                    progress.deaths.entry(task.0).or_default().insert((worker, incarnation));
                }
                Ok(())
            }
            RecordFact::BarrierPassed { stage } => self.replay_barrier(turn, &stage),
            RecordFact::EndingDecided { job, run: _, ending, failure } => {
                self.enter_cleanup(&job)?;
                let state = self.live(&job)?;
                state.lifecycle = Lifecycle::Deciding { ending: ending_of(ending)?, was: state.state() };
                state.failure = failure;
                self.requeue(turn, &job);
                self.decided(turn, &job);
                Ok(())
            }
            RecordFact::JobSettled { job, run: _, state } => {
                self.live(&job)?.lifecycle = Lifecycle::Settling(ending_of(state)?);
                self.end(turn, &job);
                Ok(())
            }
            RecordFact::RetryStarted { job, run } => self.replay_retry(turn, &job, run),
            RecordFact::CleanupStarted { job } => {
                self.close_window(&job);
                let state = self.known(&job)?;
                if !matches!(state.lifecycle, Lifecycle::Ended(Ending::Failed) | Lifecycle::Deleting { .. }) {
                    return Err(format!("job {job} has not failed"));
                }
                state.lifecycle = Lifecycle::Condemned { forget: false };
                self.condemned(turn, &job);
                Ok(())
            }
            RecordFact::CleanupDone { job } => {
                self.known(&job)?;
                self.removed(turn, &job);
                Ok(())
            }
            RecordFact::JobDeleted { job } => {
                self.known(&job)?;
                self.close_window(&job);
                self.deleted(turn, &job);
                Ok(())
            }
        }
    }

    fn known(&mut self, job_id: &JobId) -> Result<&mut Job, String> {
        self.jobs.get_mut(job_id).ok_or_else(|| format!("there is no job {job_id}"))
    }

    /// A job that is not terminal.
    fn live(&mut self, job_id: &JobId) -> Result<&mut Job, String> {
        let job = self.known(job_id)?;
        if job.state().is_terminal() { Err(format!("job {job_id} has ended")) } else { Ok(job) }
    }

    fn replay_accepted(&mut self, turn: &mut Turn, job_id: &JobId, accepted: AcceptedJob) -> Result<(), String> {
        if self.jobs.contains_key(job_id) {
            return Err(format!("job {job_id} is there already"));
        }
        self.admit(job_id.clone(), accepted);
        self.accepted(turn, job_id);
        Ok(())
    }

    /// A cancelled job whose leases were over is being cleaned, which is not recorded by itself.
    fn enter_cleanup(&mut self, job_id: &JobId) -> Result<(), String> {
        let job = self.known(job_id)?;
        if job.lifecycle == Lifecycle::Ending(Ending::Cancelled) {
            job.lifecycle = Lifecycle::Cleaning;
            let phase = job.cleanup_phase();
            self.begin_phase(job_id, phase);
        }
        Ok(())
    }

    /// The stage is open, as it was when something of it was recorded.
    fn replay_open(&mut self, turn: &mut Turn, address: &StageAddress) -> Result<StagePlace, String> {
        let place = StagePlace::of(address);
        let job_id = &address.job;
        let job = self.known(job_id)?;
        if job.stage_plan(place).is_none() {
            return Err(format!("the plan has no stage {address}"));
        }
        if place.phase == job.cleanup_phase() {
            self.enter_cleanup(job_id)?;
        }
        if place.phase > self.known(job_id)?.phase {
            self.begin_phase(job_id, place.phase);
        }
        while self.jobs.get(job_id).is_some_and(|job| job.next_pipeline <= place.pipeline) {
            let job = self.known(job_id)?;
            let pipeline = job.next_pipeline;
            let temp = job.pipeline_plan(job.phase, pipeline).map_or(0, |plan| plan.temp_bytes.0);
            job.admit_pipeline(pipeline, temp).ok_or_else(|| format!("pipeline {pipeline} of {job_id} can't open"))?;
            if job.stage_plan(StagePlace { phase: place.phase, pipeline, stage: 0 }).is_none() {
                self.use_permit(turn, job_id, pipeline);
            }
        }
        let job = self.known(job_id)?;
        if job.stage(place).is_some() {
            return Ok(place);
        }
        let permit = job.permits.remove(&place.pipeline).filter(|permit| permit.opens() == place);
        let permit = permit.ok_or_else(|| format!("the stage before {address} is not complete"))?;
        self.open_stage(turn, job_id, &permit);
        Ok(place)
    }

    fn replay_done(
        &mut self,
        turn: &mut Turn,
        address: &StageAddress,
        tasks: TaskRange,
        counts: Counts,
    ) -> Result<(), String> {
        let place = self.replay_open(turn, address)?;
        let job = self.known(&address.job)?;
        job.has_started = true;
        let Some(stage) = job.stage_mut(place).filter(|stage| tasks.end <= stage.task_count) else {
            return Err(format!("stage {address} has no tasks up to {}", tasks.end));
        };
        stage.done.insert(tasks);
        stage.content += counts.content;
        stage.forget_faults(tasks);
        stage.take_out(tasks);
        let row = stage.row;
        if let Some(row) = row.and_then(|row| job.rows.get_mut(row)) {
            row.measured += counts;
        }
        self.refresh(turn, &address.job, place);
        Ok(())
    }

    fn replay_barrier(&mut self, turn: &mut Turn, address: &StageAddress) -> Result<(), String> {
        let place = self.replay_open(turn, address)?;
        let job = self.known(&address.job)?;
        let run = job.run;
        let Some(stage) = job.stage_mut(place).filter(|stage| stage.is_done()) else {
            return Err(format!("not every task of stage {address} is done"));
        };
        stage.state = StageState::Draining;
        self.refresh(turn, &address.job, place);
        // Recorded in an earlier run, perhaps; what is done is kept over runs.
        self.barrier_is_durable(turn, &StageAddress { run, ..address.clone() });
        if self.known(&address.job)?.stage_plan(place.next()).is_none() {
            self.use_permit(turn, &address.job, place.pipeline);
        }
        Ok(())
    }

    fn replay_retry(&mut self, turn: &mut Turn, job_id: &JobId, run: RunNumber) -> Result<(), String> {
        let job = self.known(job_id)?;
        if job.lifecycle != Lifecycle::Ended(Ending::Failed) || job.remains != Remains::Kept {
            return Err(format!("job {job_id} can't be retried"));
        }
        job.run = RunNumber(run.0.saturating_sub(1));
        self.retried(turn, job_id);
        Ok(())
    }
}

impl Job {
    /// After a restart: a stage that publishes may have opened, which is not recorded.
    pub(crate) fn may_have_published(&self) -> bool {
        let publishes =
            |place: StagePlace| self.stage_plan(place).is_some_and(|stage| stage.effect == StageEffect::Publishes);
        let count = self.phase_plan(self.phase).map_or(0, |phase| phase.pipelines.len());
        let unopened = (self.next_pipeline..u32::try_from(count).unwrap_or(u32::MAX)).map(|pipeline| StagePlace {
            phase: self.phase,
            pipeline,
            stage: 0,
        });
        let next = self.permits.values().map(BarrierPassed::opens).chain(self.open_places());
        let is_running = self.ghosts != Ghosts::Gone && self.lifecycle == Lifecycle::Running;
        is_running && next.chain(unopened).any(publishes)
    }

    /// The stages that are open or were, of the current phase.
    pub(crate) fn open_places(&self) -> Vec<StagePlace> {
        let stages = self.open.iter().flat_map(|(pipeline, progress)| {
            (0_u32..).zip(&progress.stages).map(|(stage, _)| StagePlace {
                phase: self.phase,
                pipeline: *pipeline,
                stage,
            })
        });
        stages.collect()
    }
}

fn ending_of(state: JobState) -> Result<Ending, String> {
    match state {
        JobState::Succeeding | JobState::Succeeded => Ok(Ending::Succeeded),
        JobState::Failing | JobState::Failed => Ok(Ending::Failed),
        JobState::Cancelling | JobState::Cancelled => Ok(Ending::Cancelled),
        JobState::Accepted | JobState::Running => Err(format!("{} is no ending", state.as_str())),
    }
}
