//! Inner chunks as targets: each is encoded when its last element has arrived. Its shard is written when all of them are
//! there, or, in `parted_shards`, part by part. A shard is never held decoded as a whole: open inner chunks, and the
//! encoded part so far.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkKeys},
    plan::{GapPolicy, ShardParts},
};
use rechunk_storage::{Access, Prefix};
use rechunk_zarr::ShardCodec;

use super::{
    LeaveOut, TargetRoom,
    chunks::{encode_trimmed, encoding_room, target_room},
    parted_shards::PartedShards,
    put,
};
use crate::{
    context::TaskContext,
    copy::{
        cells::{Cells, closing_order},
        targets::Complete,
    },
    failure::{bug, invalid, too_large},
    memory::Reservation,
    shard::{ShardUpload, whole},
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
    writing: Writing,
}

/// How shards are written.
#[derive(Debug)]
enum Writing {
    /// Each at once, when all of it is there. By shard, in C order.
    Whole(Vec<Mutex<Filling>>),
    /// In parts.
    Parted(PartedShards),
}

/// In which order the elements of a task come: its pieces, and its axes from slowest to fastest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visits<'a> {
    pub(crate) pieces: &'a Cells,
    pub(crate) order: &'a [usize],
}

/// A shard that is being filled, and held whole.
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
    /// The inner chunks of `layout`, an array of shards, inside `region`, written in `parts` or each at once.
    pub(crate) fn open(
        cx: &TaskContext,
        layout: &ArrayLayout,
        region: &Region,
        gaps: GapPolicy,
        parts: Option<(ShardParts, Visits)>,
        heap_start: u64,
    ) -> Result<Self, TaskFailure> {
        let codec = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill)
            .map_err(|error| invalid(format!("cannot encode {}: {error}", layout.url)))?
            .ok_or_else(|| bug("a sharded layout has no shard codec"))?;
        let inner = codec.inner();
        // A complete inner chunk passes its room on to its encoding.
        let encoded = if inner.is_identity() { 0 } else { inner.worst_encoded_bytes() };
        let encoded = encoded.saturating_sub(inner.decoded_bytes());
        // That of elements of variable length is known when they are there.
        let encoded = if inner.is_variable() { 0 } else { encoded };
        let room = TargetRoom { encoded, ..target_room(inner, &layout.element, heap_start)? };
        let inner_grid = layout.read_grid();
        let shards = layout.write_grid().overlapping(region);
        let filling = BoxGrid::positions(&shards)
            .map(|position| {
                let inside = inner_grid.overlapping(&layout.write_grid().region_at(&position)).element_count();
                Mutex::new(Filling { remaining: inside, ..Filling::default() })
            })
            .collect();
        let mut sink = Self {
            prefix: cx.open(&layout.url, Access::ReadWrite)?,
            keys: layout.keys,
            cells: Cells::of_chunks(&inner_grid, region)?,
            width: layout.element.width,
            codec: Arc::new(codec),
            leave_out: Arc::new(LeaveOut::new(layout, gaps)),
            room,
            shards,
            writing: Writing::Whole(filling),
        };
        if let Some((parts, visits)) = parts {
            sink.writing = Writing::Parted(sink.parted(parts, visits)?);
        }
        Ok(sink)
    }

    /// The same shards, written in parts.
    fn parted(&self, parts: ShardParts, visits: Visits) -> Result<PartedShards, TaskFailure> {
        let count = usize::try_from(self.shards.element_count()).map_err(|_| too_large("a task's shards"))?;
        let mut orders = vec![VecDeque::new(); count];
        for target in closing_order(visits.pieces, &self.cells, visits.order)? {
            let (_, shard, number) = self.locate(target)?;
            orders.get_mut(shard).ok_or_else(|| bug("an inner chunk lies in no shard"))?.push_back(number);
        }
        PartedShards::new(Arc::clone(&self.codec), parts, orders)
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self, index: usize) -> Result<TargetRoom, TaskFailure> {
        let Writing::Parted(parted) = &self.writing else { return Ok(self.room) };
        let (_, shard, number) = self.locate(index)?;
        let encoded = self.room.encoded.saturating_add(parted.opening_room(shard, number)?);
        Ok(TargetRoom { encoded, ..self.room })
    }

    pub(super) fn write_room(&self, values: u64) -> u64 {
        encoding_room(self.codec.inner(), values)
    }

    pub(super) fn kept_beside(&self, values: u64, held: u64) -> u64 {
        let before = held.saturating_add(self.room.buffer as u64);
        self.codec.inner().worst_variable_bytes(values).saturating_sub(before)
    }

    pub(super) fn url_of(&self, index: usize) -> Result<String, TaskFailure> {
        let (position, _, _) = self.locate(index)?;
        Ok(format!("{}/{}", self.prefix.url(), self.keys.key(&position)))
    }

    /// The encoded index of the shard that is written.
    pub(super) fn standing_room(&self) -> u64 {
        match &self.writing {
            Writing::Whole(_) => self.codec.index_bytes(),
            // Each takes its room when it is opened.
            Writing::Parted(_) => 0,
        }
    }

    /// Where inner chunk `index` lies: its shard's position, the shard's place among the task's, its number in it.
    fn locate(&self, index: usize) -> Result<(Vec<u64>, usize, u64), TaskFailure> {
        let inner = self.cells.position(&self.cells.place(index));
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
        let (_, shard, number) = self.locate(index)?;
        match &self.writing {
            Writing::Whole(filling) => {
                let mut filling = at(filling, shard)?;
                filling.remaining = filling.remaining.saturating_sub(1);
                Ok(())
            }
            Writing::Parted(parted) => parted.leave_out(shard, number),
        }
    }

    pub(super) async fn finish(
        &self,
        cx: &TaskContext,
        mut target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        let index = target.index;
        let place = self.cells.place(index);
        let clip = self.cells.valid_shape(&place).ok_or_else(|| too_large("a target chunk"))?;
        let valid = self.cells.valid_elements(&place);
        let valid = valid.and_then(|elements| elements.checked_mul(self.width));
        let valid = valid.ok_or_else(|| too_large("a target chunk"))?;
        let (position, shard, number) = self.locate(index)?;
        let key = self.keys.key(&position);
        let url = format!("{}/{key}", self.prefix.url());
        if let Writing::Parted(parted) = &self.writing {
            parted.keep_room(shard, number, target.encoded_room.as_mut())?;
        }
        let (codec, leave_out) = (Arc::clone(&self.codec), Arc::clone(&self.leave_out));
        let encoded = cx
            .compute()
            .run(move || {
                let Some(kept) = leave_out.kept(target) else { return Ok(None) };
                encode_trimmed(codec.inner(), &clip, kept, room, &url).map(Some)
            })
            .await?;
        match &self.writing {
            Writing::Whole(filling) => {
                let full = add(&mut *at(filling, shard)?, number, encoded, valid)?;
                match full {
                    Some(full) => self.write(cx, &key, full).await,
                    None => Ok(()),
                }
            }
            Writing::Parted(parted) => {
                let upload = |parts| ShardUpload::new(self.prefix.clone(), key, parts);
                parted.take_in(cx, (shard, number), encoded.map(|encoded| (encoded, valid)), upload).await
            }
        }
    }

    async fn write(&self, cx: &TaskContext, key: &str, full: Filling) -> Result<(), TaskFailure> {
        if full.parts.is_empty() {
            cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(());
        }
        put(cx, &self.prefix, key, whole(&self.codec, full.parts)?, full.decoded).await
    }
}

fn at(filling: &[Mutex<Filling>], shard: usize) -> Result<MutexGuard<'_, Filling>, TaskFailure> {
    let filling = filling.get(shard).ok_or_else(|| bug("an inner chunk lies in no shard of its task"))?;
    Ok(filling.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Adds an inner chunk to its shard; gives the shard back when it is full.
fn add(filling: &mut Filling, number: u64, encoded: Option<Bytes>, valid: u64) -> Result<Option<Filling>, TaskFailure> {
    if let Some(encoded) = encoded {
        filling.parts.push((number, encoded));
        filling.decoded = filling.decoded.saturating_add(valid);
    }
    filling.remaining =
        filling.remaining.checked_sub(1).ok_or_else(|| bug("a shard has more inner chunks than it can"))?;
    Ok((filling.remaining == 0).then(|| std::mem::take(filling)))
}
