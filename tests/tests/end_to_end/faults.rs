//! Jobs whose stores fail, whose objects vanish, whose workers fall silent. Every test also shows that its fault fired.

#![allow(clippy::expect_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rechunk_common::{
    ByteCount, Counts, RefusalCode, TaskFailure,
    ids::TaskIndex,
    job::{JobState, JobView},
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, ShapeOfPlan, Stage,
        StageEffect, StageFunction,
    },
    request::{PipelinesRequest, RechunkRequest},
};
use rechunk_storage::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, RequestKind, StoreConfig, Stores,
};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, Traffic,
    cluster::within,
    faithful::{assert_equal, assert_no_chunk_at_coordinator, assert_succeeded, measured, request},
};
use rechunk_worker::{TaskContext, TaskFunction};
use serde_json::json;
use tokio::sync::{Mutex, Semaphore, mpsc};

/// Lets everything through a gate that a fault holds requests at.
const ALL: usize = Semaphore::MAX_PERMITS / 2;

/// With retries of requests that take no time: at most `attempts`.
fn retrying(attempts: u32) -> impl FnOnce(StoreConfig) -> StoreConfig {
    move |config| {
        let quick = rechunk_storage::RetryPolicy {
            base_delay: Duration::from_millis(1),
            max_attempts: attempts,
            ..rechunk_storage::RetryPolicy::default()
        };
        config.with_retry(quick)
    }
}

/// 1 MiB of maps, wanted as series.
fn maps() -> ArraySpec {
    ArraySpec::new(&[256, 32, 32], &[1, 32, 32])
}

fn maps_to_series(place: &Place) -> RechunkRequest {
    request(place, "source", "target", "256,2,2")
}

/// The same with so little memory that it takes an exchange.
fn by_exchange(place: &Place) -> RechunkRequest {
    RechunkRequest { max_mem: Some(ByteCount(48 << 10)), ..maps_to_series(place) }
}

fn stage<'v>(view: &'v JobView, name: &str) -> Option<&'v rechunk_common::job::StageProgressView> {
    view.stages.iter().find(|stage| stage.name == name)
}

fn is_done(view: &JobView, name: &str) -> bool {
    stage(view, name).is_some_and(|stage| stage.tasks > 0 && stage.done == stage.tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_fail_in_passing_are_sent_again_and_the_result_is_equal() {
    let place = Place::in_memory().with_config(retrying(5));
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    cluster.faults().add(FaultRule::nth(RequestKind::Get, 3, Effect::Fail(ErrorClass::TryAgain)).on("source/c/"));
    cluster
        .faults()
        .add(FaultRule::nth(RequestKind::Put, 5, Effect::Fail(ErrorClass::TryAgain)).on("target/c/").times(2));
    cluster.faults().add(FaultRule::nth(RequestKind::Put, 20, Effect::LoseAnswer).on("target/c/"));
    let view = cluster.run(maps_to_series(&place)).await;
    assert_succeeded(&view);
    assert_equal(&place, &made, "target").await;
    assert_eq!(cluster.worker_requests.repeated(), 4, "every fault fired");
    assert_eq!((measured(&view).repeated_requests, view.retries), (4, 0), "no task was tried again");
    assert_eq!(Traffic::of(&cluster.worker_requests).puts, 256 + 3);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_requests_keep_failing_is_tried_again_as_a_whole() {
    let place = Place::in_memory().with_config(retrying(2));
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    cluster
        .faults()
        .add(FaultRule::nth(RequestKind::Get, 1, Effect::Fail(ErrorClass::TryAgain)).on("source/c/7/").times(4));
    let view = cluster.run(maps_to_series(&place)).await;
    assert_succeeded(&view);
    assert!(view.retries >= 1, "a task was tried again");
    assert!(measured(&view).repeated_requests >= 1);
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}

/// Runs an exchange up to its barrier, lets `harm` happen to one exchange object, and lets the readers go on.
async fn after_harm<H: Future<Output = ()>>(harm: impl FnOnce(Arc<Place>, String) -> H) {
    let place = Arc::new(Place::in_memory());
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let gate = Arc::new(Semaphore::new(0));
    cluster.faults().add(FaultRule::every(RequestKind::Get, Effect::Hold(gate.clone())).on(".rechunk-"));
    let job = cluster.submit(by_exchange(&place)).await;
    cluster.wait_until(&job, "the barrier", |view| is_done(view, "copy_read_to_exchange")).await;
    let objects = place.strays(&["source", "target"]).await;
    let victim = objects.get(objects.len() / 2).expect("exchange objects").clone();
    let url = place.url(&victim);
    assert_eq!(cluster.worker_requests.count_of(RequestKind::Put, &url), 1, "written once so far");
    harm(place.clone(), victim).await;
    gate.add_permits(ALL);
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
    assert_eq!(cluster.worker_requests.count_of(RequestKind::Put, &url), 2, "a repair lease wrote it again, once");
    assert_equal(&place, &made, "target").await;
    assert_eq!(place.strays(&["source", "target"]).await, [""; 0]);
    assert_no_chunk_at_coordinator(&cluster, &place, "target");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_object_that_vanished_is_written_again() {
    after_harm(|place, victim| async move { place.delete(&victim).await }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_object_that_is_corrupt_is_written_again() {
    after_harm(|place, victim| async move {
        let mut bytes = place.get(&victim).await.expect("an exchange object");
        bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x10);
        place.put(&victim, bytes).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_object_that_is_cut_short_is_written_again() {
    after_harm(|place, victim| async move {
        let bytes = place.get(&victim).await.expect("an exchange object");
        place.put(&victim, &bytes[..bytes.len() / 3]).await;
    })
    .await;
}

/// The job failed for this reason, nothing is published, and deleting it leaves only the source.
async fn assert_failed_and_deletable(cluster: &Cluster, place: &Place, view: &JobView, named: &str) {
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.as_ref().expect("a reason");
    assert!(failure.message.contains(named), "{failure} does not name {named}");
    assert_eq!(place.get("target/zarr.json").await, None, "nothing is published");
    within(cluster.client().delete(&view.id), "the deletion").await.expect("a failed job can be deleted");
    assert_eq!(place.strays(&["source"]).await, [""; 0], "nothing is left");
    let unknown = cluster.client().job(&view.id).await.expect_err("forgotten");
    assert!(unknown.to_string().contains(view.id.as_str()), "{unknown}");
}

fn compressed() -> ArraySpec {
    maps().with_codecs(json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_source_chunk_fails_the_job_and_is_named_by_its_key() {
    let place = Place::in_memory();
    compressed().make(&place, "source").await;
    place.put("source/c/31/0/0", b"not a zstd frame".to_vec()).await;
    let cluster = Cluster::at(&place).await;
    let view = cluster.run(maps_to_series(&place)).await;
    assert_eq!(view.failure.as_ref().map(|failure| failure.reason.as_str()), Some("TASK_FAILED"));
    assert_failed_and_deletable(&cluster, &place, &view, &place.url("source/c/31/0/0")).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_size_in_a_chunk_fails_the_job_and_is_named() {
    let place = Place::in_memory();
    compressed().make(&place, "source").await;
    // A zstd frame whose header declares 2^62 bytes: magic, an 8-byte content size, the size.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
    frame.extend_from_slice(&(1_u64 << 62).to_le_bytes());
    frame.extend_from_slice(&[1, 0, 0]);
    place.put("source/c/3/0/0", frame).await;
    let cluster = Cluster::at(&place).await;
    let view = cluster.run(maps_to_series(&place)).await;
    assert!(view.peak_rss < ByteCount(4 << 30), "{}", view.peak_rss);
    assert_failed_and_deletable(&cluster, &place, &view, &place.url("source/c/3/0/0")).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_is_lost_while_running_fails_the_job() {
    for (kind, part) in [(RequestKind::Get, "source/c/5/"), (RequestKind::Put, "target/c/0/9/")] {
        let place = Place::in_memory();
        maps().make(&place, "source").await;
        let cluster = Cluster::at(&place).await;
        cluster.faults().add(FaultRule::every(kind, Effect::Fail(ErrorClass::Denied)).on(part));
        let view = cluster.run(maps_to_series(&place)).await;
        let code = view.failure.as_ref().map(|failure| failure.code);
        assert!(matches!(code, Some(RefusalCode::FailedPrecondition | RefusalCode::PermissionDenied)), "{code:?}");
        assert_failed_and_deletable(&cluster, &place, &view, &place.url(part)).await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_tried_elsewhere_before_it_fails_the_job() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    // Only one of the two has a full disk.
    let full = Arc::new(Faults::new());
    full.add(FaultRule::every(RequestKind::Put, Effect::Fail(ErrorClass::Full)).on("target/c/"));
    let stores = cluster.worker_stores(&full);
    cluster.add_worker("full", |worker| worker.stores(stores));
    cluster.wait_for_workers(1).await;
    let job = cluster.submit(maps_to_series(&place)).await;
    cluster.wait_until(&job, "a failed attempt", |view| measured(view).repeated_requests > 0).await;
    cluster.add_worker("roomy", |worker| worker);
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert!(view.retries > 0, "tasks were tried elsewhere");
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn source_metadata_that_changes_while_running_fails_the_job_and_publishes_nothing() {
    let place = Place::in_memory();
    maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let gate = Arc::new(Semaphore::new(0));
    cluster.faults().add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())).on("target/c/"));
    let job = cluster.submit(maps_to_series(&place)).await;
    cluster.wait_until(&job, "a lease", |view| view.stages.iter().any(|stage| stage.leased > 0)).await;
    let mut document = place.get("source/zarr.json").await.expect("a document");
    document.push(b'\n');
    place.put("source/zarr.json", document).await;
    gate.add_permits(ALL);
    let view = cluster.ended(&job).await;
    assert_failed_and_deletable(&cluster, &place, &view, &place.url("source/zarr.json")).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_in_the_middle_leaves_nothing_and_nothing_is_written_afterwards() {
    for chunks in ["256,2,2", "256,1,1"] {
        let place = Place::in_memory();
        maps().make(&place, "source").await;
        let cluster = Cluster::at(&place).await;
        let gate = Arc::new(Semaphore::new(3));
        cluster.faults().add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())).on("target/c/"));
        let mut request = maps_to_series(&place);
        if chunks == "256,1,1" {
            request = by_exchange(&place);
        }
        let job = cluster.submit(RechunkRequest { chunks: vec![chunks.to_owned()], ..request }).await;
        // The gate lets three chunks pass: they are there, and the rest waits.
        let written = async {
            while place.keys("target").await.len() < 3 {
                tokio::task::yield_now().await;
            }
        };
        within(written, "three chunks").await;
        within(cluster.client().cancel(&job), "the cancel").await.expect("a running job can be cancelled");
        let view = cluster.ended(&job).await;
        assert_eq!(view.state, JobState::Cancelled);
        assert_eq!(place.strays(&["source"]).await, [""; 0], "nothing is left");
        gate.add_permits(ALL);
        cluster.shutdown().await;
        assert_eq!(place.strays(&["source"]).await, [""; 0], "nothing was written late");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_falls_silent_delays_the_job_and_changes_nothing_else() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0).with_short_leases()).await;
    // It stops in front of its first write.
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::new(Faults::new());
    held.add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())));
    let silent = Arc::new(CountingObserver::new());
    let stores = Stores::new(place.config().clone()).with_observer(silent.clone()).with_faults(held);
    let link = cluster.add_worker("silent", |worker| worker.stores(stores));
    cluster.wait_for_workers(1).await;
    let job = cluster.submit(maps_to_series(&place)).await;
    let reading = async {
        while Traffic::of(&silent).gets < 64 {
            tokio::task::yield_now().await;
        }
    };
    within(reading, "the worker to have read").await;
    link.cut();
    for number in 0..2 {
        cluster.add_worker(&format!("healthy-{number}"), |worker| worker);
    }
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert!(view.leases_expired > 0, "the lease of the silent worker ran out");
    assert_equal(&place, &made, "target").await;
    // It wakes: its leases have ended, so nothing of it is written.
    gate.add_permits(ALL);
    link.restore();
    cluster.shutdown().await;
    assert_eq!(Traffic::of(&silent).puts, 0, "the silent worker wrote nothing");
    assert_eq!(place.strays(&["source", "target"]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_comes_back_in_time_keeps_its_leases() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    let link = cluster.add_worker("wobbly", |worker| worker);
    cluster.wait_for_workers(1).await;
    let gate = Arc::new(Semaphore::new(0));
    cluster.faults().add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())).on("target/c/"));
    let job = cluster.submit(maps_to_series(&place)).await;
    cluster.wait_until(&job, "a lease", |view| view.stages.iter().any(|stage| stage.leased > 0)).await;
    link.cut();
    gate.add_permits(ALL);
    // It goes on without its coordinator.
    let written = async {
        while place.keys("target").await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(written, "a chunk").await;
    link.restore();
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert_eq!(view.leases_expired, 0);
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}

/// Leaves a write behind that nothing but the guard can stop: its attempt is dropped with the lease, it is not.
struct LateWriter {
    root: String,
    gate: Arc<Semaphore>,
    started: mpsc::UnboundedSender<tokio::task::JoinHandle<Result<(), ErrorClass>>>,
}

#[async_trait]
impl TaskFunction for LateWriter {
    fn id(&self) -> FunctionId {
        FunctionId::new("late_writer", 1)
    }

    async fn run(&self, cx: &TaskContext, _parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let prefix = cx.open(&self.root, Access::ReadWrite)?;
        let (guard, gate) = (cx.guard().clone(), self.gate.clone());
        let late = tokio::spawn(async move {
            gate.acquire().await.expect("the gate stays").forget();
            prefix.put(&format!("{task}"), "late", &guard).await.map_err(|error| error.class)
        });
        self.started.send(late).expect("the test listens");
        cx.cancelled().cancelled().await;
        Ok(Counts::default())
    }
}

/// Writes at once.
struct PromptWriter {
    root: String,
    body: Arc<Mutex<String>>,
}

#[async_trait]
impl TaskFunction for PromptWriter {
    fn id(&self) -> FunctionId {
        FunctionId::new("late_writer", 1)
    }

    async fn run(&self, cx: &TaskContext, _parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let prefix = cx.open(&self.root, Access::ReadWrite)?;
        let body = self.body.lock().await.clone();
        prefix.put(&format!("{task}"), body, cx.guard()).await.expect("a write");
        Ok(Counts::default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_stops_a_write_that_outlives_its_lease() {
    let place = Place::in_memory();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0).with_short_leases()).await;
    let (started, mut writes) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let root = place.url("out");
    let late = LateWriter { root: root.clone(), gate: gate.clone(), started };
    let link = cluster.add_worker("late", |worker| worker.register(late));
    let function = CustomFunction { id: FunctionId::new("late_writer", 1), parameters: Vec::new() };
    let stage = Stage {
        name: "write".to_owned(),
        array: None,
        function: StageFunction::Custom(function),
        task_count: 1,
        task_memory: ByteCount(1 << 10),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts::default(),
    };
    let pipeline = MultiStagePipeline { name: "late".to_owned(), stages: vec![stage], temp_bytes: ByteCount(0) };
    let pipelines = ParallelPipelines { pipelines: vec![pipeline] };
    let request = PipelinesRequest {
        name: "late".to_owned(),
        phases: vec![Phase { name: "write".to_owned(), pipelines }],
        ..PipelinesRequest::default()
    };
    let job = cluster.client().submit_pipelines(request).await.expect("accepted");
    let late_write = within(writes.recv(), "the late writer to start").await.expect("a write");
    link.cut();
    let prompt = PromptWriter { root, body: Arc::new(Mutex::new("in time".to_owned())) };
    cluster.add_worker("prompt", |worker| worker.register(prompt));
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert!(view.leases_expired > 0, "the late writer's lease ran out");
    gate.add_permits(1);
    let outcome = within(late_write, "the late write").await.expect("no panic");
    assert_eq!(outcome, Err(ErrorClass::LeaseLost));
    assert_eq!(place.get("out/0").await.as_deref(), Some(&b"in time"[..]));
    link.restore();
    cluster.shutdown().await;
}
