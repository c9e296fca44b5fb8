//! The bytes of a target's elements of variable length: added piece by piece, each piece's in one block of exactly their
//! length, so that nothing is ever moved and nothing is taken that is not accounted for.

use rechunk_common::TaskFailure;
use rechunk_zarr::Descriptor;

use crate::{
    failure::{invalid, too_large},
    memory::Reservation,
};

/// What a block takes beside its bytes.
pub(crate) const BLOCK_BYTES: u64 = 64;

/// The bytes, and the room that they take.
#[derive(Debug)]
pub(crate) struct Heap {
    /// Each with the offset of its first byte.
    blocks: Vec<(u32, Vec<u8>)>,
    length: u32,
    room: Reservation,
}

/// What `bytes` take in a heap that are added together.
pub(crate) fn held(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { bytes.saturating_add(BLOCK_BYTES) }
}

impl Heap {
    /// Nothing yet, in `room`.
    pub(crate) fn new(room: Reservation) -> Self {
        Self { blocks: Vec::new(), length: 0, room }
    }

    /// The room that was taken for it.
    pub(crate) fn room(&mut self) -> &mut Reservation {
        &mut self.room
    }

    /// Begins a block of `bytes` bytes, of which [`push`](Self::push) fills no more. There is room for it.
    pub(crate) fn begin(&mut self, bytes: u64) -> Result<(), TaskFailure> {
        if u64::from(self.length).saturating_add(bytes) > u64::from(u32::MAX) {
            return Err(invalid("a target chunk would hold more than 4 GiB of elements; choose smaller chunks"));
        }
        if bytes > 0 {
            let capacity = usize::try_from(bytes).map_err(|_| too_large("a target chunk"))?;
            self.blocks.push((self.length, Vec::with_capacity(capacity)));
        }
        Ok(())
    }

    /// Adds one element.
    pub(crate) fn push(&mut self, value: &[u8]) -> Descriptor {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        if let Some((_, block)) = self.blocks.last_mut().filter(|_| length > 0) {
            let offset = self.length;
            block.extend_from_slice(value);
            self.length = self.length.saturating_add(length);
            return Descriptor { offset, length };
        }
        Descriptor::default()
    }

    /// An element; `None` where there is none.
    pub(crate) fn get(&self, descriptor: Descriptor) -> Option<&[u8]> {
        if descriptor.length == 0 {
            return Some(&[]);
        }
        let after = self.blocks.partition_point(|(start, _)| *start <= descriptor.offset);
        let (start, block) = self.blocks.get(after.checked_sub(1)?)?;
        let offset = descriptor.offset.checked_sub(*start)?;
        Descriptor { offset, ..descriptor }.of_heap(block)
    }
}
