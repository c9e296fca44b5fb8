//! What runs the tasks of this process: one for each plan's stores and memory, so that all tasks of a plan share one
//! budget, however many threads the engine has.

use std::sync::{Mutex, PoisonError};

use rechunk_cli::failure::Failure;
use rechunk_common::ByteCount;
use rechunk_storage::Stores;
use rechunk_worker::{TaskRunner, WorkerBuilder};

use super::plan::EnginePlan;
use crate::machine::StoreOptions;

/// Runners that a process keeps.
const KEPT: usize = 4;

static RUNNERS: Mutex<Vec<Known>> = Mutex::new(Vec::new());

struct Known {
    /// A forked process has none of its parent's threads.
    process: u32,
    stores: StoreOptions,
    budget: ByteCount,
    threads: usize,
    runner: TaskRunner,
}

/// The runner for the tasks of `plan` in this process.
pub(super) fn runner(plan: &EnginePlan) -> Result<TaskRunner, Failure> {
    let process = std::process::id();
    let mut known = RUNNERS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_of_plan = |known: &&Known| {
        known.process == process
            && known.stores == plan.stores
            && known.budget == plan.budget
            && known.threads == plan.threads
    };
    if let Some(known) = known.iter().find(is_of_plan) {
        return Ok(known.runner.clone());
    }
    let runner = WorkerBuilder::new()
        .stores(Stores::new(plan.stores.config()?))
        .memory(plan.budget)
        .threads(plan.threads)
        .runner()
        .map_err(|error| Failure::internal(error.to_string()))?;
    if known.len() >= KEPT {
        // One that still runs tasks lives on with them.
        known.remove(0);
    }
    let stores = plan.stores.clone();
    known.push(Known { process, stores, budget: plan.budget, threads: plan.threads, runner: runner.clone() });
    Ok(runner)
}
