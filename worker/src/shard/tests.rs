use std::sync::Arc;

use bytes::Bytes;
use rechunk_common::{
    ByteCount,
    layout::{ChunkLayout, ElementType, IndexLocation},
    plan::ShardParts,
};
use rechunk_zarr::{ShardCodec, ShardEntry};

use super::*;

/// Four inner chunks of two bytes.
fn codec(index_location: IndexLocation) -> Arc<ShardCodec> {
    let chunks = ChunkLayout::Sharded {
        shard_shape: vec![8],
        chunk_shape: vec![2],
        codecs: r#"[{"name":"bytes"}]"#.into(),
        index_codecs: r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#.into(),
        index_location,
    };
    let element = ElementType { data_type: "uint8".into(), width: 1 };
    Arc::new(ShardCodec::new(&chunks, &element, &[0]).expect("codecs").expect("sharded"))
}

fn parts(bytes: u64) -> ShardParts {
    ShardParts { bytes: ByteCount(bytes) }
}

fn bytes(parts: &[Part]) -> Vec<Vec<u8>> {
    parts.iter().map(|part| part.payload.iter().flatten().copied().collect()).collect()
}

/// The chunks 2, 0 and 3, in this order, in parts.
fn assembled(part: u64) -> Vec<Part> {
    let mut assembly = Assembly::new(codec(IndexLocation::End), parts(part)).expect("the index comes last");
    let mut all = Vec::new();
    for (number, chunk) in [(2, "abc"), (0, "defgh"), (3, "ij")] {
        assembly.append(number, Bytes::from_static(chunk.as_bytes())).expect("there is such a chunk");
        all.extend(std::iter::from_fn(|| assembly.take_part()));
    }
    all.extend(assembly.end().expect("the index encodes"));
    all
}

#[test]
fn parts_have_one_length_and_make_a_shard_in_the_order_in_which_chunks_came() {
    let codec = codec(IndexLocation::End);
    for part in 1..100 {
        let all = assembled(part);
        let pieces = bytes(&all);
        let object = pieces.concat();
        let length = usize::try_from(part).expect("small");
        assert_eq!(all.iter().map(|part| part.number).collect::<Vec<_>>(), (0..all.len()).collect::<Vec<_>>());
        assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.len() == length), "parts of {part}");
        assert!((1..=length).contains(&pieces[pieces.len() - 1].len()), "parts of {part}");
        assert_eq!(all.iter().all(|part| part.is_all), all.len() == 1, "parts of {part}");
        assert_eq!(&object[..10], b"abcdefghij");
        let index = codec.decode_index(Bytes::copy_from_slice(&object[10..])).expect("the index is whole");
        let entries: Vec<_> = (0..4).map(|number| index.entry(number)).collect();
        let entry = |offset, length| Some(ShardEntry { offset, length });
        assert_eq!(entries, [entry(3, 5), None, entry(0, 3), entry(8, 2)]);
    }
}

#[test]
fn a_shard_whose_index_comes_first_is_never_written_in_parts() {
    let failure = Assembly::new(codec(IndexLocation::Start), parts(5)).expect_err("its index is not known");
    assert!(failure.message.contains("comes first"), "{failure}");
}

#[test]
fn a_whole_shard_has_its_chunks_in_c_order_after_or_before_its_index() {
    let chunks = || vec![(2, Bytes::from_static(b"abc")), (0, Bytes::from_static(b"defgh"))];
    for location in [IndexLocation::Start, IndexLocation::End] {
        let codec = codec(location);
        let object: Vec<u8> = whole(&codec, chunks()).expect("a shard").iter().flatten().copied().collect();
        let index = usize::try_from(codec.index_bytes()).expect("small");
        let body = match location {
            IndexLocation::Start => &object[index..],
            IndexLocation::End => &object[..object.len() - index],
        };
        assert_eq!(body, b"defghabc");
    }
}
