//! Runs a codec chain on whole chunks: synchronous, on the calling thread, the same bytes for the same chunk. Sizes
//! are known before anything is decoded, and a chunk that declares or yields another size is an error, not an
//! allocation.
//!
//! Knows nothing of stores, keys or tasks.

mod filter;
mod permutation;
mod stage;
#[cfg(test)]
mod tests;
mod variable;

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use permutation::Permutation;
use rechunk_common::{
    layout::{ChunkLayout, ElementType},
    limits,
    variable::assumed_chunk_bytes,
};
use stage::{Size, Stage};
pub use variable::{Descriptor, VariableChunk};

use crate::{
    CodecError, MetadataError,
    chain::{self, Step},
    dtype::{Endian, Variable},
    json::Json,
};

/// The codec chain of the chunks of one array.
#[derive(Debug, Clone)]
pub struct ChunkCodec {
    decoded_bytes: u64,
    width: usize,
    /// In encoding order.
    permutations: Vec<Permutation>,
    /// Bytes of the components whose order is swapped.
    swapped: Option<usize>,
    /// The chunk's axes in the order in which they are stored.
    stored: Vec<StoredAxis>,
    /// In encoding order, each with the size of what it encodes.
    stages: Vec<(Stage, Size)>,
    worst_encoded_bytes: u64,
    /// The codec of elements of variable length, where they are.
    variable: Option<&'static str>,
}

/// An axis as it is stored.
#[derive(Debug, Clone, Copy)]
struct StoredAxis {
    /// The number of the decoded chunk's axis.
    decoded: usize,
    length: u64,
}

impl ChunkCodec {
    /// The chain of `codecs_json` (a list of Zarr v3 codec metadata) for chunks of `chunk_shape`. `fill` is one element.
    pub fn new(
        codecs_json: &str,
        element: &ElementType,
        chunk_shape: &[u64],
        fill: &[u8],
    ) -> Result<Self, MetadataError> {
        if !element.holds(fill) {
            let problem = format!("{} bytes for an element of {}", fill.len(), element.width);
            return Err(MetadataError::corrupt("fill", problem));
        }
        Self::of_steps(&chain::steps(&Json::parse("codecs", codecs_json)?, "codecs")?, element, chunk_shape)
    }

    /// The chain of the chunks, or of the inner chunks, of a layout.
    pub fn of_layout(chunks: &ChunkLayout, element: &ElementType, fill: &[u8]) -> Result<Self, MetadataError> {
        match chunks {
            ChunkLayout::Plain { chunk_shape, codecs } | ChunkLayout::Sharded { chunk_shape, codecs, .. } => {
                Self::new(codecs, element, chunk_shape, fill)
            }
        }
    }

    fn of_steps(steps: &[Step], element: &ElementType, chunk_shape: &[u64]) -> Result<Self, MetadataError> {
        chain::check_filters(steps, element.width)?;
        let variable = chain::variable(steps).map(Variable::codec);
        if variable.is_some() != element.is_variable() {
            let problem = format!("it is not for elements of type {}", element.data_type);
            return Err(MetadataError::codec(variable.unwrap_or("bytes"), problem));
        }
        let limit = limits::MAX_CHUNK_BYTES.0;
        let decoded_bytes = chunk_shape
            .iter()
            .try_fold(element.width, |bytes, length| bytes.checked_mul(*length))
            .filter(|bytes| *bytes <= limit)
            .ok_or_else(|| MetadataError::Limit {
                what: "decoded bytes of a chunk",
                value: format!("{chunk_shape:?} × {}", element.width),
                limit,
            })?;
        let width = usize::try_from(element.width).map_err(|_| MetadataError::corrupt("element", "too wide"))?;
        let mut codec = Self {
            decoded_bytes,
            width,
            permutations: Vec::new(),
            swapped: None,
            stored: (0..).zip(chunk_shape).map(|(decoded, length)| StoredAxis { decoded, length: *length }).collect(),
            stages: Vec::new(),
            worst_encoded_bytes: decoded_bytes,
            variable,
        };
        let mut size = Size::Exactly(decoded_bytes);
        if variable.is_some() {
            codec.worst_encoded_bytes = assumed_chunk_bytes(codec.elements());
            size = Size::AtMost(codec.worst_encoded_bytes);
        }
        for step in steps {
            if let Step::Transpose { order } = step {
                let shape: Vec<u64> = codec.stored.iter().map(|axis| axis.length).collect();
                let permutation = Permutation::new(order, &shape).ok_or_else(|| {
                    let problem = format!("its order has not one entry per axis of {chunk_shape:?}");
                    MetadataError::codec("transpose", problem)
                })?;
                codec.stored = permuted(&codec.stored, order);
                if !permutation.is_identity() {
                    codec.permutations.push(permutation);
                }
            } else if let Step::Bytes { .. } = step {
                let is_big = chain::element_order(steps) == Some(Endian::Big);
                codec.swapped = component(element).filter(|_| is_big);
            } else if let Some(stage) = Stage::new(step, size)? {
                let before = size;
                size = stage.encoded_size(before);
                codec.worst_encoded_bytes = stage.worst_bytes(codec.worst_encoded_bytes);
                codec.stages.push((stage, before));
            }
        }
        Ok(codec)
    }

    /// The elements of a chunk in C order, little-endian. A chain that does nothing gives `encoded` itself back. Those of
    /// variable length are decoded by [`decode_variable`](Self::decode_variable).
    pub fn decode(&self, encoded: Bytes) -> Result<Bytes, CodecError> {
        if let Some(codec) = self.variable {
            return Err(variable::not_fixed(codec));
        }
        let mut bytes = encoded;
        for (stage, size) in self.stages.iter().rev() {
            bytes = stage.decode(&bytes, *size)?;
        }
        let found = length(&bytes);
        if found != self.decoded_bytes {
            return Err(CodecError::DecodedSize { codec: "bytes", found, expected: self.decoded_bytes });
        }
        if self.swapped.is_none() && self.permutations.is_empty() {
            return Ok(bytes);
        }
        // Takes the buffer over where nobody else holds it.
        let mut elements = Vec::from(bytes);
        if let Some(component) = self.swapped {
            swap(&mut elements, component);
        }
        for permutation in self.permutations.iter().rev() {
            elements = permutation.invert(&elements, self.width);
        }
        Ok(Bytes::from(elements))
    }

    /// The bytes `part` of what [`Self::decode`] gives, without decoding all of it; `None` where the chain can't.
    pub fn decode_part(&self, encoded: &[u8], part: Range<usize>) -> Result<Option<Bytes>, CodecError> {
        match self.stages.as_slice() {
            _ if self.variable.is_some() => Ok(None),
            [(stage, size)] if self.swapped.is_none() && self.permutations.is_empty() => {
                stage.decode_part(encoded, *size, part)
            }
            _ => Ok(None),
        }
    }

    /// The encoded chunk of elements in C order, little-endian. A chain that does nothing gives an owned buffer back
    /// without copying it; a chain that compresses reads a borrowed one in place. An element that a filter would change
    /// is an error.
    pub fn encode(&self, decoded: Cow<'_, [u8]>) -> Result<Bytes, CodecError> {
        self.encode_where(decoded, |_| true)
    }

    /// The same for a chunk of which only the first `valid` elements along each axis lie in the array: what a filter
    /// makes of the others does not matter.
    pub fn encode_clipped(&self, decoded: Cow<'_, [u8]>, valid: &[u64]) -> Result<Bytes, CodecError> {
        self.encode_where(decoded, |stored| self.is_within(stored, valid))
    }

    fn encode_where(&self, decoded: Cow<'_, [u8]>, matters: impl Fn(u64) -> bool) -> Result<Bytes, CodecError> {
        if let Some(codec) = self.variable {
            return Err(variable::not_fixed(codec));
        }
        let found = length(&decoded);
        if found != self.decoded_bytes {
            return Err(CodecError::DecodedSize { codec: "bytes", found, expected: self.decoded_bytes });
        }
        let mut bytes = decoded;
        for permutation in &self.permutations {
            bytes = Cow::Owned(permutation.apply(&bytes, self.width));
        }
        if let Some(component) = self.swapped {
            swap(bytes.to_mut(), component);
        }
        for (stage, _) in &self.stages {
            bytes = Cow::Owned(stage.encode(bytes, &matters)?);
        }
        Ok(Bytes::from(bytes.into_owned()))
    }

    /// Whether the element that is stored at place `stored` has positions below `valid` on every axis.
    fn is_within(&self, stored: u64, valid: &[u64]) -> bool {
        let mut rest = stored;
        self.stored.iter().rev().all(|axis| {
            let position = rest.checked_rem(axis.length).unwrap_or_default();
            rest = rest.checked_div(axis.length).unwrap_or_default();
            valid.get(axis.decoded).is_none_or(|end| position < *end)
        })
    }

    /// Whether encoded and decoded chunks are the same bytes.
    pub fn is_identity(&self) -> bool {
        self.variable.is_none() && self.permutations.is_empty() && self.swapped.is_none() && self.stages.is_empty()
    }

    /// Bytes of a decoded chunk; of its descriptors where elements are of variable length.
    pub fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes
    }

    /// No chunk that this chain encodes is longer. Other encoders may have other bounds. Of elements of variable length it
    /// is what is assumed.
    pub fn worst_encoded_bytes(&self) -> u64 {
        self.worst_encoded_bytes
    }

    /// The largest decoded chunk that the chain takes, in bytes; `None` where no codec has a limit of its own.
    pub fn largest_buffer(&self) -> Option<u64> {
        self.stages.iter().filter_map(|(stage, _)| stage.largest_buffer()).min()
    }

    /// Whether every encoded chunk has the same length.
    pub(crate) fn is_fixed(&self) -> bool {
        self.stages.iter().all(|(stage, _)| stage.is_fixed())
    }
}

/// Axes in another order: entry `order[i]` becomes entry `i`.
fn permuted(axes: &[StoredAxis], order: &[u64]) -> Vec<StoredAxis> {
    order.iter().filter_map(|axis| axes.get(usize::try_from(*axis).ok()?).copied()).collect()
}

/// Bytes of the components that a byte order applies to; `None` for single and opaque bytes.
fn component(element: &ElementType) -> Option<usize> {
    let width = usize::try_from(element.width).ok()?;
    let bytes = if element.data_type.starts_with('r') {
        1
    } else if element.data_type.starts_with("complex") {
        width.checked_div(2)?
    } else {
        width
    };
    (bytes > 1).then_some(bytes)
}

/// Reverses each component in place.
fn swap(bytes: &mut [u8], component: usize) {
    // Constant lengths let the compiler use byte-swap instructions.
    match component {
        2 => bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|unit| unit.reverse()),
        4 => bytes.as_chunks_mut::<4>().0.iter_mut().for_each(|unit| unit.reverse()),
        8 => bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|unit| unit.reverse()),
        _ => bytes.chunks_exact_mut(component.max(1)).for_each(<[u8]>::reverse),
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
