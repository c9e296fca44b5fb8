//! How long a plan takes: every row of the worked table, and the works of the benchmark. Goal: 100 ms each.
//!
//! Each plan is checked before it is timed. What planning allocates is shown by `bench-memory`.

#![expect(clippy::panic, reason = "a benchmark stops where what it measures is wrong")]

use std::{hint::black_box, time::Duration};

use criterion::Criterion;
use rechunk_bench::jobs::{Job, check, worked_table, works};
use rechunk_planner::plan;

fn time(criterion: &mut Criterion, group: &str, jobs: &[Job]) {
    let mut group = criterion.benchmark_group(group);
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
    for job in jobs {
        let planned = plan(&job.input).unwrap_or_else(|refusal| panic!("{}: {}", job.name, refusal.message));
        check(job, &planned).unwrap_or_else(|wrong| panic!("{wrong}"));
        group.bench_function(job.name, |bencher| bencher.iter(|| plan(black_box(&job.input))));
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    time(&mut criterion, "worked table", &worked_table());
    time(&mut criterion, "works", &works());
    criterion.final_summary();
}
