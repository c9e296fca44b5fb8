//! Blocks of one packed exchange object as targets: each is compressed when its last element has arrived, and the object
//! is written by one PUT when all of them are, its table in front.

use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use rechunk_common::{
    TaskFailure,
    geometry::Region,
    ids::TaskIndex,
    layout::ElementType,
    plan::{BLOCK_HEADER_BYTES, BLOCK_LENGTH_BYTES, Exchange, Packing, TABLE_ENTRY_BYTES},
    variable,
};
use rechunk_storage::{Access, Prefix, PutPayload};

use super::{TargetRoom, put};
use crate::{
    codec_time::encoding,
    context::TaskContext,
    copy::{
        cells::Cells,
        exchange::Presence,
        packed::{BlockEntry, PackedBlock, Packer, Values},
        targets::{Complete, Fills, fill, gap_of},
    },
    failure::{bug, too_large},
    memory::Reservation,
};

/// The blocks of one reading task.
#[derive(Debug)]
pub(crate) struct PackedSink {
    prefix: Prefix,
    key: String,
    cells: Cells,
    width: u64,
    packer: Packer,
    /// What is missing, as it stands in a block.
    gap: Vec<u8>,
    /// Bytes of the elements of the largest block; of their descriptors where they are of variable length.
    largest: u64,
    /// What one element takes beside its descriptor, and what the heap of a block begins with, where elements are of variable
    /// length.
    values: Option<(u64, u64)>,
    /// Bytes of all elements.
    elements: u64,
    written: Mutex<Written>,
}

/// A packed block, and the room that it takes if that is not its elements' own.
#[derive(Debug)]
struct Held {
    block: PackedBlock,
    room: Option<Reservation>,
}

#[derive(Debug)]
struct Written {
    remaining: usize,
    /// By block in C order.
    blocks: Vec<Option<Held>>,
}

impl PackedSink {
    /// The blocks that reading task `task`, whose box is `region`, writes; a `gap` is the source's fill value, one of its
    /// elements.
    pub(crate) fn open(
        cx: &TaskContext,
        exchange: &Exchange,
        packing: &Packing,
        (task, region): (TaskIndex, &Region),
        (element, gap): (&ElementType, &[u8]),
    ) -> Result<Self, TaskFailure> {
        let cells = Cells::of_blocks(&exchange.writers, region)?;
        let count = cells.len().ok_or_else(|| too_large("the number of blocks of an exchange object"))?;
        let mut largest = 0_u64;
        for index in 0..count {
            largest = largest.max(block_bytes(&cells, index, exchange.width)?);
        }
        let is_variable = element.is_variable();
        let beside = || (element.held_bytes().saturating_sub(element.width), Fills::held_bytes(gap, gap));
        let width = if is_variable { 1 } else { exchange.width };
        let width = usize::try_from(width).map_err(|_| too_large("an element"))?;
        let elements = region.element_count().checked_mul(exchange.width);
        Ok(Self {
            prefix: cx.open(&exchange.url, Access::ReadWrite)?,
            key: Exchange::packed_key(task, cx.lease()),
            cells,
            width: exchange.width,
            packer: Packer::new(packing.codec, width),
            gap: gap_of(is_variable, gap),
            largest,
            values: is_variable.then(beside),
            elements: elements.ok_or_else(|| too_large("an exchange object"))?,
            written: Mutex::new(Written { remaining: count, blocks: (0..count).map(|_| None).collect() }),
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn target_room(&self, index: usize) -> Result<TargetRoom, TaskFailure> {
        let bytes = block_bytes(&self.cells, index, self.width)?;
        let heap =
            self.values.map_or(0, |(each, start)| self.elements_of(bytes).saturating_mul(each).saturating_add(start));
        Ok(TargetRoom { buffer: usize::try_from(bytes).map_err(|_| too_large("a block"))?, encoded: 0, heap })
    }

    /// The elements whose buffer has `bytes`.
    fn elements_of(&self, bytes: u64) -> u64 {
        bytes.checked_div(self.width).unwrap_or_default()
    }

    /// While a block is compressed, its elements are there too; those of variable length have `values` bytes.
    pub(super) fn write_room(&self, values: u64) -> u64 {
        match self.values {
            None => self.largest,
            Some(_) => variable::block_bytes(self.elements_of(self.largest), values),
        }
    }

    /// The table, and the blocks' headers.
    pub(super) fn standing_room(&self) -> u64 {
        let blocks = self.cells.len().unwrap_or(usize::MAX) as u64;
        let length = if self.values.is_some() { BLOCK_LENGTH_BYTES } else { 0 };
        blocks.saturating_mul((TABLE_ENTRY_BYTES + BLOCK_HEADER_BYTES).saturating_add(length))
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.prefix.url(), self.key)
    }

    pub(super) async fn finish(
        &self,
        cx: &TaskContext,
        target: Complete,
        room: Reservation,
    ) -> Result<(), TaskFailure> {
        let index = target.index;
        let (packer, gap) = (self.packer, self.gap.clone());
        let held = cx.compute().run(move || pack(packer, target, room, &gap)).await?;
        let Some(held) = self.add(index, held)? else { return Ok(()) };
        let mut blocks = Vec::with_capacity(held.len());
        let mut rooms = Vec::new();
        for block in held {
            let Held { block, room } = block.ok_or_else(|| bug("a block of an exchange object is not complete"))?;
            blocks.push(block);
            rooms.extend(room);
        }
        let written = put(cx, &self.prefix, &self.key, assemble(blocks), self.elements).await;
        drop(rooms);
        written
    }

    /// Adds a block; gives all of them back when they are complete.
    fn add(&self, index: usize, held: Held) -> Result<Option<Vec<Option<Held>>>, TaskFailure> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match written.blocks.get_mut(index) {
            Some(place @ None) => *place = Some(held),
            Some(Some(_)) | None => return Err(bug("a block of an exchange object is written twice")),
        }
        written.remaining = written.remaining.saturating_sub(1);
        Ok((written.remaining == 0).then(|| std::mem::take(&mut written.blocks)))
    }
}

fn block_bytes(cells: &Cells, index: usize, width: u64) -> Result<u64, TaskFailure> {
    let bytes = cells.buffer_elements(&cells.place(index)).and_then(|elements| elements.checked_mul(width));
    bytes.ok_or_else(|| too_large("a block"))
}

/// Packs a complete block. `room` is as much as its elements take, of variable length with their lengths.
fn pack(packer: Packer, target: Complete, mut room: Reservation, gap: &[u8]) -> Result<Held, TaskFailure> {
    let Complete { mut buffer, heap, is_filled, is_stored, .. } = target;
    if !is_filled {
        fill(&mut buffer, gap);
    }
    let presence = if is_stored { Presence::Stored } else { Presence::Missing };
    if let Some(heap) = heap {
        let values = Values::new(buffer.as_slice(), &heap);
        let block = match encoding(|| packer.pack_values(&values, presence))? {
            Some(block) => block,
            None => PackedBlock::raw(Bytes::from(values.serialized()?), presence),
        };
        drop((buffer, heap));
        room.settle(block.length.saturating_sub(BLOCK_HEADER_BYTES));
        return Ok(Held { block, room: Some(room) });
    }
    let Some(block) = encoding(|| packer.pack(buffer.as_slice(), presence))? else {
        drop(room);
        return Ok(Held { block: PackedBlock::raw(buffer.into_bytes(), presence), room: None });
    };
    drop(buffer);
    room.settle(block.length.saturating_sub(BLOCK_HEADER_BYTES));
    Ok(Held { block, room: Some(room) })
}

/// The object, without a copy of any block.
fn assemble(blocks: Vec<PackedBlock>) -> PutPayload {
    let table_bytes = (blocks.len() as u64).saturating_mul(TABLE_ENTRY_BYTES);
    let mut table = BytesMut::with_capacity(usize::try_from(table_bytes).unwrap_or(0));
    let mut offset = table_bytes;
    for PackedBlock { length, crc, .. } in &blocks {
        table.extend_from_slice(&BlockEntry { offset, length: *length, crc: *crc }.encode());
        offset = offset.saturating_add(*length);
    }
    let parts = blocks.into_iter().flat_map(|block| block.parts);
    std::iter::once::<Bytes>(table.freeze()).chain(parts).collect()
}
