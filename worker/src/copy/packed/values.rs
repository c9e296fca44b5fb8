//! Elements of variable length as a block has them: their lengths, four bytes each, little-endian, in C order; then the
//! elements one after another. So what a decoded block is is its heap too, and nothing of it is copied.

use bytes::Bytes;
use rechunk_common::{
    TaskFailure,
    variable::{LENGTH_BYTES, block_bytes},
};
use rechunk_zarr::{Descriptor, VariableChunk};

use crate::{
    copy::heap::Heap,
    failure::{bug, invalid, too_large},
};

/// The elements of a block that is to be packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    descriptors: &'a [[u8; 8]],
    heap: &'a Heap,
}

impl<'a> Values<'a> {
    /// Those that `descriptors` point to, in C order.
    pub(crate) fn new(descriptors: &'a [u8], heap: &'a Heap) -> Self {
        Self { descriptors: descriptors.as_chunks().0, heap }
    }

    /// What they take with their lengths. Whoever reads them addresses them by four bytes.
    pub(crate) fn bytes(&self) -> Result<u32, TaskFailure> {
        let lengths = self.each().fold(0, |sum: u64, descriptor| sum.saturating_add(u64::from(descriptor.length)));
        let bytes = block_bytes(self.descriptors.len() as u64, lengths);
        // Before them stands a header.
        let bytes = u32::try_from(bytes).ok().filter(|bytes| *bytes < u32::MAX);
        bytes.ok_or_else(|| {
            invalid("a block of an exchange would hold 4 GiB of elements or more; give tasks less memory")
        })
    }

    fn each(&self) -> impl Iterator<Item = Descriptor> + 'a {
        self.descriptors.iter().map(|bytes| Descriptor::of_bytes(*bytes))
    }

    /// Calls `run` with all that the block has, piece by piece.
    pub(crate) fn for_each_run(
        &self,
        mut run: impl FnMut(&[u8]) -> Result<(), TaskFailure>,
    ) -> Result<(), TaskFailure> {
        for descriptor in self.each() {
            run(&descriptor.length.to_le_bytes())?;
        }
        for descriptor in self.each() {
            let value = self.heap.get(descriptor);
            run(value.ok_or_else(|| bug("an element of variable length lies outside of its heap"))?)?;
        }
        Ok(())
    }

    /// All that the block has.
    pub(crate) fn serialized(&self) -> Result<Vec<u8>, TaskFailure> {
        let length = usize::try_from(self.bytes()?).map_err(|_| too_large("a block of an exchange"))?;
        let mut bytes = Vec::with_capacity(length);
        self.for_each_run(|run| {
            bytes.extend_from_slice(run);
            Ok(())
        })?;
        Ok(bytes)
    }
}

/// The `elements` elements that stand in `heap` from byte `start` to its end; `None` where they are not exactly these.
pub(super) fn in_heap(heap: Bytes, start: usize, elements: u64) -> Option<VariableChunk> {
    let lengths = usize::try_from(elements.checked_mul(LENGTH_BYTES)?).ok()?;
    let end = start.checked_add(lengths)?;
    let mut offset = u32::try_from(end).ok()?;
    let mut descriptors = Vec::with_capacity(heap.get(start..end)?.len().checked_mul(2)?);
    for length in heap.get(start..end)?.as_chunks().0 {
        let length = u32::from_le_bytes(*length);
        descriptors.extend_from_slice(&Descriptor { offset, length }.to_bytes());
        offset = offset.checked_add(length)?;
    }
    let is_whole = u64::from(offset) == heap.len() as u64;
    is_whole.then(|| VariableChunk { descriptors: Bytes::from(descriptors), heap })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a block has them.
    fn block(values: &[Vec<u8>]) -> Vec<u8> {
        let lengths = values.iter().flat_map(|value| u32::try_from(value.len()).expect("short").to_le_bytes());
        lengths.chain(values.concat()).collect()
    }

    proptest! {
        #[test]
        fn elements_come_back_and_no_others_do(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20), start in 0_usize..3,
            at in any::<prop::sample::Index>(), by in 1_u8..,
        ) {
            let mut bytes = vec![7; start];
            bytes.extend(block(&values));
            let count = values.len() as u64;
            let chunk = in_heap(Bytes::from(bytes.clone()), start, count).expect("whole");
            let found: Vec<_> = chunk.descriptors.as_chunks().0.iter()
                .map(|bytes| Descriptor::of_bytes(*bytes).of_heap(&chunk.heap).expect("in the heap").to_vec())
                .collect();
            prop_assert_eq!(&found, &values);
            prop_assert_eq!(in_heap(Bytes::from(bytes[..bytes.len() - 1].to_vec()), start, count), None);
            prop_assert_eq!(in_heap(Bytes::from([&bytes[..], b"x"].concat()), start, count), None);
            prop_assert!(in_heap(Bytes::from(bytes.clone()), start, u64::MAX).is_none());
            // A length that lies does not fit the others.
            let at = start + at.index(values.len() * 4);
            bytes[at] = bytes[at].wrapping_add(by);
            prop_assert_eq!(in_heap(Bytes::from(bytes), start, count), None);
        }
    }
}
