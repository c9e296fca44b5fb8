//! `--append`: what becomes of a target that stands, and what cannot go behind it.

use rechunk_common::{
    RefusalCode,
    layout::ArrayLayout,
    plan::{CheckSource, Document, StageEffect, StageFunction},
    request::RechunkRequest,
};
use serde_json::{Value, json};

use super::{
    super::Prepared,
    world::{World, body, documents, urls, v3_array, v3_group},
};

/// Of an array: each a name, a length and a chunk length.
type Axes<'a> = &'a [(&'a str, u64, u64)];

fn asked(world: &World, source: &str, target: &str, dimension: &str) -> RechunkRequest {
    RechunkRequest { append: Some(dimension.to_owned()), ..world.request(source, target, &[]) }
}

/// The layouts of the target that the stages of this name are about.
fn targets<'a>(prepared: &'a Prepared, name: &str) -> Vec<&'a ArrayLayout> {
    let of = |function: &'a StageFunction| {
        if let StageFunction::CopyReadToWrite(copy) = function {
            Some(&copy.target)
        } else if let StageFunction::CopyEncoded(copy) = function {
            Some(&copy.target)
        } else if let StageFunction::Verify(verify) = function {
            Some(&verify.target)
        } else {
            None
        }
    };
    prepared.plan.stages().filter(|stage| stage.name == name).filter_map(|stage| of(&stage.function)).collect()
}

fn pinned(prepared: &Prepared) -> Vec<String> {
    let of = |function: &StageFunction| {
        let StageFunction::CheckSource(CheckSource { documents }) = function else { return Vec::new() };
        documents.iter().map(|pin| pin.url.clone()).collect()
    };
    prepared.plan.stages().flat_map(|stage| of(&stage.function)).collect()
}

#[tokio::test]
async fn what_is_new_goes_behind_what_stands_from_the_last_chunk_with_room_on() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7), ("x", 40, 40)]).await;
    world.v3_array("b", &[("time", 70, 20), ("x", 40, 10)]).await;
    let prepared = world.prepared(&asked(&world, "a", "b", "time")).await;
    let [written] = targets(&prepared, "copy_read_to_write")[..] else { panic!("one copy") };
    assert_eq!((written.bounds().start(), written.bounds().end()), (&[60, 0][..], &[100, 40][..]));
    assert_eq!(written.read_grid().first(), [3, 0], "the chunks that are written are those of the array");
    for (name, chunks) in [("read_source_edge", [7, 40]), ("compare_edge", [20, 10])] {
        let [compared] = targets(&prepared, name)[..] else { panic!("one {name}") };
        assert_eq!((compared.bounds().start(), compared.bounds().end()), (&[60, 0][..], &[70, 40][..]));
        assert_eq!(compared.chunks.read_unit(), chunks, "{name}");
    }
    let effects: Vec<_> = prepared.plan.phases[0].pipelines.pipelines[0].stages.iter().map(|s| s.effect).collect();
    assert_eq!(
        (prepared.plan.phases[0].name.as_str(), &effects[..]),
        ("compare", &[StageEffect::Writes, StageEffect::Verifies][..])
    );
    let totals = prepared.plan.summary.as_ref().expect("a summary").totals;
    assert_eq!(totals.put_requests, 2 * 4, "two rows of chunks");

    let documents = documents(&prepared);
    assert_eq!(urls(&documents), [world.url("b/zarr.json")]);
    let mut expected = v3_array(&[("time", 70, 20), ("x", 40, 10)]);
    expected["shape"] = json!([100, 40]);
    assert_eq!(body(&documents, &world.url("b/zarr.json")), expected, "only its shape is another");
    assert_eq!(pinned(&prepared), [world.url("a/zarr.json"), world.url("b/zarr.json")]);
    let cleaned: Vec<&String> = prepared
        .plan
        .cleanup
        .pipelines
        .iter()
        .flat_map(|pipeline| &pipeline.stages)
        .flat_map(|stage| {
            let StageFunction::ClearPrefix(clear) = &stage.function else { panic!("{stage:?}") };
            clear.prefixes.iter()
        })
        .collect();
    assert!(!cleaned.is_empty() && cleaned.iter().all(|prefix| prefix.contains(".rechunk-")), "{cleaned:?}");
}

#[tokio::test]
async fn chunks_that_are_full_are_not_touched() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 10), ("x", 40, 40)]).await;
    world.v3_array("b", &[("time", 60, 10), ("x", 40, 40)]).await;
    let prepared = world.prepared(&asked(&world, "a", "b", "time")).await;
    let [passed_on] = targets(&prepared, "copy_encoded")[..] else { panic!("the same chunks are passed on") };
    assert_eq!(passed_on.bounds().start(), [60, 0]);
    assert!(targets(&prepared, "compare_edge").is_empty());
    // What an append left behind that came to nothing would show where a chunk of fill values is not written.
    for (key, is_behind) in [("b/c/5/0", false), ("b/c/5/0x", false), ("b/c/9/0", true)] {
        world.put(key, vec![0; 1600]).await;
        let prepared = world.prepared(&asked(&world, "a", "b", "time")).await;
        let copies: Vec<bool> = prepared
            .plan
            .stages()
            .filter_map(|stage| {
                if let StageFunction::CopyEncoded(copy) = &stage.function {
                    Some(copy.gaps.write_empty_chunks)
                } else if let StageFunction::CopyReadToWrite(copy) = &stage.function {
                    Some(copy.gaps.write_empty_chunks)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(copies, [is_behind], "{key}");
    }
}

#[tokio::test]
async fn arrays_of_a_group_grow_and_consolidated_metadata_learns_of_it() {
    let world = World::new();
    let arrays: [(&str, Axes<'_>); 3] =
        [("tas", &[("time", 100, 7), ("x", 40, 40)]), ("time", &[("time", 100, 100)]), ("x", &[("x", 40, 40)])];
    world.v3_group("g").await;
    for (name, axes) in arrays {
        world.v3_array(&format!("g/{name}"), axes).await;
    }
    let shorter = |axes: Axes<'_>| {
        let mut document = v3_array(axes);
        document["shape"][0] = json!(if axes[0].0 == "time" { 90 } else { axes[0].1 });
        document
    };
    let mut group = v3_group();
    group["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": {}});
    for (name, axes) in arrays {
        world.put_json(&format!("b/{name}/zarr.json"), &shorter(axes)).await;
        group["consolidated_metadata"]["metadata"][name] = shorter(axes);
    }
    world.put_json("b/zarr.json", &group).await;
    let prepared = world.prepared(&asked(&world, "g", "b", "time")).await;
    let documents = documents(&prepared);
    let expected = ["b/tas/zarr.json", "b/time/zarr.json", "b/zarr.json"].map(|path| world.url(path));
    assert_eq!(urls(&documents), expected, "what has no such dimension stays");
    let root: Value = body(&documents, &world.url("b/zarr.json"));
    let shape = |name: &str| root["consolidated_metadata"]["metadata"][name]["shape"].clone();
    assert_eq!((shape("tas"), shape("time"), shape("x")), (json!([100, 40]), json!([100]), json!([40])));
    assert!(pinned(&prepared).contains(&world.url("b/zarr.json")));
}

#[tokio::test]
async fn the_enclosing_group_and_the_attributes_of_zarr_v2_are_minded() {
    let world = World::new();
    world.v2_array("a", &[("time", 30, 7)]).await;
    world.v2_group("g").await;
    world.v2_array("g/b", &[("time", 12, 5)]).await;
    world
        .put_json("g/.zmetadata", &json!({"zarr_consolidated_format": 1, "metadata": {".zgroup": {"zarr_format": 2}}}))
        .await;
    let prepared = world.prepared(&asked(&world, "a", "g/b", "time")).await;
    let documents = documents(&prepared);
    assert_eq!(urls(&documents), [world.url("g/b/.zarray"), world.url("g")], "attributes stay");
    let Some(Document::Reconsolidate { node_path, documents, .. }) = documents.last() else { panic!("{documents:?}") };
    let names: Vec<_> = documents.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((node_path.as_str(), &names[..]), ("b", &[".zarray", ".zattrs"][..]));
}

#[tokio::test]
async fn where_nothing_is_new_nothing_is_written() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7)]).await;
    world.v3_array("b", &[("time", 100, 20)]).await;
    let prepared = world.prepared(&asked(&world, "a", "b", "time")).await;
    assert!(documents(&prepared).is_empty());
    let summary = prepared.plan.summary.as_ref().expect("a summary");
    assert_eq!((summary.totals.get_requests, summary.totals.put_requests), (0, 0));
    assert!(summary.warnings.iter().any(|warning| warning.contains("nothing is new")), "{:?}", summary.warnings);
}

#[tokio::test]
async fn consolidated_metadata_that_an_append_did_not_come_to_is_brought_up_to_date_by_the_next() {
    let world = World::new();
    world.v3_group("s").await;
    world.v3_group("g").await;
    let (short, long) = (v3_array(&[("time", 70, 20)]), v3_array(&[("time", 100, 20)]));
    for array in ["s/tas", "g/tas"] {
        world.put_json(&format!("{array}/zarr.json"), &long).await;
    }
    for (listed, is_behind) in [(&short, true), (&long, false)] {
        let mut group = v3_group();
        let metadata = json!({"tas": listed});
        group["consolidated_metadata"] = json!({"kind": "inline", "must_understand": false, "metadata": metadata});
        world.put_json("g/zarr.json", &group).await;
        for (source, target, document) in [("s", "g", "g/zarr.json"), ("s/tas", "g/tas", "g")] {
            let prepared = world.prepared(&asked(&world, source, target, "time")).await;
            let expected = if is_behind { vec![world.url(document)] } else { Vec::new() };
            assert_eq!(urls(&documents(&prepared)), expected, "{source}");
        }
    }
}

#[tokio::test]
async fn an_axis_without_a_name_is_told_by_its_number() {
    let world = World::new();
    for (name, length) in [("a", 9), ("b", 5)] {
        let mut document = v3_array(&[("x", 4, 4), ("y", length, 2)]);
        document.as_object_mut().expect("an object").remove("dimension_names");
        world.put_json(&format!("{name}/zarr.json"), &document).await;
    }
    let prepared = world.prepared(&asked(&world, "a", "b", "1")).await;
    assert_eq!(body(&documents(&prepared), &world.url("b/zarr.json"))["shape"], json!([4, 9]));
    for wrong in ["2", "-1", "y", ""] {
        let request = asked(&world, "a", "b", wrong);
        world.refused(&request, RefusalCode::InvalidArgument, "append", "UNKNOWN_DIMENSION").await;
    }
}

#[tokio::test]
async fn what_does_not_continue_the_target_is_refused_with_what_differs() {
    let world = World::new();
    world.v3_array("b", &[("time", 70, 20), ("x", 40, 10)]).await;
    let source = || v3_array(&[("time", 100, 7), ("x", 40, 40)]);
    let with = |pointer: &str, value: Value| {
        let mut document = source();
        *document.pointer_mut(pointer).expect("a member") = value;
        document
    };
    let cases = [
        (with("/shape", json!([100, 41])), "SHAPES_DIFFER", "[100, 41]"),
        (with("/shape", json!([69, 40])), "SOURCE_IS_SHORTER", "69"),
        (with("/data_type", json!("int32")), "UNSUPPORTED_DTYPE", "float32"),
        (with("/fill_value", json!(1.0)), "FILL_VALUES_DIFFER", "fill value"),
        (with("/attributes", json!({"units": "degC"})), "ENCODINGS_DIFFER", "degC"),
        (with("/dimension_names", json!(["time", "y"])), "DIMENSIONS_DIFFER", "time, y"),
        (v3_array(&[("time", 100, 7)]), "SHAPES_DIFFER", "[100]"),
    ];
    for (document, reason, word) in cases {
        world.put_json("a/zarr.json", &document).await;
        let request = asked(&world, "a", "b", "time");
        let message = world.refused(&request, RefusalCode::InvalidArgument, "target", reason).await;
        assert!(message.contains(word) && message.contains(&world.url("b")), "{message}");
    }
}

#[tokio::test]
async fn a_target_that_does_not_stand_or_is_another_node_is_refused() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7)]).await;
    world.v3_group("g").await;
    world.v3_array("g/tas", &[("time", 100, 7)]).await;
    world.v3_group("other").await;
    world.put("stray/c/0", vec![1]).await;
    for target in ["b", "stray"] {
        let message =
            world.refused(&asked(&world, "a", target, "time"), RefusalCode::NotFound, "target", "NO_SUCH_TARGET").await;
        assert!(message.contains("leave --append out"), "{message}");
    }
    let invalid = RefusalCode::InvalidArgument;
    world.refused(&asked(&world, "a", "other", "time"), invalid, "target", "TARGET_OF_OTHER_KIND").await;
    let message = world.refused(&asked(&world, "g", "other", "time"), invalid, "target", "NOT_IN_TARGET").await;
    assert!(message.contains(r#"--exclude "tas""#), "{message}");
}

#[tokio::test]
async fn what_says_something_else_of_the_target_does_not_go_with_it() {
    let world = World::new();
    world.v3_array("a", &[("time", 100, 7)]).await;
    world.v3_array("b", &[("time", 70, 20)]).await;
    let request = || asked(&world, "a", "b", "time");
    let one = |text: &str| vec![text.to_owned()];
    let cases = [
        (RechunkRequest { chunks: one("5"), ..request() }, "chunks"),
        (RechunkRequest { shards: one("5"), ..request() }, "shards"),
        (RechunkRequest { codecs: one("zstd"), ..request() }, "codecs"),
        (RechunkRequest { region: one("time=0:5"), ..request() }, "region"),
        (RechunkRequest { overwrite: true, ..request() }, "overwrite"),
        (RechunkRequest { consolidate: Some(true), ..request() }, "consolidate"),
        (RechunkRequest { zarr_format: Some(rechunk_common::request::ZarrFormat::V2), ..request() }, "zarr_format"),
    ];
    for (request, field) in cases {
        world.refused(&request, RefusalCode::InvalidArgument, field, "NOT_WITH_APPEND").await;
    }
}
