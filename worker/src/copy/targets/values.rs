//! Targets of elements of variable length: what arrives is given its room in all targets at once, before any of it is
//! copied, so that a piece for which there is none can come back later as if it had never been there.

use std::sync::PoisonError;

use rechunk_common::TaskFailure;
use rechunk_zarr::Descriptor;

use super::{Share, Slot, Targets, not_open};
use crate::{
    copy::{heap::held, kernel::for_each_element, sink::Sink},
    failure::bug,
    memory::Reservation,
};

/// What a piece brings one target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arriving {
    pub(crate) target: usize,
    pub(crate) elements: u64,
    /// Of those elements together.
    pub(crate) bytes: u64,
}

/// Whether what a piece brings has its room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// The piece and what it brings need so much.
    Short {
        needed: u64,
    },
}

/// Bytes of the elements that `share` takes of `descriptors`, the first of which stands at byte `start` of the piece.
pub(crate) fn bytes_of(share: &Share, descriptors: &[u8], start: usize, width: usize) -> Result<u64, TaskFailure> {
    let from = share.from_start.checked_sub(start).ok_or_else(|| bug("a piece misses elements"))?;
    let mut bytes = 0_u64;
    let to = (share.to_start, usize::MAX);
    for_each_element(&share.axes, (from, descriptors.len()), to, width, |from, _| {
        bytes = bytes.saturating_add(u64::from(descriptor_at(descriptors, from).length));
    })
    .map_err(|error| bug(error.to_string()))?;
    Ok(bytes)
}

fn descriptor_at(descriptors: &[u8], at: usize) -> Descriptor {
    let bytes = descriptors.get(at..).and_then(<[u8]>::first_chunk::<8>);
    bytes.map_or_else(Descriptor::default, |bytes| Descriptor::of_bytes(*bytes))
}

impl Targets {
    /// Calls `act` with the most bytes that the elements of any target have so far, or may have; nothing is admitted
    /// meanwhile.
    pub(crate) fn with_largest<T>(&self, act: impl FnOnce(u64) -> T) -> T {
        act(*self.largest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives what arrives its room: from `room`, the piece's own, beyond the `keep` bytes that the piece itself still
    /// takes, and from what is free. There must stay enough to write any of the targets.
    pub(crate) fn admit(
        &self,
        arriving: &[Arriving],
        room: &mut Reservation,
        keep: u64,
        sink: &Sink,
    ) -> Result<Admission, TaskFailure> {
        let mut largest = self.largest.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut wanted, mut most) = (0_u64, *largest);
        let mut needs = Vec::with_capacity(arriving.len());
        for share in arriving {
            let mut slot = self.slot(share.target)?;
            let need = if slot.is_left_out { Need::default() } else { self.need(&mut slot, share, sink)? };
            wanted = wanted.saturating_add(need.more);
            most = most.max(need.values);
            needs.push(need);
        }
        let own = room.bytes().saturating_sub(keep).min(wanted);
        let needed = keep.saturating_add(wanted);
        room.settle(keep.saturating_add(own));
        if !room.try_grow(needed, sink.write_room(most)) {
            return Ok(Admission::Short { needed });
        }
        *largest = most;
        for (share, need) in arriving.iter().zip(needs) {
            let mut slot = self.slot(share.target)?;
            if slot.is_left_out {
                continue;
            }
            (slot.values, slot.held) = (need.values, need.held);
            let more = room.split(need.more);
            slot.heap.as_mut().ok_or_else(not_open)?.room().absorb(more);
        }
        Ok(Admission::Admitted)
    }

    fn need(&self, slot: &mut Slot, share: &Arriving, sink: &Sink) -> Result<Need, TaskFailure> {
        // So far they counted as the longest fill value.
        let assumed = share.elements.saturating_mul(self.fills.longest());
        let values = slot.values.saturating_sub(assumed).saturating_add(share.bytes);
        let held = slot.held.saturating_add(held(share.bytes));
        let whole = held.saturating_add(sink.kept_beside(values, held));
        let has = slot.heap.as_mut().ok_or_else(not_open)?.room().bytes();
        Ok(Need { values, held, more: whole.saturating_sub(has) })
    }

    /// Copies the elements of `share` one by one; they have been admitted.
    pub(super) fn take_in_values(
        &self,
        slot: &mut Slot,
        share: &Share,
        (descriptors, start): (&[u8], usize),
        values: &[u8],
    ) -> Result<(), TaskFailure> {
        let bytes = bytes_of(share, descriptors, start, self.width)?;
        let from = share.from_start.saturating_sub(start);
        let mut heap = slot.heap.take().ok_or_else(not_open)?;
        heap.begin(bytes)?;
        let to = self.prepared(slot)?;
        let mut is_inside = true;
        let (from, whole) = ((from, descriptors.len()), (share.to_start, to.len()));
        for_each_element(&share.axes, from, whole, self.width, |from, at| {
            let value = descriptor_at(descriptors, from).of_heap(values);
            let place = to.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<8>);
            match value.zip(place) {
                Some((value, place)) => *place = heap.push(value).to_bytes(),
                None => is_inside = false,
            }
        })
        .map_err(|error| bug(error.to_string()))?;
        slot.heap = Some(heap);
        if is_inside { Ok(()) } else { Err(bug("an element of variable length lies outside of its heap")) }
    }
}

/// What one target will have, and the room for it that it has not.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    values: u64,
    held: u64,
    more: u64,
}
