//! What stands where nothing was stored: in gaps of the source, and beyond the edge of the array. Elements of variable
//! length are descriptors there too, of values that the heap of each target begins with.

use rechunk_common::TaskFailure;
use rechunk_zarr::Descriptor;

use crate::{
    copy::heap::{self, Heap},
    memory::Reservation,
};

/// What gaps are filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fills {
    /// The value of elements that the source does not store.
    source: Vec<u8>,
    /// The value of elements beyond the array.
    target: Vec<u8>,
    /// Where elements are of variable length both are descriptors, and these are the values that they stand for.
    values: Option<[Vec<u8>; 2]>,
}

impl Fills {
    pub(crate) fn new(source: &[u8], target: &[u8]) -> Self {
        Self { source: source.to_vec(), target: target.to_vec(), values: None }
    }

    /// Of elements of variable length. The heap of each target begins with both.
    pub(crate) fn variable(source: &[u8], target: &[u8]) -> Self {
        let of_target = descriptor(0, target);
        let of_source = if source == target { of_target } else { descriptor(target.len(), source) };
        Self {
            source: of_source.to_bytes().to_vec(),
            target: of_target.to_bytes().to_vec(),
            values: Some([source.to_vec(), target.to_vec()]),
        }
    }

    /// Those of elements that are variable, or are not.
    pub(crate) fn of(is_variable: bool, source: &[u8], target: &[u8]) -> Self {
        if is_variable { Self::variable(source, target) } else { Self::new(source, target) }
    }

    pub(super) fn agree(&self) -> bool {
        match &self.values {
            Some([source, target]) => source == target,
            None => self.source == self.target,
        }
    }

    /// What both take in a heap.
    pub(crate) fn held_bytes(source: &[u8], target: &[u8]) -> u64 {
        let beside = if source == target { 0 } else { source.len() };
        heap::held((target.len() as u64).saturating_add(beside as u64))
    }

    /// What both take in a heap of theirs.
    pub(super) fn held(&self) -> u64 {
        self.values.as_ref().map_or(0, |[source, target]| Self::held_bytes(source, target))
    }

    /// An element that the source does not store, as it stands in a target.
    pub(super) fn of_source(&self) -> &[u8] {
        &self.source
    }

    /// An element beyond the array, as it stands in a target.
    pub(super) fn of_target(&self) -> &[u8] {
        &self.target
    }

    /// Bytes of the longer one, of elements of variable length.
    pub(super) fn longest(&self) -> u64 {
        self.values.as_ref().map_or(0, |values| values.iter().map(Vec::len).max().unwrap_or_default() as u64)
    }

    /// The heap of a target that is opened, in `room`.
    pub(super) fn heap(&self, room: Reservation) -> Result<Option<Heap>, TaskFailure> {
        let Some([source, target]) = &self.values else { return Ok(None) };
        let mut heap = Heap::new(room);
        let both = [target.as_slice(), if source == target { &[] } else { source.as_slice() }];
        heap.begin(both.iter().map(|value| value.len() as u64).sum())?;
        for value in both {
            heap.push(value);
        }
        Ok(Some(heap))
    }
}

/// A value that begins at `offset` of a heap; as [`Heap::push`] gives it.
fn descriptor(offset: usize, value: &[u8]) -> Descriptor {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if length == 0 {
        return Descriptor::default();
    }
    Descriptor { offset: u32::try_from(offset).unwrap_or(u32::MAX), length }
}

/// How an element of a target chunk full of gaps stands in it.
pub(crate) fn gap_of(is_variable: bool, fill: &[u8]) -> Vec<u8> {
    if is_variable { descriptor(0, fill).to_bytes().to_vec() } else { fill.to_vec() }
}
