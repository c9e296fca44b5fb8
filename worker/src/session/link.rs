//! The way to the coordinator: a call and its answer.

use async_trait::async_trait;
use rechunk_common::{
    RefusalCode,
    session::{SyncRequest, SyncResponse},
};
use rechunk_proto::client::{ClientError, ClientOptions, Credentials, WorkerLink};

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The coordinator cannot be reached, or is not ready: again, later.
    #[error("the coordinator cannot be reached: {0}")]
    Unreachable(String),
    /// It answered that it will not talk to us, or what we don't understand; that may pass with its next version.
    #[error("the coordinator refuses: {0}")]
    Refused(String),
}

/// Carries `Sync` calls. The worker bounds each call in time and drops it when it has something newer to say.
#[async_trait]
pub trait CoordinatorLink: Send + Sync + 'static {
    /// One call.
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError>;
}

/// The link over gRPC.
#[derive(Debug, Clone)]
pub struct GrpcLink {
    client: WorkerLink,
}

impl GrpcLink {
    /// A link to the coordinator at `url`. Connects with the first call, and again whenever the connection is lost: a
    /// worker may be started before its coordinator. Call it on a tokio runtime.
    pub fn new(url: &str, credentials: Credentials) -> Result<Self, LinkError> {
        let client = WorkerLink::connect_lazily(url, ClientOptions::with_credentials(credentials))?;
        Ok(Self { client })
    }
}

#[async_trait]
impl CoordinatorLink for GrpcLink {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        Ok(self.client.sync(request).await?)
    }
}

impl From<ClientError> for LinkError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Unreachable { cause, .. } => Self::Unreachable(cause),
            ClientError::Refused(refusal) => match refusal.code {
                RefusalCode::Unavailable | RefusalCode::ResourceExhausted | RefusalCode::Internal => {
                    Self::Unreachable(refusal.message)
                }
                RefusalCode::InvalidArgument
                | RefusalCode::NotFound
                | RefusalCode::AlreadyExists
                | RefusalCode::PermissionDenied
                | RefusalCode::FailedPrecondition => Self::Refused(refusal.message),
            },
        }
    }
}
