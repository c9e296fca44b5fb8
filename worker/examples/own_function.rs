//! A worker with a function of its own, and the pipelines that call it. The coordinator is the ordinary one.
//!
//! ```sh
//! rechunk-coordinator --config stores.toml &
//! cargo run --release -p rechunk-worker --example own_function -- work stores.toml &
//! cargo run --release -p rechunk-worker --example own_function -- submit file:///data/squares
//! ```

use std::error::Error;

use async_trait::async_trait;
use rechunk_common::{
    ByteCount, Counts, FailureClass, TaskFailure,
    ids::TaskIndex,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, RetryPolicy, Stage, StageEffect,
        StageFunction,
    },
    request::PipelinesRequest,
};
use rechunk_proto::client::{ClientOptions, Credentials, RechunkClient};
use rechunk_storage::{Access, StoreConfig, Stores};
use rechunk_worker::{GrpcLink, TaskContext, TaskFunction, WorkerBuilder};
use tokio_util::sync::CancellationToken;

const COORDINATOR: &str = "http://127.0.0.1:7380";

/// Task n writes the square of n as object `n`. Its parameters are the URL below which it writes.
struct WriteSquares;

#[async_trait]
impl TaskFunction for WriteSquares {
    fn id(&self) -> FunctionId {
        FunctionId::new("example.write_squares", 1)
    }

    async fn run(&self, cx: &TaskContext, parameters: &[u8], task: TaskIndex) -> Result<Counts, TaskFailure> {
        let root = std::str::from_utf8(parameters)
            .map_err(|error| TaskFailure::new(FailureClass::InvalidRequest, error.to_string()))?;
        let square = task.0.saturating_mul(task.0).to_string();
        // A store that fails is worth another try; the same task run twice writes the same object.
        cx.open(root, Access::ReadWrite)?
            .put(&task.to_string(), square, cx.guard())
            .await
            .map_err(|error| TaskFailure::new(FailureClass::TryAgain, error.to_string()))?;
        Ok(cx.tally().total())
    }
}

/// A hundred tasks of one stage of one pipeline. More stages in a pipeline have a barrier between them, more pipelines
/// run side by side, and phases follow each other.
fn squares_below(root: &str) -> PipelinesRequest {
    let function = CustomFunction { id: WriteSquares.id(), parameters: root.as_bytes().to_vec() };
    let stage = Stage {
        name: "write_squares".to_owned(),
        array: None,
        function: StageFunction::Custom(function),
        task_count: 100,
        task_memory: ByteCount(1 << 20),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts { put_requests: 100, ..Counts::default() },
    };
    let pipeline = MultiStagePipeline { name: "squares".to_owned(), stages: vec![stage], temp_bytes: ByteCount(0) };
    let phase = Phase { name: "all".to_owned(), pipelines: ParallelPipelines { pipelines: vec![pipeline] } };
    PipelinesRequest { name: "squares".to_owned(), phases: vec![phase], ..PipelinesRequest::default() }
}

async fn work(config: &str) -> Result<(), Box<dyn Error>> {
    let stores = Stores::new(StoreConfig::from_toml(&std::fs::read_to_string(config)?)?);
    let worker = WorkerBuilder::new()
        .stores(stores)
        .memory(ByteCount(1 << 30))
        .slots(4)
        .register(WriteSquares)
        .link(GrpcLink::new(COORDINATOR, Credentials::default())?)
        .build()?;
    let shutdown = CancellationToken::new();
    let working = worker.run(shutdown.clone());
    tokio::pin!(working);
    tokio::select! {
        () = &mut working => return Ok(()),
        asked = tokio::signal::ctrl_c() => asked?,
    }
    // It finishes and reports what it holds.
    shutdown.cancel();
    working.await;
    Ok(())
}

async fn submit(root: &str) -> Result<(), Box<dyn Error>> {
    let client = RechunkClient::connect(COORDINATOR, ClientOptions::default()).await?;
    println!("{}", client.submit_pipelines(squares_below(root)).await?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["work", config] => work(config).await,
        ["submit", root] => submit(root).await,
        _ => Err("write `work CONFIG` or `submit URL`".into()),
    }
}
