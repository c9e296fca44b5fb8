//! The spans of jobs and their stages: begun when something happens, ended with the record that says so. Kept while they
//! are open, and only where traces are wanted: a coordinator that was started again takes up those of its jobs.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use rechunk_common::{
    Refusal,
    ids::{JobId, RunNumber, StageAddress},
    session::Grant,
};
use rechunk_scheduler::{Record, RecordFact};
use rechunk_traces::{OpenSpan, Place};

/// Spans that have begun.
#[derive(Default)]
pub(super) struct JobSpans {
    jobs: BTreeMap<JobId, OpenJob>,
}

#[derive(Default)]
struct OpenJob {
    run: Option<OpenSpan>,
    plan: Option<OpenSpan>,
    stages: BTreeMap<StageAddress, OpenSpan>,
    failure: Option<String>,
}

impl JobSpans {
    /// A job was submitted, to be planned or as it is.
    pub(super) fn submitted(&mut self, job: &JobId, is_planned: bool) {
        let Some(run) = OpenSpan::begin(job, "job", || Place::Job(job.clone(), RunNumber(1))) else { return };
        let plan = || Place::Plan(job.clone());
        let plan = if is_planned { OpenSpan::begin(job, "plan", plan) } else { None };
        self.jobs.insert(job.clone(), OpenJob { run: Some(run), plan, ..OpenJob::default() });
    }

    /// Its plan is made, or there is none.
    pub(super) fn planned(&mut self, job: &JobId, refusal: Option<&Refusal>) {
        if let Some(plan) = self.jobs.get_mut(job).and_then(|open| open.plan.take()) {
            plan.end(refusal.map(ToString::to_string));
        }
    }

    /// It is not accepted.
    pub(super) fn refused(&mut self, job: &JobId, why: &str) {
        if let Some(run) = self.jobs.remove(job).and_then(|open| open.run) {
            run.end(Some(why.to_owned()));
        }
    }

    /// Leases are handed out: the first of a stage begins it.
    pub(super) fn granted(&mut self, grants: &[Grant]) {
        for Grant { lease, stage_name, .. } in grants {
            let job = &lease.stage.job;
            if !rechunk_traces::wants(job) {
                continue;
            }
            let open = self.jobs.entry(job.clone()).or_default();
            if !open.stages.contains_key(&lease.stage) {
                let begun = OpenSpan::begin(job, stage_name, || Place::Stage(lease.stage.clone()));
                open.stages.extend(begun.map(|span| (lease.stage.clone(), span)));
            }
        }
    }

    /// A record is written. `accepted_at_ms`: when its job was accepted, for one that another coordinator had begun.
    pub(super) fn note(&mut self, record: &Record, accepted_at_ms: impl FnOnce(&JobId) -> u64) {
        match &record.fact {
            RecordFact::BarrierPassed { stage } => {
                if let Some(span) = self.jobs.get_mut(&stage.job).and_then(|open| open.stages.remove(stage)) {
                    span.end(None);
                }
            }
            RecordFact::EndingDecided { job, failure: Some(failure), .. } if rechunk_traces::wants(job) => {
                self.jobs.entry(job.clone()).or_default().failure = Some(failure.to_string());
            }
            RecordFact::RetryStarted { job, run } => {
                let run = OpenSpan::begin(job, "job", || Place::Job(job.clone(), *run));
                if run.is_some() {
                    self.jobs.insert(job.clone(), OpenJob { run, ..OpenJob::default() });
                }
            }
            RecordFact::JobSettled { job, run, state } => {
                let open = self.jobs.remove(job).unwrap_or_default();
                for stage in open.stages.into_values() {
                    stage.end(Some("ended with its job".to_owned()));
                }
                let begun = || SystemTime::UNIX_EPOCH + Duration::from_millis(accepted_at_ms(job));
                let taken_over = || OpenSpan::begun_at(job, "job", begun, || Place::Job(job.clone(), *run));
                if let Some(span) = open.run.or_else(taken_over) {
                    span.with("rechunk.state", state.as_str()).with("rechunk.run", u64::from(run.0)).end(open.failure);
                }
            }
            RecordFact::JobAccepted { .. }
            | RecordFact::TasksDone { .. }
            | RecordFact::TaskDied { .. }
            | RecordFact::CleanupStarted { .. }
            | RecordFact::CleanupDone { .. }
            | RecordFact::EndingDecided { .. }
            | RecordFact::JobDeleted { .. } => {}
        }
    }
}
