//! Jobs as callers see them.

use rechunk_common::{
    ByteCount,
    ids::{JobId, RunNumber},
    job::{JobState, JobView, StageProgressView, TempStanding, TempView},
};

use super::{
    counts::or_zero,
    field::{choice, each, name, optional, same_variants, text, url},
    time::{of_time, optional_time, time},
};
use crate::{fault::Fault, invalid::InvalidJob, v1};

same_variants! {
    v1::JobState = JobState {
        Accepted, Running, Succeeding, Failing, Cancelling, Succeeded, Failed, Cancelled,
    }
    v1::TempStanding = TempStanding { InUse, Kept, Released }
}

impl From<JobView> for v1::Job {
    fn from(job: JobView) -> Self {
        let JobView {
            id: JobId(id),
            run: RunNumber(run),
            state,
            source,
            target,
            accepted_at_ms,
            ended_at_ms,
            stages,
            waits_for,
            failure,
            leases_expired,
            retries,
            peak_rss,
            temp,
            plan,
        } = job;
        Self {
            id,
            run,
            state: v1::JobState::from(state).into(),
            source,
            target,
            accepted_at: Some(of_time(accepted_at_ms)),
            ended_at: ended_at_ms.map(of_time),
            stages: stages.into_iter().map(Into::into).collect(),
            waits_for,
            failure: failure.map(Into::into),
            leases_expired,
            retries,
            peak_rss_bytes: peak_rss.0,
            plan: plan.map(Into::into),
            temp: temp.map(Into::into),
        }
    }
}

impl TryFrom<v1::Job> for JobView {
    type Error = InvalidJob;

    fn try_from(job: v1::Job) -> Result<Self, InvalidJob> {
        Ok(Self {
            id: JobId(name(job.id, "id")?),
            run: RunNumber(job.run),
            state: choice::<v1::JobState, _>(job.state, "state")?,
            source: job.source,
            target: job.target,
            accepted_at_ms: time(job.accepted_at, "accepted_at")?,
            ended_at_ms: optional_time(job.ended_at, "ended_at")?,
            stages: each(job.stages, "stages")?,
            waits_for: job.waits_for,
            failure: optional(job.failure, "failure")?,
            leases_expired: job.leases_expired,
            retries: job.retries,
            peak_rss: ByteCount(job.peak_rss_bytes),
            temp: optional(job.temp, "temp")?,
            plan: optional(job.plan, "plan")?,
        })
    }
}

impl From<TempView> for v1::JobTempSpace {
    fn from(temp: TempView) -> Self {
        let TempView { url, standing } = temp;
        Self { url, standing: v1::TempStanding::from(standing).into() }
    }
}

impl TryFrom<v1::JobTempSpace> for TempView {
    type Error = Fault;

    fn try_from(temp: v1::JobTempSpace) -> Result<Self, Fault> {
        Ok(Self { url: url(temp.url, "url")?, standing: choice::<v1::TempStanding, _>(temp.standing, "standing")? })
    }
}

impl From<StageProgressView> for v1::StageProgress {
    fn from(stage: StageProgressView) -> Self {
        let StageProgressView { array, name, tasks, done, leased, predicted, measured } = stage;
        Self { array, name, tasks, done, leased, predicted: Some(predicted.into()), measured: Some(measured.into()) }
    }
}

impl TryFrom<v1::StageProgress> for StageProgressView {
    type Error = Fault;

    fn try_from(stage: v1::StageProgress) -> Result<Self, Fault> {
        Ok(Self {
            array: text(stage.array, "array")?,
            name: name(stage.name, "name")?,
            tasks: stage.tasks,
            done: stage.done,
            leased: stage.leased,
            predicted: or_zero(stage.predicted),
            measured: or_zero(stage.measured),
        })
    }
}
