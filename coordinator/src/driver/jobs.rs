//! What is kept beside the scheduler's jobs: the order they came in, wall-clock times, request ids, and the places
//! that they write to.
//!
//! Decides nothing about a job's state: it is told.

use std::collections::BTreeMap;

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, RequestId},
    job::JobView,
};

use crate::door::LiveSpace;

/// Counts what happens to the table: a moment in the driver's own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Turn(u64);

/// The jobs that were submitted to the scheduler.
#[derive(Default)]
pub(super) struct JobTable {
    jobs: BTreeMap<JobId, Entry>,
    by_number: BTreeMap<u64, JobId>,
    by_request: BTreeMap<RequestId, JobId>,
    turn: Turn,
    next_number: u64,
}

struct Entry {
    number: u64,
    request_id: Option<RequestId>,
    spaces: Vec<String>,
    accepted_at_ms: Option<u64>,
    ended_at_ms: Option<u64>,
    // When it became terminal.
    ended: Option<Turn>,
}

/// A job that is about to be submitted.
pub(super) struct NewJob {
    pub(super) job: JobId,
    pub(super) request_id: Option<RequestId>,
    pub(super) spaces: Vec<String>,
}

impl JobTable {
    /// The moment that it is now: what ends from here on ends later.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// The job of this request, if it has one.
    pub(super) fn find(&self, request_id: &RequestId) -> Option<&JobId> {
        self.by_request.get(request_id)
    }

    /// A job goes to the scheduler.
    pub(super) fn submit(&mut self, new: NewJob) {
        let number = self.next_number;
        self.next_number = self.next_number.saturating_add(1);
        if let Some(request_id) = &new.request_id {
            self.by_request.insert(request_id.clone(), new.job.clone());
        }
        self.by_number.insert(number, new.job.clone());
        let entry = Entry {
            number,
            request_id: new.request_id,
            spaces: new.spaces,
            accepted_at_ms: None,
            ended_at_ms: None,
            ended: None,
        };
        self.jobs.insert(new.job, entry);
    }

    /// The job's acceptance is durable: people may see it.
    pub(super) fn accept(&mut self, job: &JobId, unix_millis: u64) {
        if let Some(entry) = self.jobs.get_mut(job) {
            entry.accepted_at_ms.get_or_insert(unix_millis);
        }
    }

    /// The job is terminal.
    pub(super) fn end(&mut self, job: &JobId, unix_millis: u64) {
        self.turn = Turn(self.turn.0.saturating_add(1));
        if let Some(entry) = self.jobs.get_mut(job) {
            entry.ended_at_ms = Some(unix_millis);
            entry.ended = Some(self.turn);
        }
    }

    /// The job goes on after it had ended.
    pub(super) fn go_on(&mut self, job: &JobId) {
        if let Some(entry) = self.jobs.get_mut(job) {
            (entry.ended_at_ms, entry.ended) = (None, None);
        }
    }

    /// The job is deleted, or was never accepted.
    pub(super) fn forget(&mut self, job: &JobId) {
        if let Some(entry) = self.jobs.remove(job) {
            self.by_number.remove(&entry.number);
            if let Some(request_id) = entry.request_id {
                self.by_request.remove(&request_id);
            }
        }
    }

    /// All jobs.
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Jobs that are not terminal.
    pub(super) fn live_count(&self) -> usize {
        self.jobs.values().filter(|entry| entry.ended.is_none()).count()
    }

    /// The places of jobs that became terminal after `since`.
    pub(super) fn left_since(&self, since: Turn) -> Vec<LiveSpace> {
        let left = self.jobs.iter().filter(|(_, entry)| entry.ended.is_some_and(|ended| ended > since));
        left.flat_map(|(job, entry)| entry.spaces.iter().map(|url| LiveSpace { job: job.clone(), url: url.clone() }))
            .collect()
    }

    /// Whether people may see the job.
    pub(super) fn is_accepted(&self, job: &JobId) -> bool {
        self.jobs.get(job).is_some_and(|entry| entry.accepted_at_ms.is_some())
    }

    /// Up to `limit` accepted jobs, newest first, that came before number `before`; and the number of the last where
    /// more follow.
    pub(super) fn page(&self, before: Option<u64>, limit: usize) -> (Vec<JobId>, Option<u64>) {
        let mut numbers =
            self.by_number.range(..before.unwrap_or(u64::MAX)).rev().filter(|(_, job)| self.is_accepted(job));
        let page: Vec<(&u64, &JobId)> = numbers.by_ref().take(limit).collect();
        let last = page.last().map(|(number, _)| **number).filter(|_| numbers.next().is_some());
        (page.into_iter().map(|(_, job)| job.clone()).collect(), last)
    }

    /// When the job was accepted.
    pub(super) fn accepted_at_ms(&self, job: &JobId) -> u64 {
        self.jobs.get(job).and_then(|entry| entry.accepted_at_ms).unwrap_or_default()
    }

    /// Writes the wall-clock times into a view.
    pub(super) fn stamp(&self, view: &mut JobView) {
        if let Some(entry) = self.jobs.get(&view.id) {
            view.accepted_at_ms = entry.accepted_at_ms.unwrap_or_default();
            view.ended_at_ms = entry.ended_at_ms;
        }
    }
}

/// There is no such job.
pub(super) fn unknown_job(job: &JobId) -> Refusal {
    Refusal::new(
        RefusalCode::NotFound,
        "UNKNOWN_JOB",
        format!("there is no job {job}; it may have been deleted, or belong to another coordinator"),
    )
    .at("job_id")
}
