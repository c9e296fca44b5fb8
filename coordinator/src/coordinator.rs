//! The handle: everything that a program can ask of a coordinator, in the words of the domain. The gRPC services and
//! the command line's `run` are thin callers of it.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    job::{JobView, WorkerView},
    limits::MAX_SYNC_WAIT,
    plan::Plan,
    request::{PipelinesRequest, RechunkRequest},
    session::{SyncRequest, SyncResponse},
};
use rechunk_storage::Stores;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    door::Door,
    driver::{DriverParts, OnThread, Planner, Prepare, drive},
    journal::{Journal, JournalError, MemoryJournal},
    message::{Answer, CoordinatorFigures, Message},
    page::{JobsPage, PageRequest},
    pipelines,
    settings::CoordinatorSettings,
    surroundings::{Machine, Surroundings, Witness},
    sync_guard::SyncGuard,
};

/// Messages that may wait for the driver; more callers wait themselves.
const INBOX: usize = 1024;

/// How long the driver may take with a question; it answers in microseconds unless it is in trouble.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// How long a submission may take: planning has its own, shorter deadline.
const SUBMIT_DEADLINE: Duration = Duration::from_mins(3);

/// How long a caller waits until what a job left is removed; the removal goes on without the caller.
const DELETE_DEADLINE: Duration = Duration::from_mins(3);

/// A handle of a running coordinator. Clones speak to the same one; it ends when the last is dropped.
#[derive(Clone)]
pub struct Coordinator {
    inbox: mpsc::Sender<Message>,
    planner: Planner,
    surroundings: Arc<dyn Surroundings>,
    activity: watch::Receiver<bool>,
    stop: CancellationToken,
}

/// The running coordinator. Dropping it ends it, with what was not yet written to the journal.
#[must_use = "the coordinator ends when this is dropped"]
pub struct CoordinatorTask {
    driver: JoinHandle<Result<(), JournalError>>,
    ready: oneshot::Receiver<()>,
    _stop: DropGuard,
}

/// Why a coordinator has ended, other than by being told to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoordinatorError {
    /// The journal can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A fault of ours.
    #[error("the coordinator's driver has broken off: {0}")]
    Driver(String),
}

/// What a coordinator is made of, where the defaults do not fit.
pub struct CoordinatorParts {
    /// Its constants.
    pub settings: CoordinatorSettings,
    /// Where sources and targets are.
    pub stores: Stores,
    /// Where jobs are recorded.
    pub journal: Box<dyn Journal>,
    /// The time of day and fresh ids.
    pub surroundings: Arc<dyn Surroundings>,
    /// Who sees what the scheduler does; nobody but in simulations.
    pub witness: Option<Box<dyn Witness>>,
}

impl Coordinator {
    /// Starts a coordinator that forgets its jobs when it ends. Call it on a tokio runtime.
    pub fn start(settings: CoordinatorSettings, stores: Stores) -> (Self, CoordinatorTask) {
        let journal = Box::new(MemoryJournal::default());
        let surroundings = Arc::new(Machine);
        Self::start_with(CoordinatorParts { settings, stores, journal, surroundings, witness: None })
    }

    /// Starts a coordinator of these parts. Call it on a tokio runtime.
    pub fn start_with(parts: CoordinatorParts) -> (Self, CoordinatorTask) {
        let door = Door::new(parts.stores);
        let prepare: Arc<dyn Prepare> =
            if parts.surroundings.has_threads() { Arc::new(OnThread(door)) } else { Arc::new(door) };
        Self::start_driving(parts.settings, prepare, parts.journal, parts.surroundings, parts.witness)
    }

    /// Starts a coordinator whose plans come from `prepare`.
    #[cfg(test)]
    pub(crate) fn start_preparing(
        settings: CoordinatorSettings,
        prepare: Arc<dyn Prepare>,
        journal: Box<dyn Journal>,
        surroundings: Arc<dyn Surroundings>,
    ) -> (Self, CoordinatorTask) {
        Self::start_driving(settings, prepare, journal, surroundings, None)
    }

    fn start_driving(
        settings: CoordinatorSettings,
        prepare: Arc<dyn Prepare>,
        journal: Box<dyn Journal>,
        surroundings: Arc<dyn Surroundings>,
        witness: Option<Box<dyn Witness>>,
    ) -> (Self, CoordinatorTask) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let planner = Planner::new(prepare);
        let stop = CancellationToken::new();
        let (told, ready) = oneshot::channel();
        let (shown, activity) = watch::channel(false);
        let parts = DriverParts {
            settings,
            journal,
            planner: planner.clone(),
            surroundings: Arc::clone(&surroundings),
            witness,
            inbox,
            activity: shown,
            ready: told,
        };
        let driver = tokio::spawn(drive(parts, stop.clone()));
        let task = CoordinatorTask { driver, ready, _stop: stop.clone().drop_guard() };
        (Self { inbox: sender, planner, surroundings, activity, stop }, task)
    }

    /// What a rechunk would do and cost. Writes nothing.
    pub async fn plan(&self, request: RechunkRequest) -> Result<Plan, Refusal> {
        let outlook = self.ask(ANSWER_DEADLINE, |answer| Message::Outlook { answer }).await?;
        let job = self.surroundings.new_job_id();
        Ok(self.planner.plan(&request, &job, &outlook).await?.plan)
    }

    /// Plans a rechunk and takes it on. Answers when the job is durable. The same request id gives the same job, also
    /// while the first one is being planned.
    pub async fn submit_rechunk(&self, request: RechunkRequest) -> Result<JobId, Refusal> {
        let request = Box::new(request);
        self.ask(SUBMIT_DEADLINE, |answer| Message::SubmitRechunk { request, answer }).await
    }

    /// Takes on pipelines that the caller planned. Answers when the job is durable.
    pub async fn submit_pipelines(&self, request: PipelinesRequest) -> Result<JobId, Refusal> {
        pipelines::check(&request)?;
        let request = Box::new(request);
        self.ask(SUBMIT_DEADLINE, |answer| Message::SubmitPipelines { request, answer }).await
    }

    /// A job with its plan.
    pub async fn job(&self, job: &JobId) -> Result<JobView, Refusal> {
        let job = job.clone();
        self.ask(ANSWER_DEADLINE, |answer| Message::Job { job, answer }).await
    }

    /// A page of jobs, newest first, without their plans.
    pub async fn jobs(&self, page: PageRequest) -> Result<JobsPage, Refusal> {
        self.ask(ANSWER_DEADLINE, |answer| Message::Jobs { page, answer }).await
    }

    /// A job as it changes, without its plan: as it stands now, then the latest view after each change, at most ten a
    /// second. Ends after the terminal view, when the job is deleted, and when the coordinator ends.
    pub async fn watch(&self, job: &JobId) -> Result<BoxStream<'static, JobView>, Refusal> {
        let job = job.clone();
        let views = self.ask(ANSWER_DEADLINE, |answer| Message::Watch { job, answer }).await?;
        Ok(until_terminal(views).take_until(self.stop.clone().cancelled_owned()).boxed())
    }

    /// Ends a job early; what it wrote is removed. Answers when that is durable, before it is done.
    pub async fn cancel(&self, job: &JobId) -> Result<(), Refusal> {
        let job = job.clone();
        self.ask(ANSWER_DEADLINE, |answer| Message::Cancel { job, answer }).await
    }

    /// Lets a failed job go on, with what is done. Answers when that is durable.
    pub async fn retry(&self, job: &JobId) -> Result<(), Refusal> {
        let job = job.clone();
        self.ask(ANSWER_DEADLINE, |answer| Message::Retry { job, answer }).await
    }

    /// Forgets a terminal job. What a failed one left is removed first, by workers; the answer comes when it is gone.
    pub async fn delete(&self, job: &JobId) -> Result<(), Refusal> {
        let deleted = self.ask_within(DELETE_DEADLINE, |answer| Message::Delete { job: job.clone(), answer }).await;
        deleted.unwrap_or_else(|| {
            let message = format!("workers are still removing what {job} left; that goes on, so ask again later");
            Err(Refusal::new(RefusalCode::Unavailable, "STILL_DELETING", message))
        })
    }

    /// The workers that were heard lately.
    pub async fn workers(&self) -> Result<Vec<WorkerView>, Refusal> {
        self.ask(ANSWER_DEADLINE, |answer| Message::Workers { answer }).await
    }

    /// How everything stands, in numbers.
    pub async fn figures(&self) -> Result<CoordinatorFigures, Refusal> {
        self.ask(ANSWER_DEADLINE, |answer| Message::Figures { answer }).await
    }

    /// Whether a job is not over: as it is now, and after each change. Ends with the coordinator.
    pub fn activity(&self) -> BoxStream<'static, bool> {
        let changes = WatchStream::new(self.activity.clone());
        changes.take_until(self.stop.clone().cancelled_owned()).boxed()
    }

    /// One call of a worker. Waits for work up to the request's `wait`, and never longer than
    /// [`MAX_SYNC_WAIT`]. Dropping the future ends the call.
    pub async fn sync(&self, mut request: SyncRequest) -> Result<SyncResponse, Refusal> {
        request.wait = request.wait.min(MAX_SYNC_WAIT);
        let deadline = request.wait.saturating_add(ANSWER_DEADLINE);
        let mut guard = SyncGuard::new(self.inbox.clone(), &request);
        let (answer, response) = oneshot::channel();
        let answered = timeout(deadline, async {
            self.inbox.send(Message::Sync { request: Box::new(request), answer }).await.ok()?;
            response.await.ok()
        });
        let response = answered.await.map_err(|_elapsed| too_slow())?;
        guard.disarm();
        response.ok_or_else(|| self.gone())
    }

    /// Ends the coordinator: open calls are answered, watchers end, waiting records are written.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }

    /// Ends when the coordinator is told to end.
    pub fn stopped(&self) -> CancellationToken {
        self.stop.child_token()
    }

    async fn ask<T>(&self, deadline: Duration, message: impl FnOnce(Answer<T>) -> Message) -> Result<T, Refusal> {
        self.ask_within(deadline, message).await.unwrap_or_else(|| Err(too_slow()))
    }

    /// `None` where the answer takes longer than `deadline`.
    async fn ask_within<T>(
        &self,
        deadline: Duration,
        message: impl FnOnce(Answer<T>) -> Message,
    ) -> Option<Result<T, Refusal>> {
        let (answer, outcome) = oneshot::channel();
        let asked = timeout(deadline, async {
            self.inbox.send(message(answer)).await.ok()?;
            outcome.await.ok()
        });
        let answered = asked.await.ok()?;
        Some(answered.unwrap_or_else(|| Err(self.gone())))
    }

    fn gone(&self) -> Refusal {
        let (reason, message) = if self.stop.is_cancelled() || self.inbox.is_closed() {
            ("COORDINATOR_ENDING", "the coordinator is ending; try again when it, or another one, has started")
        } else {
            ("CALL_REPLACED", "the call ended without an answer: a newer one took its place, or there are too many")
        };
        Refusal::new(RefusalCode::Unavailable, reason, message)
    }
}

impl CoordinatorTask {
    /// Waits until the journal is read and the jobs go on; `false` where the coordinator has ended instead.
    pub async fn is_ready(&mut self) -> bool {
        (&mut self.ready).await.is_ok()
    }

    /// Whether the coordinator has ended.
    pub fn has_ended(&self) -> bool {
        self.driver.is_finished()
    }

    /// Ends the coordinator where it stands, as the end of its process would: nothing more is written or answered.
    pub async fn kill(self) {
        self.driver.abort();
        let _was_aborted = self.driver.await;
    }

    /// Waits until the coordinator has ended.
    pub async fn join(self) -> Result<(), CoordinatorError> {
        match self.driver.await {
            Ok(ended) => Ok(ended?),
            Err(error) => Err(CoordinatorError::Driver(error.to_string())),
        }
    }
}

/// The views of a channel, the terminal one last.
fn until_terminal(views: watch::Receiver<JobView>) -> impl futures::Stream<Item = JobView> + Send {
    futures::stream::unfold(Some((views, true)), |state| async move {
        let (mut views, is_first) = state?;
        if !is_first {
            views.changed().await.ok()?;
        }
        let view = views.borrow_and_update().clone();
        let next = (!view.state.is_terminal()).then_some((views, false));
        Some((view, next))
    })
}

fn too_slow() -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        "COORDINATOR_BUSY",
        "the coordinator did not answer in time; try again, with the same request id where a job was submitted",
    )
}
