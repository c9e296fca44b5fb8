//! The scheduler in numbers: what is to be done, what is being done, and by how many.
//!
//! Knows nothing of who asks. Costs what the open stages, the pipelines that may open, the leases and the workers cost, so
//! ask now and then only.

use std::collections::BTreeMap;

use rechunk_common::{ByteCount, job::JobState, plan::FunctionId, session::Capacity};

use crate::{
    job::Job,
    stage::{StageProgress, StageState, TaskClass},
    state::Scheduler,
};

/// Pipelines of a job that may open and are counted: each is looked at whenever somebody asks.
const MAX_PIPELINES_COUNTED: usize = 10_000;

/// The numbers of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Jobs that people see, by state.
    pub jobs: BTreeMap<JobState, u64>,
    /// Tasks to be done, by what each needs of a worker.
    pub demand: Vec<Demand>,
    /// Live leases.
    pub leases: u64,
    /// Leases of the jobs that ran out, over all their runs.
    pub leases_expired: u64,
    /// Attempts of the jobs' tasks beyond the first.
    pub retries: u64,
    /// Workers that take new leases, and what each has in total.
    pub active_workers: Vec<Capacity>,
    /// Workers that finish what they hold.
    pub draining_workers: u64,
    /// Whether a job is not over.
    pub is_active: bool,
}

/// Tasks that need the same of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// What runs them.
    pub function: FunctionId,
    /// Memory of each.
    pub memory: ByteCount,
    /// Local disk of each.
    pub scratch: ByteCount,
    /// Those that could run now and are not leased.
    pub ready: u64,
    /// Those that are leased and not reported.
    pub leased: u64,
}

impl Figures {
    /// Tasks that could run now and are not leased.
    pub fn ready(&self) -> u64 {
        self.demand.iter().fold(0, |sum, demand| sum.saturating_add(demand.ready))
    }

    /// Tasks that are leased and not reported.
    pub fn leased(&self) -> u64 {
        self.demand.iter().fold(0, |sum, demand| sum.saturating_add(demand.leased))
    }
}

impl Scheduler {
    /// Whether a job is not over: it runs, ends, or what it wrote is being removed.
    pub fn is_active(&self) -> bool {
        self.jobs.values().any(|job| job.accepted_at.is_some() && job.is_live())
    }

    /// The numbers as they are after the latest event.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures { is_active: self.is_active(), ..Figures::default() };
        let mut demand = BTreeMap::new();
        for job in self.jobs.values().filter(|job| job.accepted_at.is_some()) {
            let jobs = figures.jobs.entry(job.state()).or_default();
            *jobs = jobs.saturating_add(1);
            figures.leases_expired = figures.leases_expired.saturating_add(job.leases_expired);
            figures.retries = figures.retries.saturating_add(job.retries);
            if job.lifecycle.is_active() {
                self.add_demand(job, &mut demand);
            }
        }
        let of_class = |(class, (ready, leased)): (TaskClass, (u64, u64))| Demand {
            function: class.function,
            memory: class.memory,
            scratch: class.scratch,
            ready,
            leased,
        };
        figures.demand = demand.into_iter().map(of_class).collect();
        let live = self.leases.iter().filter(|(_, lease)| lease.is_live()).count();
        figures.leases = u64::try_from(live).unwrap_or(u64::MAX);
        for (_, worker) in self.fleet.iter() {
            if worker.is_draining {
                figures.draining_workers = figures.draining_workers.saturating_add(1);
            } else {
                figures.active_workers.push(worker.total);
            }
        }
        figures
    }

    /// Adds a job's open stages and those with which its next pipelines would begin: a pipeline opens only when a worker
    /// has room for it, and without workers none has. No more than the job may have leased at a time.
    fn add_demand(&self, job: &Job, demand: &mut BTreeMap<TaskClass, (u64, u64)>) {
        let mut headroom = job.headroom();
        let open = job.open.values().flat_map(|pipeline| &pipeline.stages);
        let open = open.map(|stage| (stage.class.clone(), self.ready_tasks(stage), stage.indexed.leased));
        let to_open = job.stages_to_open().take(MAX_PIPELINES_COUNTED);
        let to_open = to_open.map(|stage| (TaskClass::of(stage), stage.task_count, 0));
        for (class, could_run, leased) in open.chain(to_open) {
            let ready = could_run.min(headroom);
            headroom = headroom.saturating_sub(ready);
            if ready > 0 || leased > 0 {
                let of_class = demand.entry(class).or_default();
                *of_class = (of_class.0.saturating_add(ready), of_class.1.saturating_add(leased));
            }
        }
    }

    fn ready_tasks(&self, stage: &StageProgress) -> u64 {
        let untouched = if stage.state == StageState::Open { stage.untouched.len() } else { 0 };
        let repairs = stage.repairs.values().filter(|repair| repair.due().is_some_and(|due| due <= self.now)).count();
        untouched
            .saturating_add(stage.waiting.due_tasks(self.now))
            .saturating_add(u64::try_from(repairs).unwrap_or(u64::MAX))
    }
}
