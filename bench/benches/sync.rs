//! `Sync` over real gRPC on loopback against a real coordinator: calls a second. Goal: 4,000 on one core.
//!
//! Every call reports a finished lease and is granted the next one. `one thread` has the coordinator and all its
//! workers on one thread, so on one core; `a thread each` has the coordinator on one and the workers on another.

#![expect(clippy::expect_used, reason = "a benchmark stops where what it measures is wrong")]

use std::{
    future::Future,
    net::SocketAddr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput};
use futures::future::join_all;
use rechunk_bench::worker::SimulatedWorker;
use rechunk_common::{
    ByteCount, Counts,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect,
        StageFunction,
    },
    request::PipelinesRequest,
};
use rechunk_coordinator::{
    Coordinator, CoordinatorSettings, CoordinatorTask, ListenerSettings, Security, Serving, serve,
};
use rechunk_proto::client::{ClientOptions, WorkerLink};
use rechunk_scheduler::Timestamp;
use rechunk_storage::{StoreConfig, Stores};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// A coordinator with one endless job of a custom function, and where it listens.
struct Service {
    address: SocketAddr,
    _serving: Serving,
    _coordinator: Coordinator,
    _task: CoordinatorTask,
}

/// A worker and its connection.
struct Caller {
    worker: SimulatedWorker,
    link: WorkerLink,
    begun: Instant,
    /// Calls that were answered without a lease.
    idle: u64,
}

fn function() -> FunctionId {
    FunctionId::new("bench", 1)
}

fn job(number: u32) -> PipelinesRequest {
    let stage = Stage {
        name: "bench".to_owned(),
        array: None,
        function: StageFunction::Custom(CustomFunction { id: function(), parameters: vec![7; 600] }),
        task_count: 1_000_000_000,
        task_memory: ByteCount(1 << 20),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts::default(),
    };
    let pipeline = MultiStagePipeline { name: "bench".to_owned(), stages: vec![stage], temp_bytes: ByteCount(0) };
    let pipelines = ParallelPipelines { pipelines: vec![pipeline] };
    let name = format!("bench {number}");
    PipelinesRequest {
        name,
        phases: vec![Phase { name: "bench".to_owned(), pipelines }],
        ..PipelinesRequest::default()
    }
}

impl Service {
    async fn start() -> Self {
        let stores = Stores::new(StoreConfig::of_profiles(Vec::new()));
        let (coordinator, task) = Coordinator::start(CoordinatorSettings::default(), stores);
        let listen = ListenerSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            listen_workers: None,
            security: Security::default(),
        };
        let serving = serve(&listen, coordinator.clone(), CancellationToken::new()).await.expect("a free port");
        // Leases hold a thousand tasks at the most: with ten jobs there is work for ten million calls.
        for number in 0..10 {
            coordinator.submit_pipelines(job(number)).await.expect("an accepted job");
        }
        Self { address: serving.address, _serving: serving, _coordinator: coordinator, _task: task }
    }
}

impl Caller {
    async fn connect(number: usize, address: SocketAddr) -> Self {
        let url = format!("http://{address}");
        let link = WorkerLink::connect(&url, ClientOptions::default()).await.expect("the coordinator answers");
        let mut functions = StageFunction::built_in();
        functions.push(function());
        let worker = SimulatedWorker::new(number, functions, 1, 0);
        let mut caller = Self { worker, link, begun: Instant::now(), idle: 0 };
        caller.calls(3).await;
        caller.idle = 0;
        caller
    }

    async fn calls(&mut self, count: u64) {
        for _ in 0..count {
            let now = Timestamp(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or_default());
            let request = self.worker.call(now);
            let response = self.link.sync(request).await.expect("an answer");
            self.idle += u64::from(self.worker.receive(now, response) == 0);
        }
    }
}

/// The time that `count` calls take, shared out among the callers.
async fn time_for(callers: &mut [Caller], count: u64) -> Duration {
    let shares = u64::try_from(callers.len()).expect("few");
    let begun = Instant::now();
    join_all((0..).zip(callers.iter_mut()).map(|(number, caller)| {
        let share = count / shares + u64::from(number < count % shares);
        caller.calls(share)
    }))
    .await;
    let took = begun.elapsed();
    assert!(callers.iter().all(|caller| caller.idle == 0), "calls were answered without a lease");
    took
}

async fn connected(count: usize, address: SocketAddr) -> Vec<Caller> {
    // Names of their own: a new worker under a known name is an old one that has lost its memory.
    join_all((0..count).map(|number| Caller::connect(count * 100 + number, address))).await
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A coordinator on a thread of its own, until the token is dropped.
fn elsewhere() -> (SocketAddr, CancellationToken, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel();
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let thread = thread::spawn(move || {
        runtime().block_on(async {
            let service = Service::start().await;
            sender.send(service.address).expect("somebody listens");
            stopped.cancelled().await;
        });
    });
    (receiver.recv().expect("the coordinator starts"), stop, thread)
}

fn measure(criterion: &mut Criterion, name: &str, runtime: &Runtime, address: impl Future<Output = SocketAddr>) {
    let address = runtime.block_on(address);
    let mut group = criterion.benchmark_group(format!("Sync over gRPC, {name}"));
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(1));
    for workers in [1, 16, 256] {
        let mut callers = runtime.block_on(connected(workers, address));
        group.bench_function(format!("{workers} workers"), |bencher| {
            bencher.iter_custom(|calls| runtime.block_on(time_for(&mut callers, calls)));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let here = runtime();
    let service = here.block_on(Service::start());
    measure(&mut criterion, "one thread", &here, async { service.address });
    drop(service);

    let (address, stop, thread) = elsewhere();
    measure(&mut criterion, "a thread each", &runtime(), async { address });
    stop.cancel();
    thread.join().expect("the coordinator ends in good order");
    criterion.final_summary();
}
