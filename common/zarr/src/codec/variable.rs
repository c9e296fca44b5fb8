//! Chunks of elements of variable length: how many there are, then each after its length, all numbers of four bytes,
//! little-endian (`vlen-utf8` and `vlen-bytes` of numcodecs and of Zarr v3). What a decoded one gives is the chunk itself as a heap and a
//! descriptor for each element in C order; so nothing is copied.
//!
//! How long a chunk is shows only when it is decoded: whoever decodes says for how much there is room.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use rechunk_common::variable::{COUNT_BYTES, DESCRIPTOR_BYTES, chunk_bytes};

use super::{ChunkCodec, Size, Stage, length};
use crate::CodecError;

const NUMBER_BYTES: usize = 4;

/// Where the bytes of an element stand in a heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Descriptor {
    /// Of the first byte, from the beginning of the heap.
    pub offset: u32,
    /// How many there are.
    pub length: u32,
}

impl Descriptor {
    /// As it stands in a buffer.
    pub fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.length) << 32 | u64::from(self.offset)).to_le_bytes()
    }

    /// From where it stands in a buffer.
    pub fn of_bytes(bytes: [u8; 8]) -> Self {
        let both = u64::from_le_bytes(bytes);
        let half = |half: u64| u32::try_from(half).unwrap_or(u32::MAX);
        Self { offset: half(both & u64::from(u32::MAX)), length: half(both >> 32) }
    }

    /// The element itself; `None` where it does not lie in the heap.
    pub fn of_heap(self, heap: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.offset).ok()?;
        heap.get(start..start.checked_add(usize::try_from(self.length).ok()?)?)
    }
}

/// A decoded chunk of elements of variable length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariableChunk {
    /// One for each element, in C order.
    pub descriptors: Bytes,
    /// What they point into.
    pub heap: Bytes,
}

/// Elements of variable length where others are expected.
pub(super) fn not_fixed(codec: &'static str) -> CodecError {
    CodecError::Corrupt { codec, problem: "elements of variable length have no bytes of a width".to_owned() }
}

fn corrupt(codec: &'static str, problem: impl Into<String>) -> CodecError {
    CodecError::Corrupt { codec, problem: problem.into() }
}

impl ChunkCodec {
    /// Whether elements are of variable length.
    pub fn is_variable(&self) -> bool {
        self.variable.is_some()
    }

    /// Elements of a chunk.
    pub(super) fn elements(&self) -> u64 {
        self.stored.iter().fold(1, |elements, axis| elements.saturating_mul(axis.length))
    }

    /// What a chunk is whose elements have `bytes` bytes together, before it is compressed.
    pub fn variable_bytes(&self, bytes: u64) -> u64 {
        chunk_bytes(self.elements(), bytes)
    }

    /// What our own encoder makes of such a chunk at the worst.
    pub fn worst_variable_bytes(&self, bytes: u64) -> u64 {
        self.stages.iter().fold(self.variable_bytes(bytes), |worst, (stage, _)| stage.worst_bytes(worst))
    }

    /// Whether what is stored is what a decoded chunk's heap is.
    pub fn is_heap_stored(&self) -> bool {
        self.variable.is_some() && self.stages.is_empty()
    }

    /// What encoding such a chunk takes: the chunk itself, and what becomes of it where that is another.
    pub fn variable_encoding_room(&self, bytes: u64) -> u64 {
        let encoded = if self.stages.is_empty() { 0 } else { self.worst_variable_bytes(bytes) };
        self.variable_bytes(bytes).saturating_add(encoded)
    }

    /// Decodes a chunk of elements of variable length, which may have `room` bytes before it was compressed. Takes
    /// [`decoded_bytes`](Self::decoded_bytes) beside them for the descriptors.
    pub fn decode_variable(&self, encoded: Bytes, room: u64) -> Result<VariableChunk, CodecError> {
        let Some(codec) = self.variable else {
            return Err(corrupt("bytes", "elements of a width are not of variable length"));
        };
        let mut heap = encoded;
        for (stage, size) in self.sizes(room).into_iter().rev() {
            heap = stage.decode(&heap, size).map_err(|error| over_room(error, size))?;
        }
        let found = length(&heap);
        if found > room {
            return Err(CodecError::OverRoom { codec, bytes: found, room });
        }
        let mut descriptors = descriptors(codec, &heap, self.elements())?;
        for permutation in self.permutations.iter().rev() {
            descriptors = permutation.invert(&descriptors, self.width);
        }
        Ok(VariableChunk { descriptors: Bytes::from(descriptors), heap })
    }

    /// The stages with the size of what each encodes, where the first is given `room` bytes at the most.
    fn sizes(&self, room: u64) -> Vec<(&Stage, Size)> {
        let mut size = Size::AtMost(room);
        let with_size = |(stage, _): &'_ (Stage, Size)| {
            let before = size;
            size = stage.encoded_size(before);
            before
        };
        let sizes: Vec<Size> = self.stages.iter().map(with_size).collect();
        self.stages.iter().map(|(stage, _)| stage).zip(sizes).collect()
    }

    /// Encodes the elements of a chunk, given by their descriptors in C order; `of` gives the bytes of each.
    pub fn encode_variable<'h>(
        &self,
        descriptors: &[u8],
        of: impl Fn(Descriptor) -> Option<&'h [u8]>,
    ) -> Result<Bytes, CodecError> {
        let Some(codec) = self.variable else {
            return Err(corrupt("bytes", "elements of a width are not of variable length"));
        };
        let found = length(descriptors);
        if found != self.decoded_bytes {
            return Err(CodecError::DecodedSize { codec, found, expected: self.decoded_bytes });
        }
        let mut permuted = Vec::new();
        let mut in_order = descriptors;
        for permutation in &self.permutations {
            permuted = permutation.apply(in_order, self.width);
            in_order = &permuted;
        }
        let mut bytes = self.serialized(codec, in_order, of)?;
        drop(permuted);
        for (stage, _) in &self.stages {
            if let Some(limit) = stage.largest_buffer().filter(|limit| length(&bytes) > *limit) {
                return Err(CodecError::BufferLimit { codec, bytes: length(&bytes), limit });
            }
            bytes = stage.encode(bytes.into(), &|_| true)?;
        }
        Ok(Bytes::from(bytes))
    }

    fn serialized<'h>(
        &self,
        codec: &'static str,
        descriptors: &[u8],
        of: impl Fn(Descriptor) -> Option<&'h [u8]>,
    ) -> Result<Vec<u8>, CodecError> {
        let fault = |problem: &str| CodecError::Encode { codec, problem: problem.to_owned() };
        let of_bytes = |bytes: &[u8; 8]| Descriptor::of_bytes(*bytes);
        let each = || descriptors.as_chunks().0.iter().map(of_bytes);
        let lengths = each().fold(0_u64, |sum, descriptor| sum.saturating_add(u64::from(descriptor.length)));
        let whole = self.variable_bytes(lengths);
        let count = u32::try_from(self.elements()).map_err(|_| fault("more than 2^32 elements"))?;
        // Whoever reads it addresses it by four bytes.
        let whole = u32::try_from(whole).map_err(|_| fault("more than 4 GiB in one chunk"))?;
        let mut bytes = Vec::with_capacity(usize::try_from(whole).map_err(|_| fault("too large for this machine"))?);
        bytes.extend_from_slice(&count.to_le_bytes());
        for descriptor in each() {
            let value = of(descriptor).ok_or_else(|| fault("an element lies outside of its heap"))?;
            bytes.extend_from_slice(&descriptor.length.to_le_bytes());
            bytes.extend_from_slice(value);
        }
        Ok(bytes)
    }
}

/// What is too long for `size`, and no more than that.
fn over_room(error: CodecError, size: Size) -> CodecError {
    let Size::AtMost(room) = size else { return error };
    let (CodecError::DeclaredSize { codec, declared: bytes, expected }
    | CodecError::DecodedSize { codec, found: bytes, expected }) = error
    else {
        return error;
    };
    if expected == room && bytes > room { CodecError::OverRoom { codec, bytes, room } } else { error }
}

/// Where each of `elements` elements stands in `heap`, which must have these and nothing else.
fn descriptors(codec: &'static str, heap: &[u8], elements: u64) -> Result<Vec<u8>, CodecError> {
    if u32::try_from(heap.len()).is_err() {
        return Err(corrupt(codec, "it has more than 4 GiB"));
    }
    let (count, mut rest) =
        heap.split_first_chunk::<NUMBER_BYTES>().ok_or_else(|| corrupt(codec, "it has no count"))?;
    let count = u64::from(u32::from_le_bytes(*count));
    if count != elements {
        return Err(corrupt(codec, format!("it has {count} elements, expected {elements}")));
    }
    // Each takes its length at the least: a count that lies allocates nothing.
    let least = chunk_bytes(elements, 0);
    if length(heap) < least {
        return Err(corrupt(codec, format!("it has {} bytes, too few for {elements} elements", heap.len())));
    }
    let room = elements.checked_mul(DESCRIPTOR_BYTES).and_then(|bytes| usize::try_from(bytes).ok());
    let mut descriptors = Vec::with_capacity(room.ok_or_else(|| corrupt(codec, "too large for this machine"))?);
    let mut offset = u32::try_from(COUNT_BYTES).unwrap_or_default();
    for element in 0..elements {
        let outside = || corrupt(codec, format!("element {element} passes the end of the chunk"));
        let (length, after) = rest.split_first_chunk::<NUMBER_BYTES>().ok_or_else(outside)?;
        let length = u32::from_le_bytes(*length);
        rest = usize::try_from(length).ok().and_then(|length| after.get(length..)).ok_or_else(outside)?;
        // Within the heap, and so within 32 bits.
        offset = offset.wrapping_add(4);
        descriptors.extend_from_slice(&Descriptor { offset, length }.to_bytes());
        offset = offset.wrapping_add(length);
    }
    if rest.is_empty() {
        Ok(descriptors)
    } else {
        Err(corrupt(codec, format!("{} bytes are left over behind its last element", rest.len())))
    }
}
