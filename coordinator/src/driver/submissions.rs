//! Submissions on their way: being planned, or waiting until their acceptance is durable. A second submission with the
//! same request id waits for the first one's outcome.

use std::collections::BTreeMap;

use rechunk_common::{
    Refusal,
    ids::{JobId, RequestId},
};

use crate::message::Answer;

/// Submissions whose callers wait.
#[derive(Default)]
pub(super) struct Submissions {
    by_job: BTreeMap<JobId, Submission>,
    by_request: BTreeMap<RequestId, JobId>,
}

struct Submission {
    request_id: Option<RequestId>,
    callers: Vec<Answer<JobId>>,
    /// The temporary space, where something was written there already.
    written: Option<String>,
}

impl Submissions {
    /// Number of submissions.
    pub(super) fn len(&self) -> usize {
        self.by_job.len()
    }

    /// Whether a submission of this request is on its way.
    pub(super) fn find(&self, request_id: &RequestId) -> Option<JobId> {
        self.by_request.get(request_id).cloned()
    }

    /// Lets one more caller wait for `job`.
    pub(super) fn join(&mut self, job: &JobId, caller: Answer<JobId>) {
        if let Some(submission) = self.by_job.get_mut(job) {
            submission.callers.push(caller);
        }
    }

    /// A submission starts under a fresh id.
    pub(super) fn begin(&mut self, job: JobId, request_id: Option<RequestId>, caller: Answer<JobId>) {
        if let Some(request_id) = &request_id {
            self.by_request.insert(request_id.clone(), job.clone());
        }
        self.by_job.insert(job, Submission { request_id, callers: vec![caller], written: None });
    }

    /// Whether anybody still waits for it.
    pub(super) fn is_wanted(&self, job: &JobId) -> bool {
        self.by_job.get(job).is_some_and(|submission| submission.callers.iter().any(|caller| !caller.is_closed()))
    }

    /// Whether it is on its way.
    pub(super) fn contains(&self, job: &JobId) -> bool {
        self.by_job.contains_key(job)
    }

    /// Something was written to `space` for it.
    pub(super) fn note_written(&mut self, job: &JobId, space: String) {
        if let Some(submission) = self.by_job.get_mut(job) {
            submission.written = Some(space);
        }
    }

    /// Where something was written for it, that is nobody's if it is not accepted.
    pub(super) fn take_written(&mut self, job: &JobId) -> Option<String> {
        self.by_job.get_mut(job)?.written.take()
    }

    /// It has an outcome: every caller hears it.
    pub(super) fn settle(&mut self, job: &JobId, outcome: &Result<JobId, Refusal>) {
        let Some(submission) = self.by_job.remove(job) else { return };
        if let Some(request_id) = submission.request_id {
            self.by_request.remove(&request_id);
        }
        for caller in submission.callers {
            // A caller that has gone finds the job by its request id.
            let _gone = caller.send(outcome.clone());
        }
    }
}
