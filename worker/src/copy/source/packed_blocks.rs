//! Blocks of a packed exchange as pieces. The row of the index says where each of them is; one whose object is gone or
//! damaged is looked for in other objects of its task, which a repair may have written after the index was.

use std::sync::Arc;

use bytes::Bytes;
use rechunk_common::{
    Presence as Objects, TaskFailure,
    geometry::Region,
    ids::{LeaseId, TaskIndex},
    plan::{BLOCK_HEADER_BYTES, Exchange, Packing, ROW_ENTRY_BYTES, Row, TABLE_ENTRY_BYTES},
    variable::{ASSUMED_BYTES, DESCRIPTOR_BYTES, LENGTH_BYTES},
};
use rechunk_storage::{Access, ErrorClass, Prefix, StorageError};
use rechunk_zarr::VariableChunk;

use super::{Decoded, Fetched, Piece, Short};
use crate::{
    codec_time::decoding,
    context::TaskContext,
    copy::{
        cells::Cells,
        exchange::Presence,
        packed::{BlockEntry, Lost, Packer, RowEntry, copies_of, is_compressed, values_bytes},
    },
    failure::{bug, of_storage, too_large},
    memory::Reservation,
};

/// Blocks of less than this are checked where they arrive: waking a thread costs as much.
const SMALL_BLOCK: usize = 512 << 10;

/// The blocks for one writing task.
#[derive(Debug)]
pub(crate) struct PackedSource {
    prefix: Prefix,
    exchange: Exchange,
    packer: Packer,
    /// The position of the writing task.
    writer: Vec<u64>,
    cells: Cells,
    /// Where its row is, and what stands in it.
    row: Row,
    entries: Bytes,
    kind: BlockKind,
    _room: Reservation,
}

/// What is known of the blocks.
#[derive(Debug)]
pub(crate) struct BlockKind {
    /// Their elements are of variable length.
    pub(crate) is_variable: bool,
    /// Which objects of the source there are; blocks that share no element with any are not read.
    pub(crate) presence: Option<Arc<Objects>>,
}

/// A block of one reading task.
struct Sought<'a> {
    reader: TaskIndex,
    region: &'a Region,
    /// The most that it can have.
    most: u64,
}

/// What came of reading a block from one object.
enum Found {
    Block(Bytes),
    /// Why it is not there.
    Lost(String),
}

impl PackedSource {
    /// The blocks for writing task `task`, whose box is `region`. Reads the task's row of the index.
    pub(crate) async fn open(
        cx: &TaskContext,
        exchange: &Exchange,
        packing: &Packing,
        (task, region): (TaskIndex, &Region),
        kind: BlockKind,
    ) -> Result<Self, TaskFailure> {
        let writer =
            exchange.writers.position(task.0).ok_or_else(|| bug(format!("there is no writing task {task}")))?;
        let prefix = cx.open(&exchange.url, Access::Read)?;
        let row = exchange.row(&writer).ok_or_else(|| too_large("the index of an exchange"))?;
        let bytes = row.bytes().ok_or_else(|| too_large("the index of an exchange"))?;
        let room = cx.memory().try_reserve(bytes).ok_or_else(|| {
            bug(format!("a row of {bytes} bytes does not fit a task's memory of {}", cx.memory().limit()))
        })?;
        let entries = read_row(cx, &prefix, &row, bytes).await?;
        let width = if kind.is_variable { 1 } else { exchange.width };
        let width = usize::try_from(width).map_err(|_| too_large("an element"))?;
        Ok(Self {
            cells: Cells::of_blocks(&exchange.readers, region)?,
            prefix,
            exchange: exchange.clone(),
            packer: Packer::new(packing.codec, width),
            writer,
            row,
            entries,
            kind,
            _room: room,
        })
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    pub(super) fn is_variable(&self) -> bool {
        self.kind.is_variable
    }

    pub(super) fn descriptor_bytes(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        self.reader(place).map(|(_, _, bytes)| bytes)
    }

    /// The block at `place` is of this reading task, and has so many bytes of elements; of their descriptors where they are
    /// of variable length.
    fn reader(&self, place: &[u64]) -> Result<(TaskIndex, Region, u64), TaskFailure> {
        let position = self.cells.position(place);
        let found = self.exchange.readers.index(&position).zip(self.cells.buffer_elements(place));
        let found = found.and_then(|(index, elements)| Some((index, elements.checked_mul(self.exchange.width)?)));
        let (index, bytes) = found.ok_or_else(|| bug("an exchange has no block where its boxes meet"))?;
        Ok((TaskIndex(index), self.exchange.readers.region_at(&position), bytes))
    }

    /// What the row says of the block at `place`.
    fn entry(&self, place: &[u64]) -> Result<RowEntry, TaskFailure> {
        let number = self.row.readers.number_of(&self.cells.position(place));
        let start = number.and_then(|number| usize::try_from(number.checked_mul(ROW_ENTRY_BYTES)?).ok());
        let bytes = start.and_then(|start| self.entries.get(start..));
        bytes.and_then(RowEntry::decode).ok_or_else(|| {
            let url = format!("{}/{}", self.prefix.url(), Exchange::index_key(self.row.indexer));
            Lost::IndexOfWriter.failure(self.row.indexer, &url, "the checksum of an entry does not match")
        })
    }

    pub(super) fn room(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        let (_, _, bytes) = self.reader(place)?;
        if self.kind.is_variable {
            // The index says how long it is; what it decodes to shows when it is there.
            let assumed = elements_in(bytes).saturating_mul(LENGTH_BYTES.saturating_add(ASSUMED_BYTES));
            return Ok(self.entry(place)?.block.length.saturating_add(bytes).saturating_add(assumed));
        }
        bytes
            .checked_mul(2)
            .and_then(|both| both.checked_add(BLOCK_HEADER_BYTES))
            .ok_or_else(|| too_large("a block of an exchange"))
    }

    /// A block that is compressed is decoded into another buffer.
    pub(super) fn settled_room(&self, place: &[u64], block: &[u8]) -> u64 {
        let encoded = block.len() as u64;
        let decoded = self.reader(place).map_or(encoded, |(_, _, bytes)| bytes);
        if is_compressed(block) { encoded.saturating_add(decoded) } else { encoded }
    }

    pub(super) async fn fetch(&self, cx: &TaskContext, place: &[u64]) -> Result<Fetched, TaskFailure> {
        let (reader, region, bytes) = self.reader(place)?;
        if let Some(objects) = &self.kind.presence {
            let block = region.intersection(&self.exchange.writers.region_at(&self.writer));
            if !block.is_some_and(|block| objects.overlaps(&block)) {
                return Ok(Fetched::Missing);
            }
        }
        let most = if self.kind.is_variable { u64::from(u32::MAX) } else { bytes.saturating_add(BLOCK_HEADER_BYTES) };
        let sought = Sought { reader, region: &region, most };
        let RowEntry { lease, block } = self.entry(place)?;
        cx.tally().add(|counts| counts.get_requests += 1);
        let reason = match self.read(cx, &sought, lease, block).await? {
            Found::Block(bytes) => return Ok(Fetched::Encoded { bytes, url: self.url_of(reader, lease) }),
            Found::Lost(reason) => reason,
        };
        for copy in copies_of(&self.prefix, reader).await? {
            if copy != lease
                && let Some(bytes) = self.read_copy(cx, &sought, copy).await?
            {
                return Ok(Fetched::Encoded { bytes, url: self.url_of(reader, copy) });
            }
        }
        Err(Lost::ObjectOfWriter.failure(reader, &self.url_of(reader, lease), &reason))
    }

    fn url_of(&self, reader: TaskIndex, lease: LeaseId) -> String {
        format!("{}/{}", self.prefix.url(), Exchange::packed_key(reader, lease))
    }

    /// Reads a block by its entry and checks it.
    async fn read(
        &self,
        cx: &TaskContext,
        sought: &Sought<'_>,
        lease: LeaseId,
        entry: BlockEntry,
    ) -> Result<Found, TaskFailure> {
        let BlockEntry { offset, length, crc } = entry;
        let most = sought.most;
        if length == 0 || length > most {
            return Ok(Found::Lost(format!("a block of {length} bytes, where {most} is the most that it can have")));
        }
        let key = Exchange::packed_key(sought.reader, lease);
        let block = match self.prefix.get_range(&key, offset..offset.saturating_add(length)).await {
            Ok(Some(block)) => block,
            Ok(None) => return Ok(Found::Lost("it is not there".to_owned())),
            Err(error) => return lost_or_failed(&error).map(Found::Lost),
        };
        let is_intact = if block.len() < SMALL_BLOCK {
            crc32c::crc32c(&block) == crc
        } else {
            let block = block.clone();
            cx.compute().run(move || Ok(crc32c::crc32c(&block) == crc)).await?
        };
        if is_intact {
            return Ok(Found::Block(block));
        }
        Ok(Found::Lost(format!("the checksum of the block at byte {offset} does not match")))
    }

    /// Reads a block from an object that the index does not name: its place stands in the object's own table. Such
    /// requests are repetitions.
    async fn read_copy(
        &self,
        cx: &TaskContext,
        sought: &Sought<'_>,
        lease: LeaseId,
    ) -> Result<Option<Bytes>, TaskFailure> {
        let number = self.exchange.block_number(sought.region, &self.writer);
        let start = number.and_then(|number| number.checked_mul(TABLE_ENTRY_BYTES));
        let start = start.ok_or_else(|| bug("an exchange has no block where its boxes meet"))?;
        let key = Exchange::packed_key(sought.reader, lease);
        cx.tally().add(|counts| counts.repeated_requests += 2);
        let entry = match self.prefix.get_range(&key, start..start.saturating_add(TABLE_ENTRY_BYTES)).await {
            Ok(Some(bytes)) => BlockEntry::decode(&bytes),
            Ok(None) => None,
            Err(error) => lost_or_failed(&error).map(|_| None)?,
        };
        let Some(entry) = entry else { return Ok(None) };
        match self.read(cx, sought, lease, entry).await? {
            Found::Block(block) => Ok(Some(block)),
            Found::Lost(_) => Ok(None),
        }
    }

    pub(super) fn decode(
        &self,
        cx: &TaskContext,
        place: &[u64],
        block: &Bytes,
        url: &str,
    ) -> Result<Piece, TaskFailure> {
        let (reader, _, bytes) = self.reader(place)?;
        let length = usize::try_from(bytes).map_err(|_| too_large("a block of an exchange"))?;
        let Some((elements, presence)) = decoding(|| self.packer.unpack(block, length)) else {
            return Err(Lost::ObjectOfWriter.failure(reader, url, "a block does not decode to its elements"));
        };
        cx.tally().add(|counts| counts.bytes_decoded = counts.bytes_decoded.saturating_add(bytes));
        Ok(Piece::Elements { bytes: elements, start: 0, is_stored: presence == Presence::Stored, heap: None })
    }

    /// The elements of a block where these are of variable length. A compressed one says what it decodes to.
    pub(super) fn decode_variable(
        &self,
        place: &[u64],
        block: &Bytes,
        url: String,
        room: &mut Reservation,
        grow: impl Fn(&mut Reservation, u64) -> bool,
    ) -> Result<Decoded, TaskFailure> {
        let (reader, _, bytes) = self.reader(place)?;
        let broken = || Lost::ObjectOfWriter.failure(reader, &url, "a block does not decode to its elements");
        let values = if is_compressed(block) { values_bytes(block).ok_or_else(broken)? } else { 0 };
        let needed = bytes.saturating_add(block.len() as u64).saturating_add(values);
        if needed > room.bytes() && !grow(room, needed) {
            return Ok(Decoded::Short(Short { needed, url }));
        }
        let unpacked = decoding(|| self.packer.unpack_values(block, elements_in(bytes)));
        let (VariableChunk { descriptors, heap }, presence) = unpacked.ok_or_else(broken)?;
        let is_stored = presence == Presence::Stored;
        Ok(Decoded::Piece(Piece::Elements { bytes: descriptors, start: 0, is_stored, heap: Some(heap) }))
    }

    /// Counts such a block.
    pub(super) fn count_decoded(&self, cx: &TaskContext, place: &[u64]) -> Result<(), TaskFailure> {
        let bytes = self.descriptor_bytes(place)?;
        cx.tally().add(|counts| counts.bytes_decoded = counts.bytes_decoded.saturating_add(bytes));
        Ok(())
    }
}

fn elements_in(descriptors: u64) -> u64 {
    descriptors.checked_div(DESCRIPTOR_BYTES).unwrap_or_default()
}

async fn read_row(cx: &TaskContext, prefix: &Prefix, row: &Row, bytes: u64) -> Result<Bytes, TaskFailure> {
    let key = Exchange::index_key(row.indexer);
    let lost = |reason: &str| Lost::IndexOfWriter.failure(row.indexer, &format!("{}/{key}", prefix.url()), reason);
    cx.tally().add(|counts| counts.get_requests += 1);
    match prefix.get_range(&key, row.offset..row.offset.saturating_add(bytes)).await {
        Ok(Some(entries)) => Ok(entries),
        Ok(None) => Err(lost("it is not there")),
        Err(error) => Err(lost(&lost_or_failed(&error)?)),
    }
}

/// Why an object's bytes are lost; the failure where something else is the matter.
pub(crate) fn lost_or_failed(error: &StorageError) -> Result<String, TaskFailure> {
    match error.class {
        ErrorClass::Corrupt => Ok(error.message.clone()),
        ErrorClass::TryAgain
        | ErrorClass::Denied
        | ErrorClass::Missing
        | ErrorClass::Full
        | ErrorClass::Unsupported
        | ErrorClass::LeaseLost
        | ErrorClass::Invalid
        | ErrorClass::BadIndex
        | ErrorClass::Other => Err(of_storage(error)),
    }
}
