//! One stage in progress: every task is untouched, leased, waiting, blocked or done. Ranges, never a struct per task.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rechunk_common::{
    ByteCount, ContentSum,
    ids::{Incarnation, JobId, LeaseId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex, WorkerId},
    plan::{FunctionId, MultiStagePipeline, Stage, StageEffect},
    task_set::{TaskRange, TaskSet},
};

use crate::{
    event::Timestamp,
    late::Unbacked,
    lease_size::Pace,
    repair::{LostTask, Repair, RepairState},
    waiting::{Waiting, WaitingTasks},
};

/// Where a stage stands in its job, in run order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub(crate) struct StagePlace {
    pub(crate) phase: u32,
    pub(crate) pipeline: u32,
    pub(crate) stage: u32,
}

impl StagePlace {
    pub(crate) fn of(address: &StageAddress) -> Self {
        Self { phase: address.phase.0, pipeline: address.pipeline.0, stage: address.stage.0 }
    }

    pub(crate) fn address(self, job: &JobId, run: RunNumber) -> StageAddress {
        StageAddress {
            job: job.clone(),
            run,
            phase: PhaseIndex(self.phase),
            pipeline: PipelineIndex(self.pipeline),
            stage: StageIndex(self.stage),
        }
    }

    /// The stage before it in its pipeline.
    pub(crate) fn before(self) -> Option<Self> {
        self.back(1)
    }

    /// The stage so many before it in its pipeline.
    pub(crate) fn back(self, stages: u32) -> Option<Self> {
        Some(Self { stage: self.stage.checked_sub(stages)?, ..self })
    }

    /// The stage after it in its pipeline.
    pub(crate) fn next(self) -> Self {
        Self { stage: self.stage.saturating_add(1), ..self }
    }
}

/// The stage with which a pipeline's work begins: one without tasks is complete when it opens.
pub(crate) fn first_with_tasks(pipeline: &MultiStagePipeline) -> Option<&Stage> {
    pipeline.stages.iter().find(|stage| stage.task_count > 0)
}

/// What a worker must offer for a task; stages of one class are equal to a worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TaskClass {
    pub(crate) function: FunctionId,
    pub(crate) memory: ByteCount,
    pub(crate) scratch: ByteCount,
}

impl TaskClass {
    pub(crate) fn of(stage: &Stage) -> Self {
        Self { function: stage.function.id(), memory: stage.task_memory, scratch: stage.task_scratch }
    }
}

/// Where an opened stage stands; a closed one has no progress at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StageState {
    /// Tasks are leased.
    Open,
    /// Every task is done, the record is not durable yet.
    Draining,
    /// The barrier is passed.
    Complete,
}

/// What the indexes of the job and of the scheduler hold about the stage; see `Scheduler::refresh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct Indexed {
    /// A task can be leased now.
    pub(crate) is_ready: bool,
    /// When the next waiting task can be, or the next lease is late.
    pub(crate) due: Option<Timestamp>,
    /// Nothing is left to lease, and a late lease has no backup.
    pub(crate) is_late: bool,
    pub(crate) leased: u64,
    pub(crate) done: u64,
}

/// One opened stage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StageProgress {
    pub(crate) state: StageState,
    pub(crate) class: TaskClass,
    /// Two runs of a task at a time do no harm.
    pub(crate) may_be_backed: bool,
    /// Its row in the job's report; `None` for cleanup.
    pub(crate) row: Option<usize>,
    pub(crate) task_count: u64,
    /// Never leased.
    pub(crate) untouched: TaskSet,
    pub(crate) done: TaskSet,
    /// Of the tasks that are done.
    pub(crate) content: ContentSum,
    /// To be leased again.
    pub(crate) waiting: WaitingTasks,
    /// Tasks that wait for a repair: the task here, the lost task of an earlier stage.
    pub(crate) blocked: BTreeMap<u64, LostTask>,
    /// Tasks of this stage whose output was lost, though they are done.
    pub(crate) repairs: BTreeMap<u64, Repair>,
    /// Failed attempts of tasks that are not done.
    pub(crate) failures: BTreeMap<u64, u32>,
    /// Where leases of a single task died.
    pub(crate) deaths: BTreeMap<u64, BTreeSet<(WorkerId, Incarnation)>>,
    /// Live leases.
    pub(crate) leases: BTreeSet<LeaseId>,
    /// Those of them that have no backup and are none.
    pub(crate) unbacked: BTreeMap<LeaseId, Unbacked>,
    pub(crate) pace: Pace,
    pub(crate) indexed: Indexed,
}

impl StageProgress {
    /// A stage that opens.
    pub(crate) fn open(stage: &Stage, row: Option<usize>) -> Self {
        Self {
            state: StageState::Open,
            class: TaskClass::of(stage),
            may_be_backed: matches!(stage.effect, StageEffect::Writes | StageEffect::Verifies),
            row,
            task_count: stage.task_count,
            untouched: TaskSet::from_iter([TaskRange::new(0, stage.task_count)]),
            done: TaskSet::new(),
            content: ContentSum::default(),
            waiting: WaitingTasks::default(),
            blocked: BTreeMap::new(),
            repairs: BTreeMap::new(),
            failures: BTreeMap::new(),
            deaths: BTreeMap::new(),
            leases: BTreeSet::new(),
            unbacked: BTreeMap::new(),
            pace: Pace::default(),
            indexed: Indexed::default(),
        }
    }

    /// Tasks of live leases, each counted once: those that are nowhere else.
    pub(crate) fn leased(&self) -> u64 {
        let blocked = u64::try_from(self.blocked.len()).unwrap_or(u64::MAX);
        self.task_count
            .saturating_sub(self.untouched.len())
            .saturating_sub(self.done.len())
            .saturating_sub(self.waiting.len())
            .saturating_sub(blocked)
    }

    /// Whether every task is done.
    pub(crate) fn is_done(&self) -> bool {
        self.done.len() >= self.task_count
    }

    /// Whether it is open and no task is left that could be leased now or later.
    pub(crate) fn has_leased_all(&self) -> bool {
        self.state == StageState::Open && self.untouched.is_empty() && self.waiting.is_empty()
    }

    /// What the indexes should hold at `now`, where a lease is to hold `lease_work`.
    pub(crate) fn index_at(&self, now: Timestamp, lease_work: Duration) -> Indexed {
        let dues = || self.repairs.values().filter_map(Repair::due).chain(self.waiting.first_due());
        let is_fresh = self.state == StageState::Open && !self.untouched.is_empty();
        let (is_late, next_late) = self.lateness_at(now, lease_work);
        Indexed {
            is_ready: is_fresh || dues().any(|due| due <= now),
            due: dues().chain(self.waiting.first_after(now)).chain(next_late).filter(|due| *due > now).min(),
            is_late,
            leased: self.leased(),
            done: self.done.len(),
        }
    }

    /// Takes `tasks` from wherever they wait, because they are done or belong to a lease now.
    pub(crate) fn take_out(&mut self, tasks: TaskRange) {
        self.untouched.remove(tasks);
        self.waiting.remove(tasks);
        let blocked: Vec<u64> = self.blocked.range(tasks.start..tasks.end.max(tasks.start)).map(|(k, _)| *k).collect();
        for task in blocked {
            self.blocked.remove(&task);
        }
    }

    /// What waited for the output of `lost` may be leased again; says whether anything did.
    pub(crate) fn unblock(&mut self, lost: LostTask, now: Timestamp) -> bool {
        let readers: Vec<u64> =
            self.blocked.iter().filter(|(_, waits_for)| **waits_for == lost).map(|(reader, _)| *reader).collect();
        let mut has_any = !readers.is_empty();
        for reader in readers {
            self.blocked.remove(&reader);
            self.waiting.push(now, TaskRange::single(reader), Waiting { not_on: None, was_tried: true });
        }
        for repair in self.repairs.values_mut().filter(|repair| repair.blocked_on() == Some(lost)) {
            repair.state = RepairState::Waiting { due: now, not_on: None };
            has_any = true;
        }
        has_any
    }

    /// Whether every task of `tasks` is untouched or waiting.
    pub(crate) fn is_free(&self, tasks: TaskRange) -> bool {
        self.untouched.gaps(tasks).into_iter().all(|gap| self.waiting.covers(gap))
    }

    /// Forgets what was remembered of tasks that are done now.
    pub(crate) fn forget_faults(&mut self, tasks: TaskRange) {
        if !self.failures.is_empty() {
            self.failures.retain(|task, _| !tasks.contains(*task));
        }
        if !self.deaths.is_empty() {
            self.deaths.retain(|task, _| !tasks.contains(*task));
        }
    }
}
