//! A coordinator and workers in this process, with real gRPC between them unless asked otherwise.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use rechunk_common::{ByteCount, Refusal, ids::JobId, job::JobView, request::RechunkRequest};
use rechunk_coordinator::{
    Coordinator, CoordinatorParts, CoordinatorSettings, CoordinatorTask, ListenerSettings, Security, Serving,
    journal::JournalPlace, serve, surroundings::Machine,
};
use rechunk_proto::client::{ClientError, ClientOptions, Credentials, RechunkClient};
use rechunk_storage::{CountingObserver, Faults, StoreConfig, Stores};
use rechunk_worker::{ComputePool, GrpcLink, Scratch, WorkerBuilder};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    link::{DirectLink, LinkSwitch, SwitchableLink},
    place::Place,
};

/// No step of a test takes so long on a machine that is not stuck.
const STUCK: Duration = Duration::from_mins(2);

/// How workers reach the coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Each over a gRPC connection of its own.
    Grpc,
    /// By calls inside the process.
    Direct,
}

/// What a cluster is like.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Workers that are there when the cluster starts: `worker-0` and so on.
    pub workers: usize,
    /// What the tasks of one worker may hold together.
    pub memory: ByteCount,
    /// Local disk that the tasks of one worker may use together; 0: it has none.
    pub scratch: ByteCount,
    /// Tasks of one worker at a time.
    pub slots: u32,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// What the coordinator adds to it.
    pub margin: Duration,
    /// How workers reach the coordinator.
    pub wire: Wire,
    /// Which stores may be used.
    pub config: StoreConfig,
    /// Where jobs are recorded.
    pub journal: JournalPlace,
    /// What disturbs the requests of workers.
    pub faults: Arc<Faults>,
}

impl ClusterOptions {
    /// Three workers over gRPC with 64 MiB each, who use the stores of `place`.
    pub fn at(place: &Place) -> Self {
        Self {
            workers: 3,
            memory: ByteCount(64 << 20),
            scratch: ByteCount(0),
            slots: 2,
            // Short enough for a test to outlast it, long enough for a busy machine to renew it.
            lease: Duration::from_secs(10),
            margin: Duration::from_secs(1),
            wire: Wire::Grpc,
            config: place.config().clone(),
            journal: JournalPlace::Memory,
            faults: Arc::new(Faults::new()),
        }
    }

    /// With so many workers.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// With leases that end soon after their worker falls silent.
    #[must_use]
    pub fn with_short_leases(mut self) -> Self {
        self.lease = Duration::from_secs(2);
        self.margin = Duration::from_millis(500);
        self
    }
}

/// A running cluster. Dropping it stops everything at once.
pub struct Cluster {
    options: ClusterOptions,
    coordinator: Coordinator,
    task: CoordinatorTask,
    serving: Serving,
    client: RechunkClient,
    workers: JoinSet<()>,
    stop_workers: CancellationToken,
    stop_serving: CancellationToken,
    compute: ComputePool,
    /// Where workers have their local disk.
    scratch: TempDir,
    /// Every request of every worker.
    pub worker_requests: Arc<CountingObserver>,
    /// Every request of the coordinator.
    pub coordinator_requests: Arc<CountingObserver>,
}

impl Cluster {
    /// Starts a coordinator and its workers, and waits until it knows them all.
    pub async fn start(options: ClusterOptions) -> Self {
        let coordinator_requests = Arc::new(CountingObserver::new());
        let stores = Stores::new(options.config.clone()).with_observer(coordinator_requests.clone());
        let mut settings = CoordinatorSettings::default();
        settings.scheduler.lease = options.lease;
        settings.scheduler.margin = options.margin;
        settings.request_budget = options.config.request_rates();
        let journal = options.journal.open(&stores).expect("a journal");
        let surroundings = Arc::new(Machine);
        let parts = CoordinatorParts { settings, stores, journal, surroundings, witness: None };
        let (coordinator, task) = Coordinator::start_with(parts);
        let listen = ListenerSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_workers: None,
            security: Security::default(),
        };
        let stop_serving = CancellationToken::new();
        let serving = serve(&listen, coordinator.clone(), stop_serving.clone()).await.expect("a free port");
        let url = format!("http://{}", serving.address);
        let client = RechunkClient::connect(&url, ClientOptions::default()).await.expect("the coordinator answers");
        let mut cluster = Self {
            coordinator,
            task,
            serving,
            client,
            workers: JoinSet::new(),
            stop_workers: CancellationToken::new(),
            stop_serving,
            compute: ComputePool::new(2).expect("threads"),
            scratch: tempfile::tempdir().expect("a temporary directory"),
            worker_requests: Arc::new(CountingObserver::new()),
            coordinator_requests,
            options,
        };
        for number in 0..cluster.options.workers {
            cluster.add_worker(&format!("worker-{number}"), |worker| worker);
        }
        cluster.wait_for_workers(cluster.options.workers).await;
        cluster
    }

    /// A cluster with the default options at `place`.
    pub async fn at(place: &Place) -> Self {
        Self::start(ClusterOptions::at(place)).await
    }

    /// Starts one more worker; `change` may register functions with it, or give it other stores. Returns what cuts its
    /// link.
    pub fn add_worker(&mut self, name: &str, change: impl FnOnce(WorkerBuilder) -> WorkerBuilder) -> LinkSwitch {
        let link = match self.options.wire {
            Wire::Grpc => SwitchableLink::new(GrpcLink::new(&self.url(), Credentials::default()).expect("a URL")),
            Wire::Direct => SwitchableLink::new(DirectLink(self.coordinator.clone())),
        };
        let switch = link.switch();
        let mut builder = WorkerBuilder::new()
            .name(name)
            .stores(self.worker_stores(&self.options.faults))
            .memory(self.options.memory)
            .slots(self.options.slots)
            .compute(self.compute.clone())
            .link(link);
        if self.options.scratch.0 > 0 {
            builder = builder.scratch(Scratch::open(self.scratch.path(), self.options.scratch).expect("a directory"));
        }
        let worker = change(builder).build().expect("a worker");
        let stop = self.stop_workers.clone();
        self.workers.spawn(async move { worker.run(stop).await });
        switch
    }

    /// The stores of a worker, observed as all are, with faults of its own.
    pub fn worker_stores(&self, faults: &Arc<Faults>) -> Stores {
        Stores::new(self.options.config.clone()).with_observer(self.worker_requests.clone()).with_faults(faults.clone())
    }

    /// What disturbs the requests of workers that have no faults of their own.
    pub fn faults(&self) -> &Faults {
        &self.options.faults
    }

    /// Files that tasks have on their workers' local disks.
    pub fn scratch_files(&self) -> Vec<PathBuf> {
        let of = |directory: &Path| std::fs::read_dir(directory).into_iter().flatten().flatten();
        let workers = of(self.scratch.path()).map(|worker| worker.path()).filter(|path| path.is_dir());
        workers.flat_map(|worker| of(&worker).map(|attempt| attempt.path()).collect::<Vec<_>>()).collect()
    }

    /// Where the coordinator listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }

    /// The client, over gRPC.
    pub fn client(&self) -> &RechunkClient {
        &self.client
    }

    /// Waits until the coordinator has heard of `count` workers.
    pub async fn wait_for_workers(&self, count: usize) {
        let heard = async {
            // Each question is a round trip through the driver; nothing else can tell.
            while self.coordinator.workers().await.expect("workers").len() < count {
                tokio::task::yield_now().await;
            }
        };
        within(heard, "the workers to be heard").await;
    }

    /// Submits a rechunk that must be accepted.
    pub async fn submit(&self, request: RechunkRequest) -> JobId {
        // A client's future is large, and many tests hold one.
        let submission = Box::pin(self.client.submit(request));
        within(submission, "a submission").await.expect("the job is accepted")
    }

    /// Follows a job until its view is as wanted.
    pub async fn wait_until(&self, job: &JobId, what: &str, is_so: impl Fn(&JobView) -> bool) -> JobView {
        let watched = async {
            let mut views = self.client.watch(job).await.expect("the job is known");
            let mut last = None;
            while let Some(view) = views.next().await {
                let view = view.expect("the coordinator stays");
                if is_so(&view) {
                    return view;
                }
                last = Some(view);
            }
            panic!("{job} ended without {what}: {last:#?}");
        };
        within(watched, what).await
    }

    /// Follows a job to its end, and returns its last view, with its plan.
    pub async fn ended(&self, job: &JobId) -> JobView {
        self.wait_until(job, "an end", |view| view.state.is_terminal()).await;
        self.client.job(job).await.expect("an ended job is remembered")
    }

    /// Submits a rechunk and follows it to its end.
    pub async fn run(&self, request: RechunkRequest) -> JobView {
        let job = self.submit(request).await;
        self.ended(&job).await
    }

    /// Ends the workers, then the coordinator; nothing of them runs afterwards.
    pub async fn shutdown(self) {
        let Self { coordinator, task, serving, mut workers, stop_workers, stop_serving, client, scratch, .. } = self;
        stop_workers.cancel();
        let left = async { while workers.join_next().await.is_some() {} };
        within(left, "the workers to leave").await;
        drop(client);
        stop_serving.cancel();
        within(serving.ended(), "the listeners to end").await.expect("the listeners end in good order");
        coordinator.shutdown();
        within(task.join(), "the coordinator to end").await.expect("the coordinator ends in good order");
        let left = std::fs::read_dir(scratch.path()).expect("a directory").count();
        assert_eq!(left, 0, "workers leave nothing on their local disk");
    }
}

/// What `future` gives; a test that is stuck fails with the name of what it waited for.
pub async fn within<T>(future: impl Future<Output = T>, what: &str) -> T {
    timeout(STUCK, future).await.unwrap_or_else(|_elapsed| panic!("waited {STUCK:?} for {what}"))
}

/// Why the coordinator said no.
pub fn refusal<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> Refusal {
    match outcome.expect_err("a refusal") {
        ClientError::Refused(refusal) => refusal,
        ClientError::Unreachable { url, cause } => panic!("{url} was not reached: {cause}"),
    }
}
