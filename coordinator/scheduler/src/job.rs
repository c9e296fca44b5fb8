//! One job: its plan, its current phase, and where it stands on its way to an end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rechunk_common::{
    ByteCount, Counts, Refusal,
    ids::{JobId, RequestId, RunNumber},
    job::JobState,
    plan::{MultiStagePipeline, ParallelPipelines, Plan, Stage, StageEffect},
};

use crate::{
    barrier::BarrierPassed,
    event::Timestamp,
    stage::{StagePlace, StageProgress, TaskClass},
};

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    Cancelled,
}

/// Where a job stands. Transitions are in `submit.rs`, `advance.rs` and `ending.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Lifecycle {
    /// Its acceptance is not durable yet; later submissions with its request id wait with it.
    Submitted {
        /// Their ids.
        also: Vec<JobId>,
    },
    /// Its phases run.
    Running,
    /// How it ends is decided but not durable: nothing is granted, nothing opens.
    Deciding {
        /// The decision.
        ending: Ending,
        /// What people see until then.
        was: JobState,
    },
    /// Waits until every lease is settled or expired for good.
    Ending(Ending),
    /// Cancelled: the cleanup phase runs.
    Cleaning,
    /// Waits for the record of its end.
    Settling(Ending),
    /// Terminal.
    Ended(Ending),
    /// Failed, and a retry of it waits for its record.
    Retrying,
    /// Failed, and the removal of what it wrote waits for its record.
    Condemned {
        /// Then the job is forgotten.
        forget: bool,
    },
    /// Failed, and what it wrote is removed: the cleanup phase runs.
    Deleting {
        /// Then the job is forgotten.
        forget: bool,
    },
    /// Failed; waits for the record that nothing is left of it.
    Removing,
    /// Waits for the record of its deletion.
    Forgetting(Ending),
}

impl Lifecycle {
    /// Whether tasks are leased and stages open.
    pub(crate) fn is_active(&self) -> bool {
        match self {
            Self::Running | Self::Cleaning | Self::Deleting { .. } => true,
            Self::Submitted { .. }
            | Self::Deciding { .. }
            | Self::Ending(_)
            | Self::Settling(_)
            | Self::Ended(_)
            | Self::Retrying
            | Self::Condemned { .. }
            | Self::Removing
            | Self::Forgetting(_) => false,
        }
    }

    /// Whether the cleanup phase runs.
    pub(crate) fn is_cleaning(&self) -> bool {
        matches!(self, Self::Cleaning | Self::Deleting { .. })
    }
}

/// What there is of what a job wrote. Matters where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Remains {
    /// All of it: a retry finds it.
    Kept,
    /// Its removal has begun: some of it is gone.
    Condemned,
    /// Nothing.
    Removed,
}

/// Leases of an earlier reign that nobody has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ghosts {
    /// There are none.
    Gone,
    /// They may still write, but their tasks are leased again.
    MayWrite,
    /// Their workers may yet name them: nothing is leased.
    MayBeHeld,
}

/// One row of the report: the stages of one name of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) array: String,
    pub(crate) name: String,
    pub(crate) tasks: u64,
    pub(crate) done: u64,
    pub(crate) leased: u64,
    pub(crate) predicted: Counts,
    pub(crate) measured: Counts,
}

/// The row of each array and stage name.
pub(crate) type RowIndex = BTreeMap<(Option<u32>, String), usize>;

/// One opened pipeline of the current phase.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct PipelineProgress {
    /// The stages opened so far.
    pub(crate) stages: Vec<StageProgress>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) run: RunNumber,
    pub(crate) plan: Arc<Plan>,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) temp_limit: Option<ByteCount>,
    pub(crate) weight: u32,
    pub(crate) max_parallel_tasks: Option<u64>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    /// A task was leased.
    pub(crate) has_started: bool,
    /// A publishing stage has opened.
    pub(crate) is_publishing: bool,
    /// The current phase; `plan.phases.len()` is cleanup.
    pub(crate) phase: u32,
    /// Pipelines of the current phase before this one were opened.
    pub(crate) next_pipeline: u32,
    pub(crate) open: BTreeMap<u32, PipelineProgress>,
    /// Permits for the next stages of open pipelines, not used yet: earlier leases have to end first.
    pub(crate) permits: BTreeMap<u32, BarrierPassed>,
    /// Temporary bytes of the open pipelines.
    pub(crate) open_temp: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) row_of: RowIndex,
    /// Stages with a task that can be leased now, by what it needs.
    pub(crate) ready: BTreeMap<TaskClass, BTreeSet<StagePlace>>,
    /// Stages with late leases, which are to get a backup.
    pub(crate) late: BTreeSet<StagePlace>,
    /// The stage that was served last.
    pub(crate) cursor: StagePlace,
    pub(crate) leased: u64,
    /// Leases that are live or may still write, by stage.
    pub(crate) leases: BTreeMap<StagePlace, u32>,
    /// Its place in the queue; see `fairness.rs`.
    pub(crate) pass: u64,
    pub(crate) is_queued: bool,
    /// Cancels or deletes whose callers wait for a confirmation.
    pub(crate) confirmations: u32,
    pub(crate) failure: Option<Refusal>,
    pub(crate) remains: Remains,
    /// When what it wrote is removed, if it failed and nobody retries it.
    pub(crate) window: Option<Timestamp>,
    pub(crate) ghosts: Ghosts,
    pub(crate) leases_expired: u64,
    pub(crate) retries: u64,
    pub(crate) peak_rss: ByteCount,
}

impl Job {
    /// The number of the cleanup phase.
    pub(crate) fn cleanup_phase(&self) -> u32 {
        u32::try_from(self.plan.phases.len()).unwrap_or(u32::MAX)
    }

    /// The pipelines of `phase`; the one after the last is cleanup.
    pub(crate) fn phase_plan(&self, phase: u32) -> Option<&ParallelPipelines> {
        let index = usize::try_from(phase).ok()?;
        match self.plan.phases.get(index) {
            Some(phase) => Some(&phase.pipelines),
            None => (phase == self.cleanup_phase()).then_some(&self.plan.cleanup),
        }
    }

    /// The plan of a pipeline.
    pub(crate) fn pipeline_plan(&self, phase: u32, pipeline: u32) -> Option<&MultiStagePipeline> {
        self.phase_plan(phase)?.pipelines.get(usize::try_from(pipeline).ok()?)
    }

    /// The plan of a stage.
    pub(crate) fn stage_plan(&self, place: StagePlace) -> Option<&Stage> {
        self.pipeline_plan(place.phase, place.pipeline)?.stages.get(usize::try_from(place.stage).ok()?)
    }

    /// A stage of the current phase that was opened.
    pub(crate) fn stage(&self, place: StagePlace) -> Option<&StageProgress> {
        let pipeline = self.open.get(&place.pipeline).filter(|_| place.phase == self.phase)?;
        pipeline.stages.get(usize::try_from(place.stage).ok()?)
    }

    /// A stage of the current phase that was opened. Call `Scheduler::refresh` after a change.
    pub(crate) fn stage_mut(&mut self, place: StagePlace) -> Option<&mut StageProgress> {
        let phase = self.phase;
        let pipeline = self.open.get_mut(&place.pipeline).filter(|_| place.phase == phase)?;
        pipeline.stages.get_mut(usize::try_from(place.stage).ok()?)
    }

    /// Whether every task of the stage at `place` was done before: its pipeline or its phase is complete.
    pub(crate) fn is_behind(&self, place: StagePlace) -> bool {
        place.phase < self.phase
            || (place.phase == self.phase
                && place.pipeline < self.next_pipeline
                && !self.open.contains_key(&place.pipeline))
    }

    /// The row of a stage of the plan; cleanup has none.
    pub(crate) fn row_index(&self, place: StagePlace) -> Option<usize> {
        if place.phase >= self.cleanup_phase() {
            return None;
        }
        let stage = self.stage_plan(place)?;
        self.row_of.get(&(stage.array, stage.name.clone())).copied()
    }

    /// Counts requests whose result was not needed.
    pub(crate) fn count_repeated(&mut self, place: StagePlace, counts: Counts) {
        let again = counts.requests().saturating_add(counts.repeated_requests);
        let row = self.row_index(place);
        if let Some(row) = row.and_then(|row| self.rows.get_mut(row)) {
            row.measured.repeated_requests = row.measured.repeated_requests.saturating_add(again);
        }
    }

    /// Whether a lease that comes before the stage at `place` in run order stops it from opening. Pipelines of a phase
    /// are side by side, so that none is earlier than another.
    ///
    /// A stage that destroys, publishes or verifies waits for all of them. One that writes waits for those that destroy: a
    /// late delete would remove what it writes.
    pub(crate) fn waits_for_leases(&self, place: StagePlace) -> bool {
        let effect = self.stage_plan(place).map_or(StageEffect::Writes, |stage| stage.effect);
        let first_of_phase = StagePlace { phase: place.phase, ..StagePlace::default() };
        let first_of_pipeline = StagePlace { stage: 0, ..place };
        if self.ghosts != Ghosts::Gone && self.waits_for_ghosts(place, effect) {
            return true;
        }
        self.leases.range(..first_of_phase).chain(self.leases.range(first_of_pipeline..place)).any(|(earlier, _)| {
            match effect {
                StageEffect::Destroys | StageEffect::Publishes | StageEffect::Verifies => true,
                StageEffect::Writes => {
                    self.stage_plan(*earlier).is_some_and(|stage| stage.effect == StageEffect::Destroys)
                }
            }
        })
    }

    /// The same for leases of an earlier reign, of which nobody knows the stage.
    fn waits_for_ghosts(&self, place: StagePlace, effect: StageEffect) -> bool {
        let destroys = |stage: &Stage| stage.effect == StageEffect::Destroys;
        match effect {
            StageEffect::Destroys | StageEffect::Publishes | StageEffect::Verifies => true,
            StageEffect::Writes => {
                let phases = (0..place.phase).filter_map(|phase| self.phase_plan(phase));
                let mut before = phases.flat_map(|phase| &phase.pipelines).flat_map(|pipeline| &pipeline.stages);
                before.any(destroys)
                    || (0..place.stage)
                        .any(|stage| self.stage_plan(StagePlace { stage, ..place }).is_some_and(destroys))
            }
        }
    }

    /// Whether an opened pipeline waits for earlier leases to end before its first stage: so would further ones.
    pub(crate) fn is_held_up(&self) -> bool {
        self.permits.values().any(|permit| permit.opens().stage == 0)
    }

    /// Whether a lease, known or not, may still write for it.
    pub(crate) fn may_be_written(&self) -> bool {
        self.ghosts != Ghosts::Gone || !self.leases.is_empty()
    }

    /// Tasks that may be leased beside those that are.
    pub(crate) fn headroom(&self) -> u64 {
        self.max_parallel_tasks.map_or(u64::MAX, |most| most.max(1).saturating_sub(self.leased))
    }

    /// Where the job stands, as people see it.
    pub(crate) fn state(&self) -> JobState {
        let of = |ending: Ending| match ending {
            Ending::Succeeded => JobState::Succeeded,
            Ending::Failed => JobState::Failed,
            Ending::Cancelled => JobState::Cancelled,
        };
        match &self.lifecycle {
            Lifecycle::Submitted { .. } => JobState::Accepted,
            Lifecycle::Running => {
                if self.has_started {
                    JobState::Running
                } else {
                    JobState::Accepted
                }
            }
            Lifecycle::Deciding { was, .. } => *was,
            Lifecycle::Ending(ending) | Lifecycle::Settling(ending) => match ending {
                Ending::Succeeded => JobState::Succeeding,
                Ending::Failed => JobState::Failing,
                Ending::Cancelled => JobState::Cancelling,
            },
            Lifecycle::Cleaning => JobState::Cancelling,
            Lifecycle::Ended(ending) | Lifecycle::Forgetting(ending) => of(*ending),
            Lifecycle::Retrying | Lifecycle::Condemned { .. } | Lifecycle::Deleting { .. } | Lifecycle::Removing => {
                JobState::Failed
            }
        }
    }
}
