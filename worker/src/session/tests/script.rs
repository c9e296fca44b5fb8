//! The coordinator of the stories: every call stops until the story answers it.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rechunk_common::{
    ByteCount, Counts, TaskFailure,
    ids::{Epoch, JobId, LeaseId, PhaseIndex, PipelineIndex, RunNumber, StageAddress, StageIndex, TaskIndex},
    plan::{CustomFunction, FunctionId, StageFunction},
    session::{Grant, Lease, SyncRequest, SyncResponse},
    task_set::TaskRange,
};
use rechunk_storage::{Access, StoreConfig, Stores, WriteGuard};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Clock, ComputePool, CoordinatorLink, LinkError, TaskContext, TaskFunction, WorkerBuilder, failure::of_storage,
};

type Reply = oneshot::Sender<Result<SyncResponse, LinkError>>;

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call that waits for its answer.
pub(super) struct WaitingCall {
    pub(super) request: SyncRequest,
    reply: Reply,
}

impl WaitingCall {
    /// Answers as a friendly coordinator would: everything renewed, everything acknowledged; then as `change` says.
    pub(super) fn answer(self, change: impl FnOnce(&mut SyncResponse)) {
        let mut response = SyncResponse {
            epoch: Epoch(1),
            seq: self.request.seq,
            granted: Vec::new(),
            revoked: Vec::new(),
            renewed: self.request.held.iter().map(|lease| lease.id).collect(),
            reports_accepted_through: self.request.reports.iter().map(|report| report.number).max().unwrap_or(0),
            next_sync_after: seconds(10),
            request_shares: None,
        };
        change(&mut response);
        // The worker may have given the call up for a newer one.
        let _given_up = self.reply.send(Ok(response));
    }

    pub(super) fn fail(self, error: LinkError) {
        let _given_up = self.reply.send(Err(error));
    }
}

struct ScriptedLink {
    calls: mpsc::UnboundedSender<WaitingCall>,
}

#[async_trait]
impl CoordinatorLink for ScriptedLink {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        let (reply, answer) = oneshot::channel();
        self.calls
            .send(WaitingCall { request, reply })
            .map_err(|_| LinkError::Unreachable("the story is over".into()))?;
        match answer.await {
            Ok(answer) => answer,
            // The story looks away: the call is never answered.
            Err(_) => std::future::pending().await,
        }
    }
}

struct StandingClock {
    start: Instant,
}

impl Clock for StandingClock {
    fn now(&self) -> Duration {
        // Not zero, which would hide a lease without an end.
        seconds(1_000) + self.start.elapsed()
    }
}

/// A function whose tasks wait until they are let through.
#[derive(Clone)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    guards: Arc<Mutex<Vec<Arc<dyn WriteGuard>>>>,
    started: Arc<Notify>,
    nudges: Arc<Semaphore>,
    pub(super) running: Arc<AtomicUsize>,
    pub(super) most_running: Arc<AtomicUsize>,
}

struct Running(Arc<AtomicUsize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(0)),
            guards: Arc::default(),
            started: Arc::new(Notify::new()),
            nudges: Arc::new(Semaphore::new(0)),
            running: Arc::default(),
            most_running: Arc::default(),
        }
    }

    /// Lets so many tasks through.
    pub(super) fn open(&self, tasks: usize) {
        self.permits.add_permits(tasks);
    }

    /// Has one task come a step further.
    pub(super) fn nudge(&self) {
        self.nudges.add_permits(1);
    }

    /// The guard of the first task that was started.
    pub(super) async fn first_guard(&self) -> Arc<dyn WriteGuard> {
        loop {
            let started = self.started.notified();
            if let Some(guard) = self.guards.lock().expect("guards").first() {
                return Arc::clone(guard);
            }
            started.await;
        }
    }
}

#[async_trait]
impl TaskFunction for Gate {
    fn id(&self) -> FunctionId {
        FunctionId::new("gate", 1)
    }

    async fn run(&self, cx: &TaskContext, parameters: &[u8], _task: TaskIndex) -> Result<Counts, TaskFailure> {
        if let Some(scratch) = cx.scratch() {
            let place = cx.on(&scratch.stores).open(&scratch.url, Access::ReadWrite)?;
            place.put("ab/0", "elements", cx.guard()).await.map_err(|error| of_storage(&error))?;
        }
        assert!(parameters != b"panic", "on purpose");
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = Running(Arc::clone(&self.running));
        self.most_running.fetch_max(running, Ordering::SeqCst);
        self.guards.lock().expect("guards").push(Arc::clone(cx.guard()));
        self.started.notify_waiters();
        loop {
            tokio::select! {
                permit = self.permits.acquire() => break permit.expect("open").forget(),
                nudge = self.nudges.acquire() => {
                    nudge.expect("open").forget();
                    cx.note_progress();
                }
            }
        }
        Ok(Counts { put_requests: 1, ..Counts::default() })
    }
}

/// A lease of tasks of the gate, for 30 seconds.
pub(super) fn grant(counter: u64, tasks: Range<u64>) -> Grant {
    Grant {
        lease: Lease {
            id: LeaseId { epoch: Epoch(1), counter },
            stage: StageAddress {
                job: JobId::from("job-1"),
                run: RunNumber(1),
                phase: PhaseIndex(0),
                pipeline: PipelineIndex(0),
                stage: StageIndex(0),
            },
            tasks: TaskRange::new(tasks.start, tasks.end),
            ttl: seconds(30),
        },
        stage_name: "gate".into(),
        function: StageFunction::Custom(CustomFunction { id: FunctionId::new("gate", 1), parameters: Vec::new() }),
        task_memory: ByteCount(10 << 10),
        task_scratch: ByteCount(0),
    }
}

/// The same lease, of tasks that panic.
pub(super) fn panicking(grant: Grant) -> Grant {
    let function = CustomFunction { id: FunctionId::new("gate", 1), parameters: b"panic".to_vec() };
    Grant { function: StageFunction::Custom(function), ..grant }
}

/// A worker of two slots and 100 KiB, and its scripted coordinator.
pub(super) struct Story {
    calls: mpsc::UnboundedReceiver<WaitingCall>,
    pub(super) gate: Gate,
    pub(super) shutdown: CancellationToken,
    worker: JoinHandle<()>,
    start: Instant,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::of(|worker| worker)
    }

    /// A worker that is changed before it starts.
    pub(super) fn of(change: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let gate = Gate::new();
        let start = Instant::now();
        let worker = WorkerBuilder::new()
            .stores(Stores::new(StoreConfig::environment()))
            .memory(ByteCount(100 << 10))
            .compute(ComputePool::inline())
            .slots(2)
            .grace(seconds(20))
            .register(gate.clone())
            .clock(StandingClock { start })
            .link(ScriptedLink { calls: sender });
        let worker = change(worker).build().expect("a worker");
        let shutdown = CancellationToken::new();
        let worker = tokio::spawn(worker.run(shutdown.clone()));
        Self { calls, gate, shutdown, worker, start }
    }

    /// The next call.
    pub(super) async fn call(&mut self) -> WaitingCall {
        self.calls.recv().await.expect("the worker lives")
    }

    /// The next call like this; others before it are answered in a friendly way.
    pub(super) async fn call_where(&mut self, is_wanted: impl Fn(&SyncRequest) -> bool) -> WaitingCall {
        loop {
            let call = self.call().await;
            if is_wanted(&call.request) {
                return call;
            }
            call.answer(|_| {});
        }
    }

    /// The next call that brings reports.
    pub(super) async fn call_with_reports(&mut self) -> WaitingCall {
        self.call_where(|request| !request.reports.is_empty()).await
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until the worker has left.
    pub(super) async fn ended(mut self) {
        loop {
            tokio::select! {
                ended = &mut self.worker => return ended.expect("no panic"),
                Some(call) = self.calls.recv() => call.answer(|_| {}),
            }
        }
    }

    /// Waits until the worker has left, and makes sure that it says nothing more.
    pub(super) async fn ended_without_a_word(mut self) {
        tokio::select! {
            biased;
            Some(call) = self.calls.recv() => panic!("it called again: {:?}", call.request),
            ended = &mut self.worker => ended.expect("no panic"),
        }
    }
}
