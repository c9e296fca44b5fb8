//! What the scheduler core can do on one core: tasks a second through `apply` in leases of 100 (goal: 1 M), and the
//! calls of 10,000 simulated workers.
//!
//! The workers are simulated, the scheduler is the real one; only the time inside `apply` counts. Memory is shown by
//! `bench-memory`.

#![expect(clippy::expect_used, reason = "a benchmark stops where what it measures is wrong")]

use std::time::Duration;

use criterion::{Criterion, Throughput};
use rechunk_bench::fleet::{FleetShape, SimulatedFleet, Work};

/// Work of 15 s in a lease makes it 100 tasks of this length.
const TASK_MS: u64 = 150;

/// A fleet past its first leases, which hold one task each.
fn in_full_work(workers: usize) -> SimulatedFleet {
    let shape = FleetShape { workers, task_ms: TASK_MS, tasks: 100_000_000 };
    let mut fleet = SimulatedFleet::new(shape).expect("a job");
    while fleet.now().0 < 120_000 {
        fleet.step(true);
    }
    let work = measure(&mut fleet, 100_000);
    let mean = work.tasks / work.leases.max(1);
    assert!((90..=110).contains(&mean), "leases of {mean} tasks, not of 100");
    fleet
}

/// Steps until `tasks` more tasks were granted.
fn measure(fleet: &mut SimulatedFleet, tasks: u64) -> Work {
    fleet.start_count();
    while fleet.work().tasks < tasks {
        fleet.step(true);
    }
    fleet.work()
}

/// The time that `apply` takes for `tasks` tasks.
fn time_for(fleet: &mut SimulatedFleet, tasks: u64) -> Duration {
    let work = measure(fleet, tasks);
    // The last lease passes the number that was asked for.
    work.applying.mul_f64(tasks as f64 / work.tasks as f64)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("tasks through apply, in leases of 100");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    for workers in [10, 100, 1_000, 10_000] {
        let mut fleet = in_full_work(workers);
        group.throughput(Throughput::Elements(1000));
        group.bench_function(format!("{workers} workers"), |bencher| {
            bencher.iter_custom(|iterations| time_for(&mut fleet, iterations.saturating_mul(1000)));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("calls of workers");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    let mut fleet = in_full_work(10_000);
    group.throughput(Throughput::Elements(1));
    group.bench_function("10000 workers", |bencher| {
        bencher.iter_custom(|iterations| {
            fleet.start_count();
            while fleet.work().calls < iterations {
                fleet.step(true);
            }
            fleet.work().applying
        });
    });
    group.finish();
    criterion.final_summary();
}
