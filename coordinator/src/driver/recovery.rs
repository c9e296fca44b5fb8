//! From what the journal holds to a scheduler and the table of jobs beside it.

use rechunk_common::ids::JobId;
use rechunk_scheduler::{RecordFact, Scheduler, Settings, Timestamp};
use tracing::info;

use super::jobs::{JobTable, NewJob};
use crate::journal::{JournalError, Loaded};

/// The scheduler that the journal tells of, and its jobs in the order in which they came in.
pub(super) fn recover(
    loaded: Loaded,
    settings: Settings,
    now: Timestamp,
) -> Result<(Scheduler, JobTable), JournalError> {
    let Loaded { epoch, records, last, last_at_ms: _ } = loaded;
    let accepted = |fact: &RecordFact| matches!(fact, RecordFact::JobAccepted { .. });
    let order: Vec<JobId> =
        records.iter().filter(|record| accepted(&record.fact)).map(|record| record.fact.job().clone()).collect();
    let scheduler = Scheduler::recover(epoch, settings, now, records, last).map_err(|error| JournalError::Corrupt {
        object: "the sequence of its records".to_owned(),
        problem: format!("makes no sense: {error}"),
    })?;
    let mut jobs = JobTable::default();
    for job in order {
        restore(&mut jobs, &scheduler, &job);
    }
    if !jobs.is_empty() {
        info!(jobs = jobs.len(), live = jobs.live_count(), "jobs recovered");
    }
    Ok((scheduler, jobs))
}

fn restore(jobs: &mut JobTable, scheduler: &Scheduler, job: &JobId) {
    let Some(view) = scheduler.job(job) else { return };
    let temp = view.plan.and_then(|plan| plan.temp);
    let spaces = [Some(view.target).filter(|target| !target.is_empty()), temp].into_iter().flatten().collect();
    let request_id = scheduler.request_of(job).cloned();
    jobs.submit(NewJob { job: job.clone(), request_id, spaces });
    jobs.accept(job, view.accepted_at_ms);
    if view.state.is_terminal() {
        jobs.end(job, view.ended_at_ms.unwrap_or(view.accepted_at_ms));
    }
}
