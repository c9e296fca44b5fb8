//! The gRPC services: thin. Each call is converted, handed to the coordinator, and its answer converted back.
//!
//! Here are the listeners; the services are beside. Knows nothing of planning, scheduling or storage.

mod rechunk;
mod routes;
mod scaler;
mod security;
mod worker;

use std::{net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, ServerTlsConfig, server::TcpIncoming},
};
use tracing::{info, warn};

use self::{
    routes::{ForUsers, routes},
    security::Guard,
    worker::Worker,
};
use crate::coordinator::Coordinator;

pub use self::security::{BadCertificates, BadTokens, Security, ServerTls, Tokens};

/// A connection without traffic is asked whether it still stands.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// A connection that does not answer for this long is closed: its calls end, and leases of its worker run out.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest call: each has a tighter deadline of its own.
const CALL_DEADLINE: Duration = Duration::from_secs(200);

/// How long open calls may take once the end was announced.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// Calls at a time on one connection: a program with many watchers or workers shares one.
const MAX_STREAMS_PER_CONNECTION: u32 = 1_000;

/// Where a coordinator listens, and to whom.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// For users; port 0 takes a free one.
    pub listen: SocketAddr,
    /// For workers; `None`: they share `listen`.
    pub listen_workers: Option<SocketAddr>,
    /// Who may call.
    pub security: Security,
}

/// Listeners at work. Dropping it closes them at once.
#[derive(Debug)]
#[must_use = "the listeners close when this is dropped"]
pub struct Serving {
    /// Where users connect.
    pub address: SocketAddr,
    /// Where workers connect.
    pub workers_address: SocketAddr,
    listeners: JoinSet<Result<(), tonic::transport::Error>>,
    shutdown: CancellationToken,
}

/// Why listeners did not start, or broke off.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// As asked for.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// The descriptors of our own services are broken: a fault of the build.
    #[error("cannot describe the services: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A listener has broken off.
    #[error("a listener has broken off: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// A listener's task has broken off: a fault of ours.
    #[error("a listener's task has broken off: {0}")]
    Task(String),
}

/// Listens, and serves until `shutdown` is cancelled. Then open long polls are answered, watches end, and what is
/// still open after a deadline is cut.
pub async fn serve(
    settings: &ListenerSettings,
    coordinator: Coordinator,
    shutdown: CancellationToken,
) -> Result<Serving, ServeError> {
    let users = ForUsers::new(&coordinator, &shutdown);
    let worker = Worker::new(coordinator, shutdown.clone());
    let mut listeners = JoinSet::new();
    let Security { tls, users: user_tokens, workers: worker_tokens } = &settings.security;
    let (of_users, of_workers) = (Guard::new(user_tokens.clone()), Guard::new(worker_tokens.clone()));
    let mut listen = |routes: Routes, address, for_workers| -> Result<SocketAddr, ServeError> {
        let mut server = server(tls.as_ref().map(|tls| tls.config(for_workers)))?;
        let (incoming, address) = bind(address)?;
        let stopped = shutdown.clone().cancelled_owned();
        listeners.spawn(server.add_routes(routes).serve_with_incoming_shutdown(incoming, stopped));
        Ok(address)
    };
    let (address, workers_address) = if let Some(workers) = settings.listen_workers {
        let public = listen(routes(Some((users, of_users)), None).await?, settings.listen, false)?;
        (public, listen(routes(None, Some((worker, of_workers))).await?, workers, true)?)
    } else {
        let both = routes(Some((users, of_users)), Some((worker, of_workers))).await?;
        let shared = listen(both, settings.listen, true)?;
        (shared, shared)
    };
    Ok(Serving { address, workers_address, listeners, shutdown })
}

impl Serving {
    /// Waits until the listeners have ended: after `shutdown` within a deadline, before it only if one breaks off.
    pub async fn ended(mut self) -> Result<(), ServeError> {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            ended = self.listeners.join_next() => first_failure(ended)?,
        }
        let drained = timeout(DRAIN_DEADLINE, async {
            while let Some(ended) = self.listeners.join_next().await {
                first_failure(Some(ended))?;
            }
            Ok(())
        });
        drained.await.unwrap_or_else(|_elapsed| {
            warn!(seconds = DRAIN_DEADLINE.as_secs(), "calls are still open after the deadline and are cut");
            Ok(())
        })
    }
}

type Ended = Option<Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>>;

fn first_failure(ended: Ended) -> Result<(), ServeError> {
    match ended {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(error.into()),
        Some(Err(error)) => Err(ServeError::Task(error.to_string())),
    }
}

fn bind(address: SocketAddr) -> Result<(TcpIncoming, SocketAddr), ServeError> {
    let failed = |error| ServeError::Bind { address, error };
    // The builder's own `tcp_nodelay` does nothing for a listener that is handed to it: answers stalled for 40 ms.
    let incoming = TcpIncoming::bind(address).map_err(failed)?.with_nodelay(Some(true));
    let bound = incoming.local_addr().map_err(failed)?;
    info!(address = %bound, "listening");
    Ok((incoming, bound))
}

fn server(tls: Option<ServerTlsConfig>) -> Result<Server, ServeError> {
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        .timeout(CALL_DEADLINE);
    let Some(tls) = tls else { return Ok(server) };
    Ok(server.tls_config(tls)?)
}

#[cfg(test)]
mod tests;
