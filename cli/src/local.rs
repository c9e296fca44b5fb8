//! A coordinator and its workers inside this process: what `run`, `plan` and `demo` stand on.

use std::{
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
use rechunk_program::read_configuration;
use rechunk_storage::{StoreConfig, Stores};
use rechunk_worker::{
    CoordinatorLink, LinkError, Scratch, ScratchError, WorkerBuilder, memory_reserve, pages::suit_pages_to,
    resident::current_rss,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    args::{MachineArgs, StoreArgs},
    failure::Failure,
    service::Service,
};

/// What a process may take where nobody says: enough for most plans, and no more than half of a small machine.
const DEFAULT_MAX_MEM: ByteCount = ByteCount(2 << 30);

/// A coordinator and its workers inside this process.
pub(crate) struct LocalService {
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
    pub(crate) fn start(
        stores: &StoreArgs,
        machine: &MachineArgs,
        max_mem: Option<ByteCount>,
    ) -> Result<Self, Failure> {
        let stores = Stores::new(store_config(stores)?);
        let max_mem = max_mem.unwrap_or_else(default_max_mem);
        let threads = machine.threads.map_or_else(cores, |threads| threads.get() as usize);
        suit_pages_to(max_mem);
        let MemoryShare { reserve, budget, .. } = memory_reserve(max_mem, current_rss(), threads);
        let workers = machine.workers.get();
        let memory = ByteCount(budget.0 / u64::from(workers));
        let scratch = machine.scratch.as_ref().map(|directory| {
            let size = Scratch::available(directory, machine.scratch_size);
            size.map(|size| (directory.clone(), ByteCount(size.0 / u64::from(workers))))
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
    pub(crate) fn max_mem(&self) -> ByteCount {
        self.max_mem
    }

    /// The plan with its functions, which no wire carries, and its figures.
    pub(crate) async fn whole_plan(&self, request: RechunkRequest) -> Result<(Plan, PlanSummary), Failure> {
        let mut plan = self.coordinator.plan(self.within_memory(request)).await?;
        let summary = plan.summary.take().ok_or_else(|| Failure::internal("the plan came without its figures"))?;
        Ok((plan, summary))
    }

    /// Ends the workers, then the coordinator.
    pub(crate) async fn stop(self) {
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

/// The stores that this process may use.
pub(crate) fn store_config(args: &StoreArgs) -> Result<StoreConfig, Failure> {
    let config = match &args.config {
        None => StoreConfig::environment(),
        Some(file) => read_configuration(file)
            .map_err(|error| Failure::from(Refusal::invalid("config", "BAD_CONFIG", error.to_string())))?,
    };
    Ok(config.anonymous(args.anonymous).requester_pays(args.requester_pays))
}

fn no_scratch(error: &ScratchError) -> Failure {
    Refusal::invalid("scratch", "BAD_SCRATCH", error.to_string()).into()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// 2 GiB, or half of the machine's memory where that is less.
fn default_max_mem() -> ByteCount {
    let half = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(512).map(ByteCount)
    });
    half.map_or(DEFAULT_MAX_MEM, |half| half.min(DEFAULT_MAX_MEM))
}
