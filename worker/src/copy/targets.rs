//! The buffers that a task fills: each open from its first element to its last. Two pieces may fill different targets
//! at the same time; a target is locked only while elements go in.

mod fills;
mod values;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rechunk_common::{TaskFailure, variable::ASSUMED_BYTES};

pub(crate) use self::{
    fills::{Fills, gap_of},
    values::{Admission, Arriving, bytes_of},
};
use super::{
    cells::{Cells, Share},
    heap::Heap,
    kernel::{copy_box, fill_box, fill_run},
    source::Piece,
};
use crate::{
    failure::{bug, too_large},
    memory::{Buffer, Reservation},
};

#[derive(Debug)]
struct Slot {
    buffer: Option<Buffer>,
    encoded_room: Option<Reservation>,
    /// What the descriptors of elements of variable length point into.
    heap: Option<Heap>,
    /// Bytes of all its elements at the most: those that have not arrived count as fill values.
    values: u64,
    /// What its heap takes, with what has been admitted.
    held: u64,
    /// Elements that have not arrived.
    remaining: u64,
    content: Content,
    is_stored: bool,
    is_padded: bool,
    /// Nothing of it is there: it is never opened.
    is_left_out: bool,
}

/// What has come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nothing.
    Nothing,
    /// Only gaps: perhaps no buffer is needed.
    Gaps,
    /// The buffer holds all that came, and what no piece will bring.
    Elements,
}

/// All targets of a task, by index in C order.
#[derive(Debug)]
pub(crate) struct Targets {
    slots: Vec<Mutex<Slot>>,
    fills: Fills,
    width: usize,
    /// The most bytes that the elements of any of them have so far, or are assumed to have.
    largest: Mutex<u64>,
}

/// A target whose last element has arrived.
#[derive(Debug)]
pub(crate) struct Complete {
    /// Which.
    pub(crate) index: usize,
    /// Its elements; never allocated where all of them are missing.
    pub(crate) buffer: Buffer,
    /// What the descriptors of elements of variable length point into.
    pub(crate) heap: Option<Heap>,
    /// Bytes of all such elements at the most.
    pub(crate) values: u64,
    /// Room for its encoding, where that was taken when it was opened.
    pub(crate) encoded_room: Option<Reservation>,
    /// Whether any of its elements is stored in the source.
    pub(crate) is_stored: bool,
    /// Whether its buffer was filled; if not, all of it is missing.
    pub(crate) is_filled: bool,
}

impl Targets {
    /// One target per cell, none open.
    pub(crate) fn new(cells: &Cells, fills: Fills, width: u64) -> Result<Self, TaskFailure> {
        let count = cells.len().ok_or_else(|| too_large("a task's number of target chunks"))?;
        let mut slots = Vec::with_capacity(count);
        let mut largest = 0_u64;
        for index in 0..count {
            let place = cells.place(index);
            let elements = |count: Option<u64>| count.ok_or_else(|| too_large("a target chunk"));
            let remaining = elements(cells.used_elements(&place))?;
            if remaining != elements(cells.valid_elements(&place).filter(|valid| *valid >= remaining))? {
                return Err(bug("a task's box cuts through a target chunk"));
            }
            let in_buffer = elements(cells.buffer_elements(&place))?;
            let is_padded = in_buffer != remaining;
            let values = in_buffer.saturating_mul(fills.longest());
            largest = largest.max(values).max(in_buffer.saturating_mul(ASSUMED_BYTES));
            slots.push(Mutex::new(Slot {
                buffer: None,
                encoded_room: None,
                heap: None,
                values,
                held: 0,
                remaining,
                content: Content::Nothing,
                is_stored: false,
                is_padded,
                is_left_out: false,
            }));
        }
        let width = usize::try_from(width).map_err(|_| too_large("an element"))?;
        Ok(Self { slots, fills, width, largest: Mutex::new(largest) })
    }

    /// Number of targets.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, index: usize) -> Result<MutexGuard<'_, Slot>, TaskFailure> {
        let slot = self.slots.get(index).ok_or_else(|| bug("a piece meets a target that the task does not have"))?;
        Ok(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Only `arriving` elements of a target will come; the others are gaps. Both sides' gaps read the same.
    pub(crate) fn expect(&self, index: usize, arriving: u64) -> Result<(), TaskFailure> {
        let mut slot = self.slot(index)?;
        if arriving == 0 || arriving > slot.remaining || !self.fills.agree() {
            return Err(bug("a target gets other elements than it has room for"));
        }
        if arriving < slot.remaining {
            slot.content = Content::Gaps;
            slot.remaining = arriving;
        }
        Ok(())
    }

    /// Nothing of a target will come, and it is not made.
    pub(crate) fn leave_out(&self, index: usize) -> Result<(), TaskFailure> {
        self.slot(index)?.is_left_out = true;
        Ok(())
    }

    /// By target: whether it is left out.
    pub(crate) fn left_out(&self) -> Vec<bool> {
        let is_left_out = |slot: &Mutex<Slot>| slot.lock().unwrap_or_else(PoisonError::into_inner).is_left_out;
        self.slots.iter().map(is_left_out).collect()
    }

    /// Opens a target: its room is taken, that for its encoding, and that for a heap.
    pub(crate) fn open(
        &self,
        index: usize,
        buffer: Buffer,
        (encoded_room, heap_room): (Reservation, Reservation),
    ) -> Result<(), TaskFailure> {
        let mut slot = self.slot(index)?;
        slot.buffer = Some(buffer);
        slot.encoded_room = Some(encoded_room);
        slot.heap = self.fills.heap(heap_room)?;
        slot.held = self.fills.held();
        Ok(())
    }

    /// Puts the share of `piece` into its target; gives the target back when that was the last of its elements.
    pub(crate) fn take_in(&self, share: &mut Share, piece: &Piece) -> Result<Option<Complete>, TaskFailure> {
        let mut slot = self.slot(share.target)?;
        if slot.is_left_out {
            return Ok(None);
        }
        match piece {
            Piece::Missing => self.take_in_gap(&mut slot, share)?,
            Piece::Elements { bytes, start, is_stored, heap: Some(heap) } => {
                slot.is_stored |= is_stored;
                self.take_in_values(&mut slot, share, (bytes, *start), heap)?;
            }
            Piece::Elements { bytes, start, is_stored, heap: None } => {
                slot.is_stored |= is_stored;
                let to = self.prepared(&mut slot)?;
                let from_start = share.from_start.checked_sub(*start).ok_or_else(|| bug("a piece misses elements"))?;
                copy_box(bytes, from_start, to, share.to_start, &mut share.axes, self.width)
                    .map_err(|error| bug(error.to_string()))?;
            }
        }
        let remaining = slot.remaining.checked_sub(share.elements);
        slot.remaining = remaining.ok_or_else(|| bug("a target gets more elements than it has"))?;
        if slot.remaining > 0 {
            return Ok(None);
        }
        let buffer = slot.buffer.take().ok_or_else(not_open)?;
        Ok(Some(Complete {
            index: share.target,
            buffer,
            heap: slot.heap.take(),
            values: slot.values,
            encoded_room: slot.encoded_room.take(),
            is_stored: slot.is_stored,
            is_filled: slot.content == Content::Elements,
        }))
    }

    fn take_in_gap(&self, slot: &mut Slot, share: &mut Share) -> Result<(), TaskFailure> {
        if slot.content != Content::Elements && self.fills.agree() {
            slot.content = Content::Gaps;
            return Ok(());
        }
        let to = self.prepared(slot)?;
        share.axes.iter_mut().for_each(|axis| axis.from_stride = 0);
        fill_box(to, share.to_start, &mut share.axes, self.fills.of_source()).map_err(|error| bug(error.to_string()))
    }

    /// The buffer, with everything that no piece will bring filled in.
    fn prepared<'a>(&self, slot: &'a mut Slot) -> Result<&'a mut [u8], TaskFailure> {
        let needs_fill = match slot.content {
            Content::Nothing => slot.is_padded,
            Content::Gaps => true,
            Content::Elements => false,
        };
        slot.content = Content::Elements;
        let buffer = slot.buffer.as_mut().ok_or_else(not_open)?;
        buffer.allocate();
        if needs_fill {
            fill(buffer, self.fills.of_target());
        }
        Ok(buffer.allocate())
    }
}

/// Writes `value`, one element, all over the buffer.
pub(crate) fn fill(buffer: &mut Buffer, value: &[u8]) {
    buffer.allocate();
    if !(buffer.is_zeroed() && value.iter().all(|byte| *byte == 0)) {
        fill_run(buffer.allocate(), value);
    }
}

fn not_open() -> TaskFailure {
    bug("a piece meets a target that is not open")
}
