//! The services over a real connection, with the clients that everybody else has.

use futures::{StreamExt, stream::BoxStream};
use rechunk_common::{
    Refusal, RefusalCode,
    ids::JobId,
    job::{JobState, JobView},
    request::PipelinesRequest,
};
use rechunk_proto::{
    status::{ERROR_DOMAIN, from_status},
    v1::{
        self, GetJobRequest, ListJobsRequest, ListWorkersRequest, WatchJobRequest,
        rechunk_service_client::RechunkServiceClient,
    },
    worker::v1::worker_service_client::WorkerServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

use super::*;
use crate::{
    coordinator::CoordinatorTask,
    testing::{ScriptedWorker, start, two_stages},
};

mod scaler;

const RECHUNK: &str = "rechunk.v1.RechunkService";
const WORKER: &str = "rechunk.worker.v1.WorkerService";

/// A coordinator with its listeners.
struct Running {
    _coordinator: Coordinator,
    _task: CoordinatorTask,
    serving: Serving,
    stop: CancellationToken,
}

const FREE_PORT: &str = "127.0.0.1:0";

async fn run(listen_workers: Option<&str>) -> Running {
    let (coordinator, task) = start();
    let settings = ListenerSettings {
        listen: FREE_PORT.parse().expect("an address"),
        listen_workers: listen_workers.map(|address| address.parse().expect("an address")),
        security: Security::default(),
    };
    let stop = CancellationToken::new();
    let serving = serve(&settings, coordinator.clone(), stop.clone()).await.expect("a free port");
    Running { _coordinator: coordinator, _task: task, serving, stop }
}

async fn connect(address: SocketAddr) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect().await.expect("a connection")
}

async fn submit(client: &mut RechunkServiceClient<Channel>, request: PipelinesRequest) -> Result<JobId, Status> {
    let answer = client.submit_pipelines(v1::SubmitPipelinesRequest::from(request)).await?;
    Ok(JobId(answer.into_inner().job_id))
}

async fn watch(client: &mut RechunkServiceClient<Channel>, job: &JobId) -> BoxStream<'static, Result<JobView, Status>> {
    let messages = client.watch_job(WatchJobRequest::from(job.clone())).await.expect("a known job").into_inner();
    messages.map(|message| message.map(|message| message.job.expect("a job").try_into().expect("a valid job"))).boxed()
}

#[tokio::test]
async fn a_job_goes_through_submit_sync_and_watch() {
    let running = run(None).await;
    let channel = connect(running.serving.address).await;
    let mut client = RechunkServiceClient::new(channel.clone());
    let job = submit(&mut client, two_stages()).await.expect("accepted");
    let views = watch(&mut client, &job).await;
    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::over(WorkerServiceClient::new(channel), "w1").work());
    let states: Vec<JobState> = views.map(|view| view.expect("a view").state).collect().await;
    assert_eq!(states.last(), Some(&JobState::Succeeded), "{states:?}");
    let shown = client.get_job(GetJobRequest::from(job.clone())).await.expect("known").into_inner();
    let shown: JobView = shown.job.expect("a job").try_into().expect("a valid job");
    assert_eq!(shown.stages.iter().map(|stage| stage.done).collect::<Vec<_>>(), [3, 2]);
    let listed = client.list_jobs(ListJobsRequest::default()).await.expect("a page").into_inner();
    assert_eq!(listed.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), [job.as_str()]);
    let heard = client.list_workers(ListWorkersRequest {}).await.expect("workers").into_inner();
    assert_eq!(heard.workers.iter().map(|worker| worker.id.as_str()).collect::<Vec<_>>(), ["w1"]);
}

#[tokio::test]
async fn an_unknown_job_carries_its_reason_domain_and_field() {
    let running = run(None).await;
    let mut client = RechunkServiceClient::new(connect(running.serving.address).await);
    let status = client.get_job(GetJobRequest { job_id: "job-0123456789ab".to_owned() }).await.expect_err("refused");
    assert_eq!(status.code(), Code::NotFound);
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("UNKNOWN_JOB", ERROR_DOMAIN));
    let bad = status.get_details_bad_request().expect("BadRequest");
    assert_eq!(bad.field_violations.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), ["job_id"]);
}

#[tokio::test]
async fn a_bad_message_is_refused_with_the_path_of_its_field() {
    let running = run(None).await;
    let mut client = RechunkServiceClient::new(connect(running.serving.address).await);
    let mut request = two_stages();
    request.phases[0].pipelines.pipelines[0].stages[1].name = String::new();
    let status = submit(&mut client, request).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let bad = status.get_details_bad_request().expect("BadRequest");
    let fields: Vec<&str> = bad.field_violations.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["phases[0].pipelines[0].stages[1].name"]);
    assert_eq!(status.get_details_error_info().expect("ErrorInfo").domain, ERROR_DOMAIN);
}

#[tokio::test]
async fn both_services_are_healthy_and_reflection_lists_them() {
    let running = run(None).await;
    let channel = connect(running.serving.address).await;
    for service in [RECHUNK, WORKER, ""] {
        assert_eq!(health(channel.clone(), service).await.expect("known"), ServingStatus::Serving, "{service}");
    }
    let listed = reflected(channel).await;
    for service in [RECHUNK, WORKER, "grpc.health.v1.Health"] {
        assert!(listed.iter().any(|name| name == service), "{service} is not in {listed:?}");
    }
}

#[tokio::test]
async fn workers_have_a_listener_of_their_own_where_one_is_asked_for() {
    let running = run(Some(FREE_PORT)).await;
    assert_ne!(running.serving.address, running.serving.workers_address);
    let users = connect(running.serving.address).await;
    let workers = connect(running.serving.workers_address).await;
    assert_eq!(health(users.clone(), RECHUNK).await.expect("known"), ServingStatus::Serving);
    assert_eq!(health(users.clone(), WORKER).await.expect_err("elsewhere").code(), Code::NotFound);
    assert_eq!(health(workers.clone(), WORKER).await.expect("known"), ServingStatus::Serving);
    let mut misled = RechunkServiceClient::new(workers);
    let status = misled.list_workers(ListWorkersRequest {}).await.expect_err("not here");
    assert_eq!(status.code(), Code::Unimplemented);
    let mut misled = ScriptedWorker::over(WorkerServiceClient::new(users), "w1");
    assert!(misled.sync(Vec::new(), Vec::new()).await.is_err(), "users cannot act as workers");
}

#[tokio::test]
async fn an_end_answers_open_calls_closes_watches_and_ends() {
    let running = run(None).await;
    let channel = connect(running.serving.address).await;
    let mut client = RechunkServiceClient::new(channel.clone());
    // A job that nobody can run: its watch would go on for ever, and so would the worker's calls.
    let job = submit(&mut client, two_stages()).await.expect("accepted");
    let mut views = watch(&mut client, &job).await;
    assert!(views.next().await.is_some_and(|view| view.is_ok()));
    let idle = {
        let mut worker = ScriptedWorker::over(WorkerServiceClient::new(channel.clone()), "w1");
        let mut request = worker.request(Vec::new(), Vec::new());
        request.functions.clear();
        request
    };
    let mut calls = JoinSet::new();
    let mut caller = WorkerServiceClient::new(channel);
    calls.spawn(async move { caller.sync(rechunk_proto::worker::v1::SyncRequest::from(idle)).await });
    // The call is open once the worker is listed.
    while client.list_workers(ListWorkersRequest {}).await.expect("workers").into_inner().workers.is_empty() {}
    running.stop.cancel();
    let status = calls.join_next().await.expect("a call").expect("no panic").expect_err("nothing was granted");
    let refusal: Refusal = from_status(&status);
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::Unavailable, "COORDINATOR_ENDING"));
    assert!(views.next().await.is_none(), "the watch is closed");
    running.serving.ended().await.expect("a graceful end");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let running = run(None).await;
    let (coordinator, _task) = start();
    let settings =
        ListenerSettings { listen: running.serving.address, listen_workers: None, security: Security::default() };
    let error = serve(&settings, coordinator, CancellationToken::new()).await.expect_err("taken");
    assert!(error.to_string().contains(&running.serving.address.to_string()), "{error}");
}

async fn health(channel: Channel, service: &str) -> Result<ServingStatus, Status> {
    let answer = HealthClient::new(channel).check(HealthCheckRequest { service: service.to_owned() }).await?;
    Ok(answer.into_inner().status())
}

async fn reflected(channel: Channel) -> Vec<String> {
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(futures::stream::iter([list])).await.expect("reflection");
    let answer = answers.into_inner().next().await.expect("an answer").expect("no error");
    let response = answer.message_response.expect("a response");
    let MessageResponse::ListServicesResponse(list) = response else { panic!("an unexpected response: {response:?}") };
    list.service.into_iter().map(|one| one.name).collect()
}
