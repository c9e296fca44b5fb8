//! Blocks of one exchange object as targets: the object is written by one PUT when the last block is complete, from
//! the buffers of the blocks themselves.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use rechunk_common::{
    TaskFailure,
    geometry::Region,
    ids::TaskIndex,
    plan::{BLOCK_TRAILER_BYTES, Exchange},
};
use rechunk_storage::{Access, Prefix, PutPayload};

use super::{TargetRoom, put};
use crate::{
    context::TaskContext,
    copy::{
        cells::Cells,
        exchange::{Presence, trailer},
        targets::{Complete, fill},
    },
    failure::{bug, too_large},
};

/// The blocks of one reading task.
#[derive(Debug)]
pub(crate) struct ExchangeSink {
    prefix: Prefix,
    key: String,
    cells: Cells,
    width: u64,
    /// The value of what is missing.
    gap: Vec<u8>,
    object_bytes: u64,
    written: Mutex<Written>,
}

/// Elements and trailer.
type Block = (Bytes, [u8; 4]);

#[derive(Debug)]
struct Written {
    remaining: usize,
    /// By block in C order.
    blocks: Vec<Option<Block>>,
}

impl ExchangeSink {
    /// The blocks that reading task `task`, whose box is `region`, writes; `gap` is the source's fill value.
    pub(crate) fn open(
        cx: &TaskContext,
        exchange: &Exchange,
        task: TaskIndex,
        region: &Region,
        gap: &[u8],
    ) -> Result<Self, TaskFailure> {
        let cells = Cells::of_blocks(&exchange.writers, region)?;
        let count = cells.len().ok_or_else(|| too_large("the number of blocks of an exchange object"))?;
        Ok(Self {
            prefix: cx.open(&exchange.url, Access::ReadWrite)?,
            key: Exchange::key(task),
            cells,
            width: exchange.width,
            gap: gap.to_vec(),
            object_bytes: exchange.object_bytes(task).ok_or_else(|| too_large("an exchange object"))?,
            written: Mutex::new(Written { remaining: count, blocks: vec![None; count] }),
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self, index: usize) -> Result<TargetRoom, TaskFailure> {
        let bytes = self.cells.buffer_elements(&self.cells.place(index)).and_then(|n| n.checked_mul(self.width));
        let buffer = bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| too_large("a block"))?;
        Ok(TargetRoom { buffer, encoded: 0, heap: 0 })
    }

    /// The trailers.
    pub(super) fn standing_room(&self) -> u64 {
        (self.cells.len().unwrap_or(usize::MAX) as u64).saturating_mul(BLOCK_TRAILER_BYTES)
    }

    pub(super) async fn finish(&self, cx: &TaskContext, target: Complete) -> Result<(), TaskFailure> {
        let index = target.index;
        let gap = self.gap.clone();
        let block = cx.compute().run(move || Ok(seal(target, &gap))).await?;
        let Some(blocks) = self.add(index, block)? else { return Ok(()) };
        let payload = assemble(blocks)?;
        let length = payload.content_length() as u64;
        if length != self.object_bytes {
            return Err(bug(format!("exchange object {} has {length} bytes, not {}", self.key, self.object_bytes)));
        }
        let elements = length.saturating_sub(self.standing_room());
        put(cx, &self.prefix, &self.key, payload, elements).await
    }

    /// Adds a block; gives all of them back when they are complete.
    fn add(&self, index: usize, block: Block) -> Result<Option<Vec<Option<Block>>>, TaskFailure> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.blocks.get_mut(index) {
            Some(place @ None) => *place = Some(block),
            Some(Some(_)) | None => return Err(bug("a block of an exchange object is written twice")),
        }
        written.remaining = written.remaining.saturating_sub(1);
        Ok((written.remaining == 0).then(|| std::mem::take(&mut written.blocks)))
    }
}

/// A complete block and its trailer.
fn seal(target: Complete, gap: &[u8]) -> Block {
    let mut buffer = target.buffer;
    if !target.is_filled {
        fill(&mut buffer, gap);
    }
    let presence = if target.is_stored { Presence::Stored } else { Presence::Missing };
    let trailer = trailer(buffer.as_slice(), presence);
    (buffer.into_bytes(), trailer)
}

/// The object, without a copy of any block.
fn assemble(blocks: Vec<Option<Block>>) -> Result<PutPayload, TaskFailure> {
    let count = blocks.len();
    let mut elements = Vec::with_capacity(count);
    let mut trailers = BytesMut::with_capacity(count.saturating_mul(4));
    for block in blocks {
        let (bytes, trailer) = block.ok_or_else(|| bug("a block of an exchange object is not complete"))?;
        trailers.extend_from_slice(&trailer);
        elements.push(bytes);
    }
    let mut trailers = trailers.freeze();
    Ok(elements.into_iter().flat_map(|bytes| [bytes, trailers.split_to(4)]).collect())
}
