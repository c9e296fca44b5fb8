//! What KEDA is answered, over a real connection.

use rechunk_proto::externalscaler::{GetMetricsRequest, ScaledObjectRef, external_scaler_client::ExternalScalerClient};
use tonic::Streaming;

use super::*;

type Client = ExternalScalerClient<Channel>;

fn with_slots(slots: &str) -> ScaledObjectRef {
    let scaler_metadata = [("slotsPerWorker".to_owned(), slots.to_owned())].into();
    ScaledObjectRef { scaler_metadata, ..ScaledObjectRef::default() }
}

async fn is_active(scaler: &mut Client) -> bool {
    scaler.is_active(ScaledObjectRef::default()).await.expect("an answer").into_inner().result
}

async fn wanted(scaler: &mut Client) -> i64 {
    let answer = scaler.get_metrics(GetMetricsRequest::default()).await.expect("an answer").into_inner();
    let [value] = answer.metric_values.try_into().expect("one metric");
    assert_eq!(value.metric_value_float.to_string(), value.metric_value.to_string());
    value.metric_value
}

async fn target(scaler: &mut Client, object: ScaledObjectRef) -> Result<i64, Status> {
    let answer = scaler.get_metric_spec(object).await?.into_inner();
    let [spec] = answer.metric_specs.try_into().expect("one metric");
    assert_eq!(spec.target_size_float.to_string(), spec.target_size.to_string());
    Ok(spec.target_size)
}

async fn pushed(stream: &mut Streaming<rechunk_proto::externalscaler::IsActiveResponse>) -> Option<bool> {
    stream.message().await.expect("no error").map(|answer| answer.result)
}

#[tokio::test]
async fn work_is_pushed_when_it_comes_and_when_it_is_over() {
    let running = run(None).await;
    let channel = connect(running.serving.address).await;
    let mut scaler = Client::new(channel.clone());
    let mut stream = scaler.stream_is_active(ScaledObjectRef::default()).await.expect("a stream").into_inner();
    assert_eq!(pushed(&mut stream).await, Some(false), "at once");
    assert_eq!((is_active(&mut scaler).await, wanted(&mut scaler).await), (false, 0));

    let mut client = RechunkServiceClient::new(channel.clone());
    submit(&mut client, two_stages()).await.expect("accepted");
    assert_eq!(pushed(&mut stream).await, Some(true), "the job waits for workers");
    assert_eq!((is_active(&mut scaler).await, wanted(&mut scaler).await), (true, 3), "the first stage's tasks");

    let mut workers = JoinSet::new();
    workers.spawn(ScriptedWorker::over(WorkerServiceClient::new(channel), "w1").work());
    assert_eq!(pushed(&mut stream).await, Some(false), "the job is over");
    assert_eq!((is_active(&mut scaler).await, wanted(&mut scaler).await), (false, 0));

    running.stop.cancel();
    assert_eq!(pushed(&mut stream).await, None, "the stream does not hold up the end");
    running.serving.ended().await.expect("a graceful end");
}

#[tokio::test]
async fn one_worker_takes_care_of_as_many_slots_as_it_has() {
    let running = run(None).await;
    let channel = connect(running.serving.address).await;
    let mut scaler = Client::new(channel.clone());
    assert_eq!(target(&mut scaler, ScaledObjectRef::default()).await.expect("a target"), 1, "nobody is known");
    let mut workers = WorkerServiceClient::new(channel.clone());
    let mut request = ScriptedWorker::over(WorkerServiceClient::new(channel), "w1").request(Vec::new(), Vec::new());
    let heard = request.total.slots;
    request.wait = Duration::ZERO;
    workers.sync(rechunk_proto::worker::v1::SyncRequest::from(request)).await.expect("an answer");
    assert!(heard > 1, "the script's worker has more than one");
    assert_eq!(target(&mut scaler, ScaledObjectRef::default()).await.expect("a target"), i64::from(heard));
    assert_eq!(target(&mut scaler, with_slots("7")).await.expect("a target"), 7, "what the trigger states wins");
    for wrong in ["0", "-1", "many", ""] {
        let status = target(&mut scaler, with_slots(wrong)).await.expect_err("refused");
        let bad = status.get_details_bad_request().expect("BadRequest");
        assert_eq!((status.code(), bad.field_violations.len()), (Code::InvalidArgument, 1), "{wrong}");
    }
}

#[tokio::test]
async fn the_scaler_answers_where_users_do() {
    let running = run(Some(FREE_PORT)).await;
    let mut at_workers = Client::new(connect(running.serving.workers_address).await);
    let status = at_workers.is_active(ScaledObjectRef::default()).await.expect_err("not here");
    assert_eq!(status.code(), Code::Unimplemented);
    let users = connect(running.serving.address).await;
    assert!(reflected(users.clone()).await.iter().any(|name| name == "externalscaler.ExternalScaler"));
    assert!(!is_active(&mut Client::new(users)).await);
}
