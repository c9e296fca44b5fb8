use std::fmt::Write as _;

use proptest::prelude::*;
use rechunk_common::request::ZarrFormat;

use crate::{
    dtype::{DataType, Endian},
    fill,
    json::Json,
};

fn json(text: &str) -> Json {
    Json::parse("it", text).expect(text)
}

fn v2(dtype: &str) -> DataType {
    DataType::parse_v2(&Json::text(dtype), &Json::Null).expect(dtype)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

#[test]
fn fill_values_are_the_bytes_that_numpy_has() {
    for (dtype, value, expected) in [
        ("|b1", "true", "01"),
        ("|b1", "0", "00"),
        ("|i1", "-1", "ff"),
        ("<i2", "-999.0", "19fc"),
        ("<i4", "-2147483648", "00000080"),
        ("<i8", "9223372036854775807", "ffffffffffffff7f"),
        ("<u8", "18446744073709551615", "ffffffffffffffff"),
        ("<u8", "1e19", "0000e8890423c78a"),
        ("<f2", "1.5", "003e"),
        ("<f2", "\"NaN\"", "007e"),
        ("<f2", "\"0xfe01\"", "01fe"),
        ("<f4", "0.1", "cdcccc3d"),
        ("<f4", "\"NaN\"", "0000c07f"),
        ("<f4", "NaN", "0000c07f"),
        ("<f4", "\"0x7fc00001\"", "0100c07f"),
        ("<f4", "\"0xffc00000\"", "0000c0ff"),
        ("<f4", "-0.0", "00000080"),
        ("<f4", "1e40", "0000807f"),
        ("<f4", "1", "0000803f"),
        (">f4", "1", "0000803f"),
        ("<f8", "\"NaN\"", "000000000000f87f"),
        ("<f8", "-Infinity", "000000000000f0ff"),
        ("<f8", "\"Infinity\"", "000000000000f07f"),
        ("<f8", "null", "0000000000000000"),
        ("<c8", "[1.0, \"NaN\"]", "0000803f0000c07f"),
        ("<c8", "[\"0x7fc00001\", -0.0]", "0100c07f00000080"),
        ("<c8", "1.0", "0000803f00000000"),
        ("<c16", "[0.0, \"-Infinity\"]", "0000000000000000000000000000f0ff"),
        ("<M8[ns]", "\"NaT\"", "0000000000000080"),
        ("<M8[ns]", "-9223372036854775808", "0000000000000080"),
        ("<m8[s]", "5", "0500000000000000"),
        ("|S5", "\"YWI=\"", "6162000000"),
        ("|S5", "\"\"", "0000000000"),
        ("|S5", "0", "0000000000"),
        ("|V3", "\"AQID\"", "010203"),
        ("|V3", "[1, 2, 255]", "0102ff"),
        ("<U2", "\"\\u00e9\"", "e900000000000000"),
        (">U2", "\"\\u00e9\"", "000000e900000000"),
        ("<U2", "0", "0000000000000000"),
    ] {
        let data_type = v2(dtype);
        let endian = data_type.endian.unwrap_or(Endian::Little);
        let bytes = fill::parse(&json(value), &data_type, endian).expect(value);
        assert_eq!(hex(&bytes), expected, "{dtype} {value}");
    }
    let fields = json(r#"[["a","<i2"],["b","|S2"]]"#);
    let structure = DataType::parse_v2(&fields, &Json::Null).expect("known");
    for value in [r#""AQBhAA==""#, r#"{"a":1,"b":"YQ=="}"#] {
        assert_eq!(hex(&fill::parse(&json(value), &structure, Endian::Little).expect(value)), "01006100");
    }
}

#[test]
fn fill_values_that_do_not_fit_are_refused() {
    for (dtype, value) in [
        ("|b1", "2"),
        ("|i1", "128"),
        ("|u1", "-1"),
        ("<i4", "1.5"),
        ("<i4", "NaN"),
        ("<i4", "\"5\""),
        ("<u8", "18446744073709551616"),
        ("<f4", "\"nan\""),
        ("<f4", "\"0x7fc0\""),
        ("<f4", "\"0x+fc00001\""),
        ("<f4", "{}"),
        ("<c8", "[1.0]"),
        ("<c8", "[1.0, 2.0, 3.0]"),
        ("<M8[ns]", "\"never\""),
        ("|S1", "\"YWI=\""),
        ("|S1", "\"?\""),
        ("|V3", "[1, 2]"),
        ("|V1", "[256]"),
        ("<U1", "\"ab\""),
    ] {
        let error = fill::parse(&json(value), &v2(dtype), Endian::Little).expect_err(value);
        assert_eq!(error.reason(), "INVALID_FILL_VALUE", "{dtype} {value}");
    }
}

#[test]
fn xarray_encodes_floats_as_doubles_in_base64() {
    // Written by xarray 2026.9.
    for (dtype, value, encoded) in [
        ("<f8", "-999.0", "\"AAAAAAA4j8A=\""),
        ("<f4", "\"NaN\"", "\"AAAAAAAA+H8=\""),
        ("<i2", "-9", "-9"),
        ("|b1", "true", "true"),
        ("<U2", "\"x\"", "\"x\""),
        ("|S3", "\"YWI=\"", "\"YWI=\""),
        ("<c8", "[1.0, 0.0]", "[\"AAAAAAAA8D8=\",\"AAAAAAAAAAA=\"]"),
    ] {
        let data_type = v2(dtype);
        let bytes = fill::parse(&json(value), &data_type, Endian::Little).expect(value);
        let attribute = fill::encode_xarray(&bytes, &data_type, Endian::Little).expect(value);
        assert_eq!(attribute.compact(), encoded, "{dtype}");
        assert_eq!(fill::decode_xarray(&attribute, &data_type, Endian::Little), Ok(bytes), "{dtype}");
    }
    assert_eq!(fill::encode_xarray(&[0; 8], &v2("<M8[ns]"), Endian::Little), None);
    let plain = fill::decode_xarray(&json("1.5"), &v2("<f4"), Endian::Little);
    assert_eq!(plain, Ok(1.5_f32.to_le_bytes().to_vec()));
    let infinite = fill::decode_xarray(&json("\"Infinity\""), &v2("<f4"), Endian::Little);
    assert_eq!(infinite, Ok(f32::INFINITY.to_le_bytes().to_vec()));
    assert!(fill::decode_xarray(&json("\"?\""), &v2("<f4"), Endian::Little).is_err());
}

#[test]
fn a_nan_without_a_name_is_a_bit_pattern_in_v3_and_nothing_in_v2() {
    let bytes = 0x7fc0_0001_u32.to_le_bytes();
    let spelt = |format| fill::spell(&bytes, &v2("<f4"), Endian::Little, format);
    assert_eq!(spelt(ZarrFormat::V3), Some(Json::text("0x7fc00001")));
    assert_eq!(spelt(ZarrFormat::V2), None);
}

proptest! {
    #[test]
    fn any_bits_survive_the_v3_spelling(
        bits in any::<[u8; 16]>(),
        dtype in prop::sample::select(vec!["|i1", "<i4", "<i8", "|u1", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16", "<M8[s]", "|V9"]),
    ) {
        let data_type = v2(dtype);
        let bytes = &bits[..usize::try_from(data_type.width).expect("small")];
        let spelt = fill::spell(bytes, &data_type, Endian::Little, ZarrFormat::V3).expect("v3 spells every bit");
        prop_assert_eq!(fill::parse(&spelt, &data_type, Endian::Little).expect("parses"), bytes);
    }

    #[test]
    fn no_fill_value_makes_the_parser_panic(
        text in "[\\[\\]{}\":,0-9eExaN.-]{0,20}",
        dtype in prop::sample::select(vec!["|b1", "<i4", "<u8", "<f2", "<f4", "<c8", "<M8[s]", "|V9", "|S4", "<U2"]),
    ) {
        if let Ok(value) = Json::parse("it", &text) {
            let _ = fill::parse(&value, &v2(dtype), Endian::Little);
            let _ = fill::decode_xarray(&value, &v2(dtype), Endian::Little);
        }
    }
}

#[test]
fn fill_values_of_variable_length_are_their_bytes() {
    let of = |filter: &str| {
        let filters = json(&format!(r#"[{{"id":"{filter}"}}]"#));
        DataType::parse_v2(&json(r#""|O""#), &filters).expect(filter)
    };
    let (text, bytes) = (of("vlen-utf8"), of("vlen-bytes"));
    for (data_type, value, expected, spelt) in [
        (&text, r#""""#, &b""[..], r#""""#),
        (&text, "null", b"", r#""""#),
        (&text, r#""\u00fcber""#, "über".as_bytes(), r#""über""#),
        // As zarr-python 3 reads the 0 that zarr-python 2 wrote.
        (&text, "0", b"0", r#""0""#),
        (&bytes, r#""""#, b"", r#""""#),
        (&bytes, "null", b"", r#""""#),
        (&bytes, r#""YWIA""#, b"ab\0", r#""YWIA""#),
    ] {
        let fill = fill::parse(&json(value), data_type, Endian::Little).expect(value);
        assert_eq!(fill, expected, "{value}");
        for format in [ZarrFormat::V2, ZarrFormat::V3] {
            assert_eq!(fill::spell(&fill, data_type, Endian::Little, format), Some(json(spelt)), "{value}");
        }
        let encoded = fill::encode_xarray(&fill, data_type, Endian::Little).expect(value);
        assert_eq!(fill::decode_xarray(&encoded, data_type, Endian::Little), Ok(fill));
    }
    for (data_type, value) in [(&text, "1.5"), (&text, "true"), (&text, "[]"), (&bytes, "0"), (&bytes, r#""?""#)] {
        let error = fill::parse(&json(value), data_type, Endian::Little).expect_err(value);
        assert_eq!(error.reason(), "INVALID_FILL_VALUE", "{error}");
    }
    let long = Json::text(&"x".repeat((1 << 20) + 1));
    assert!(fill::parse(&long, &text, Endian::Little).is_err());
    assert_eq!(fill::spell(&[0xff], &text, Endian::Little, ZarrFormat::V3), None, "no text");
}
