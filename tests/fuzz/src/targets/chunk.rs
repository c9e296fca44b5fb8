//! Encoded chunks, by every codec there is, and indexes of shards. Libraries written in C take memory that is not counted
//! here: `tests/fuzz/run` bounds the whole process.

use bytes::Bytes;
use rechunk_common::layout::{ChunkLayout, ElementType, IndexLocation};
use rechunk_zarr::{ChunkCodec, Descriptor, ShardCodec, VariableChunk};

/// What a chunk decodes to, and not a byte more.
pub(super) const MOST_DECODED_BYTES: usize = 4 * CHUNK[0] * CHUNK[1];

const CHUNK: [usize; 2] = [16, 24];

/// Chains of codecs, by number.
const CHAINS: [&str; 16] = [
    r#"[{"name":"bytes","configuration":{"endian":"big"}}]"#,
    r#"[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"little"}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"zstd","configuration":{"level":1,"checksum":true}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"gzip","configuration":{"level":1}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"blosc","configuration":{"cname":"lz4","clevel":5,"shuffle":"shuffle","typesize":4,"blocksize":0}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.zlib","configuration":{"level":1}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.bz2","configuration":{"level":1}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.lzma","configuration":{"format":1,"check":-1,"preset":0,"filters":null}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.lz4","configuration":{"acceleration":1}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.shuffle","configuration":{"elementsize":4}},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.fletcher32","configuration":{}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.crc32","configuration":{}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"numcodecs.adler32","configuration":{}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"gzip","configuration":{"level":1}},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#,
    r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"blosc","configuration":{"cname":"zstd","clevel":5,"shuffle":"bitshuffle","typesize":4,"blocksize":0}}]"#,
];

/// Chains of elements of variable length; their numbers begin here.
const FIRST_VARIABLE: usize = 240;
const VARIABLE_CHAINS: [&str; 4] = [
    r#"[{"name":"vlen-utf8","configuration":{}}]"#,
    r#"[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"vlen-bytes"},{"name":"crc32c"}]"#,
    r#"[{"name":"vlen-utf8"},{"name":"zstd","configuration":{"level":1,"checksum":false}}]"#,
    r#"[{"name":"vlen-bytes"},{"name":"gzip","configuration":{"level":1}}]"#,
];

/// The first byte says by which chain the others are encoded, or that they are an index.
pub(super) fn read(input: &[u8]) {
    let Some((kind, encoded)) = input.split_first() else { return };
    let encoded = Bytes::copy_from_slice(encoded);
    let place = usize::from(*kind);
    if let Some(chain) = place.checked_sub(FIRST_VARIABLE).and_then(|at| VARIABLE_CHAINS.get(at)) {
        return read_variable(chain, encoded);
    }
    match CHAINS.get(place) {
        Some(chain) => read_chunk(chain, encoded),
        None => read_index(place, encoded),
    }
}

#[expect(clippy::expect_used, reason = "the chains are ours, and a codec that is not known any more must show")]
fn read_chunk(chain: &str, encoded: Bytes) {
    let codec = ChunkCodec::new(chain, &element(), &CHUNK.map(|length| length as u64), &[0; 4]).expect(chain);
    let Ok(decoded) = codec.decode(encoded) else { return };
    assert_eq!(decoded.len(), MOST_DECODED_BYTES, "a chunk of another length");
    let again = codec.encode(decoded.as_ref().into()).expect("an encoded chunk");
    assert_eq!(codec.decode(again), Ok(decoded), "a chunk is not decoded again");
}

#[expect(clippy::expect_used, reason = "the chains are ours, and what was decoded must be encoded")]
fn read_variable(chain: &str, encoded: Bytes) {
    let codec = ChunkCodec::new(chain, &ElementType::variable(), &[2, 3], b"").expect(chain);
    let Ok(decoded) = codec.decode_variable(encoded, MOST_DECODED_BYTES as u64) else { return };
    assert!(decoded.heap.len() <= MOST_DECODED_BYTES, "more than there was room for");
    let value = |at: &Descriptor, chunk: &VariableChunk| at.of_heap(&chunk.heap).expect("within its heap").to_vec();
    let values = |chunk: &VariableChunk| {
        let each = chunk.descriptors.as_chunks().0.iter();
        each.map(|bytes| value(&Descriptor::of_bytes(*bytes), chunk)).collect::<Vec<_>>()
    };
    let again = codec.encode_variable(&decoded.descriptors, |at| at.of_heap(&decoded.heap)).expect("an encoded chunk");
    let again = codec.decode_variable(again, MOST_DECODED_BYTES as u64).expect("a chunk that is decoded again");
    assert_eq!(values(&again), values(&decoded));
}

#[expect(clippy::expect_used, reason = "the layout is ours")]
fn read_index(place: usize, encoded: Bytes) {
    let checked = r#"[{"name":"bytes","configuration":{"endian":"little"}},{"name":"crc32c"}]"#;
    let bare = r#"[{"name":"bytes","configuration":{"endian":"little"}}]"#;
    let chunks = ChunkLayout::Sharded {
        shard_shape: vec![8, 8],
        chunk_shape: vec![2, 4],
        codecs: bare.to_owned(),
        index_codecs: if place.is_multiple_of(2) { bare } else { checked }.to_owned(),
        index_location: IndexLocation::End,
    };
    let codec = ShardCodec::new(&chunks, &element(), &[0; 4]).expect("a layout").expect("a sharded one");
    let Ok(index) = codec.decode_index(encoded) else { return };
    assert_eq!(index.len(), codec.entry_count());
    if index.check(1 << 20).is_ok() {
        let inside =
            (0..index.len()).filter_map(|chunk| index.entry(chunk)).all(|entry| entry.offset + entry.length <= 1 << 20);
        assert!(inside, "an entry beyond its object");
    }
    let again = codec.encode_index(&index).expect("an encoded index");
    assert_eq!(codec.decode_index(again), Ok(index), "an index is not decoded again");
}

fn element() -> ElementType {
    ElementType { data_type: "uint32".to_owned(), width: 4 }
}
