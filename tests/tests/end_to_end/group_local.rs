//! Jobs whose groups go over the local disk of workers, end to end: chosen by the planner, bit for bit, with exactly the
//! requests that the plan said, and nothing left on the disk whatever became of the job.

#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use rechunk_common::{
    ByteCount,
    job::JobState,
    plan::ShapeOfPlan,
    request::{RechunkRequest, SourceListing},
};
use rechunk_storage::{Effect, ErrorClass, FaultRule, RequestKind};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, SeaweedFs,
    cluster::within,
    faithful::{assert_equal, assert_faithful, assert_succeeded, request},
};
use serde_json::json;
use tokio::sync::Semaphore;

/// Four groups of 30,720 bytes along the first axis; a task has room for a few target chunks.
fn maps() -> ArraySpec {
    let zstd = json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ]);
    ArraySpec::new(&[64, 24, 20], &[1, 24, 20]).with_codecs(zstd).with_fill(json!(7))
}

fn series(place: &Place) -> RechunkRequest {
    RechunkRequest { max_mem: Some(ByteCount(24 << 10)), ..request(place, "source", "target", "16,3,2") }
}

fn options(place: &Place) -> ClusterOptions {
    ClusterOptions { scratch: ByteCount(100_000), workers: 1, ..ClusterOptions::at(place) }
}

async fn assert_planned_and_done(place: &Place) {
    let cluster = Cluster::start(options(place)).await;
    for spec in
        [maps(), maps().without(&[[7, 0, 0], [40, 0, 0]]).filled_at(&[[8, 0, 0]]), maps().in_shards(&[4, 24, 20])]
    {
        let made = spec.make(place, "source").await;
        cluster.worker_requests.clear();
        cluster.coordinator_requests.clear();
        // Groups of a source that is known to have gaps are not offered.
        let listing = if spec.missing.is_empty() { SourceListing::WhereFew } else { SourceListing::Never };
        let view = cluster.run(RechunkRequest { listing, ..series(place) }).await;
        assert_succeeded(&view);
        let plan = view.plan.as_ref().expect("a plan");
        assert_eq!(plan.arrays[0].shape_of_plan, ShapeOfPlan::GroupLocal, "{:?}", plan.arrays[0]);
        assert!(plan.peak_scratch > ByteCount(30_720), "{}", plan.peak_scratch);
        let stage = view.stages.iter().find(|stage| stage.name == "copy_through_scratch").expect("its stage");
        assert_eq!(stage.tasks, 4);
        assert_faithful(&cluster, place, &made, "target", &view).await;
        assert!(cluster.scratch_files().is_empty(), "{:?}", cluster.scratch_files());
        for node in ["source", "target"] {
            place.open(node).delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_go_over_local_disk_bit_for_bit_in_memory() {
    Box::pin(assert_planned_and_done(&Place::in_memory())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_go_over_local_disk_bit_for_bit_on_s3() {
    let server = SeaweedFs::start().await;
    Box::pin(assert_planned_and_done(&Place::on_s3(&server))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_without_local_disk_exchange_through_the_store() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::start(ClusterOptions { scratch: ByteCount(0), ..options(&place) }).await;
    let view = cluster.run(series(&place)).await;
    assert_ne!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, ShapeOfPlan::GroupLocal);
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_leaves_nothing_on_the_disk() {
    let place = Place::in_memory();
    maps().make(&place, "source").await;
    let cluster = Cluster::start(options(&place)).await;
    cluster.faults().add(FaultRule::nth(RequestKind::Put, 3, Effect::Fail(ErrorClass::Denied)).on("target/c/"));
    let view = cluster.run(series(&place)).await;
    assert_eq!(view.state, JobState::Failed);
    assert!(view.failure.expect("a reason").to_string().contains("target/c/"));
    assert!(cluster.scratch_files().is_empty(), "{:?}", cluster.scratch_files());
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_leaves_nothing_on_the_disk_or_in_the_store() {
    let place = Place::in_memory();
    maps().make(&place, "source").await;
    let cluster = Cluster::start(options(&place)).await;
    // The first target chunk is held up: its whole group lies on the disk.
    let gate = Arc::new(Semaphore::new(0));
    cluster.faults().add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())).on("target/c/"));
    let job = cluster.submit(series(&place)).await;
    let on_disk = async {
        while cluster.scratch_files().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(on_disk, "a file on local disk").await;
    cluster.client().cancel(&job).await.expect("a running job can be cancelled");
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    let view = cluster.ended(&job).await;
    assert_eq!(view.state, JobState::Cancelled);
    assert!(cluster.scratch_files().is_empty(), "{:?}", cluster.scratch_files());
    assert_eq!(place.strays(&["source"]).await, [""; 0]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_whose_first_attempt_fails_is_done_again_from_an_empty_disk() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::start(options(&place)).await;
    cluster.faults().add(FaultRule::nth(RequestKind::Put, 3, Effect::Fail(ErrorClass::Full)).on("target/c/"));
    let view = cluster.run(series(&place)).await;
    assert_succeeded(&view);
    assert_eq!(view.retries, 1, "the fault struck");
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}
