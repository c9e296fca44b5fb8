//! What people see: the scheduler's views with wall-clock times.

use rechunk_common::{
    Refusal,
    ids::JobId,
    job::{JobView, WorkerView},
};
use tokio::{sync::watch, time::Instant};

use super::{Driver, jobs::Turn};
use crate::{
    door::LiveSpace,
    message::{CoordinatorFigures, Outlook},
    page::{JobsPage, PageRequest},
};

impl Driver {
    /// A job with its plan.
    pub(super) fn view(&self, job: &JobId) -> Option<JobView> {
        if !self.jobs.is_accepted(job) {
            return None;
        }
        let mut view = self.scheduler.job(job)?;
        self.jobs.stamp(&mut view);
        Some(view)
    }

    /// A job without its plan.
    fn short_view(&self, job: &JobId) -> Option<JobView> {
        self.view(job).map(|view| JobView { plan: None, ..view })
    }

    pub(super) fn page(&self, page: &PageRequest) -> Result<JobsPage, Refusal> {
        let (jobs, next) = self.jobs.page(page.before()?, page.limit());
        Ok(JobsPage {
            jobs: jobs.iter().filter_map(|job| self.short_view(job)).collect(),
            next_token: next.map_or_else(String::new, |number| number.to_string()),
        })
    }

    pub(super) fn worker_views(&self) -> Vec<WorkerView> {
        self.scheduler.workers()
    }

    pub(super) fn outlook(&self) -> Outlook {
        Outlook { fleet: self.fleet.fleet(&self.scheduler.workers()), taken: self.taken() }
    }

    /// The places of jobs that write or remove.
    fn taken(&self) -> Vec<LiveSpace> {
        let live = self.scheduler.live_targets();
        live.flat_map(|space| {
            let places = [Some(space.target).filter(|target| !target.is_empty()), space.temp];
            places.into_iter().flatten().map(|url| LiveSpace { job: space.job.clone(), url: url.to_owned() })
        })
        .collect()
    }

    /// The places that were taken at any time after `since`. A plan that was begun then may have seen such a job's
    /// target before the job wrote it.
    pub(super) fn taken_since(&self, since: Turn) -> Vec<LiveSpace> {
        let mut taken = self.taken();
        taken.extend(self.jobs.left_since(since));
        taken
    }

    pub(super) fn watch(&mut self, job: &JobId) -> Option<watch::Receiver<JobView>> {
        let view = self.short_view(job)?;
        Some(self.watchers.watch(job, view, Instant::now()))
    }

    /// Everything in numbers.
    pub(super) fn figures(&self) -> CoordinatorFigures {
        CoordinatorFigures {
            scheduler: self.scheduler.figures(),
            epoch: self.scheduler.epoch(),
            records_waiting: self.journal.waiting(),
            confirmed_age: self.journal.confirmed_age(Instant::now()),
        }
    }

    /// Says whether a job is not over, where that has changed.
    pub(super) fn show_activity(&self) {
        let is_active = self.scheduler.is_active();
        self.activity.send_if_modified(|shown| std::mem::replace(shown, is_active) != is_active);
    }

    /// Shows watchers what has changed, as far as it is due.
    pub(super) fn show_due_views(&mut self) {
        for job in self.watchers.take_due(Instant::now()) {
            let view = self.short_view(&job);
            self.watchers.show(&job, view);
        }
    }
}
