//! Deterministic simulation: a real coordinator with its journal, and real workers, in one thread on a clock that moves
//! when nothing else can. The network loses, delays and repeats calls, the store fails, processes die and are cut off,
//! coordinators take over from each other: all of it drawn from a seed. The same seed gives the same history.
//!
//! `tests/simulate --seeds 10000` runs more than the tests do; `tests/simulate --seed 17` runs one again, with its log.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod calls;
mod dice;
mod fleet;
mod reigns;
mod run;
mod store;
mod trouble;
mod witness;

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use run::{Outcome, run};

/// A few hundred, in about a minute.
const SEEDS: std::ops::Range<u64> = 0..200;

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

/// Runs seeds and sums up what they met.
fn run_all(seeds: impl Iterator<Item = u64>) -> (BTreeMap<&'static str, u64>, Vec<String>) {
    let (mut met, mut failures) = (BTreeMap::new(), Vec::new());
    for seed in seeds {
        match outcome_of(seed) {
            Ok(outcome) => {
                for (what, count) in outcome.met {
                    *met.entry(what).or_default() += count;
                }
            }
            Err(failure) => {
                eprintln!("seed {seed}: {failure}");
                failures.push(failure);
            }
        }
    }
    (met, failures)
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
    let (met, failures) = run_all(SEEDS);
    println!("{met:#?}");
    assert!(failures.is_empty(), "{} of {SEEDS:?}:\n{}", failures.len(), failures.join("\n"));
    let kinds = [
        "calls lost",
        "calls repeated",
        "answers lost",
        "requests failed",
        "requests slow",
        "answers of the store lost",
        "workers killed",
        "workers cut off",
        "workers drained",
        "coordinators killed",
        "coordinators overtaken",
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
    let (met, failures) = run_all(first..first + count);
    println!("{count} seeds from {first}: {} failed\n{met:#?}", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
