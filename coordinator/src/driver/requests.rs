//! What callers ask for, message by message: submissions, their acceptance, cancel and delete, and the calls of
//! workers.

use rechunk_common::{
    Refusal, RefusalCode,
    ids::{JobId, RequestId},
    limits,
    plan::Plan,
    request::{PipelinesRequest, RechunkRequest},
    session::{SyncRequest, SyncResponse},
};
use rechunk_scheduler::Event;
use tokio::sync::oneshot;
use tracing::{debug, info};

use super::{
    Driver, conflict,
    jobs::{NewJob, unknown_job},
    planning::Planned,
};
use crate::{
    door::Prepared,
    message::{Answer, Message},
};

/// The share of a job whose caller does not say one.
const DEFAULT_WEIGHT: u32 = 1;

impl Driver {
    pub(super) fn on_message(&mut self, message: Message) {
        match message {
            Message::Sync { request, answer } => self.on_sync(request, answer),
            Message::SyncDropped { call } => {
                if self.calls.drop_call(&call) {
                    self.apply(Event::SyncDropped { call });
                }
            }
            Message::SubmitRechunk { request, answer } => self.on_submit_rechunk(request, answer),
            Message::SubmitPipelines { request, answer } => self.on_submit_pipelines(*request, answer),
            Message::Cancel { job, answer } => self.confirm(job, answer, |job| Event::Cancel { job }),
            Message::Retry { job, answer } => self.confirm(job, answer, |job| Event::Retry { job }),
            Message::Delete { job, answer } => self.confirm(job, answer, |job| Event::Delete { job }),
            Message::Outlook { answer } => reply(answer, Ok(self.outlook())),
            Message::Job { job, answer } => {
                let view = self.view(&job).ok_or_else(|| unknown_job(&job));
                reply(answer, view);
            }
            Message::Jobs { page, answer } => {
                let page = self.page(&page);
                reply(answer, page);
            }
            Message::Workers { answer } => {
                let workers = self.worker_views();
                reply(answer, Ok(workers));
            }
            Message::Figures { answer } => reply(answer, Ok(self.figures())),
            Message::Watch { job, answer } => {
                let views = self.watch(&job).ok_or_else(|| unknown_job(&job));
                reply(answer, views);
            }
        }
    }

    fn on_sync(&mut self, request: Box<SyncRequest>, answer: oneshot::Sender<SyncResponse>) {
        if !self.calls.has_room(limits::MAX_WORKERS) {
            // Dropping the way back refuses the call.
            debug!(worker = %request.worker, "call refused: too many workers");
            return;
        }
        self.calls.open(request.call(), answer);
        self.shares.hear(self.now(), &request);
        self.apply(Event::Sync(request));
    }

    fn on_submit_rechunk(&mut self, request: Box<RechunkRequest>, answer: Answer<JobId>) {
        let Some((job, answer)) = self.begin(request.request_id.as_ref(), answer) else { return };
        info!(%job, source = request.source, target = request.target, "planning");
        self.spans.submitted(&job, true);
        let outlook = self.outlook();
        self.submissions.begin(job.clone(), request.request_id.clone(), answer);
        self.planning.begin(job, request, self.jobs.turn(), outlook);
    }

    fn on_submit_pipelines(&mut self, request: PipelinesRequest, answer: Answer<JobId>) {
        let Some((job, answer)) = self.begin(request.request_id.as_ref(), answer) else { return };
        info!(%job, name = request.name, phases = request.phases.len(), "pipelines submitted");
        self.spans.submitted(&job, false);
        self.submissions.begin(job.clone(), request.request_id.clone(), answer);
        self.jobs.submit(NewJob { job: job.clone(), request_id: request.request_id.clone(), spaces: Vec::new() });
        self.apply(Event::Submit {
            job,
            request_id: request.request_id,
            plan: Box::new(Plan { phases: request.phases, cleanup: request.cleanup, summary: None }),
            source: String::new(),
            target: String::new(),
            temp_limit: request.temp_limit,
            weight: request.weight.unwrap_or(DEFAULT_WEIGHT).max(1),
            max_parallel_tasks: request.max_parallel_tasks,
        });
    }

    /// A fresh id for a submission; `None` where the request id is known, or there are too many jobs, and the caller
    /// is or will be answered.
    fn begin(&mut self, request_id: Option<&RequestId>, answer: Answer<JobId>) -> Option<(JobId, Answer<JobId>)> {
        if let Some(request_id) = request_id {
            if let Some(job) = self.submissions.find(request_id) {
                self.submissions.join(&job, answer);
                return None;
            }
            if let Some(job) = self.jobs.find(request_id) {
                reply(answer, Ok(job.clone()));
                return None;
            }
        }
        if self.jobs.live_count().saturating_add(self.submissions.len()) >= limits::MAX_LIVE_JOBS {
            reply(answer, Err(too_many_jobs()));
            return None;
        }
        Some((self.surroundings.new_job_id(), answer))
    }

    /// A plan is ready. What is taken is decided here, by one task, so that of two submissions to one target only one
    /// can be accepted.
    pub(super) fn on_planned(&mut self, planned: Planned) {
        let Planned { job, request, since, outcome } = planned;
        self.spans.planned(&job, outcome.as_ref().err());
        if let Ok(Prepared { objects, .. }) = &outcome
            && !objects.objects.is_empty()
        {
            self.submissions.note_written(&job, objects.space.clone());
        }
        if !self.submissions.is_wanted(&job) {
            info!(%job, "submission dropped: its caller has gone");
            self.discard_written(&job);
            self.spans.refused(&job, "its caller has gone");
            self.submissions.settle(&job, &Err(abandoned()));
            return;
        }
        let outcome = outcome.and_then(|prepared| {
            let taken = self.taken_since(since);
            conflict::find(&prepared.target, &prepared.spaces, &taken).map_or(Ok(prepared), Err)
        });
        match outcome {
            Ok(prepared) => self.submit_planned(job, &request, prepared),
            Err(refusal) => {
                info!(%job, reason = refusal.reason, "refused: {refusal}");
                self.discard_written(&job);
                self.spans.refused(&job, &refusal.to_string());
                self.submissions.settle(&job, &Err(refusal));
            }
        }
    }

    fn submit_planned(&mut self, job: JobId, request: &RechunkRequest, prepared: Prepared) {
        let request_id = request.request_id.clone();
        self.jobs.submit(NewJob { job: job.clone(), request_id: request_id.clone(), spaces: prepared.spaces });
        self.apply(Event::Submit {
            job,
            request_id,
            plan: Box::new(prepared.plan),
            source: prepared.source,
            target: prepared.target,
            temp_limit: prepared.temp_limit,
            weight: DEFAULT_WEIGHT,
            max_parallel_tasks: None,
        });
    }

    /// The job is not accepted: what was written for it goes.
    pub(super) fn discard_written(&mut self, job: &JobId) {
        if let Some(space) = self.submissions.take_written(job) {
            self.planning.discard(space);
        }
    }

    fn confirm(&mut self, job: JobId, answer: Answer<()>, event: impl FnOnce(JobId) -> Event) {
        if !self.jobs.is_accepted(&job) {
            reply(answer, Err(unknown_job(&job)));
            return;
        }
        self.confirmations.entry(job.clone()).or_default().push(answer);
        self.apply(event(job));
    }
}

/// Answers a caller, who may have gone.
fn reply<T>(answer: Answer<T>, outcome: Result<T, Refusal>) {
    let _gone = answer.send(outcome);
}

fn too_many_jobs() -> Refusal {
    Refusal::new(
        RefusalCode::ResourceExhausted,
        "TOO_MANY_JOBS",
        format!("{} jobs are not finished, which is the limit; wait for one to end", limits::MAX_LIVE_JOBS),
    )
}

fn abandoned() -> Refusal {
    Refusal::new(RefusalCode::Unavailable, "CALLER_GONE", "the caller has gone before the job was accepted")
}
