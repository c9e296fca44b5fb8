//! Sources in an index of references.

use rechunk_common::{
    RefusalCode,
    plan::StageFunction,
    request::{RechunkRequest, SourceListing},
};
use rechunk_storage::{Access, StoreConfig, StoreProfile, StoreUrl, Stores};
use serde_json::json;

use super::{
    super::Door,
    world::{World, fleet, job, v2_array},
};

/// An array of four chunks of 40 bytes, of which one is missing and one lies in the index.
async fn world() -> World {
    let world = World::new();
    let (zarray, zattrs) = v2_array(&[("x", 40, 10)]);
    let refs = json!({
        ".zgroup": {"zarr_format": 2},
        "a/.zarray": zarray.to_string(),
        "a/.zattrs": zattrs,
        "a/0": [world.url("data/x.nc"), 8, 40],
        "a/2": "base64:AAAA",
        "a/3": [world.url("data/x.nc"), 48, 40],
    });
    world.put_json("d/refs.json", &json!({"version": 1, "refs": refs})).await;
    world
}

fn request(world: &World, key: &str, target: &str) -> RechunkRequest {
    RechunkRequest {
        source: format!("kerchunk+{}{key}", world.url("d/refs.json")),
        listing: SourceListing::WhereFew,
        ..world.request("", target, &["x=20"])
    }
}

#[tokio::test]
async fn what_the_index_knows_is_listed_and_the_index_is_pinned() {
    let world = world().await;
    for key in ["/a", ""] {
        let prepared = world.prepared(&request(&world, key, "t")).await;
        let summary = prepared.plan.summary.as_ref().expect("a summary");
        assert_eq!((summary.arrays[0].listed_objects, summary.arrays[0].source_objects), (Some(3), 4));
        let pins = prepared.plan.stages().find_map(|stage| {
            let StageFunction::CheckSource(check) = &stage.function else { return None };
            Some(check.documents.clone())
        });
        let index = world.contents().await.into_iter().find(|(key, _)| key == "d/refs.json").expect("it is there");
        let pins = pins.expect("pins");
        assert!(pins.len() >= 2 && index.1.is_some() && pins.iter().all(|pin| pin.etag == index.1), "{pins:?}");
    }
}

#[tokio::test]
async fn nothing_is_written_over_an_index_or_what_it_refers_to() {
    let world = world().await;
    let overlaps = "TARGET_OVERLAPS_SOURCE";
    for (target, named) in [("data", "data/x.nc"), ("data/x.nc", "data/x.nc"), ("d", "refs.json")] {
        let request = RechunkRequest { overwrite: true, ..request(&world, "/a", target) };
        let message = world.refused(&request, RefusalCode::InvalidArgument, "target", overlaps).await;
        assert!(message.contains(named), "{message}");
    }
    let request = RechunkRequest { temp: Some(world.url("data")), ..request(&world, "/a", "t") };
    world.prepared(&request).await;
    let elsewhere = RechunkRequest { target: format!("kerchunk+{}", world.url("r.json")), ..request };
    world.refused(&elsewhere, RefusalCode::InvalidArgument, "target", "STORE_UNSUPPORTED").await;
}

#[tokio::test]
async fn an_index_that_refers_to_what_no_profile_covers_is_refused_before_the_job_begins() {
    let world = world().await;
    let profile = |path: &str, access| StoreProfile::new(StoreUrl::parse(&world.url(path)).expect("a URL"), access);
    let mut profiles = vec![profile("d", Access::Read), profile("t", Access::ReadWrite)];
    profiles.push(profile("tmp", Access::ReadWrite));
    let request = RechunkRequest { temp: Some(world.url("tmp")), ..request(&world, "/a", "t/a") };
    let prepare = async |profiles: &[StoreProfile]| {
        let door = Door::new(Stores::new(StoreConfig::of_profiles(profiles.to_vec())));
        door.prepare(&request, &job(), &fleet(), &[]).await
    };
    let refusal = prepare(&profiles).await.expect_err("not covered");
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::PermissionDenied, Some("source")));
    assert!(refusal.message.contains("data/x.nc") && refusal.message.contains("[[stores]]"), "{refusal}");
    profiles.push(profile("data", Access::Read));
    prepare(&profiles).await.expect("covered");
}

#[tokio::test]
async fn an_index_that_cannot_be_used_is_refused_with_its_key() {
    let world = World::new();
    world.put_json("d/refs.json", &json!({"a/.zarray": ["x.nc", 0, 1]})).await;
    let bad = "BAD_INDEX";
    let message = world.refused(&request(&world, "/a", "t"), RefusalCode::InvalidArgument, "source", bad).await;
    assert!(message.contains("d/refs.json") && message.contains("a/.zarray") && message.contains("x.nc"), "{message}");
}
