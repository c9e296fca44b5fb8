//! The clients against a server that answers from a script, over a real connection.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use futures::{Stream, StreamExt};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    job::JobView,
    request::{PipelinesRequest, RechunkRequest},
    session::{SyncRequest, SyncResponse},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

use super::*;
use crate::{
    convert::samples,
    status::to_status,
    v1::{self, rechunk_service_server as rechunk},
    worker::v1::{self as worker, worker_service_server as worker_service},
};

/// A value of a strategy, always the same one.
fn one_of<S: Strategy>(strategy: S) -> S::Value {
    strategy.new_tree(&mut TestRunner::deterministic()).expect("a value").current()
}

fn sample_job(number: usize) -> JobView {
    JobView { id: JobId(format!("job-{number:012x}")), ..one_of(samples::jobs()) }
}

fn refusal() -> Refusal {
    Refusal::new(RefusalCode::AlreadyExists, "TARGET_EXISTS", "s3://b/c ist schon da: \u{2026}").at("target")
}

/// Answers by the job's id or the source's URL.
struct Script;

type Watched = Pin<Box<dyn Stream<Item = Result<v1::WatchJobResponse, Status>> + Send>>;

#[tonic::async_trait]
impl rechunk::RechunkService for Script {
    type WatchJobStream = Watched;

    async fn plan_rechunk(
        &self,
        request: Request<v1::PlanRechunkRequest>,
    ) -> Result<Response<v1::PlanRechunkResponse>, Status> {
        let request = RechunkRequest::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        match request.source.as_str() {
            "empty" => Ok(Response::new(v1::PlanRechunkResponse::default())),
            "never" => std::future::pending().await,
            _ => Ok(Response::new(one_of(samples::planned()).into())),
        }
    }

    async fn submit_rechunk(
        &self,
        request: Request<v1::SubmitRechunkRequest>,
    ) -> Result<Response<v1::SubmitRechunkResponse>, Status> {
        let request = RechunkRequest::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        if request.request_id.is_some() {
            Ok(Response::new(JobId::from("job-1").into()))
        } else {
            Err(to_status(refusal()))
        }
    }

    async fn submit_pipelines(
        &self,
        request: Request<v1::SubmitPipelinesRequest>,
    ) -> Result<Response<v1::SubmitPipelinesResponse>, Status> {
        let request = PipelinesRequest::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        assert_eq!(request, one_of(samples::pipelines_requests()));
        Ok(Response::new(JobId::from("job-2").into()))
    }

    async fn get_job(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::GetJobResponse>, Status> {
        let job = JobId::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        let view = JobView { id: job, ..one_of(samples::jobs()) };
        Ok(Response::new(v1::GetJobResponse { job: Some(view.into()) }))
    }

    /// Seven jobs, three a page.
    async fn list_jobs(&self, request: Request<v1::ListJobsRequest>) -> Result<Response<v1::ListJobsResponse>, Status> {
        let start = request.into_inner().page_token.parse().unwrap_or(0);
        let end = 7.min(start + 3);
        let jobs = (start..end).map(|number| sample_job(number).into()).collect();
        let next_page_token = if end < 7 { end.to_string() } else { String::new() };
        Ok(Response::new(v1::ListJobsResponse { jobs, next_page_token }))
    }

    async fn watch_job(&self, request: Request<v1::WatchJobRequest>) -> Result<Response<Watched>, Status> {
        let view = |number| Ok(v1::WatchJobResponse { job: Some(sample_job(number).into()) });
        let views = futures::stream::iter([view(0), view(1)]);
        Ok(Response::new(match request.into_inner().job_id.as_str() {
            "forever" => Box::pin(views.chain(futures::stream::pending())),
            "deleted" => Box::pin(views.chain(futures::stream::iter([Err(to_status(refusal()))]))),
            _ => Box::pin(views),
        }))
    }

    async fn cancel_job(&self, _: Request<v1::CancelJobRequest>) -> Result<Response<v1::CancelJobResponse>, Status> {
        Ok(Response::new(v1::CancelJobResponse {}))
    }

    async fn retry_job(&self, request: Request<v1::RetryJobRequest>) -> Result<Response<v1::RetryJobResponse>, Status> {
        let job = JobId::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        if job.as_str() == "job-9" { Ok(Response::new(v1::RetryJobResponse {})) } else { Err(Status::not_found("job")) }
    }

    async fn delete_job(
        &self,
        request: Request<v1::DeleteJobRequest>,
    ) -> Result<Response<v1::DeleteJobResponse>, Status> {
        JobId::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        Ok(Response::new(v1::DeleteJobResponse {}))
    }

    async fn list_workers(
        &self,
        _: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        Ok(Response::new(v1::ListWorkersResponse { workers: vec![one_of(samples::workers()).into()] }))
    }
}

#[tonic::async_trait]
impl worker_service::WorkerService for Script {
    async fn sync(&self, request: Request<worker::SyncRequest>) -> Result<Response<worker::SyncResponse>, Status> {
        let request = SyncRequest::try_from(request.into_inner()).map_err(|invalid| to_status(invalid.into()))?;
        if request.draining {
            return std::future::pending().await;
        }
        let response = SyncResponse { seq: request.seq, ..one_of(samples::sync_responses()) };
        Ok(Response::new(response.into()))
    }
}

/// A server in a runtime of its own: ending that cuts every connection.
struct Scripted {
    runtime: Runtime,
    url: String,
}

impl Scripted {
    fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (tell, told) = std::sync::mpsc::channel::<SocketAddr>();
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            Server::builder()
                .add_service(rechunk::RechunkServiceServer::new(Script))
                .add_service(worker_service::WorkerServiceServer::new(Script))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
        });
        let address = told.recv().expect("the server listens");
        Self { runtime, url: format!("http://{address}") }
    }

    async fn client(&self) -> RechunkClient {
        RechunkClient::connect(&self.url, ClientOptions::default()).await.expect("connected")
    }

    fn end(self) {
        self.runtime.shutdown_background();
    }
}

fn rechunk_of(source: &str) -> RechunkRequest {
    RechunkRequest { source: source.into(), target: "s3://b/c".into(), ..RechunkRequest::default() }
}

#[tokio::test]
async fn every_call_arrives_and_comes_back_in_domain_types() {
    let server = Scripted::start();
    let client = server.client().await;
    assert_eq!(client.plan(rechunk_of("s3://b/a")).await, Ok(one_of(samples::planned())));
    let request = RechunkRequest { request_id: Some("mine".into()), ..rechunk_of("s3://b/a") };
    assert_eq!(client.submit(request).await, Ok("job-1".into()));
    assert_eq!(client.submit_pipelines(one_of(samples::pipelines_requests())).await, Ok("job-2".into()));
    assert_eq!(client.job(&"job-9".into()).await.map(|view| view.id), Ok("job-9".into()));
    assert_eq!(client.cancel(&"job-9".into()).await, Ok(()));
    assert_eq!(client.retry(&"job-9".into()).await, Ok(()));
    assert_eq!(client.delete(&"job-9".into()).await, Ok(()));
    assert_eq!(client.workers().await, Ok(vec![one_of(samples::workers())]));
    server.end();
}

#[tokio::test]
async fn jobs_of_all_pages_are_listed() {
    let server = Scripted::start();
    let jobs = server.client().await.jobs().await;
    assert_eq!(jobs, Ok((0..7).map(sample_job).collect()));
    server.end();
}

#[tokio::test]
async fn a_refusal_arrives_with_code_reason_field_and_message() {
    let server = Scripted::start();
    let client = server.client().await;
    assert_eq!(client.submit(rechunk_of("s3://b/a")).await, Err(ClientError::Refused(refusal())));
    let Err(ClientError::Refused(refused)) = client.plan(rechunk_of("")).await else { panic!("no source") };
    assert_eq!((refused.reason.as_str(), refused.field.as_deref()), ("FIELD_EMPTY", Some("source")));
    let Err(ClientError::Refused(refused)) = client.delete(&"".into()).await else { panic!("no job") };
    assert_eq!(refused.field.as_deref(), Some("job_id"));
    server.end();
}

#[tokio::test]
async fn an_answer_that_is_none_is_named() {
    let server = Scripted::start();
    let Err(ClientError::Refused(refused)) = server.client().await.plan(rechunk_of("empty")).await else {
        panic!("an empty answer is not a plan")
    };
    assert_eq!((refused.code, refused.reason.as_str()), (RefusalCode::Internal, "ANSWER_INVALID"));
    assert!(refused.message.contains("summary is missing"), "{}", refused.message);
    server.end();
}

#[tokio::test]
async fn a_watch_ends_with_the_job() {
    let server = Scripted::start();
    let watch = server.client().await.watch(&"job-0".into()).await.expect("a watch");
    let views: Vec<_> = watch.collect().await;
    assert_eq!(views, [Ok(sample_job(0)), Ok(sample_job(1))]);
    server.end();
}

#[tokio::test]
async fn a_watch_passes_a_refusal_on() {
    let server = Scripted::start();
    let watch = server.client().await.watch(&"deleted".into()).await.expect("a watch");
    assert_eq!(watch.skip(2).next().await, Some(Err(ClientError::Refused(refusal()))));
    server.end();
}

#[tokio::test]
async fn a_watch_of_a_coordinator_that_dies_is_unreachable() {
    let server = Scripted::start();
    let client = server.client().await;
    let mut watch = client.watch(&"forever".into()).await.expect("a watch");
    assert_eq!(watch.next().await, Some(Ok(sample_job(0))));
    assert_eq!(watch.next().await, Some(Ok(sample_job(1))));
    let url = server.url.clone();
    server.end();
    let Some(Err(ClientError::Unreachable { url: named, .. })) = watch.next().await else { panic!("it is dead") };
    assert_eq!(named, url);
    assert!(matches!(client.job(&"job-0".into()).await, Err(ClientError::Unreachable { .. })));
}

#[tokio::test]
async fn a_coordinator_that_is_not_there_is_unreachable() {
    // Bound and not listening: nobody else gets the port, and nobody answers.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    let error = RechunkClient::connect(&url, ClientOptions::default()).await.expect_err("nobody");
    let ClientError::Unreachable { url: named, cause } = &error else { panic!("{error:?}") };
    assert_eq!(named, &url);
    assert!(cause.to_lowercase().contains("refused"), "{cause}");
    let link = WorkerLink::connect_lazily(&url, ClientOptions::default()).expect("not asked yet");
    let answer = link.sync(one_of(samples::sync_requests())).await;
    assert!(matches!(answer, Err(ClientError::Unreachable { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_by_its_field() {
    for url in ["", "coordinator:7380", "http://", "http://[", "ftp://x"] {
        let error = RechunkClient::connect(url, ClientOptions::default()).await.expect_err(url);
        let ClientError::Refused(refused) = error else { panic!("{url:?}: {error:?}") };
        assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::InvalidArgument, Some("coordinator")));
    }
}

#[tokio::test]
async fn a_call_without_an_answer_ends_at_its_deadline() {
    let server = Scripted::start();
    let soon = Duration::from_millis(50);
    let options =
        ClientOptions { call_timeout: soon, plan_timeout: soon, sync_margin: soon, ..ClientOptions::default() };
    let client = RechunkClient::connect(&server.url, options.clone()).await.expect("connected");
    let answer = client.plan(rechunk_of("never")).await;
    assert!(matches!(answer, Err(ClientError::Unreachable { .. })), "{answer:?}");
    let link = WorkerLink::connect(&server.url, options).await.expect("connected");
    let request = SyncRequest { wait: soon, draining: true, ..one_of(samples::sync_requests()) };
    let answer = link.sync(request).await;
    assert!(matches!(answer, Err(ClientError::Unreachable { .. })), "{answer:?}");
    server.end();
}

#[tokio::test]
async fn a_sync_arrives_and_comes_back() {
    let server = Scripted::start();
    let link = WorkerLink::connect(&server.url, ClientOptions::default()).await.expect("connected");
    let request = SyncRequest { draining: false, ..one_of(samples::sync_requests()) };
    let expected = SyncResponse { seq: request.seq, ..one_of(samples::sync_responses()) };
    assert_eq!(link.sync(request).await, Ok(expected));
    server.end();
}
