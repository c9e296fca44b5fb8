//! What a request becomes: plans, documents, consolidated metadata, temporary space.

use rechunk_common::{
    RefusalCode,
    ids::JobId,
    plan::{Document, GapPolicy, PrefixPart, StageFunction},
    request::ZarrFormat,
};
use serde_json::json;

use super::{
    super::{LiveSpace, Prepared},
    world::{World, body, documents, target_chunks, urls, v3_array, v3_group},
};

const MAPS: [(&str, u64, u64); 2] = [("time", 100, 1), ("x", 20, 20)];
const TIME: [(&str, u64, u64); 1] = [("time", 100, 100)];

async fn v3_tree(world: &World) {
    world.v3_group("g").await;
    world.v3_array("g/tas", &MAPS).await;
    world.v3_array("g/time", &TIME).await;
    world.v3_group("g/sub").await;
    world.v3_array("g/sub/pr", &MAPS).await;
}

#[tokio::test]
async fn an_array_job_is_planned_with_new_chunks_and_the_same_attributes() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    let prepared = world.prepared(&world.request("a", "t", &["time=-1,x=5"])).await;
    assert_eq!(target_chunks(&prepared), [("", vec![100, 5])]);
    assert_eq!((prepared.source.clone(), prepared.target.clone()), (world.url("a"), world.url("t")));
    assert_eq!(prepared.spaces, [world.url("t"), world.url(".rechunk-job-0123456789ab")]);
    let documents = documents(&prepared);
    assert_eq!(urls(&documents), [world.url("t/zarr.json")]);
    let written = body(&documents, &world.url("t/zarr.json"));
    assert_eq!(written["chunk_grid"]["configuration"]["chunk_shape"], json!([100, 5]));
    assert_eq!(written["attributes"], json!({"units": "K"}));
    assert_eq!(written["dimension_names"], json!(["time", "x"]));
}

#[tokio::test]
async fn every_array_of_a_group_is_planned_and_groups_are_published_last() {
    let world = World::new();
    v3_tree(&world).await;
    let prepared = world.prepared(&world.request("g", "t", &["time=10"])).await;
    let expected = [("sub/pr", vec![10, 20]), ("tas", vec![10, 20]), ("time", vec![100])];
    assert_eq!(target_chunks(&prepared), expected);
    let documents = documents(&prepared);
    let expected = ["t/sub/pr/zarr.json", "t/tas/zarr.json", "t/time/zarr.json", "t/sub/zarr.json", "t/zarr.json"];
    assert_eq!(urls(&documents), expected.map(|path| world.url(path)));
    let root = body(&documents, &world.url("t/zarr.json"));
    assert_eq!(root["attributes"], json!({"title": "made by hand"}));
    assert_eq!(root.get("consolidated_metadata"), None, "the source had none");
}

#[tokio::test]
async fn consolidated_metadata_is_written_where_the_source_had_it_or_as_asked() {
    let world = World::new();
    v3_tree(&world).await;
    let mut request = world.request("g", "t", &["time=10"]);
    request.consolidate = Some(true);
    let asked = documents(&world.prepared(&request).await);
    let root = body(&asked, &world.url("t/zarr.json"));
    let metadata = root["consolidated_metadata"]["metadata"].as_object().expect("inline").clone();
    let mut nodes: Vec<&String> = metadata.keys().collect();
    nodes.sort();
    assert_eq!(nodes, ["sub", "sub/pr", "tas", "time"]);
    assert_eq!(metadata["tas"]["chunk_grid"]["configuration"]["chunk_shape"], json!([10, 20]));

    let mut root = v3_group();
    let inline = json!({"tas": v3_array(&MAPS)});
    root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": inline});
    world.put_json("g/zarr.json", &root).await;
    let mut request = world.request("g", "t", &["time=10"]);
    let kept = documents(&world.prepared(&request).await);
    assert!(body(&kept, &world.url("t/zarr.json")).get("consolidated_metadata").is_some());
    request.consolidate = Some(false);
    let dropped = documents(&world.prepared(&request).await);
    assert_eq!(body(&dropped, &world.url("t/zarr.json")).get("consolidated_metadata"), None);
}

#[tokio::test]
async fn a_v2_group_is_written_as_v3_on_request_and_the_other_way_round() {
    let world = World::new();
    world.v2_group("g").await;
    world.v2_array("g/tas", &MAPS).await;
    let mut request = world.request("g", "t", &["time=10"]);
    let kept = documents(&world.prepared(&request).await);
    let expected = ["t/tas/.zarray", "t/tas/.zattrs", "t/.zgroup", "t/.zattrs"];
    assert_eq!(urls(&kept), expected.map(|path| world.url(path)));
    request.zarr_format = Some(ZarrFormat::V3);
    request.consolidate = Some(true);
    let converted = documents(&world.prepared(&request).await);
    assert_eq!(urls(&converted), ["t/tas/zarr.json", "t/zarr.json"].map(|path| world.url(path)));
    assert_eq!(body(&converted, &world.url("t/tas/zarr.json"))["dimension_names"], json!(["time", "x"]));

    v3_tree(&world).await;
    world.v3_group("h").await;
    world.v3_array("h/tas", &MAPS).await;
    let mut request = world.request("h", "u", &["time=10"]);
    request.zarr_format = Some(ZarrFormat::V2);
    request.consolidate = Some(true);
    let converted = documents(&world.prepared(&request).await);
    let consolidated = body(&converted, &world.url("u/.zmetadata"));
    assert_eq!(consolidated["metadata"]["tas/.zarray"]["chunks"], json!([10, 20]));
}

#[tokio::test]
async fn an_array_added_to_a_consolidated_group_is_made_known_to_it() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    let mut root = v3_group();
    root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": {}});
    world.put_json("d/g/zarr.json", &root).await;
    world.v3_group("d/g/sub").await;
    let prepared = world.prepared(&world.request("a", "d/g/sub/tas", &["time=10"])).await;
    let documents = documents(&prepared);
    let Some(Document::Reconsolidate { group_url, node_path, documents: refreshed }) = documents.last() else {
        panic!("no refresh in {documents:#?}");
    };
    assert_eq!((group_url.clone(), node_path.as_str()), (world.url("d/g"), "sub/tas"));
    assert_eq!(refreshed[0].0, "zarr.json");
    let written = documents.iter().any(|other| {
        matches!(other, Document::Write { url, body } if *url == world.url("d/g/sub/tas/zarr.json") && *body == refreshed[0].1)
    });
    assert!(written, "the same document: {documents:#?}");
    assert_eq!(documents.len(), 2, "the group between has no consolidated metadata");
    assert_eq!(prepared.spaces[1], world.url("d/.rechunk-job-0123456789ab"), "beside the outermost node");
}

#[tokio::test]
async fn what_consolidated_metadata_would_get_wrong_is_refused() {
    let world = World::new();
    v3_tree(&world).await;
    let mut root = v3_group();
    let inline = json!({"old": v3_group(), "old/tas": v3_array(&MAPS), "older": v3_array(&MAPS)});
    root["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": inline});
    world.put_json("d/zarr.json", &root).await;
    let reason = "IN_CONSOLIDATED_GROUP";
    let request = world.request("g", "d/new", &["time=10"]);
    world.refused(&request, RefusalCode::InvalidArgument, "target", reason).await;
    let request = world.request("g/tas", "d/old", &["time=10"]);
    world.refused(&request, RefusalCode::InvalidArgument, "target", reason).await;
    world.prepared(&world.request("g/tas", "d/older", &["time=10"])).await;
}

#[tokio::test]
async fn an_array_that_readers_of_its_group_would_not_see_is_refused() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    world.v2_group("g").await;
    world.put_json("g/.zmetadata", &json!({"zarr_consolidated_format": 1, "metadata": {}})).await;
    let mut request = world.request("a", "g/tas", &["time=10"]);
    world.refused(&request, RefusalCode::InvalidArgument, "zarr_format", "GROUP_OF_OTHER_FORMAT").await;
    request.zarr_format = Some(ZarrFormat::V2);
    world.prepared(&request).await;
}

#[tokio::test]
async fn overwrite_clears_the_target_in_the_plan_and_says_so() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    world.put("t/c/0/0", "left behind").await;
    let mut request = world.request("a", "t", &["time=10"]);
    request.overwrite = true;
    let before = world.contents().await;
    let prepared = world.prepared(&request).await;
    assert_eq!(world.contents().await, before, "planning writes nothing");
    let cleared: Vec<(PrefixPart, Vec<String>)> = prepared
        .plan
        .stages()
        .filter_map(|stage| {
            let StageFunction::ClearPrefix(clear) = &stage.function else { return None };
            Some((clear.part, clear.prefixes.clone()))
        })
        .collect();
    let target = vec![world.url("t")];
    assert!(cleared.contains(&(PrefixPart::Metadata, target.clone())), "{cleared:?}");
    assert!(cleared.contains(&(PrefixPart::Everything, target)), "{cleared:?}");
    let summary = prepared.plan.summary.expect("a summary");
    assert!(summary.warnings.iter().any(|warning| warning.contains("neither old nor new")), "{:?}", summary.warnings);
    request.target = world.url("free");
    let prepared = world.prepared(&request).await;
    let summary = prepared.plan.summary.expect("a summary");
    assert!(summary.warnings.is_empty(), "nothing to lose at a free target: {:?}", summary.warnings);
}

#[tokio::test]
async fn a_local_target_may_be_an_empty_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let world = World::at(&directory.path().display().to_string());
    world.v3_array("a", &MAPS).await;
    std::fs::create_dir_all(directory.path().join("t/c")).expect("empty directories");
    world.prepared(&world.request("a", "t", &["time=10"])).await;
}

#[tokio::test]
async fn the_documents_of_the_source_are_pinned_in_the_plan() {
    let world = World::new();
    v3_tree(&world).await;
    let prepared = world.prepared(&world.request("g", "t", &["time=10"])).await;
    let pinned: Vec<String> = prepared
        .plan
        .stages()
        .filter_map(|stage| {
            let StageFunction::CheckSource(check) = &stage.function else { return None };
            Some(check.documents.iter().map(|document| document.url.clone()))
        })
        .flatten()
        .collect();
    assert_eq!(pinned.len(), 5, "{pinned:?}");
    assert!(pinned.contains(&world.url("g/sub/pr/zarr.json")), "{pinned:?}");
}

#[tokio::test]
async fn many_small_objects_are_warned_of() {
    let world = World::new();
    world.v3_array("a", &[("x", 200_001, 200_001)]).await;
    let prepared = world.prepared(&world.request("a", "t", &["1"])).await;
    let summary = prepared.plan.summary.expect("a summary");
    assert!(summary.warnings.iter().any(|warning| warning.contains("200001 objects")), "{:?}", summary.warnings);
}

#[tokio::test]
async fn a_job_beside_live_ones_is_accepted_and_one_among_them_refused() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    let live = |path: &str| [LiveSpace { job: JobId::from("job-other"), url: world.url(path) }];
    let request = world.request("a", "t", &["time=10"]);
    assert!(world.prepare_beside(&request, &live("u")).await.is_ok());
    let refusal = world.prepare_beside(&request, &live("t/sub")).await.expect_err("taken");
    assert_eq!((refusal.reason.as_str(), refusal.field.as_deref()), ("LIVE_JOB", Some("target")));
    let refusal = world.prepare_beside(&request, &live(".rechunk-job-0123456789ab/x")).await.expect_err("taken");
    assert_eq!((refusal.reason.as_str(), refusal.field.as_deref()), ("LIVE_JOB", Some("temp")));
}

/// The gap policies of a plan's direct sweeps and exchanges.
fn gaps(prepared: &Prepared) -> Vec<GapPolicy> {
    let gaps = prepared.plan.stages().filter_map(|stage| {
        if let StageFunction::CopyReadToWrite(copy) = &stage.function {
            return Some(copy.gaps);
        }
        let StageFunction::CopyExchangeToWrite(copy) = &stage.function else { return None };
        Some(copy.gaps)
    });
    gaps.collect()
}

#[tokio::test]
async fn where_the_targets_fill_value_differs_every_chunk_is_written() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    let mut request = world.request("a", "t", &["time=10"]);
    let usual = GapPolicy { strict: false, write_empty_chunks: false };
    assert_eq!(gaps(&world.prepared(&request).await), [usual]);
    // Without `_FillValue` the v2 array has none, and what is missing there would read as anything.
    request.zarr_format = Some(ZarrFormat::V2);
    assert_eq!(gaps(&world.prepared(&request).await), [GapPolicy { write_empty_chunks: true, ..usual }]);
    let mut document = v3_array(&MAPS);
    document["attributes"] = json!({"_FillValue": "AAAAAAAAAAA="});
    world.put_json("a/zarr.json", &document).await;
    assert_eq!(gaps(&world.prepared(&request).await), [usual], "the same fill value");
}

#[tokio::test]
async fn strict_and_write_empty_chunks_reach_the_tasks() {
    let world = World::new();
    world.v3_array("a", &MAPS).await;
    let mut request = world.request("a", "t", &["time=10"]);
    request.strict = true;
    request.write_empty_chunks = true;
    assert_eq!(gaps(&world.prepared(&request).await), [GapPolicy { strict: true, write_empty_chunks: true }]);
}

#[tokio::test]
async fn a_sharded_array_is_kept_or_unsharded_as_its_chunks_are() {
    let world = World::new();
    world.v3_array("a", &[("x", 100, 10)]).await;
    let mut request = world.request("a", "t", &["10"]);
    request.shards = vec!["50".to_owned()];
    let sharded = body(&documents(&world.prepared(&request).await), &world.url("t/zarr.json"));
    world.put_json("s/zarr.json", &sharded).await;
    let shards = |prepared: &Prepared| {
        let summary = prepared.plan.summary.as_ref().expect("a summary");
        (summary.arrays[0].target_chunks.clone(), summary.arrays[0].target_shards.clone())
    };
    let kept = world.prepared(&world.request("s", "t", &["10"])).await;
    assert_eq!(shards(&kept), (vec![10], Some(vec![50])));
    let changed = world.prepared(&world.request("s", "t", &["5"])).await;
    assert_eq!(shards(&changed), (vec![5], None));
    let mut request = world.request("s", "t", &["5"]);
    request.shards = vec!["keep".to_owned()];
    assert_eq!(shards(&world.prepared(&request).await), (vec![5], Some(vec![50])));
    request.shards.clear();
    request.chunks = vec!["10".to_owned()];
    request.zarr_format = Some(ZarrFormat::V2);
    world.refused(&request, RefusalCode::InvalidArgument, "zarr_format", "SHARDS_NEED_V3").await;
}

#[tokio::test]
async fn codecs_are_chosen_per_array() {
    let world = World::new();
    v3_tree(&world).await;
    let mut request = world.request("g", "t", &["time=10"]);
    request.codecs = vec!["zstd:3".to_owned(), "tas:none".to_owned()];
    let documents = documents(&world.prepared(&request).await);
    let codecs = |path: &str| {
        let names = body(&documents, &world.url(path))["codecs"].as_array().expect("a list").clone();
        names.iter().map(|codec| codec["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codecs("t/sub/pr/zarr.json"), ["bytes", "zstd"]);
    assert_eq!(codecs("t/tas/zarr.json"), ["bytes"]);
}

#[tokio::test]
async fn a_0_d_array_and_an_empty_one_are_planned() {
    let world = World::new();
    world.v3_array("scalar", &[]).await;
    world.v3_array("empty", &[("x", 0, 4)]).await;
    assert_eq!(target_chunks(&world.prepared(&world.request("scalar", "t", &[""])).await), [("", vec![])]);
    assert_eq!(target_chunks(&world.prepared(&world.request("empty", "t", &["-1"])).await), [("", vec![1])]);
    world.v3_group("group").await;
    let nothing = world.prepared(&world.request("group", "t", &[])).await;
    assert_eq!(urls(&documents(&nothing)), [world.url("t/zarr.json")], "a group without arrays");
}
