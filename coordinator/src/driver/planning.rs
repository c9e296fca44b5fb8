//! Plans in the making: each in a task of its own, so that a slow store holds up nobody else.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rechunk_common::{Refusal, RefusalCode, ids::JobId, request::RechunkRequest};
use rechunk_metrics::names::PLAN_SECONDS;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{jobs::Turn, planning_thread::on_thread};
use crate::{
    door::{Door, Prepared, TempObjects},
    message::Outlook,
};

/// Plans that are made at a time: each lists keys and holds a plan in memory.
const MAX_PLANS_AT_A_TIME: usize = 16;

/// How long one plan may take, the wait for its turn included.
const PLANNING_DEADLINE: Duration = Duration::from_mins(2);

/// Makes a plan of a request. The door does; tests say when.
#[async_trait]
pub(crate) trait Prepare: Send + Sync + 'static {
    /// Checks the request, looks at the source and the target, and plans for `job`.
    async fn prepare(&self, request: &RechunkRequest, job: &JobId, outlook: &Outlook) -> Result<Prepared, Refusal>;

    /// Writes what a planned job needs before it is accepted.
    async fn write(&self, objects: &TempObjects) -> Result<(), Refusal> {
        let _nothing = objects;
        Ok(())
    }

    /// Removes it again: the job is not accepted.
    async fn discard(&self, space: &str) {
        let _nothing = space;
    }
}

/// Plans on the thread that asks: for who has no other.
#[async_trait]
impl Prepare for Door {
    async fn prepare(&self, request: &RechunkRequest, job: &JobId, outlook: &Outlook) -> Result<Prepared, Refusal> {
        Self::prepare(self, request, job, &outlook.fleet, &outlook.taken).await
    }

    async fn write(&self, objects: &TempObjects) -> Result<(), Refusal> {
        Self::write(self, objects).await
    }

    async fn discard(&self, space: &str) {
        Self::discard(self, space).await;
    }
}

/// A door that plans on threads of its own.
pub(crate) struct OnThread(pub(crate) Door);

#[async_trait]
impl Prepare for OnThread {
    async fn prepare(&self, request: &RechunkRequest, job: &JobId, outlook: &Outlook) -> Result<Prepared, Refusal> {
        let (door, request, job, outlook) = (self.0.clone(), request.clone(), job.clone(), outlook.clone());
        let planned =
            on_thread(move || async move { door.prepare(&request, &job, &outlook.fleet, &outlook.taken).await });
        planned.await.unwrap_or_else(|| Err(planner_failed()))
    }

    async fn write(&self, objects: &TempObjects) -> Result<(), Refusal> {
        self.0.write(objects).await
    }

    async fn discard(&self, space: &str) {
        self.0.discard(space).await;
    }
}

/// Makes plans, a bounded number at a time. Clones share the bound.
#[derive(Clone)]
pub(crate) struct Planner {
    prepare: Arc<dyn Prepare>,
    permits: Arc<Semaphore>,
}

impl Planner {
    pub(crate) fn new(prepare: Arc<dyn Prepare>) -> Self {
        Self { prepare, permits: Arc::new(Semaphore::new(MAX_PLANS_AT_A_TIME)) }
    }

    /// Plans in its turn and within the deadline.
    pub(crate) async fn plan(
        &self,
        request: &RechunkRequest,
        job: &JobId,
        outlook: &Outlook,
    ) -> Result<Prepared, Refusal> {
        let planned = timeout(PLANNING_DEADLINE, async {
            let _permit = self.permits.acquire().await;
            self.prepare.prepare(request, job, outlook).await
        });
        let begun = Instant::now();
        let outcome = planned.await.unwrap_or_else(|_elapsed| Err(too_slow()));
        let label = if outcome.is_ok() { "made" } else { "refused" };
        PLAN_SECONDS.histogram(&[label]).record(begun.elapsed());
        outcome
    }

    /// Plans what is about to be run, and writes what it needs.
    async fn plan_and_write(
        &self,
        request: &RechunkRequest,
        job: &JobId,
        outlook: &Outlook,
    ) -> Result<Prepared, Refusal> {
        let prepared = self.plan(request, job, outlook).await?;
        if prepared.objects.objects.is_empty() {
            return Ok(prepared);
        }
        match timeout(PLANNING_DEADLINE, self.prepare.write(&prepared.objects)).await {
            Ok(written) => written.map(|()| prepared),
            Err(_elapsed) => {
                self.prepare.discard(&prepared.objects.space).await;
                Err(too_slow())
            }
        }
    }
}

/// A plan that is ready, or why there is none.
pub(super) struct Planned {
    pub(super) job: JobId,
    pub(super) request: Box<RechunkRequest>,
    /// When it was begun.
    pub(super) since: Turn,
    pub(super) outcome: Result<Prepared, Refusal>,
}

/// The plans of submissions.
pub(super) struct Planning {
    planner: Planner,
    tasks: JoinSet<Planned>,
    /// Removals of what was written for jobs that were not accepted.
    discards: JoinSet<()>,
}

impl Planning {
    pub(super) fn new(planner: Planner) -> Self {
        Self { planner, tasks: JoinSet::new(), discards: JoinSet::new() }
    }

    /// Starts a plan.
    pub(super) fn begin(&mut self, job: JobId, request: Box<RechunkRequest>, since: Turn, outlook: Outlook) {
        let planner = self.planner.clone();
        self.tasks.spawn(async move {
            // In a task of its own, so that a panic in planning is that job's refusal.
            let mut attempt = JoinSet::new();
            let asked = (job.clone(), request.clone());
            attempt.spawn(async move { planner.plan_and_write(&asked.1, &asked.0, &outlook).await });
            let outcome = match attempt.join_next().await {
                Some(Ok(outcome)) => outcome,
                Some(Err(_)) | None => Err(planner_failed()),
            };
            Planned { job, request, since, outcome }
        });
    }

    /// Removes what was written to `space`, for a job that is not accepted.
    pub(super) fn discard(&mut self, space: String) {
        while self.discards.try_join_next().is_some() {}
        let prepare = Arc::clone(&self.planner.prepare);
        self.discards.spawn(async move { prepare.discard(&space).await });
    }

    /// Waits until everything is removed that is to be.
    pub(super) async fn discarded(&mut self) {
        while self.discards.join_next().await.is_some() {}
    }

    /// The next plan that is ready; waits for ever while none is made. May be dropped and asked again.
    pub(super) async fn ready(&mut self) -> Planned {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(planned)) => return planned,
                // Only when the runtime shuts down.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

fn too_slow() -> Refusal {
    let seconds = PLANNING_DEADLINE.as_secs();
    let message =
        format!("planning took longer than {seconds} s; a store of the source or the target answers slowly, try again");
    Refusal::new(RefusalCode::Unavailable, "PLANNING_TOO_SLOW", message)
}

fn planner_failed() -> Refusal {
    let message = "the planner ended without an answer; this is a fault of rechunk, please report it";
    Refusal::new(RefusalCode::Internal, "PLANNER_FAILED", message)
}
