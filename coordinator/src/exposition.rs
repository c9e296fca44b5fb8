//! Shows a coordinator's figures as metrics. What is counted as it happens is counted where it happens; here are the
//! gauges of the moment, and what the scheduler keeps sums of.

use std::sync::{Mutex, PoisonError};

use rechunk_common::job::JobState;
use rechunk_metrics::names::{
    EPOCH, JOBS, JOURNAL_CONFIRMED_AGE, JOURNAL_WAITING, LEASES, LEASES_EXPIRED, SLOTS_WANTED, TASKS_LEASED,
    TASKS_READY, TASKS_RETRIED, WORKER_SLOTS, WORKERS,
};
use tracing::debug;

use crate::{coordinator::Coordinator, message::CoordinatorFigures, scaling::slots_wanted};

/// Every state of a job: each is shown, also where no job is in it.
const STATES: [JobState; 8] = [
    JobState::Accepted,
    JobState::Running,
    JobState::Succeeding,
    JobState::Failing,
    JobState::Cancelling,
    JobState::Succeeded,
    JobState::Failed,
    JobState::Cancelled,
];

/// Shows one coordinator.
pub struct Exposition {
    coordinator: Coordinator,
    sums: Mutex<Sums>,
}

/// The sums over jobs that were seen last. They fall when a job is deleted; what is counted from them does not.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    leases_expired: u64,
    retries: u64,
}

impl Exposition {
    /// Shows `coordinator`.
    pub fn new(coordinator: Coordinator) -> Self {
        Self { coordinator, sums: Mutex::default() }
    }

    /// Sets the gauges to what holds now.
    pub async fn sample(&self) {
        match self.coordinator.figures().await {
            Ok(figures) => self.show(&figures),
            Err(refusal) => debug!(%refusal, "no figures"),
        }
    }

    fn show(&self, figures: &CoordinatorFigures) {
        let scheduler = &figures.scheduler;
        for state in STATES {
            JOBS.set(&[&state.as_str().to_lowercase()], scheduler.jobs.get(&state).copied().unwrap_or_default());
        }
        TASKS_READY.set(&[], scheduler.ready());
        TASKS_LEASED.set(&[], scheduler.leased());
        LEASES.set(&[], scheduler.leases);
        WORKERS.set(&["active"], u64::try_from(scheduler.active_workers.len()).unwrap_or(u64::MAX));
        WORKERS.set(&["draining"], scheduler.draining_workers);
        WORKER_SLOTS.set(&[], scheduler.active_workers.iter().map(|worker| u64::from(worker.slots)).sum());
        SLOTS_WANTED.set(&[], slots_wanted(scheduler));
        EPOCH.set(&[], figures.epoch.0);
        JOURNAL_WAITING.set(&[], figures.records_waiting);
        JOURNAL_CONFIRMED_AGE.gauge(&[]).set(figures.confirmed_age);
        let now = Sums { leases_expired: scheduler.leases_expired, retries: scheduler.retries };
        let before = std::mem::replace(&mut *self.sums.lock().unwrap_or_else(PoisonError::into_inner), now);
        LEASES_EXPIRED.counter(&[]).increment(now.leases_expired.saturating_sub(before.leases_expired));
        TASKS_RETRIED.counter(&[]).increment(now.retries.saturating_sub(before.retries));
    }
}
