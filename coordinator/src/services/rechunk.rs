//! `rechunk.v1.RechunkService`: for users.

use std::time::SystemTime;

use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    request::{PipelinesRequest, RechunkRequest},
};
use rechunk_proto::{
    PlannedRechunk,
    status::to_status,
    v1::{
        CancelJobRequest, CancelJobResponse, DeleteJobRequest, DeleteJobResponse, GetJobRequest, GetJobResponse,
        ListJobsRequest, ListJobsResponse, ListWorkersRequest, ListWorkersResponse, PlanRechunkRequest,
        PlanRechunkResponse, RetryJobRequest, RetryJobResponse, SubmitPipelinesRequest, SubmitPipelinesResponse,
        SubmitRechunkRequest, SubmitRechunkResponse, WatchJobRequest, WatchJobResponse,
        rechunk_service_server::RechunkService,
    },
};
use rechunk_traces::{Kind, OpenSpan, Place, TraceParent};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tracing::info;

use super::security::Caller;
use crate::{coordinator::Coordinator, page::PageRequest};

/// Speaks for a coordinator.
pub(super) struct Rechunk {
    coordinator: Coordinator,
    shutdown: CancellationToken,
}

impl Rechunk {
    pub(super) fn new(coordinator: Coordinator, shutdown: CancellationToken) -> Self {
        Self { coordinator, shutdown }
    }
}

/// The message in the words of the domain, or the status that says what is wrong with it.
pub(super) fn received<D, M>(request: Request<M>) -> Result<D, Status>
where
    D: TryFrom<M>,
    Refusal: From<D::Error>,
{
    D::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))
}

/// Whose token the call came with, for the log of what was done in whose name.
fn caller<M>(request: &Request<M>) -> String {
    request.extensions().get().map_or_else(|| "anybody".to_owned(), |Caller(name)| name.clone())
}

/// When a call came, and the span that it came of.
struct Arrival {
    at: SystemTime,
    of: Option<TraceParent>,
}

impl Arrival {
    fn of<M>(request: &Request<M>) -> Self {
        let header = request.metadata().get("traceparent").and_then(|header| header.to_str().ok());
        // As W3C's recommendation has it, what is none is as if it were not there.
        Self { at: SystemTime::now(), of: header.and_then(|header| header.parse().ok()) }
    }

    /// The call brought `job`.
    fn brought(self, job: &JobId) {
        let place = || Place::Submission(job.clone());
        if let Some(span) = OpenSpan::begun_at(job, "submit", || self.at, place) {
            span.of_kind(Kind::Server).linked_to(self.of).end(None);
        }
    }
}

#[tonic::async_trait]
impl RechunkService for Rechunk {
    async fn plan_rechunk(
        &self,
        request: Request<PlanRechunkRequest>,
    ) -> Result<Response<PlanRechunkResponse>, Status> {
        let request: RechunkRequest = received(request)?;
        let plan = self.coordinator.plan(request).await.map_err(to_status)?;
        let outline = plan.outline();
        let summary = plan.summary.ok_or_else(|| {
            let message = "the plan has no summary; this is a fault of rechunk, please report it";
            to_status(Refusal::new(RefusalCode::Internal, "NO_SUMMARY", message))
        })?;
        Ok(Response::new(PlannedRechunk { summary, outline }.into()))
    }

    async fn submit_rechunk(
        &self,
        request: Request<SubmitRechunkRequest>,
    ) -> Result<Response<SubmitRechunkResponse>, Status> {
        let (caller, arrival) = (caller(&request), Arrival::of(&request));
        let request: RechunkRequest = received(request)?;
        let job = self.coordinator.submit_rechunk(request).await.map_err(to_status)?;
        info!(%job, caller, "submitted");
        arrival.brought(&job);
        Ok(Response::new(job.into()))
    }

    async fn submit_pipelines(
        &self,
        request: Request<SubmitPipelinesRequest>,
    ) -> Result<Response<SubmitPipelinesResponse>, Status> {
        let (caller, arrival) = (caller(&request), Arrival::of(&request));
        let request: PipelinesRequest = received(request)?;
        let job = self.coordinator.submit_pipelines(request).await.map_err(to_status)?;
        info!(%job, caller, "submitted");
        arrival.brought(&job);
        Ok(Response::new(job.into()))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        let job: JobId = received(request)?;
        let view = self.coordinator.job(&job).await.map_err(to_status)?;
        Ok(Response::new(GetJobResponse { job: Some(view.into()) }))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        let ListJobsRequest { page_size, page_token } = request.into_inner();
        let page = PageRequest { size: page_size, token: page_token };
        let page = self.coordinator.jobs(page).await.map_err(to_status)?;
        let jobs = page.jobs.into_iter().map(Into::into).collect();
        Ok(Response::new(ListJobsResponse { jobs, next_page_token: page.next_token }))
    }

    type WatchJobStream = BoxStream<'static, Result<WatchJobResponse, Status>>;

    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        let job: JobId = received(request)?;
        let views = self.coordinator.watch(&job).await.map_err(to_status)?;
        let messages = views.map(|view| Ok(WatchJobResponse { job: Some(view.into()) }));
        // A graceful end waits for open streams, so they must not outlive it.
        let messages = messages.take_until(self.shutdown.clone().cancelled_owned());
        Ok(Response::new(messages.boxed()))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<CancelJobResponse>, Status> {
        let caller = caller(&request);
        let job: JobId = received(request)?;
        self.coordinator.cancel(&job).await.map_err(to_status)?;
        info!(%job, caller, "cancelled");
        Ok(Response::new(CancelJobResponse {}))
    }

    async fn retry_job(&self, request: Request<RetryJobRequest>) -> Result<Response<RetryJobResponse>, Status> {
        let caller = caller(&request);
        let job: JobId = received(request)?;
        self.coordinator.retry(&job).await.map_err(to_status)?;
        info!(%job, caller, "retried");
        Ok(Response::new(RetryJobResponse {}))
    }

    async fn delete_job(&self, request: Request<DeleteJobRequest>) -> Result<Response<DeleteJobResponse>, Status> {
        let caller = caller(&request);
        let job: JobId = received(request)?;
        self.coordinator.delete(&job).await.map_err(to_status)?;
        info!(%job, caller, "deleted");
        Ok(Response::new(DeleteJobResponse {}))
    }

    async fn list_workers(
        &self,
        _request: Request<ListWorkersRequest>,
    ) -> Result<Response<ListWorkersResponse>, Status> {
        let workers = self.coordinator.workers().await.map_err(to_status)?;
        Ok(Response::new(ListWorkersResponse { workers: workers.into_iter().map(Into::into).collect() }))
    }
}
