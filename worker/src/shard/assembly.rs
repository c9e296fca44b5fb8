//! How encoded inner chunks become a shard. Chunks stand in an order that depends on nothing but the plan, so that two
//! attempts write the same bytes.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use rechunk_common::{TaskFailure, layout::IndexLocation, plan::ShardParts};
use rechunk_storage::PutPayload;
use rechunk_zarr::{ShardCodec, ShardEntry, ShardIndex};

use crate::failure::{bug, invalid, too_large};

/// A whole shard of its inner chunks by number: they stand in C order.
pub(crate) fn whole(codec: &ShardCodec, mut chunks: Vec<(u64, Bytes)>) -> Result<PutPayload, TaskFailure> {
    chunks.sort_by_key(|(number, _)| *number);
    let mut index = ShardIndex::empty(codec.entry_count());
    let mut offset = match codec.index_location() {
        IndexLocation::Start => codec.index_bytes(),
        IndexLocation::End => 0,
    };
    for (number, encoded) in &chunks {
        offset = note(&mut index, *number, offset, encoded)?;
    }
    let index = encoded(codec, &index)?;
    let chunks = chunks.into_iter().map(|(_, encoded)| encoded);
    Ok(match codec.index_location() {
        IndexLocation::Start => std::iter::once(index).chain(chunks).collect(),
        IndexLocation::End => chunks.chain(std::iter::once(index)).collect(),
    })
}

/// Notes where an inner chunk stands; gives where the next one will.
fn note(index: &mut ShardIndex, number: u64, offset: u64, encoded: &Bytes) -> Result<u64, TaskFailure> {
    let length = encoded.len() as u64;
    if !index.set(number, ShardEntry { offset, length }) {
        return Err(bug("an inner chunk has no entry in its shard's index"));
    }
    offset.checked_add(length).ok_or_else(|| too_large("a shard"))
}

fn encoded(codec: &ShardCodec, index: &ShardIndex) -> Result<Bytes, TaskFailure> {
    codec.encode_index(index).map_err(|error| bug(format!("cannot encode the index of a shard: {error}")))
}

/// A shard on its way: chunks go in, parts come out, and the index closes it.
#[derive(Debug)]
pub(crate) struct Assembly {
    codec: Arc<ShardCodec>,
    part_bytes: usize,
    index: ShardIndex,
    /// Bytes of all chunks so far.
    length: u64,
    /// What is in no part yet.
    pending: VecDeque<Bytes>,
    pending_bytes: usize,
    /// Parts that were taken.
    parts: usize,
}

/// Bytes of a shard that are to be sent.
#[derive(Debug)]
pub(crate) struct Part {
    /// From 0.
    pub(crate) number: usize,
    pub(crate) payload: PutPayload,
    /// There is no other: it is the shard.
    pub(crate) is_all: bool,
}

impl Assembly {
    /// A shard without chunks.
    pub(crate) fn new(codec: Arc<ShardCodec>, parts: ShardParts) -> Result<Self, TaskFailure> {
        if codec.index_location() != IndexLocation::End {
            return Err(invalid("a shard whose index comes first cannot be written in parts"));
        }
        let part_bytes = usize::try_from(parts.bytes.0).unwrap_or(usize::MAX).max(1);
        let index = ShardIndex::empty(codec.entry_count());
        Ok(Self { codec, part_bytes, index, length: 0, pending: VecDeque::new(), pending_bytes: 0, parts: 0 })
    }

    /// Appends inner chunk `number`.
    pub(crate) fn append(&mut self, number: u64, encoded: Bytes) -> Result<(), TaskFailure> {
        self.length = note(&mut self.index, number, self.length, &encoded)?;
        self.push(encoded);
        Ok(())
    }

    fn push(&mut self, bytes: Bytes) {
        self.pending_bytes = self.pending_bytes.saturating_add(bytes.len());
        self.pending.push_back(bytes);
    }

    /// The next part, where more than one is there: what fills one exactly may be all.
    pub(crate) fn take_part(&mut self) -> Option<Part> {
        (self.pending_bytes > self.part_bytes).then(|| self.cut(false))
    }

    /// Appends the index; gives all parts that are left.
    pub(crate) fn end(mut self) -> Result<Vec<Part>, TaskFailure> {
        let index = encoded(&self.codec, &self.index)?;
        self.push(index);
        let is_all = self.parts == 0 && self.pending_bytes <= self.part_bytes;
        let mut rest = Vec::new();
        while self.pending_bytes > 0 {
            rest.push(self.cut(is_all));
        }
        Ok(rest)
    }

    /// Cuts a part off, or what there is of one. Nothing is copied.
    fn cut(&mut self, is_all: bool) -> Part {
        let mut payload = Vec::new();
        let mut room = self.part_bytes;
        while room > 0
            && let Some(mut bytes) = self.pending.pop_front()
        {
            let piece = bytes.split_to(bytes.len().min(room));
            room = room.saturating_sub(piece.len());
            self.pending_bytes = self.pending_bytes.saturating_sub(piece.len());
            payload.push(piece);
            if !bytes.is_empty() {
                self.pending.push_front(bytes);
            }
        }
        let number = self.parts;
        self.parts = self.parts.saturating_add(1);
        Part { number, payload: payload.into_iter().collect(), is_all }
    }
}
