//! Chunks that numcodecs 0.16.6 wrote, and what a hostile one could say.

use super::*;

const LZMA_XZ: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a301003f0000000102030507090b0e1114181c2024292e33393f454b5259606870788089929ba5afb9c3ced9e4f0010d192633404e5c6a788796a5b5c5d5e5f60c1d2f4100edc46fe8a63d07c800015840e72338241fb6f37d010000000004595a";
const LZMA_XZ_SHA256: &str = "fd377a585a00000ae1fb0ca1020021011c00000010cf58cc01003f0000000102030507090b0e1114181c2024292e33393f454b5259606870788089929ba5afb9c3ced9e4f0010d192633404e5c6a788796a5b5c5d5e5f60c1d2f41006d3b3829b348ce34a2756e8b24547824705d31cadc3f93301d6ef16ec1dabc3c000170404d8d6579189b4b9a01000000000a595a";
const LZMA_ALONE: &str = "5d00001000ffffffffffffffff000067fea04eb001d3379f0d31b67dd7604bac3c189e11a2e7b802c56a663f3c1ae2d2d3341504849a7118c863e2bbe67b2f6b6c48c56cdbba92635ba622987de8016180081c4affff01f40000";
const LZMA_RAW_1: &str = "000067fea04eb001d3379f0d31b67dd7604bac3c189e11a2e7b802c56a663f3c1ae2d2d3341504849a7118c863e2bbe67b2f6b6c48c56cdbba92635ba622987de8016180081c4affff01f40000";
const LZMA_RAW_2: &str = "01003f00000001020305060708090a0b0d0e0f1011121315161718191a1b1d1e1f2021222325262728292a2b2d33343536323335363738393a3b3d3e3f404147484a4b00";

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ascii"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// One codec of numcodecs behind single bytes.
fn behind_bytes(name: &str, options: &str, bytes: u64) -> Result<ChunkCodec, MetadataError> {
    let list = format!(r#"["bytes",{{"name":"numcodecs.{name}","configuration":{{{options}}}}}]"#);
    codec(&list, &element("uint8", 1), &[bytes])
}

#[test]
fn streams_of_lzma_in_every_container_are_read() {
    for (options, stream) in [
        ("", LZMA_XZ),
        (r#""format":1,"check":10,"preset":9,"filters":null"#, LZMA_XZ_SHA256),
        (r#""format":2,"check":-1,"preset":1,"filters":null"#, LZMA_ALONE),
        (r#""format":3,"filters":[{"id":4611686018427387905,"dict_size":65536}]"#, LZMA_RAW_1),
        (r#""format":3,"filters":[{"id":3,"dist":4},{"id":33,"preset":1}]"#, LZMA_RAW_2),
    ] {
        let codec = behind_bytes("lzma", options, 64).expect(options);
        assert_eq!(codec.decode(unhex(stream)).expect(options), content(64), "{options}");
        let encoded = codec.encode(Cow::Owned(content(64))).expect(options);
        assert_eq!(codec.encode(Cow::Owned(content(64))).expect(options), encoded, "the same bytes each time");
        assert_eq!(codec.decode(encoded).expect(options), content(64), "{options}");
        let short = behind_bytes("lzma", options, 63).expect(options).decode(unhex(stream)).expect_err("too long");
        assert_eq!(short, CodecError::DecodedSize { codec: "lzma", found: 64, expected: 63 }, "{options}");
        let cut = unhex(&stream[..stream.len() - 20]);
        assert!(matches!(codec.decode(cut), Err(CodecError::Corrupt { codec: "lzma", .. })), "{options}");
    }
}

#[test]
fn a_dictionary_beyond_the_limit_is_refused() {
    let raw = r#""format":3,"filters":[{"id":33,"dict_size":4294967295}]"#;
    assert_eq!(behind_bytes("lzma", raw, 64).expect_err("huge").reason(), "LIMIT_EXCEEDED");
    // A header of the older container that asks for 2 GiB.
    let hostile = LZMA_ALONE.replacen("00001000", "00000080", 1);
    let codec = behind_bytes("lzma", r#""format":2"#, 64).expect("valid");
    assert!(matches!(codec.decode(unhex(&hostile)), Err(CodecError::Corrupt { codec: "lzma", .. })));
}

#[test]
fn options_of_lzma_that_make_no_stream_are_refused_by_name() {
    for options in [
        r#""format":0"#,
        r#""format":9"#,
        r#""check":3"#,
        r#""preset":10"#,
        r#""preset":-1"#,
        r#""format":2,"check":4"#,
        r#""format":3"#,
        r#""format":3,"filters":[]"#,
        r#""format":3,"filters":[{"id":3}]"#,
        r#""format":3,"filters":[{"id":4},{"id":33}]"#,
        r#""format":3,"filters":[{"id":3,"dist":257},{"id":33}]"#,
        r#""format":3,"filters":[{"id":33,"lc":5}]"#,
        r#""format":1,"filters":[{"id":33}]"#,
    ] {
        let error = behind_bytes("lzma", options, 64).expect_err(options);
        assert_eq!(error.reason(), "UNSUPPORTED_CODEC", "{options}: {error}");
        assert!(error.to_string().contains("lzma"), "{error}");
    }
}

#[test]
fn lz4_is_a_length_and_a_block() {
    let codec = behind_bytes("lz4", r#""acceleration":1"#, 100).expect("valid");
    let numcodecs = unhex("640000001f0001004b500000000000");
    assert_eq!(codec.decode(numcodecs.clone()).expect("decoded"), vec![0; 100]);
    let encoded = codec.encode(Cow::Owned(vec![0; 100])).expect("encoded");
    assert_eq!(encoded[..4], 100_u32.to_le_bytes());
    let mut hostile = numcodecs.to_vec();
    hostile[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = codec.decode(Bytes::from(hostile)).expect_err("a length that is not the chunk's");
    assert_eq!(error, CodecError::DeclaredSize { codec: "lz4", declared: u64::from(u32::MAX), expected: 100 });
    for cut in [0, 3, 4, 10, 14] {
        assert!(codec.decode(numcodecs.slice(..cut)).is_err(), "{cut}");
    }
    let error = behind_bytes("lz4", "", 0x7e00_0001).expect_err("over the limit of lz4");
    assert_eq!(error.reason(), "LIMIT_EXCEEDED");
    assert_eq!(behind_bytes("lz4", "", 0x7e00_0000).expect("at the limit").largest_buffer(), Some(0x7e00_0000));
}

#[test]
fn checksums_stand_where_numcodecs_puts_them() {
    for (name, options, at_start, stored) in [
        ("crc32", "", true, "5cf60ac7"),
        ("crc32", r#""location":"end""#, false, "5cf60ac7"),
        ("adler32", "", true, "11163808"),
        ("adler32", r#""location":"end""#, false, "11163808"),
        ("crc32c", "", false, "ada3679f"),
        ("crc32c", r#""location":"start""#, true, "ada3679f"),
        ("fletcher32", "", false, "a283962d"),
    ] {
        let codec = behind_bytes(name, options, 64).expect(name);
        let encoded = codec.encode(Cow::Owned(content(64))).expect(name);
        let checksum = unhex(stored);
        let expected = if at_start { [checksum.to_vec(), content(64)] } else { [content(64), checksum.to_vec()] };
        assert_eq!(encoded, expected.concat(), "{name} {options}");
        assert_eq!(codec.worst_encoded_bytes(), 68);
        assert_eq!(codec.decode(encoded.clone()).expect(name), content(64), "{name} {options}");
        for at in [0, 3, 4, 40, 63, 67] {
            let mut damaged = encoded.to_vec();
            damaged[at] ^= 4;
            assert!(matches!(codec.decode(Bytes::from(damaged)), Err(CodecError::Checksum { .. })), "{name} {at}");
        }
        let short = codec.decode(encoded.slice(..3));
        assert!(matches!(short, Err(CodecError::Corrupt { .. })), "{name}");
    }
    for (name, options) in [("crc32", r#""location":"middle""#), ("fletcher32", r#""location":"start""#)] {
        assert_eq!(behind_bytes(name, options, 64).expect_err(name).reason(), "UNSUPPORTED_CODEC");
    }
}

#[test]
fn fletcher32_folds_its_carries_as_hdf5_does() {
    for (chunk, stored) in [
        (content(63), "6183552d"),
        (content(5), "01020202"),
        (content(3), "00000000"),
        (vec![0xff; 2001], "00ff00ff"),
        (vec![0xff; 721], "00ff00ff"),
        (vec![0; 8], "00000000"),
    ] {
        let bytes = u64::try_from(chunk.len()).expect("small");
        let codec = behind_bytes("fletcher32", "", bytes).expect("valid");
        let encoded = codec.encode(Cow::Owned(chunk)).expect("encoded");
        assert_eq!(encoded.slice(encoded.len() - 4..), unhex(stored));
    }
}
