//! Several callers at one coordinator, over gRPC: who gets a target, what a request id does, what cannot be cancelled or
//! deleted, and what the errors carry.

#![allow(clippy::expect_used, reason = "tests")]

use rechunk_common::{
    ByteCount, Refusal, RefusalCode,
    ids::{JobId, RequestId},
    job::JobState,
    request::RechunkRequest,
};
use rechunk_proto::{
    client::ClientError,
    v1::{GetJobRequest, SubmitRechunkRequest, rechunk_service_client::RechunkServiceClient},
};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place,
    cluster::{refusal, within},
    faithful::{assert_equal, assert_succeeded, request},
};
use tonic::Code;
use tonic_types::StatusExt;

fn array() -> ArraySpec {
    ArraySpec::new(&[32, 16], &[4, 16])
}

/// A request that can be planned also while no worker is there.
fn to(place: &Place, target: &str) -> RechunkRequest {
    RechunkRequest { max_mem: Some(ByteCount(8 << 20)), ..request(place, "source", target, "32,4") }
}

fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, ClientError>, code: RefusalCode, reason: &str) -> Refusal {
    let refusal = refusal(outcome);
    assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{refusal}");
    refusal
}

/// A place with a source, and a cluster without workers: accepted jobs stay as they are.
async fn idle() -> (Place, Cluster) {
    let place = Place::in_memory();
    array().make(&place, "source").await;
    let cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    (place, cluster)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_submissions_to_one_target_exactly_one_is_accepted() {
    let (place, cluster) = idle().await;
    let all = futures::future::join_all((0..8).map(|_| cluster.client().submit(to(&place, "target"))));
    let (accepted, refused): (Vec<_>, Vec<_>) = within(all, "the answers").await.into_iter().partition(Result::is_ok);
    assert_eq!(accepted.len(), 1);
    let job = accepted.into_iter().next().expect("one").expect("accepted");
    for outcome in refused {
        let refusal = assert_refused(outcome, RefusalCode::AlreadyExists, "LIVE_JOB");
        assert_eq!(refusal.field.as_deref(), Some("target"));
        assert!(refusal.message.contains(job.as_str()), "{refusal} does not name {job}");
    }
    assert_eq!(cluster.client().jobs().await.expect("jobs").len(), 1);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_contains_or_lies_in_that_of_a_live_job_is_refused() {
    let (place, cluster) = idle().await;
    let job = cluster.submit(to(&place, "a/b")).await;
    for target in ["a/b", "a", "a/b/c"] {
        let refusal = refusal(cluster.client().submit(to(&place, target)).await);
        assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::AlreadyExists, "LIVE_JOB"), "{target}");
        assert!(refusal.message.contains(job.as_str()), "{refusal}");
    }
    cluster.submit(to(&place, "a/bc")).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_id_gives_the_same_job_at_once_and_after_its_end() {
    let place = Place::in_memory();
    let made = array().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let named = || RechunkRequest { request_id: Some(RequestId::from("nightly")), ..to(&place, "target") };
    let (first, second) = tokio::join!(cluster.client().submit(named()), cluster.client().submit(named()));
    let job = first.expect("accepted");
    assert_eq!(second.expect("the same"), job);
    let view = cluster.ended(&job).await;
    assert_succeeded(&view);
    assert_eq!(cluster.submit(named()).await, job, "also when it has ended, and the target exists");
    assert_equal(&place, &made, "target").await;
    assert_eq!(cluster.client().jobs().await.expect("jobs").len(), 1);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_has_ended_leaves_a_target_that_exists() {
    let place = Place::in_memory();
    let made = array().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let job = cluster.submit(to(&place, "target")).await;
    assert_succeeded(&cluster.ended(&job).await);
    let refusal = assert_refused(
        cluster.client().submit(to(&place, "target")).await,
        RefusalCode::AlreadyExists,
        "TARGET_EXISTS",
    );
    assert_eq!(refusal.field.as_deref(), Some("target"));
    assert_refused(cluster.client().cancel(&job).await, RefusalCode::FailedPrecondition, "JOB_ENDED");
    // Deleting a job that succeeded forgets it and touches nothing.
    within(cluster.client().delete(&job), "the deletion").await.expect("deleted");
    assert_refused(cluster.client().job(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_job_is_cancelled_before_it_is_deleted() {
    let (place, mut cluster) = idle().await;
    let job = cluster.submit(to(&place, "target")).await;
    let refusal = assert_refused(cluster.client().delete(&job).await, RefusalCode::FailedPrecondition, "JOB_LIVE");
    assert!(refusal.message.contains("cancel"), "{refusal}");
    cluster.client().cancel(&job).await.expect("cancelled");
    // The clean-up is work for a worker.
    cluster.add_worker("cleaner", |worker| worker);
    assert_eq!(cluster.ended(&job).await.state, JobState::Cancelled);
    within(cluster.client().delete(&job), "the deletion").await.expect("deleted");
    assert_refused(cluster.client().job(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    // The target is free again.
    let again = cluster.submit(to(&place, "target")).await;
    assert_succeeded(&cluster.ended(&again).await);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_share_the_workers_and_are_listed_newest_first() {
    let place = Place::in_memory();
    let made = array().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let mut submitted = Vec::new();
    for number in 0..5 {
        submitted.push(cluster.submit(to(&place, &format!("target-{number}"))).await);
    }
    for (number, job) in submitted.iter().enumerate() {
        assert_succeeded(&cluster.ended(job).await);
        assert_equal(&place, &made, &format!("target-{number}")).await;
    }
    let listed: Vec<JobId> = cluster.client().jobs().await.expect("jobs").into_iter().map(|job| job.id).collect();
    submitted.reverse();
    assert_eq!(listed, submitted);
    let workers = cluster.client().workers().await.expect("workers");
    let names: Vec<&str> = workers.iter().map(|worker| worker.id.as_str()).collect();
    assert_eq!(names, ["worker-0", "worker-1", "worker-2"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_knows_is_not_found_whatever_is_asked_of_it() {
    let (_place, cluster) = idle().await;
    let job = JobId::from("job-0123456789ab");
    let client = cluster.client();
    assert_refused(client.job(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    assert_refused(client.cancel(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    assert_refused(client.delete(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    assert_refused(client.watch(&job).await, RefusalCode::NotFound, "UNKNOWN_JOB");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_carry_their_reason_domain_and_field_for_any_client() {
    let (place, cluster) = idle().await;
    let mut client = RechunkServiceClient::connect(cluster.url()).await.expect("a connection");
    let wrong = RechunkRequest { chunks: vec!["32,4,1".to_owned()], ..to(&place, "target") };
    let status = client.submit_rechunk(SubmitRechunkRequest::from(wrong)).await.expect_err("refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("RANK_MISMATCH", "rechunk"));
    let bad = status.get_details_bad_request().expect("BadRequest");
    let fields: Vec<&str> = bad.field_violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["chunks[0]"]);
    assert_eq!(bad.field_violations[0].description, status.message());
    let status = client.get_job(GetJobRequest { job_id: "not an id".to_owned() }).await.expect_err("refused");
    assert!(matches!(status.code(), Code::NotFound | Code::InvalidArgument), "{status:?}");
    assert_eq!(status.get_details_error_info().expect("ErrorInfo").domain, "rechunk");
    cluster.shutdown().await;
}
