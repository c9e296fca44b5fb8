//! The indexes of source shards: each is read once per task, whoever needs it first.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rechunk_common::{TaskFailure, layout::IndexLocation};
use rechunk_storage::Prefix;
use rechunk_zarr::{ShardCodec, ShardIndex};
use tokio::sync::OnceCell;

use crate::{
    context::TaskContext,
    failure::{corrupt_source, of_storage},
};

type Known = Arc<OnceCell<Option<Arc<ShardIndex>>>>;

/// Indexes by the position of their shard.
#[derive(Debug)]
pub(super) struct ShardIndexes {
    shards: u64,
    known: Mutex<BTreeMap<Vec<u64>, Known>>,
}

impl ShardIndexes {
    /// No index is known; the task touches `shards`.
    pub(super) fn new(shards: u64) -> Self {
        Self { shards, known: Mutex::default() }
    }

    /// Shards that the task touches.
    pub(super) fn shards(&self) -> u64 {
        self.shards
    }

    /// The index of the shard at `position`; `None` where there is no such shard.
    pub(super) async fn get(
        &self,
        cx: &TaskContext,
        prefix: &Prefix,
        key: &str,
        position: &[u64],
        codec: &ShardCodec,
    ) -> Result<Option<Arc<ShardIndex>>, TaskFailure> {
        let cell = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(position.to_vec()).or_default())
        };
        cell.get_or_try_init(|| read(cx, prefix, key, codec)).await.cloned()
    }
}

async fn read(
    cx: &TaskContext,
    prefix: &Prefix,
    key: &str,
    codec: &ShardCodec,
) -> Result<Option<Arc<ShardIndex>>, TaskFailure> {
    cx.tally().add(|counts| counts.get_requests += 1);
    let encoded = match codec.index_location() {
        IndexLocation::Start => prefix.get_range(key, 0..codec.index_bytes()).await,
        IndexLocation::End => prefix.get_suffix(key, codec.index_bytes()).await,
    };
    let Some(encoded) = encoded.map_err(|error| of_storage(&error))? else { return Ok(None) };
    let index = codec
        .decode_index(encoded)
        .map_err(|error| corrupt_source(&format!("the shard index of {}/{key}", prefix.url()), error))?;
    Ok(Some(Arc::new(index)))
}
