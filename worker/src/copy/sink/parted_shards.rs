//! Shards that are written in parts while they are filled. Inner chunks go in in the order in which the plan completes
//! them: one that is there early waits, encoded, for those before it. So two attempts write the same bytes, and a shard
//! never waits for memory that its later chunks hold.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::future::try_join_all;
use rechunk_common::{TaskFailure, plan::ShardParts};
use rechunk_zarr::ShardCodec;

use crate::{
    context::TaskContext,
    failure::{bug, too_large},
    memory::Reservation,
    shard::{Assembly, Part, ShardUpload},
};

/// An encoded inner chunk and the decoded bytes of it that lie in the array; `None` where it is left out.
type Chunk = Option<(Bytes, u64)>;

/// The shards of one task.
#[derive(Debug)]
pub(super) struct PartedShards {
    codec: Arc<ShardCodec>,
    parts: ShardParts,
    /// What a shard takes from its first element to its last byte: its index.
    room: u64,
    /// In C order.
    shards: Vec<Mutex<Filling>>,
}

/// A shard that is being filled.
#[derive(Debug, Default)]
struct Filling {
    /// The inner chunk with whose buffer the shard's room was taken.
    opener: Option<u64>,
    room: Option<Reservation>,
    /// Inner chunks that are not in the shard, in the order in which they go in.
    order: VecDeque<u64>,
    /// Those that wait for others before them.
    waiting: BTreeMap<u64, Chunk>,
    /// `None` before the first chunk and after the last.
    assembly: Option<Assembly>,
    decoded: u64,
    /// Parts that are on their way.
    sending: usize,
    is_ended: bool,
    /// Made with the first part.
    upload: Option<Arc<ShardUpload>>,
}

impl PartedShards {
    /// `orders` has the inner chunks of each shard in the order in which they become complete.
    pub(super) fn new(
        codec: Arc<ShardCodec>,
        parts: ShardParts,
        orders: Vec<VecDeque<u64>>,
    ) -> Result<Self, TaskFailure> {
        let room = ShardParts::index_room(codec.index_bytes()).ok_or_else(|| too_large("a shard's index"))?;
        let filling = |order| Mutex::new(Filling { order, ..Filling::default() });
        Ok(Self { codec, parts, room, shards: orders.into_iter().map(filling).collect() })
    }

    fn shard(&self, shard: usize) -> Result<MutexGuard<'_, Filling>, TaskFailure> {
        let shard = self.shards.get(shard).ok_or_else(|| bug("an inner chunk lies in no shard of its task"))?;
        Ok(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What opening inner chunk `number` takes for its shard. Asked once for each, in the order in which they are opened.
    pub(super) fn opening_room(&self, shard: usize, number: u64) -> Result<u64, TaskFailure> {
        let mut shard = self.shard(shard)?;
        if shard.opener.is_some() {
            return Ok(0);
        }
        shard.opener = Some(number);
        Ok(self.room)
    }

    /// Takes over the shard's room, where it came with inner chunk `number`.
    pub(super) fn keep_room(
        &self,
        shard: usize,
        number: u64,
        room: Option<&mut Reservation>,
    ) -> Result<(), TaskFailure> {
        let mut shard = self.shard(shard)?;
        if shard.opener == Some(number) {
            shard.room = room.map(|room| room.split(self.room));
        }
        Ok(())
    }

    /// Inner chunk `number` is never opened.
    pub(super) fn leave_out(&self, shard: usize, number: u64) -> Result<(), TaskFailure> {
        self.shard(shard)?.waiting.insert(number, None);
        Ok(())
    }

    /// Takes a complete inner chunk, and sends the parts that it fills; whoever sends the last one ends the shard.
    pub(super) async fn take_in(
        &self,
        cx: &TaskContext,
        (shard, number): (usize, u64),
        chunk: Chunk,
        upload: impl FnOnce(ShardParts) -> ShardUpload,
    ) -> Result<(), TaskFailure> {
        let (due, upload) = {
            let mut filling = self.shard(shard)?;
            let due = filling.take_in(number, chunk, &self.codec, self.parts)?;
            if due.is_empty() {
                if filling.is_empty_at_its_end() {
                    cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
                    filling.room = None;
                }
                return Ok(());
            }
            (due, Arc::clone(filling.upload.get_or_insert_with(|| Arc::new(upload(self.parts)))))
        };
        let count = due.len();
        try_join_all(due.into_iter().map(|part| upload.send(cx, part))).await?;
        let (is_last, decoded) = {
            let mut filling = self.shard(shard)?;
            (filling.note_sent(count), filling.decoded)
        };
        if is_last {
            upload.end(cx, decoded).await?;
            *self.shard(shard)? = Filling::default();
        }
        Ok(())
    }
}

impl Filling {
    /// Puts in what can go in now; gives the parts that are due.
    fn take_in(
        &mut self,
        number: u64,
        chunk: Chunk,
        codec: &Arc<ShardCodec>,
        parts: ShardParts,
    ) -> Result<Vec<Part>, TaskFailure> {
        if self.waiting.insert(number, chunk).is_some() {
            return Err(bug("an inner chunk of a shard is complete twice"));
        }
        let mut due = Vec::new();
        while let Some(chunk) = self.order.front().and_then(|next| self.waiting.remove(next)) {
            let number = self.order.pop_front();
            let (Some(number), Some((encoded, decoded))) = (number, chunk) else { continue };
            let mut assembly = match self.assembly.take() {
                Some(assembly) => assembly,
                None => Assembly::new(Arc::clone(codec), parts)?,
            };
            assembly.append(number, encoded)?;
            due.extend(std::iter::from_fn(|| assembly.take_part()));
            self.decoded = self.decoded.saturating_add(decoded);
            self.assembly = Some(assembly);
        }
        if self.order.is_empty()
            && let Some(assembly) = self.assembly.take()
        {
            due.extend(assembly.end()?);
            self.is_ended = true;
        }
        self.sending = self.sending.saturating_add(due.len());
        Ok(due)
    }

    /// Whether all inner chunks are left out.
    fn is_empty_at_its_end(&self) -> bool {
        self.order.is_empty() && !self.is_ended
    }

    /// `count` parts are there; whether no other is to come.
    fn note_sent(&mut self, count: usize) -> bool {
        self.sending = self.sending.saturating_sub(count);
        self.is_ended && self.sending == 0
    }
}
