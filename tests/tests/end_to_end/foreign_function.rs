//! Another project's function, registered with its own workers and submitted as pipelines to an unmodified coordinator:
//! what rechunker's PR #77 wanted.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::TryStreamExt;
use rechunk_common::{
    ByteCount, Counts, FailureClass, TaskFailure,
    ids::{JobId, TaskIndex},
    job::JobState,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect,
        StageFunction,
    },
    request::PipelinesRequest,
};
use rechunk_storage::Access;
use rechunk_tests::{Cluster, ClusterOptions, Place, cluster::within};
use rechunk_worker::{TaskContext, TaskFunction};
use serde_json::{Value, json};
use tokio::sync::Barrier;

const NAME: &str = "leave_marks";

/// Which tasks ran where, in the order in which they began.
type Log = Arc<Mutex<Vec<(String, String, u64)>>>;

/// Writes one object per task below `root/stage`; where `after` names a stage, all `expected` objects of it must be
/// there already. Where `meet` is asked for, waits until as many tasks run at the same time as the barrier wants.
struct LeaveMarks {
    worker: String,
    version: u32,
    log: Log,
    meeting: Arc<Barrier>,
}

impl LeaveMarks {
    fn of(worker: &str, log: &Log) -> Self {
        Self { worker: worker.to_owned(), version: 1, log: log.clone(), meeting: Arc::new(Barrier::new(2)) }
    }
}

fn gave_up(message: impl Into<String>) -> TaskFailure {
    TaskFailure::new(FailureClass::GiveUpTask, message)
}

#[async_trait]
impl TaskFunction for LeaveMarks {
    fn id(&self) -> FunctionId {
        FunctionId::new(NAME, self.version)
    }

    async fn run(&self, cx: &TaskContext, parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let parameters: Value = serde_json::from_slice(parameters).map_err(|error| gave_up(error.to_string()))?;
        let text = |name: &str| parameters[name].as_str().map(str::to_owned);
        let (root, stage) = (text("root").expect("a root"), text("stage").expect("a stage"));
        self.log.lock().expect("no panic").push((self.worker.clone(), stage.clone(), task.0));
        let prefix = cx.open(&root, Access::ReadWrite)?;
        if let Some(after) = text("after") {
            let found: Vec<_> = prefix.list(&after).try_collect().await.map_err(|error| gave_up(error.to_string()))?;
            let expected = parameters["expected"].as_u64().expect("a count");
            if found.len() as u64 != expected {
                return Err(gave_up(format!("the barrier leaks: {} of {expected} objects of {after}", found.len())));
            }
        }
        if parameters["meet"] == json!(true) {
            self.meeting.wait().await;
        }
        prefix.put(&format!("{stage}/{task}"), "mark", cx.guard()).await.map_err(|error| gave_up(error.to_string()))?;
        Ok(Counts { put_requests: 1, ..Counts::default() })
    }
}

fn stage(parameters: &Value, task_count: u64) -> Stage {
    let parameters = parameters.to_string().into_bytes();
    Stage {
        name: "marks".to_owned(),
        array: None,
        function: StageFunction::Custom(CustomFunction { id: FunctionId::new(NAME, 1), parameters }),
        task_count,
        task_memory: ByteCount(1 << 10),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts { put_requests: task_count, ..Counts::default() },
    }
}

fn pipeline(name: &str, stages: Vec<Stage>) -> MultiStagePipeline {
    MultiStagePipeline { name: name.to_owned(), stages, temp_bytes: ByteCount(0) }
}

fn job(pipelines: Vec<MultiStagePipeline>) -> PipelinesRequest {
    let phase = Phase { name: "all".to_owned(), pipelines: ParallelPipelines { pipelines } };
    PipelinesRequest { name: "marks".to_owned(), phases: vec![phase], ..PipelinesRequest::default() }
}

/// Two stages with a barrier between them.
fn two_stages(place: &Place, name: &str) -> MultiStagePipeline {
    let root = place.url(name);
    let first = stage(&json!({"root": root, "stage": "one"}), 40);
    let second = stage(&json!({"root": root, "stage": "two", "after": "one", "expected": 40}), 25);
    pipeline(name, vec![first, second])
}

async fn submit(cluster: &Cluster, request: PipelinesRequest) -> JobId {
    within(cluster.client().submit_pipelines(request), "a submission").await.expect("accepted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_of_another_project_runs_through_stages_and_barriers() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(1)).await;
    for name in ["theirs-0", "theirs-1"] {
        cluster.add_worker(name, |worker| worker.register(LeaveMarks::of(name, &log)));
    }
    // The version before: it means something else, and is given nothing.
    let older = LeaveMarks { version: 0, ..LeaveMarks::of("older", &log) };
    cluster.add_worker("older", |worker| worker.register(older));
    cluster.wait_for_workers(4).await;
    let id = submit(&cluster, job(vec![two_stages(&place, "a"), two_stages(&place, "b")])).await;
    let view = cluster.ended(&id).await;
    assert_eq!(view.state, JobState::Succeeded, "{:?}", view.failure);
    for name in ["a", "b"] {
        assert_eq!(place.keys(&format!("{name}/one")).await.len(), 40);
        assert_eq!(place.keys(&format!("{name}/two")).await.len(), 25);
    }
    let measured: Counts = view.stages.iter().map(|stage| stage.measured).sum();
    assert_eq!(measured.put_requests, 2 * (40 + 25));
    let ran = log.lock().expect("no panic").clone();
    assert_eq!(ran.len(), 2 * (40 + 25), "every task once");
    let by: BTreeSet<&str> = ran.iter().map(|(worker, ..)| worker.as_str()).collect();
    assert!(by.is_subset(&BTreeSet::from(["theirs-0", "theirs-1"])), "{by:?}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_pipelines_of_a_phase_run_at_the_same_time() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    let meeting = Arc::new(Barrier::new(2));
    for name in ["theirs-0", "theirs-1"] {
        let function = LeaveMarks { meeting: meeting.clone(), ..LeaveMarks::of(name, &log) };
        cluster.add_worker(name, |worker| worker.register(function));
    }
    // Neither can finish before the other has begun.
    let meets =
        |name: &str| pipeline(name, vec![stage(&json!({"root": place.url(name), "stage": "one", "meet": true}), 1)]);
    let id = submit(&cluster, job(vec![meets("a"), meets("b")])).await;
    assert_eq!(cluster.ended(&id).await.state, JobState::Succeeded);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phases_run_one_after_another() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    cluster.add_worker("theirs", |worker| worker.register(LeaveMarks::of("theirs", &log)));
    let root = place.url("out");
    let first = |name: &str| pipeline(name, vec![stage(&json!({"root": root, "stage": format!("first/{name}")}), 10)]);
    let second = stage(&json!({"root": root, "stage": "second", "after": "first", "expected": 20}), 1);
    let mut request = job(vec![first("a"), first("b")]);
    let pipelines = ParallelPipelines { pipelines: vec![pipeline("c", vec![second])] };
    request.phases.push(Phase { name: "then".to_owned(), pipelines });
    let id = submit(&cluster, request).await;
    let view = cluster.ended(&id).await;
    assert_eq!(view.state, JobState::Succeeded, "{:?}", view.failure);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_its_function_and_says_so() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    let id = submit(&cluster, job(vec![two_stages(&place, "a")])).await;
    let says = |what: &'static str| {
        move |view: &rechunk_common::job::JobView| {
            view.waits_for.as_deref().is_some_and(|for_what| for_what.contains(what))
        }
    };
    cluster.wait_until(&id, "the wait for workers", says("workers")).await;
    // A worker without the function does not help.
    cluster.add_worker("plain", |worker| worker);
    cluster.wait_until(&id, "the wait for a function", says("leave_marks@1")).await;
    cluster.add_worker("theirs", |worker| worker.register(LeaveMarks::of("theirs", &log)));
    let view = cluster.ended(&id).await;
    assert_eq!((view.state, view.waits_for), (JobState::Succeeded, None));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_memory_and_says_how_much() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    cluster.add_worker("small", |worker| worker.register(LeaveMarks::of("small", &log)));
    let mut hungry = two_stages(&place, "a");
    hungry.stages[0].task_memory = ByteCount(1 << 30);
    let id = submit(&cluster, job(vec![hungry])).await;
    let wants = |view: &rechunk_common::job::JobView| {
        view.waits_for.as_deref().is_some_and(|what| what.contains("1 GiB of memory"))
    };
    cluster.wait_until(&id, "the wait for memory", wants).await;
    let big = LeaveMarks::of("big", &log);
    cluster.add_worker("big", |worker| worker.memory(ByteCount(2 << 30)).register(big));
    assert_eq!(cluster.ended(&id).await.state, JobState::Succeeded);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_runs_the_cleanup_that_its_caller_gave() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    let function = LeaveMarks::of("theirs", &log);
    cluster.add_worker("theirs", |worker| worker.register(function));
    let root = place.url("out");
    // The first task waits for a second one that never comes.
    let stuck = stage(&json!({"root": root, "stage": "stuck", "meet": true}), 1);
    let mut request = job(vec![pipeline("a", vec![stuck])]);
    let cleanup = pipeline("cleanup", vec![stage(&json!({"root": root, "stage": "cleaned"}), 1)]);
    request.cleanup = ParallelPipelines { pipelines: vec![cleanup] };
    let id = submit(&cluster, request).await;
    cluster.wait_until(&id, "a lease", |view| view.stages.iter().any(|stage| stage.leased > 0)).await;
    within(cluster.client().cancel(&id), "the cancel").await.expect("a running job can be cancelled");
    assert_eq!(cluster.ended(&id).await.state, JobState::Cancelled);
    assert_eq!(place.keys("out").await, ["cleaned/0"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_panics_fails_the_job_and_not_its_worker() {
    let place = Place::in_memory();
    let log = Log::default();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    cluster.add_worker("theirs", |worker| worker.register(LeaveMarks::of("theirs", &log)));
    // Without a root the function panics.
    let id = submit(&cluster, job(vec![pipeline("a", vec![stage(&json!({"stage": "one"}), 1)])])).await;
    let view = cluster.ended(&id).await;
    let failure = view.failure.expect("a reason");
    assert_eq!((view.state, failure.reason.as_str()), (JobState::Failed, "BUG"));
    assert!(failure.message.contains("a root"), "{failure}");
    let next = submit(&cluster, job(vec![two_stages(&place, "b")])).await;
    assert_eq!(cluster.ended(&next).await.state, JobState::Succeeded, "the worker goes on");
    cluster.shutdown().await;
}
