//! Records of the journal.

use std::sync::Arc;

use rechunk_common::{
    ByteCount,
    ids::{Incarnation, JobId, JournalPosition, RunNumber, TaskIndex, WorkerId},
    limits::MAX_TASKS_PER_STAGE,
    plan::Plan,
    record::{AcceptedJob, Record, RecordFact},
    task_set::TaskRange,
};

use super::{
    counts::or_zero,
    field::{choice, name, optional, positive, required, text, within},
    request::{of_request_id, request_id},
};
use crate::{
    fault::{Fault, Problem},
    generated::journal::v1::{self, record::Fact},
    invalid::InvalidRecord,
    v1 as wire,
};

impl From<Record> for v1::Record {
    fn from(record: Record) -> Self {
        // Of the moment it is made, not of the record.
        let Record { position: JournalPosition(position), at_ms, is_synchronous: _, fact } = record;
        Self { position, at_ms, fact: Some(fact.into()) }
    }
}

impl TryFrom<v1::Record> for Record {
    type Error = InvalidRecord;

    fn try_from(record: v1::Record) -> Result<Self, InvalidRecord> {
        let fact = record.fact.ok_or_else(|| Fault::at("fact", Problem::Missing))?;
        let position = JournalPosition(record.position);
        Ok(Self { position, at_ms: record.at_ms, is_synchronous: false, fact: fact.try_into()? })
    }
}

impl From<RecordFact> for Fact {
    fn from(fact: RecordFact) -> Self {
        match fact {
            RecordFact::JobAccepted { job, accepted } => Self::JobAccepted(of_accepted(job, *accepted)),
            RecordFact::TasksDone { stage, tasks: TaskRange { start, end }, counts } => {
                Self::TasksDone(v1::TasksDone { stage: Some(stage.into()), start, end, counts: Some(counts.into()) })
            }
            RecordFact::TaskDied {
                stage,
                task: TaskIndex(task),
                worker: WorkerId(worker),
                incarnation: Incarnation(incarnation),
            } => Self::TaskDied(v1::TaskDied { stage: Some(stage.into()), task, worker, incarnation }),
            RecordFact::BarrierPassed { stage } => Self::BarrierPassed(v1::BarrierPassed { stage: Some(stage.into()) }),
            RecordFact::EndingDecided { job: JobId(job_id), run: RunNumber(run), ending, failure } => {
                let ending = wire::JobState::from(ending).into();
                Self::EndingDecided(v1::EndingDecided { job_id, run, ending, failure: failure.map(Into::into) })
            }
            RecordFact::JobSettled { job: JobId(job_id), run: RunNumber(run), state } => {
                Self::JobSettled(v1::JobSettled { job_id, run, state: wire::JobState::from(state).into() })
            }
            RecordFact::RetryStarted { job: JobId(job_id), run: RunNumber(run) } => {
                Self::RetryStarted(v1::RetryStarted { job_id, run })
            }
            RecordFact::CleanupStarted { job: JobId(job_id) } => Self::CleanupStarted(v1::CleanupStarted { job_id }),
            RecordFact::CleanupDone { job: JobId(job_id) } => Self::CleanupDone(v1::CleanupDone { job_id }),
            RecordFact::JobDeleted { job: JobId(job_id) } => Self::JobDeleted(v1::JobDeleted { job_id }),
        }
    }
}

fn of_accepted(JobId(job_id): JobId, accepted: AcceptedJob) -> v1::JobAccepted {
    let AcceptedJob { request_id, plan, source, target, temp_limit, weight, max_parallel_tasks } = accepted;
    v1::JobAccepted {
        job_id,
        request_id: of_request_id(request_id),
        source,
        target,
        temp_limit_bytes: temp_limit.map(|limit| limit.0),
        weight,
        max_parallel_tasks,
        plan: Some(Arc::unwrap_or_clone(plan).into()),
    }
}

impl TryFrom<Fact> for RecordFact {
    type Error = Fault;

    fn try_from(fact: Fact) -> Result<Self, Fault> {
        let job = |job_id: String| name(job_id, "job_id").map(JobId);
        Ok(match fact {
            Fact::JobAccepted(accepted) => {
                let (job, accepted) = accepted_job(accepted)?;
                Self::JobAccepted { job, accepted: Box::new(accepted) }
            }
            Fact::TasksDone(done) => Self::TasksDone {
                stage: required(done.stage, "stage")?,
                tasks: tasks(done.start, done.end)?,
                counts: or_zero(done.counts),
            },
            Fact::TaskDied(died) => Self::TaskDied {
                stage: required(died.stage, "stage")?,
                task: TaskIndex(died.task),
                worker: WorkerId(name(died.worker, "worker")?),
                incarnation: Incarnation(died.incarnation),
            },
            Fact::BarrierPassed(passed) => Self::BarrierPassed { stage: required(passed.stage, "stage")? },
            Fact::EndingDecided(decided) => Self::EndingDecided {
                job: job(decided.job_id)?,
                run: RunNumber(decided.run),
                ending: choice::<wire::JobState, _>(decided.ending, "ending")?,
                failure: optional(decided.failure, "failure")?,
            },
            Fact::JobSettled(settled) => Self::JobSettled {
                job: job(settled.job_id)?,
                run: RunNumber(settled.run),
                state: choice::<wire::JobState, _>(settled.state, "state")?,
            },
            Fact::RetryStarted(retry) => Self::RetryStarted { job: job(retry.job_id)?, run: RunNumber(retry.run) },
            Fact::CleanupStarted(cleanup) => Self::CleanupStarted { job: job(cleanup.job_id)? },
            Fact::CleanupDone(cleanup) => Self::CleanupDone { job: job(cleanup.job_id)? },
            Fact::JobDeleted(deleted) => Self::JobDeleted { job: job(deleted.job_id)? },
        })
    }
}

fn accepted_job(accepted: v1::JobAccepted) -> Result<(JobId, AcceptedJob), Fault> {
    let plan: Plan = required(accepted.plan, "plan")?;
    let job = JobId(name(accepted.job_id, "job_id")?);
    let accepted = AcceptedJob {
        request_id: request_id(accepted.request_id)?,
        plan: Arc::new(plan),
        source: text(accepted.source, "source")?,
        target: text(accepted.target, "target")?,
        temp_limit: accepted.temp_limit_bytes.map(ByteCount),
        weight: positive(accepted.weight, "weight")?,
        max_parallel_tasks: accepted.max_parallel_tasks,
    };
    Ok((job, accepted))
}

/// Those of many leases may stand together, so that only the stage bounds them.
fn tasks(start: u64, end: u64) -> Result<TaskRange, Fault> {
    if end <= start {
        return Err(Fault::at("end", Problem::Reversed));
    }
    within(end, MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", "end")?;
    Ok(TaskRange::new(start, end))
}
