//! Metadata documents: parsed, made to layouts, converted to the other format; and indexes of references.

use std::hint::black_box;

use rechunk_common::request::ZarrFormat;
use rechunk_storage::check_index;
use rechunk_zarr::{ArrayDocument, Consolidated, GroupDocument, NamedDocument, NodeDocument, TargetOptions};

/// Between the documents of one input; no JSON has it.
const SEPARATOR: char = '\0';

/// The name of an index of references.
const INDEX: &str = "refs.json";

/// Documents, each a name, a line feed and a body, with zero bytes in between.
pub(super) fn read(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let documents: Vec<NamedDocument> = text
        .split(SEPARATOR)
        .filter_map(|document| document.split_once('\n'))
        .map(|(name, body)| (name.to_owned(), body.to_owned()))
        .collect();
    if let Some((_, body)) = documents.iter().find(|(name, _)| name == ".zmetadata")
        && let Ok(consolidated) = Consolidated::parse_v2(body)
    {
        read_consolidated(&consolidated);
    }
    for (_, body) in documents.iter().filter(|(name, _)| name == INDEX) {
        if let Err(reason) = check_index(body.as_bytes()) {
            assert!(!reason.is_empty() && reason.len() < 2_000, "{reason}");
        }
    }
    match NodeDocument::parse(&documents) {
        Ok(NodeDocument::Array(array)) => read_array(&array),
        Ok(NodeDocument::Group(group)) => read_group(&group),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn read_array(array: &ArrayDocument) {
    let again = NodeDocument::parse(&array.documents());
    assert_eq!(again.as_ref(), Ok(&NodeDocument::Array(array.clone())), "a document is not read again");
    black_box((array.dtype_text(), array.fill_value_text(), array.codecs_text(), array.attributes_text()));
    black_box(array.dimension_names());
    if let Ok(layout) = array.layout("memory://a") {
        assert_eq!(layout.shape, array.shape());
    }
    for format in [ZarrFormat::V2, ZarrFormat::V3] {
        let options = TargetOptions {
            chunk_shape: array.chunk_shape().to_vec(),
            edges: Vec::new(),
            shard_shape: None,
            codec: None,
            format,
            shape: None,
        };
        if let Ok(converted) = array.rewrite(&options) {
            assert_eq!((converted.format(), converted.shape()), (format, array.shape()));
        }
    }
}

fn read_group(group: &GroupDocument) {
    assert!(NodeDocument::parse(&group.documents()).is_ok(), "a group is not read again");
    if let Ok(Some(consolidated)) = group.consolidated() {
        read_consolidated(&consolidated);
    }
}

fn read_consolidated(consolidated: &Consolidated) {
    black_box(consolidated.root().is_ok());
    for documents in consolidated.nodes().values() {
        if let Ok(NodeDocument::Array(array)) = NodeDocument::parse(documents) {
            read_array(&array);
        }
    }
}
