//! The chunks of the source as they stand: objects of their own, or parts of shards. Their length is known before
//! their bytes are read.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use rechunk_common::{
    FailureClass, Presence, TaskFailure,
    geometry::BoxGrid,
    layout::{ArrayLayout, ChunkKeys, IndexLocation},
};
use rechunk_storage::{Access, Prefix, SizedObject, StorageError, WriteGuard};
use rechunk_zarr::{ShardCodec, ShardEntry, ShardIndex};
use tokio::sync::OnceCell;

use super::shards::inner_of;
use crate::{context::TaskContext, failure::of_storage};

type Known = Arc<OnceCell<Option<Arc<ShardIndex>>>>;

/// What is read.
#[derive(Debug)]
pub(super) struct Source {
    prefix: Prefix,
    keys: ChunkKeys,
    /// `None` where chunks are objects.
    shards: Option<Arc<ShardCodec>>,
    /// Which objects there are; `None`: nothing is known to be absent.
    presence: Option<Arc<Presence>>,
    /// Indexes by the position of their shard: each is read once per task, whoever needs it first.
    indexes: Mutex<BTreeMap<Vec<u64>, Known>>,
    /// From positions in the target, by which chunks and objects are asked for, to those in the source.
    chunks: Steps,
    objects: Steps,
}

/// From positions in one grid to those of the same boxes in another, which begins elsewhere. Per axis: the first position
/// of each; the boxes of both grids are the same.
#[derive(Debug)]
struct Steps(Vec<(u64, u64)>);

impl Steps {
    fn between(target: &BoxGrid, source: &BoxGrid) -> Self {
        Self(target.first().into_iter().zip(source.first()).collect())
    }

    fn at(&self, position: &[u64]) -> Vec<u64> {
        let step = |(at, (from, to)): (&u64, &(u64, u64))| at.saturating_sub(*from).saturating_add(*to);
        position.iter().zip(&self.0).map(step).collect()
    }
}

/// A chunk or an object that is there.
#[derive(Debug)]
pub(super) enum Located {
    /// An object whose body has not been read.
    Object(Box<SizedObject>),
    /// An inner chunk.
    Inner { key: String, entry: ShardEntry },
}

impl Located {
    /// Its bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Object(object) => object.content_length(),
            Self::Inner { entry, .. } => entry.length,
        }
    }
}

impl Source {
    pub(super) fn open(
        cx: &TaskContext,
        (layout, target): (&ArrayLayout, &ArrayLayout),
        shards: Option<Arc<ShardCodec>>,
        presence: Option<Arc<Presence>>,
    ) -> Result<Self, TaskFailure> {
        let prefix = cx.open(&layout.url, Access::Read)?;
        let chunks = Steps::between(&target.read_grid(), &layout.read_grid());
        // Asked for only where the objects of both are the same.
        let objects = Steps::between(&target.write_grid(), &layout.write_grid());
        Ok(Self { prefix, keys: layout.keys, shards, presence, indexes: Mutex::default(), chunks, objects })
    }

    /// Whether chunks lie in shards.
    pub(super) fn is_sharded(&self) -> bool {
        self.shards.is_some()
    }

    /// The same where nothing is known to be absent.
    pub(super) fn without_presence(self) -> Self {
        Self { presence: None, ..self }
    }

    pub(super) fn url_of(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix.url())
    }

    /// Whether the chunk at `position` of the target is known to be absent, because the object that would hold it is.
    pub(super) fn is_absent(&self, position: &[u64]) -> Result<bool, TaskFailure> {
        let Some(presence) = &self.presence else { return Ok(false) };
        let position = self.chunks.at(position);
        Ok(!match &self.shards {
            None => presence.contains(&position),
            Some(codec) => presence.contains(&inner_of(&position, codec.chunks_per_shard())?.0),
        })
    }

    /// The key of the object that holds the chunk at `position` of the target.
    pub(super) fn key_of_chunk(&self, position: &[u64]) -> Result<String, TaskFailure> {
        let position = self.chunks.at(position);
        match &self.shards {
            None => Ok(self.keys.key(&position)),
            Some(codec) => Ok(self.keys.key(&inner_of(&position, codec.chunks_per_shard())?.0)),
        }
    }

    /// The key of the object that is the one at `position` in the target's grid of objects.
    pub(super) fn key_of_object(&self, position: &[u64]) -> String {
        self.keys.key(&self.objects.at(position))
    }

    /// Lets the store copy the object at `key` to `target_key`; `false` where there is none.
    pub(super) async fn copy_object(
        &self,
        target: &Prefix,
        key: &str,
        target_key: &str,
        guard: &dyn WriteGuard,
    ) -> Result<bool, StorageError> {
        target.copy_from(target_key, &self.prefix, key, guard).await
    }

    /// Asks for the object at `key`; `None` where there is none.
    pub(super) async fn locate_object(&self, cx: &TaskContext, key: &str) -> Result<Option<Located>, TaskFailure> {
        cx.tally().add(|counts| counts.get_requests += 1);
        let object = self.prefix.get_sized(key).await.map_err(|error| of_storage(&error))?;
        Ok(object.map(|object| Located::Object(Box::new(object))))
    }

    /// Asks for the chunk at `position` of the target; `None` where it is missing.
    pub(super) async fn locate_chunk(
        &self,
        cx: &TaskContext,
        position: &[u64],
    ) -> Result<Option<Located>, TaskFailure> {
        let position = self.chunks.at(position);
        let Some(codec) = &self.shards else { return self.locate_object(cx, &self.keys.key(&position)).await };
        let (shard, number) = inner_of(&position, codec.chunks_per_shard())?;
        let key = self.keys.key(&shard);
        let known = {
            let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(indexes.entry(shard).or_default())
        };
        let index = known.get_or_try_init(|| self.read_index(cx, &key, codec)).await?;
        let entry = index.as_ref().and_then(|index| index.entry(number));
        Ok(entry.map(|entry| Located::Inner { key, entry }))
    }

    async fn read_index(
        &self,
        cx: &TaskContext,
        key: &str,
        codec: &ShardCodec,
    ) -> Result<Option<Arc<ShardIndex>>, TaskFailure> {
        cx.tally().add(|counts| counts.get_requests += 1);
        let encoded = match codec.index_location() {
            IndexLocation::Start => self.prefix.get_range(key, 0..codec.index_bytes()).await,
            IndexLocation::End => self.prefix.get_suffix(key, codec.index_bytes()).await,
        };
        let Some(encoded) = encoded.map_err(|error| of_storage(&error))? else { return Ok(None) };
        let index = codec
            .decode_index(encoded)
            .map_err(|error| corrupt(&self.url_of(key), format!("its index cannot be read: {error}")))?;
        Ok(Some(Arc::new(index)))
    }

    /// Reads what was located; `None` where it was deleted in between.
    pub(super) async fn read(&self, cx: &TaskContext, located: Located) -> Result<Option<Bytes>, TaskFailure> {
        match located {
            Located::Object(object) => object.bytes().await.map_err(|error| of_storage(&error)),
            Located::Inner { key, entry: ShardEntry { offset, length } } => {
                let url = self.url_of(&key);
                let end = offset.checked_add(length);
                let end = end.ok_or_else(|| corrupt(&url, "its index points past every end"))?;
                cx.tally().add(|counts| counts.get_requests += 1);
                let bytes = self.prefix.get_range(&key, offset..end).await.map_err(|error| of_storage(&error))?;
                bytes.map(Some).ok_or_else(|| corrupt(&url, "the shard was deleted while it was read"))
            }
        }
    }
}

/// An object of the source that cannot be passed on.
pub(super) fn corrupt(url: &str, reason: impl std::fmt::Display) -> TaskFailure {
    TaskFailure::new(FailureClass::GiveUpTask, format!("cannot copy {url}: {reason}"))
}
