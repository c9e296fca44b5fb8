//! Shards that are written while they are filled: what their parts take of a task's memory. The planner declares it, and
//! the worker keeps to it.

use serde::{Deserialize, Serialize};

use crate::{
    ByteCount,
    layout::{ChunkLayout, IndexLocation},
};

/// An index is held three times when its shard ends: as numbers, as their bytes, and encoded.
const INDEX_COPIES: u64 = 3;

/// Inner chunks that are read ahead of their place in a shard that is packed, at the least: one comes while another goes
/// in.
const LEAST_AHEAD: u64 = 2;

/// Shards are written in parts of so many bytes while they are filled, so that a task never holds one whole. One that
/// turns out to be no longer than a part is written at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardParts {
    /// Bytes of a part, the last one excepted; at least 1.
    pub bytes: ByteCount,
}

impl ShardParts {
    /// Whether the objects of `chunks` can be written in parts: shards whose index comes last, when all that it tells is
    /// known.
    pub fn can_write(chunks: &ChunkLayout) -> bool {
        match chunks {
            ChunkLayout::Plain { .. } => false,
            ChunkLayout::Sharded { index_location, .. } => *index_location == IndexLocation::End,
        }
    }

    /// What the index of an open shard takes that has `index` bytes when it is encoded; `None` beyond 2^64.
    pub fn index_room(index: u64) -> Option<u64> {
        index.checked_mul(INDEX_COPIES)
    }

    /// What an open shard takes beside its open inner chunks, of which none has more than `chunk` bytes when it is encoded:
    /// its index, what does not fill a part, and the chunk of which a part took the beginning only.
    pub fn filling_room(self, chunk: u64, index: u64) -> Option<u64> {
        self.bytes.0.checked_add(chunk)?.checked_add(Self::index_room(index)?)
    }

    /// Bytes of encoded chunks that may be read ahead of their place in a shard that is packed.
    pub fn ahead(self, chunk: u64) -> Option<u64> {
        Some(self.bytes.0.max(chunk.checked_mul(LEAST_AHEAD)?))
    }

    /// All that a shard takes that is packed from chunks of at most `chunk` bytes: what is read ahead, two parts on their
    /// way, the chunks that lie across their ends, and the index.
    pub fn packing_room(self, chunk: u64, index: u64) -> Option<u64> {
        let parts = self.bytes.0.checked_mul(2)?;
        let across = chunk.checked_mul(2)?;
        self.ahead(chunk)?.checked_add(parts)?.checked_add(across)?.checked_add(Self::index_room(index)?)
    }
}
