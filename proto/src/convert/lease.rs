//! Leases and reports. Behind this door task ranges are not empty and within the limits.

use rechunk_common::{
    ByteCount, FailureClass, TaskFailure,
    ids::{Epoch, JobId, LeaseId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex, TaskIndex},
    limits::{MAX_ERROR_MESSAGE_BYTES, MAX_TASKS_PER_LEASE, MAX_TASKS_PER_STAGE},
    session::{DoneTasks, FailedTask, Grant, Lease, LeaseProgress, LeaseReport},
    task_set::TaskRange,
};

use super::{
    counts::or_zero,
    field::{cut, each, length_within, name, positive, required, within},
    time::{duration, of_duration},
};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidGrant, InvalidLease, InvalidReport},
    worker::v1,
};

impl From<LeaseProgress> for v1::LeaseProgress {
    fn from(progress: LeaseProgress) -> Self {
        let LeaseProgress { lease, count } = progress;
        Self { lease: Some(lease.into()), count }
    }
}

impl TryFrom<v1::LeaseProgress> for LeaseProgress {
    type Error = Fault;

    fn try_from(progress: v1::LeaseProgress) -> Result<Self, Fault> {
        Ok(Self { lease: required(progress.lease, "lease")?, count: progress.count })
    }
}

impl From<LeaseId> for v1::LeaseId {
    fn from(id: LeaseId) -> Self {
        let LeaseId { epoch: Epoch(epoch), counter } = id;
        Self { epoch, counter }
    }
}

impl From<v1::LeaseId> for LeaseId {
    fn from(id: v1::LeaseId) -> Self {
        Self { epoch: Epoch(id.epoch), counter: id.counter }
    }
}

impl From<StageAddress> for v1::StageAddress {
    fn from(address: StageAddress) -> Self {
        let StageAddress {
            job: JobId(job_id),
            run: RunNumber(run),
            phase: PhaseIndex(phase),
            pipeline: PipelineIndex(pipeline),
            stage: StageIndex(stage),
        } = address;
        Self { job_id, run, phase, pipeline, stage }
    }
}

impl TryFrom<v1::StageAddress> for StageAddress {
    type Error = Fault;

    fn try_from(address: v1::StageAddress) -> Result<Self, Fault> {
        Ok(Self {
            job: JobId(name(address.job_id, "job_id")?),
            run: RunNumber(address.run),
            phase: PhaseIndex(address.phase),
            pipeline: PipelineIndex(address.pipeline),
            stage: StageIndex(address.stage),
        })
    }
}

impl From<TaskRange> for v1::TaskRange {
    fn from(range: TaskRange) -> Self {
        let TaskRange { start, end } = range;
        Self { start, end }
    }
}

impl TryFrom<v1::TaskRange> for TaskRange {
    type Error = Fault;

    fn try_from(range: v1::TaskRange) -> Result<Self, Fault> {
        let range = Self::new(range.start, range.end);
        if range.end < range.start {
            return Err(Fault::at("end", Problem::Reversed));
        }
        if range.is_empty() {
            return Err(Fault::whole(Problem::Empty));
        }
        within(range.end, MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", "end")?;
        within(range.len(), MAX_TASKS_PER_LEASE, "MAX_TASKS_PER_LEASE", "")?;
        Ok(range)
    }
}

impl From<Lease> for v1::Lease {
    fn from(lease: Lease) -> Self {
        let Lease { id, stage, tasks, ttl } = lease;
        Self { id: Some(id.into()), stage: Some(stage.into()), tasks: Some(tasks.into()), ttl: Some(of_duration(ttl)) }
    }
}

impl TryFrom<v1::Lease> for Lease {
    type Error = InvalidLease;

    fn try_from(lease: v1::Lease) -> Result<Self, InvalidLease> {
        Ok(Self {
            id: required(lease.id, "id")?,
            stage: required(lease.stage, "stage")?,
            tasks: required(lease.tasks, "tasks")?,
            ttl: duration(lease.ttl, "ttl")?,
        })
    }
}

impl From<Grant> for v1::Grant {
    fn from(grant: Grant) -> Self {
        let Grant { lease, stage_name, function, task_memory, task_scratch } = grant;
        Self {
            lease: Some(lease.into()),
            stage_name,
            function: Some(function.into()),
            task_memory_bytes: task_memory.0,
            task_scratch_bytes: task_scratch.0,
        }
    }
}

impl TryFrom<v1::Grant> for Grant {
    type Error = InvalidGrant;

    fn try_from(grant: v1::Grant) -> Result<Self, InvalidGrant> {
        Ok(Self {
            lease: required(grant.lease, "lease")?,
            stage_name: name(grant.stage_name, "stage_name")?,
            function: required(grant.function, "function")?,
            task_memory: ByteCount(grant.task_memory_bytes),
            task_scratch: ByteCount(grant.task_scratch_bytes),
        })
    }
}

impl From<LeaseReport> for v1::LeaseReport {
    fn from(report: LeaseReport) -> Self {
        let LeaseReport { lease, stage, number, done, failed } = report;
        let done_tasks =
            |DoneTasks { tasks, counts }| v1::DoneTasks { tasks: Some(tasks.into()), counts: Some(counts.into()) };
        Self {
            lease: Some(lease.into()),
            stage: Some(stage.into()),
            number,
            done: done.into_iter().map(done_tasks).collect(),
            failed: failed.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::LeaseReport> for LeaseReport {
    type Error = InvalidReport;

    fn try_from(report: v1::LeaseReport) -> Result<Self, InvalidReport> {
        let most = usize::try_from(MAX_TASKS_PER_LEASE).unwrap_or(usize::MAX);
        length_within(report.done.len(), most, "MAX_TASKS_PER_LEASE", "done")?;
        length_within(report.failed.len(), most, "MAX_TASKS_PER_LEASE", "failed")?;
        Ok(Self {
            lease: required(report.lease, "lease")?,
            stage: required(report.stage, "stage")?,
            number: report.number,
            done: each(report.done, "done")?,
            failed: each(report.failed, "failed")?,
        })
    }
}

impl TryFrom<v1::DoneTasks> for DoneTasks {
    type Error = Fault;

    fn try_from(done: v1::DoneTasks) -> Result<Self, Fault> {
        let tasks: TaskRange = required(done.tasks, "tasks")?;
        let counts = or_zero(done.counts);
        if !counts.content.is_zero() && tasks.len() > 1 {
            // Where some of the tasks were done before, nobody could tell what the others have moved.
            return Err(Fault::at("counts.content_first", Problem::Disagrees { other: "tasks" }));
        }
        Ok(Self { tasks, counts })
    }
}

impl From<FailedTask> for v1::FailedTask {
    fn from(failed: FailedTask) -> Self {
        let FailedTask { task: TaskIndex(task), failure: TaskFailure { class, message }, counts } = failed;
        let (failure_class, lost) = of_class(class);
        Self {
            task,
            failure_class: failure_class.into(),
            lost_task: lost.map(|(_, task)| task),
            lost_stages_back: lost.map(|(stages_back, _)| stages_back),
            message: cut(message, MAX_ERROR_MESSAGE_BYTES),
            counts: Some(counts.into()),
        }
    }
}

impl TryFrom<v1::FailedTask> for FailedTask {
    type Error = Fault;

    fn try_from(failed: v1::FailedTask) -> Result<Self, Fault> {
        within(failed.task, MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", "task")?;
        let class = class(failed.failure_class, failed.lost_stages_back, failed.lost_task)?;
        Ok(Self {
            task: TaskIndex(failed.task),
            failure: TaskFailure { class, message: cut(failed.message, MAX_ERROR_MESSAGE_BYTES) },
            counts: or_zero(failed.counts),
        })
    }
}

/// The class, and of a lost input how many stages back it is written, and by which task.
fn of_class(class: FailureClass) -> (v1::FailureClass, Option<(u32, u64)>) {
    match class {
        FailureClass::TryAgain => (v1::FailureClass::TryAgain, None),
        FailureClass::TryElsewhere => (v1::FailureClass::TryElsewhere, None),
        FailureClass::InputLost { stages_back, task: TaskIndex(task) } => {
            (v1::FailureClass::InputLost, Some((stages_back, task)))
        }
        FailureClass::GiveUpTask => (v1::FailureClass::GiveUpTask, None),
        FailureClass::InvalidRequest => (v1::FailureClass::InvalidRequest, None),
        FailureClass::Bug => (v1::FailureClass::Bug, None),
    }
}

fn class(value: i32, stages_back: Option<u32>, lost_task: Option<u64>) -> Result<FailureClass, Fault> {
    let refuse = |problem| Fault::at("failure_class", problem);
    let class = v1::FailureClass::try_from(value).map_err(|_unknown| refuse(Problem::UnknownValue { value }))?;
    if stages_back.is_some() && lost_task.is_none() {
        return Err(Fault::at("lost_stages_back", Problem::Disagrees { other: "lost_task" }));
    }
    match (class, lost_task) {
        (v1::FailureClass::InputLost, Some(task)) => {
            within(task, MAX_TASKS_PER_STAGE, "MAX_TASKS_PER_STAGE", "lost_task")?;
            let stages_back = stages_back.unwrap_or(1);
            positive(u64::from(stages_back), "lost_stages_back")?;
            Ok(FailureClass::InputLost { stages_back, task: TaskIndex(task) })
        }
        (v1::FailureClass::InputLost, None) => Err(Fault::at("lost_task", Problem::Missing)),
        (_, Some(_)) => Err(Fault::at("lost_task", Problem::Disagrees { other: "failure_class" })),
        (v1::FailureClass::Unspecified, None) => Err(refuse(Problem::Unspecified)),
        (v1::FailureClass::TryAgain, None) => Ok(FailureClass::TryAgain),
        (v1::FailureClass::TryElsewhere, None) => Ok(FailureClass::TryElsewhere),
        (v1::FailureClass::GiveUpTask, None) => Ok(FailureClass::GiveUpTask),
        (v1::FailureClass::InvalidRequest, None) => Ok(FailureClass::InvalidRequest),
        (v1::FailureClass::Bug, None) => Ok(FailureClass::Bug),
    }
}
