//! The client of a worker.

use rechunk_common::{
    limits::MAX_MESSAGE_BYTES,
    session::{SyncRequest, SyncResponse},
};
use tonic::{service::interceptor::InterceptedService, transport::Channel};

use super::{
    ClientError, ClientOptions,
    call::{answer, converted, request},
    connection,
    credentials::Bearer,
};
use crate::worker::v1::{self, worker_service_client::WorkerServiceClient};

/// Calls of `rechunk.worker.v1.WorkerService`. Clones share one connection, which is made again after it was cut.
#[derive(Debug, Clone)]
pub struct WorkerLink {
    service: WorkerServiceClient<InterceptedService<Channel, Bearer>>,
    url: String,
    options: ClientOptions,
}

impl WorkerLink {
    /// Connects to the coordinator at `url`, as in `http://127.0.0.1:7380`, or at an `https` URL.
    pub async fn connect(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::over(connection::connect(url, &options).await?, url, options))
    }

    /// A link whose first call connects: a worker may be started before its coordinator. Refuses a malformed `url`.
    /// Must be called in a tokio runtime.
    pub fn connect_lazily(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::over(connection::connect_lazily(url, &options)?, url, options))
    }

    /// A link over a connection that the caller made; `url` is for messages.
    pub fn over(channel: Channel, url: &str, options: ClientOptions) -> Self {
        let service = WorkerServiceClient::with_interceptor(channel, options.credentials.bearer())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { service, url: url.to_owned(), options }
    }

    /// Says what the worker holds and hears what it should hold. Waits for as long as the request allows and a margin.
    pub async fn sync(&self, sync: SyncRequest) -> Result<SyncResponse, ClientError> {
        let deadline = sync.wait.saturating_add(self.options.sync_margin);
        let request = request::<v1::SyncRequest>(sync, deadline)?;
        // tonic's client wants to be owned by its call; a clone is two pointers.
        let mut service = self.service.clone();
        let response = answer(&self.url, deadline, service.sync(request)).await?;
        converted(&self.url, response)
    }
}
