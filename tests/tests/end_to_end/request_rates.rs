//! A request budget that workers share, over gRPC. Nothing is timed: a budget that lets one request through in days shows
//! who waits, and one that a job can wait for shows that the job is not changed by it.

#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use rechunk_common::{
    ByteCount, Counts, TaskFailure,
    ids::TaskIndex,
    job::JobState,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect,
        StageFunction,
    },
    request::PipelinesRequest,
    request_rate::{RequestRate, StoreRates},
};
use rechunk_storage::{Access, CountingObserver, RequestKind, StoreProfile, StoreUrl, Stores};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, LinkSwitch, Place,
    cluster::within,
    faithful::{assert_faithful, measured, request},
};
use rechunk_worker::{TaskContext, TaskFunction};

/// A place in memory where the fleet may send so many writes to the target.
fn limited(puts: RequestRate) -> Place {
    let place = Place::in_memory();
    let url = StoreUrl::parse(&place.url("target")).expect("a URL");
    let mut profile = StoreProfile::new(url, Access::ReadWrite);
    profile.limits.puts = Some(puts);
    place.with_config(|config| config.with_profile(profile))
}

/// Writes one object below the target for each task.
struct WriteOne {
    target: String,
}

#[async_trait]
impl TaskFunction for WriteOne {
    fn id(&self) -> FunctionId {
        FunctionId::new("write_one", 1)
    }

    async fn run(&self, cx: &TaskContext, _parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let prefix = cx.open(&self.target, Access::ReadWrite)?;
        prefix.put(&task.to_string(), "one", cx.guard()).await.expect("a write");
        Ok(Counts { put_requests: 1, ..Counts::default() })
    }
}

/// Eight tasks: more than two workers run at a time.
fn eight_writes() -> PipelinesRequest {
    let function = CustomFunction { id: FunctionId::new("write_one", 1), parameters: Vec::new() };
    let stage = Stage {
        name: "write".to_owned(),
        array: None,
        function: StageFunction::Custom(function),
        task_count: 8,
        task_memory: ByteCount(1 << 10),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts { put_requests: 8, ..Counts::default() },
    };
    let pipeline = MultiStagePipeline { name: "write".to_owned(), stages: vec![stage], temp_bytes: ByteCount(0) };
    let phase = Phase { name: "all".to_owned(), pipelines: ParallelPipelines { pipelines: vec![pipeline] } };
    PipelinesRequest { name: "writes".to_owned(), phases: vec![phase], ..PipelinesRequest::default() }
}

/// A worker whose requests are seen apart from those of others.
struct Watched {
    stores: Stores,
    seen: Arc<CountingObserver>,
    link: LinkSwitch,
}

impl Watched {
    fn join(cluster: &mut Cluster, place: &Place, name: &str) -> Self {
        let seen = Arc::new(CountingObserver::new());
        let stores = Stores::new(place.config().clone()).with_observer(seen.clone());
        let function = WriteOne { target: place.url("target") };
        let link = cluster.add_worker(name, |worker| worker.stores(stores.clone()).register(function));
        Self { stores, seen, link }
    }

    fn share(&self) -> Option<RequestRate> {
        let [StoreRates { puts, .. }] = self.stores.request_rates()[..] else { return None };
        puts
    }

    async fn wait_for_share(&self, share: RequestRate) {
        let told = async {
            while self.share() != Some(share) {
                tokio::task::yield_now().await;
            }
        };
        within(told, &format!("a share of {} in a million seconds", share.0)).await;
    }

    async fn wait_for_a_write_that_waits(&self) {
        let waits = async {
            while self.seen.waits(RequestKind::Put, "/target/") == 0 {
                tokio::task::yield_now().await;
            }
        };
        within(waits, "a write that is held back").await;
    }

    fn writes(&self) -> u64 {
        self.seen.count(RequestKind::Put)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_keep_to_halves_of_the_budget_and_the_one_that_is_left_gets_the_whole() {
    let place = limited(RequestRate(10));
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0).with_short_leases()).await;
    let [a, b] = ["a", "b"].map(|name| Watched::join(&mut cluster, &place, name));
    cluster.wait_for_workers(2).await;
    let submitted = cluster.client().submit_pipelines(eight_writes());
    let job = within(submitted, "a submission").await.expect("accepted");
    for worker in [&a, &b] {
        worker.wait_for_a_write_that_waits().await;
    }
    for worker in [&a, &b] {
        worker.wait_for_share(RequestRate(5)).await;
    }
    assert_eq!((a.writes(), b.writes()), (0, 0), "a million seconds have not passed");

    b.link.cut();
    a.wait_for_share(RequestRate(10)).await;
    assert_eq!(b.share(), Some(RequestRate(5)), "whoever hears nothing keeps what he was told");
    b.link.restore();

    cluster.client().cancel(&job).await.expect("a job that runs can be cancelled");
    let view = cluster.ended(&job).await;
    assert_eq!(view.state, JobState::Cancelled, "tasks that wait for the budget can be stopped");
    assert_eq!((a.writes(), b.writes()), (0, 0));
    assert!(place.keys("target").await.is_empty());
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_for_the_budget_asks_for_no_more_than_planned_and_says_how_long_it_waited() {
    let place = limited(RequestRate::per_second(40));
    let made = ArraySpec::new(&[32, 24], &[4, 24]).make(&place, "source").await;
    let cluster = Cluster::start(ClusterOptions::at(&place).with_workers(2)).await;
    let view = cluster.run(request(&place, "source", "target", "4,6")).await;
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    assert!(cluster.worker_requests.waits(RequestKind::Put, "/target/") > 0);
    assert!(measured(&view).rate_wait_us > 0);
    assert_eq!(cluster.worker_requests.waits(RequestKind::Get, ""), 0, "nothing limits reads");
    cluster.shutdown().await;
}
