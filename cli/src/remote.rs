//! A coordinator behind gRPC, with the patience to survive its restart.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    job::{JobView, WorkerView},
    plan::PlanSummary,
    request::{PipelinesRequest, RechunkRequest},
};
use rechunk_proto::client::{ClientError, ClientOptions, Credentials, JobWatch, RechunkClient};

use crate::{failure::Failure, service::Service};

/// The first wait before a call is made again; doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Names the span that the caller's program works in, where whoever started it keeps traces.
const TRACE_PARENT: &str = "TRACEPARENT";

/// A coordinator behind gRPC.
#[derive(Clone)]
pub struct RemoteService {
    client: RechunkClient,
    patience: Duration,
}

impl RemoteService {
    /// Connects at once or not at all: a wrong address should be said without delay. Later calls are made again for
    /// `patience` while the coordinator is away.
    pub async fn connect(url: &str, credentials: Credentials, patience: Duration) -> Result<Self, Failure> {
        let trace_parent = std::env::var(TRACE_PARENT).ok();
        let options = ClientOptions { trace_parent, ..ClientOptions::with_credentials(credentials) };
        let client = RechunkClient::connect(url, options).await.map_err(failure)?;
        Ok(Self { client, patience })
    }

    /// All jobs, newest first.
    pub async fn jobs(&self) -> Result<Vec<JobView>, Failure> {
        self.client.jobs().await.map_err(failure)
    }

    /// Takes pipelines on that the caller planned; the same request id gives the same job.
    pub async fn submit_pipelines(&self, pipelines: PipelinesRequest) -> Result<JobId, Failure> {
        self.patiently(|client| {
            let pipelines = pipelines.clone();
            async move { client.submit_pipelines(pipelines).await }
        })
        .await
    }

    /// All workers.
    pub async fn workers(&self) -> Result<Vec<WorkerView>, Failure> {
        self.client.workers().await.map_err(failure)
    }

    /// Makes a call until it is answered, or patience ends. Every call here may be made twice: a submission carries a
    /// request id, the others say what should be.
    async fn patiently<T, F>(&self, call: impl Fn(RechunkClient) -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            match call(self.client.clone()).await {
                Err(error) if is_away(&error) && begun.elapsed() < self.patience => {
                    tracing::warn!(%error, "trying again");
                    tokio::time::sleep(wait).await;
                    wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                }
                answer => return answer.map_err(failure),
            }
        }
    }
}

#[async_trait]
impl Service for RemoteService {
    async fn plan(&self, request: RechunkRequest) -> Result<PlanSummary, Failure> {
        Ok(self
            .patiently(|client| {
                let request = request.clone();
                async move { client.plan(request).await }
            })
            .await?
            .summary)
    }

    async fn submit(&self, request: RechunkRequest) -> Result<JobId, Failure> {
        self.patiently(|client| {
            let request = request.clone();
            async move { client.submit(request).await }
        })
        .await
    }

    async fn job(&self, job: &JobId) -> Result<JobView, Failure> {
        self.patiently(|client| async move { client.job(job).await }).await
    }

    async fn watch(&self, job: &JobId) -> Result<BoxStream<'static, Result<JobView, Failure>>, Failure> {
        let views = self.open_watch(job).await?;
        let state = Some((self.clone(), job.clone(), views));
        Ok(futures::stream::unfold(state, |state| async move {
            let (service, job, mut views) = state?;
            loop {
                match views.next().await {
                    Some(Ok(view)) => return Some((Ok(view), Some((service, job, views)))),
                    Some(Err(error)) if !is_away(&error) => return Some((Err(failure(error)), None)),
                    None => return None,
                    // Cut off in mid-stream: the job goes on, so follow it again.
                    Some(Err(_away)) => match service.open_watch(&job).await {
                        Ok(again) => views = again,
                        Err(failure) => return Some((Err(failure), None)),
                    },
                }
            }
        })
        .boxed())
    }

    async fn cancel(&self, job: &JobId) -> Result<(), Failure> {
        self.patiently(|client| async move { client.cancel(job).await }).await
    }

    async fn delete(&self, job: &JobId) -> Result<(), Failure> {
        self.patiently(|client| async move { client.delete(job).await }).await
    }
}

impl RemoteService {
    /// Lets a failed job go on, with what is done.
    pub async fn retry(&self, job: &JobId) -> Result<(), Failure> {
        self.patiently(|client| async move { client.retry(job).await }).await
    }

    async fn open_watch(&self, job: &JobId) -> Result<JobWatch, Failure> {
        self.patiently(|client| async move { client.watch(job).await }).await
    }
}

/// Whether the same call may succeed later.
fn is_away(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        // With a field it is a store that does not answer the coordinator, which has tried for long enough.
        ClientError::Refused(refusal) => refusal.code == RefusalCode::Unavailable && refusal.field.is_none(),
    }
}

fn failure(error: ClientError) -> Failure {
    match error {
        ClientError::Unreachable { .. } => {
            let message = format!("{error}; start one with rechunk-coordinator, or name it with --coordinator");
            Failure::Unreachable(Refusal::new(RefusalCode::Unavailable, "COORDINATOR_UNREACHABLE", message))
        }
        ClientError::Refused(refusal) => refusal.into(),
    }
}
