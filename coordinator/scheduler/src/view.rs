//! What people see: jobs, workers, and the places that live jobs write to.

use rechunk_common::{
    ids::{JobId, RequestId, WorkerId},
    job::{JobView, StageProgressView, TempStanding, TempView, WorkerView},
    plan::StageFunction,
};

use crate::{
    fairness::fits,
    job::{Ending, Ghosts, Job, Lifecycle, Remains},
    stage::TaskClass,
    state::Scheduler,
};

/// The places that a job writes to and removes from, until it is terminal and not being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSpace<'a> {
    /// The job.
    pub job: &'a JobId,
    /// Its target's URL; empty for a caller's own pipelines.
    pub target: &'a str,
    /// Its temporary space.
    pub temp: Option<&'a str>,
}

/// Whether two URLs name the same place, or one lies in the other; compared segment by segment. Empty ones name nothing.
pub fn spaces_overlap(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim_end_matches('/'), b.trim_end_matches('/'));
    let lies_in = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !a.is_empty() && !b.is_empty() && (lies_in(a, b) || lies_in(b, a))
}

impl Scheduler {
    /// The reign.
    pub fn epoch(&self) -> rechunk_common::ids::Epoch {
        self.epoch
    }

    /// A job with its plan in figures. `accepted_at_ms` and `ended_at_ms` are `Timestamp`s: the driver translates them.
    pub fn job(&self, id: &JobId) -> Option<JobView> {
        let job = self.jobs.get(id).filter(|job| job.accepted_at.is_some())?;
        Some(JobView { plan: job.plan.summary.clone(), ..self.job_view(id, job) })
    }

    /// The caller's name for a job.
    pub fn request_of(&self, id: &JobId) -> Option<&RequestId> {
        self.jobs.get(id)?.request_id.as_ref()
    }

    /// All jobs without their plans, in the order of their ids; each is made when it is asked for.
    pub fn jobs(&self) -> impl Iterator<Item = JobView> + '_ {
        self.accepted_jobs().map(|(id, job)| self.job_view(id, job))
    }

    /// The ids of all jobs, in order: cheap, for paging.
    pub fn job_ids(&self) -> impl Iterator<Item = &JobId> + '_ {
        self.accepted_jobs().map(|(id, _)| id)
    }

    fn accepted_jobs(&self) -> impl Iterator<Item = (&JobId, &Job)> + '_ {
        self.jobs.iter().filter(|(_, job)| job.accepted_at.is_some())
    }

    /// All workers in the order of their names. `last_heard_at_ms` is a `Timestamp`: the driver translates it.
    pub fn workers(&self) -> Vec<WorkerView> {
        let view = |(id, worker): (&WorkerId, &crate::worker::Worker)| WorkerView {
            id: id.clone(),
            version: worker.version.clone(),
            total: worker.total,
            free: worker.free,
            leased_tasks: worker
                .leases
                .iter()
                .filter_map(|lease| self.leases.get(*lease))
                .filter(|lease| lease.is_live())
                .map(|lease| lease.unreported.len())
                .sum(),
            draining: worker.is_draining,
            functions: worker.functions.iter().cloned().collect(),
            last_heard_at_ms: worker.last_heard.0,
        };
        self.fleet.iter().map(view).collect()
    }

    /// Where jobs write or remove, also those whose acceptance is not durable yet: a new job must keep away.
    pub fn live_targets(&self) -> impl Iterator<Item = LiveSpace<'_>> + '_ {
        self.jobs.iter().filter(|(_, job)| job.is_live()).map(|(id, job)| LiveSpace {
            job: id,
            target: &job.target,
            temp: job.plan.summary.as_ref().and_then(|summary| summary.temp.as_deref()),
        })
    }

    fn job_view(&self, id: &JobId, job: &Job) -> JobView {
        let row = |row: &crate::job::Row| StageProgressView {
            array: row.array.clone(),
            name: row.name.clone(),
            tasks: row.tasks,
            done: row.done,
            leased: row.leased,
            predicted: row.predicted,
            measured: row.measured,
        };
        JobView {
            id: id.clone(),
            run: job.run,
            state: job.state(),
            source: job.source.clone(),
            target: job.target.clone(),
            accepted_at_ms: job.accepted_at.unwrap_or_default().0,
            ended_at_ms: job.ended_at.map(|ended| ended.0),
            stages: job.rows.iter().map(row).collect(),
            waits_for: self.waits_for(job),
            failure: job.failure.clone().filter(|_| job.shows_failure()),
            leases_expired: job.leases_expired,
            retries: job.retries,
            peak_rss: job.peak_rss,
            temp: job.temp_view(),
            plan: None,
        }
    }

    /// What a job that could go on lacks, if no task of it runs.
    fn waits_for(&self, job: &Job) -> Option<String> {
        let first = job.ready.keys().next()?;
        if !job.lifecycle.is_active() || job.leased > 0 {
            return None;
        }
        if job.ghosts == Ghosts::MayBeHeld {
            return Some("the workers of the coordinator before, which may still hold its tasks".to_owned());
        }
        let active = || self.fleet.iter().map(|(_, worker)| worker).filter(|worker| !worker.is_draining);
        if active().next().is_none() {
            return Some("workers".to_owned());
        }
        let is_eligible = |class: &TaskClass| active().any(|worker| fits(class, worker, &worker.total));
        if job.ready.keys().any(is_eligible) {
            return None;
        }
        let offers = |worker: &&crate::worker::Worker| worker.functions.contains(&first.function);
        Some(if !active().any(|worker| offers(&worker)) {
            format!("a worker that offers {}", first.function)
        } else if !active().any(|worker| offers(&worker) && worker.total.memory >= first.memory) {
            format!("a worker with {} of memory", first.memory)
        } else if !active().any(|worker| offers(&worker) && worker.total.scratch >= first.scratch) {
            format!("a worker with {} of local disk", first.scratch)
        } else {
            format!("a worker with {} of memory and {} of local disk", first.memory, first.scratch)
        })
    }
}

impl Job {
    /// Whether it writes or removes, or will.
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.lifecycle, Lifecycle::Ended(_))
    }

    /// Where it writes.
    pub(crate) fn spaces(&self) -> Vec<&str> {
        let temp = self.plan.summary.as_ref().and_then(|summary| summary.temp.as_deref());
        std::iter::once(self.target.as_str()).chain(temp).collect()
    }

    /// Its temporary space. Once that is released, the job never reads or writes there again: of the states below none
    /// leads back to one in which it might.
    fn temp_view(&self) -> Option<TempView> {
        let url = self.plan.summary.as_ref()?.temp.clone()?;
        let standing = match &self.lifecycle {
            Lifecycle::Ended(Ending::Succeeded) if !self.clears(&url) => TempStanding::Kept,
            Lifecycle::Ended(Ending::Succeeded | Ending::Cancelled) => TempStanding::Released,
            Lifecycle::Ended(Ending::Failed) if self.remains == Remains::Removed => TempStanding::Released,
            Lifecycle::Ended(Ending::Failed)
            | Lifecycle::Submitted { .. }
            | Lifecycle::Running
            | Lifecycle::Deciding { .. }
            | Lifecycle::Ending(_)
            | Lifecycle::Cleaning
            | Lifecycle::Settling(_)
            | Lifecycle::Retrying
            | Lifecycle::Condemned { .. }
            | Lifecycle::Deleting { .. }
            | Lifecycle::Removing
            | Lifecycle::Forgetting(_) => TempStanding::InUse,
        };
        Some(TempView { url, standing })
    }

    /// Whether its last phase clears what `temp` lies in, as it does unless it was asked to keep it.
    fn clears(&self, temp: &str) -> bool {
        let pipelines = self.plan.phases.last().into_iter().flat_map(|phase| &phase.pipelines.pipelines);
        pipelines.flat_map(|pipeline| &pipeline.stages).any(|stage| {
            matches!(&stage.function, StageFunction::ClearPrefix(clear)
                if clear.prefixes.iter().any(|prefix| spaces_overlap(prefix, temp)))
        })
    }

    /// A failure is seen when it is durable.
    fn shows_failure(&self) -> bool {
        !matches!(self.lifecycle, Lifecycle::Deciding { .. })
    }
}
