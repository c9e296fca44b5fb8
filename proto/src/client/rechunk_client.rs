//! The client of people's programs.

use rechunk_common::{
    ids::JobId,
    job::{JobView, WorkerView},
    limits::{MAX_LIVE_JOBS, MAX_MESSAGE_BYTES, MAX_REMEMBERED_JOBS},
    request::{PipelinesRequest, RechunkRequest},
};
use tonic::{Request, service::interceptor::InterceptedService, transport::Channel};

use super::{
    ClientError, ClientOptions, JobWatch,
    call::{answer, converted, request, required},
    connection,
    credentials::Bearer,
};
use crate::{
    Fault, PlannedRechunk, Problem,
    v1::{self, rechunk_service_client::RechunkServiceClient},
};

/// Calls of `rechunk.v1.RechunkService`. Clones share one connection, which is made again after it was cut.
#[derive(Debug, Clone)]
pub struct RechunkClient {
    service: RechunkServiceClient<InterceptedService<Channel, Bearer>>,
    url: String,
    options: ClientOptions,
}

impl RechunkClient {
    /// Connects to the coordinator at `url`, as in `http://127.0.0.1:7380`, or at an `https` URL.
    pub async fn connect(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self::over(connection::connect(url, &options).await?, url, options))
    }

    /// A client over a connection that the caller made; `url` is for messages.
    pub fn over(channel: Channel, url: &str, options: ClientOptions) -> Self {
        let service = RechunkServiceClient::with_interceptor(channel, options.credentials.bearer())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { service, url: url.to_owned(), options }
    }

    /// The same call, which says what it came of; what no header can hold is left out.
    fn of_its_span<M>(&self, mut request: Request<M>) -> Request<M> {
        if let Some(parent) = self.options.trace_parent.as_deref().and_then(|parent| parent.parse().ok()) {
            request.metadata_mut().insert("traceparent", parent);
        }
        request
    }

    /// What a rechunk would do and cost.
    pub async fn plan(&self, rechunk: RechunkRequest) -> Result<PlannedRechunk, ClientError> {
        let deadline = self.options.plan_timeout;
        let request = request::<v1::PlanRechunkRequest>(rechunk, deadline)?;
        let planned = answer(&self.url, deadline, self.service().plan_rechunk(request)).await?;
        converted(&self.url, planned)
    }

    /// Submits a rechunk; the job is durable when its id comes back.
    pub async fn submit(&self, rechunk: RechunkRequest) -> Result<JobId, ClientError> {
        let deadline = self.options.plan_timeout;
        let request = self.of_its_span(request::<v1::SubmitRechunkRequest>(rechunk, deadline)?);
        let submitted = answer(&self.url, deadline, self.service().submit_rechunk(request)).await?;
        converted(&self.url, submitted)
    }

    /// Submits pipelines of the caller's own; the job is durable when its id comes back.
    pub async fn submit_pipelines(&self, pipelines: PipelinesRequest) -> Result<JobId, ClientError> {
        let deadline = self.options.call_timeout;
        let request = self.of_its_span(request::<v1::SubmitPipelinesRequest>(pipelines, deadline)?);
        let submitted = answer(&self.url, deadline, self.service().submit_pipelines(request)).await?;
        converted(&self.url, submitted)
    }

    /// A job with its plan.
    pub async fn job(&self, job: &JobId) -> Result<JobView, ClientError> {
        let deadline = self.options.call_timeout;
        let request = request::<v1::GetJobRequest>(job.clone(), deadline)?;
        let found = answer(&self.url, deadline, self.service().get_job(request)).await?;
        converted(&self.url, required(&self.url, "job", found.job)?)
    }

    /// All jobs, newest first, without their plans.
    pub async fn jobs(&self) -> Result<Vec<JobView>, ClientError> {
        let deadline = self.options.call_timeout;
        let mut jobs = Vec::new();
        let mut page_token = String::new();
        // A coordinator has no more jobs than this, and so no more pages.
        for _ in 0..MAX_LIVE_JOBS.saturating_add(MAX_REMEMBERED_JOBS) {
            let request = request(v1::ListJobsRequest { page_size: 0, page_token }, deadline)?;
            let page = answer(&self.url, deadline, self.service().list_jobs(request)).await?;
            for job in page.jobs {
                jobs.push(converted(&self.url, job)?);
            }
            if page.next_page_token.is_empty() {
                return Ok(jobs);
            }
            page_token = page.next_page_token;
        }
        let endless = Fault::at("next_page_token", Problem::Disagrees { other: "the limit of jobs" });
        Err(ClientError::bad_answer(&self.url, &endless))
    }

    /// Follows a job until it is terminal.
    pub async fn watch(&self, job: &JobId) -> Result<JobWatch, ClientError> {
        // The deadline is for the first sign; keepalive watches over the rest.
        let request = tonic::Request::new(v1::WatchJobRequest::from(job.clone()));
        let answers = answer(&self.url, self.options.call_timeout, self.service().watch_job(request)).await?;
        Ok(JobWatch::new(self.url.clone(), answers))
    }

    /// Asks for a job to be cancelled.
    pub async fn cancel(&self, job: &JobId) -> Result<(), ClientError> {
        let deadline = self.options.call_timeout;
        let request = request::<v1::CancelJobRequest>(job.clone(), deadline)?;
        answer(&self.url, deadline, self.service().cancel_job(request)).await.map(|v1::CancelJobResponse {}| ())
    }

    /// Lets a failed job go on, with what is done.
    pub async fn retry(&self, job: &JobId) -> Result<(), ClientError> {
        let deadline = self.options.call_timeout;
        let request = request::<v1::RetryJobRequest>(job.clone(), deadline)?;
        answer(&self.url, deadline, self.service().retry_job(request)).await.map(|v1::RetryJobResponse {}| ())
    }

    /// Forgets a terminal job and removes its temporary objects.
    pub async fn delete(&self, job: &JobId) -> Result<(), ClientError> {
        let deadline = self.options.call_timeout;
        let request = request::<v1::DeleteJobRequest>(job.clone(), deadline)?;
        answer(&self.url, deadline, self.service().delete_job(request)).await.map(|v1::DeleteJobResponse {}| ())
    }

    /// The workers that were heard lately, by name.
    pub async fn workers(&self) -> Result<Vec<WorkerView>, ClientError> {
        let deadline = self.options.call_timeout;
        let request = request(v1::ListWorkersRequest {}, deadline)?;
        let listed = answer(&self.url, deadline, self.service().list_workers(request)).await?;
        listed.workers.into_iter().map(|worker| converted(&self.url, worker)).collect()
    }

    /// tonic's client wants to be owned by its call; a clone is two pointers.
    fn service(&self) -> RechunkServiceClient<InterceptedService<Channel, Bearer>> {
        self.service.clone()
    }
}
