//! What the tests of this crate share: jobs of a custom function, workers that follow a script, plans and journals
//! that wait for a word, and a clock that stands still.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use rechunk_common::{
    ByteCount, Counts, Refusal,
    ids::{Epoch, Incarnation, JobId, JournalPosition, RequestId, SyncSeq},
    limits::MAX_SYNC_WAIT,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage,
        StageEffect, StageFunction,
    },
    request::{PipelinesRequest, RechunkRequest},
    session::{Capacity, DoneTasks, Grant, Lease, LeaseReport, SyncRequest, SyncResponse},
};
use rechunk_proto::worker::v1::{self, worker_service_client::WorkerServiceClient};
use rechunk_scheduler::Record;
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;

use crate::{
    coordinator::{Coordinator, CoordinatorTask},
    door::{Prepared, TempObjects},
    driver::Prepare,
    journal::{Journal, JournalError, Loaded, MemoryJournal},
    message::Outlook,
    settings::CoordinatorSettings,
    surroundings::Surroundings,
};

/// The time of day in tests.
pub(crate) const NOON: u64 = 1_700_000_000_000;

/// A clock that stands at noon, and ids that count.
#[derive(Debug, Default)]
pub(crate) struct Still(AtomicU64);

impl Surroundings for Still {
    fn unix_millis(&self) -> u64 {
        NOON
    }

    fn new_job_id(&self) -> JobId {
        JobId(format!("job-{:012x}", self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

/// A coordinator whose plans come through `planner`.
pub(crate) fn start_with(planner: Arc<dyn Prepare>, journal: Box<dyn Journal>) -> (Coordinator, CoordinatorTask) {
    Coordinator::start_preparing(CoordinatorSettings::default(), planner, journal, Arc::new(Still::default()))
}

/// A coordinator that plans nothing.
pub(crate) fn start() -> (Coordinator, CoordinatorTask) {
    start_with(Arc::new(GatedPlanner::new().0), Box::new(MemoryJournal::default()))
}

/// The function of test jobs.
pub(crate) fn function() -> FunctionId {
    FunctionId::new("reverse", 3)
}

fn stage(name: &str, task_count: u64) -> Stage {
    Stage {
        name: name.to_owned(),
        array: None,
        function: StageFunction::Custom(CustomFunction { id: function(), parameters: vec![1, 2, 3] }),
        task_count,
        task_memory: ByteCount(1_000),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts::default(),
    }
}

fn pipelines(stages: Vec<Stage>) -> ParallelPipelines {
    ParallelPipelines {
        pipelines: vec![MultiStagePipeline { name: "one".to_owned(), stages, temp_bytes: ByteCount(0) }],
    }
}

/// A job of two stages, of 3 tasks and of 2.
pub(crate) fn two_stages() -> PipelinesRequest {
    let copy = Phase { name: "copy".to_owned(), pipelines: pipelines(vec![stage("first", 3), stage("second", 2)]) };
    PipelinesRequest { name: "test".to_owned(), phases: vec![copy], ..PipelinesRequest::default() }
}

/// The same job under a request id.
pub(crate) fn named(request_id: &str) -> PipelinesRequest {
    PipelinesRequest { request_id: Some(RequestId::from(request_id)), ..two_stages() }
}

/// A request to write to `target`.
pub(crate) fn rechunk_to(target: &str) -> RechunkRequest {
    RechunkRequest { source: "memory://tests/source".to_owned(), target: target.to_owned(), ..Default::default() }
}

/// A plan that is being made; it is ready when the sender is used.
#[derive(Debug)]
pub(crate) struct PlanGate {
    pub(crate) job: JobId,
    pub(crate) release: oneshot::Sender<Result<(), Refusal>>,
}

/// Hands every request out, and has a plan when it is told so.
pub(crate) struct GatedPlanner {
    begun: mpsc::UnboundedSender<PlanGate>,
}

impl GatedPlanner {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<PlanGate>) {
        let (begun, gates) = mpsc::unbounded_channel();
        (Self { begun }, gates)
    }
}

#[async_trait]
impl Prepare for GatedPlanner {
    async fn prepare(&self, request: &RechunkRequest, job: &JobId, _outlook: &Outlook) -> Result<Prepared, Refusal> {
        let (release, released) = oneshot::channel();
        self.begun.send(PlanGate { job: job.clone(), release }).expect("the test listens");
        released.await.expect("the test releases or refuses")?;
        let work = two_stages();
        Ok(Prepared {
            plan: Plan { phases: work.phases, cleanup: pipelines(vec![stage("clean", 1)]), summary: None },
            source: request.source.clone(),
            target: request.target.clone(),
            spaces: vec![request.target.clone(), format!("memory://tests/temp/{job}")],
            temp_limit: None,
            objects: TempObjects::default(),
        })
    }
}

/// An append that waits; it ends when the sender is used.
#[derive(Debug)]
pub(crate) struct AppendGate {
    pub(crate) records: Vec<Record>,
    pub(crate) release: oneshot::Sender<Result<(), JournalError>>,
}

/// Hands every append out, and is durable when it is told so.
pub(crate) struct GatedJournal {
    begun: mpsc::UnboundedSender<AppendGate>,
}

impl GatedJournal {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<AppendGate>) {
        let (begun, gates) = mpsc::unbounded_channel();
        (Self { begun }, gates)
    }
}

#[async_trait]
impl Journal for GatedJournal {
    async fn load(&mut self) -> Result<Loaded, JournalError> {
        Ok(Loaded { epoch: Epoch(7), ..MemoryJournal::default().load().await? })
    }

    async fn append(&mut self, records: &[Record]) -> Result<JournalPosition, JournalError> {
        let (release, released) = oneshot::channel();
        self.begun.send(AppendGate { records: records.to_vec(), release }).expect("the test listens");
        released.await.expect("the test releases")?;
        Ok(records.last().expect("an append has records").position)
    }

    async fn confirm(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
}

/// How a worker reaches its coordinator.
pub(crate) enum Line {
    Direct(Coordinator),
    Grpc(WorkerServiceClient<Channel>),
}

/// A worker that does what the test says.
pub(crate) struct ScriptedWorker {
    line: Line,
    name: String,
    seq: u64,
    reports: u64,
}

impl ScriptedWorker {
    pub(crate) fn new(coordinator: &Coordinator, name: &str) -> Self {
        Self { line: Line::Direct(coordinator.clone()), name: name.to_owned(), seq: 0, reports: 0 }
    }

    pub(crate) fn over(client: WorkerServiceClient<Channel>, name: &str) -> Self {
        Self { line: Line::Grpc(client), name: name.to_owned(), seq: 0, reports: 0 }
    }

    /// The next call: it holds these leases and reports this.
    pub(crate) fn request(&mut self, held: Vec<Lease>, reports: Vec<LeaseReport>) -> SyncRequest {
        self.seq += 1;
        let total = Capacity { memory: ByteCount(1 << 30), scratch: ByteCount(0), slots: 4 };
        SyncRequest {
            worker: self.name.as_str().into(),
            incarnation: Incarnation(1),
            seq: SyncSeq(self.seq),
            functions: vec![function()],
            free: total,
            total,
            draining: false,
            held,
            reports,
            wait: MAX_SYNC_WAIT,
            version: "test".to_owned(),
            peak_rss: ByteCount(5_000),
            request_rates: Vec::new(),
            progress: Vec::new(),
        }
    }

    /// One call.
    pub(crate) async fn sync(&mut self, held: Vec<Lease>, reports: Vec<LeaseReport>) -> Result<SyncResponse, Refusal> {
        let request = self.request(held, reports);
        match &mut self.line {
            Line::Direct(coordinator) => coordinator.sync(request).await,
            Line::Grpc(client) => {
                let answer = client.sync(v1::SyncRequest::from(request)).await;
                let answer = answer.map_err(|status| rechunk_proto::status::from_status(&status))?;
                Ok(answer.into_inner().try_into().expect("a valid answer"))
            }
        }
    }

    /// Every task of a lease is done.
    pub(crate) fn done(&mut self, grant: &Grant) -> LeaseReport {
        self.reports += 1;
        let counts = Counts { put_requests: grant.lease.tasks.len(), ..Counts::default() };
        LeaseReport {
            lease: grant.lease.id,
            stage: grant.lease.stage.clone(),
            number: self.reports,
            done: vec![DoneTasks { tasks: grant.lease.tasks, counts }],
            failed: Vec::new(),
        }
    }

    /// Calls until something is granted.
    pub(crate) async fn granted(&mut self) -> Vec<Grant> {
        loop {
            let answer = self.sync(Vec::new(), Vec::new()).await.expect("an answer");
            if !answer.granted.is_empty() {
                return answer.granted;
            }
        }
    }

    /// Does everything that it is given, until the coordinator ends.
    pub(crate) async fn work(mut self) {
        let mut reports = Vec::new();
        while let Ok(answer) = self.sync(Vec::new(), reports.clone()).await {
            reports.retain(|report: &LeaseReport| report.number > answer.reports_accepted_through);
            for grant in &answer.granted {
                let report = self.done(grant);
                reports.push(report);
            }
        }
    }
}
