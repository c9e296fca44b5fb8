use bytes::Bytes;
use proptest::prelude::*;
use rechunk_common::layout::{ChunkLayout, ElementType, IndexLocation};

use super::{ShardCodec, ShardEntry, ShardIndex};
use crate::CodecError;

const INDEX: &str = r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#;

fn layout(index_codecs: &str) -> ChunkLayout {
    ChunkLayout::Sharded {
        shard_shape: vec![4, 6],
        chunk_shape: vec![2, 3],
        codecs: r#"[{"name":"bytes"},{"name":"zstd"}]"#.to_owned(),
        index_codecs: index_codecs.to_owned(),
        index_location: IndexLocation::End,
    }
}

fn element() -> ElementType {
    ElementType { data_type: "uint8".to_owned(), width: 1 }
}

fn shard(index_codecs: &str) -> ShardCodec {
    ShardCodec::new(&layout(index_codecs), &element(), &[0]).expect("valid").expect("sharded")
}

fn filled() -> ShardIndex {
    let mut index = ShardIndex::empty(4);
    assert!(index.set(1, ShardEntry { offset: 0, length: 10 }));
    assert!(index.set(3, ShardEntry { offset: 10, length: 0x0102 }));
    index
}

#[test]
fn an_index_is_offsets_and_lengths_and_a_checksum() {
    let shard = shard(INDEX);
    assert_eq!((shard.chunks_per_shard(), shard.entry_count(), shard.index_bytes()), ([2, 2].as_slice(), 4, 68));
    let encoded = shard.encode_index(&filled()).expect("encoded");
    assert_eq!(encoded.len(), 68);
    assert_eq!(encoded[..16], [0xff; 16]);
    assert_eq!(encoded[56..64], [2, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(shard.decode_index(encoded).expect("decoded"), filled());
}

#[test]
fn an_index_may_be_big_endian_and_without_a_checksum() {
    let shard = shard(r#"[{"name":"bytes","configuration":{"endian":"big"}}]"#);
    assert_eq!(shard.index_bytes(), 64);
    let encoded = shard.encode_index(&filled()).expect("encoded");
    assert_eq!(encoded[56..64], [0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(shard.decode_index(encoded).expect("decoded"), filled());
}

#[test]
fn missing_chunks_have_no_entry() {
    let index = filled();
    assert_eq!(index.entry(0), None);
    assert_eq!(index.entry(1), Some(ShardEntry { offset: 0, length: 10 }));
    assert_eq!(index.entry(4), None);
    assert!(!index.is_all_missing());
    assert!(ShardIndex::empty(4).is_all_missing());
    assert!(!ShardIndex::empty(4).set(4, ShardEntry { offset: 0, length: 0 }));
}

#[test]
fn a_damaged_index_is_found() {
    let shard = shard(INDEX);
    let encoded = shard.encode_index(&filled()).expect("encoded");
    let mut damaged = encoded.to_vec();
    damaged[20] ^= 0x40;
    assert_eq!(shard.decode_index(Bytes::from(damaged)), Err(CodecError::Checksum { codec: "crc32c" }));
    let short = encoded.slice(1..);
    let expected = CodecError::DecodedSize { codec: "sharding_indexed", found: 67, expected: 68 };
    assert_eq!(shard.decode_index(short), Err(expected));
}

#[test]
fn entries_must_lie_in_their_object() {
    assert_eq!(filled().check(268), Ok(()));
    let expected = CodecError::ShardEntry { entry: 3, offset: 10, length: 258, object_bytes: 267 };
    assert_eq!(filled().check(267), Err(expected));
    for entry in [
        ShardEntry { offset: u64::MAX, length: 0 },
        ShardEntry { offset: 5, length: u64::MAX },
        ShardEntry { offset: u64::MAX - 1, length: 8 },
    ] {
        let mut index = ShardIndex::empty(1);
        assert!(index.set(0, entry));
        assert!(index.check(1 << 40).is_err(), "{entry:?}");
    }
}

#[test]
fn an_index_of_variable_length_is_refused() {
    let codecs = r#"["bytes",{"name":"zstd"}]"#;
    let error = ShardCodec::new(&layout(codecs), &element(), &[0]).expect_err("variable");
    assert_eq!(error.reason(), "UNSUPPORTED_CODEC");
}

#[test]
fn a_shard_that_is_no_multiple_or_too_large_is_refused_and_plain_chunks_have_none() {
    let sharded = |shard_shape: Vec<u64>| ChunkLayout::Sharded {
        shard_shape,
        chunk_shape: vec![2, 3],
        codecs: r#"["bytes"]"#.to_owned(),
        index_codecs: INDEX.to_owned(),
        index_location: IndexLocation::Start,
    };
    for (shape, reason) in [
        (vec![4, 7], "INVALID_CHUNK_SHAPE"),
        (vec![4], "INVALID_CHUNK_SHAPE"),
        (vec![1 << 62, 3 << 60], "LIMIT_EXCEEDED"),
    ] {
        let error = ShardCodec::new(&sharded(shape.clone()), &element(), &[0]).expect_err("invalid");
        assert_eq!(error.reason(), reason, "{shape:?}");
    }
    let plain = ChunkLayout::Plain { chunk_shape: vec![2], codecs: r#"["bytes"]"#.to_owned() };
    assert!(ShardCodec::new(&plain, &element(), &[0]).expect("valid").is_none());
}

proptest! {
    #[test]
    fn any_index_survives(entries in prop::collection::vec((any::<u64>(), any::<u64>()), 4)) {
        let shard = shard(INDEX);
        let mut index = ShardIndex::empty(4);
        for (chunk, (offset, length)) in (0..).zip(entries) {
            let known = index.set(chunk, ShardEntry { offset, length });
            prop_assert!(known);
        }
        let encoded = shard.encode_index(&index).expect("encoded");
        prop_assert_eq!(shard.decode_index(encoded).expect("decoded"), index);
    }

    #[test]
    fn no_bytes_make_the_index_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let plain = shard(r#"["bytes"]"#);
        if let Ok(index) = plain.decode_index(Bytes::from(bytes.clone())) {
            let _ = index.check(100);
        }
        let _ = shard(INDEX).decode_index(Bytes::from(bytes));
    }
}
