//! Keys that end while a job runs: it fails and says so, publishes nothing, and goes on when they are good again.

use rechunk_common::{RefusalCode, job::JobState, request::RechunkRequest};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, S3Double,
    cluster::{refusal, within},
    faithful::{assert_equal, assert_succeeded, request},
    s3_double::{Ended, Operation, WireFault, WireRule},
};

use super::double;

fn maps() -> ArraySpec {
    ArraySpec::new(&[64, 24, 20], &[1, 24, 20])
}

fn maps_to_series(place: &Place) -> RechunkRequest {
    request(place, "source", "target", "64,4,4")
}

const ENDS: [(Ended, &str); 2] =
    [(Ended::Expired, "the credentials have expired"), (Ended::Revoked, "InvalidAccessKeyId")];

/// A job whose key ends at its tenth chunk or so, and that has failed for that.
async fn failed(double: &S3Double, place: &Place, cluster: &Cluster, (ended, named): (Ended, &str)) -> JobState {
    let fired = double.faults().add(WireRule::every(WireFault::KeyEnds(ended), &[Operation::Put]).on("target/c/0/3/"));
    let view = cluster.run(maps_to_series(place)).await;
    double.faults().clear();
    assert!(fired.count() > 0 && double.refused_for_their_key() > 0, "the key ended");
    let failure = view.failure.as_ref().expect("a reason");
    assert!(failure.message.contains(named), "{failure}");
    assert!(!failure.message.contains("rechunk-secret"), "{failure}");
    assert!(matches!(failure.code, RefusalCode::FailedPrecondition | RefusalCode::PermissionDenied), "{failure:?}");
    assert_eq!(place.get("target/zarr.json").await, None, "nothing is published");
    assert!(place.keys("target").await.len() < 30, "not every chunk is written");
    view.state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_key_ends_fails_and_goes_on_when_it_is_good_again() {
    for end in ENDS {
        let (double, place) = double(31).await;
        let made = maps().make(&place, "source").await;
        let cluster = Cluster::at(&place).await;
        assert_eq!(failed(&double, &place, &cluster, end).await, JobState::Failed);
        let jobs = cluster.client().jobs().await.expect("a list");
        let job = &jobs.first().expect("a job").id;
        double.end_key(None);
        within(cluster.client().retry(job), "the retry").await.expect("a failed job can be tried again");
        let view = cluster.ended(job).await;
        assert_succeeded(&view);
        assert_equal(&place, &made, "target").await;
        super::assert_nothing_else(&double, &place, &["source", "target"]).await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_key_ends_for_good_publishes_nothing_and_is_removed_by_whoever_may() {
    for end in ENDS {
        let (double, place) = double(32).await;
        maps().make(&place, "source").await;
        let cluster = Cluster::at(&place).await;
        assert_eq!(failed(&double, &place, &cluster, end).await, JobState::Failed);
        let jobs = cluster.client().jobs().await.expect("a list");
        let job = &jobs.first().expect("a job").id;
        // Nobody may remove anything now, and that is said.
        let refused = refusal(within(cluster.client().delete(job), "the deletion").await);
        assert!(refused.message.contains(end.1), "{refused}");
        assert_eq!(place.get("target/zarr.json").await, None);
        double.end_key(None);
        within(cluster.client().delete(job), "the deletion").await.expect("now it can be removed");
        super::assert_nothing_else(&double, &place, &["source"]).await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_has_ended_and_a_wrong_secret_are_denied_before_anything_is_written() {
    let (double, place) = double(33).await;
    maps().make(&place, "source").await;
    for (ended, config) in [
        (Some(Ended::Expired), place.config().clone()),
        (Some(Ended::Revoked), place.config().clone()),
        (None, double.config_with_wrong_secret()),
    ] {
        double.end_key(ended);
        let cluster = Cluster::start(ClusterOptions { config, ..ClusterOptions::at(&place) }).await;
        let refusal = refusal(cluster.client().submit(maps_to_series(&place)).await);
        assert_eq!(
            (refusal.code, refusal.field.as_deref()),
            (RefusalCode::PermissionDenied, Some("source")),
            "{refusal}"
        );
        assert!(!refusal.message.contains("secret"), "{refusal}");
        cluster.shutdown().await;
    }
    super::assert_nothing_else(&double, &place, &["source"]).await;
}
