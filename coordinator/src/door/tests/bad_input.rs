//! "Bad input gets a sentence, and nothing is lost": each line of that list that the door decides. Every case also
//! asserts that the store is as it was.

use std::sync::Arc;

use rechunk_common::{
    ByteCount, RefusalCode,
    limits::{MAX_ARRAYS, MAX_BLOSC_BUFFER},
    request::ZarrFormat,
};
use rechunk_storage::{
    Access, Effect, ErrorClass, FaultRule, Faults, RequestKind, RetryPolicy, StoreConfig, StoreProfile, StoreUrl,
    Stores,
};
use serde_json::json;

use super::world::{World, v3_array, v3_group};

const MAPS: [(&str, u64, u64); 2] = [("time", 100, 1), ("x", 20, 20)];

async fn world() -> World {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    world
}

#[tokio::test]
async fn no_such_source() {
    let world = world().await;
    let request = world.request("nowhere", "t", &["1,1"]);
    let message = world.refused(&request, RefusalCode::NotFound, "source", "NO_SUCH_SOURCE").await;
    assert!(message.contains("nowhere"), "{message}");
}

#[tokio::test]
async fn a_source_that_is_neither_array_nor_group() {
    let world = world().await;
    world.put("files/readme.txt", "hello").await;
    let request = world.request("files", "t", &["1,1"]);
    world.refused(&request, RefusalCode::InvalidArgument, "source", "NOT_A_ZARR_NODE").await;
}

#[tokio::test]
async fn corrupt_metadata() {
    let world = world().await;
    for (path, body) in [
        ("b/zarr.json", "{".into()),
        ("c/zarr.json", r#"{"zarr_format": 3, "node_type": "array"}"#.into()),
        ("d/.zarray", "[]".into()),
        ("e/zarr.json", vec![0xff_u8, 0xfe]),
    ] {
        let body: Vec<u8> = body;
        world.put(path, body).await;
        let node = path.split('/').next().expect("a node");
        let request = world.request(node, "t", &["1,1"]);
        let message = world.refused(&request, RefusalCode::InvalidArgument, "source", "CORRUPT_METADATA").await;
        assert!(message.contains(&world.url(node)), "{message}");
    }
}

#[tokio::test]
async fn unsupported_codecs_types_and_extensions_are_named() {
    let world = world().await;
    let edits = [
        (
            "codecs",
            json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "exotic"}]),
            "UNSUPPORTED_CODEC",
            "exotic",
        ),
        ("data_type", json!("quaternion"), "UNSUPPORTED_DTYPE", "quaternion"),
        ("chunk_grid", json!({"name": "hexagonal", "configuration": {}}), "UNSUPPORTED_EXTENSION", "hexagonal"),
    ];
    for (field, value, reason, named) in edits {
        let mut document = v3_array(&MAPS);
        document[field] = value;
        world.put_json("b/zarr.json", &document).await;
        let request = world.request("b", "t", &["1,1"]);
        let message = world.refused(&request, RefusalCode::InvalidArgument, "source", reason).await;
        assert!(message.contains(named), "{message}");
    }
    let mut request = world.request("a", "t", &["1,1"]);
    request.codecs = vec!["exotic".to_owned()];
    let refusal = world.refusal(&request).await;
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidArgument, Some("codecs[0]")));
    assert!(refusal.message.contains("exotic"), "{refusal}");
}

#[tokio::test]
async fn wrong_chunk_specs() {
    let world = world().await;
    world.v3_group("g").await;
    world.v3_array("g/tas", &MAPS).await;
    for (source, spec, reason) in [
        ("a", "1,1,1", "RANK_MISMATCH"),
        ("a", "0,1", "INVALID_CHUNK_LENGTH"),
        ("a", "-3,1", "INVALID_CHUNK_LENGTH"),
        ("a", "depth=1", "UNKNOWN_DIMENSION"),
        ("a", "auto,auto!", "INVALID_CHUNK_SPEC"),
        ("g", "1,1", "ARRAY_NAME_NEEDED"),
        ("g", "pr:1,1", "UNKNOWN_ARRAY"),
        ("g", "depth=1", "UNKNOWN_DIMENSION"),
    ] {
        let request = world.request(source, "t", &[spec]);
        world.refused(&request, RefusalCode::InvalidArgument, "chunks[0]", reason).await;
    }
}

#[tokio::test]
async fn wrong_shards() {
    let world = world().await;
    let mut request = world.request("a", "t", &["10,10"]);
    request.shards = vec!["15,10".to_owned()];
    world.refused(&request, RefusalCode::InvalidArgument, "shards[0]", "SHARDS_NOT_A_MULTIPLE").await;
    request.shards = vec!["20,20".to_owned()];
    request.zarr_format = Some(ZarrFormat::V2);
    let message = world.refused(&request, RefusalCode::InvalidArgument, "shards[0]", "SHARDS_NEED_V3").await;
    assert!(message.contains("--shards none"), "{message}");
}

#[tokio::test]
async fn a_target_chunk_over_the_codecs_buffer_limit() {
    let world = world().await;
    world.v3_array("big", &[("x", 1 << 30, 1 << 20)]).await;
    let mut request = world.request("big", "t", &["-1"]);
    request.codecs = vec!["blosc:lz4:5".to_owned()];
    request.max_mem = Some(ByteCount(64 << 30));
    let message = world.refused(&request, RefusalCode::InvalidArgument, "chunks[0]", "CHUNK_OVER_CODEC_LIMIT").await;
    assert!(message.contains("4 GiB") && message.contains(&MAX_BLOSC_BUFFER.to_string()), "{message}");
}

#[tokio::test]
async fn too_little_memory_says_how_much_is_needed_for_which_chunk() {
    let world = world().await;
    world.v3_array("big", &[("x", 1 << 30, 1 << 20)]).await;
    let mut request = world.request("big", "t", &["-1"]);
    request.max_mem = Some(ByteCount(256 << 20));
    let refusal = world.refusal(&request).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, "MEMORY_TOO_SMALL"));
    assert!(refusal.message.contains("chunk"), "{refusal}");
    request.max_mem = Some(ByteCount(0));
    world.refused(&request, RefusalCode::InvalidArgument, "max_mem", "MEMORY_TOO_SMALL").await;
}

#[tokio::test]
async fn a_target_that_exists_with_or_without_metadata() {
    let world = world().await;
    world.v3_array("t", &MAPS).await;
    world.put("chunks/c/0/0", "left behind").await;
    for target in ["t", "chunks", "chunks/c"] {
        let request = world.request("a", target, &["1,1"]);
        world.refused(&request, RefusalCode::AlreadyExists, "target", "TARGET_EXISTS").await;
    }
}

#[tokio::test]
async fn a_local_target_that_is_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::at(&directory.path().display().to_string());
    world.v3_array("a", &MAPS).await;
    world.put("t", "a file").await;
    let mut request = world.request("a", "t", &["1,1"]);
    for overwrite in [false, true] {
        request.overwrite = overwrite;
        world.refused(&request, RefusalCode::AlreadyExists, "target", "TARGET_EXISTS").await;
    }
}

#[tokio::test]
async fn places_that_overlap() {
    let world = world().await;
    for target in ["a", "a/b", ""] {
        let request = world.request("a", target, &["1,1"]);
        world.refused(&request, RefusalCode::InvalidArgument, "target", "TARGET_OVERLAPS_SOURCE").await;
    }
    for temp in ["a", "a/tmp", "t/tmp", "t", ""] {
        let mut request = world.request("a", "t", &["1,1"]);
        request.temp = Some(world.url(temp));
        world.refused(&request, RefusalCode::InvalidArgument, "temp", "TEMP_OVERLAPS").await;
    }
}

#[tokio::test]
async fn a_target_among_the_chunks_of_an_array() {
    let world = world().await;
    world.v3_array("other", &MAPS).await;
    let request = world.request("a", "other/sub/t", &["1,1"]);
    world.refused(&request, RefusalCode::InvalidArgument, "target", "TARGET_IN_ARRAY").await;
}

#[tokio::test]
async fn a_target_at_a_buckets_root_without_a_temp() {
    let world = world().await;
    let elsewhere = World::new();
    let mut request = world.request("a", "t", &["1,1"]);
    request.target = elsewhere.url("");
    world.refused(&request, RefusalCode::InvalidArgument, "temp", "TEMP_NEEDED").await;
    request.temp = Some(world.url("tmp"));
    world.prepared(&request).await;
}

#[tokio::test]
async fn malformed_urls_and_paths_that_climb() {
    let world = world().await;
    for (source, reason) in [
        ("", "EMPTY_URL"),
        ("gopher://b/a", "UNKNOWN_SCHEME"),
        ("s3:///a", "MALFORMED_URL"),
        ("memory://b/x/../../a", "MALFORMED_URL"),
    ] {
        let mut request = world.request("a", "t", &["1,1"]);
        source.clone_into(&mut request.source);
        world.refused(&request, RefusalCode::InvalidArgument, "source", reason).await;
    }
}

#[tokio::test]
async fn consolidated_metadata_that_climbs_out_of_its_group() {
    let world = world().await;
    for path in ["../a", "x/../../a", "x//y", "/x"] {
        let mut root = v3_group();
        let nodes = json!({path: v3_array(&MAPS)});
        root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": nodes});
        world.put_json("g/zarr.json", &root).await;
        let refusal = world.refusal(&world.request("g", "t", &["time=1"])).await;
        assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::InvalidArgument, Some("source")), "{path}");
        assert!(["UNSAFE_PATH", "CORRUPT_METADATA"].contains(&refusal.reason.as_str()), "{path}: {refusal:?}");
    }
}

#[tokio::test]
async fn nodes_inside_an_array() {
    let world = world().await;
    let mut root = v3_group();
    let nodes = json!({"a": v3_array(&MAPS), "a/b": v3_array(&MAPS)});
    root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": nodes});
    world.put_json("g/zarr.json", &root).await;
    let request = world.request("g", "t", &["time=1"]);
    world.refused(&request, RefusalCode::InvalidArgument, "source", "CORRUPT_METADATA").await;
}

/// Stores that fail one kind of request on URLs with `part`.
fn denying(kind: RequestKind, part: &str) -> Stores {
    let faults = Arc::new(Faults::new());
    faults.add(FaultRule::every(kind, Effect::Fail(ErrorClass::Denied)).on(part));
    Stores::new(StoreConfig::environment()).with_faults(faults)
}

#[tokio::test]
async fn no_permission_to_read_or_list_told_apart() {
    let mut world = world().await;
    for (kind, part, field, reason) in [
        (RequestKind::Head, "/a/zarr.json", "source", "READ_DENIED"),
        (RequestKind::Get, "/a/zarr.json", "source", "READ_DENIED"),
        (RequestKind::List, "/t", "target", "LIST_DENIED"),
    ] {
        world.stores = denying(kind, part);
        let request = world.request("a", "t", &["1,1"]);
        let refusal = world.prepare(&request).await.expect_err("denied");
        let found = (refusal.code, refusal.field.as_deref(), refusal.reason.as_str());
        assert_eq!(found, (RefusalCode::PermissionDenied, Some(field), reason), "{refusal}");
    }
}

#[tokio::test]
async fn a_group_that_may_not_be_listed() {
    let mut world = world().await;
    world.v3_group("g").await;
    world.stores = denying(RequestKind::List, "/g");
    let refusal = world.prepare(&world.request("g", "t", &[])).await.expect_err("denied");
    let found = (refusal.code, refusal.field.as_deref(), refusal.reason.as_str());
    assert_eq!(found, (RefusalCode::PermissionDenied, Some("source"), "LIST_DENIED"), "{refusal}");
}

#[tokio::test]
async fn an_ancestor_of_the_target_that_may_not_be_read_is_warned_of_and_passed_over() {
    let mut world = world().await;
    world.stores = denying(RequestKind::Head, &format!("{}/zarr.json", world.url("")));
    let prepared = world.prepared(&world.request("a", "d/t", &["1,1"])).await;
    let warnings = prepared.plan.summary.expect("a summary").warnings;
    assert!(warnings.iter().any(|warning| warning.contains("may not be read")), "{warnings:?}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_unavailable() {
    let mut world = world().await;
    let faults = Arc::new(Faults::new());
    faults.add(FaultRule::every(RequestKind::Head, Effect::Fail(ErrorClass::TryAgain)));
    let config = StoreConfig::environment().with_retry(RetryPolicy::never());
    world.stores = Stores::new(config).with_faults(faults);
    let refusal = world.prepare(&world.request("a", "t", &["1,1"])).await.expect_err("down");
    let found = (refusal.code, refusal.field.as_deref(), refusal.reason.as_str());
    assert_eq!(found, (RefusalCode::Unavailable, Some("source"), "STORE_UNAVAILABLE"), "{refusal}");
}

#[tokio::test]
async fn places_that_no_profile_covers_or_only_for_reading() {
    let mut world = world().await;
    let profile = |path: &str, access| StoreProfile::new(StoreUrl::parse(&world.url(path)).expect("a URL"), access);
    let stores = |profiles| Stores::new(StoreConfig::of_profiles(profiles));
    let cases = [
        (vec![], "source"),
        (vec![profile("a", Access::Read)], "target"),
        (vec![profile("", Access::Read)], "target"),
        (vec![profile("a", Access::Read), profile("t", Access::ReadWrite)], "temp"),
    ];
    let request = world.request("a", "t", &["1,1"]);
    for (profiles, field) in cases {
        let refusal = {
            world.stores = stores(profiles);
            world.prepare(&request).await.expect_err("not granted")
        };
        let found = (refusal.code, refusal.field.as_deref(), refusal.reason.as_str());
        assert_eq!(found, (RefusalCode::PermissionDenied, Some(field), "ACCESS_NOT_GRANTED"), "{refusal}");
    }
}

#[tokio::test]
async fn limits_are_named() {
    let world = world().await;
    let axes: Vec<(&str, u64, u64)> = (0..33).map(|_| ("", 1, 1)).collect();
    let mut document = v3_array(&axes);
    document["dimension_names"] = json!(null);
    world.put_json("deep/zarr.json", &document).await;
    let request = world.request("deep", "t", &[]);
    let refusal = world.refusal(&request).await;
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::ResourceExhausted, Some("source")), "{refusal}");
    assert!(refusal.message.contains("32"), "{refusal}");

    world.put("long/zarr.json", vec![b' '; (8 << 20) + 1]).await;
    let request = world.request("long", "t", &[]);
    world.refused(&request, RefusalCode::ResourceExhausted, "source", "LIMIT_MAX_DOCUMENT_BYTES").await;

    world.v3_array("wide", &[("x", 1 << 50, 1 << 10)]).await;
    let request = world.request("wide", "t", &["-1"]);
    world.refused(&request, RefusalCode::ResourceExhausted, "chunks[0]", "LIMIT_MAX_CHUNK_BYTES").await;
}

#[tokio::test]
async fn too_many_arrays() {
    let world = world().await;
    let axes = [("x", 4, 4)];
    let mut nodes = serde_json::Map::new();
    for number in 0..=MAX_ARRAYS {
        let mut array = v3_array(&axes);
        array["attributes"] = json!({});
        nodes.insert(format!("a{number}"), array);
    }
    let mut root = v3_group();
    root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": nodes});
    world.put_json("g/zarr.json", &root).await;
    let request = world.request("g", "t", &["x=2"]);
    let message = world.refused(&request, RefusalCode::ResourceExhausted, "source", "LIMIT_MAX_ARRAYS").await;
    assert!(message.contains("10000"), "{message}");
}

#[tokio::test]
async fn what_has_no_twin_in_the_other_format_is_named() {
    let world = world().await;
    let mut document = v3_array(&MAPS);
    document["data_type"] = json!("bfloat16");
    world.put_json("b/zarr.json", &document).await;
    let mut request = world.request("b", "t", &["1,1"]);
    request.zarr_format = Some(ZarrFormat::V2);
    let refusal = world.refusal(&request).await;
    assert_eq!(
        (refusal.code, refusal.field.as_deref()),
        (RefusalCode::InvalidArgument, Some("zarr_format")),
        "{refusal:?}"
    );
    assert!(refusal.message.contains("bfloat16"), "{refusal}");
}
