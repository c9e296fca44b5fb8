//! Shards that are packed from chunks as they are: held whole, or written in parts while their chunks are read.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use rechunk_common::{TaskFailure, plan::ShardParts};
use rechunk_zarr::ShardCodec;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::{MOST_READS, Object, Passage, Step};
use crate::{
    compute::of_panic,
    context::TaskContext,
    copy_encoded::{shards::inner_chunks, source::corrupt},
    failure::{bug, too_large},
    memory::Reservation,
    shard::{Assembly, Part, ShardUpload, whole},
};

/// Parts of a shard that are on their way at a time: as many as its room is for.
const PARTS_AT_A_TIME: usize = 2;

/// How long the chunks of a shard may be.
#[derive(Debug)]
enum Allowance {
    /// Together: what is left.
    Together(AtomicU64),
    /// Each.
    Each(u64),
}

impl Allowance {
    fn take(&self, length: u64) -> Result<(), String> {
        match self {
            Self::Together(left) => {
                let less = |left: u64| left.checked_sub(length);
                let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
                let reason = || format!("its {length} bytes pass what the chunks of a shard may have together");
                taken.map(|_| ()).map_err(|_| reason())
            }
            Self::Each(most) if length <= *most => Ok(()),
            Self::Each(most) => Err(format!(
                "its {length} bytes pass the {most} that a chunk of a shard may have that is written in parts; give \
                 enough memory for a whole shard"
            )),
        }
    }
}

/// A shard between its chunks, which are read in C order, and its parts.
struct Packing {
    reads: BoxStream<'static, Result<Option<(u64, Bytes)>, TaskFailure>>,
    codec: Arc<ShardCodec>,
    in_parts: ShardParts,
    /// `None` before the first chunk that is there.
    assembly: Option<Assembly>,
    /// What comes after the last chunk.
    rest: Option<std::vec::IntoIter<Part>>,
}

impl Passage {
    /// Packs a shard that is held whole.
    pub(super) async fn pack(
        self: &Arc<Self>,
        object: Object,
        mut room: Reservation,
        shard: &Arc<ShardCodec>,
    ) -> Result<Step, TaskFailure> {
        let indexes = shard.index_bytes().saturating_mul(2);
        if let Some(chunks) = self.indexed_bytes(&object.position, shard).await? {
            let needed = chunks.saturating_add(indexes);
            if needed > object.room {
                return Ok(Step::NeedsMore(Object { room: needed, is_known: true, ..object }));
            }
        }
        let left = Arc::new(Allowance::Together(AtomicU64::new(object.room.saturating_sub(indexes))));
        let reads = inner_chunks(&self.target, shard, &object.position)?.into_iter().map(|(number, position)| {
            let (passage, left) = (Arc::clone(self), Arc::clone(&left));
            async move { Ok(passage.part(&position, &left).await?.map(|bytes| (number, bytes))) }
        });
        let parts: Vec<Option<(u64, Bytes)>> = stream::iter(reads).buffer_unordered(MOST_READS).try_collect().await?;
        let parts: Vec<(u64, Bytes)> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            self.cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(Step::Done);
        }
        let held = parts.iter().fold(indexes, |sum, (_, bytes)| sum.saturating_add(bytes.len() as u64));
        room.settle(held);
        let codec = Arc::clone(shard);
        let payload = self.cx.compute().run(move || whole(&codec, parts)).await?;
        self.put(&object.position, payload).await?;
        drop(room);
        Ok(Step::Done)
    }

    /// Bytes of the chunks of the shard at `position`, where these are of variable length and the indexes of shards tell.
    async fn indexed_bytes(&self, position: &[u64], shard: &ShardCodec) -> Result<Option<u64>, TaskFailure> {
        if !self.target.element.is_variable() || !self.source.is_sharded() {
            return Ok(None);
        }
        let mut bytes = 0_u64;
        for (_, chunk) in inner_chunks(&self.target, shard, position)? {
            if !self.source.is_absent(&chunk)? {
                let located = self.source.locate_chunk(&self.cx, &chunk).await?;
                bytes = bytes.saturating_add(located.map_or(0, |located| located.length()));
            }
        }
        Ok(Some(bytes))
    }

    /// One chunk of a shard that is packed, as long as `allowance` lets it be.
    async fn part(&self, position: &[u64], allowance: &Allowance) -> Result<Option<Bytes>, TaskFailure> {
        if self.source.is_absent(position)? {
            return Ok(None);
        }
        let _turn = self.reads.acquire().await.map_err(|_| bug("the turns of reads have ended"))?;
        let located = self.source.locate_chunk(&self.cx, position).await?;
        let key = self.source.key_of_chunk(position)?;
        let Some(located) = located else {
            self.note_missing(&key, 1)?;
            return Ok(None);
        };
        allowance.take(located.length()).map_err(|reason| corrupt(&self.source.url_of(&key), reason))?;
        let bytes = self.source.read(&self.cx, located).await?;
        match &bytes {
            Some(bytes) => self.sum(position, bytes).await?,
            None => self.note_missing(&key, 1)?,
        }
        Ok(bytes)
    }

    /// Packs a shard of which no more is held than what fills its parts.
    pub(super) async fn pack_in_parts(
        self: &Arc<Self>,
        object: Object,
        room: Reservation,
        shard: &Arc<ShardCodec>,
        parts: ShardParts,
    ) -> Result<Step, TaskFailure> {
        let most = self.chunk_bytes;
        let ahead = parts.ahead(most).ok_or_else(|| too_large("a chunk"))?;
        let ahead = ahead.checked_div(most).and_then(|chunks| usize::try_from(chunks).ok()).unwrap_or(MOST_READS);
        let allowance = Arc::new(Allowance::Each(most));
        let passage = Arc::clone(self);
        let chunks = inner_chunks(&self.target, shard, &object.position)?;
        let reads = chunks.into_iter().map(move |(number, position)| {
            let (passage, allowance) = (Arc::clone(&passage), Arc::clone(&allowance));
            async move {
                // In a task of its own, so that it goes on while parts are waited for.
                let read = tokio::spawn(async move { passage.part(&position, &allowance).await });
                let read = AbortOnDropHandle::new(read).await.map_err(of_ended);
                Ok(read??.map(|bytes| (number, bytes)))
            }
        });
        let reads = stream::iter(reads).buffered(ahead.min(MOST_READS)).boxed();
        let key = self.target.keys.key(&object.position);
        let upload = Arc::new(ShardUpload::new(self.prefix.clone(), key, parts));
        let packing = Packing { reads, codec: Arc::clone(shard), in_parts: parts, assembly: None, rest: None };
        if send_all(self.cx.clone(), packing.parts(), Arc::clone(&upload)).await? == 0 {
            self.cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
            return Ok(Step::Done);
        }
        upload.end(&self.cx, 0).await?;
        drop(room);
        Ok(Step::Done)
    }
}

/// Sends the parts of a shard, some at a time; gives how many there were.
fn send_all(
    cx: TaskContext,
    parts: BoxStream<'static, Result<Part, TaskFailure>>,
    upload: Arc<ShardUpload>,
) -> BoxFuture<'static, Result<u64, TaskFailure>> {
    parts
        .map_ok(move |part| {
            let (cx, upload) = (cx.clone(), Arc::clone(&upload));
            async move { upload.send(&cx, part).await }
        })
        .try_buffer_unordered(PARTS_AT_A_TIME)
        .try_fold(0_u64, |sent, ()| async move { Ok(sent.saturating_add(1)) })
        .boxed()
}

impl Packing {
    fn parts(self) -> BoxStream<'static, Result<Part, TaskFailure>> {
        stream::try_unfold(self, Self::next).boxed()
    }

    /// The next part; `None` after the last.
    async fn next(mut self) -> Result<Option<(Part, Self)>, TaskFailure> {
        loop {
            if let Some(rest) = &mut self.rest {
                return Ok(rest.next().map(|part| (part, self)));
            }
            if let Some(part) = self.assembly.as_mut().and_then(Assembly::take_part) {
                return Ok(Some((part, self)));
            }
            match self.reads.try_next().await? {
                Some(Some((number, bytes))) => {
                    let mut assembly = match self.assembly.take() {
                        Some(assembly) => assembly,
                        None => Assembly::new(Arc::clone(&self.codec), self.in_parts)?,
                    };
                    assembly.append(number, bytes)?;
                    self.assembly = Some(assembly);
                }
                Some(None) => {}
                None => {
                    let rest = self.assembly.take().map(Assembly::end).transpose()?;
                    self.rest = Some(rest.unwrap_or_default().into_iter());
                }
            }
        }
    }
}

/// A read that ended without an answer.
fn of_ended(error: JoinError) -> TaskFailure {
    if error.is_panic() { of_panic(error.into_panic().as_ref()) } else { bug("a read was cancelled") }
}
