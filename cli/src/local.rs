//! A coordinator and its workers inside this process: what `run`, `plan` and `demo` stand on.

use std::{
    num::NonZeroU32,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{
    ByteCount, MemoryShare, Refusal,
    ids::JobId,
    job::JobView,
    plan::{Plan, PlanSummary},
    request::RechunkRequest,
    session::{SyncRequest, SyncResponse},
};
use rechunk_coordinator::{Coordinator, CoordinatorSettings, CoordinatorTask, FleetSettings};
use rechunk_storage::{StoreConfig, Stores};
use rechunk_worker::{
    CoordinatorLink, LinkError, Scratch, ScratchError, WorkerBuilder, memory_reserve, resident::current_rss,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{failure::Failure, service::Service};

/// What a process may take where nobody says: enough for most plans, and no more than half of a small machine.
const DEFAULT_MAX_MEM: ByteCount = ByteCount(2 << 30);

/// What a coordinator and its workers inside this process may use.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The stores.
    pub stores: StoreConfig,
    /// Workers, which share the rest.
    pub workers: NonZeroU32,
    /// Threads that decode and encode; `None`: one per core.
    pub threads: Option<NonZeroU32>,
    /// A directory on local disk that tasks may use.
    pub scratch: Option<PathBuf>,
    /// The most that they may use there; `None`: nine tenths of what is free.
    pub scratch_size: Option<ByteCount>,
    /// The resident set of this process; `None`: 2 GiB, or half of the machine's memory where that is less.
    pub max_mem: Option<ByteCount>,
}

impl LocalOptions {
    /// These stores, one worker, a thread per core, no scratch.
    pub fn new(stores: StoreConfig, max_mem: Option<ByteCount>) -> Self {
        Self { stores, workers: NonZeroU32::MIN, threads: None, scratch: None, scratch_size: None, max_mem }
    }
}

/// A coordinator and its workers inside this process.
pub struct LocalService {
    coordinator: Coordinator,
    task: CoordinatorTask,
    stores: Stores,
    max_mem: ByteCount,
    crew: Crew,
    shutdown: CancellationToken,
    workers: Mutex<JoinSet<()>>,
}

/// The workers that are started when the first job is submitted.
#[derive(Debug, Clone)]
struct Crew {
    workers: u32,
    threads: usize,
    memory: ByteCount,
    /// Where each has a directory of its own, and what it may use there.
    scratch: Option<(PathBuf, ByteCount)>,
}

impl LocalService {
    /// Starts the coordinator; workers start with the first job.
    pub fn start(options: LocalOptions) -> Result<Self, Failure> {
        let LocalOptions { stores, workers, threads, scratch, scratch_size, max_mem } = options;
        let stores = Stores::new(stores);
        let max_mem = max_mem.unwrap_or_else(default_max_mem);
        let threads = threads.map_or_else(cores, |threads| threads.get() as usize);
        let MemoryShare { reserve, budget, .. } = memory_reserve(max_mem, current_rss(), threads);
        let workers = workers.get();
        let memory = ByteCount(budget.0 / u64::from(workers));
        let scratch = scratch.map(|directory| {
            let size = Scratch::available(&directory, scratch_size);
            size.map(|size| (directory, ByteCount(size.0 / u64::from(workers))))
        });
        let scratch = scratch.transpose().map_err(|error| no_scratch(&error))?;
        let settings = CoordinatorSettings {
            fleet: FleetSettings {
                reserve,
                threads: threads as u64,
                slots: threads.max(workers as usize) as u64,
                worker_memory_budget: Some(memory),
                worker_scratch: scratch.as_ref().map(|(_, size)| *size).unwrap_or_default(),
            },
            ..CoordinatorSettings::default()
        };
        let (coordinator, task) = Coordinator::start(settings, stores.clone());
        let crew = Crew { workers, threads: threads.div_ceil(workers as usize), memory, scratch };
        let shutdown = CancellationToken::new();
        Ok(Self { coordinator, task, stores, max_mem, crew, shutdown, workers: Mutex::default() })
    }

    /// What this process may take.
    pub fn max_mem(&self) -> ByteCount {
        self.max_mem
    }

    /// The plan with its functions, which no wire carries, and its figures.
    pub async fn whole_plan(&self, request: RechunkRequest) -> Result<(Plan, PlanSummary), Failure> {
        let mut plan = self.coordinator.plan(self.within_memory(request)).await?;
        let summary = plan.summary.take().ok_or_else(|| Failure::internal("the plan came without its figures"))?;
        Ok((plan, summary))
    }

    /// Ends the workers, then the coordinator.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let mut workers = self.workers.into_inner().unwrap_or_else(PoisonError::into_inner);
        while workers.join_next().await.is_some() {}
        self.coordinator.shutdown();
        if let Err(error) = self.task.join().await {
            tracing::error!(%error, "the coordinator broke off");
        }
    }

    fn start_workers(&self) -> Result<(), Failure> {
        let mut running = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.is_empty() {
            return Ok(());
        }
        for number in 0..self.crew.workers {
            let mut worker = WorkerBuilder::new()
                .name(format!("local-{number}"))
                .stores(self.stores.clone())
                .memory(self.crew.memory)
                .threads(self.crew.threads)
                .slots(u32::try_from(self.crew.threads).unwrap_or(u32::MAX))
                .link(InProcess(self.coordinator.clone()));
            if let Some((directory, size)) = &self.crew.scratch {
                worker = worker.scratch(Scratch::open(directory, *size).map_err(|error| no_scratch(&error))?);
            }
            let worker = worker.build().map_err(|error| Failure::internal(error.to_string()))?;
            let shutdown = self.shutdown.clone();
            running.spawn(worker.run(shutdown));
        }
        Ok(())
    }

    fn within_memory(&self, mut request: RechunkRequest) -> RechunkRequest {
        // To the coordinator it is one worker's; several share this process, and their budgets say what each has.
        request.max_mem = (self.crew.workers == 1).then_some(self.max_mem);
        request
    }
}

#[async_trait]
impl Service for LocalService {
    async fn plan(&self, request: RechunkRequest) -> Result<PlanSummary, Failure> {
        self.whole_plan(request).await.map(|(_, summary)| summary)
    }

    async fn submit(&self, request: RechunkRequest) -> Result<JobId, Failure> {
        let job = self.coordinator.submit_rechunk(self.within_memory(request)).await?;
        self.start_workers()?;
        Ok(job)
    }

    async fn job(&self, job: &JobId) -> Result<JobView, Failure> {
        Ok(self.coordinator.job(job).await?)
    }

    async fn watch(&self, job: &JobId) -> Result<BoxStream<'static, Result<JobView, Failure>>, Failure> {
        Ok(self.coordinator.watch(job).await?.map(Ok).boxed())
    }

    async fn cancel(&self, job: &JobId) -> Result<(), Failure> {
        Ok(self.coordinator.cancel(job).await?)
    }

    async fn delete(&self, job: &JobId) -> Result<(), Failure> {
        Ok(self.coordinator.delete(job).await?)
    }
}

/// A worker's link to the coordinator of the same process: the same calls, without a wire.
struct InProcess(Coordinator);

#[async_trait]
impl CoordinatorLink for InProcess {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        self.0.sync(request).await.map_err(|refusal| LinkError::Unreachable(refusal.message))
    }
}

fn no_scratch(error: &ScratchError) -> Failure {
    Refusal::invalid("scratch", "BAD_SCRATCH", error.to_string()).into()
}

/// Threads where nobody says how many: one per core.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// 2 GiB, or half of the machine's memory where that is less.
pub fn default_max_mem() -> ByteCount {
    let half = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(512).map(ByteCount)
    });
    half.map_or(DEFAULT_MAX_MEM, |half| half.min(DEFAULT_MAX_MEM))
}
