//! What a coordinator is started with.

use rechunk_common::{
    ByteCount,
    job::WorkerView,
    plan::{FunctionId, StageFunction},
    request_rate::StoreRates,
};

use crate::door::Fleet;

/// A coordinator's constants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoordinatorSettings {
    /// Leases, deadlines and retries.
    pub scheduler: rechunk_scheduler::Settings,
    /// What plans are made for.
    pub fleet: FleetSettings,
    /// What all workers together may ask of the stores, each worker a part of it. Empty: nothing is shared out, and each
    /// process keeps to its own configuration.
    pub request_budget: Vec<StoreRates>,
}

/// What is taken for granted of workers when a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetSettings {
    /// What a worker process itself takes; workers do not report it.
    pub reserve: ByteCount,
    /// Threads of one worker; workers do not report them.
    pub threads: u64,
    /// Tasks at a time in the whole fleet, while no worker is connected.
    pub slots: u64,
    /// What the tasks of a worker may hold together, where that is known before any worker has spoken: inside one
    /// process. Then this and `slots` are the fleet, whoever connects.
    pub worker_memory_budget: Option<ByteCount>,
    /// Local disk that the tasks of each worker may use together, where the budget is known so.
    pub worker_scratch: ByteCount,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            // Measured for a worker process at 1 GiB and above.
            reserve: ByteCount(120_000_000),
            threads: 2,
            // A small fleet: enough tasks that workers who come later find some.
            slots: 8,
            worker_memory_budget: None,
            worker_scratch: ByteCount(0),
        }
    }
}

impl FleetSettings {
    /// The fleet that these workers are: those that can copy and take new work.
    pub(crate) fn fleet(&self, workers: &[WorkerView]) -> Fleet {
        let assumed = Fleet {
            worker_memory_budget: self.worker_memory_budget,
            reserve: self.reserve,
            worker_scratch: self.worker_scratch,
            slots: self.slots,
            threads: self.threads,
        };
        // A worker of the version before, which knows nothing of parts of arrays, can copy all others.
        let built_in: Vec<FunctionId> = StageFunction::built_in().into_iter().filter(|id| id.version == 1).collect();
        let eligible: Vec<&WorkerView> = workers
            .iter()
            .filter(|worker| !worker.draining && built_in.iter().all(|function| worker.functions.contains(function)))
            .collect();
        let Some(smallest) = eligible.iter().map(|worker| worker.total.memory).min() else { return assumed };
        if self.worker_memory_budget.is_some() {
            return assumed;
        }
        let slots = eligible.iter().map(|worker| u64::from(worker.total.slots)).sum::<u64>().max(1);
        // Where one worker has none, no task may need any: another that is larger may be the next to leave.
        let worker_scratch = eligible.iter().map(|worker| worker.total.scratch).min().unwrap_or_default();
        Fleet { worker_memory_budget: Some(smallest), worker_scratch, slots, ..assumed }
    }
}

#[cfg(test)]
mod tests {
    use rechunk_common::session::Capacity;

    use super::*;

    fn worker(name: &str, memory: u64, slots: u32) -> WorkerView {
        let total = Capacity { memory: ByteCount(memory), scratch: ByteCount(0), slots };
        WorkerView {
            id: name.into(),
            version: String::new(),
            total,
            free: total,
            leased_tasks: 0,
            draining: false,
            functions: StageFunction::built_in(),
            last_heard_at_ms: 0,
        }
    }

    #[test]
    fn a_plan_is_for_the_smallest_worker_and_all_slots() {
        let settings = FleetSettings::default();
        let fleet = settings.fleet(&[worker("a", 900, 2), worker("b", 500, 4)]);
        assert_eq!(fleet.worker_memory_budget, Some(ByteCount(500)));
        assert_eq!(fleet.slots, 6);
    }

    #[test]
    fn a_plan_counts_on_the_local_disk_that_every_worker_has() {
        let with = |scratch: u64| {
            let mut worker = worker("a", 900, 2);
            worker.total.scratch = ByteCount(scratch);
            worker
        };
        let scratch = |workers: &[WorkerView]| FleetSettings::default().fleet(workers).worker_scratch;
        assert_eq!(scratch(&[with(70), with(50)]), ByteCount(50));
        assert_eq!(scratch(&[with(70), with(0)]), ByteCount(0));
        assert_eq!(scratch(&[]), ByteCount(0));
        let known = FleetSettings {
            worker_memory_budget: Some(ByteCount(1)),
            worker_scratch: ByteCount(7),
            ..FleetSettings::default()
        };
        assert_eq!(known.fleet(&[with(70)]).worker_scratch, ByteCount(7));
    }

    #[test]
    fn a_worker_that_drains_or_cannot_copy_is_not_planned_for() {
        let leaving = WorkerView { draining: true, ..worker("a", 1, 1) };
        let foreign = WorkerView { functions: vec![FunctionId::new("reverse", 1)], ..worker("b", 2, 1) };
        let fleet = FleetSettings::default().fleet(&[leaving.clone(), foreign.clone(), worker("c", 500, 3)]);
        assert_eq!((fleet.worker_memory_budget, fleet.slots), (Some(ByteCount(500)), 3));
        let nobody = FleetSettings::default().fleet(&[leaving, foreign]);
        assert_eq!((nobody.worker_memory_budget, nobody.slots), (None, FleetSettings::default().slots));
    }

    #[test]
    fn a_known_budget_stands_before_any_worker_speaks_and_after() {
        let settings =
            FleetSettings { worker_memory_budget: Some(ByteCount(77)), slots: 3, ..FleetSettings::default() };
        for workers in [vec![], vec![worker("a", 900, 2)]] {
            let fleet = settings.fleet(&workers);
            assert_eq!((fleet.worker_memory_budget, fleet.slots), (Some(ByteCount(77)), 3));
        }
    }
}
