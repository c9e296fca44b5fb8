//! What a program says of itself over HTTP: that it lives, whether it may be given work, and its metrics.
//!
//! `/livez` depends on nothing: a program whose store or coordinator is gone must not be started anew for that.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use futures::{FutureExt, future::BoxFuture};
use rechunk_metrics::{Recorder, Shown, StoreMetrics};
use rechunk_storage::Stores;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use crate::Failure;

/// How long the figures of the moment may take; after that the last ones are shown.
const SAMPLE_DEADLINE: Duration = Duration::from_secs(5);

/// How often metrics are summed up when nobody looks.
const KEEP_EVERY: Duration = Duration::from_secs(5);

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;
type Sample = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The HTTP side of a program. It closes when this is dropped. Where no address was given nothing listens and nothing
/// is counted.
#[must_use = "the listener closes when this is dropped"]
pub struct HttpFace {
    said: Arc<Said>,
    // Its tasks end with it.
    tasks: JoinSet<()>,
}

/// What is said at the moment.
struct Said {
    readiness: Mutex<Readiness>,
    sample: Mutex<Sample>,
}

impl HttpFace {
    /// Listens on `address` and keeps metrics from here on. Not ready until [`Self::ready_when`].
    pub async fn open(address: Option<SocketAddr>, program: Shown, version: &str) -> Result<Self, Failure> {
        let Some(address) = address else { return Ok(Self { said: Said::starting(), tasks: JoinSet::new() }) };
        let failed = |error| Failure::wrong(format!("--http: cannot listen on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let recorder = Recorder::install(program, version).map_err(|error| Failure::broken(error.to_string()))?;
        tracing::info!(http = %bound, "probes and metrics");
        let shown = recorder.clone();
        let mut face = Self::serve(listener, move || shown.render());
        face.tasks.spawn(async move {
            loop {
                tokio::time::sleep(KEEP_EVERY).await;
                recorder.keep();
            }
        });
        Ok(face)
    }

    fn serve(listener: TcpListener, render: impl Fn() -> String + Clone + Send + Sync + 'static) -> Self {
        let said = Said::starting();
        let (of_ready, of_metrics) = (Arc::clone(&said), Arc::clone(&said));
        let routes = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(move || async move { of_ready.readiness() }))
            .route(
                "/metrics",
                get(move || async move {
                    of_metrics.sample().await;
                    ([(CONTENT_TYPE, PROMETHEUS_TEXT)], render())
                }),
            );
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "the listener of --http has broken off");
            }
        });
        Self { said, tasks }
    }

    /// The same stores, with every request counted.
    #[must_use]
    pub fn watch(&self, stores: Stores) -> Stores {
        if self.tasks.is_empty() {
            return stores;
        }
        let counting = StoreMetrics::new(stores.config());
        stores.with_observer(Arc::new(counting))
    }

    /// Not ready, for this reason.
    pub fn not_ready(&self, why: &'static str) {
        self.ready_when(move || Err(why.to_owned()));
    }

    /// Ready whenever `is_ready` says so; else it says why not.
    pub fn ready_when(&self, is_ready: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        *lock(&self.said.readiness) = Arc::new(is_ready);
    }

    /// Runs `sample` before metrics are shown, so that gauges say how it is now.
    pub fn sample_with(&self, sample: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        *lock(&self.said.sample) = Arc::new(sample);
    }
}

impl Said {
    fn starting() -> Arc<Self> {
        let readiness: Readiness = Arc::new(|| Err("starting".to_owned()));
        let sample: Sample = Arc::new(|| std::future::ready(()).boxed());
        Arc::new(Self { readiness: Mutex::new(readiness), sample: Mutex::new(sample) })
    }

    fn readiness(&self) -> (StatusCode, String) {
        let readiness = Arc::clone(&lock(&self.readiness));
        match readiness() {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        }
    }

    async fn sample(&self) {
        let sample = Arc::clone(&lock(&self.sample));
        if timeout(SAMPLE_DEADLINE, sample()).await.is_err() {
            tracing::warn!("the figures of the moment take too long; metrics show the last ones");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: rechunk\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    }

    async fn face(render: impl Fn() -> String + Clone + Send + Sync + 'static) -> (HttpFace, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        (HttpFace::serve(listener, render), address)
    }

    #[tokio::test]
    async fn a_program_lives_before_it_is_ready_and_says_why_it_is_not() {
        let (face, address) = face(String::new).await;
        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200"));
        let starting = ask(address, "/readyz").await;
        assert!(starting.starts_with("HTTP/1.1 503") && starting.ends_with("not ready: starting\n"), "{starting}");
        face.ready_when(|| Ok(()));
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        face.not_ready("ending");
        assert!(ask(address, "/readyz").await.ends_with("not ready: ending\n"));
        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn metrics_are_sampled_before_they_are_shown() {
        let samples = Arc::new(AtomicU64::new(0));
        let shown = Arc::clone(&samples);
        let (face, address) = face(move || format!("samples {}\n", shown.load(Ordering::SeqCst))).await;
        face.sample_with(move || {
            samples.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        });
        assert!(ask(address, "/metrics").await.ends_with("samples 1\n"));
        let second = ask(address, "/metrics").await;
        assert!(second.ends_with("samples 2\n") && second.contains("text/plain; version=0.0.4"), "{second}");
    }
}
