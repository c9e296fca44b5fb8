use bytes::Bytes;
use proptest::prelude::*;
use rechunk_common::layout::ElementType;

use super::Descriptor;
use crate::{ChunkCodec, CodecError, VariableChunk};

const TEXT: &str = r#"{"name":"vlen-utf8","configuration":{}}"#;

fn codec(list: &str, shape: &[u64]) -> ChunkCodec {
    ChunkCodec::new(list, &ElementType::variable(), shape, b"fill").expect(list)
}

/// A decoded chunk of the values, in a heap of their own.
fn chunk(values: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let (mut descriptors, mut heap) = (Vec::new(), Vec::new());
    for value in values.iter().rev() {
        let small = |n: usize| u32::try_from(n).expect("small");
        descriptors.push(Descriptor { offset: small(heap.len()), length: small(value.len()) }.to_bytes());
        heap.extend_from_slice(value);
    }
    descriptors.reverse();
    (descriptors.concat(), heap)
}

fn encode(codec: &ChunkCodec, values: &[Vec<u8>]) -> Bytes {
    let (descriptors, heap) = chunk(values);
    codec.encode_variable(&descriptors, |descriptor| descriptor.of_heap(&heap)).expect("encoded")
}

fn values(chunk: &VariableChunk) -> Vec<Vec<u8>> {
    let of = |bytes: &[u8; 8]| Descriptor::of_bytes(*bytes).of_heap(&chunk.heap).expect("in the heap").to_vec();
    chunk.descriptors.as_chunks().0.iter().map(of).collect()
}

/// As `numcodecs.VLenUTF8().encode(np.array(["a", "", "üb", "x" * 5], dtype=object))` of numcodecs 0.16 gives it.
const NUMCODECS: &[u8] = b"\x04\0\0\0\x01\0\0\0a\0\0\0\0\x03\0\0\0\xc3\xbcb\x05\0\0\0xxxxx";

fn of_numcodecs() -> Vec<Vec<u8>> {
    ["a", "", "üb", "xxxxx"].iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn a_chunk_is_what_numcodecs_makes_of_it_and_nothing_is_copied_that_is_not_compressed() {
    for name in ["vlen-utf8", "vlen-bytes"] {
        let codec = codec(&format!(r#"["{name}"]"#), &[2, 2]);
        assert_eq!(encode(&codec, &of_numcodecs()), NUMCODECS);
        let stored = Bytes::from_static(NUMCODECS);
        let decoded = codec.decode_variable(stored.clone(), stored.len() as u64).expect("decoded");
        assert_eq!(values(&decoded), of_numcodecs());
        assert_eq!(decoded.heap.as_ptr(), stored.as_ptr());
        assert!(codec.is_heap_stored() && !codec.is_identity());
    }
}

#[test]
fn a_transpose_moves_elements_and_not_their_bytes() {
    let transposed = format!(r#"[{{"name":"transpose","configuration":{{"order":[1,0]}}}},{TEXT}]"#);
    let codec = codec(&transposed, &[2, 2]);
    let stored = encode(&codec, &of_numcodecs());
    let expected = b"\x04\0\0\0\x01\0\0\0a\x03\0\0\0\xc3\xbcb\0\0\0\0\x05\0\0\0xxxxx";
    assert_eq!(&stored[..], expected);
    assert_eq!(values(&codec.decode_variable(stored, 1 << 20).expect("decoded")), of_numcodecs());
}

#[test]
fn whatever_is_cut_off_added_or_miscounted_is_corrupt() {
    let codec = codec(&format!("[{TEXT}]"), &[4]);
    let problem = |bytes: Vec<u8>| {
        let room = bytes.len() as u64;
        match codec.decode_variable(Bytes::from(bytes), room) {
            Err(CodecError::Corrupt { codec: "vlen-utf8", problem }) => problem,
            other => panic!("{other:?}"),
        }
    };
    for end in 0..NUMCODECS.len() {
        problem(NUMCODECS[..end].to_vec());
    }
    assert!(problem([NUMCODECS, b"\0"].concat()).contains("1 bytes are left over"));
    for count in [0_u32, 3, 5, u32::MAX] {
        assert!(problem([&count.to_le_bytes(), &NUMCODECS[4..]].concat()).contains("elements, expected 4"), "{count}");
    }
    let mut long = NUMCODECS.to_vec();
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(problem(long).contains("element 0 passes the end"));
    // Many elements are said to be there, and the chunk has hardly any bytes: nothing is allocated for them.
    let many = ChunkCodec::new(&format!("[{TEXT}]"), &ElementType::variable(), &[1 << 31], b"").expect("valid");
    let error = many.decode_variable(Bytes::from_static(b"\0\0\0\x80"), 4).expect_err("too short");
    assert!(error.to_string().contains("too few"), "{error}");
}

#[test]
fn text_that_is_no_utf8_passes_as_it_is() {
    let codec = codec(&format!("[{TEXT}]"), &[1]);
    let stored = encode(&codec, &[vec![0xff, 0xfe]]);
    assert_eq!(values(&codec.decode_variable(stored, 64).expect("decoded")), [vec![0xff, 0xfe]]);
}

#[test]
fn a_chunk_that_is_longer_than_its_room_is_told_from_one_that_is_corrupt() {
    let tails = ["zstd", "gzip", "numcodecs.zlib", "numcodecs.bz2", "numcodecs.lz4", "numcodecs.lzma", "blosc"];
    for tail in tails {
        let options = if tail == "blosc" {
            r#","configuration":{"cname":"lz4","clevel":5,"shuffle":"noshuffle","typesize":1,"blocksize":0}"#
        } else {
            ""
        };
        let codec = codec(&format!(r#"[{TEXT},{{"name":"{tail}"{options}}}]"#), &[2]);
        let long = [vec![b'a'; 30_000], vec![b'b'; 20_000]];
        let stored = encode(&codec, &long);
        let whole = codec.variable_bytes(50_000);
        assert_eq!(whole, 50_012);
        for room in [0, 12, whole - 1] {
            match codec.decode_variable(stored.clone(), room) {
                Err(CodecError::OverRoom { bytes, room: of, .. }) => assert!(bytes > room && of == room, "{tail}"),
                other => panic!("{tail}: {other:?}"),
            }
        }
        for room in [whole, whole + 1, 1 << 20] {
            assert_eq!(values(&codec.decode_variable(stored.clone(), room).expect(tail)), long, "{tail}");
        }
        let cut = stored.slice(..stored.len() / 2);
        let error = codec.decode_variable(cut, whole).expect_err("cut off");
        assert!(!matches!(error, CodecError::OverRoom { .. }), "{tail}: {error}");
        assert!(stored.len() as u64 <= codec.worst_variable_bytes(50_000), "{tail}");
    }
}

#[test]
fn a_frame_of_zstd_that_does_not_say_how_long_it_is_is_read_within_its_room() {
    let codec = codec(&format!(r#"[{TEXT},{{"name":"zstd"}}]"#), &[1]);
    let plain = [&b"\x01\0\0\0\x10\x27\0\0"[..], &[b'z'; 10_000]].concat();
    let mut streamed = Vec::new();
    zstd::stream::copy_encode(&plain[..], &mut streamed, 1).expect("encoded");
    let declared = zstd::zstd_safe::get_frame_content_size(&streamed).expect("a header");
    assert_eq!(declared, None, "or this test tests nothing");
    let streamed = Bytes::from(streamed);
    let error = codec.decode_variable(streamed.clone(), 10_007).expect_err("longer");
    assert!(matches!(error, CodecError::OverRoom { bytes: 10_008, room: 10_007, .. }), "{error}");
    let decoded = codec.decode_variable(streamed, 10_008).expect("decoded");
    assert_eq!(values(&decoded), [vec![b'z'; 10_000]]);
}

#[test]
fn chains_and_elements_of_another_kind_are_refused() {
    let fixed = ElementType { data_type: "uint64".to_owned(), width: 8 };
    let bytes = r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#;
    let of_fixed = ChunkCodec::new(&format!("[{TEXT}]"), &fixed, &[2], &[0; 8]).expect_err("of a width");
    let of_variable = ChunkCodec::new(bytes, &ElementType::variable(), &[2], b"").expect_err("of variable length");
    for error in [of_fixed, of_variable] {
        assert_eq!(error.reason(), "UNSUPPORTED_CODEC", "{error}");
    }
    let filter = r#"{"name":"numcodecs.bitround","configuration":{"keepbits":3}}"#;
    let error =
        ChunkCodec::new(&format!("[{filter},{TEXT}]"), &ElementType::variable(), &[2], b"").expect_err("filter");
    assert!(error.to_string().contains("it stands before vlen-utf8"), "{error}");
    let codec = codec(&format!("[{TEXT}]"), &[2]);
    assert!(codec.decode(Bytes::from_static(&[0; 16])).is_err());
    assert!(codec.encode(vec![0; 16].into()).is_err());
    assert!(codec.encode_variable(&[0; 8], |_| Some(b"")).is_err(), "one descriptor for two elements");
    assert!(codec.encode_variable(&[0; 16], |_| None).is_err(), "elements that are nowhere");
}

proptest! {
    #[test]
    fn every_chain_gives_every_value_back(
        values_in in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 6),
        tail in prop::sample::select(vec!["", r#",{"name":"zstd"}"#, r#",{"name":"gzip"},{"name":"crc32c"}"#, r#",{"name":"numcodecs.lz4"},{"name":"zstd"}"#]),
        is_transposed in any::<bool>(),
    ) {
        let head = if is_transposed { r#"{"name":"transpose","configuration":{"order":[1,0]}},"# } else { "" };
        let codec = codec(&format!("[{head}{TEXT}{tail}]"), &[2, 3]);
        let stored = encode(&codec, &values_in);
        let bytes = values_in.iter().map(|value| value.len() as u64).sum();
        prop_assert!(stored.len() as u64 <= codec.worst_variable_bytes(bytes));
        let decoded = codec.decode_variable(stored, codec.variable_bytes(bytes)).expect("decoded");
        prop_assert_eq!(values(&decoded), values_in);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), room in 0_u64..200) {
        for tail in ["", r#",{"name":"zstd"}"#, r#",{"name":"numcodecs.lz4"}"#] {
            let _ = codec(&format!("[{TEXT}{tail}]"), &[3]).decode_variable(Bytes::from(bytes.clone()), room);
        }
    }
}
