use rechunk_common::request::ZarrFormat;

use crate::{
    ArrayDocument, TargetOptions,
    document::tests::{PLAIN, SHARDED, V2, v2, v3},
    json::Json,
};

/// The converted documents, each on one line.
fn converted(source: &ArrayDocument, format: ZarrFormat) -> Vec<String> {
    let chunk_shape = source.chunk_shape().to_vec();
    let options = TargetOptions { chunk_shape, edges: Vec::new(), shard_shape: None, codec: None, format, shape: None };
    let target = source.rewrite(&options).expect("convertible");
    target.layout("a").expect("supported");
    target.documents().iter().map(|(name, body)| Json::parse(name, body).expect("valid").compact()).collect()
}

fn refused(source: &ArrayDocument, format: ZarrFormat) -> String {
    let chunk_shape = source.chunk_shape().to_vec();
    let error = source.rewrite(&TargetOptions {
        chunk_shape,
        edges: Vec::new(),
        shard_shape: None,
        codec: None,
        format,
        shape: None,
    });
    let error = error.expect_err("not convertible");
    assert_eq!(error.reason(), "NO_CONVERSION", "{error}");
    error.to_string()
}

/// `i` of a dataset with `_FillValue` -9 and dimension `x`, written by xarray 2026.9 to both formats; without the codecs,
/// whose defaults differ, and with the same fill for what is missing.
const XARRAY_V2: &str = r#"{"shape":[3],"chunks":[3],"dtype":"<i2","fill_value":-9,"order":"C","filters":null,"dimension_separator":".","compressor":null,"zarr_format":2}"#;
const XARRAY_V3: &str = r#"{"shape":[3],"data_type":"int16","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[3]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":-9,"codecs":[{"name":"bytes","configuration":{"endian":"little"}}],"attributes":{"u":1.0,"_FillValue":-9},"dimension_names":["x"],"zarr_format":3,"node_type":"array","storage_transformers":[]}"#;

#[test]
fn an_array_of_xarray_reads_the_same_in_the_other_format() {
    let source = v2(XARRAY_V2, Some(r#"{"u":1.0,"_ARRAY_DIMENSIONS":["x"]}"#));
    assert_eq!(converted(&source, ZarrFormat::V3), [XARRAY_V3]);
    let back = converted(&v3(XARRAY_V3), ZarrFormat::V2);
    assert_eq!(back, [XARRAY_V2, r#"{"u":1.0,"_ARRAY_DIMENSIONS":["x"]}"#]);
}

#[test]
fn the_value_that_masks_becomes_the_fill_value_of_v2() {
    let float = XARRAY_V3.replace("int16", "float64").replace(r#""_FillValue":-9"#, r#""_FillValue":"AAAAAAA4j8A=""#);
    assert!(converted(&v3(&float), ZarrFormat::V2)[0].contains(r#""fill_value":-999.0"#));
    // Nothing masks: null, and then every chunk is written.
    let unmasked = XARRAY_V3.replace(r#","_FillValue":-9"#, "");
    let target = v3(&unmasked)
        .rewrite(&TargetOptions {
            chunk_shape: vec![3],
            edges: Vec::new(),
            shard_shape: None,
            codec: None,
            format: ZarrFormat::V2,
            shape: None,
        })
        .expect("convertible");
    assert_eq!(target.fill_value_text(), "null");
    assert!(!target.layout("a").expect("supported").has_fill);
}

#[test]
fn an_array_without_names_keeps_its_fill_value_and_its_attributes() {
    let source = v2(XARRAY_V2, Some(r#"{"_FillValue":7}"#));
    let [body] = converted(&source, ZarrFormat::V3).try_into().expect("one document");
    assert!(body.contains(r#""fill_value":-9"#) && body.contains(r#""attributes":{"_FillValue":7}"#), "{body}");
    assert!(!body.contains("dimension_names"));
    assert_eq!(converted(&v3(&body), ZarrFormat::V2), [XARRAY_V2, r#"{"_FillValue":7}"#]);
    let unnamed = XARRAY_V3.replace(r#"["x"]"#, "[null]").replace(r#","_FillValue":-9"#, "");
    assert_eq!(converted(&v3(&unnamed), ZarrFormat::V2), [XARRAY_V2, r#"{"u":1.0}"#]);
}

#[test]
fn an_array_without_axes_is_taken_for_one_of_xarray() {
    let source = XARRAY_V2.replace("[3]", "[]").replace("<i2", "<f4").replace("-9", "\"NaN\"");
    let source = v2(&source, Some(r#"{"_ARRAY_DIMENSIONS":[]}"#));
    let [body] = converted(&source, ZarrFormat::V3).try_into().expect("one document");
    assert!(body.contains(r#""attributes":{"_FillValue":"AAAAAAAA+H8="}"#), "{body}");
    assert!(!body.contains("dimension_names"));
    let back = converted(&v3(&body), ZarrFormat::V2);
    assert!(back[0].contains(r#""fill_value":"NaN""#), "{back:?}");
    assert_eq!(back[1], r#"{"_ARRAY_DIMENSIONS":[]}"#);
}

#[test]
fn null_becomes_the_zero_of_the_type() {
    for (dtype, expected) in [
        ("|b1", "false"),
        ("<i4", "0"),
        (">f4", "0.0"),
        ("<c8", "[0.0,0.0]"),
        ("<M8[ns]", "0"),
        ("|S3", "\"\""),
        ("<U3", "\"\""),
        ("|V3", "\"AAAA\""),
    ] {
        let source = XARRAY_V2.replace("-9", "null").replace("<i2", dtype);
        let [body] =
            converted(&v2(&source, Some(r#"{"_ARRAY_DIMENSIONS":["x"]}"#)), ZarrFormat::V3).try_into().expect("one");
        assert!(body.contains(&format!(r#""fill_value":{expected},"#)), "{dtype}: {body}");
        assert!(body.contains(r#""attributes":{}"#), "{dtype}: {body}");
    }
}

#[test]
fn codecs_order_and_byte_order_have_their_twins() {
    let [body] = converted(&v2(V2, None), ZarrFormat::V3).try_into().expect("one document");
    let expected = r#""codecs":[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"big"}},{"name":"numcodecs.shuffle","configuration":{"elementsize":4}},{"name":"blosc","configuration":{"typesize":4,"cname":"lz4","clevel":5,"shuffle":"shuffle","blocksize":0}}]"#;
    assert!(body.contains(expected), "{body}");
    // v2's own key separator does not survive: v3 has the default keys.
    assert!(body.contains(r#""chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}}"#), "{body}");
    assert_eq!(converted(&v3(&body), ZarrFormat::V2), [V2.replace(r#"separator":"/""#, r#"separator":".""#)]);
    for (v2_spelling, v3_spelling) in [
        (r#"{"id":"zstd","level":3}"#, r#"{"name":"zstd","configuration":{"level":3,"checksum":false}}"#),
        (
            r#"{"id":"zstd","level":3,"checksum":true}"#,
            r#"{"name":"zstd","configuration":{"level":3,"checksum":true}}"#,
        ),
        (r#"{"id":"gzip","level":2}"#, r#"{"name":"gzip","configuration":{"level":2}}"#),
        (r#"{"id":"zlib","level":2}"#, r#"{"name":"numcodecs.zlib","configuration":{"level":2}}"#),
        (r#"{"id":"bz2","level":2}"#, r#"{"name":"numcodecs.bz2","configuration":{"level":2}}"#),
        (r#"{"id":"lz4","acceleration":3}"#, r#"{"name":"numcodecs.lz4","configuration":{"acceleration":3}}"#),
        (
            r#"{"id":"lzma","format":1,"check":-1,"preset":null,"filters":null}"#,
            r#"{"name":"numcodecs.lzma","configuration":{"format":1,"check":-1,"preset":null,"filters":null}}"#,
        ),
        (
            r#"{"id":"lzma","format":3,"check":-1,"preset":null,"filters":[{"id":3,"dist":4},{"id":33,"preset":1}]}"#,
            r#"{"name":"numcodecs.lzma","configuration":{"format":3,"check":-1,"preset":null,"filters":[{"id":3,"dist":4},{"id":33,"preset":1}]}}"#,
        ),
    ] {
        let source = XARRAY_V2.replace(r#""compressor":null"#, &format!(r#""compressor":{v2_spelling}"#));
        let [body] = converted(&v2(&source, None), ZarrFormat::V3).try_into().expect("one document");
        assert!(body.contains(v3_spelling), "{body}");
        assert_eq!(converted(&v3(&body), ZarrFormat::V2), [source]);
    }
}

#[test]
fn what_stands_around_the_compressor_are_filters_in_v2() {
    for (v2_spelling, v3_spelling) in [
        (r#"{"id":"crc32"}"#, r#"{"name":"numcodecs.crc32","configuration":{}}"#),
        (r#"{"id":"crc32","location":"end"}"#, r#"{"name":"numcodecs.crc32","configuration":{"location":"end"}}"#),
        (r#"{"id":"crc32c"}"#, r#"{"name":"crc32c"}"#),
        (
            r#"{"id":"crc32c","location":"start"}"#,
            r#"{"name":"numcodecs.crc32c","configuration":{"location":"start"}}"#,
        ),
        (r#"{"id":"adler32"}"#, r#"{"name":"numcodecs.adler32","configuration":{}}"#),
        (r#"{"id":"fletcher32"}"#, r#"{"name":"numcodecs.fletcher32","configuration":{}}"#),
    ] {
        for (filters, compressor, chain) in [
            (format!("[{v2_spelling}]"), "null", v3_spelling.to_owned()),
            (
                format!("[{v2_spelling}]"),
                r#"{"id":"gzip","level":2}"#,
                format!(r#"{v3_spelling},{{"name":"gzip","configuration":{{"level":2}}}}"#),
            ),
            (
                format!(r#"[{{"id":"gzip","level":2}},{v2_spelling}]"#),
                "null",
                format!(r#"{{"name":"gzip","configuration":{{"level":2}}}},{v3_spelling}"#),
            ),
        ] {
            let source = XARRAY_V2.replace(r#""filters":null"#, &format!(r#""filters":{filters}"#));
            let source = source.replace(r#""compressor":null"#, &format!(r#""compressor":{compressor}"#));
            let [body] = converted(&v2(&source, None), ZarrFormat::V3).try_into().expect("one document");
            assert!(body.contains(&format!(r#""endian":"little"}}}},{chain}]"#)), "{body}");
            assert_eq!(converted(&v3(&body), ZarrFormat::V2), [source]);
        }
    }
}

#[test]
fn v2_keys_of_a_v3_array_keep_their_separator() {
    for separator in [".", "/"] {
        let keys = format!(r#"{{"name":"v2","configuration":{{"separator":"{separator}"}}}}"#);
        let source = XARRAY_V3.replace(r#"{"name":"default","configuration":{"separator":"/"}}"#, &keys);
        let [zarray, _] = converted(&v3(&source), ZarrFormat::V2).try_into().expect("two documents");
        assert!(zarray.contains(&format!(r#""dimension_separator":"{separator}""#)), "{zarray}");
    }
}

#[test]
fn shards_are_left_behind() {
    let source = SHARDED.replace(r#"["x",null]"#, r#"["x","y"]"#);
    let documents = converted(&v3(&source), ZarrFormat::V2);
    assert!(documents[0].contains(r#""chunks":[2,3]"#), "{documents:?}");
    let attributes = r#"{"a":NaN,"b":1000000000000000000000000000000,"c":[1.0,1],"_ARRAY_DIMENSIONS":["x","y"]}"#;
    assert_eq!(documents[1], attributes);
}

#[test]
fn what_has_no_twin_is_refused_by_name() {
    assert!(refused(&v3(SHARDED), ZarrFormat::V2).contains(r#"["x",null]"#));
    let rolled = PLAIN.replace("[8,9]", "[8,9,2]").replace("[1,0]", "[1,2,0]").replace(r#",{"name":"crc32c"}"#, "");
    assert!(refused(&v3(&rolled), ZarrFormat::V2).contains("transpose"));
    let payload = XARRAY_V3
        .replace("int16", "float32")
        .replace(r#""fill_value":-9"#, r#""fill_value":"0x7fc00001""#)
        .replace(r#""dimension_names":["x"],"#, "");
    assert!(refused(&v3(&payload), ZarrFormat::V2).contains("0x7fc00001"));
    let structure = XARRAY_V2.replace(r#""<i2""#, r#"[["a",">i2"]]"#).replace("-9", "null");
    assert!(refused(&v2(&structure, None), ZarrFormat::V3).contains(">i2"));
}

/// `name` of a dataset with dimension `x`, written by xarray 2026.9 to both formats, without its compressor; with a fill
/// value that masks.
const TEXT_V2: &str = r#"{"shape":[3],"chunks":[3],"dtype":"|O","fill_value":"-","order":"C","filters":[{"id":"vlen-utf8"}],"dimension_separator":".","compressor":null,"zarr_format":2}"#;
const TEXT_V3: &str = r#"{"shape":[3],"data_type":"string","chunk_grid":{"name":"regular","configuration":{"chunk_shape":[3]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"/"}},"fill_value":"-","codecs":[{"name":"vlen-utf8","configuration":{}}],"attributes":{"_FillValue":"-"},"dimension_names":["x"],"zarr_format":3,"node_type":"array","storage_transformers":[]}"#;

#[test]
fn text_and_byte_strings_are_the_same_in_the_other_format() {
    let names = r#"{"_ARRAY_DIMENSIONS":["x"]}"#;
    assert_eq!(converted(&v2(TEXT_V2, Some(names)), ZarrFormat::V3), [TEXT_V3]);
    assert_eq!(converted(&v3(TEXT_V3), ZarrFormat::V2), [TEXT_V2, names]);
    let of_bytes = |document: &str| {
        let document = document.replace("vlen-utf8", "vlen-bytes").replace(r#"":"-""#, r#"":"YWI=""#);
        document.replace(r#""string""#, r#""variable_length_bytes""#)
    };
    let (in_v2, in_v3) = (of_bytes(TEXT_V2), of_bytes(TEXT_V3));
    assert_eq!(converted(&v2(&in_v2, Some(names)), ZarrFormat::V3), std::slice::from_ref(&in_v3));
    assert_eq!(converted(&v3(&in_v3), ZarrFormat::V2), [in_v2, names.to_owned()]);
    // The registry's name for it.
    let registered = in_v3.replace("variable_length_bytes", "bytes");
    assert!(converted(&v3(&registered), ZarrFormat::V2)[0].contains(r#""filters":[{"id":"vlen-bytes"}]"#));
}

#[test]
fn filters_order_and_compressor_of_text_become_codecs_after_it() {
    let many = r#"[{"id":"vlen-utf8"},{"id":"zlib","level":1}]"#;
    let document = TEXT_V2.replace(r#"[{"id":"vlen-utf8"}]"#, many).replace(r#""order":"C""#, r#""order":"F""#);
    let document = document.replace(
        r#""compressor":null"#,
        r#""compressor":{"id":"blosc","cname":"lz4","clevel":5,"shuffle":-1,"blocksize":0}"#,
    );
    let document = document.replace("[3]", "[3,2]");
    let target = &converted(&v2(&document, None), ZarrFormat::V3)[0];
    let codecs = r#"[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"vlen-utf8","configuration":{}},{"name":"numcodecs.zlib","configuration":{"level":1}},{"name":"blosc","configuration":{"typesize":1,"cname":"lz4","clevel":5,"shuffle":"bitshuffle","blocksize":0}}]"#;
    assert!(target.contains(codecs), "{target}");
    for filters in [
        r#"[{"id":"vlen-utf8"},{"id":"delta","dtype":"<i4"}]"#,
        r#"[{"id":"vlen-utf8"},{"id":"vlen-bytes"}]"#,
        r#"[{"id":"vlen-utf8"},{"id":"json2"}]"#,
    ] {
        let error = v2(&TEXT_V2.replace(r#"[{"id":"vlen-utf8"}]"#, filters), None).layout("a").expect_err(filters);
        assert_eq!(error.reason(), "UNSUPPORTED_CODEC", "{error}");
    }
    let other = TEXT_V3.replace(r#""string""#, r#""bytes""#).replace(r#""fill_value":"-""#, r#""fill_value":"""#);
    assert_eq!(v3(&other).layout("a").expect_err("another codec").reason(), "UNSUPPORTED_CODEC");
}

#[test]
fn another_codec_takes_the_place_of_the_compressor_of_text_and_not_of_its_own() {
    let zstd = |source: &ArrayDocument, format, codec: &str| {
        let codec = Some(codec.parse().expect(codec));
        let options =
            TargetOptions { chunk_shape: vec![3], edges: Vec::new(), shard_shape: None, codec, format, shape: None };
        let target = source.rewrite(&options).expect("possible");
        target.layout("a").expect("supported");
        target.codecs_text()
    };
    let vlen = r#"{"name":"vlen-utf8","configuration":{}}"#;
    for source in [v2(TEXT_V2, None), v3(TEXT_V3)] {
        let spelt = zstd(&source, ZarrFormat::V3, "zstd:3");
        assert_eq!(spelt, format!(r#"[{vlen},{{"name":"zstd","configuration":{{"level":3,"checksum":false}}}}]"#));
        let spelt = zstd(&source, ZarrFormat::V2, "blosc");
        assert!(spelt.starts_with(r#"{"filters":[{"id":"vlen-utf8"}],"compressor":{"id":"blosc""#), "{spelt}");
        assert_eq!(zstd(&source, ZarrFormat::V3, &format!("[{vlen}]")), format!("[{vlen}]"));
    }
    let bytes = r#"[{"name":"bytes"}]"#;
    let codec = Some(bytes.parse().expect(bytes));
    let options = TargetOptions {
        chunk_shape: vec![3],
        edges: Vec::new(),
        shard_shape: None,
        codec,
        format: ZarrFormat::V3,
        shape: None,
    };
    let target = v3(TEXT_V3).rewrite(&options).and_then(|target| target.layout("a"));
    assert_eq!(target.expect_err("text has a codec of its own").reason(), "UNSUPPORTED_CODEC");
}
