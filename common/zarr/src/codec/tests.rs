use std::borrow::Cow;

use bytes::Bytes;
use proptest::prelude::*;
use rechunk_common::layout::ElementType;

use crate::{ChunkCodec, CodecError, MetadataError};

mod numcodecs;

const LITTLE: &str = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;
const BIG: &str = r#"{"name":"bytes","configuration":{"endian":"big"}}"#;

fn element(data_type: &str, width: u64) -> ElementType {
    ElementType { data_type: data_type.to_owned(), width }
}

fn codec(list: &str, element: &ElementType, shape: &[u64]) -> Result<ChunkCodec, MetadataError> {
    ChunkCodec::new(list, element, shape, &vec![0; usize::try_from(element.width).expect("small")])
}

/// Bytes that compress, but not to nothing.
fn content(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|index| u8::try_from((index * index / 7) % 251).expect("below 251")).collect()
}

#[test]
fn every_codec_gives_back_every_width() {
    let elements = [
        element("uint8", 1),
        element("uint16", 2),
        element("uint32", 4),
        element("uint64", 8),
        element("complex64", 8),
        element("complex128", 16),
        element("r24", 3),
        element("r160", 20),
    ];
    let tails = [
        String::new(),
        r#",{"name":"zstd","configuration":{"level":3,"checksum":false}}"#.to_owned(),
        r#",{"name":"zstd","configuration":{"level":-5,"checksum":true}}"#.to_owned(),
        r#",{"name":"gzip","configuration":{"level":5}}"#.to_owned(),
        r#",{"name":"gzip","configuration":{"level":0}}"#.to_owned(),
        r#",{"name":"numcodecs.zlib","configuration":{"level":1}}"#.to_owned(),
        r#",{"name":"numcodecs.bz2","configuration":{"level":1}}"#.to_owned(),
        r#",{"name":"numcodecs.zlib","configuration":{}},{"name":"numcodecs.bz2"}"#.to_owned(),
        r#",{"name":"crc32c"}"#.to_owned(),
        r#",{"name":"crc32c"},{"name":"zstd"},{"name":"crc32c"}"#.to_owned(),
        r#",{"name":"gzip","configuration":{"level":9}},{"name":"zstd"}"#.to_owned(),
        r#",{"name":"numcodecs.lz4"}"#.to_owned(),
        r#",{"name":"zstd"},{"name":"numcodecs.lz4"},{"name":"numcodecs.adler32"}"#.to_owned(),
        r#",{"name":"numcodecs.lzma"}"#.to_owned(),
        r#",{"name":"numcodecs.lzma","configuration":{"format":2,"preset":9}}"#.to_owned(),
        r#",{"name":"numcodecs.lzma","configuration":{"format":3,"filters":[{"id":3,"dist":4},{"id":33,"preset":1}]}}"#
            .to_owned(),
        r#",{"name":"numcodecs.crc32"},{"name":"numcodecs.crc32c","configuration":{"location":"start"}}"#.to_owned(),
        r#",{"name":"numcodecs.fletcher32"},{"name":"numcodecs.crc32","configuration":{"location":"end"}}"#.to_owned(),
        r#",{"name":"zstd"},{"name":"blosc","configuration":{"cname":"lz4","clevel":1,"shuffle":"noshuffle"}}"#
            .to_owned(),
    ];
    let blosc = ["blosclz", "lz4", "lz4hc", "zlib", "zstd", "snappy"].into_iter().flat_map(|cname| {
        ["noshuffle", "shuffle", "bitshuffle"].map(|shuffle| {
            format!(
                r#",{{"name":"blosc","configuration":{{"cname":"{cname}","clevel":5,"shuffle":"{shuffle}","typesize":4,"blocksize":0}}}}"#
            )
        })
    });
    let heads = ["", r#"{"name":"transpose","configuration":{"order":[2,0,1]}},"#];
    for tail in tails.into_iter().chain(blosc) {
        for element in &elements {
            for head in heads {
                for bytes in [LITTLE, BIG] {
                    let list = format!("[{head}{bytes}{tail}]");
                    let codec = codec(&list, element, &[3, 5, 7]).expect(&list);
                    let decoded = content(105 * element.width);
                    let encoded = codec.encode(Cow::Borrowed(&decoded)).expect(&list);
                    assert!(u64::try_from(encoded.len()).expect("small") <= codec.worst_encoded_bytes(), "{list}");
                    assert_eq!(codec.encode(Cow::Owned(decoded.clone())).expect(&list), encoded, "{list}");
                    assert_eq!(codec.decode(encoded).expect(&list), decoded, "{list} {element:?}");
                }
            }
        }
    }
}

#[test]
fn a_big_endian_chunk_has_its_components_reversed() {
    let decoded: Vec<u8> = (1..=8).collect();
    for (name, width, expected) in [
        ("uint8", 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("uint16", 2, [2, 1, 4, 3, 6, 5, 8, 7]),
        ("uint32", 4, [4, 3, 2, 1, 8, 7, 6, 5]),
        ("uint64", 8, [8, 7, 6, 5, 4, 3, 2, 1]),
        ("complex64", 8, [4, 3, 2, 1, 8, 7, 6, 5]),
        ("r32", 4, [1, 2, 3, 4, 5, 6, 7, 8]),
    ] {
        let codec = codec(&format!("[{BIG}]"), &element(name, width), &[8 / width]).expect(name);
        let encoded = codec.encode(Cow::Borrowed(&decoded)).expect(name);
        assert_eq!(encoded.as_ref(), expected, "{name}");
        assert_eq!(codec.decode(encoded).expect(name), decoded, "{name}");
        assert_eq!(codec.is_identity(), decoded == expected, "{name}");
    }
}

#[test]
fn transpose_puts_axis_order_i_at_place_i() {
    // A 2 × 3 chunk in Fortran order is its columns one after another.
    let list = format!(r#"[{{"name":"transpose","configuration":{{"order":[1,0]}}}},{LITTLE}]"#);
    let codec = codec(&list, &element("uint8", 1), &[2, 3]).expect("valid");
    assert_eq!(codec.encode(Cow::Borrowed(&[1, 2, 3, 4, 5, 6])).expect("encoded").as_ref(), [1, 4, 2, 5, 3, 6]);
    // encoded[k, i, j] = decoded[i, j, k]
    let list = format!(r#"[{{"name":"transpose","configuration":{{"order":[2,0,1]}}}},{LITTLE}]"#);
    let codec = self::codec(&list, &element("uint8", 1), &[2, 1, 3]).expect("valid");
    assert_eq!(codec.encode(Cow::Borrowed(&[1, 2, 3, 4, 5, 6])).expect("encoded").as_ref(), [1, 4, 2, 5, 3, 6]);
}

#[test]
fn a_chain_that_does_nothing_copies_nothing() {
    for list in
        [format!("[{LITTLE}]"), format!(r#"[{{"name":"transpose","configuration":{{"order":[0,1]}}}},{LITTLE}]"#)]
    {
        let codec = codec(&list, &element("uint32", 4), &[2, 3]).expect("valid");
        assert!(codec.is_identity());
        assert_eq!(codec.worst_encoded_bytes(), 24);
        let buffer = vec![7; 24];
        let place = buffer.as_ptr();
        let encoded = codec.encode(Cow::Owned(buffer)).expect("encoded");
        assert_eq!(encoded.as_ptr(), place);
        assert_eq!(codec.decode(encoded).expect("decoded").as_ptr(), place);
    }
    let checked = codec(&format!(r#"[{LITTLE},{{"name":"crc32c"}}]"#), &element("uint8", 1), &[4]).expect("valid");
    let encoded = checked.encode(Cow::Owned(vec![1, 2, 3, 4])).expect("encoded");
    let place = encoded.as_ptr();
    assert_eq!(checked.decode(encoded).expect("decoded").as_ptr(), place);
}

#[test]
fn a_chunk_without_axes_has_one_element() {
    let codec = codec(&format!(r#"[{LITTLE},{{"name":"zstd"}}]"#), &element("uint64", 8), &[]).expect("valid");
    let encoded = codec.encode(Cow::Owned(vec![9; 8])).expect("encoded");
    assert_eq!(codec.decode(encoded).expect("decoded").as_ref(), [9; 8]);
}

fn small(tail: &str) -> ChunkCodec {
    codec(&format!("[{LITTLE}{tail}]"), &element("uint8", 1), &[64]).expect(tail)
}

#[test]
fn a_chunk_that_declares_another_size_is_refused_before_it_is_decoded() {
    // A zstd frame of one terabyte: magic, descriptor with an 8-byte content size, and that size.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1110_0000];
    frame.extend((1_u64 << 40).to_le_bytes());
    let zstd = small(r#",{"name":"zstd"}"#);
    let expected = CodecError::DeclaredSize { codec: "zstd", declared: 1 << 40, expected: 64 };
    assert_eq!(zstd.decode(Bytes::from(frame)), Err(expected));
    let honest = zstd::bulk::compress(&[1; 63], 1).expect("compressed");
    let expected = CodecError::DeclaredSize { codec: "zstd", declared: 63, expected: 64 };
    assert_eq!(zstd.decode(Bytes::from(honest)), Err(expected));

    let blosc = small(r#",{"name":"blosc","configuration":{"typesize":1}}"#);
    let mut encoded = blosc.encode(Cow::Owned(vec![1; 64])).expect("encoded").to_vec();
    encoded[4..8].copy_from_slice(&(1_u32 << 31).to_le_bytes());
    let expected = CodecError::DeclaredSize { codec: "blosc", declared: 1 << 31, expected: 64 };
    assert_eq!(blosc.decode(Bytes::from(encoded.clone())), Err(expected));
    encoded[4..8].copy_from_slice(&64_u32.to_le_bytes());
    encoded.push(0);
    assert!(matches!(blosc.decode(Bytes::from(encoded)), Err(CodecError::DeclaredSize { codec: "blosc", .. })));
}

#[test]
fn a_stream_that_yields_more_or_less_is_cut_off() {
    for (tail, name) in [
        (r#",{"name":"gzip","configuration":{"level":9}}"#, "gzip"),
        (r#",{"name":"numcodecs.zlib","configuration":{"level":9}}"#, "zlib"),
        (r#",{"name":"numcodecs.bz2","configuration":{"level":9}}"#, "bz2"),
    ] {
        let bomb = codec(&format!("[{LITTLE}{tail}]"), &element("uint8", 1), &[10_000_000]).expect(tail);
        let encoded = bomb.encode(Cow::Owned(vec![0; 10_000_000])).expect(tail);
        assert!(encoded.len() < 20_000);
        let expected = CodecError::DecodedSize { codec: name, found: 65, expected: 64 };
        assert_eq!(small(tail).decode(encoded), Err(expected));
        let short = codec(&format!("[{LITTLE}{tail}]"), &element("uint8", 1), &[63]).expect(tail);
        let encoded = short.encode(Cow::Owned(vec![0; 63])).expect(tail);
        let expected = CodecError::DecodedSize { codec: name, found: 63, expected: 64 };
        assert_eq!(small(tail).decode(encoded), Err(expected));
    }
    let expected = CodecError::DecodedSize { codec: "bytes", found: 65, expected: 64 };
    assert_eq!(small("").decode(Bytes::from(vec![0; 65])), Err(expected.clone()));
    assert_eq!(small("").encode(Cow::Owned(vec![0; 65])), Err(expected));
}

#[test]
fn zstd_frames_without_a_size_and_several_frames_are_read() {
    use std::io::Write as _;
    let zstd = small(r#",{"name":"zstd"}"#);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.write_all(&content(64)).expect("written");
    let streamed = encoder.finish().expect("finished");
    assert_eq!(zstd.decode(Bytes::from(streamed)).expect("decoded"), content(64));
    let halves: Vec<u8> =
        content(64).chunks(32).flat_map(|half| zstd::bulk::compress(half, 1).expect("compressed")).collect();
    assert_eq!(zstd.decode(Bytes::from(halves)).expect("decoded"), content(64));
}

#[test]
fn a_wrong_checksum_is_found() {
    let codec = small(r#",{"name":"crc32c"}"#);
    let mut encoded = codec.encode(Cow::Owned(content(64))).expect("encoded").to_vec();
    // RFC 3720: 32 zeros have the checksum 0x8a9136aa.
    let zeros = self::codec(&format!(r#"[{LITTLE},{{"name":"crc32c"}}]"#), &element("uint8", 1), &[32]).expect("valid");
    let known = zeros.encode(Cow::Owned(vec![0; 32])).expect("encoded");
    assert_eq!(known[32..], 0x8a91_36aa_u32.to_le_bytes());
    encoded[10] ^= 1;
    assert_eq!(codec.decode(Bytes::from(encoded)), Err(CodecError::Checksum { codec: "crc32c" }));
    assert!(matches!(codec.decode(Bytes::from_static(b"abc")), Err(CodecError::Corrupt { codec: "crc32c", .. })));
}

#[test]
fn shuffle_groups_the_bytes_of_elements_as_numcodecs_does() {
    let list = format!(r#"[{LITTLE},{{"name":"numcodecs.shuffle","configuration":{{"elementsize":2}}}}]"#);
    let codec = codec(&list, &element("uint16", 2), &[3]).expect("valid");
    let encoded = codec.encode(Cow::Borrowed(&[1, 2, 3, 4, 5, 6])).expect("encoded");
    assert_eq!(encoded.as_ref(), [1, 3, 5, 2, 4, 6]);
    assert_eq!(codec.decode(encoded).expect("decoded").as_ref(), [1, 2, 3, 4, 5, 6]);
    let odd = list.replace(":2}", ":4}");
    assert_eq!(self::codec(&odd, &element("uint16", 2), &[3]).expect_err("odd").reason(), "UNSUPPORTED_CODEC");
}

#[test]
fn chunks_over_a_limit_are_refused_by_name() {
    let list = format!(r#"[{LITTLE},{{"name":"blosc","configuration":{{"typesize":4}}}}]"#);
    let error = codec(&list, &element("uint32", 4), &[1 << 29]).expect_err("over 2 GiB");
    assert_eq!(error.reason(), "LIMIT_EXCEEDED");
    assert!(error.to_string().contains("blosc"), "{error}");
    assert_eq!(codec(&list, &element("uint32", 4), &[8]).expect("small").largest_buffer(), Some((1 << 31) - 17));
    assert_eq!(small("").largest_buffer(), None);
    for shape in [vec![1 << 39], vec![u64::MAX, u64::MAX]] {
        let error = codec(&format!("[{LITTLE}]"), &element("uint32", 4), &shape).expect_err("too large");
        assert_eq!(error.reason(), "LIMIT_EXCEEDED");
    }
}

#[test]
fn chains_that_are_no_chains_are_refused() {
    for (list, reason) in [
        ("", "CORRUPT_METADATA"),
        ("{}", "CORRUPT_METADATA"),
        ("[]", "CORRUPT_METADATA"),
        ("[7]", "CORRUPT_METADATA"),
        (r#"["zstd","bytes"]"#, "CORRUPT_METADATA"),
        (r#"["bytes","bytes"]"#, "CORRUPT_METADATA"),
        (r#"["bytes","numcodecs.pcodec"]"#, "UNSUPPORTED_CODEC"),
        (r#"["bytes","lz4"]"#, "UNSUPPORTED_CODEC"),
        (r#"["bytes",{"name":"blosc","configuration":{"cname":"lzo"}}]"#, "UNSUPPORTED_CODEC"),
        (r#"["bytes",{"name":"gzip","configuration":{"level":10}}]"#, "UNSUPPORTED_CODEC"),
        (r#"[{"name":"transpose","configuration":{"order":[0,0]}},"bytes"]"#, "UNSUPPORTED_CODEC"),
        (r#"[{"name":"transpose","configuration":{"order":[0]}},"bytes"]"#, "UNSUPPORTED_CODEC"),
        (r#"[{"name":"bytes","configuration":{"endian":"middle"}}]"#, "UNSUPPORTED_CODEC"),
    ] {
        let error = codec(list, &element("uint8", 1), &[2, 3]).expect_err(list);
        assert_eq!(error.reason(), reason, "{list}: {error}");
    }
    assert!(codec(r#"["bytes"]"#, &element("uint8", 1), &[2]).is_ok());
    assert!(ChunkCodec::new(r#"["bytes"]"#, &element("uint8", 1), &[2], &[0, 0]).is_err());
}

proptest! {
    #[test]
    fn no_chunk_makes_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), which in 0_usize..11) {
        let tail = [
            r#",{"name":"zstd"}"#,
            r#",{"name":"gzip","configuration":{"level":1}}"#,
            r#",{"name":"numcodecs.zlib"}"#,
            r#",{"name":"numcodecs.bz2"}"#,
            r#",{"name":"blosc","configuration":{"typesize":1}}"#,
            r#",{"name":"zstd"},{"name":"crc32c"}"#,
            r#",{"name":"numcodecs.lz4"}"#,
            r#",{"name":"numcodecs.lzma","configuration":{"check":0,"preset":0}}"#,
            r#",{"name":"numcodecs.lzma","configuration":{"format":2}}"#,
            r#",{"name":"numcodecs.lzma","configuration":{"format":3,"filters":[{"id":4611686018427387905}]}}"#,
            r#",{"name":"numcodecs.adler32"},{"name":"numcodecs.fletcher32"}"#,
        ][which];
        let codec = small(tail);
        let _ = codec.decode(Bytes::from(bytes.clone()));
        // And with a true beginning.
        let mut damaged = codec.encode(Cow::Owned(content(64))).expect("encoded").to_vec();
        for (place, byte) in damaged.iter_mut().skip(16).zip(&bytes) {
            *place ^= byte;
        }
        let _ = codec.decode(Bytes::from(damaged));
    }

    #[test]
    fn any_permutation_is_undone(
        (shape, order) in (1_usize..5).prop_flat_map(|rank| (
            prop::collection::vec(1_u64..5, rank),
            Just((0..rank).collect::<Vec<_>>()).prop_shuffle(),
        )),
        width in prop::sample::select(vec![1_u64, 2, 3, 4, 8, 16]),
    ) {
        let order: Vec<String> = order.iter().map(ToString::to_string).collect();
        let list = format!(r#"[{{"name":"transpose","configuration":{{"order":[{}]}}}},{LITTLE}]"#, order.join(","));
        let codec = codec(&list, &element(&format!("r{}", width * 8), width), &shape).expect("valid");
        let decoded = content(codec.decoded_bytes());
        let encoded = codec.encode(Cow::Borrowed(&decoded)).expect("encoded");
        prop_assert_eq!(codec.decode(encoded).expect("decoded"), decoded);
    }
}

proptest! {
    #[test]
    fn a_part_of_a_blosc_chunk_is_what_stands_there_in_the_whole(
        cname in prop::sample::select(vec!["blosclz", "lz4", "lz4hc", "zlib", "zstd"]),
        shuffle in prop::sample::select(vec!["noshuffle", "shuffle", "bitshuffle"]),
        typesize in prop::sample::select(vec![1_u64, 2, 3, 4, 8, 16]),
        level in 0_u64..=9,
        blocksize in prop::sample::select(vec![0_u64, 256, 4096]),
        length in 1_u64..6000,
        from in 0_usize..6000,
        to in 0_usize..6000,
    ) {
        let list = format!(
            r#"["bytes",{{"name":"blosc","configuration":{{"cname":"{cname}","clevel":{level},"shuffle":"{shuffle}","typesize":{typesize},"blocksize":{blocksize}}}}}]"#
        );
        let codec = codec(&list, &element("uint8", 1), &[length]).expect("a codec");
        let whole = content(length);
        let encoded = codec.encode(Cow::Borrowed(&whole)).expect("encoded");
        let (from, to) = (from % whole.len(), to % whole.len());
        let part = from.min(to)..from.max(to) + 1;
        let found = codec.decode_part(&encoded, part.clone()).expect("decoded");
        if length.is_multiple_of(typesize) {
            prop_assert_eq!(found.expect("a part"), &whole[part]);
        } else if let Some(found) = found {
            // Blosc may have taken another width.
            prop_assert_eq!(found, &whole[part]);
        }
    }

    #[test]
    fn a_damaged_blosc_chunk_is_an_error_or_wrong_but_nothing_worse(at in 0_usize..200, flip in 1_u8.., cut in 0_usize..200) {
        let codec = codec(
            r#"["bytes",{"name":"blosc","configuration":{"cname":"lz4","clevel":5,"shuffle":"shuffle","typesize":4,"blocksize":256}}]"#,
            &element("uint8", 1),
            &[4096],
        )
        .expect("a codec");
        let mut encoded = codec.encode(Cow::Owned(content(4096))).expect("encoded").to_vec();
        let (at, cut) = (at % encoded.len(), cut % encoded.len());
        encoded[at] ^= flip;
        if let Ok(Some(part)) = codec.decode_part(&encoded, 1000..2000) {
            prop_assert_eq!(part.len(), 1000);
        }
        prop_assert!(codec.decode_part(&encoded[..cut], 1000..2000).is_err());
    }
}

#[test]
fn a_part_is_only_decoded_where_nothing_else_has_to_be_undone() {
    let blosc =
        r#"{"name":"blosc","configuration":{"cname":"lz4","clevel":5,"shuffle":"shuffle","typesize":4,"blocksize":0}}"#;
    let uint32 = element("uint32", 4);
    for (list, is_taken) in [
        (format!("[{LITTLE},{blosc}]"), true),
        (format!("[{BIG},{blosc}]"), false),
        (format!(r#"[{LITTLE},{blosc},{{"name":"crc32c"}}]"#), false),
        (format!(r#"[{{"name":"transpose","configuration":{{"order":[1,0]}}}},{LITTLE},{blosc}]"#), false),
        (format!("[{LITTLE}]"), false),
        (format!(r#"[{LITTLE},{{"name":"zstd"}}]"#), false),
    ] {
        let codec = codec(&list, &uint32, &[8, 16]).expect("a codec");
        let encoded = codec.encode(Cow::Owned(content(512))).expect("encoded");
        let part = codec.decode_part(&encoded, 64..128).expect("decoded");
        assert_eq!(part.is_some(), is_taken, "{list}");
        assert!(part.is_none_or(|part| part == content(512)[64..128]), "{list}");
    }
}
