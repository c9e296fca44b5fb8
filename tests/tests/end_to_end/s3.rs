//! Against a real S3 server: the storage conformance suite, and the main job with workers over gRPC.

#![allow(clippy::expect_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use rechunk_common::{ByteCount, RefusalCode, job::JobState, plan::ShapeOfPlan, request::RechunkRequest};
use rechunk_storage::{Effect, FaultRule, RequestKind, RetryPolicy, conformance};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, SeaweedFs,
    cluster::{refusal, within},
    faithful::{assert_equal, assert_faithful, assert_succeeded, request},
};
use serde_json::json;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seaweedfs_passes_the_conformance_suite() {
    let server = SeaweedFs::start().await;
    let place = Place::on_s3(&server);
    conformance::every_operation(&place.open("suite")).await.expect("every operation is answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_runs_on_s3_bit_for_bit_with_the_planned_requests() {
    let server = SeaweedFs::start().await;
    Box::pin(run_main_job(&Place::on_s3(&server))).await;
}

/// A direct sweep, an exchange and shards, whose requests are counted.
pub(crate) async fn run_main_job(place: &Place) {
    let zstd = json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ]);
    let maps = ArraySpec::new(&[256, 24, 20], &[1, 24, 20]).with_codecs(zstd).without(&[[7, 0, 0]]);
    let sharded = ArraySpec::new(&[24, 24], &[4, 3]).in_shards(&[8, 12]);
    let cluster = Cluster::at(place).await;
    for (node, spec, chunks, shards, max_mem, shape) in [
        ("direct", &maps, "256,6,5", None, None, ShapeOfPlan::DirectSweep),
        ("exchange", &maps, "256,2,2", None, Some(ByteCount(24 << 10)), ShapeOfPlan::Exchange),
        ("shards", &sharded, "6,6", Some("12,24"), None, ShapeOfPlan::DirectSweep),
    ] {
        let (source, target) = (format!("{node}/source"), format!("{node}/target"));
        let made = spec.make(place, &source).await;
        cluster.worker_requests.clear();
        cluster.coordinator_requests.clear();
        let request = RechunkRequest {
            shards: shards.map(str::to_owned).into_iter().collect(),
            max_mem,
            ..request(place, &source, &target, chunks)
        };
        let view = cluster.run(request).await;
        assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, shape, "{node}");
        assert_faithful(&cluster, place, &made, &target, &view).await;
        for path in [&source, &target] {
            place.open(path).delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_denied_before_anything_is_written() {
    let server = SeaweedFs::start().await;
    let place = Place::on_s3(&server);
    ArraySpec::new(&[8, 8], &[4, 4]).make(&place, "source").await;
    let config = server.config_for("rechunk-key", "not the secret");
    let cluster = Cluster::start(ClusterOptions { config, ..ClusterOptions::at(&place) }).await;
    let refusal = refusal(cluster.client().submit(request(&place, "source", "target", "2,8")).await);
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::PermissionDenied, Some("source")), "{refusal}");
    assert!(!refusal.message.contains("not the secret"), "{refusal}");
    assert_eq!(place.strays(&["source"]).await, [""; 0]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_delays_the_job_and_changes_nothing_else() {
    let mut server = SeaweedFs::start().await;
    let retry = RetryPolicy {
        base_delay: Duration::from_millis(100),
        max_delay: Duration::from_secs(1),
        max_attempts: 200,
        ..RetryPolicy::default()
    };
    let place = Place::on_s3(&server).with_config(|config| config.with_retry(retry));
    let made = ArraySpec::new(&[32, 24, 20], &[1, 24, 20]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    // Two chunks are written, then the server dies under the next ones.
    let gate = Arc::new(Semaphore::new(2));
    cluster.faults().add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())).on("target/c/"));
    let job = cluster.submit(request(&place, "source", "target", "32,6,5")).await;
    cluster.wait_until(&job, "a lease", |view| view.stages.iter().any(|stage| stage.leased > 0)).await;
    let sent = async {
        while cluster.worker_requests.count(RequestKind::Put) < 2 {
            tokio::task::yield_now().await;
        }
    };
    within(sent, "two chunks").await;
    server.kill();
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    let refused = async {
        while cluster.worker_requests.repeated() == 0 {
            tokio::task::yield_now().await;
        }
    };
    within(refused, "a request that failed").await;
    server.restart().await;
    let view = cluster.ended(&job).await;
    assert_eq!(view.state, JobState::Succeeded, "{:?}", view.failure);
    assert_succeeded(&view);
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}
