//! Blocks of an exchange as pieces: of every exchange object that overlaps the task's region, one for each of the
//! exchange's boxes that the region is made of.

use std::sync::Arc;

use bytes::Bytes;
use rechunk_common::{
    FailureClass, Presence, TaskFailure,
    geometry::{BoxGrid, Region},
    ids::TaskIndex,
    plan::{BLOCK_TRAILER_BYTES, Block, Exchange},
};
use rechunk_storage::{Access, ErrorClass, Prefix, StorageError};

use super::{Fetched, Piece};
use crate::{
    context::TaskContext,
    copy::{
        cells::Cells,
        exchange::{Presence as BlockPresence, checked_block},
    },
    failure::{bug, of_storage},
};

/// The blocks for one writing task.
#[derive(Debug)]
pub(crate) struct BlockSource {
    prefix: Prefix,
    exchange: Exchange,
    cells: Cells,
    presence: Option<Arc<Presence>>,
}

impl BlockSource {
    /// The blocks for the writing task whose box is `region`. Those that hold nothing by `presence` are not read.
    pub(crate) fn open(
        cx: &TaskContext,
        exchange: &Exchange,
        region: &Region,
        presence: Option<Arc<Presence>>,
    ) -> Result<Self, TaskFailure> {
        let cells = Cells::of_pairs(&exchange.readers, &exchange.writers, region)?;
        let prefix = cx.open(&exchange.url, Access::Read)?;
        Ok(Self { prefix, exchange: exchange.clone(), cells, presence })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn block(&self, place: &[u64]) -> Result<(TaskIndex, Block), TaskFailure> {
        let exchange = &self.exchange;
        let position_in = |grid: &BoxGrid| -> Option<Vec<u64>> {
            let along = |(axis, at): (usize, &u64)| {
                let start = self.cells.cell(axis, *at)?.used.0;
                start.checked_sub(grid.origin(axis))?.checked_div(*grid.lengths().get(axis)?)
            };
            place.iter().enumerate().map(along).collect()
        };
        let found = position_in(&exchange.readers).zip(position_in(&exchange.writers)).and_then(|(reader, writer)| {
            let reader = exchange.readers.index(&reader)?;
            Some((TaskIndex(reader), exchange.block(&exchange.readers.region(reader)?, &writer)?))
        });
        found.ok_or_else(|| bug("an exchange has no block where its boxes meet"))
    }

    pub(super) fn room(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        Ok(self.block(place)?.1.bytes.saturating_add(BLOCK_TRAILER_BYTES))
    }

    pub(super) async fn fetch(&self, cx: &TaskContext, place: &[u64]) -> Result<Fetched, TaskFailure> {
        let (reader, block) = self.block(place)?;
        if self.presence.as_ref().is_some_and(|presence| !presence.overlaps(&block.region)) {
            return Ok(Fetched::Missing);
        }
        let key = Exchange::key(reader);
        let url = format!("{}/{key}", self.prefix.url());
        let end = block.offset.saturating_add(block.bytes).saturating_add(BLOCK_TRAILER_BYTES);
        cx.tally().add(|counts| counts.get_requests += 1);
        match self.prefix.get_range(&key, block.offset..end).await {
            Ok(Some(bytes)) => Ok(Fetched::Encoded { bytes, url }),
            Ok(None) => Err(lost(reader, &url, "it is not there")),
            Err(error) => Err(of_lost_input(reader, &url, &error)),
        }
    }

    pub(super) fn decode(
        &self,
        cx: &TaskContext,
        place: &[u64],
        bytes: &Bytes,
        url: &str,
    ) -> Result<Piece, TaskFailure> {
        let (reader, block) = self.block(place)?;
        let Some((elements, presence)) = checked_block(bytes) else {
            let reason = format!("the checksum of the block at byte {} does not match", block.offset);
            return Err(lost(reader, url, &reason));
        };
        cx.tally().add(|counts| counts.bytes_decoded = counts.bytes_decoded.saturating_add(block.bytes));
        Ok(Piece::Elements { bytes: elements, start: 0, is_stored: presence == BlockPresence::Stored, heap: None })
    }
}

fn lost(reader: TaskIndex, url: &str, reason: &str) -> TaskFailure {
    let class = FailureClass::InputLost { stages_back: 1, task: reader };
    TaskFailure::new(class, format!("cannot read exchange object {url}: {reason}"))
}

fn of_lost_input(reader: TaskIndex, url: &str, error: &StorageError) -> TaskFailure {
    match error.class {
        ErrorClass::Corrupt => lost(reader, url, &error.message),
        ErrorClass::TryAgain
        | ErrorClass::Denied
        | ErrorClass::Missing
        | ErrorClass::Full
        | ErrorClass::Unsupported
        | ErrorClass::LeaseLost
        | ErrorClass::Invalid
        | ErrorClass::BadIndex
        | ErrorClass::Other => of_storage(error),
    }
}
