use proptest::prelude::*;
use rechunk_common::{
    geometry::Edges,
    layout::{ChunkKeys, ChunkLayout, IndexLocation, Separator},
    request::ZarrFormat,
};

use crate::{ArrayDocument, GroupDocument, MetadataError, NodeDocument, NodeKind};

/// As zarr-python 3.1.6 writes it.
pub(crate) const SHARDED: &str = r#"{"shape":[8,9],"data_type":"float32","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[4,9]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":"NaN","codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[2,3],"codecs":[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":0,"checksum":false}}],"index_codecs":[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}],"index_location":"end"}}],"attributes":{"a":NaN,"b":1000000000000000000000000000000,"c":[1.0,1]},"dimension_names":["x",null],"zarr_format":3,"node_type":"array","storage_transformers":[]}"#;

/// As zarr-python 3.1.6 writes it.
pub(crate) const PLAIN: &str = r#"{"shape":[8,9],"data_type":"int32","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[8,9]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":0,"codecs":[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"little"}},{"name":"blosc","configuration":{"typesize":4,"cname":"zstd","clevel":5,"shuffle":"shuffle","blocksize":0}},{"name":"crc32c"}],"attributes":{},"zarr_format":3,"node_type":"array","storage_transformers":[]}"#;

/// As zarr-python 3.1.6 writes it.
pub(crate) const V2: &str = r#"{"shape":[8,9],"chunks":[4,9],"dtype":">i4","fill_value":-7,"order":"F","filters":[{"id":"shuffle","elementsize":4}],"dimension_separator":"/","compressor":{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0},"zarr_format":2}"#;

pub(crate) fn v3(text: &str) -> ArrayDocument {
    ArrayDocument::parse_v3(text).expect(text)
}

pub(crate) fn v2(zarray: &str, zattrs: Option<&str>) -> ArrayDocument {
    ArrayDocument::parse_v2(zarray, zattrs).expect(zarray)
}

#[test]
fn a_sharded_v3_array_is_described_and_laid_out() {
    let document = v3(SHARDED);
    assert_eq!(document.format(), ZarrFormat::V3);
    assert_eq!(document.shape(), [8, 9]);
    assert_eq!(document.chunk_shape(), [2, 3]);
    assert_eq!(document.shard_shape(), Some([4, 9].as_slice()));
    assert_eq!(document.dimension_names(), Some(vec![Some("x".to_owned()), None]));
    assert_eq!(document.dtype_text(), "float32");
    assert_eq!(document.fill_value_text(), "\"NaN\"");
    let layout = document.layout("memory://a").expect("supported");
    assert_eq!(layout.url, "memory://a");
    assert_eq!((layout.element.data_type.as_str(), layout.element.width), ("uint32", 4));
    assert_eq!(layout.fill, f32::NAN.to_le_bytes());
    assert!(layout.has_fill);
    assert_eq!(layout.keys, ChunkKeys::Default { separator: Separator::Slash });
    let expected = ChunkLayout::Sharded {
        shard_shape: vec![4, 9],
        chunk_shape: vec![2, 3],
        codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":0,"checksum":false}}]"#.to_owned(),
        index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.to_owned(),
        index_location: IndexLocation::End,
    };
    assert_eq!(layout.chunks, expected);
}

#[test]
fn a_v2_array_is_laid_out_as_the_v3_chain_that_does_the_same() {
    let document = v2(V2, Some(r#"{"_ARRAY_DIMENSIONS":["t","x"],"u":1e3}"#));
    assert_eq!(document.format(), ZarrFormat::V2);
    assert_eq!(document.dimension_names(), Some(vec![Some("t".to_owned()), Some("x".to_owned())]));
    assert_eq!(document.dtype_text(), ">i4");
    assert_eq!(document.attribute("u").as_deref(), Some("1e3"));
    assert_eq!(document.attribute("v"), None);
    let layout = document.layout("memory://a").expect("supported");
    assert_eq!(layout.keys, ChunkKeys::V2 { separator: Separator::Slash });
    assert_eq!(layout.fill, (-7_i32).to_le_bytes());
    let expected = ChunkLayout::Plain {
        chunk_shape: vec![4, 9],
        codecs: r#"[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"big"}},{"name":"numcodecs.shuffle","configuration":{"elementsize":4}},{"name":"blosc","configuration":{"typesize":4,"cname":"lz4","clevel":5,"shuffle":"shuffle","blocksize":0}}]"#.to_owned(),
    };
    assert_eq!(layout.chunks, expected);
}

#[test]
fn null_of_v2_is_no_fill_value_and_a_missing_separator_is_a_dot() {
    let zarray = V2.replace("-7", "null").replace(r#""dimension_separator":"/","#, "");
    let layout = v2(&zarray, None).layout("a").expect("supported");
    assert!(!layout.has_fill);
    assert_eq!(layout.fill, [0; 4]);
    assert_eq!(layout.keys, ChunkKeys::V2 { separator: Separator::Dot });
}

#[test]
fn an_empty_axis_of_v2_may_have_empty_chunks() {
    let zarray = V2.replace(r#""shape":[8,9]"#, r#""shape":[0,9]"#).replace("[4,9]", "[0,9]");
    let layout = v2(&zarray, None).layout("a").expect("supported");
    assert_eq!(layout.chunks.read_unit(), [1, 9]);
    assert_eq!(layout.write_grid().len(), 0);
    for chunks in ["[0,9]", "[4]", "[4,9,1]"] {
        let error = ArrayDocument::parse_v2(&V2.replace("[4,9]", chunks), None).expect_err(chunks);
        assert_eq!(error.reason(), "CORRUPT_METADATA", "{chunks}");
    }
}

#[test]
fn dimensions_of_another_number_than_the_axes_are_no_names() {
    for attributes in [r#"{"_ARRAY_DIMENSIONS":["t"]}"#, r#"{"_ARRAY_DIMENSIONS":[1,2]}"#, "{}"] {
        assert_eq!(v2(V2, Some(attributes)).dimension_names(), None, "{attributes}");
    }
}

#[test]
fn attributes_pass_through_as_text() {
    let attributes = r#"{"z":NaN,"a":[Infinity,-Infinity],"big":1000000000000000000000000000000,"one":1,"float":1.0,"e":1E+5,"text":"\u00e9\/\ud800"}"#;
    let document = v2(V2, Some(attributes));
    assert_eq!(document.attributes_text(), attributes);
    let documents = document.documents();
    assert_eq!(documents.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [".zarray", ".zattrs"]);
    assert_eq!(v2(&documents[0].1, Some(&documents[1].1)), document);
    let v3 = v3(&SHARDED.replace(r#"{"a":NaN,"b":1000000000000000000000000000000,"c":[1.0,1]}"#, attributes));
    assert_eq!(v3.attributes_text(), attributes);
    let [(name, body)] = v3.documents().try_into().expect("one document");
    assert_eq!(name, "zarr.json");
    assert_eq!(ArrayDocument::parse_v3(&body), Ok(v3));
}

#[test]
fn a_v2_array_without_attributes_has_no_document_for_them() {
    assert_eq!(v2(V2, None).documents().len(), 1);
    assert_eq!(v2(V2, None).attributes_text(), "{}");
}

#[test]
fn chunks_of_a_rectilinear_grid_are_as_long_as_it_says() {
    let grid = r#"{"name":"regular","configuration":{"chunk_shape":[8,9]}}"#;
    let parsed = |lengths: &str| {
        let of = format!(r#"{{"name":"rectilinear","configuration":{{"kind":"inline","chunk_shapes":{lengths}}}}}"#);
        v3(&PLAIN.replace(grid, &of))
    };
    let runs = |document: &ArrayDocument| -> Vec<Vec<(u64, u64)>> {
        document.edges().iter().map(|edges| edges.as_ref().map(Edges::runs).unwrap_or_default()).collect()
    };
    let document = parsed("[[3,[2,2],1],4]");
    assert_eq!((document.chunk_shape(), runs(&document)), (&[3, 4][..], vec![vec![(3, 1), (2, 2), (1, 1)], vec![]]));
    let layout = document.layout("memory://a").expect("readable");
    let starts: Vec<Vec<u64>> = (0..layout.write_grid().len())
        .map(|i| layout.write_grid().region(i).expect("a chunk").start().to_vec())
        .collect();
    assert_eq!(starts[..4], [vec![0, 0], vec![0, 4], vec![0, 8], vec![3, 0]]);
    // What is left over is no chunk, and what is alike is regular.
    assert_eq!(runs(&parsed("[[3,[2,2],7,5,[6,1000000000000]],9]")), [vec![(3, 1), (2, 2), (7, 1)], vec![]]);
    for regular in ["[[8],[9]]", "[[[3,1000000000000]],[[2,4],[2,9]]]", "[[8,5],[4,4,4]]", "[5,7]"] {
        assert!(parsed(regular).edges().is_empty(), "{regular}");
    }
    assert_eq!(parsed("[[[3,1000000000000]],[[2,4],[2,9]]]").chunk_shape(), [3, 2]);
}

#[test]
fn what_is_wrong_with_a_v3_document_is_named() {
    let grid = r#"{"name":"regular","configuration":{"chunk_shape":[8,9]}}"#;
    let keys = r#"{"name":"default","configuration":{"separator":"/"}}"#;
    let hexagonal = r#"{"name":"hexagonal"}"#;
    let unequal = |kind: &str, lengths: &str| {
        format!(r#"{{"name":"rectilinear","configuration":{{"kind":"{kind}","chunk_shapes":{lengths}}}}}"#)
    };
    for (from, to, reason, word) in [
        (r#""zarr_format":3"#, r#""zarr_format":2"#, "CORRUPT_METADATA", "zarr_format"),
        (r#""array""#, r#""group""#, "WRONG_NODE", "group"),
        (r#""shape":[8,9]"#, r#""shape":[8,-9]"#, "CORRUPT_METADATA", "shape"),
        (r#""shape":[8,9]"#, r#""shape":[8]"#, "CORRUPT_METADATA", "chunk_shape"),
        (grid, hexagonal, "UNSUPPORTED_EXTENSION", "hexagonal"),
        (grid, &unequal("far", "[8,9]"), "UNSUPPORTED_EXTENSION", "rectilinear of kind \"far\""),
        (grid, &unequal("inline", "[8]"), "CORRUPT_METADATA", "1 axes"),
        (grid, &unequal("inline", "8"), "CORRUPT_METADATA", "chunk_shapes"),
        (grid, &unequal("inline", "[8,0]"), "CORRUPT_METADATA", "length is 0"),
        (grid, &unequal("inline", "[[5,0],9]"), "CORRUPT_METADATA", "is 0"),
        (grid, &unequal("inline", "[[5,[3,0]],9]"), "CORRUPT_METADATA", "is 0"),
        (grid, &unequal("inline", "[[5,[3,1,1]],9]"), "CORRUPT_METADATA", "list of lengths"),
        (grid, &unequal("inline", "[[],9]"), "CORRUPT_METADATA", "list of lengths"),
        (grid, &unequal("inline", "[[5,2],9]"), "CORRUPT_METADATA", "end before the axis of 8 elements"),
        (grid, &grid.replace("8,9", "8,0"), "CORRUPT_METADATA", "length is 0"),
        (keys, r#""suffix""#, "UNSUPPORTED_EXTENSION", "suffix"),
        (keys, &keys.replace('/', "-"), "CORRUPT_METADATA", "separator"),
        (r#""storage_transformers":[]"#, r#""storage_transformers":["cache"]"#, "UNSUPPORTED_EXTENSION", "cache"),
        (r#""storage_transformers":[]"#, r#""magic":{"name":"x"}"#, "UNSUPPORTED_EXTENSION", "magic"),
        (r#""storage_transformers":[]"#, r#""dimension_names":["x"]"#, "CORRUPT_METADATA", "dimension_names"),
        (r#""attributes":{}"#, r#""attributes":[]"#, "CORRUPT_METADATA", "attributes"),
        (r#""fill_value":0,"#, "", "CORRUPT_METADATA", "fill_value"),
        (r#""codecs":"#, r#""kodecs":"#, "UNSUPPORTED_EXTENSION", "kodecs"),
    ] {
        let text = PLAIN.replace(from, to);
        assert_ne!(text, PLAIN);
        let error = ArrayDocument::parse_v3(&text).expect_err(to);
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let long = PLAIN
        .replace(r#""shape":[8,9]"#, r#""shape":[99999,9]"#)
        .replace(grid, &unequal("inline", "[[3,[2,50000]],9]"));
    let error = ArrayDocument::parse_v3(&long).expect_err("too many chunks");
    assert!(error.to_string().contains("32768") && error.reason() == "LIMIT_EXCEEDED", "{error} {}", error.reason());
    let ignorable = PLAIN.replace(r#""storage_transformers":[]"#, r#""magic":{"must_understand":false}"#);
    assert!(ArrayDocument::parse_v3(&ignorable).is_ok());
}

#[test]
fn what_cannot_be_copied_is_described_but_not_laid_out() {
    for (from, to, reason) in [
        (r#""data_type":"int32""#, r#""data_type":"variable_length_utf8""#, "UNSUPPORTED_DTYPE"),
        (r#""fill_value":0"#, r#""fill_value":0.5"#, "INVALID_FILL_VALUE"),
        (r#"{"name":"crc32c"}"#, r#"{"name":"numcodecs.zfpy"}"#, "UNSUPPORTED_CODEC"),
        (r#""order":[1,0]"#, r#""order":[0]"#, "UNSUPPORTED_CODEC"),
        (r#""chunk_shape":[8,9]"#, r#""chunk_shape":[1073741824,9]"#, "LIMIT_EXCEEDED"),
    ] {
        let text = PLAIN.replace(from, to);
        assert_ne!(text, PLAIN);
        let document = v3(&text);
        assert!(!document.dtype_text().is_empty());
        assert_eq!(document.layout("a").expect_err(to).reason(), reason, "{to}");
    }
    let nested = SHARDED.replace(r#""name":"zstd""#, r#""name":"sharding_indexed""#);
    assert_eq!(v3(&nested).layout("a").expect_err("nested").reason(), "UNSUPPORTED_CODEC");
    for (filter, reason) in [
        ("base64", "UNSUPPORTED_CODEC"),
        ("vlen-utf8", "UNSUPPORTED_DTYPE"),
        ("vlen-bytes", "UNSUPPORTED_DTYPE"),
        ("json2", "UNSUPPORTED_DTYPE"),
        ("pickle", "UNSUPPORTED_DTYPE"),
    ] {
        let document = v2(&V2.replace(r#""id":"shuffle""#, &format!(r#""id":"{filter}""#)), None);
        let error = document.layout("a").expect_err(filter);
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(filter), "{error}");
    }
    let zfpy = v2(&V2.replace(r#""id":"blosc""#, r#""id":"zfpy""#), None).layout("a").expect_err("zfpy");
    assert_eq!(zfpy.to_string(), "codec zfpy is not supported: rechunk has no such codec");
}

#[test]
fn codecs_around_shards_and_uneven_shards_are_refused() {
    let around = SHARDED.replace(r#""end"}}]"#, r#""end"}},{"name":"gzip"}]"#);
    let error = ArrayDocument::parse_v3(&around).expect_err("gzip around");
    assert_eq!(error.to_string(), "codec gzip is not supported: codecs around sharding_indexed");
    let uneven = SHARDED.replace(r#""chunk_shape":[2,3]"#, r#""chunk_shape":[3,3]"#);
    assert_eq!(ArrayDocument::parse_v3(&uneven).expect_err("uneven").reason(), "CORRUPT_METADATA");
}

#[test]
fn a_node_is_what_its_documents_say() {
    let named = |name: &str, body: &str| (name.to_owned(), body.to_owned());
    let array = NodeDocument::parse(&[named(".zarray", V2), named(".zattrs", "{}")]).expect("array");
    assert_eq!(array.kind(), NodeKind::Array);
    assert_eq!(array.documents().len(), 2);
    let group = NodeDocument::parse(&[named(".zgroup", r#"{"zarr_format":2}"#)]).expect("group");
    assert_eq!(group.kind(), NodeKind::Group);
    assert_eq!(NodeDocument::parse_v3(PLAIN).expect("array").kind(), NodeKind::Array);
    let both = NodeDocument::parse(&[named(".zgroup", r#"{"zarr_format":2}"#), named("zarr.json", PLAIN)]);
    assert_eq!(both.expect("v3 wins").kind(), NodeKind::Array);
    assert_eq!(NodeDocument::parse(&[]).expect_err("nothing").reason(), "WRONG_NODE");
}

#[test]
fn a_document_over_the_limit_is_refused() {
    let text = format!("{PLAIN}{}", " ".repeat(8 << 20));
    assert!(matches!(ArrayDocument::parse_v3(&text), Err(MetadataError::Limit { .. })));
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,80}") {
        let _ = ArrayDocument::parse_v3(&text);
        let _ = ArrayDocument::parse_v2(&text, Some(&text));
        let _ = GroupDocument::parse_v3(&text);
        let _ = GroupDocument::parse_v2(&text, Some(&text));
    }

    #[test]
    fn no_damage_makes_the_parsers_panic(
        which in 0_usize..3,
        places in prop::collection::vec((any::<prop::sample::Index>(), "[0-9\\[\\]{}\",:a-z-]{0,3}"), 1..4),
    ) {
        let mut text = [SHARDED, PLAIN, V2][which].to_owned();
        for (place, by) in places {
            let at = place.index(text.len());
            text.replace_range(at..=at, &by);
        }
        let document = if which == 2 { ArrayDocument::parse_v2(&text, None) } else { ArrayDocument::parse_v3(&text) };
        if let Ok(document) = document {
            let _ = document.layout("a");
            let _ = document.documents();
            let format = if which == 2 { ZarrFormat::V3 } else { ZarrFormat::V2 };
            let chunk_shape = document.chunk_shape().to_vec();
            let _ = document.rewrite(&crate::TargetOptions { chunk_shape, edges: Vec::new(), shard_shape: None, codec: None, format, shape: None });
        }
    }
}
