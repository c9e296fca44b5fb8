//! Deterministic simulation: a real coordinator with its journal, and real workers, in one thread on a clock that moves
//! when nothing else can. The network loses, delays and repeats calls, the store fails, processes die and are cut off,
//! coordinators take over from each other: all of it drawn from a seed. The same seed gives the same history.
//!
//! `tests/simulate --seeds 10000` runs more than the tests do; `tests/simulate --seed 17` runs one again, with its log.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod caller;
mod calls;
mod dice;
mod director;
mod fleet;
mod reigns;
mod run;
mod store;
mod trouble;
mod witness;
mod world;

use std::{
    collections::BTreeMap,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use run::{Outcome, run};

/// Half a minute's worth.
const SEEDS: Range<u64> = 0..200;

/// Runs one seed; a failure names the command that shows it again.
fn outcome_of(seed: u64) -> Result<Outcome, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
    let problem = match outcome {
        Ok(Ok(outcome)) => return Ok(outcome),
        Ok(Err(problem)) => problem,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
        }
    };
    Err(format!("{problem}\nagain with: tests/simulate --seed {seed}"))
}

/// What came of many runs.
#[derive(Default)]
struct Summary {
    runs: u64,
    met: BTreeMap<&'static str, u64>,
    failures: Vec<String>,
}

impl Summary {
    fn add(&mut self, seed: u64, outcome: Result<Outcome, String>) {
        self.runs += 1;
        if self.runs.is_multiple_of(1_000) {
            eprintln!("{} runs, {} failed", self.runs, self.failures.len());
        }
        match outcome {
            Ok(outcome) => {
                for (what, count) in outcome.met {
                    *self.met.entry(what).or_default() += count;
                }
            }
            Err(failure) => {
                eprintln!("seed {seed}: {failure}");
                self.failures.push(failure);
            }
        }
    }
}

/// Runs seeds, as many at a time as there are processors, each in one thread.
fn run_all(seeds: Range<u64>) -> Summary {
    let (next, summary) = (AtomicU64::new(seeds.start), Mutex::new(Summary::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = outcome_of(seed);
            summary.lock().unwrap_or_else(PoisonError::into_inner).add(seed, outcome);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_same_seed_twice_gives_the_same_history() {
    for seed in [1, 2, 3, 5, 8, 13] {
        let (first, second) = (outcome_of(seed).expect("a history"), outcome_of(seed).expect("a history"));
        assert_eq!(first, second, "seed {seed}");
        assert!(first.steps > 50, "something happened: {first:?}");
    }
    let other = outcome_of(21).expect("a history");
    assert_ne!(other.trace, outcome_of(34).expect("a history").trace, "another seed gives another history");
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_and_nothing_is_left() {
    let Summary { met, failures, .. } = run_all(SEEDS);
    assert!(failures.is_empty(), "{} of {SEEDS:?}:\n{}", failures.len(), failures.join("\n"));
    let kinds = [
        "calls lost",
        "calls repeated",
        "answers lost",
        "requests lost",
        "requests slow",
        "answers of the store lost",
        "workers killed",
        "workers cut off",
        "workers paused",
        "workers drained",
        "coordinators killed",
        "coordinators paused",
        "coordinators overtaken",
        "reigns split",
        "coordinators fenced",
        "leases expired",
        "tasks run again",
        "jobs succeeded",
        "jobs cancelled",
        "jobs by exchange",
    ];
    for kind in kinds {
        assert!(met.get(kind).is_some_and(|count| *count > 0), "{kind} never happened: {met:?}");
    }
}

/// The seeds from `RECHUNK_SEED` on, `RECHUNK_SEEDS` of them.
#[test]
#[ignore = "as many as are ordered; see tests/simulate"]
fn as_many_seeds_as_are_ordered() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let (first, count) = (number("RECHUNK_SEED").unwrap_or(0), number("RECHUNK_SEEDS").unwrap_or(1));
    let Summary { met, failures, .. } = run_all(first..first + count);
    println!("{count} seeds from {first}: {} failed\n{met:#?}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
