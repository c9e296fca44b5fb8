use rechunk_common::{geometry::Edges, request::ZarrFormat};

use crate::{
    ArrayDocument, MetadataError, TargetOptions,
    document::tests::{PLAIN, SHARDED, V2, v2, v3},
};

fn options(chunk_shape: &[u64], shard_shape: Option<&[u64]>, codec: Option<&str>) -> TargetOptions {
    TargetOptions {
        chunk_shape: chunk_shape.to_vec(),
        edges: Vec::new(),
        shard_shape: shard_shape.map(<[u64]>::to_vec),
        codec: codec.map(|codec| codec.parse().expect(codec)),
        format: ZarrFormat::V3,
        shape: None,
    }
}

#[test]
fn a_part_of_an_array_has_a_shape_of_its_own_and_all_else_as_it_was() {
    for document in [v3(PLAIN), v3(SHARDED), v2(V2, None)] {
        let rank = document.shape().len();
        let chunk_shape = document.chunk_shape().to_vec();
        let shard_shape = document.shard_shape().map(<[u64]>::to_vec);
        let whole = TargetOptions {
            chunk_shape,
            edges: Vec::new(),
            shard_shape,
            codec: None,
            format: document.format(),
            shape: None,
        };
        let part = TargetOptions { shape: Some(vec![3; rank]), ..whole.clone() };
        let (whole, part) = (document.rewrite(&whole).expect("whole"), document.rewrite(&part).expect("part"));
        assert_eq!(part.shape(), vec![3; rank]);
        assert_eq!(part.dimension_names(), whole.dimension_names());
        assert_eq!(
            part.layout("memory://a").expect("layout").chunks,
            whole.layout("memory://a").expect("layout").chunks
        );
        let wrong = TargetOptions { shape: Some(vec![3; rank + 1]), ..options(&vec![1; rank], None, None) };
        assert!(matches!(v3(PLAIN).rewrite(&wrong), Err(MetadataError::ChunkShape { field: "shape", .. })));
    }
}

fn in_v2(options: TargetOptions) -> TargetOptions {
    TargetOptions { format: ZarrFormat::V2, ..options }
}

/// The one document, on one line.
fn line(document: &ArrayDocument) -> String {
    let body = &document.documents()[0].1;
    crate::json::Json::parse("it", body).expect("valid").compact()
}

#[test]
fn nothing_changes_that_is_not_asked_for() {
    assert_eq!(v3(PLAIN).rewrite(&options(&[8, 9], None, None)), Ok(v3(PLAIN)));
    assert_eq!(v3(SHARDED).rewrite(&options(&[2, 3], Some(&[4, 9]), None)), Ok(v3(SHARDED)));
    let document = v2(V2, Some("{\"a\":NaN}"));
    assert_eq!(document.rewrite(&in_v2(options(&[4, 9], None, None))), Ok(document));
}

#[test]
fn another_grid_changes_the_grid_alone() {
    let target = v3(PLAIN).rewrite(&options(&[2, 3], None, None)).expect("possible");
    assert_eq!(line(&target), PLAIN.replace(r#""chunk_shape":[8,9]"#, r#""chunk_shape":[2,3]"#));
    let target = v3(SHARDED).rewrite(&options(&[1, 9], Some(&[8, 9]), None)).expect("possible");
    let expected = SHARDED.replace("[4,9]", "[8,9]").replace("[2,3]", "[1,9]");
    assert_eq!(line(&target), expected);
    let target = v2(V2, None).rewrite(&in_v2(options(&[1, 1], None, None))).expect("possible");
    assert_eq!(line(&target), V2.replace(r#""chunks":[4,9]"#, r#""chunks":[1,1]"#));
}

#[test]
fn unsharding_leaves_the_inner_chain_and_sharding_puts_the_chain_inside() {
    let plain = v3(SHARDED).rewrite(&options(&[8, 3], None, None)).expect("possible");
    assert_eq!(plain.shard_shape(), None);
    assert!(line(&plain).contains(
        r#""codecs":[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":0,"checksum":false}}],"#
    ));
    let sharded = v3(PLAIN).rewrite(&options(&[4, 3], Some(&[8, 9]), None)).expect("possible");
    assert_eq!((sharded.chunk_shape(), sharded.shard_shape()), ([4, 3].as_slice(), Some([8, 9].as_slice())));
    let expected = PLAIN.replace(
        r#""codecs":["#,
        r#""codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[4,3],"codecs":["#,
    );
    let expected = expected.replace(
        r#"{"name":"crc32c"}]"#,
        r#"{"name":"crc32c"}],"index_codecs":[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}],"index_location":"end"}}]"#,
    );
    assert_eq!(line(&sharded), expected);
    assert!(sharded.layout("a").expect("supported").chunks.is_sharded());
}

#[test]
fn an_index_of_a_sharded_source_is_kept() {
    let start = SHARDED.replace(r#""end""#, r#""start""#).replace(r#",{"name":"crc32c"}"#, "");
    let target = v3(&start).rewrite(&options(&[4, 9], Some(&[8, 9]), Some("none"))).expect("possible");
    assert!(
        line(&target).contains(
            r#""index_codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"index_location":"start""#
        )
    );
    assert!(line(&target).contains(r#""codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"#));
}

#[test]
fn a_codec_takes_the_place_of_the_compressor_alone() {
    let blosc = r#"{"name":"blosc","configuration":{"typesize":4,"cname":"zstd","clevel":5,"shuffle":"shuffle","blocksize":0}},"#;
    for (choice, expected) in [
        ("none", String::new()),
        ("zstd", r#"{"name":"zstd","configuration":{"level":0,"checksum":false}},"#.to_owned()),
        ("zstd:-3", r#"{"name":"zstd","configuration":{"level":-3,"checksum":false}},"#.to_owned()),
        ("gzip:9", r#"{"name":"gzip","configuration":{"level":9}},"#.to_owned()),
        ("zlib", r#"{"name":"numcodecs.zlib","configuration":{"level":1}},"#.to_owned()),
        ("bz2:2", r#"{"name":"numcodecs.bz2","configuration":{"level":2}},"#.to_owned()),
        ("lz4", r#"{"name":"numcodecs.lz4","configuration":{"acceleration":1}},"#.to_owned()),
        (
            "lzma:1",
            r#"{"name":"numcodecs.lzma","configuration":{"format":1,"check":-1,"preset":1,"filters":null}},"#
                .to_owned(),
        ),
        ("blosc", blosc.replace("zstd", "lz4")),
        (
            "blosc:zstd:1:bitshuffle",
            blosc.replace(r#""shuffle":"shuffle""#, r#""shuffle":"bitshuffle""#).replace(":5", ":1"),
        ),
    ] {
        let target = v3(PLAIN).rewrite(&options(&[8, 9], None, Some(choice))).expect(choice);
        assert_eq!(line(&target), PLAIN.replace(blosc, &expected), "{choice}");
    }
    let compressor = r#"{"id":"blosc","cname":"lz4","clevel":5,"shuffle":1,"blocksize":0}"#;
    for (choice, expected) in [
        ("none", "null"),
        ("zstd:7", r#"{"id":"zstd","level":7}"#),
        ("gzip", r#"{"id":"gzip","level":5}"#),
        ("zlib:3", r#"{"id":"zlib","level":3}"#),
        ("bz2", r#"{"id":"bz2","level":1}"#),
        ("lz4", r#"{"id":"lz4","acceleration":1}"#),
        ("lzma", r#"{"id":"lzma","format":1,"check":-1,"preset":6,"filters":null}"#),
        ("blosc:lz4hc:9:noshuffle", r#"{"id":"blosc","cname":"lz4hc","clevel":9,"shuffle":0,"blocksize":0}"#),
    ] {
        let target = v2(V2, None).rewrite(&in_v2(options(&[4, 9], None, Some(choice)))).expect(choice);
        assert_eq!(line(&target), V2.replace(compressor, expected), "{choice}");
    }
}

#[test]
fn a_compressor_among_the_filters_of_v2_is_replaced_too() {
    let filters = r#"[{"id":"shuffle","elementsize":4},{"id":"zlib","level":4},{"id":"fletcher32"}]"#;
    let source = V2.replace(r#"[{"id":"shuffle","elementsize":4}]"#, filters);
    let target = v2(&source, None).rewrite(&in_v2(options(&[4, 9], None, Some("zstd")))).expect("possible");
    let expected =
        r#"{"filters":[{"id":"shuffle","elementsize":4},{"id":"fletcher32"}],"compressor":{"id":"zstd","level":0}}"#;
    assert_eq!(target.codecs_text(), expected);
}

#[test]
fn a_chain_without_a_compressor_gets_one_before_its_checksum() {
    let blosc = r#"{"name":"blosc","configuration":{"typesize":4,"cname":"zstd","clevel":5,"shuffle":"shuffle","blocksize":0}},"#;
    let bare = PLAIN.replace(blosc, "");
    let gzip = r#"{"name":"gzip","configuration":{"level":1}},"#;
    let target = v3(&bare).rewrite(&options(&[8, 9], None, Some("gzip:1"))).expect("possible");
    assert_eq!(line(&target), PLAIN.replace(blosc, gzip));
    let unchecked = bare.replace(r#",{"name":"crc32c"}"#, "");
    let target = v3(&unchecked).rewrite(&options(&[8, 9], None, Some("gzip:1"))).expect("possible");
    assert_eq!(line(&target), PLAIN.replace(blosc, gzip).replace(r#",{"name":"crc32c"}"#, ""));
}

#[test]
fn json_replaces_the_whole_chain_of_its_format() {
    let list = r#"[{"name":"bytes","configuration":{"endian":"big"}},{"name":"zstd"}]"#;
    let target = v3(SHARDED).rewrite(&options(&[2, 3], Some(&[4, 9]), Some(list))).expect("possible");
    assert_eq!(target.codecs_text(), list);
    let from_v2 = v2(V2, None).rewrite(&options(&[4, 9], None, Some(list))).expect("possible");
    assert_eq!(from_v2.codecs_text(), list);
    let v2_choice = r#"{"compressor":{"id":"zlib","level":2},"filters":null}"#;
    let target = v2(V2, None).rewrite(&in_v2(options(&[4, 9], None, Some(v2_choice)))).expect("possible");
    assert_eq!(target.codecs_text(), r#"{"filters":null,"compressor":{"id":"zlib","level":2}}"#);
    // What would be replaced need not be convertible.
    let checked = v3(PLAIN).rewrite(&in_v2(options(&[8, 9], None, Some(v2_choice)))).expect("possible");
    assert_eq!(checked.codecs_text(), target.codecs_text());
    for (document, choice, format) in [(PLAIN, list, ZarrFormat::V2), (PLAIN, v2_choice, ZarrFormat::V3)] {
        let options = TargetOptions { format, ..options(&[8, 9], None, Some(choice)) };
        assert_eq!(v3(document).rewrite(&options).expect_err(choice).reason(), "INVALID_CODEC");
    }
}

#[test]
fn choices_that_cannot_be_parsed_are_refused_by_name() {
    for (choice, reason) in [
        ("lz4:3", "INVALID_CODEC"),
        ("lzma:10", "INVALID_CODEC"),
        ("snappy", "INVALID_CODEC"),
        ("", "INVALID_CODEC"),
        ("none:1", "INVALID_CODEC"),
        ("zstd:23", "INVALID_CODEC"),
        ("zstd:x", "INVALID_CODEC"),
        ("zstd:1:2", "INVALID_CODEC"),
        ("gzip:10", "INVALID_CODEC"),
        ("bz2:0", "INVALID_CODEC"),
        ("blosc:snappy", "INVALID_CODEC"),
        ("blosc:lz4:5:sideways", "INVALID_CODEC"),
        ("blosc:lz4:5:shuffle:4", "INVALID_CODEC"),
        ("[", "INVALID_CODEC"),
        (r#"["zstd"]"#, "CORRUPT_METADATA"),
        (r#"["bytes","lz4"]"#, "UNSUPPORTED_CODEC"),
        (r#"{"codec":1}"#, "INVALID_CODEC"),
    ] {
        let error = choice.parse::<crate::CodecChoice>().expect_err(choice);
        assert_eq!(error.reason(), reason, "{choice}: {error}");
    }
}

#[test]
fn shapes_that_the_array_cannot_have_are_refused() {
    for options in [
        options(&[8], None, None),
        options(&[8, 0], None, None),
        options(&[2, 3], Some(&[4, 8]), None),
        options(&[2, 3], Some(&[4]), None),
        options(&[2, 3], Some(&[0, 3]), None),
        in_v2(options(&[2, 3], Some(&[4, 9]), None)),
    ] {
        let error = v3(SHARDED).rewrite(&options).expect_err("impossible");
        assert!(matches!(error, MetadataError::ChunkShape { .. }), "{error}");
    }
}

#[test]
fn the_byte_order_of_text_cannot_be_changed() {
    let text = PLAIN
        .replace(r#""int32""#, r#"{"name":"fixed_length_utf32","configuration":{"length_bytes":8}}"#)
        .replace(r#""fill_value":0"#, r#""fill_value":"""#);
    let big = r#"[{"name":"bytes","configuration":{"endian":"big"}}]"#;
    let error = v3(&text).rewrite(&options(&[8, 9], None, Some(big))).expect_err("a swap");
    assert_eq!(error.reason(), "UNSUPPORTED_DTYPE");
    assert!(v3(&text).rewrite(&options(&[8, 9], None, Some(&big.replace("big", "little")))).is_ok());
    assert!(v3(PLAIN).rewrite(&options(&[8, 9], None, Some(big))).is_ok());
}

#[test]
fn chunks_that_differ_in_length_are_spelt_as_a_rectilinear_grid() {
    let edges = Edges::new([3, 2, 2, 1]).expect("chunks");
    let unequal = TargetOptions { edges: vec![Some(edges.clone()), None], ..options(&[3, 4], None, None) };
    let document = v3(PLAIN).rewrite(&unequal).expect("possible");
    let [(_, text)] = document.documents().try_into().expect("one document");
    let compact: String = text.split_whitespace().collect();
    let grid =
        r#""chunk_grid":{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":[[3,[2,2],1],4]}}"#;
    assert!(compact.contains(grid), "{text}");
    assert_eq!(v3(&text), document);
    assert_eq!(document.edges(), unequal.edges);
    // And back to a regular one.
    let regular = document.rewrite(&options(&[8, 9], None, None)).expect("possible");
    assert_eq!(regular, v3(PLAIN));
    assert!(document.rewrite(&in_v2(options(&[8, 9], None, None))).is_ok());
    for (wrong, reason) in [
        (in_v2(unequal.clone()), "NO_CONVERSION"),
        (TargetOptions { shard_shape: Some(vec![6, 8]), ..unequal.clone() }, "INVALID_CHUNK_SHAPE"),
        (TargetOptions { edges: vec![Some(edges.clone())], ..unequal.clone() }, "INVALID_CHUNK_SHAPE"),
        (TargetOptions { shape: Some(vec![9, 9]), ..unequal }, "INVALID_CHUNK_SHAPE"),
    ] {
        assert_eq!(v3(PLAIN).rewrite(&wrong).expect_err("refused").reason(), reason);
    }
}
