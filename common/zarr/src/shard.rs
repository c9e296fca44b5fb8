//! Shards: inner chunks one after another in one object, and an index that says where each stands. Fetching and
//! writing are elsewhere; here are the index and its checks.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use rechunk_common::{
    layout::{ChunkLayout, ElementType, IndexLocation},
    limits,
};

use crate::{ChunkCodec, CodecError, MetadataError};

/// What the index has for a missing inner chunk, twice.
const MISSING: u64 = u64::MAX;
/// Bytes of an entry: offset and length.
const ENTRY_BYTES: u64 = 16;

/// The codecs of the shards of one array.
#[derive(Debug, Clone)]
pub struct ShardCodec {
    inner: ChunkCodec,
    index: ChunkCodec,
    chunks_per_shard: Vec<u64>,
    entry_count: u64,
    index_location: IndexLocation,
}

impl ShardCodec {
    /// The codecs of a sharded layout; `None` where it is plain.
    pub fn new(chunks: &ChunkLayout, element: &ElementType, fill: &[u8]) -> Result<Option<Self>, MetadataError> {
        let ChunkLayout::Sharded { shard_shape, chunk_shape, index_codecs, index_location, .. } = chunks else {
            return Ok(None);
        };
        let not_multiples = || MetadataError::ChunkShape {
            field: "shards",
            problem: format!("{shard_shape:?} are not multiples of the chunk lengths {chunk_shape:?}"),
        };
        if shard_shape.len() != chunk_shape.len() {
            return Err(not_multiples());
        }
        let chunks_per_shard = shard_shape
            .iter()
            .zip(chunk_shape)
            .map(|(shard, chunk)| shard.checked_div(*chunk).filter(|_| shard.is_multiple_of(*chunk)))
            .collect::<Option<Vec<u64>>>()
            .ok_or_else(not_multiples)?;
        let limit = limits::MAX_CHUNK_BYTES.0;
        let entry_count = chunks_per_shard
            .iter()
            .try_fold(1_u64, |count, along| count.checked_mul(*along))
            .filter(|count| count.checked_mul(ENTRY_BYTES).is_some_and(|bytes| bytes <= limit))
            .ok_or_else(|| MetadataError::Limit {
                what: "bytes of a shard index",
                value: format!("{chunks_per_shard:?} × {ENTRY_BYTES}"),
                limit,
            })?;
        let mut index_shape = chunks_per_shard.clone();
        index_shape.push(2);
        let numbers = ElementType { data_type: "uint64".to_owned(), width: 8 };
        let index = ChunkCodec::new(index_codecs, &numbers, &index_shape, &[0xff; 8])?;
        if !index.is_fixed() {
            // Its place could not be known before it is read.
            return Err(MetadataError::codec(index_codecs.clone(), "a shard index of variable length"));
        }
        let inner = ChunkCodec::of_layout(chunks, element, fill)?;
        let index_location = *index_location;
        Ok(Some(Self { inner, index, chunks_per_shard, entry_count, index_location }))
    }

    /// The chain of the inner chunks.
    pub fn inner(&self) -> &ChunkCodec {
        &self.inner
    }

    /// Inner chunks of a shard per axis.
    pub fn chunks_per_shard(&self) -> &[u64] {
        &self.chunks_per_shard
    }

    /// Inner chunks of a shard.
    pub fn entry_count(&self) -> u64 {
        self.entry_count
    }

    /// Bytes of the encoded index.
    pub fn index_bytes(&self) -> u64 {
        self.index.worst_encoded_bytes()
    }

    /// Where the index stands in the shard.
    pub fn index_location(&self) -> IndexLocation {
        self.index_location
    }

    /// No shard that these codecs encode is longer.
    pub fn worst_encoded_bytes(&self) -> u64 {
        self.entry_count.saturating_mul(self.inner.worst_encoded_bytes()).saturating_add(self.index_bytes())
    }

    /// The index, checksum and length verified. The entries are as they stand: see [`ShardIndex::check`].
    pub fn decode_index(&self, encoded: Bytes) -> Result<ShardIndex, CodecError> {
        let found = u64::try_from(encoded.len()).unwrap_or(u64::MAX);
        let expected = self.index_bytes();
        if found != expected {
            return Err(CodecError::DecodedSize { codec: "sharding_indexed", found, expected });
        }
        let decoded = self.index.decode(encoded)?;
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let entries = decoded
            .as_chunks::<8>()
            .0
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[offset, length]| ShardEntry { offset: number(offset), length: number(length) })
            .collect();
        Ok(ShardIndex { entries })
    }

    /// The encoded index, [`index_bytes`](Self::index_bytes) long.
    pub fn encode_index(&self, index: &ShardIndex) -> Result<Bytes, CodecError> {
        let mut decoded = Vec::with_capacity(index.entries.len().saturating_mul(16));
        for entry in &index.entries {
            decoded.extend_from_slice(&entry.offset.to_le_bytes());
            decoded.extend_from_slice(&entry.length.to_le_bytes());
        }
        self.index.encode(Cow::Owned(decoded))
    }
}

/// Where an inner chunk stands in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardEntry {
    /// Of its first byte, from the start of the shard.
    pub offset: u64,
    /// Of its encoded bytes.
    pub length: u64,
}

impl ShardEntry {
    const NONE: Self = Self { offset: MISSING, length: MISSING };
}

/// Where the inner chunks of a shard stand, in C order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    entries: Vec<ShardEntry>,
}

impl ShardIndex {
    /// An index of `entries` inner chunks, all missing. `entries` is a [`ShardCodec::entry_count`].
    pub fn empty(entries: u64) -> Self {
        Self { entries: vec![ShardEntry::NONE; usize::try_from(entries).unwrap_or(0)] }
    }

    /// Inner chunks, missing ones too.
    pub fn len(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// Whether the shard has no place for inner chunks.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Where inner chunk `chunk` stands; `None` where it is missing or past the end.
    pub fn entry(&self, chunk: u64) -> Option<ShardEntry> {
        let entry = *self.entries.get(usize::try_from(chunk).ok()?)?;
        (entry != ShardEntry::NONE).then_some(entry)
    }

    /// Notes where inner chunk `chunk` stands; whether there is such a chunk.
    #[must_use = "an entry past the end is not noted"]
    pub fn set(&mut self, chunk: u64, entry: ShardEntry) -> bool {
        let place = usize::try_from(chunk).ok().and_then(|chunk| self.entries.get_mut(chunk));
        place.is_some_and(|place| {
            *place = entry;
            true
        })
    }

    /// Whether every inner chunk is missing: such a shard is not written.
    pub fn is_all_missing(&self) -> bool {
        self.entries.iter().all(|entry| *entry == ShardEntry::NONE)
    }

    /// Checks that every entry lies in an object of `object_bytes`.
    pub fn check(&self, object_bytes: u64) -> Result<(), CodecError> {
        for (number, entry) in (0_u64..).zip(&self.entries) {
            let ShardEntry { offset, length } = *entry;
            let inside = offset.checked_add(length).is_some_and(|end| end <= object_bytes);
            if !inside && *entry != ShardEntry::NONE {
                return Err(CodecError::ShardEntry { entry: number, offset, length, object_bytes });
            }
        }
        Ok(())
    }
}
