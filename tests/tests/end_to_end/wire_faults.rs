//! Jobs and journals on an S3 that answers badly: refusals, resets, bodies that break off, answers that are lost after
//! the deed, conflicts that wrote nothing, keys that end. A double of S3 does all that on real connections, by a plan
//! that a seed decides. Every test also shows that its fault fired.

#![allow(clippy::expect_used, reason = "tests")]

mod credentials;
mod jobs;
mod journal;
mod uploads;

use std::{collections::BTreeSet, time::Duration};

use rechunk_common::job::JobView;
use rechunk_coordinator::journal::JournalPlace;
use rechunk_storage::{RetryPolicy, StoreConfig, UploadSizes, conformance};
use rechunk_tests::{
    Cluster, ClusterOptions, MadeArray, Place, S3Double, Traffic,
    faithful::{assert_equal, assert_no_chunk_at_coordinator, assert_passed_on, assert_succeeded, measured, planned},
    s3_double::{WireFault, WireRule},
    whole_array::layout_at,
};

/// Failed requests are sent again soon, and so often that none is given up by chance.
fn patient(config: StoreConfig) -> StoreConfig {
    config.with_retry(RetryPolicy {
        base_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(20),
        max_attempts: 40,
        ..RetryPolicy::default()
    })
}

/// Large objects go up in parts of the shortest length that S3 takes.
fn in_parts(config: StoreConfig) -> StoreConfig {
    config.with_upload_sizes(UploadSizes { threshold: 8 << 20, part: 5 << 20, least_part: 5 << 20 })
}

/// A double with a place in it.
async fn double(seed: u64) -> (S3Double, Place) {
    let double = S3Double::start(seed).await;
    let place = double.place().with_config(patient);
    (double, place)
}

/// A cluster in `place` whose journal is on the double too.
async fn cluster(double: &S3Double, place: &Place) -> Cluster {
    let journal = JournalPlace::parse(&double.url("journal")).expect("a URL");
    Cluster::start(ClusterOptions { journal, ..ClusterOptions::at(place) }).await
}

/// The job succeeded as if nothing had happened: the target is the source bit by bit, what was counted is what was
/// planned, what was sent beyond that is counted as repeated, and nothing is left but source and target.
async fn assert_unharmed(double: &S3Double, cluster: &Cluster, place: &Place, made: &MadeArray, view: &JobView) {
    assert_succeeded(view);
    if measured(view).bytes_decoded == 0 {
        assert_passed_on(place, made, "target").await;
    } else {
        assert_equal(place, made, "target").await;
    }
    let (planned, measured) = (planned(view), measured(view));
    assert_eq!(measured.get_requests, planned.get_requests, "GETs as measured");
    assert_eq!(measured.put_requests, planned.put_requests, "PUTs as measured");
    assert_eq!(measured.bytes_decoded, planned.bytes_decoded, "bytes decoded");
    if view.retries == 0 {
        assert_eq!(measured.delete_requests, planned.delete_requests, "DELETEs as measured");
        let seen = Traffic::of(&cluster.worker_requests);
        let sent = seen.gets + seen.puts + seen.deletes;
        let counted = measured.get_requests + measured.put_requests + measured.delete_requests;
        assert!(sent <= counted + measured.repeated_requests, "{sent} sent, {counted} and repeated: {measured:?}");
    }
    assert_no_chunk_at_coordinator(cluster, place, "target");
    assert_nothing_else(double, place, &["source", "target"]).await;
}

/// Nothing is in the bucket but these nodes with their chunks and the journal, and no upload is unfinished.
async fn assert_nothing_else(double: &S3Double, place: &Place, nodes: &[&str]) {
    assert_eq!(place.strays(nodes).await, [""; 0], "left behind");
    assert_eq!(double.uploads(), [""; 0], "uploads left behind");
    let listed: BTreeSet<String> = place.keys("").await.into_iter().map(|key| format!("here/{key}")).collect();
    let there: BTreeSet<String> = double.keys().into_iter().filter(|key| !key.starts_with("journal/")).collect();
    assert_eq!(listed, there, "a listing shows everything");
    for node in nodes {
        layout_at(place, node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_double_passes_the_conformance_suite() {
    let double = S3Double::start(0).await;
    let place = double.place().with_config(in_parts);
    let own = Place::on(&place.url("own"), rechunk_storage::Stores::new(place.config().clone()));
    conformance::every_operation(&own.open("suite")).await.expect("every operation is answered");
    assert!(double.keys().is_empty() && double.uploads().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_suite_is_passed_as_well_when_every_second_request_is_refused() {
    let (double, place) = double(11).await;
    let place = place.with_config(in_parts);
    let fired = double.faults().add(WireRule::every(WireFault::SlowDown, &[]).percent(50));
    let own = Place::on(&place.url("own"), rechunk_storage::Stores::new(place.config().clone()));
    conformance::every_operation(&own.open("suite")).await.expect("every operation is answered");
    assert!(fired.count() > 50, "{fired:?}");
    assert!(double.keys().is_empty() && double.uploads().is_empty());
}
