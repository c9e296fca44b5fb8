//! Which arrays of a group `--include` and `--exclude` choose, and what comes along.

use rechunk_common::{
    RefusalCode,
    plan::{Plan, StageFunction},
    request::RechunkRequest,
};
use serde_json::{Value, json};

use super::world::{World, body, documents, urls, v3_array};

const MAP: [(&str, u64, u64); 2] = [("lat", 10, 5), ("lon", 20, 20)];

fn with_attributes(axes: &[(&str, u64, u64)], attributes: Value) -> Value {
    let mut array = v3_array(axes);
    array["attributes"] = attributes;
    array
}

/// A dataset as xarray writes one, with a nested group.
async fn dataset() -> World {
    let world = World::new();
    world.v3_group("g").await;
    let attributes =
        json!({"coordinates": "height station", "grid_mapping": "crs: x y", "cell_methods": "other: mean"});
    world.put_json("g/air/zarr.json", &with_attributes(&MAP, attributes)).await;
    world.v3_array("g/sea", &MAP).await;
    world.put_json("g/lat/zarr.json", &with_attributes(&[("lat", 10, 10)], json!({"bounds": "lat_bounds"}))).await;
    for (name, axes) in [
        ("lon", vec![("lon", 20, 20)]),
        ("lat_bounds", vec![("lat", 10, 10), ("two", 2, 2)]),
        ("height", vec![]),
        ("crs", vec![]),
        ("other", vec![]),
    ] {
        world.v3_array(&format!("g/{name}"), &axes).await;
    }
    world.v3_group("g/deep").await;
    world.v3_array("g/deep/air", &MAP).await;
    world.v3_array("g/deep/lon", &[("lon", 20, 20)]).await;
    world.v3_group("g/empty").await;
    world
}

fn asked(world: &World, include: &[&str], exclude: &[&str]) -> RechunkRequest {
    let texts = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    RechunkRequest { include: texts(include), exclude: texts(exclude), ..world.request("g", "t", &["lat=10"]) }
}

/// The paths of the arrays of the plan, and of the groups that it publishes.
async fn chosen(world: &World, include: &[&str], exclude: &[&str]) -> (Vec<String>, Vec<String>) {
    let prepared = world.prepared(&asked(world, include, exclude)).await;
    let summary = prepared.plan.summary.as_ref().expect("a summary");
    let arrays = summary.arrays.iter().map(|array| array.name.clone()).collect();
    let written = documents(&prepared);
    let root = world.url("t");
    let of_group = |url: &&str| body(&written, url)["node_type"] == "group";
    let path =
        |url: &str| url.trim_end_matches("/zarr.json").trim_start_matches(root.as_str()).trim_matches('/').to_owned();
    let mut groups: Vec<String> = urls(&written).into_iter().filter(of_group).map(path).collect();
    groups.sort();
    (arrays, groups)
}

#[tokio::test]
async fn coordinates_of_an_included_array_come_along_with_their_bounds() {
    let world = dataset().await;
    let (arrays, groups) = chosen(&world, &["air"], &[]).await;
    assert_eq!(arrays, ["air", "crs", "height", "lat", "lat_bounds", "lon"]);
    assert_eq!(groups, [""], "groups without an array of the job are left out");
}

#[tokio::test]
async fn coordinates_are_found_in_the_nearest_group() {
    let (arrays, groups) = chosen(&dataset().await, &["deep/*"], &[]).await;
    assert_eq!(arrays, ["deep/air", "deep/lon", "lat", "lat_bounds"]);
    assert_eq!(groups, ["", "deep"]);
}

#[tokio::test]
async fn what_is_excluded_stays_out_also_as_a_coordinate() {
    let world = dataset().await;
    let (arrays, _) = chosen(&world, &["air"], &["lat_*", "c?s"]).await;
    assert_eq!(arrays, ["air", "height", "lat", "lon"]);
    let (arrays, _) = chosen(&world, &[], &["**/air", "height", "[c]rs"]).await;
    assert_eq!(arrays, ["deep/lon", "lat", "lat_bounds", "lon", "other", "sea"]);
}

#[tokio::test]
async fn a_star_stays_within_one_part_of_a_path() {
    let (arrays, _) = chosen(&dataset().await, &["*"], &[]).await;
    assert!(!arrays.iter().any(|array| array.starts_with("deep/")), "{arrays:?}");
    assert_eq!(arrays.len(), 8);
}

#[tokio::test]
async fn only_nodes_of_the_job_are_pinned() {
    let world = dataset().await;
    let all = world.prepared(&asked(&world, &[], &[])).await.plan;
    let some = world.prepared(&asked(&world, &["sea"], &[])).await.plan;
    let pins = |plan: &Plan| {
        let pinned = plan.stages().filter_map(|stage| {
            let StageFunction::CheckSource(check) = &stage.function else { return None };
            Some(check.documents.clone())
        });
        pinned.flatten().map(|document| document.url).collect::<Vec<_>>()
    };
    let is_in = |path: &str, pins: &[String]| pins.iter().any(|url| url.starts_with(&world.url(path)));
    for (path, is_pinned) in
        [("g/zarr.json", true), ("g/sea/", true), ("g/lat/", true), ("g/air/", false), ("g/deep/", false)]
    {
        assert!(is_in(path, &pins(&all)), "{path}");
        assert_eq!(is_in(path, &pins(&some)), is_pinned, "{path}");
    }
}

#[tokio::test]
async fn patterns_that_choose_nothing_are_refused_where_they_stand() {
    let world = dataset().await;
    for (include, exclude, field, reason) in [
        (vec!["air", "aire"], vec![], "include[1]", "UNKNOWN_ARRAY"),
        (vec!["deep"], vec![], "include[0]", "UNKNOWN_ARRAY"),
        (vec![], vec!["nothing*"], "exclude[0]", "UNKNOWN_ARRAY"),
        (vec!["a[ir"], vec![], "include[0]", "INVALID_PATTERN"),
        (vec!["other"], vec!["o*"], "include[0]", "NO_ARRAY_LEFT"),
    ] {
        let refusal = world.refusal(&asked(&world, &include, &exclude)).await;
        assert_eq!((refusal.field.as_deref(), refusal.reason.as_str()), (Some(field), reason), "{refusal:?}");
    }
    let request = RechunkRequest { include: vec!["*".to_owned()], ..world.request("g/sea", "t", &["lat=10"]) };
    let refusal = world.refusal(&request).await;
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, "SOURCE_IS_AN_ARRAY"));
}
