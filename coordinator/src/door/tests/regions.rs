//! `--region`: what it makes of the target and of the plan, and what is wrong with one.

use rechunk_common::{RefusalCode, plan::StageFunction, request::RechunkRequest};
use serde_json::json;

use super::world::{World, body, documents, target_chunks};

fn asked(world: &World, source: &str, chunks: &[&str], regions: &[&str]) -> RechunkRequest {
    let region = regions.iter().map(|&text| text.to_owned()).collect();
    RechunkRequest { region, ..world.request(source, "b", chunks) }
}

#[tokio::test]
async fn the_target_is_as_long_as_the_part_and_chunks_are_measured_by_it() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7), ("x", 40, 40)]).await;
    let regions: [&[&str]; 4] = [&["time=13:33"], &["13:33,:"], &["time=13:33,x=:40"], &["time=13:33", "x=0:"]];
    for regions in regions {
        let prepared = world.prepared(&asked(&world, "a", &["time=-1,x=10"], regions)).await;
        assert_eq!(target_chunks(&prepared), [("", vec![20, 10])], "{regions:?}");
        let documents = documents(&prepared);
        assert_eq!(body(&documents, &world.url("b/zarr.json"))["shape"], json!([20, 40]), "{regions:?}");
        let stages: Vec<_> = prepared.plan.stages().collect();
        let copies = stages.iter().filter(|stage| matches!(stage.function, StageFunction::CopyReadToWrite(_)));
        let versions: Vec<u32> = copies.map(|stage| stage.function.id().version).collect();
        assert_eq!(versions, [2], "a worker that knows no parts is given none");
        let totals = prepared.plan.summary.as_ref().expect("a summary").totals;
        assert_eq!((totals.get_requests, totals.put_requests), (4, 4), "chunks 1 to 4 of the source: {regions:?}");
        assert_eq!(totals.bytes_decoded, 20 * 40 * 4, "clipped to the part");
    }
    let whole = world.prepared(&asked(&world, "a", &["time=50"], &["time=0:100"])).await;
    assert!(whole.plan.stages().all(|stage| stage.function.id().version == 1), "all of it is no part");
}

#[tokio::test]
async fn chunks_that_the_part_begins_and_ends_with_are_passed_on_and_others_are_not() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7), ("x", 40, 40)]).await;
    for (region, is_passed_on) in
        [("time=14:28", true), ("time=14:100", true), ("time=14:99", false), ("time=13:27", false), ("x=0:39", false)]
    {
        let prepared = world.prepared(&asked(&world, "a", &["keep,keep"], &[region])).await;
        let is_encoded = |function: &StageFunction| matches!(function, StageFunction::CopyEncoded(_));
        let found = prepared.plan.stages().any(|stage| is_encoded(&stage.function));
        assert_eq!(found, is_passed_on, "{region}");
    }
}

#[tokio::test]
async fn a_group_is_cut_along_the_dimension_wherever_it_is() {
    let world = World::new();
    world.v3_group("g").await;
    world.v3_array("g/tas", &[("time", 100, 7), ("x", 40, 40)]).await;
    world.v3_array("g/turned", &[("x", 40, 40), ("time", 100, 7)]).await;
    world.v3_array("g/time", &[("time", 100, 100)]).await;
    world.v3_array("g/mask", &[("x", 40, 8)]).await;
    let prepared = world.prepared(&asked(&world, "g", &["tas:time=10"], &["time=90:"])).await;
    let documents = documents(&prepared);
    let shape = |name: &str| body(&documents, &world.url(&format!("b/{name}/zarr.json")))["shape"].clone();
    assert_eq!(shape("tas"), json!([10, 40]));
    assert_eq!(shape("turned"), json!([40, 10]));
    assert_eq!(shape("time"), json!([10]));
    assert_eq!(shape("mask"), json!([40]));
}

#[tokio::test]
async fn wrong_regions_are_refused_with_what_is_wrong() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7), ("x", 40, 40)]).await;
    let cases: [(&[&str], &str, &str, &str); 16] = [
        (&["lat=0:5"], "region[0]", "UNKNOWN_DIMENSION", "time, x"),
        (&["time=0:101"], "region[0]", "REGION_OUT_OF_RANGE", "100 elements"),
        (&["x=0:5", "time=101:"], "region[1]", "REGION_OUT_OF_RANGE", "100 elements"),
        (&["time=5:5"], "region[0]", "REGION_EMPTY", "holds nothing"),
        (&["time=9:5"], "region[0]", "REGION_EMPTY", "holds nothing"),
        (&["time=100:"], "region[0]", "REGION_EMPTY", "holds nothing"),
        (&["time=0:10:2"], "region[0]", "REGION_WITH_STEP", "no step"),
        (&["time=5"], "region[0]", "INVALID_REGION", "START:STOP"),
        (&["time"], "region[0]", "INVALID_REGION", "START:STOP"),
        (&[""], "region[0]", "INVALID_REGION", "START:STOP"),
        (&["time=-5:"], "region[0]", "INVALID_REGION", "from the start"),
        (&["time=a:b"], "region[0]", "INVALID_REGION", "from the start"),
        (&["time=0:99999999999999999999999"], "region[0]", "INVALID_REGION", "from the start"),
        (&["time=0:5,time=0:6"], "region[0]", "DUPLICATE_DIMENSION", "twice"),
        (&["0:5"], "region[0]", "RANK_MISMATCH", "1 axes"),
        (&["0:5,x=0:6"], "region[0]", "INVALID_REGION", "before every slice"),
    ];
    for (regions, field, reason, word) in cases {
        let request = asked(&world, "a", &["time=5"], regions);
        let message = world.refused(&request, RefusalCode::InvalidArgument, field, reason).await;
        assert!(message.contains(word), "{message}");
    }
    world.v3_group("g").await;
    world.v3_array("g/tas", &[("time", 100, 7)]).await;
    let request = asked(&world, "g", &["tas:10"], &["0:5"]);
    let message = world.refused(&request, RefusalCode::InvalidArgument, "region[0]", "DIMENSION_NEEDED").await;
    assert!(message.contains("time"), "{message}");
}
