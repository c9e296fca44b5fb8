//! The content of chunks as they are stored, by their place in the grid of chunks: whether they are objects or lie in
//! shards, and where in a shard, makes no difference.

use std::sync::Arc;

use bytes::Bytes;
use rechunk_common::{ContentSum, TaskFailure, geometry::BoxGrid};
use rechunk_zarr::{ShardEntry, ShardIndex};

use crate::{context::TaskContext, failure::bug};

/// Sums the chunks of one array.
#[derive(Debug, Clone)]
pub(super) struct EncodedContent {
    chunks: Arc<BoxGrid>,
}

impl EncodedContent {
    /// Of the array whose chunks (inner chunks of shards) are `chunks`.
    pub(super) fn new(chunks: BoxGrid) -> Self {
        Self { chunks: Arc::new(chunks) }
    }

    /// Adds the chunk at `position` to what the task has seen.
    pub(super) async fn add(&self, cx: &TaskContext, position: &[u64], chunk: &Bytes) -> Result<(), TaskFailure> {
        let (number, chunk) = (self.number(position)?, chunk.clone());
        let sum = cx.compute().run(move || Ok(ContentSum::of_encoded(number, &chunk))).await?;
        cx.tally().add(|counts| counts.content += sum);
        Ok(())
    }

    /// The sum of the `chunks` (number in the shard, position in the array) of a whole shard that are there by its index,
    /// which has been checked.
    pub(super) fn of_shard(
        &self,
        index: &ShardIndex,
        chunks: &[(u64, Vec<u64>)],
        shard: &[u8],
    ) -> Result<ContentSum, TaskFailure> {
        let mut sum = ContentSum::default();
        for (number, position) in chunks {
            let Some(ShardEntry { offset, length }) = index.entry(*number) else { continue };
            let small = |n: Option<u64>| usize::try_from(n?).ok();
            let range = small(Some(offset)).zip(small(offset.checked_add(length)));
            let chunk = range.and_then(|(start, end)| shard.get(start..end));
            let chunk = chunk.ok_or_else(|| bug("a checked index points past the end of its shard"))?;
            sum += ContentSum::of_encoded(self.number(position)?, chunk);
        }
        Ok(sum)
    }

    fn number(&self, position: &[u64]) -> Result<u64, TaskFailure> {
        self.chunks.index(position).ok_or_else(|| bug("a chunk lies outside of its array"))
    }
}
