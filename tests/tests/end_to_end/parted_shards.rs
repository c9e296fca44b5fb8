//! Shards larger than the memory of a worker, end to end: written in parts while they are filled, by every shape of plan,
//! with exactly the objects that the plan said.

#![allow(clippy::expect_used, reason = "tests")]

use rechunk_common::{ByteCount, job::JobState, plan::ShapeOfPlan, request::RechunkRequest};
use rechunk_storage::{Effect, ErrorClass, FaultRule, RequestKind, StoreConfig, UploadSizes};
use rechunk_tests::{
    ArraySpec, Cluster, Place, SeaweedFs,
    faithful::{assert_equal, assert_faithful, assert_succeeded, measured, request},
};
use serde_json::json;

/// Parts of 16 to 64 KiB, so that a shard of a megabyte has many.
fn small_parts(config: StoreConfig) -> StoreConfig {
    config.with_upload_sizes(UploadSizes { part: 64 << 10, least_part: 16 << 10, ..UploadSizes::default() })
}

/// What is made, what is asked for, and the shape that comes of it.
struct Case {
    spec: ArraySpec,
    chunks: &'static str,
    shards: &'static str,
    shape: ShapeOfPlan,
}

/// Copies into shards of a megabyte with 768 KiB, and checks that they went out in parts, and what `verify` reads back.
async fn in_parts(cluster: &Cluster, place: &Place, case: &Case, verify: bool) {
    let made = case.spec.make(place, "source").await;
    cluster.worker_requests.clear();
    cluster.coordinator_requests.clear();
    let request = RechunkRequest {
        shards: vec![case.shards.to_owned()],
        max_mem: Some(ByteCount(768 << 10)),
        verify,
        ..request(place, "source", "target", case.chunks)
    };
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, case.shape, "{:?}", view.plan);
    let read_back = view.stages.iter().find(|stage| stage.name == "verify");
    assert_eq!(read_back.is_some(), verify);
    if let Some(stage) = read_back {
        assert!(!stage.measured.content.is_zero(), "something was compared");
        assert_eq!(stage.measured.get_requests, stage.predicted.get_requests);
    }
    let parts = measured(&view).upload_parts;
    assert!(parts >= 16, "{parts} parts");
    assert_eq!(cluster.worker_requests.count(RequestKind::Part), parts);
    assert_faithful(cluster, place, &made, "target", &view).await;
    for path in ["source", "target"] {
        place.open(path).delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_fills_shards_larger_than_the_memory_of_a_worker_and_reads_them_back() {
    let zstd = json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ]);
    let blocks = ArraySpec::new(&[128, 64, 64], &[16, 32, 32]);
    let maps = ArraySpec::new(&[128, 64, 64], &[1, 64, 64]).with_codecs(zstd);
    let case = |spec: &ArraySpec, chunks, shards, shape| Case { spec: spec.clone(), chunks, shards, shape };
    let cases = [
        case(&blocks, "32,16,16", "128,64,64", ShapeOfPlan::DirectSweep),
        case(&blocks, "16,32,32", "64,64,64", ShapeOfPlan::CopyEncoded),
        case(&maps, "128,8,8", "128,64,64", ShapeOfPlan::Exchange),
    ];
    for place in [Place::in_memory(), Place::on_disk()].map(|place| place.with_config(small_parts)) {
        let cluster = Cluster::at(&place).await;
        for case in &cases {
            for verify in [false, true] {
                in_parts(&cluster, &place, case, verify).await;
            }
        }
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_fails_costs_an_attempt_and_leaves_no_upload() {
    let place = Place::on_disk().with_config(small_parts);
    let made = ArraySpec::new(&[128, 64, 64], &[16, 32, 32]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    cluster.faults().add(FaultRule::nth(RequestKind::Part, 7, Effect::Fail(ErrorClass::Full)));
    let request = |target: &str| RechunkRequest {
        shards: vec!["128,64,64".to_owned()],
        max_mem: Some(ByteCount(768 << 10)),
        ..request(&place, "source", target, "32,16,16")
    };
    let view = cluster.run(request("target")).await;
    assert_succeeded(&view);
    assert!(view.retries > 0, "the fault fired");
    assert_equal(&place, &made, "target").await;
    assert!(place.strays(&["source", "target"]).await.is_empty());

    cluster.faults().add(FaultRule::every(RequestKind::Part, Effect::Fail(ErrorClass::Denied)));
    let view = cluster.run(request("denied")).await;
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.expect("a reason");
    assert!(failure.message.contains("denied/c/0/0/0"), "{failure:?}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_goes_to_s3_in_the_shortest_parts_that_it_takes() {
    let server = SeaweedFs::start().await;
    let place = Place::on_s3(&server);
    // 24 MiB, raw, in one shard, with 21.6 MiB for the buffers.
    let made = ArraySpec::new(&[12, 1024, 512], &[4, 256, 256]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest {
        shards: vec!["12,1024,512".to_owned()],
        max_mem: Some(ByteCount(24 << 20)),
        ..request(&place, "source", "target", "12,128,128")
    };
    let view = cluster.run(request).await;
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    let parts: Vec<u64> = cluster.worker_requests.of_kind(RequestKind::Part).iter().map(|part| part.bytes).collect();
    assert_eq!(parts.len(), 5, "{parts:?}");
    assert!(parts.iter().filter(|bytes| **bytes == 5 << 20).count() >= 4, "{parts:?}");
    assert_eq!(measured(&view).upload_parts, 5);
    cluster.shutdown().await;
}
