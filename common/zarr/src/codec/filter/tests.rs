use std::borrow::Cow;

use bytes::Bytes;
use proptest::prelude::*;
use rechunk_common::layout::ElementType;

use crate::{ChunkCodec, CodecError, MetadataError};

/// Chunks as numcodecs 0.16.6 and numpy 2.4 encode and decode them: element type, chain, decoded, encoded.
const NUMCODECS: &str = include_str!("numcodecs.txt");

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ascii"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

fn codec(list: &str, bits: u64, count: usize) -> Result<ChunkCodec, MetadataError> {
    let width = bits / 8;
    let element = ElementType { data_type: format!("uint{bits}"), width };
    let count = u64::try_from(count).expect("small");
    ChunkCodec::new(list, &element, &[count], &vec![0; usize::try_from(width).expect("small")])
}

fn filter(name: &str, options: &str, endian: &str) -> String {
    let bytes = format!(r#"{{"name":"bytes","configuration":{{"endian":"{endian}"}}}}"#);
    format!(r#"[{{"name":"numcodecs.{name}","configuration":{{{options}}}}},{bytes}]"#)
}

#[test]
fn every_filter_decodes_and_encodes_as_numcodecs_does() {
    let mut lines = 0;
    for line in NUMCODECS.lines() {
        let [_, element, list, decoded, encoded] = line.split(' ').collect::<Vec<_>>().try_into().expect(line);
        let bits: u64 = element.strip_prefix("uint").and_then(|bits| bits.parse().ok()).expect(line);
        let (decoded, encoded) = (unhex(decoded), unhex(encoded));
        let count = decoded.len() * 8 / usize::try_from(bits).expect("small");
        let codec = codec(list, bits, count).expect(list);
        assert_eq!(codec.decode(Bytes::from(encoded.clone())).expect(list), decoded, "{list}");
        let rounds = list.contains("bitround") || list.contains("quantize");
        let made = codec.encode(Cow::Borrowed(&decoded)).expect(list);
        assert!(rounds || made == encoded, "{list}");
        assert_eq!(codec.decode(made).expect(list), decoded, "{list}");
        assert!(u64::try_from(encoded.len()).expect("small") <= codec.worst_encoded_bytes(), "{list}");
        assert!(codec.decode_part(&encoded, 0..1).expect(list).is_none() || !list.contains("blosc"), "{list}");
        for cut in [0, 1, encoded.len() - 1] {
            let short = codec.decode(Bytes::copy_from_slice(&encoded[..cut]));
            assert!(matches!(short, Err(CodecError::DecodedSize { .. })), "{list} {cut}");
        }
        lines += 1;
    }
    assert!(lines > 70, "{lines} lines");
}

#[test]
fn what_a_filter_would_change_is_an_error_and_no_loss() {
    let single = |value: f32| value.to_le_bytes().to_vec();
    let double = |value: f64| value.to_le_bytes().to_vec();
    let small = r#""offset":0,"scale":10,"dtype":"<f4","astype":"|i1""#;
    for (name, options, bits, values) in [
        ("fixedscaleoffset", small, 32, [single(0.1), single(f32::NAN)]),
        ("fixedscaleoffset", small, 32, [single(0.1), single(0.123)]),
        ("fixedscaleoffset", small, 32, [single(0.1), single(100.0)]),
        ("fixedscaleoffset", small, 32, [single(0.1), single(-0.0)]),
        ("astype", r#""encode_dtype":"<f4","decode_dtype":"<f8""#, 64, [double(1.0), double(0.1)]),
        ("astype", r#""encode_dtype":"|u1","decode_dtype":"<f8""#, 64, [double(1.0), double(256.0)]),
        ("astype", r#""encode_dtype":"|u1","decode_dtype":"<f8""#, 64, [double(1.0), double(-1.0)]),
        ("astype", r#""encode_dtype":"<i8","decode_dtype":"<f8""#, 64, [double(1.0), double(f64::INFINITY)]),
        ("astype", r#""encode_dtype":"|i1","decode_dtype":"<i8""#, 64, [vec![1; 1], vec![200; 1]].map(wide)),
        ("delta", r#""dtype":"<f4""#, 32, [single(1e10), single(1.0)]),
        ("delta", r#""dtype":"<i8","astype":"|i1""#, 64, [vec![1; 1], vec![200; 1]].map(wide)),
        ("quantize", r#""digits":3,"dtype":"<f8","astype":"<f4""#, 64, [double(1.0), double(0.1)]),
        ("packbits", "", 8, [vec![1], vec![2]]),
    ] {
        let codec = codec(&filter(name, options, "little"), bits, 2).expect(options);
        let error = codec.encode(Cow::Owned(values.concat())).expect_err(options);
        assert_eq!(error, CodecError::Changed { codec: name, element: 1 }, "{options}");
        assert!(codec.encode(Cow::Owned(values[0].repeat(2))).is_ok(), "{options}");
    }
}

#[test]
fn what_lies_beyond_the_array_may_be_changed() {
    // 2 × 3 elements of which 2 × 2 lie in the array, as they are and with the axes turned.
    let inside: Vec<f32> = vec![1.0, 2.0, 1e20, 3.0, 4.0, f32::NAN];
    let decoded: Vec<u8> = inside.iter().flat_map(|value| value.to_le_bytes()).collect();
    let element = ElementType { data_type: "uint32".to_owned(), width: 4 };
    let scale = filter("fixedscaleoffset", r#""offset":0,"scale":10,"dtype":"<f4","astype":"|u1""#, "little");
    for transpose in ["", r#"{"name":"transpose","configuration":{"order":[1,0]}},"#] {
        let list = scale.replacen('[', &format!("[{transpose}"), 1);
        let codec = ChunkCodec::new(&list, &element, &[2, 3], &[0; 4]).expect("valid");
        let encoded = codec.encode_clipped(Cow::Borrowed(&decoded), &[2, 2]).expect("nothing in the array changes");
        let back = codec.decode(encoded).expect("decoded");
        let valid = |bytes: &[u8]| [&bytes[..8], &bytes[12..20]].concat();
        assert_eq!(valid(&back), valid(&decoded));
        for valid in [[2, 3], [1, 3]] {
            let error = codec.encode_clipped(Cow::Borrowed(&decoded), &valid).expect_err("it lies in the array");
            assert!(matches!(error, CodecError::Changed { codec: "fixedscaleoffset", .. }), "{error}");
        }
    }
}

fn wide(bytes: Vec<u8>) -> Vec<u8> {
    let mut wide = bytes;
    wide.resize(8, 0);
    wide
}

#[test]
fn a_stored_value_that_the_type_does_not_reach_is_an_error() {
    let list = filter("astype", r#""encode_dtype":"<f4","decode_dtype":"|i1""#, "little");
    let codec = codec(&list, 8, 1).expect("valid");
    assert_eq!(codec.decode(Bytes::copy_from_slice(&(-128.9_f32).to_le_bytes())).expect("decoded")[..], [0x80]);
    for value in [128.0, -129.0, f32::NAN, f32::INFINITY] {
        let error = codec.decode(Bytes::copy_from_slice(&value.to_le_bytes())).expect_err("out of reach");
        assert!(matches!(error, CodecError::Corrupt { codec: "astype", .. }), "{error}");
    }
}

#[test]
fn filters_that_do_nothing_to_what_is_stored_copy_nothing() {
    for (name, options) in [
        ("bitround", r#""keepbits":3"#),
        ("quantize", r#""digits":2,"dtype":"<f4""#),
        ("astype", r#""encode_dtype":"<i4","decode_dtype":"<i4""#),
    ] {
        assert!(codec(&filter(name, options, "little"), 32, 4).expect(name).is_identity(), "{name}");
    }
    // The byte order is that of the bytes codec where the filter names none.
    let big = codec(&filter("bitround", r#""keepbits":3"#, "big"), 32, 1).expect("valid");
    assert_eq!(big.decode(Bytes::from_static(&[1, 2, 3, 4])).expect("decoded")[..], [4, 3, 2, 1]);
}

#[test]
fn filters_that_cannot_be_run_exactly_are_refused_by_name() {
    for (name, options, endian, bits) in [
        ("delta", "", "little", 32),
        ("delta", r#""dtype":"<f16""#, "little", 128),
        ("delta", r#""dtype":"<c8""#, "little", 64),
        ("delta", r#""dtype":"|b1""#, "little", 8),
        ("delta", r#""dtype":"<i8","astype":"<u8""#, "little", 64),
        ("delta", r#""dtype":"<i4","astype":"<f4""#, "little", 32),
        ("delta", r#""dtype":"<f4","astype":"<i4""#, "little", 32),
        ("delta", r#""dtype":"<f4","astype":"<f8""#, "little", 32),
        ("delta", r#""dtype":"<i4""#, "little", 64),
        ("delta", r#""dtype":">i4""#, "little", 32),
        ("delta", r#""dtype":"<i4""#, "big", 32),
        ("fixedscaleoffset", r#""offset":0,"dtype":"<f4""#, "little", 32),
        ("fixedscaleoffset", r#""offset":0,"scale":0,"dtype":"<f4""#, "little", 32),
        ("fixedscaleoffset", r#""offset":NaN,"scale":1,"dtype":"<f4""#, "little", 32),
        ("fixedscaleoffset", r#""offset":"0","scale":1,"dtype":"<f4""#, "little", 32),
        ("fixedscaleoffset", r#""offset":300,"scale":1,"dtype":"|i1""#, "little", 8),
        ("fixedscaleoffset", r#""offset":-1,"scale":1,"dtype":"<u2""#, "little", 16),
        ("fixedscaleoffset", r#""offset":0,"scale":1,"dtype":"|b1""#, "little", 8),
        ("fixedscaleoffset", r#""offset":9007199254740993,"scale":1,"dtype":"<f8""#, "little", 64),
        ("quantize", r#""dtype":"<f4""#, "little", 32),
        ("quantize", r#""digits":1,"dtype":"<i4""#, "little", 32),
        ("bitround", "", "little", 32),
        ("bitround", r#""keepbits":-1"#, "little", 32),
        ("astype", r#""encode_dtype":"<i4""#, "little", 32),
        ("packbits", "", "little", 16),
    ] {
        let error = codec(&filter(name, options, endian), bits, 8).expect_err(options);
        assert_eq!(error.reason(), "UNSUPPORTED_CODEC", "{name} {options}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let delta = r#"{"name":"numcodecs.delta","configuration":{"dtype":"|u1"}}"#;
    for list in [
        format!(r#"[{{"name":"numcodecs.packbits","configuration":{{}}}},{delta},"bytes"]"#),
        format!(r#"[{delta},{{"name":"transpose","configuration":{{"order":[0]}}}},"bytes"]"#),
    ] {
        assert_eq!(codec(&list, 8, 8).expect_err(&list).reason(), "UNSUPPORTED_CODEC");
    }
    let late = codec(&format!(r#"["bytes",{delta}]"#), 8, 8).expect_err("after the bytes codec");
    assert_eq!(late.reason(), "CORRUPT_METADATA");
}

proptest! {
    #[test]
    fn no_chunk_makes_a_filter_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), which in 0_usize..6) {
        let (options, name, bits) = [
            (r#""dtype":"<i2","astype":"<u4""#, "delta", 16),
            (r#""offset":3,"scale":0.1,"dtype":"<f2","astype":"<f8""#, "fixedscaleoffset", 16),
            (r#""offset":-3,"scale":7,"dtype":"<i8","astype":"<f4""#, "fixedscaleoffset", 64),
            (r#""encode_dtype":"<f8","decode_dtype":"<u8""#, "astype", 64),
            (r#""encode_dtype":"<f2","decode_dtype":"<f4""#, "astype", 32),
            ("", "packbits", 8),
        ][which];
        let list = filter(name, options, "little");
        for count in 0..8 {
            let codec = codec(&list, bits, count).expect("valid");
            if let Ok(decoded) = codec.decode(Bytes::from(bytes.clone())) {
                // What was read is written so that it is read again, or not at all.
                if let Ok(encoded) = codec.encode(Cow::Borrowed(&decoded)) {
                    prop_assert_eq!(codec.decode(encoded).expect("decoded"), decoded);
                }
            }
        }
    }

    #[test]
    fn whole_numbers_survive_delta_whatever_they_are(values in prop::collection::vec(any::<i32>(), 1..50)) {
        let codec = codec(&filter("delta", r#""dtype":"<i4""#, "little"), 32, values.len()).expect("valid");
        let decoded: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let encoded = codec.encode(Cow::Borrowed(&decoded)).expect("encoded");
        prop_assert_eq!(codec.decode(encoded).expect("decoded"), decoded);
    }
}
