//! `rechunk-coordinator`: reads its flags and its configuration, serves until it is told to end.

mod security_args;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use rechunk_common::limits::LEASE_MARGIN;
use rechunk_coordinator::{
    coordinator::{Coordinator, CoordinatorError, CoordinatorParts, CoordinatorTask},
    exposition::Exposition,
    journal::{DEFAULT_JOURNAL, JournalError, JournalPlace},
    services::{ListenerSettings, serve},
    settings::CoordinatorSettings,
    surroundings::Machine,
};
use rechunk_metrics::Shown;
use rechunk_program::{Failure, HttpFace, LogArgs, Signals, read_configuration, run_to_end, start_logging, traced};
use rechunk_storage::{StoreConfig, Stores};
use security_args::SecurityArgs;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plans rechunks of Zarr arrays and leases their tasks to workers.
///
/// Without --config no store is covered, and every rechunk is refused.
#[derive(Debug, Parser)]
#[command(name = "rechunk-coordinator", version)]
struct Arguments {
    /// Where users and workers connect.
    #[arg(long, env = "RECHUNK_LISTEN", default_value = "0.0.0.0:7380", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// Where workers connect, apart from users; without it they share --listen.
    #[arg(long, env = "RECHUNK_LISTEN_WORKERS", value_name = "ADDRESS")]
    listen_workers: Option<SocketAddr>,

    #[command(flatten)]
    security: SecurityArgs,

    /// Where to show /livez, /readyz and, for Prometheus, /metrics; without it nothing is shown.
    #[arg(long, env = "RECHUNK_HTTP", value_name = "ADDRESS")]
    http: Option<SocketAddr>,

    /// A TOML file with a [[stores]] table for every prefix that jobs may read or write.
    #[arg(long, env = "RECHUNK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// Where jobs are recorded: a directory, or a URL of an object store that no job writes to. A coordinator that starts
    /// takes over from one that runs on the same journal. memory: forgets the jobs when the coordinator ends.
    #[arg(long, env = "RECHUNK_JOURNAL", default_value = DEFAULT_JOURNAL, value_name = "URL")]
    journal: String,

    /// Do not take over at once: wait until the coordinator of this journal has been silent for --lease and --margin.
    #[arg(long, env = "RECHUNK_STANDBY")]
    standby: bool,

    /// Seconds that a lease lasts without renewal: what a lost worker costs at the most, besides --margin.
    #[arg(long, env = "RECHUNK_LEASE", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease: u64,

    /// Seconds added before a lease counts as ended. Longer than the workers' --put-timeout, or a write that is under way
    /// when its lease ends may come after a deletion.
    #[arg(long, env = "RECHUNK_MARGIN", default_value_t = LEASE_MARGIN.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    margin: u64,

    /// Seconds of work that one lease holds. One that takes twice as long as its tasks usually do, and no less than this, gets
    /// a backup when nothing else is left to lease.
    #[arg(long, env = "RECHUNK_LEASE_WORK", default_value_t = 15, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    lease_work: u64,

    /// Log leases and records too, not decisions only. RUST_LOG wins.
    #[arg(short, long, env = "RECHUNK_VERBOSE")]
    verbose: bool,

    #[command(flatten)]
    log: LogArgs,
}

/// The coordinator ended of itself: 4 where a newer one has taken over, so that whoever starts it does not let the two take
/// over from each other for ever.
fn why_ended(error: &CoordinatorError) -> Failure {
    match error {
        CoordinatorError::Journal(JournalError::Fenced(_)) => {
            Failure { code: 4, message: format!("{error}; this one has ended") }
        }
        CoordinatorError::Journal(
            JournalError::Unavailable(_) | JournalError::Unsafe(_) | JournalError::Corrupt { .. },
        )
        | CoordinatorError::Driver(_) => Failure::broken(error.to_string()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = if arguments.verbose { "debug,h2=warn,hyper=warn" } else { "info,h2=warn,hyper=warn" };
    start_logging(filter, arguments.log.log_format);
    match run_to_end(traced("rechunk-coordinator", env!("CARGO_PKG_VERSION"), run(arguments))).flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let place = JournalPlace::parse(&arguments.journal)
        .map_err(|problem| Failure::wrong(format!("--journal {}: {problem}", arguments.journal)))?;
    let security = arguments.security.read()?;
    let config = store_config(arguments.config.as_deref())?;
    let http = HttpFace::open(arguments.http, Shown::Coordinator, env!("CARGO_PKG_VERSION")).await?;
    let stores = http.watch(Stores::new(config));
    // Before anything is announced: a signal from here on ends the program in good order.
    let mut signals = Signals::listen()?;
    let request_budget = stores.config().request_rates();
    let mut constants = CoordinatorSettings { request_budget, ..CoordinatorSettings::default() };
    constants.scheduler.lease = Duration::from_secs(arguments.lease);
    constants.scheduler.margin = Duration::from_secs(arguments.margin);
    constants.scheduler.lease_work = Duration::from_secs(arguments.lease_work);
    if arguments.standby {
        http.not_ready("standing by: another coordinator may be at work");
        let patience = constants.scheduler.lease + constants.scheduler.margin;
        tokio::select! {
            ended = place.stand_by(&stores, patience) => ended.map_err(|error| why_ended(&error.into()))?,
            name = signals.next() => {
                info!(signal = name, "ending");
                return Ok(());
            }
        }
    }
    http.not_ready("reading the journal");
    let journal = place.open(&stores).map_err(|error| Failure::wrong(format!("--journal: {error}")))?;
    let parts =
        CoordinatorParts { settings: constants, stores, journal, surroundings: Arc::new(Machine), witness: None };
    let (coordinator, mut task) = Coordinator::start_with(parts);
    let is_ready = tokio::select! {
        is_ready = task.is_ready() => is_ready,
        name = signals.next() => {
            info!(signal = name, "ending");
            return Ok(());
        }
    };
    if !is_ready {
        return task.join().await.map_err(|error| why_ended(&error));
    }
    let settings = ListenerSettings { listen: arguments.listen, listen_workers: arguments.listen_workers, security };
    let stop = CancellationToken::new();
    let serving = serve(&settings, coordinator.clone(), stop.clone())
        .await
        .map_err(|error| Failure::broken(error.to_string()))?;
    show(&http, &coordinator);
    info!(listen = %serving.address, listen_workers = %serving.workers_address, "coordinator ready");
    until_told(signals, &coordinator, task, &http, &stop, serving.ended()).await
}

/// From here on the coordinator answers, and its metrics say how it stands.
fn show(http: &HttpFace, coordinator: &Coordinator) {
    let exposition = Arc::new(Exposition::new(coordinator.clone()));
    http.sample_with(move || {
        let exposition = Arc::clone(&exposition);
        Box::pin(async move { exposition.sample().await })
    });
    http.ready_when(|| Ok(()));
}

/// Serves until a signal, or until the coordinator or a listener breaks off; then ends both in good order.
async fn until_told(
    mut signals: Signals,
    coordinator: &Coordinator,
    task: CoordinatorTask,
    http: &HttpFace,
    stop: &CancellationToken,
    served: impl Future<Output = Result<(), rechunk_coordinator::services::ServeError>>,
) -> Result<(), Failure> {
    let task = task.join();
    tokio::pin!(task, served);
    let mut coordinator_ended = None;
    let mut listeners_ended = None;
    tokio::select! {
        name = signals.next() => info!(signal = name, "ending"),
        ended = &mut task => coordinator_ended = Some(ended),
        ended = &mut served => listeners_ended = Some(ended),
    }
    http.not_ready("ending");
    // Callers first, so that each has its answer before the coordinator goes.
    stop.cancel();
    let listeners_ended = match listeners_ended {
        Some(ended) => ended,
        None => served.await,
    };
    coordinator.shutdown();
    let coordinator_ended = match coordinator_ended {
        Some(ended) => ended,
        None => task.await,
    };
    coordinator_ended.map_err(|error| why_ended(&error))?;
    listeners_ended.map_err(|error| Failure::broken(error.to_string()))
}

fn store_config(file: Option<&Path>) -> Result<StoreConfig, Failure> {
    let Some(file) = file else {
        warn!("no --config: no store is covered, and every rechunk is refused until a [[stores]] table covers it");
        return Ok(StoreConfig::of_profiles(Vec::new()));
    };
    read_configuration(file).map_err(|error| Failure::wrong(format!("--config {error}")))
}
