use super::{DataType, Endian};
use crate::json::Json;

fn json(text: &str) -> Json {
    Json::parse("it", text).expect(text)
}

/// v2's dtype, v3's data type, the surrogate, and the byte order.
const TWINS: [(&str, &str, &str, u64); 22] = [
    (r#""|b1""#, r#""bool""#, "uint8", 1),
    (r#""|i1""#, r#""int8""#, "uint8", 1),
    (r#""|u1""#, r#""uint8""#, "uint8", 1),
    (r#""<i2""#, r#""int16""#, "uint16", 2),
    (r#""<u2""#, r#""uint16""#, "uint16", 2),
    (r#""<f2""#, r#""float16""#, "uint16", 2),
    (r#""<i4""#, r#""int32""#, "uint32", 4),
    (r#""<u4""#, r#""uint32""#, "uint32", 4),
    (r#""<f4""#, r#""float32""#, "uint32", 4),
    (r#""<i8""#, r#""int64""#, "uint64", 8),
    (r#""<u8""#, r#""uint64""#, "uint64", 8),
    (r#""<f8""#, r#""float64""#, "uint64", 8),
    (r#""<c8""#, r#""complex64""#, "complex64", 8),
    (r#""<c16""#, r#""complex128""#, "complex128", 16),
    (r#""<M8[ns]""#, r#"{"name":"numpy.datetime64","configuration":{"unit":"ns","scale_factor":1}}"#, "uint64", 8),
    (r#""<M8[10ms]""#, r#"{"name":"numpy.datetime64","configuration":{"unit":"ms","scale_factor":10}}"#, "uint64", 8),
    (r#""<m8[s]""#, r#"{"name":"numpy.timedelta64","configuration":{"unit":"s","scale_factor":1}}"#, "uint64", 8),
    (r#""<m8""#, r#"{"name":"numpy.timedelta64","configuration":{"unit":"generic","scale_factor":1}}"#, "uint64", 8),
    (r#""|S5""#, r#"{"name":"null_terminated_bytes","configuration":{"length_bytes":5}}"#, "r40", 5),
    (r#""<U4""#, r#"{"name":"fixed_length_utf32","configuration":{"length_bytes":16}}"#, "r128", 16),
    (r#""|V7""#, r#"{"name":"raw_bytes","configuration":{"length_bytes":7}}"#, "r56", 7),
    (
        r#"[["a","<i4"],["b","<f8"],["c","<U2"]]"#,
        r#"{"name":"structured","configuration":{"fields":[["a","int32"],["b","float64"],["c",{"name":"fixed_length_utf32","configuration":{"length_bytes":8}}]]}}"#,
        "r160",
        20,
    ),
];

#[test]
fn data_types_have_their_twin_and_a_surrogate_of_their_width() {
    for (v2, v3, surrogate, width) in TWINS {
        let of_v2 = DataType::parse_v2(&json(v2), &Json::Null).expect(v2);
        let of_v3 = DataType::parse_v3(&json(v3)).expect(v3);
        assert_eq!(of_v2.to_v3().expect(v2).compact(), v3);
        assert_eq!(of_v3.to_v2(Endian::Little).expect(v3).compact(), v2);
        for data_type in [of_v2, of_v3] {
            let element = data_type.surrogate();
            assert_eq!((element.data_type.as_str(), element.width), (surrogate, width), "{v2}");
        }
    }
}

#[test]
fn a_byte_order_is_kept_where_there_is_one() {
    for (dtype, endian) in [
        (r#"">f4""#, Some(Endian::Big)),
        (r#""<f4""#, Some(Endian::Little)),
        (r#"">U3""#, Some(Endian::Big)),
        (r#"">M8[D]""#, Some(Endian::Big)),
        (r#""<i1""#, None),
        (r#"">V3""#, None),
    ] {
        let data_type = DataType::parse_v2(&json(dtype), &Json::Null).expect(dtype);
        assert_eq!(data_type.endian, endian, "{dtype}");
        if endian == Some(Endian::Big) {
            assert_eq!(data_type.to_v2(Endian::Big).expect(dtype).compact(), dtype);
        }
    }
}

#[test]
fn other_spellings_are_understood() {
    for (v3, surrogate) in [
        (r#""r24""#, "r24"),
        (r#"{"name":"float32"}"#, "uint32"),
        (r#""bfloat16""#, "uint16"),
        (r#"{"name":"numpy.datetime64","configuration":{"unit":"D"}}"#, "uint64"),
        (r#"{"name":"struct","configuration":{"fields":[{"name":"a","data_type":"int16"},["b","bool"]]}}"#, "r24"),
    ] {
        assert_eq!(DataType::parse_v3(&json(v3)).expect(v3).surrogate().data_type, surrogate, "{v3}");
    }
    let nested = r#"[["a","|u1",[2,3]],["b",[["c","<f4"],["d","|S3"]]],["e","<i2",2]]"#;
    assert_eq!(DataType::parse_v2(&json(nested), &Json::Null).expect(nested).width, 6 + 7 + 4);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for dtype in [
        r#""|O""#,
        r#""<f16""#,
        r#""<c32""#,
        r#""<x4""#,
        r#""f4""#,
        r#""|f4""#,
        r#""""#,
        r#""<""#,
        r#""|S0""#,
        r#""<M8[parsec]""#,
        r#""<M4[s]""#,
        r#""<f4x""#,
        "3",
        "null",
        "{}",
        "[]",
        r#"[["a"]]"#,
        r#"[["a","|O"]]"#,
        r#"[["a","<f4",-1]]"#,
        r#"[["a","<f4",[18446744073709551615,2]]]"#,
        r#""<U18446744073709551615""#,
    ] {
        let error = DataType::parse_v2(&json(dtype), &Json::Null).expect_err(dtype);
        assert_eq!(error.reason(), "UNSUPPORTED_DTYPE", "{dtype}: {error}");
    }
    for data_type in [
        r#""variable_length_utf8""#,
        r#""int4""#,
        r#""r7""#,
        r#""r0""#,
        r#""r""#,
        "7",
        r#"{"name":"fixed_length_utf32","configuration":{"length_bytes":5}}"#,
        r#"{"name":"raw_bytes"}"#,
        r#"{"name":"struct","configuration":{"fields":[["a","string"]]}}"#,
        r#"{"name":"struct","configuration":{"fields":[["a"]]}}"#,
        "{}",
    ] {
        let error = DataType::parse_v3(&json(data_type)).expect_err(data_type);
        assert_eq!(error.reason(), "UNSUPPORTED_DTYPE", "{data_type}: {error}");
    }
    let wide = DataType::parse_v2(&json(r#""|V2000000""#), &Json::Null).expect_err("wide");
    assert_eq!(wide.reason(), "LIMIT_EXCEEDED");
}

#[test]
fn objects_are_what_their_first_filter_says() {
    for (filter, v3) in [("vlen-utf8", "string"), ("vlen-bytes", "variable_length_bytes")] {
        let filters = json(&format!(r#"[{{"id":"{filter}"}},{{"id":"zlib","level":1}}]"#));
        let of_v2 = DataType::parse_v2(&json(r#""|O""#), &filters).expect(filter);
        assert_eq!(of_v2.to_v3().expect(filter), Json::text(v3));
        let of_v3 = DataType::parse_v3(&Json::text(v3)).expect(v3);
        assert_eq!(of_v3.to_v2(Endian::Little).expect(v3), json(r#""|O""#));
        assert_eq!((of_v2.kind, of_v2.width), (of_v3.kind.clone(), of_v3.width));
        assert!(of_v3.surrogate().is_variable());
    }
    assert_eq!(
        DataType::parse_v3(&json(r#""bytes""#)).expect("known").to_v3().expect("v3"),
        Json::text("variable_length_bytes")
    );
    for filters in
        ["null", "[]", r#"[{"id":"json2"}]"#, r#"[{"id":"pickle"}]"#, r#"[{"id":"zlib"},{"id":"vlen-utf8"}]"#]
    {
        let error = DataType::parse_v2(&json(r#""|O""#), &json(filters)).expect_err(filters);
        assert_eq!(error.reason(), "UNSUPPORTED_DTYPE", "{error}");
        assert!(error.to_string().contains("variable-length elements"), "{error}");
    }
}

#[test]
fn what_has_no_twin_is_refused_by_name() {
    for dtype in [r#"[["a",">i4"]]"#, r#"[["a","<i4",[2]]]"#] {
        let error = DataType::parse_v2(&json(dtype), &Json::Null).expect(dtype).to_v3().expect_err(dtype);
        assert_eq!(error.reason(), "NO_CONVERSION", "{error}");
    }
    let error = DataType::parse_v3(&json(r#""bfloat16""#)).expect("known").to_v2(Endian::Little).expect_err("no twin");
    assert_eq!(error.to_string(), "data type bfloat16 has no equal in Zarr v2");
}
