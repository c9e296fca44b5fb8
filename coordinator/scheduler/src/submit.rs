//! A job comes in: recorded first, started when the record is durable.

use std::collections::{BTreeMap, BTreeSet};

use rechunk_common::{
    ByteCount, Counts, Refusal, RefusalCode,
    ids::{JobId, RunNumber},
    limits::MAX_LIVE_JOBS,
    plan::Plan,
    record::{AcceptedJob, RecordFact},
};

use crate::{
    command::Command,
    durable::Held,
    job::{Ending, Ghosts, Job, Lifecycle, Remains, Row, RowIndex},
    stage::StagePlace,
    state::{Scheduler, Turn},
};

impl Scheduler {
    /// Records a new job, or finds the one that was submitted under the same request id.
    pub(crate) fn submit(&mut self, turn: &mut Turn, job_id: JobId, accepted: AcceptedJob) {
        let older = accepted.request_id.as_ref().and_then(|request| self.requests.get(request)).cloned();
        if let Some((older_id, older)) = older.and_then(|id| self.jobs.get_mut(&id).map(|job| (id, job))) {
            if let Lifecycle::Submitted { also } = &mut older.lifecycle {
                also.push(job_id);
            } else {
                turn.commands.push(Command::Accepted { submitted: job_id, job: older_id });
            }
            return;
        }
        if let Some(refusal) = self.refuse_submission(&job_id) {
            turn.commands.push(Command::Refused { job: job_id, refusal });
            return;
        }
        let fact = RecordFact::JobAccepted { job: job_id.clone(), accepted: Box::new(accepted.clone()) };
        self.record_and_hold(turn, fact, Held::Accepted(job_id.clone()));
        self.admit(job_id, accepted);
    }

    /// The job is here, and its request id is known.
    pub(crate) fn admit(&mut self, job_id: JobId, accepted: AcceptedJob) {
        if let Some(request) = &accepted.request_id {
            self.requests.insert(request.clone(), job_id.clone());
        }
        self.jobs.insert(job_id, Job::new(accepted));
    }

    fn refuse_submission(&self, job_id: &JobId) -> Option<Refusal> {
        if self.jobs.contains_key(job_id) {
            let message = format!("there is a job {job_id} already");
            return Some(Refusal::new(RefusalCode::AlreadyExists, "JOB_EXISTS", message));
        }
        let live = self.jobs.values().filter(|job| !job.state().is_terminal()).count();
        (live >= MAX_LIVE_JOBS).then(|| {
            let message =
                format!("{live} jobs are running or waiting, and MAX_LIVE_JOBS is {MAX_LIVE_JOBS}; try later");
            Refusal::new(RefusalCode::ResourceExhausted, "TOO_MANY_JOBS", message)
        })
    }

    /// The job is durable: its caller is told, and its first phase begins.
    pub(crate) fn accepted(&mut self, turn: &mut Turn, job_id: &JobId) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(job_id) else { return };
        let Lifecycle::Submitted { also } = &mut job.lifecycle else { return };
        let also = std::mem::take(also);
        job.lifecycle =
            if job.plan.phases.is_empty() { Lifecycle::Ending(Ending::Succeeded) } else { Lifecycle::Running };
        job.accepted_at = Some(now);
        for submitted in std::iter::once(job_id.clone()).chain(also) {
            turn.commands.push(Command::Accepted { submitted, job: job_id.clone() });
        }
        turn.touch(job_id);
    }
}

impl Job {
    fn new(accepted: AcceptedJob) -> Self {
        let AcceptedJob { request_id, plan, source, target, temp_limit, weight, max_parallel_tasks } = accepted;
        let (rows, row_of) = rows_of(&plan);
        Self {
            run: RunNumber(1),
            plan,
            request_id,
            source,
            target,
            temp_limit,
            weight: weight.max(1),
            max_parallel_tasks,
            lifecycle: Lifecycle::Submitted { also: Vec::new() },
            accepted_at: None,
            ended_at: None,
            has_started: false,
            is_publishing: false,
            phase: 0,
            next_pipeline: 0,
            open: BTreeMap::new(),
            permits: BTreeMap::new(),
            open_temp: 0,
            rows,
            row_of,
            ready: BTreeMap::new(),
            late: BTreeSet::new(),
            cursor: StagePlace::default(),
            leased: 0,
            leases: BTreeMap::new(),
            pass: 0,
            is_queued: false,
            confirmations: 0,
            failure: None,
            remains: Remains::Kept,
            window: None,
            ghosts: Ghosts::Gone,
            leases_expired: 0,
            retries: 0,
            peak_rss: ByteCount::default(),
        }
    }
}

/// One row per array and stage name, in run order.
fn rows_of(plan: &Plan) -> (Vec<Row>, RowIndex) {
    let mut rows: Vec<Row> = Vec::new();
    let mut row_of = RowIndex::new();
    for stage in plan.stages() {
        let index = *row_of.entry((stage.array, stage.name.clone())).or_insert_with(|| {
            let array = stage.array.and_then(|array| usize::try_from(array).ok());
            let array = array.zip(plan.summary.as_ref()).and_then(|(array, summary)| summary.arrays.get(array));
            rows.push(Row {
                array: array.map(|array| array.name.clone()).unwrap_or_default(),
                name: stage.name.clone(),
                tasks: 0,
                done: 0,
                leased: 0,
                predicted: Counts::default(),
                measured: Counts::default(),
            });
            rows.len().saturating_sub(1)
        });
        if let Some(row) = rows.get_mut(index) {
            row.tasks = row.tasks.saturating_add(stage.task_count);
            row.predicted += stage.predicted;
        }
    }
    (rows, row_of)
}
