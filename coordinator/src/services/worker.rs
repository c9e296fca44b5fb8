//! `rechunk.worker.v1.WorkerService`: for workers.

use rechunk_common::{Refusal, RefusalCode, session::SyncRequest};
use rechunk_proto::{
    status::to_status,
    worker::v1::{self, worker_service_server::WorkerService},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::rechunk::received;
use crate::coordinator::Coordinator;

/// Speaks for a coordinator.
pub(super) struct Worker {
    coordinator: Coordinator,
    shutdown: CancellationToken,
}

impl Worker {
    pub(super) fn new(coordinator: Coordinator, shutdown: CancellationToken) -> Self {
        Self { coordinator, shutdown }
    }
}

#[tonic::async_trait]
impl WorkerService for Worker {
    async fn sync(&self, request: Request<v1::SyncRequest>) -> Result<Response<v1::SyncResponse>, Status> {
        let request: SyncRequest = received(request)?;
        tokio::select! {
            response = self.coordinator.sync(request) => Ok(Response::new(response.map_err(to_status)?.into())),
            // Answered, so that the worker looks for another coordinator at once.
            () = self.shutdown.cancelled() => Err(to_status(ending())),
        }
    }
}

fn ending() -> Refusal {
    let message = "the coordinator is ending; try again when it, or another one, has started";
    Refusal::new(RefusalCode::Unavailable, "COORDINATOR_ENDING", message)
}
