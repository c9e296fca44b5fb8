//! Bad input over gRPC: each gets its code, its reason, the field at fault and a sentence, and nothing is written. What
//! the door decides alone is tested there; here is what takes the whole way, or the state of the coordinator.

#![allow(clippy::expect_used, reason = "tests")]

use rechunk_common::{
    ByteCount, Counts, Refusal, RefusalCode,
    job::JobView,
    limits,
    plan::{
        ClearPrefix, CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, PrefixPart, RetryPolicy,
        Stage, StageEffect, StageFunction,
    },
    request::{PipelinesRequest, RechunkRequest, ZarrFormat},
};
use rechunk_proto::{
    status::from_status,
    v1::{SubmitPipelinesRequest, rechunk_service_client::RechunkServiceClient},
};
use rechunk_storage::{Access, RequestKind, StoreConfig, StoreProfile, StoreUrl};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place,
    cluster::refusal,
    faithful::{assert_equal, assert_succeeded, request},
};
use serde_json::json;

/// Submits and plans; both are refused alike, and nothing is written by anybody.
async fn refused(cluster: &Cluster, place: &Place, request: RechunkRequest) -> Refusal {
    let before = place.keys("").await;
    let submitted = refusal(cluster.client().submit(request.clone()).await);
    let planned = refusal(cluster.client().plan(request).await);
    assert_eq!((planned.code, &planned.reason, &planned.field), (submitted.code, &submitted.reason, &submitted.field));
    assert_eq!(place.keys("").await, before, "a refused request writes nothing");
    for observer in [&cluster.coordinator_requests, &cluster.worker_requests] {
        assert_eq!(observer.count(RequestKind::Put) + observer.count(RequestKind::Delete), 0);
    }
    assert_eq!(cluster.client().jobs().await.expect("jobs"), [], "there is no job");
    submitted
}

/// One wrong thing about a request.
type Change = fn(&Place, &mut RechunkRequest);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_request_is_refused_with_its_code_reason_and_field() {
    let place = Place::in_memory();
    ArraySpec::new(&[100, 20], &[1, 20]).make(&place, "source").await;
    ArraySpec::new(&[4], &[4]).make(&place, "taken").await;
    place.put("plain/readme.txt", b"hello".to_vec()).await;
    place.put("corrupt/zarr.json", b"{\"zarr_format\": 3".to_vec()).await;
    let cluster = Cluster::at(&place).await;
    let invalid = RefusalCode::InvalidArgument;
    let cases: [(Change, RefusalCode, &str, &str); 16] = [
        (|place, r| r.source = place.url("nowhere"), RefusalCode::NotFound, "NO_SUCH_SOURCE", "source"),
        (|place, r| r.source = place.url("plain"), invalid, "NOT_A_ZARR_NODE", "source"),
        (|place, r| r.source = place.url("corrupt"), invalid, "CORRUPT_METADATA", "source"),
        (|_, r| r.source = String::new(), invalid, "FIELD_EMPTY", "source"),
        (|_, r| r.source = "gopher://x/y".to_owned(), invalid, "UNKNOWN_SCHEME", "source"),
        (|_, r| r.target = "https://host/y?x=1".to_owned(), invalid, "MALFORMED_URL", "target"),
        (|place, r| r.target = format!("{}/../x", place.url("a")), invalid, "MALFORMED_URL", "target"),
        (|_, r| r.target = "s3://key:secret@bucket/x".to_owned(), invalid, "CREDENTIALS_IN_URL", "target"),
        (|place, r| r.target = place.url("taken"), RefusalCode::AlreadyExists, "TARGET_EXISTS", "target"),
        (|_, r| r.chunks = vec!["1".to_owned()], invalid, "RANK_MISMATCH", "chunks[0]"),
        (|_, r| r.chunks = vec!["0,1".to_owned()], invalid, "INVALID_CHUNK_LENGTH", "chunks[0]"),
        (|_, r| r.chunks = vec!["time=1".to_owned()], invalid, "UNKNOWN_DIMENSION", "chunks[0]"),
        (|_, r| r.shards = vec!["15,20".to_owned()], invalid, "SHARDS_NOT_A_MULTIPLE", "shards[0]"),
        (
            |_, r| {
                r.shards = vec!["20,20".to_owned()];
                r.zarr_format = Some(ZarrFormat::V2);
            },
            invalid,
            "SHARDS_NEED_V3",
            "shards[0]",
        ),
        (|_, r| r.max_mem = Some(ByteCount(1 << 40)), invalid, "MEMORY_OVER_WORKER", "max_mem"),
        (|place, r| r.temp = Some(place.url("source/temp")), invalid, "TEMP_OVERLAPS", "temp"),
    ];
    for (change, code, reason, field) in cases {
        let mut wrong = request(&place, "source", "target", "10,20");
        change(&place, &mut wrong);
        let refusal = refused(&cluster, &place, wrong).await;
        assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason), "{refusal}");
        assert_eq!(refusal.field.as_deref(), Some(field), "{refusal}");
        assert!(!refusal.message.contains("secret"), "no secret is repeated: {refusal}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_memory_says_how_much_is_needed_for_which_chunk() {
    let place = Place::in_memory();
    ArraySpec::new(&[100, 20], &[1, 20]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest { max_mem: Some(ByteCount(2_000)), ..request(&place, "source", "target", "100,20") };
    let refusal = refused(&cluster, &place, request).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, "MEMORY_TOO_SMALL"));
    assert!(refusal.message.contains("chunk") && refusal.message.contains("max_mem"), "{refusal}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_submitted_before_any_worker_is_planned_with_a_warning_and_waits() {
    let place = Place::in_memory();
    let made = ArraySpec::new(&[100, 20], &[1, 20]).make(&place, "source").await;
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    let request = request(&place, "source", "target", "10,20");
    let warnings = cluster.client().plan(request.clone()).await.expect("a plan").summary.warnings;
    assert!(warnings.iter().any(|warning| warning.contains("no worker is connected")), "{warnings:?}");
    let job = cluster.submit(request).await;
    let waits = |view: &JobView| view.waits_for.as_deref() == Some("workers");
    cluster.wait_until(&job, "the wait for workers", waits).await;
    cluster.add_worker("late", |worker| worker);
    assert_succeeded(&cluster.ended(&job).await);
    assert_equal(&place, &made, "target").await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_that_no_profile_allows_are_denied_for_the_field_at_fault() {
    let place = Place::in_memory();
    ArraySpec::new(&[100, 20], &[1, 20]).make(&place, "open/source").await;
    ArraySpec::new(&[100, 20], &[1, 20]).make(&place, "closed/source").await;
    let profile = |path: &str, access| StoreProfile::new(StoreUrl::parse(&place.url(path)).expect("a URL"), access);
    let profiles = vec![profile("open", Access::ReadWrite), profile("closed", Access::Read)];
    let options = ClusterOptions { config: StoreConfig::of_profiles(profiles), ..ClusterOptions::at(&place) };
    let cluster = Cluster::start(options).await;
    for (source, target, field) in [
        ("open/source", "closed/target", "target"),
        ("open/source", "elsewhere/target", "target"),
        ("elsewhere/source", "open/target", "source"),
    ] {
        let refusal = refused(&cluster, &place, request(&place, source, target, "10,20")).await;
        assert_eq!(refusal.code, RefusalCode::PermissionDenied, "{refusal}");
        assert_eq!(refusal.field.as_deref(), Some(field), "{refusal}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_or_codec_that_nobody_knows_is_named() {
    let place = Place::in_memory();
    let spec = ArraySpec::new(&[10], &[5]);
    for (field, value, reason, named) in [
        ("data_type", json!("quaternion"), "UNSUPPORTED_DTYPE", "quaternion"),
        ("codecs", json!([{"name": "rot13"}]), "UNSUPPORTED_CODEC", "rot13"),
        ("chunk_grid", json!({"name": "spiral", "configuration": {}}), "UNSUPPORTED_EXTENSION", "spiral"),
    ] {
        let (_, mut document) = spec.documents().remove(0);
        document[field] = value;
        place.put(&format!("{named}/zarr.json"), document.to_string()).await;
        let cluster = Cluster::at(&place).await;
        let refusal = refused(&cluster, &place, request(&place, named, "target", "2")).await;
        assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, reason), "{refusal}");
        assert_eq!(refusal.field.as_deref(), Some("source"));
        assert!(refusal.message.contains(named), "{refusal}");
        cluster.shutdown().await;
    }
}

fn custom(name: &str, parameters: Vec<u8>) -> Stage {
    Stage {
        name: "stage".to_owned(),
        array: None,
        function: StageFunction::Custom(CustomFunction { id: FunctionId::new(name, 1), parameters }),
        task_count: 1,
        task_memory: ByteCount(1),
        task_scratch: ByteCount(0),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: Counts::default(),
    }
}

fn pipelines(stages: Vec<Stage>) -> PipelinesRequest {
    let pipelines = vec![MultiStagePipeline { name: "one".to_owned(), stages, temp_bytes: ByteCount(0) }];
    let phase = Phase { name: "all".to_owned(), pipelines: ParallelPipelines { pipelines } };
    PipelinesRequest { name: "test".to_owned(), phases: vec![phase], ..PipelinesRequest::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelines_beyond_a_limit_or_with_our_own_functions_are_refused() {
    let place = Place::in_memory();
    place.put("precious/object", b"1".to_vec()).await;
    let cluster = Cluster::at(&place).await;
    let clear =
        StageFunction::ClearPrefix(ClearPrefix { prefixes: vec![place.url("precious")], part: PrefixPart::Everything });
    let (invalid, exhausted) = (RefusalCode::InvalidArgument, RefusalCode::ResourceExhausted);
    let stage = "phases[0].pipelines[0].stages[0]";
    let cases = [
        (PipelinesRequest { phases: Vec::new(), ..pipelines(Vec::new()) }, invalid, "phases".to_owned()),
        (PipelinesRequest { weight: Some(0), ..pipelines(vec![custom("f", vec![])]) }, invalid, "weight".to_owned()),
        (
            pipelines(vec![Stage { task_count: limits::MAX_TASKS_PER_STAGE + 1, ..custom("f", vec![]) }]),
            exhausted,
            format!("{stage}.task_count"),
        ),
        (
            pipelines(vec![custom("f", vec![0; (1 << 20) + 1])]),
            exhausted,
            format!("{stage}.function.custom.parameters"),
        ),
        (pipelines(vec![custom("clear_prefix", vec![])]), invalid, format!("{stage}.function")),
        (pipelines(vec![Stage { function: clear, ..custom("f", vec![]) }]), invalid, format!("{stage}.function")),
    ];
    for (wrong, code, field) in cases {
        let refusal = refusal(cluster.client().submit_pipelines(wrong).await);
        assert_eq!(refusal.code, code, "{refusal}");
        let found = refusal.field.as_deref().unwrap_or_default();
        assert!(found.starts_with(&field), "{found} is not {field}: {refusal}");
    }
    assert_eq!(place.keys("precious").await, ["object"]);
    assert_eq!(cluster.client().jobs().await.expect("jobs"), []);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_over_the_limit_is_refused_and_the_coordinator_goes_on() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    let parameters = usize::try_from(limits::MAX_CUSTOM_PARAMETERS.0).expect("a small limit");
    let stages = (0..=limits::MAX_MESSAGE_BYTES / parameters).map(|_| custom("f", vec![0; parameters])).collect();
    let request = pipelines(stages);
    // A client without a limit of its own, and ours, which says so before it sends.
    let mut client = RechunkServiceClient::connect(cluster.url()).await.expect("a connection");
    let status = client.submit_pipelines(SubmitPipelinesRequest::from(request.clone())).await.expect_err("refused");
    assert_eq!(from_status(&status).code, RefusalCode::ResourceExhausted, "{status:?}");
    let refusal = refusal(cluster.client().submit_pipelines(request).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::ResourceExhausted, "LIMIT_EXCEEDED"));
    assert!(refusal.message.contains("MAX_MESSAGE_BYTES"), "{refusal}");
    assert_eq!(cluster.client().jobs().await.expect("the coordinator answers"), []);
    cluster.shutdown().await;
}
