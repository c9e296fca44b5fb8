//! Jobs that read back what they wrote before they publish it: with exactly the requests that the plan said where
//! nothing is wrong, and failed by name where something is.

#![allow(clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use rechunk_common::{
    ByteCount, RefusalCode,
    job::{JobState, JobView},
    plan::ShapeOfPlan,
    request::{ExchangeCodecChoice, RechunkRequest, ZarrFormat},
};
use rechunk_storage::{CountingObserver, Effect, ErrorClass, FaultRule, Faults, RequestKind, Stores};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Content, Place, SeaweedFs, Traffic,
    cluster::{refusal, within},
    faithful::{assert_equal, assert_faithful, assert_succeeded, measured, planned, request},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Lets everything through a gate that a fault holds requests at.
const ALL: usize = Semaphore::MAX_PERMITS / 2;

fn zstd() -> Value {
    json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ])
}

/// Maps that are wanted as series.
fn maps() -> ArraySpec {
    ArraySpec::new(&[256, 24, 20], &[1, 24, 20]).with_codecs(zstd()).with_fill(json!(7))
}

/// With so little memory that it takes an exchange.
fn series(place: &Place) -> RechunkRequest {
    let request = request(place, "source", "target", "256,2,2");
    RechunkRequest { max_mem: Some(ByteCount(24 << 10)), verify: true, ..request }
}

/// What is made, what is asked for, and the shape that comes of it.
struct Case {
    spec: ArraySpec,
    chunks: &'static str,
    shards: Option<&'static str>,
    shape: ShapeOfPlan,
    change: fn(&mut RechunkRequest),
}

fn case(spec: ArraySpec, chunks: &'static str, shape: ShapeOfPlan) -> Case {
    Case { spec, chunks, shards: None, shape, change: |_| () }
}

fn by_exchange(request: &mut RechunkRequest) {
    request.max_mem = Some(ByteCount(24 << 10));
}

fn packed(request: &mut RechunkRequest) {
    request.max_mem = Some(ByteCount(24 << 10));
    request.exchange_codec = ExchangeCodecChoice::Lz4;
}

fn cases() -> Vec<Case> {
    let (direct, exchange, encoded) = (ShapeOfPlan::DirectSweep, ShapeOfPlan::Exchange, ShapeOfPlan::CopyEncoded);
    let grid = ArraySpec::new(&[25, 18], &[3, 4]).with_codecs(zstd());
    let nan = ArraySpec::new(&[21, 34], &[5, 8]).of("float64").with_fill(json!("NaN"));
    let v2 = |spec: ArraySpec| ArraySpec { format: ZarrFormat::V2, ..spec };
    let null = v2(ArraySpec::v2(&[20, 6], &[4, 6])).with_fill(Value::Null);
    vec![
        case(ArraySpec::new(&[], &[]), "", encoded),
        case(ArraySpec::new(&[0, 5], &[3, 2]), "1,5", ShapeOfPlan::Empty),
        case(ArraySpec::new(&[1009], &[100]), "97", direct),
        case(maps(), "256,6,5", direct),
        case(nan.clone(), "21,3", direct),
        case(nan.without(&[[1, 1]]).filled_at(&[[2, 2]]), "21,3", direct),
        case(ArraySpec::new(&[12, 9], &[5, 2]).of("complex128").with_fill(json!([0, 1])), "3,9", direct),
        case(ArraySpec::new(&[100, 3], &[9, 3]).of("uint8").with_content(Content::Random(3)), "50,1", direct),
        case(null.clone().without(&[[2, 0]]), "20,2", direct),
        Case { change: by_exchange, ..case(maps(), "256,2,2", exchange) },
        Case { change: packed, ..case(maps(), "256,2,2", exchange) },
        Case { change: by_exchange, ..case(maps().without(&[[7, 0, 0]]), "256,2,2", exchange) },
        Case { shards: Some("12,10"), ..case(ArraySpec::new(&[30, 20], &[1, 20]), "4,5", direct) },
        case(grid.clone().in_shards(&[9, 8]), "5,18", direct),
        case(grid.clone().without(&[[0, 0], [8, 4]]), "keep,keep", encoded),
        Case { shards: Some("9,8"), ..case(grid.clone().without(&[[1, 1]]), "keep,keep", encoded) },
        Case { shards: Some("none"), ..case(grid.clone().in_shards(&[9, 8]), "keep,keep", encoded) },
        Case { shards: Some("keep"), ..case(grid.in_shards(&[9, 8]), "keep,keep", encoded) },
        // Where nothing is stored, one side reads zeros and the other sevens: all of it is made.
        Case { change: |request| request.zarr_format = Some(ZarrFormat::V3), ..case(null, "20,2", direct) },
    ]
}

async fn run_table(place: &Place, cases: Vec<Case>) {
    let cluster = Cluster::at(place).await;
    for Case { spec, chunks, shards, shape, change } in cases {
        let made = spec.make(place, "source").await;
        cluster.worker_requests.clear();
        cluster.coordinator_requests.clear();
        let shards = shards.map(str::to_owned).into_iter().collect();
        let mut request = RechunkRequest { shards, verify: true, ..request(place, "source", "target", chunks) };
        change(&mut request);
        let view = cluster.run(request).await;
        assert_succeeded(&view);
        assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, shape, "{spec:?}");
        assert_faithful(&cluster, place, &made, "target", &view).await;
        let read_back = view.stages.iter().find(|stage| stage.name == "verify");
        assert_eq!(read_back.is_some(), shape != ShapeOfPlan::Empty, "{spec:?}");
        if let Some(stage) = read_back {
            let written = view.stages.iter().filter(|stage| stage.name.starts_with("copy_"));
            let written = written.map(|stage| stage.measured.content).sum();
            assert_eq!((stage.measured.content, stage.measured.put_requests), (written, 0), "{spec:?}");
            assert!(!stage.measured.content.is_zero(), "something was compared: {spec:?}");
            assert_eq!(stage.measured.get_requests, stage.predicted.get_requests, "{spec:?}");
        }
        for node in ["source", "target"] {
            let prefix = place.open(node);
            prefix.delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
            prefix.remove_empty_directories().await.expect("directories are removed");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_back_with_the_planned_requests_in_memory() {
    Box::pin(run_table(&Place::in_memory(), cases())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_back_with_the_planned_requests_on_local_files() {
    Box::pin(run_table(&Place::on_disk(), cases())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_is_read_back_with_the_planned_requests_on_s3() {
    let server = SeaweedFs::start().await;
    let some = cases().into_iter().skip(9).collect();
    Box::pin(run_table(&Place::on_s3(&server), some)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_over_local_disk_are_read_back_from_the_store() {
    let place = Place::in_memory();
    // Four groups along the first axis.
    let maps = ArraySpec::new(&[64, 24, 20], &[1, 24, 20]).with_codecs(zstd()).with_fill(json!(7));
    let made = maps.make(&place, "source").await;
    let options = ClusterOptions { scratch: ByteCount(100_000), workers: 1, ..ClusterOptions::at(&place) };
    let cluster = Cluster::start(options).await;
    let view = cluster.run(RechunkRequest { chunks: vec!["16,3,2".to_owned()], ..series(&place) }).await;
    assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, ShapeOfPlan::GroupLocal);
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    assert_eq!(measured(&view).get_requests, planned(&view).get_requests);
    cluster.shutdown().await;
}

/// What becomes of an object of the target after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    OneBit,
    Vanishes,
    IsAnother,
    IsCutShort,
}

/// A job whose object `victim` suffers `harm` between its write and the time when it is read back.
async fn after_harm(place: &Place, cluster: &Cluster, request: RechunkRequest, victim: &str, harm: Harm) -> JobView {
    let gate = Arc::new(Semaphore::new(0));
    cluster.faults().add(FaultRule::every(RequestKind::Get, Effect::Hold(gate.clone())).on(victim));
    let job = cluster.submit(request).await;
    let written = async {
        loop {
            match place.get(victim).await {
                Some(body) => return body,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let mut body = Box::pin(within(written, "the object")).await;
    match harm {
        Harm::OneBit => {
            let middle = body.len() / 2;
            body[middle] ^= 4;
            place.put(victim, body).await;
        }
        Harm::Vanishes => place.delete(victim).await,
        Harm::IsAnother => {
            let turned: Vec<u8> = body.chunks(2).rev().flatten().copied().collect();
            assert_ne!(turned, body);
            place.put(victim, turned).await;
        }
        Harm::IsCutShort => place.put(victim, &body[..body.len() - 2]).await,
    }
    gate.add_permits(ALL);
    let view = cluster.ended(&job).await;
    let url = place.url(victim);
    assert_eq!(cluster.worker_requests.count_of(RequestKind::Put, &url), 1, "it was written once, in good order");
    assert!(cluster.worker_requests.count_of(RequestKind::Get, &url) >= 1, "and read back");
    cluster.faults().clear();
    view
}

/// The job failed by this name, nothing is published, a retry would keep it, and deleting it leaves only the source.
async fn assert_not_published(cluster: &Cluster, place: &Place, view: &JobView, reason: &str, named: &str) {
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.as_ref().expect("a reason");
    assert_eq!((failure.code, failure.reason.as_str()), (RefusalCode::FailedPrecondition, reason), "{failure}");
    assert!(failure.message.contains(named), "{failure} does not name {named}");
    assert_eq!(place.get("target/zarr.json").await, None, "nothing is published");
    if reason == "VERIFICATION_FAILED" {
        let refused = refusal(cluster.client().retry(&view.id).await);
        assert_eq!(refused.reason, "VERIFICATION_FAILED", "{refused}");
    }
    within(cluster.client().delete(&view.id), "the deletion").await.expect("a failed job can be deleted");
    assert_eq!(place.strays(&["source"]).await, [""; 0], "nothing is left");
}

async fn harm_every_shape(place: &Place) {
    let cluster = Cluster::at(place).await;
    let target = place.url("target");
    let raw = ArraySpec::new(&[24, 18], &[3, 6]);
    for (spec, chunks, shards, victim) in [
        (&raw, "6,9", None, "target/c/1/1"),
        (&raw, "6,9", Some("12,18"), "target/c/1/0"),
        (&raw, "keep,keep", None, "target/c/2/1"),
        (&raw, "keep,keep", Some("6,18"), "target/c/1/0"),
    ] {
        let is_encoded = chunks == "keep,keep";
        for harm in [Harm::OneBit, Harm::Vanishes, Harm::IsAnother, Harm::IsCutShort] {
            if harm == Harm::IsAnother && shards.is_some() {
                continue;
            }
            spec.make(place, "source").await;
            cluster.worker_requests.clear();
            let shards_asked = shards.map(str::to_owned).into_iter().collect();
            let request =
                RechunkRequest { shards: shards_asked, verify: true, ..request(place, "source", "target", chunks) };
            let view = Box::pin(after_harm(place, &cluster, request, victim, harm)).await;
            // What cannot be read at all is named by its key; of a chunk that nobody decodes its length is no matter.
            let is_unreadable = harm == Harm::IsCutShort && !(is_encoded && shards.is_none());
            let (reason, named) = if is_unreadable {
                ("TASK_FAILED", place.url(victim))
            } else {
                ("VERIFICATION_FAILED", target.clone())
            };
            assert_not_published(&cluster, place, &view, reason, &named).await;
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_after_it_was_written_fails_the_job_and_nothing_is_published_in_memory() {
    Box::pin(harm_every_shape(&Place::in_memory())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_after_it_was_written_fails_the_job_and_nothing_is_published_on_local_files() {
    Box::pin(harm_every_shape(&Place::on_disk())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_changes_after_it_was_written_fails_the_job_and_nothing_is_published_on_s3() {
    let server = SeaweedFs::start().await;
    let place = Place::on_s3(&server);
    maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let mut request = series(&place);
    by_exchange(&mut request);
    let view = Box::pin(after_harm(&place, &cluster, request, "target/c/0/3/4", Harm::OneBit)).await;
    assert_not_published(&cluster, &place, &view, "VERIFICATION_FAILED", &place.url("target")).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_group_that_does_not_verify_is_named() {
    let place = Place::in_memory();
    // As many groups as the temporary limit makes of it.
    let made = ArraySpec::new(&[768, 64, 32], &[48, 1, 32]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let whole = made.whole.elements.len() as u64;
    let request = RechunkRequest {
        max_mem: Some(ByteCount(48 << 10)),
        temp_limit: Some(ByteCount(whole / 4 + whole / 16)),
        chunks: vec!["32,64,1".to_owned()],
        ..series(&place)
    };
    let view = Box::pin(after_harm(&place, &cluster, request, "target/c/23/0/31", Harm::OneBit)).await;
    let array = &view.plan.as_ref().expect("a plan").arrays[0];
    assert_eq!(array.shape_of_plan, ShapeOfPlan::Exchange);
    assert!(array.pipelines > 1, "{}", array.pipelines);
    let name = format!("group {0} of {0}", array.pipelines);
    assert_not_published(&cluster, &place, &view, "VERIFICATION_FAILED", &name).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_run_again_do_not_disturb_the_sums() {
    for by_exchange in [false, true] {
        let place = Place::in_memory();
        let made = maps().make(&place, "source").await;
        let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0).with_short_leases()).await;
        // It stops in front of its fourth write, when other tasks of its leases are done and perhaps reported.
        let gate = Arc::new(Semaphore::new(3));
        let held = Arc::new(Faults::new());
        held.add(FaultRule::every(RequestKind::Put, Effect::Hold(gate.clone())));
        let silent = Arc::new(CountingObserver::new());
        let stores = Stores::new(place.config().clone()).with_observer(silent.clone()).with_faults(held);
        let link = cluster.add_worker("silent", |worker| worker.stores(stores));
        cluster.wait_for_workers(1).await;
        let mut request = series(&place);
        if !by_exchange {
            request.max_mem = None;
        }
        let job = cluster.submit(request).await;
        let writing = async {
            while Traffic::of(&silent).puts < 3 {
                tokio::task::yield_now().await;
            }
        };
        within(writing, "three writes").await;
        link.cut();
        // Another worker's reads fail, so that whole tasks are tried again.
        cluster.faults().add(FaultRule::nth(RequestKind::Put, 5, Effect::Fail(ErrorClass::Full)));
        for number in 0..2 {
            cluster.add_worker(&format!("healthy-{number}"), |worker| worker);
        }
        let view = cluster.ended(&job).await;
        gate.add_permits(ALL);
        link.restore();
        assert_succeeded(&view);
        assert!(view.leases_expired > 0, "the lease of the silent worker ran out");
        assert!(view.retries > 0, "a task was tried again");
        assert_equal(&place, &made, "target").await;
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_codec_is_refused_by_its_name() {
    let place = Place::in_memory();
    ArraySpec::new(&[8, 8], &[4, 4]).of("float32").make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let codecs = json!([
        {"name": "numcodecs.bitround", "configuration": {"keepbits": 3}},
        {"name": "bytes", "configuration": {"endian": "little"}},
    ]);
    let request =
        RechunkRequest { codecs: vec![codecs.to_string()], verify: true, ..request(&place, "source", "target", "2,8") };
    let refused = refusal(cluster.client().submit(request).await);
    assert_eq!(
        (refused.code, refused.field.as_deref()),
        (RefusalCode::InvalidArgument, Some("codecs[0]")),
        "{refused}"
    );
    assert!(refused.message.contains("bitround"), "{refused}");
    cluster.shutdown().await;
}
