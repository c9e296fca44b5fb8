//! Inner chunks as targets: each is encoded when its last element has arrived, and its shard is written when all of
//! them are there. A shard is never held decoded as a whole: open inner chunks, and the encoded part so far.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkKeys, IndexLocation},
    plan::GapPolicy,
};
use rechunk_storage::{Access, Prefix, PutPayload};
use rechunk_zarr::{ShardCodec, ShardEntry, ShardIndex};

use super::{LeaveOut, TargetRoom, chunks::encode_trimmed, put};
use crate::{
    context::TaskContext,
    copy::{cells::Cells, targets::Complete},
    failure::{bug, invalid, too_large},
    memory::Reservation,
};

/// The inner chunks of a task's shards.
#[derive(Debug)]
pub(crate) struct ShardSink {
    prefix: Prefix,
    keys: ChunkKeys,
    cells: Cells,
    width: u64,
    codec: Arc<ShardCodec>,
    leave_out: Arc<LeaveOut>,
    room: TargetRoom,
    /// Positions of the task's shards in the array.
    shards: Region,
    /// By shard, in C order.
    filling: Vec<Mutex<Filling>>,
}

/// A shard that is being filled.
#[derive(Debug, Default)]
struct Filling {
    /// Inner chunks in the array that are not complete.
    remaining: u64,
    /// Number in the shard and encoding of those that are written.
    parts: Vec<(u64, Bytes)>,
    /// Decoded bytes of those, clipped to the array.
    decoded: u64,
}

impl ShardSink {
    /// The inner chunks of `layout`, an array of shards, inside `region`.
    pub(crate) fn open(
        cx: &TaskContext,
        layout: &ArrayLayout,
        region: &Region,
        gaps: GapPolicy,
    ) -> Result<Self, TaskFailure> {
        let codec = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill)
            .map_err(|error| invalid(format!("cannot encode {}: {error}", layout.url)))?
            .ok_or_else(|| bug("a sharded layout has no shard codec"))?;
        let inner = codec.inner();
        let buffer = usize::try_from(inner.decoded_bytes()).map_err(|_| too_large("a target chunk"))?;
        // A complete inner chunk passes its room on to its encoding.
        let encoded = if inner.is_identity() { 0 } else { inner.worst_encoded_bytes() };
        let encoded = encoded.saturating_sub(inner.decoded_bytes());
        let inner_grid = layout.read_grid();
        let shards = layout.write_grid().overlapping(region);
        let filling = BoxGrid::positions(&shards)
            .map(|position| {
                let inside = inner_grid.overlapping(&layout.write_grid().region_at(&position)).element_count();
                Mutex::new(Filling { remaining: inside, ..Filling::default() })
            })
            .collect();
        Ok(Self {
            prefix: cx.open(&layout.url, Access::ReadWrite)?,
            keys: layout.keys,
            cells: Cells::of_chunks(&inner_grid, region)?,
            width: layout.element.width,
            codec: Arc::new(codec),
            leave_out: Arc::new(LeaveOut::new(layout, gaps)),
            room: TargetRoom { buffer, encoded },
            shards,
            filling,
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self) -> TargetRoom {
        self.room
    }

    pub(super) fn write_room(&self) -> u64 {
        let inner = self.codec.inner();
        if inner.is_identity() { 0 } else { inner.worst_encoded_bytes() }
    }

    /// The encoded index of the shard that is written.
    pub(super) fn standing_room(&self) -> u64 {
        self.codec.index_bytes()
    }

    /// The shard's position, its place among the task's shards, and the inner chunk's number in it.
    fn locate(&self, inner: &[u64]) -> Result<(Vec<u64>, usize, u64), TaskFailure> {
        let per_shard = self.codec.chunks_per_shard();
        let odd = || bug("an inner chunk lies in no shard of its task");
        let mut shard = Vec::with_capacity(inner.len());
        let (mut place, mut number) = (0_u64, 0_u64);
        for (axis, (at, count)) in inner.iter().zip(per_shard).enumerate() {
            let position = at.checked_div(*count).ok_or_else(odd)?;
            let first = self.shards.start().get(axis).ok_or_else(odd)?;
            let from_first = position.checked_sub(*first).ok_or_else(odd)?;
            place = place.saturating_mul(self.shards.length(axis)).saturating_add(from_first);
            number = number.saturating_mul(*count).saturating_add(at.checked_rem(*count).ok_or_else(odd)?);
            shard.push(position);
        }
        Ok((shard, usize::try_from(place).map_err(|_| odd())?, number))
    }

    /// Inner chunk `index` is not made. A shard whose inner chunks all are left out is never written.
    pub(super) fn leave_out(&self, index: usize) -> Result<(), TaskFailure> {
        let (_, filling, _) = self.locate(&self.cells.position(&self.cells.place(index)))?;
        let filling = self.filling.get(filling).ok_or_else(|| bug("an inner chunk lies in no shard of its task"))?;
        let mut filling = filling.lock().unwrap_or_else(PoisonError::into_inner);
        filling.remaining = filling.remaining.saturating_sub(1);
        Ok(())
    }

    pub(super) async fn finish(
        &self,
        cx: &TaskContext,
        target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        let place = self.cells.place(target.index);
        let valid = self.cells.valid_elements(&place).and_then(|elements| elements.checked_mul(self.width));
        let valid = valid.ok_or_else(|| too_large("a target chunk"))?;
        let (shard, filling, number) = self.locate(&self.cells.position(&place))?;
        let key = self.keys.key(&shard);
        let url = format!("{}/{key}", self.prefix.url());
        let (codec, leave_out) = (Arc::clone(&self.codec), Arc::clone(&self.leave_out));
        let encoded = cx
            .compute()
            .run(move || {
                let Some(buffer) = leave_out.kept(target) else { return Ok(None) };
                encode_trimmed(codec.inner(), buffer, room, &url).map(Some)
            })
            .await?;
        let Some(full) = self.add(filling, number, encoded, valid)? else { return Ok(()) };
        self.write(cx, &key, full).await
    }

    /// Adds an inner chunk to its shard; gives the shard back when it is full.
    fn add(
        &self,
        filling: usize,
        number: u64,
        encoded: Option<Bytes>,
        valid: u64,
    ) -> Result<Option<Filling>, TaskFailure> {
        let filling = self.filling.get(filling).ok_or_else(|| bug("an inner chunk lies in no shard of its task"))?;
        let mut filling = filling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoded) = encoded {
            filling.parts.push((number, encoded));
            filling.decoded = filling.decoded.saturating_add(valid);
        }
        filling.remaining =
            filling.remaining.checked_sub(1).ok_or_else(|| bug("a shard has more inner chunks than it can"))?;
        Ok((filling.remaining == 0).then(|| std::mem::take(&mut *filling)))
    }

    async fn write(&self, cx: &TaskContext, key: &str, full: Filling) -> Result<(), TaskFailure> {
        if full.parts.is_empty() {
            cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(());
        }
        let decoded = full.decoded;
        let payload = self.assemble(full)?;
        put(cx, &self.prefix, key, payload, decoded).await
    }

    /// The shard: inner chunks in C order, so that two attempts write the same bytes, and the index.
    fn assemble(&self, full: Filling) -> Result<PutPayload, TaskFailure> {
        let mut parts = full.parts;
        parts.sort_by_key(|(number, _)| *number);
        let mut index = ShardIndex::empty(self.codec.entry_count());
        let mut offset = match self.codec.index_location() {
            IndexLocation::Start => self.codec.index_bytes(),
            IndexLocation::End => 0,
        };
        for (number, encoded) in &parts {
            let length = encoded.len() as u64;
            if !index.set(*number, ShardEntry { offset, length }) {
                return Err(bug("an inner chunk has no entry in its shard's index"));
            }
            offset = offset.saturating_add(length);
        }
        let index = self
            .codec
            .encode_index(&index)
            .map_err(|error| bug(format!("cannot encode the index of a shard: {error}")))?;
        let chunks = parts.into_iter().map(|(_, encoded)| encoded);
        Ok(match self.codec.index_location() {
            IndexLocation::Start => std::iter::once(index).chain(chunks).collect(),
            IndexLocation::End => chunks.chain(std::iter::once(index)).collect(),
        })
    }
}
