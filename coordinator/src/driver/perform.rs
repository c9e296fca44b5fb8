//! Carries out the scheduler's commands.

use rechunk_common::{
    Refusal,
    ids::{JobId, JournalPosition},
    session::{SyncCall, SyncResponse},
};
use rechunk_metrics::names::{LEASES_GRANTED, LEASES_REVOKED, TASKS_DONE};
use rechunk_scheduler::{Command, Record, RecordFact};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Driver;

/// What is true of a job once a record is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is terminal.
    Settled(JobId),
    /// It goes on.
    Retried(JobId),
    /// It is forgotten.
    Deleted(JobId),
}

impl Driver {
    /// Does one thing.
    pub(super) fn perform(&mut self, command: Command) {
        match command {
            Command::Append(record) => self.append(record),
            Command::Answer { call, response } => self.answer_worker(&call, *response),
            Command::Accepted { submitted, job } => self.accepted(&submitted, job),
            Command::Refused { job, refusal } => self.refused(&job, refusal),
            Command::Confirmed { job } => {
                for caller in self.confirmations.remove(&job).unwrap_or_default() {
                    let _gone = caller.send(Ok(()));
                }
            }
            Command::JobChanged { job } => self.watchers.mark(&job),
        }
    }

    fn append(&mut self, record: Record) {
        note(&record);
        self.spans.note(&record, |job| self.jobs.accepted_at_ms(job));
        let ending = match &record.fact {
            RecordFact::JobSettled { job, .. } => Some(Ending::Settled(job.clone())),
            RecordFact::RetryStarted { job, .. } => Some(Ending::Retried(job.clone())),
            RecordFact::JobDeleted { job } => Some(Ending::Deleted(job.clone())),
            RecordFact::JobAccepted { .. }
            | RecordFact::TasksDone { .. }
            | RecordFact::TaskDied { .. }
            | RecordFact::CleanupStarted { .. }
            | RecordFact::CleanupDone { .. }
            | RecordFact::BarrierPassed { .. }
            | RecordFact::EndingDecided { .. } => None,
        };
        if let RecordFact::TasksDone { tasks, .. } = &record.fact {
            TASKS_DONE.counter(&[]).increment(tasks.len());
        }
        self.ending.extend(ending.map(|ending| (record.position, ending)));
        self.journal.push(record, Instant::now());
    }

    /// Jobs whose last record is durable now have ended.
    pub(super) fn settle_endings(&mut self, durable: JournalPosition) {
        while let Some((position, _)) = self.ending.front()
            && *position <= durable
        {
            match self.ending.pop_front() {
                Some((_, Ending::Settled(job))) => {
                    self.jobs.end(&job, self.surroundings.unix_millis());
                    self.watchers.mark_terminal(&job, Instant::now());
                    self.show_due_views();
                }
                Some((_, Ending::Retried(job))) => {
                    self.jobs.go_on(&job);
                    self.watchers.mark(&job);
                }
                Some((_, Ending::Deleted(job))) => {
                    info!(%job, "job deleted");
                    self.jobs.forget(&job);
                    self.watchers.show(&job, None);
                }
                None => return,
            }
        }
    }

    fn answer_worker(&mut self, call: &SyncCall, mut response: SyncResponse) {
        let worker = &call.worker;
        if !self.journal.is_confirmed(Instant::now(), self.lease) {
            // A lost answer costs the worker a round; a grant of a coordinator that is none any more might cost data.
            warn!(%worker, "answer held back: the journal has not confirmed this reign for one lease time");
            let _was_open = self.calls.drop_call(call);
            return;
        }
        self.spans.granted(&response.granted);
        for grant in &response.granted {
            let stage = &grant.lease.stage;
            debug!(job = %stage.job, %stage, %worker, lease = %grant.lease.id, "lease granted");
        }
        for lease in &response.revoked {
            info!(%worker, %lease, "lease revoked");
        }
        LEASES_GRANTED.counter(&[]).increment(count(&response.granted));
        LEASES_REVOKED.counter(&[]).increment(count(&response.revoked));
        response.request_shares = self.shares.answer(call, !response.granted.is_empty());
        self.calls.answer(call, response);
    }

    fn accepted(&mut self, submitted: &JobId, job: JobId) {
        if *submitted == job {
            info!(%job, "job accepted");
            self.jobs.accept(&job, self.surroundings.unix_millis());
        } else {
            info!(%job, "job known by its request id");
            self.spans.refused(submitted, "known by its request id");
            self.discard_written(submitted);
            self.jobs.forget(submitted);
        }
        self.submissions.settle(submitted, &Ok(job));
    }

    fn refused(&mut self, job: &JobId, refusal: Refusal) {
        info!(%job, reason = refusal.reason, "refused: {refusal}");
        if self.submissions.contains(job) {
            self.discard_written(job);
            self.jobs.forget(job);
            self.spans.refused(job, &refusal.to_string());
            self.submissions.settle(job, &Err(refusal));
            return;
        }
        // A refusal answers the call that was made last, or, when a deletion breaks off, all of them one by one.
        let caller = self.confirmations.get_mut(job).and_then(Vec::pop);
        if self.confirmations.get(job).is_some_and(Vec::is_empty) {
            self.confirmations.remove(job);
        }
        if let Some(caller) = caller {
            let _gone = caller.send(Err(refusal));
        }
    }
}

fn count<T>(all: &[T]) -> u64 {
    u64::try_from(all.len()).unwrap_or(u64::MAX)
}

/// One line per fact.
fn note(record: &Record) {
    match &record.fact {
        RecordFact::JobAccepted { job, accepted } => {
            debug!(%job, phases = accepted.plan.phases.len(), "acceptance recorded");
        }
        RecordFact::TaskDied { stage, task, worker, .. } => {
            warn!(job = %stage.job, %stage, %task, %worker, "lease of a single task died");
        }
        RecordFact::TasksDone { stage, tasks, .. } => {
            debug!(job = %stage.job, %stage, from = tasks.start, to = tasks.end, "tasks done");
        }
        RecordFact::BarrierPassed { stage } => info!(job = %stage.job, %stage, "barrier passed"),
        RecordFact::EndingDecided { job, run, ending, failure: None } => {
            info!(%job, %run, ending = ending.as_str(), "ending decided");
        }
        RecordFact::EndingDecided { job, run, ending, failure: Some(failure) } => {
            warn!(%job, %run, ending = ending.as_str(), reason = failure.reason, "ending decided: {failure}");
        }
        RecordFact::JobSettled { job, run, state } => info!(%job, %run, state = state.as_str(), "job settled"),
        RecordFact::RetryStarted { job, run } => info!(%job, %run, "retry recorded"),
        RecordFact::CleanupStarted { job } => info!(%job, "what it wrote will be removed"),
        RecordFact::CleanupDone { job } => info!(%job, "what it wrote is removed"),
        RecordFact::JobDeleted { job } => debug!(%job, "deletion recorded"),
    }
}
