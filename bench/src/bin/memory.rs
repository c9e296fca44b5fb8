//! What planning and scheduling hold in memory, counted by the allocator: neither may grow with the number of chunks or
//! tasks. Ends with 1 where a goal is missed.

use std::process::ExitCode;

use rechunk_bench::{
    allocation::{Counting, live, peak, start_peak},
    fleet::{FleetShape, SimulatedFleet},
    jobs,
};
use rechunk_common::plan::Plan;
use rechunk_planner::{PlanInput, plan};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// From the fewest chunks to the most, planning may take this many times the memory: rounding of searched boxes, and
/// groups, of which there are more until they are merged; not the chunks, of which there are 10,000 times as many.
const MOST_GROWTH: usize = 4;

/// What the scheduler may hold for a job of 10^8 tasks.
const MOST_SCHEDULER_BYTES: usize = 64 << 20;

const TASKS: u64 = 100_000_000;

/// A kind of job, and its input for a number of source chunks.
type Family = (&'static str, fn(u64) -> PlanInput);

fn main() -> ExitCode {
    let families: [Family; 2] = [("reblock 64^3 to 100^3", jobs::reblock_of), ("maps to series", jobs::maps_of)];
    let planner = families.iter().all(|family| planner(*family));
    let scheduler = [1_000, 10_000].into_iter().all(scheduler);
    if planner && scheduler { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints a row per number of chunks; whether the goal was kept.
fn planner((name, input): Family) -> bool {
    println!("planning, {name}");
    println!(
        "{:>14} {:>10} {:>14} {:>16} {:>14}",
        "source chunks", "pipelines", "plan, KiB", "at its peak, KiB", "GETs"
    );
    let mut peaks = Vec::new();
    for exponent in 4..=8 {
        let count = 10_u64.pow(exponent);
        let input = input(count);
        let before = start_peak();
        let planned = plan(&input);
        let at_peak = peak().saturating_sub(before);
        let kept = live().saturating_sub(before);
        match planned {
            Ok(planned) => {
                let gets = planned.summary.as_ref().map_or(0, |summary| summary.totals.get_requests);
                if gets < count / 2 {
                    println!("{count:>14} a plan that reads too little: {gets} GETs");
                    return false;
                }
                let pipelines = pipelines(&planned);
                println!("{count:>14} {pipelines:>10} {:>14} {:>16} {gets:>14}", kept >> 10, at_peak >> 10);
                peaks.push((pipelines, at_peak));
            }
            Err(refusal) => {
                println!("{count:>14} {}", refusal.message);
                return false;
            }
        }
    }
    // What a plan holds per pipeline is what it says; the goal is about chunks.
    let share = |(pipelines, bytes): &(usize, usize)| bytes / (*pipelines).max(1);
    let (Some(first), Some(last)) = (peaks.first(), peaks.last()) else { return false };
    let grown = share(last) > share(first).saturating_mul(MOST_GROWTH);
    println!("  at the peak, per pipeline: {} KiB, then {} KiB\n", share(first) >> 10, share(last) >> 10);
    !grown
}

fn pipelines(plan: &Plan) -> usize {
    plan.phases.iter().map(|phase| phase.pipelines.pipelines.len()).sum()
}

/// Runs a job of 10^8 tasks and measures what the scheduler holds along the way; whether the goal was kept.
fn scheduler(workers: usize) -> bool {
    let Some(mut fleet) = SimulatedFleet::new(FleetShape { workers, task_ms: 150, tasks: TASKS }) else {
        println!("the job can't be planned");
        return false;
    };
    println!("scheduling, 10^8 tasks, {workers} workers");
    println!("{:>14} {:>20}", "tasks leased", "scheduler holds, KiB");
    let (mut largest, mut next) = (0, 0);
    start_peak();
    while fleet.has_untouched_tasks() {
        fleet.step(false);
        if fleet.work().tasks >= next {
            next += TASKS / 50;
            let before = live();
            let copy = fleet.scheduler().clone();
            let held = live().saturating_sub(before);
            drop(copy);
            largest = largest.max(held);
            if next % (TASKS / 5) == 0 {
                println!("{:>14} {:>20}", fleet.work().tasks, held >> 10);
            }
        }
    }
    let work = fleet.work();
    let (simulated, applying) = (fleet.now().0 as f64 / 1e3, work.applying.as_secs_f64());
    println!("  largest of 50 samples: {} KiB; this process at its peak: {} KiB", largest >> 10, peak() >> 10);
    println!(
        "  {} leases of {:.1} tasks, {} calls; {simulated:.0} s of work took {applying:.1} s inside apply ({:.1} % of \
         a core), {:.2} M tasks/s; longest apply {:.1} ms\n",
        work.leases,
        work.tasks as f64 / work.leases.max(1) as f64,
        work.calls,
        100.0 * applying / simulated,
        work.tasks as f64 / applying / 1e6,
        work.longest.as_secs_f64() * 1e3,
    );
    largest < MOST_SCHEDULER_BYTES
}
