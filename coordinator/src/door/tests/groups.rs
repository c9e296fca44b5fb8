//! What is found at a source: arrays, groups, nested groups, with and without consolidated metadata, in both formats.

use rechunk_storage::{CountingObserver, RequestKind, StoreUrl};
use serde_json::json;

use super::{
    super::discovery::{Source, discover},
    world::{World, v2_array, v3_array, v3_group},
};
use std::sync::Arc;

const MAP: [(&str, u64, u64); 2] = [("lat", 10, 5), ("lon", 20, 20)];
const LINE: [(&str, u64, u64); 1] = [("lat", 10, 10)];

async fn source(world: &World, path: &str) -> Source {
    let url = StoreUrl::parse(&world.url(path)).expect("a URL");
    discover(&world.stores, &url).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn names(source: &Source) -> (Vec<&str>, Vec<&str>) {
    let arrays = source.arrays.keys().map(String::as_str).collect();
    (arrays, source.groups.keys().map(String::as_str).collect())
}

async fn v3_tree(world: &World) {
    world.v3_group("g").await;
    world.v3_array("g/map", &MAP).await;
    world.put("g/map/c/0/0", "chunk").await;
    world.v3_array("g/lat", &LINE).await;
    world.v3_group("g/sub").await;
    world.v3_array("g/sub/map", &MAP).await;
    world.v3_group("g/sub/deep").await;
    world.v3_array("g/sub/deep/map", &MAP).await;
    world.put("g/notes/readme.txt", "no node").await;
}

#[tokio::test]
async fn a_v3_group_is_walked_to_its_depth() {
    let world = World::new();
    v3_tree(&world).await;
    let found = source(&world, "g").await;
    assert!(found.is_group);
    assert_eq!(names(&found), (vec!["lat", "map", "sub/deep/map", "sub/map"], vec!["", "sub", "sub/deep"]));
    let pinned: Vec<&str> = found.pins.iter().map(|pin| pin.url.as_str()).collect();
    assert_eq!(pinned.len(), 7, "{pinned:?}");
    assert!(found.pins.iter().all(|pin| pin.etag.is_some() && pin.size > 0), "{:?}", found.pins);
    assert_eq!(found.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn an_array_inside_a_group_is_a_source_of_its_own() {
    let world = World::new();
    v3_tree(&world).await;
    let found = source(&world, "g/sub/map/").await;
    assert!(!found.is_group);
    assert_eq!(names(&found), (vec![""], vec![]));
    assert_eq!(found.pins.len(), 1);
    assert_eq!(found.pins[0].url, world.url("g/sub/map/zarr.json"));
}

#[tokio::test]
async fn a_v2_group_is_walked_to_its_depth() {
    let world = World::new();
    world.v2_group("").await;
    world.v2_array("map", &MAP).await;
    world.put("map/0.0", "chunk").await;
    world.v2_group("sub").await;
    world.v2_array("sub/map", &MAP).await;
    let found = source(&world, "").await;
    assert_eq!(names(&found), (vec!["map", "sub/map"], vec!["", "sub"]));
    assert_eq!(found.pins.len(), 8, "each with its .zattrs");
    assert_eq!(found.arrays["map"].dimension_names(), Some(vec![Some("lat".to_owned()), Some("lon".to_owned())]));
}

#[tokio::test]
async fn consolidated_metadata_says_which_nodes_there_are() {
    let world = World::new();
    v3_tree(&world).await;
    let mut root = v3_group();
    root["consolidated_metadata"] = json!({
        "kind": "inline",
        "must_understand": false,
        "metadata": {"map": v3_array(&MAP), "sub": v3_group(), "sub/map": v3_array(&MAP)},
    });
    world.put_json("g/zarr.json", &root).await;
    let observer = Arc::new(CountingObserver::new());
    let stores = world.stores.clone().with_observer(observer.clone());
    let url = StoreUrl::parse(&world.url("g")).expect("a URL");
    let found = discover(&stores, &url).await.expect("a group");
    assert_eq!(names(&found), (vec!["map", "sub/map"], vec!["", "sub"]), "as xarray sees it");
    assert!(found.groups[""].is_consolidated && !found.groups["sub"].is_consolidated);
    assert_eq!(found.pins.len(), 4, "each by its own document");
    assert_eq!(observer.count(RequestKind::List), 0, "nothing is listed");
}

#[tokio::test]
async fn the_documents_of_an_array_win_over_consolidated_ones() {
    let world = World::new();
    let mut root = v3_group();
    root["consolidated_metadata"] = json!({
        "kind": "inline",
        "must_understand": false,
        "metadata": {"map": v3_array(&MAP), "gone": v3_array(&LINE)},
    });
    world.put_json("g/zarr.json", &root).await;
    world.v3_array("g/map", &[("lat", 11, 5), ("lon", 20, 20)]).await;
    let found = source(&world, "g").await;
    assert_eq!(found.arrays["map"].shape(), [11, 20], "it grew since");
    assert_eq!(found.arrays["gone"].shape(), [10], "only the group knows it");
    assert!(found.warnings[0].contains("g/gone has no metadata of its own"), "{:?}", found.warnings);
}

#[tokio::test]
async fn v2_consolidated_metadata_is_read() {
    let world = World::new();
    world.v2_group("g").await;
    world.v2_array("g/map", &MAP).await;
    world.v2_array("g/hidden", &MAP).await;
    let (zarray, zattrs) = v2_array(&MAP);
    let metadata = json!({
        ".zgroup": {"zarr_format": 2},
        ".zattrs": {"title": "made by hand"},
        "map/.zarray": zarray,
        "map/.zattrs": zattrs,
    });
    world.put_json("g/.zmetadata", &json!({"zarr_consolidated_format": 1, "metadata": metadata})).await;
    let found = source(&world, "g").await;
    assert_eq!(names(&found), (vec!["map"], vec![""]));
    assert!(found.groups[""].is_consolidated);
    let pinned: Vec<&str> = found.pins.iter().filter_map(|pin| pin.url.rsplit('/').next()).collect();
    assert_eq!(pinned, [".zgroup", ".zattrs", ".zmetadata", ".zarray", ".zattrs"]);
}

#[tokio::test]
async fn where_both_formats_lie_v3_is_read_with_a_warning() {
    let world = World::new();
    world.v3_array("a", &MAP).await;
    world.v2_array("a", &LINE).await;
    let found = source(&world, "a").await;
    assert_eq!(found.arrays[""].shape(), [10, 20]);
    assert!(found.warnings[0].contains("v3 was read"), "{:?}", found.warnings);
}

#[tokio::test]
async fn a_local_group_is_walked() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::at(&directory.path().display().to_string());
    v3_tree(&world).await;
    std::fs::create_dir_all(directory.path().join("g/empty/deeper")).expect("empty directories");
    let found = source(&world, "g").await;
    assert_eq!(names(&found).0, ["lat", "map", "sub/deep/map", "sub/map"]);
}
