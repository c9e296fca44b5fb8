//! A caller with one job: submits it, asks for it, cancels or retries it, until it has ended. Knows that a coordinator may
//! be gone at any time, and takes its words as promises.

use std::time::Duration;

use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    ids::JobId,
    job::{JobState, JobView},
    request::RechunkRequest,
};
use rechunk_coordinator::Coordinator;
use tokio::time::{Instant, sleep};

use crate::world::World;

/// Retries of one job.
const MOST_RETRIES: u32 = 100;

/// How long an overtaken coordinator may answer before it notices.
const UNAWARE: Duration = Duration::from_mins(5);

/// How the job ended.
pub(crate) enum Ended {
    Succeeded(Box<JobView>),
    Cancelled(JobId, Box<JobView>),
    Deleted(JobId),
}

/// Submits the job and sees it through.
pub(crate) struct Caller {
    pub(crate) world: World,
    pub(crate) cancel_after: Option<Duration>,
}

impl Caller {
    /// The newest coordinator, when there is one.
    async fn coordinator(&self) -> Coordinator {
        loop {
            sleep(self.world.dice.millis(100, 1_000)).await;
            if let Some(coordinator) = self.world.network.newest() {
                return coordinator;
            }
        }
    }

    async fn submit(&self, mut wanted: RechunkRequest) -> Result<JobId, String> {
        loop {
            let refusal = match self.coordinator().await.submit_rechunk(wanted.clone()).await {
                Ok(job) => return Ok(job),
                Err(refusal) => refusal,
            };
            self.world.minutes.note(&format!("submission: {refusal}"));
            match (refusal.code, refusal.reason.as_str()) {
                (RefusalCode::Unavailable, _) | (_, "STORE_FULL") => {}
                (_, reason) if reason.contains("MEMORY") => {
                    wanted.max_mem = wanted.max_mem.map(|memory| ByteCount(memory.0 * 2));
                }
                _ => return Err(format!("the submission was refused: {} {refusal}", refusal.reason)),
            }
        }
    }

    /// Submits and follows the job to its end.
    pub(crate) async fn follow(self, wanted: RechunkRequest) -> Result<Ended, String> {
        let job = self.submit(wanted).await?;
        self.world.minutes.note(&format!("{job} is accepted"));
        let mut errand = Errand {
            cancel_at: self.cancel_after.map(|after| Instant::now() + after),
            job,
            is_cancelled: false,
            is_deleting: false,
            unknown_since: None,
            retries: 0,
        };
        loop {
            if let Some(ended) = errand.ask(&self.coordinator().await, &self.world).await? {
                return Ok(ended);
            }
        }
    }
}

/// What the caller wants of its job, and what it was promised.
struct Errand {
    job: JobId,
    cancel_at: Option<Instant>,
    /// A cancel was confirmed.
    is_cancelled: bool,
    is_deleting: bool,
    unknown_since: Option<Instant>,
    retries: u32,
}

impl Errand {
    /// Asks for the job and says what is wanted next; how it ended, if it has.
    async fn ask(&mut self, coordinator: &Coordinator, world: &World) -> Result<Option<Ended>, String> {
        let view = match coordinator.job(&self.job).await {
            Ok(view) => view,
            Err(refusal) if refusal.code == RefusalCode::Unavailable => return Ok(None),
            Err(refusal) if refusal.code == RefusalCode::NotFound => return self.unknown(&refusal),
            Err(refusal) => return Err(format!("an accepted job is shown: {refusal}")),
        };
        self.unknown_since = None;
        match view.state {
            JobState::Succeeded if self.is_cancelled => return Err("a confirmed cancel is kept".to_owned()),
            JobState::Succeeded => return Ok(Some(Ended::Succeeded(Box::new(view)))),
            JobState::Cancelled => return Ok(Some(Ended::Cancelled(self.job.clone(), Box::new(view)))),
            JobState::Failed if self.is_cancelled => self.delete(coordinator, world).await,
            JobState::Failed => self.retry(coordinator, &view, world).await?,
            JobState::Accepted
            | JobState::Running
            | JobState::Succeeding
            | JobState::Failing
            | JobState::Cancelling => {}
        }
        if self.cancel_at.is_some_and(|at| at <= Instant::now()) {
            self.cancel(coordinator).await?;
        }
        Ok(None)
    }

    /// A coordinator that was overtaken does not know yet what another has promised since.
    fn unknown(&mut self, refusal: &Refusal) -> Result<Option<Ended>, String> {
        if self.unknown_since.get_or_insert_with(Instant::now).elapsed() < UNAWARE {
            return Ok(None);
        }
        if self.is_deleting {
            return Ok(Some(Ended::Deleted(self.job.clone())));
        }
        Err(format!("an accepted job is kept: {refusal}"))
    }

    async fn cancel(&mut self, coordinator: &Coordinator) -> Result<(), String> {
        match coordinator.cancel(&self.job).await {
            Ok(()) => (self.is_cancelled, self.cancel_at) = (true, None),
            Err(refusal) if matches!(refusal.code, RefusalCode::Unavailable | RefusalCode::NotFound) => {}
            // It is being published, or has ended.
            Err(refusal) if refusal.code == RefusalCode::FailedPrecondition => self.cancel_at = None,
            Err(refusal) => return Err(format!("a cancel was refused: {refusal}")),
        }
        Ok(())
    }

    async fn retry(&mut self, coordinator: &Coordinator, view: &JobView, world: &World) -> Result<(), String> {
        let failure = view.failure.clone().ok_or("a failed job says why")?;
        self.retries += 1;
        world.minutes.note(&format!("retry after {failure}"));
        world.trouble.note("jobs retried");
        if failure.code == RefusalCode::Internal || self.retries > MOST_RETRIES {
            return Err(format!("the job failed: {failure}"));
        }
        match coordinator.retry(&self.job).await {
            Ok(()) => Ok(()),
            Err(refusal) if matches!(refusal.code, RefusalCode::Unavailable | RefusalCode::NotFound) => Ok(()),
            Err(refusal) if refusal.reason == "JOB_NOT_FAILED" => Ok(()),
            Err(refusal) => Err(format!("a retry was refused: {refusal}")),
        }
    }

    /// A cancelled job whose removal broke off is deleted.
    async fn delete(&mut self, coordinator: &Coordinator, world: &World) {
        self.is_deleting = true;
        if let Err(refusal) = coordinator.delete(&self.job).await {
            world.minutes.note(&format!("deletion: {refusal}"));
        }
    }
}
