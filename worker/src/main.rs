//! `rechunk-worker`: reads its flags and its configuration, works until it is told to end.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{ArgAction, Parser};
use rechunk_common::{ByteCount, limits::PUT_TIMEOUT};
use rechunk_metrics::Shown;
use rechunk_program::{
    CredentialArgs, Failure, HttpFace, LogArgs, Signals, read_configuration, run_to_end, start_logging, traced,
};
use rechunk_storage::{StoreConfig, Stores};
use rechunk_worker::{
    GrpcLink, Scratch, Worker, WorkerBuilder, memory_reserve, pages::suit_pages_to, resident::current_rss,
};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the tasks of rechunks that a coordinator leases to it. Add workers by starting more of them.
///
/// Without --config no store is covered, and every task fails.
#[derive(Debug, Parser)]
#[command(name = "rechunk-worker", version)]
struct Arguments {
    /// Where the coordinator listens for workers.
    #[arg(long, env = "RECHUNK_COORDINATOR", default_value = "http://127.0.0.1:7380", value_name = "URL")]
    coordinator: String,

    #[command(flatten)]
    credentials: CredentialArgs,

    /// The resident set that this process may have; a fixed reserve is taken off, the rest is for tasks.
    #[arg(long, env = "RECHUNK_MEMORY", default_value = "4GiB", value_name = "SIZE")]
    memory: ByteCount,

    /// Threads for codecs and copies, and tasks at a time; as many as there are processors if not given.
    #[arg(long, env = "RECHUNK_CPUS", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    cpus: Option<u16>,

    /// A directory on local disk that tasks may use; without one, no plan counts on local disk.
    #[arg(long, env = "RECHUNK_SCRATCH", value_name = "DIR")]
    scratch: Option<PathBuf>,

    /// The most that tasks may use there; nine tenths of what is free if not given.
    #[arg(long, env = "RECHUNK_SCRATCH_SIZE", value_name = "SIZE", requires = "scratch")]
    scratch_size: Option<ByteCount>,

    /// Where to show /livez, /readyz and, for Prometheus, /metrics; without it nothing is shown.
    #[arg(long, env = "RECHUNK_HTTP", value_name = "ADDRESS")]
    http: Option<SocketAddr>,

    /// A TOML file with a [[stores]] table for every prefix that tasks may read or write.
    #[arg(long, env = "RECHUNK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// The worker's name, shown to people; a random one if not given.
    #[arg(long, env = "RECHUNK_NAME", value_name = "NAME")]
    name: Option<String>,

    /// Seconds for what is being done when the worker is asked to end.
    #[arg(long, env = "RECHUNK_GRACE", default_value_t = 30, value_name = "SECONDS")]
    grace: u64,

    /// Seconds that one attempt at writing an object may take. Shorter than the coordinator's --margin, or a write that
    /// is under way when its lease ends may come after a deletion.
    #[arg(long, env = "RECHUNK_PUT_TIMEOUT", default_value_t = PUT_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    put_timeout: u64,

    /// Log more: once decisions, twice also leases and tasks. RUST_LOG wins.
    #[arg(short, long, env = "RECHUNK_VERBOSE", action = ArgAction::Count)]
    verbose: u8,

    #[command(flatten)]
    log: LogArgs,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = match arguments.verbose {
        0 => "warn,rechunk_worker=info,rechunk_program=info",
        1 => "info,h2=warn,hyper=warn",
        _ => "debug,h2=warn,hyper=warn",
    };
    start_logging(filter, arguments.log.log_format);
    match run_to_end(traced("rechunk-worker", env!("CARGO_PKG_VERSION"), run(arguments))).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let threads = match arguments.cpus {
        Some(cpus) => usize::from(cpus),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let link = GrpcLink::new(&arguments.coordinator, arguments.credentials.read()?)
        .map_err(|error| Failure::wrong(error.to_string()))?;
    let config =
        store_config(arguments.config.as_deref())?.with_put_timeout(Duration::from_secs(arguments.put_timeout));
    suit_pages_to(arguments.memory);
    let http = HttpFace::open(arguments.http, Shown::Worker, env!("CARGO_PKG_VERSION")).await?;
    let share = memory_reserve(arguments.memory, current_rss(), threads);
    tracing::info!(memory = %arguments.memory, reserve = %share.reserve, budget = %share.budget, threads,
        "memory is shared out");
    let mut worker = WorkerBuilder::new()
        .stores(http.watch(Stores::new(config)))
        .memory(share.budget)
        .threads(threads)
        .slots(u32::try_from(threads).unwrap_or(u32::MAX))
        .grace(Duration::from_secs(arguments.grace))
        .link(link);
    if let Some(directory) = &arguments.scratch {
        let size = Scratch::available(directory, arguments.scratch_size);
        let scratch = size.and_then(|size| Scratch::open(directory, size));
        let scratch = scratch.map_err(|error| Failure::wrong(format!("--scratch: {error}")))?;
        tracing::info!(directory = %directory.display(), size = %scratch.size(), "tasks may use local disk");
        worker = worker.scratch(scratch);
    }
    if let Some(name) = arguments.name {
        worker = worker.name(name);
    }
    let worker = worker.build().map_err(|error| Failure::broken(error.to_string()))?;
    show(&http, &worker);
    let mut signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let working = worker.run(shutdown.clone());
    tokio::pin!(working);
    tokio::select! {
        () = &mut working => return Ok(()),
        name = signals.next() => tracing::info!(signal = name, "ending"),
    }
    shutdown.cancel();
    tokio::select! {
        () = working => Ok(()),
        _again = signals.next() => Err(Failure::broken("told to end a second time; what was being done is given up")),
    }
}

/// From here on probes and metrics say how the worker stands.
fn show(http: &HttpFace, worker: &Worker) {
    let (view, sampled) = (worker.view(), worker.view());
    http.ready_when(move || view.readiness());
    http.sample_with(move || {
        sampled.sample();
        Box::pin(std::future::ready(()))
    });
}

fn store_config(path: Option<&Path>) -> Result<StoreConfig, Failure> {
    let Some(path) = path else {
        tracing::warn!("no --config: no store is covered, and every task will fail");
        return Ok(StoreConfig::of_profiles(Vec::new()));
    };
    read_configuration(path).map_err(|error| Failure::wrong(format!("--config {error}")))
}
