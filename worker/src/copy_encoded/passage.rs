//! One task's way from source to target: what each target object is made of, and what that takes.
//!
//! Where both lie in one store, objects that are passed on whole are copied by the store. One that refuses to is asked
//! no more: the objects are read and written then.

mod packing;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    geometry::{BoxGrid, Region},
    layout::ArrayLayout,
    plan::{CopyEncoded, ShardParts},
};
use rechunk_storage::{Access, ErrorClass, Prefix, PutPayload};
use rechunk_zarr::{ChunkCodec, MetadataError, ShardCodec};
use tokio::sync::Semaphore;

use super::{
    content::EncodedContent,
    shards::{index_of, inner_chunks, inner_count},
    source::{Located, Source},
};
use crate::{
    context::TaskContext,
    failure::{invalid, missing_chunk, of_storage, too_large},
    memory::{Reservation, TaskMemory},
    payload::as_kept,
    presence::{Listed, touched_objects},
};

/// Requests for the chunks of shards that are packed, of all shards under way together.
const MOST_READS: usize = 32;

/// What does not change while a task runs.
#[derive(Debug)]
pub(super) struct Passage {
    cx: TaskContext,
    source: Source,
    prefix: Prefix,
    target: ArrayLayout,
    /// Positions of the target's objects.
    objects: Region,
    /// By object in C order: whether any of its chunks may be there. `None`: nothing is known to be absent.
    is_wanted: Option<Arc<[bool]>>,
    contents: Contents,
    /// No encoded chunk of ours is longer, or, where they were listed, none was.
    chunk_bytes: u64,
    /// Indexes of source shards, which are held to the end.
    index_bytes: u64,
    is_strict: bool,
    /// How shards are packed that are not held whole.
    parts: Option<ShardParts>,
    /// The store is asked to copy objects that are passed on whole.
    by_store: AtomicBool,
    reads: Semaphore,
    /// Sums what is passed on, if that is asked for.
    content: Option<EncodedContent>,
    /// Nothing is written: the target is read back.
    is_read_back: bool,
}

/// What an object of the target is.
#[derive(Debug)]
enum Contents {
    /// An object of the source; a shard, if it is one.
    Object { shard: Option<Arc<ShardCodec>> },
    /// An inner chunk of a source shard.
    Inner,
    /// A shard that is packed from chunks.
    Packed { shard: Arc<ShardCodec> },
}

/// An object of the target that is to be made.
#[derive(Debug)]
pub(super) struct Object {
    position: Vec<u64>,
    /// All that it will hold at a time.
    pub(super) room: u64,
    /// What it is a copy of, where that was asked for already.
    located: Option<Located>,
    /// Its room is what it needs: its store refused to copy it, or the lengths of its chunks are known.
    is_known: bool,
}

impl Object {
    /// Whether `room` is what it truly needs, not what it may need at the most.
    pub(super) fn is_known(&self) -> bool {
        self.located.is_some() || self.is_known
    }
}

/// What became of an object.
#[derive(Debug)]
pub(super) enum Step {
    /// It is written, or stays missing.
    Done,
    /// It is longer than any encoding of ours, or than was assumed, or the store does not copy it: it waits for more room.
    NeedsMore(Object),
}

impl Passage {
    pub(super) fn open(
        cx: TaskContext,
        function: &CopyEncoded,
        region: &Region,
        listed: Listed,
    ) -> Result<Self, TaskFailure> {
        let (from, to) = (&function.source, &function.target);
        let codec = shard_codec(from)?;
        // What is read back is its own source, with nothing beside it in its shards.
        let is_whole = from == to || function.is_of_whole_objects();
        let contents = match (shard_codec(to)?, is_whole) {
            (shard, true) => Contents::Object { shard },
            (None, false) => Contents::Inner,
            (Some(shard), false) => Contents::Packed { shard },
        };
        // Which chunks of a shard are missing shows only where it is read.
        let is_seen = |shard: &Option<_>| function.gaps.strict && shard.is_some();
        let by_store = function.by_store && matches!(&contents, Contents::Object { shard } if !is_seen(shard));
        let chunk =
            ChunkCodec::of_layout(&from.chunks, &from.element, &from.fill).map_err(|error| refuse(from, &error))?;
        let index_bytes = match (&contents, &codec) {
            (Contents::Object { .. }, _) | (_, None) => 0,
            (Contents::Inner | Contents::Packed { .. }, Some(codec)) => from
                .write_grid()
                .overlapping(region)
                .element_count()
                .checked_mul(codec.index_bytes())
                .ok_or_else(|| too_large("the source's shard indexes"))?,
        };
        let objects = to.write_grid().overlapping(region);
        let is_wanted = listed.presence.as_ref().map(|presence| touched_objects(presence, to, &objects).into());
        // Of the chunks in shards a listing tells nothing.
        let longest = listed.longest.filter(|_| codec.is_none());
        Ok(Self {
            source: Source::open(&cx, (from, to), codec, listed.presence)?,
            prefix: cx.open(&to.url, Access::ReadWrite)?,
            cx,
            target: to.clone(),
            objects,
            is_wanted,
            contents,
            chunk_bytes: longest.unwrap_or_else(|| chunk.worst_encoded_bytes()),
            index_bytes,
            is_strict: function.gaps.strict,
            parts: function.shard_parts,
            by_store: AtomicBool::new(by_store),
            reads: Semaphore::new(MOST_READS),
            content: function.is_summed.then(|| EncodedContent::new(to.read_grid())),
            is_read_back: false,
        })
    }

    /// The same with nothing written. What is known to be absent of the source of a copy says which objects were written,
    /// and nothing of the positions in them.
    pub(super) fn without_writing(self) -> Self {
        Self { is_read_back: true, source: self.source.without_presence(), ..self }
    }

    pub(super) fn memory(&self) -> &Arc<TaskMemory> {
        self.cx.memory()
    }

    /// What is held from the first object to the last.
    pub(super) fn standing_room(&self) -> u64 {
        self.index_bytes
    }

    /// The target's objects in C order, without those of which nothing is there.
    pub(super) fn positions(&self) -> impl Iterator<Item = Vec<u64>> + use<> {
        let is_wanted = self.is_wanted.clone();
        let is_wanted = move |index: usize| is_wanted.as_ref().is_none_or(|wanted| wanted.get(index) == Some(&true));
        let positions = BoxGrid::positions(&self.objects).enumerate();
        positions.filter(move |(index, _)| is_wanted(*index)).map(|(_, position)| position)
    }

    /// The object at `position` and what it may need.
    pub(super) fn object(&self, position: Vec<u64>) -> Result<Object, TaskFailure> {
        // What the store copies is never held.
        let room = if self.by_store.load(Ordering::Relaxed) { 0 } else { self.read_room(&position)? };
        Ok(Object { position, room, located: None, is_known: false })
    }

    /// What the object at `position` takes that is read and written.
    fn read_room(&self, position: &[u64]) -> Result<u64, TaskFailure> {
        let room = match &self.contents {
            Contents::Object { shard: None } | Contents::Inner => Some(self.chunk_bytes),
            Contents::Object { shard: Some(shard) } => self.shard_room(shard, position),
            Contents::Packed { shard } => match self.parts {
                None => self.shard_room(shard, position),
                Some(parts) => parts.packing_room(self.chunk_bytes, shard.index_bytes()),
            },
        };
        room.ok_or_else(|| too_large("a shard"))
    }

    /// What a whole shard takes: its index stands in it, and beside it while it is made or checked.
    fn shard_room(&self, shard: &ShardCodec, position: &[u64]) -> Option<u64> {
        let chunks = inner_count(&self.target, position).checked_mul(self.chunk_bytes)?;
        chunks.checked_add(shard.index_bytes().checked_mul(2)?)
    }

    /// Where the object comes from.
    pub(super) fn url_of(&self, object: &Object) -> String {
        let key = match &self.contents {
            Contents::Object { .. } => Ok(self.source.key_of_object(&object.position)),
            Contents::Inner | Contents::Packed { .. } => self.source.key_of_chunk(&object.position),
        };
        self.source.url_of(&key.unwrap_or_default())
    }

    /// Makes an object; `room` is what it asks for.
    pub(super) async fn pass(self: Arc<Self>, object: Object, room: Reservation) -> Result<Step, TaskFailure> {
        match &self.contents {
            Contents::Object { .. } if object.room == 0 => self.let_copy(object).await,
            Contents::Object { shard } => self.pass_object(object, room, shard.as_ref()).await,
            Contents::Inner => self.pass_inner(object, room).await,
            Contents::Packed { shard } => match self.parts {
                None => self.pack(object, room, shard).await,
                Some(parts) => self.pack_in_parts(object, room, shard, parts).await,
            },
        }
    }

    /// Lets the store copy an object, whatever it holds.
    async fn let_copy(&self, object: Object) -> Result<Step, TaskFailure> {
        let source_key = self.source.key_of_object(&object.position);
        let key = self.target.keys.key(&object.position);
        match self.source.copy_object(&self.prefix, &source_key, &key, self.cx.guard()).await {
            Ok(true) => {
                self.cx.tally().add(|counts| counts.put_requests += 1);
                Ok(Step::Done)
            }
            Ok(false) => self.leave_out(&source_key, self.chunks_of(&object.position)),
            Err(error) if error.class == ErrorClass::Unsupported => {
                tracing::debug!(%error, "objects are read and written instead");
                self.by_store.store(false, Ordering::Relaxed);
                let room = self.read_room(&object.position)?;
                Ok(Step::NeedsMore(Object { room, is_known: true, ..object }))
            }
            Err(error) => Err(of_storage(&error)),
        }
    }

    /// Chunks of the array in an object that is passed on whole.
    fn chunks_of(&self, position: &[u64]) -> u64 {
        if self.target.chunks.is_sharded() { inner_count(&self.target, position) } else { 1 }
    }

    async fn pass_object(
        &self,
        mut object: Object,
        mut room: Reservation,
        shard: Option<&Arc<ShardCodec>>,
    ) -> Result<Step, TaskFailure> {
        let key = self.source.key_of_object(&object.position);
        let located = match object.located.take() {
            Some(located) => Some(located),
            None => self.source.locate_object(&self.cx, &key).await?,
        };
        let chunks = self.chunks_of(&object.position);
        let Some(located) = located else { return self.leave_out(&key, chunks) };
        let index = shard.map_or(0, |shard| shard.index_bytes());
        let needed = located.length().saturating_add(index);
        if needed > object.room {
            return Ok(Step::NeedsMore(Object { room: needed, located: Some(located), ..object }));
        }
        room.settle(needed);
        let Some(bytes) = self.source.read(&self.cx, located).await? else { return self.leave_out(&key, chunks) };
        match shard {
            Some(shard) => self.check_shard(Arc::clone(shard), &bytes, &object.position, &key).await?,
            None => self.sum(&object.position, &bytes).await?,
        }
        self.put(&object.position, bytes).await?;
        drop(room);
        Ok(Step::Done)
    }

    async fn pass_inner(&self, mut object: Object, mut room: Reservation) -> Result<Step, TaskFailure> {
        let located = match object.located.take() {
            Some(located) => Some(located),
            None => self.source.locate_chunk(&self.cx, &object.position).await?,
        };
        let key = self.source.key_of_chunk(&object.position)?;
        let Some(located) = located else { return self.leave_out(&key, 1) };
        let needed = located.length();
        if needed > object.room {
            return Ok(Step::NeedsMore(Object { room: needed, located: Some(located), ..object }));
        }
        room.settle(needed);
        let Some(bytes) = self.source.read(&self.cx, located).await? else { return self.leave_out(&key, 1) };
        self.sum(&object.position, &bytes).await?;
        self.put(&object.position, bytes).await?;
        drop(room);
        Ok(Step::Done)
    }

    /// Sums a chunk, if that is asked for.
    async fn sum(&self, position: &[u64], chunk: &Bytes) -> Result<(), TaskFailure> {
        match &self.content {
            Some(content) => content.add(&self.cx, position, chunk).await,
            None => Ok(()),
        }
    }

    /// Verifies a shard that is passed on whole, sums its chunks if that is asked for, and notes which are missing.
    async fn check_shard(
        &self,
        codec: Arc<ShardCodec>,
        bytes: &Bytes,
        position: &[u64],
        key: &str,
    ) -> Result<(), TaskFailure> {
        let chunks = inner_chunks(&self.target, &codec, position)?;
        let (bytes, url, content) = (bytes.clone(), self.source.url_of(key), self.content.clone());
        let checked = self.cx.compute().run(move || {
            let index = index_of(&codec, &bytes, &url)?;
            let sum = content.map(|content| content.of_shard(&index, &chunks, &bytes)).transpose()?;
            Ok((chunks.iter().filter(|(number, _)| index.entry(*number).is_none()).count() as u64, sum))
        });
        let (missing, sum) = checked.await?;
        self.cx.tally().add(|counts| counts.content += sum.unwrap_or_default());
        self.note_missing(key, missing)
    }

    /// An object whose `chunks` chunks are all missing is not written.
    fn leave_out(&self, key: &str, chunks: u64) -> Result<Step, TaskFailure> {
        self.note_missing(key, chunks)?;
        self.cx.tally().add(|counts| counts.skipped_fill_chunks += 1);
        Ok(Step::Done)
    }

    fn note_missing(&self, key: &str, chunks: u64) -> Result<(), TaskFailure> {
        if self.is_strict && chunks > 0 {
            return Err(missing_chunk(&self.source.url_of(key)));
        }
        self.cx.tally().add(|counts| {
            counts.missing_source_chunks = counts.missing_source_chunks.saturating_add(chunks);
        });
        Ok(())
    }

    async fn put(&self, position: &[u64], payload: impl Into<PutPayload> + Send) -> Result<(), TaskFailure> {
        if self.is_read_back {
            return Ok(());
        }
        let payload = as_kept(&self.prefix, payload.into());
        let key = self.target.keys.key(position);
        self.prefix.put(&key, payload, self.cx.guard()).await.map_err(|error| of_storage(&error))?;
        self.cx.tally().add(|counts| counts.put_requests += 1);
        Ok(())
    }
}

fn shard_codec(layout: &ArrayLayout) -> Result<Option<Arc<ShardCodec>>, TaskFailure> {
    let codec = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill);
    Ok(codec.map_err(|error| refuse(layout, &error))?.map(Arc::new))
}

fn refuse(layout: &ArrayLayout, error: &MetadataError) -> TaskFailure {
    invalid(format!("cannot pass on the chunks of {}: {error}", layout.url))
}
