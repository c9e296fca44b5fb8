//! How many workers there is work for, in units of worker slots: what a scaler is told. Pure.

use rechunk_common::session::Capacity;
use rechunk_scheduler::{Demand, Figures};

/// Slots that tasks could fill now, those that run included: a task that needs half of a worker's memory counts for half
/// of its slots. At least one while a job is not over, so that between two stages not everything is taken down.
pub(crate) fn slots_wanted(figures: &Figures) -> u64 {
    let of_tasks = figures.demand.iter().fold(0, |sum: u64, demand| {
        sum.saturating_add(slots_of(demand, smallest_for(demand, &figures.active_workers)))
    });
    if figures.is_active { of_tasks.max(1) } else { of_tasks }
}

/// Tasks at a time of the smallest worker that takes work; `None` where there is none.
pub(crate) fn slots_per_worker(figures: &Figures) -> Option<u64> {
    figures.active_workers.iter().map(|worker| u64::from(worker.slots)).filter(|slots| *slots > 0).min()
}

/// The worker with the least memory that can run one of the tasks.
fn smallest_for(demand: &Demand, workers: &[Capacity]) -> Option<Capacity> {
    let fits =
        |worker: &&Capacity| worker.slots > 0 && worker.memory >= demand.memory && worker.scratch >= demand.scratch;
    workers.iter().filter(fits).min_by_key(|worker| worker.memory).copied()
}

/// The slots that the tasks take of workers like this one; one each where no worker is known.
fn slots_of(demand: &Demand, worker: Option<Capacity>) -> u64 {
    let tasks = demand.ready.saturating_add(demand.leased);
    let Some(worker) = worker else { return tasks };
    let slots = u64::from(worker.slots);
    let in_memory = worker.memory.0.checked_div(demand.memory.0).unwrap_or(slots);
    let on_disk = worker.scratch.0.checked_div(demand.scratch.0).unwrap_or(slots);
    let at_a_time = slots.min(in_memory).min(on_disk).max(1);
    tasks.saturating_mul(slots).div_ceil(at_a_time)
}

#[cfg(test)]
mod tests {
    use rechunk_common::{ByteCount, plan::FunctionId};

    use super::*;

    fn demand(memory: u64, scratch: u64, ready: u64, leased: u64) -> Demand {
        let function = FunctionId::new("copy", 1);
        Demand { function, memory: ByteCount(memory), scratch: ByteCount(scratch), ready, leased }
    }

    fn worker(memory: u64, scratch: u64, slots: u32) -> Capacity {
        Capacity { memory: ByteCount(memory), scratch: ByteCount(scratch), slots }
    }

    fn wanted(demand: Vec<Demand>, active_workers: Vec<Capacity>) -> u64 {
        slots_wanted(&Figures { demand, active_workers, is_active: true, ..Figures::default() })
    }

    #[test]
    fn a_task_counts_for_the_slots_that_its_memory_takes() {
        let four_slots = || vec![worker(100, 0, 4)];
        assert_eq!(wanted(vec![demand(10, 0, 7, 3)], four_slots()), 10);
        assert_eq!(wanted(vec![demand(50, 0, 7, 3)], four_slots()), 20, "two at a time");
        assert_eq!(wanted(vec![demand(40, 0, 3, 0)], four_slots()), 6, "two at a time");
        assert_eq!(wanted(vec![demand(100, 0, 3, 0), demand(0, 0, 2, 0)], four_slots()), 14);
        assert_eq!(wanted(vec![demand(10, 30, 5, 0)], vec![worker(100, 60, 4)]), 10, "local disk for two");
    }

    #[test]
    fn without_a_worker_that_fits_a_task_is_a_slot() {
        assert_eq!(wanted(vec![demand(50, 0, 7, 0)], vec![]), 7);
        assert_eq!(wanted(vec![demand(50, 0, 7, 0)], vec![worker(49, 0, 8)]), 7);
    }

    #[test]
    fn a_job_that_is_not_over_keeps_a_worker_and_none_keeps_nothing() {
        assert_eq!(wanted(vec![], vec![worker(100, 0, 4)]), 1);
        assert_eq!(slots_wanted(&Figures::default()), 0);
    }

    #[test]
    fn the_smallest_worker_says_how_many_slots_one_has() {
        let figures = |workers: Vec<Capacity>| Figures { active_workers: workers, ..Figures::default() };
        assert_eq!(slots_per_worker(&figures(vec![worker(1, 0, 8), worker(1, 0, 2), worker(1, 0, 0)])), Some(2));
        assert_eq!(slots_per_worker(&figures(vec![])), None);
    }
}
