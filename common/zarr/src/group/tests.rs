use rechunk_common::request::ZarrFormat;

use crate::{GroupDocument, json::Json};

fn lines(group: &GroupDocument) -> Vec<(String, String)> {
    let documents = group.documents();
    documents.into_iter().map(|(name, body)| (name, Json::parse("it", &body).expect("valid").compact())).collect()
}

fn named(name: &str, body: &str) -> (String, String) {
    (name.to_owned(), body.to_owned())
}

#[test]
fn a_group_keeps_its_attributes_as_text_in_both_formats() {
    let attributes = r#"{"z":NaN,"a":1.0,"big":1000000000000000000000000000000}"#;
    let v2 = GroupDocument::parse_v2(r#"{"zarr_format":2}"#, Some(attributes)).expect("valid");
    assert_eq!(v2.attributes_text(), attributes);
    assert_eq!(lines(&v2), [named(".zgroup", r#"{"zarr_format":2}"#), named(".zattrs", attributes)]);
    let v3 = v2.convert(ZarrFormat::V3);
    let body = format!(r#"{{"attributes":{attributes},"zarr_format":3,"node_type":"group"}}"#);
    assert_eq!(lines(&v3), [named("zarr.json", &body)]);
    assert_eq!(GroupDocument::parse_v3(&body), Ok(v3.clone()));
    assert_eq!(v3.convert(ZarrFormat::V2), v2);
    assert_eq!(v3.convert(ZarrFormat::V3), v3);
}

#[test]
fn a_group_without_attributes_has_no_document_for_them() {
    let v2 = GroupDocument::parse_v2(r#"{"zarr_format":2}"#, None).expect("valid");
    assert_eq!(v2, GroupDocument::new(ZarrFormat::V2));
    assert_eq!(lines(&v2), [named(".zgroup", r#"{"zarr_format":2}"#)]);
    assert_eq!(GroupDocument::new(ZarrFormat::V3).convert(ZarrFormat::V2), v2);
    let v3 = lines(&GroupDocument::new(ZarrFormat::V3));
    assert_eq!(v3, [named("zarr.json", r#"{"attributes":{},"zarr_format":3,"node_type":"group"}"#)]);
}

#[test]
fn what_is_no_group_is_refused() {
    for (text, reason) in [
        (r#"{"zarr_format":3,"node_type":"array"}"#, "WRONG_NODE"),
        (r#"{"zarr_format":3}"#, "CORRUPT_METADATA"),
        (r#"{"zarr_format":2,"node_type":"group"}"#, "CORRUPT_METADATA"),
        (r#"{"zarr_format":3,"node_type":"group","attributes":3}"#, "CORRUPT_METADATA"),
        (r#"{"zarr_format":3,"node_type":"group","magic":{}}"#, "UNSUPPORTED_EXTENSION"),
        ("[]", "CORRUPT_METADATA"),
    ] {
        assert_eq!(GroupDocument::parse_v3(text).expect_err(text).reason(), reason, "{text}");
    }
    assert!(GroupDocument::parse_v2(r#"{"zarr_format":3}"#, None).is_err());
    assert!(GroupDocument::parse_v2(r#"{"zarr_format":2}"#, Some("[")).is_err());
}
