use proptest::prelude::*;
use rechunk_common::request::ZarrFormat;

use super::{Consolidated, reconsolidate};
use crate::{
    GroupDocument, NamedDocument, NodeDocument, NodeKind,
    document::tests::{PLAIN, V2},
    json::Json,
};

fn named(name: &str, body: &str) -> NamedDocument {
    (name.to_owned(), body.to_owned())
}

fn compact(body: &str) -> String {
    Json::parse("it", body).expect(body).compact()
}

/// Laid out as zarr-python 3.1.6 writes it.
fn zmetadata() -> String {
    format!(
        r#"{{"metadata":{{".zgroup":{{"zarr_format":2}},".zattrs":{{"t":1.0}},"a/.zarray":{V2},"a/.zattrs":{{"z":NaN}},"s/.zgroup":{{"zarr_format":2}},"s/b/.zarray":{V2}}},"zarr_consolidated_format":1}}"#
    )
}

/// Laid out as zarr-python 3.1.6 writes it.
fn zarr_json() -> String {
    let empty = r#""consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{}}"#;
    format!(
        r#"{{"attributes":{{"t":1.0}},"zarr_format":3,"consolidated_metadata":{{"kind":"inline","must_understand":false,"metadata":{{"a":{PLAIN},"s":{{"attributes":{{}},"zarr_format":3,"node_type":"group",{empty}}},"s/b":{PLAIN}}}}},"node_type":"group"}}"#
    )
}

#[test]
fn consolidated_metadata_of_v2_survives() {
    let consolidated = Consolidated::parse_v2(&zmetadata()).expect("valid");
    assert_eq!(consolidated.format(), ZarrFormat::V2);
    assert_eq!(consolidated.nodes().keys().collect::<Vec<_>>(), ["a", "s", "s/b"]);
    let node = NodeDocument::parse(&consolidated.nodes()["a"]).expect("array");
    let NodeDocument::Array(array) = node else { panic!("not an array") };
    assert_eq!(array.attributes_text(), r#"{"z":NaN}"#);
    let root = consolidated.root().expect("valid").expect("there");
    assert_eq!(root.attributes_text(), r#"{"t":1.0}"#);
    let documents = root.documents_with(&consolidated).expect("of one format");
    let names: Vec<_> = documents.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [".zgroup", ".zattrs", ".zmetadata"]);
    assert_eq!(compact(&documents[2].1), zmetadata());
}

#[test]
fn consolidated_metadata_of_v3_survives() {
    let group = GroupDocument::parse_v3(&zarr_json()).expect("valid");
    let consolidated = group.consolidated().expect("valid").expect("there");
    assert_eq!(consolidated.nodes().keys().collect::<Vec<_>>(), ["a", "s", "s/b"]);
    assert_eq!(NodeDocument::parse(&consolidated.nodes()["s"]).expect("group").kind(), NodeKind::Group);
    let [(name, body)] = group.documents_with(&consolidated).expect("of one format").try_into().expect("one");
    assert_eq!(name, "zarr.json");
    assert_eq!(compact(&body), zarr_json());
    let [(_, bare)] = group.documents().try_into().expect("one document");
    assert_eq!(GroupDocument::parse_v3(&bare).expect("valid").consolidated(), Ok(None));
}

#[test]
fn a_group_is_consolidated_from_its_nodes() {
    let mut consolidated = Consolidated::new(ZarrFormat::V3);
    consolidated.insert("s/b", vec![named("zarr.json", PLAIN)]).expect("valid");
    consolidated.insert("s", GroupDocument::new(ZarrFormat::V3).documents()).expect("valid");
    consolidated.insert("a", vec![named("zarr.json", PLAIN)]).expect("valid");
    let group = GroupDocument::new(ZarrFormat::V3);
    let [(_, body)] = group.documents_with(&consolidated).expect("of one format").try_into().expect("one");
    assert_eq!(compact(&body), zarr_json().replace(r#"{"t":1.0}"#, "{}"));
    assert!(GroupDocument::new(ZarrFormat::V2).documents_with(&consolidated).is_err());
}

#[test]
fn a_new_array_is_added_to_what_a_group_has() {
    let new = vec![named("zarr.json", PLAIN)];
    let [(name, body)] = reconsolidate(&[named("zarr.json", &zarr_json())], "s/c", &new)
        .expect("valid")
        .try_into()
        .expect("one document");
    assert_eq!(name, "zarr.json");
    let nodes = GroupDocument::parse_v3(&body).expect("valid").consolidated().expect("valid").expect("there");
    assert_eq!(nodes.nodes().keys().collect::<Vec<_>>(), ["a", "s", "s/b", "s/c"]);

    let new = vec![named(".zarray", &V2.replace("[4,9]", "[2,2]")), named(".zattrs", r#"{"n":NaN}"#)];
    let group = [named(".zgroup", r#"{"zarr_format":2}"#), named(".zmetadata", &zmetadata())];
    let [(name, body)] = reconsolidate(&group, "a", &new).expect("valid").try_into().expect("one document");
    assert_eq!(name, ".zmetadata");
    let expected = zmetadata().replacen("[4,9]", "[2,2]", 1).replace(r#"{"z":NaN}"#, r#"{"n":NaN}"#);
    assert_eq!(compact(&body), expected);
}

#[test]
fn a_group_without_consolidated_metadata_stays_without() {
    let new = vec![named("zarr.json", PLAIN)];
    let [v3] = GroupDocument::new(ZarrFormat::V3).documents().try_into().expect("one document");
    assert_eq!(reconsolidate(&[v3], "c", &new), Ok(vec![]));
    assert_eq!(reconsolidate(&[named(".zgroup", r#"{"zarr_format":2}"#)], "c", &[named(".zarray", V2)]), Ok(vec![]));
    assert_eq!(reconsolidate(&[], "c", &new), Ok(vec![]));
    // A v3 array in a v2 group is not in its `.zmetadata`.
    assert_eq!(reconsolidate(&[named(".zmetadata", &zmetadata())], "c", &new), Ok(vec![]));
}

#[test]
fn what_is_wrong_is_refused() {
    let whole = zmetadata();
    for text in [
        whole.replace(r#""zarr_consolidated_format":1"#, r#""zarr_consolidated_format":2"#),
        whole.replace("a/.zarray", "a/data"),
        whole.replace("a/.zarray", "../.zarray"),
        whole.replace("a/.zarray", "a//.zarray"),
        r#"{"zarr_consolidated_format":1,"metadata":[]}"#.to_owned(),
    ] {
        assert_eq!(Consolidated::parse_v2(&text).expect_err(&text).reason(), "CORRUPT_METADATA");
    }
    for (from, to, reason) in [
        (r#""kind":"inline""#, r#""kind":"elsewhere""#, "UNSUPPORTED_EXTENSION"),
        (r#""s/b""#, r#""../b""#, "CORRUPT_METADATA"),
        (r#""s/b""#, r#""""#, "CORRUPT_METADATA"),
    ] {
        let group = GroupDocument::parse_v3(&zarr_json().replace(from, to)).expect("a group");
        assert_eq!(group.consolidated().expect_err(to).reason(), reason);
    }
    let mut consolidated = Consolidated::new(ZarrFormat::V3);
    assert!(consolidated.insert("a", vec![named(".zarray", V2)]).is_err());
    assert!(consolidated.insert("a", vec![named("zarr.json", "{}")]).is_err());
    assert!(consolidated.insert("a/../b", vec![named("zarr.json", PLAIN)]).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        let _ = Consolidated::parse_v2(&text);
        let group = [named("zarr.json", &text), named(".zmetadata", &text)];
        let _ = reconsolidate(&group, &text, &[named("zarr.json", &text)]);
        let _ = reconsolidate(&group, "a", &[named(".zarray", &text)]);
    }
}
