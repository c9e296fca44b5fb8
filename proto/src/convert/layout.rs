//! Array layouts. Behind this door all ranks agree, no chunk has a length of zero, and the decoded size of the array
//! and of every chunk fits into 64 bits.

use rechunk_common::{
    geometry::Edges,
    layout::{ArrayLayout, ArrayPart, ChunkKeys, ChunkLayout, ElementType, IndexLocation, Separator},
    limits::{MAX_CHUNK_BYTES, MAX_DOCUMENT_BYTES, MAX_ELEMENT_BYTES},
};
use serde_json::value::RawValue;

use super::{
    edges,
    field::{choice, lengths, name, of_rank, positive, required, same_variants, shape, url, within},
    geometry::product,
};
use crate::{
    fault::{Fault, Problem},
    invalid::InvalidLayout,
    v1,
};

same_variants! {
    v1::IndexLocation = IndexLocation { Start, End }
    v1::Separator = Separator { Slash, Dot }
}

impl From<ArrayLayout> for v1::ArrayLayout {
    fn from(layout: ArrayLayout) -> Self {
        let ArrayLayout { url, shape, element, fill, has_fill, chunks, edges, keys, part } = layout;
        let ElementType { data_type, width } = element;
        Self {
            url,
            shape,
            element: Some(v1::ElementType { data_type, width_bytes: width }),
            fill,
            has_fill,
            chunks: Some(chunks.into()),
            keys: Some(keys.into()),
            part: part.map(|ArrayPart { start, origin }| v1::ArrayPart { start, origin }),
            edges: edges::to_wire(&edges),
        }
    }
}

/// A part of an array of `shape` elements whose every element has a place in 64 bits.
fn part_of(part: v1::ArrayPart, shape: &[u64]) -> Result<ArrayPart, Fault> {
    let start = of_rank(part.start, shape.len(), "start")?;
    let origin = of_rank(part.origin, shape.len(), "origin")?;
    if origin.iter().zip(&start).any(|(origin, start)| origin > start) {
        return Err(Fault::at("origin", Problem::Outside));
    }
    if start.iter().zip(shape).any(|(start, length)| start.checked_add(*length).is_none()) {
        return Err(Fault::at("start", Problem::Overflow));
    }
    Ok(ArrayPart { start, origin })
}

impl TryFrom<v1::ArrayLayout> for ArrayLayout {
    type Error = InvalidLayout;

    fn try_from(layout: v1::ArrayLayout) -> Result<Self, InvalidLayout> {
        let shape = shape(layout.shape, "shape")?;
        let element: ElementType = required(layout.element, "element")?;
        if !element.holds(&layout.fill) {
            let found = u64::try_from(layout.fill.len()).unwrap_or(u64::MAX);
            return Err(Fault::at("fill", Problem::WidthMismatch { expected: element.width, found }).into());
        }
        let chunks = layout.chunks.and_then(|chunks| chunks.layout);
        let chunks = chunks.ok_or_else(|| Fault::at("chunks", Problem::Missing))?;
        let part = layout.part.map(|part| part_of(part, &shape).map_err(|fault| fault.under("part"))).transpose()?;
        let chunks = chunk_layout(chunks, shape.len(), element.width).map_err(|fault| fault.under("chunks"))?;
        let edges = edges_of(layout.edges, &chunks, &shape, part.as_ref())?;
        let layout = Self {
            part,
            url: url(layout.url, "url")?,
            chunks,
            edges,
            keys: required(layout.keys, "keys")?,
            shape,
            element,
            fill: layout.fill,
            has_fill: layout.has_fill,
        };
        if layout.decoded_bytes().is_none() || product(&layout.shape).is_none() {
            return Err(Fault::at("shape", Problem::Overflow).into());
        }
        Ok(layout)
    }
}

/// Edges of the objects of an array of which a part of `shape` is meant, each a whole number of inner chunks long.
fn edges_of(
    edges: Vec<v1::Edges>,
    chunks: &ChunkLayout,
    shape: &[u64],
    part: Option<&ArrayPart>,
) -> Result<Vec<Option<Edges>>, Fault> {
    let origin = part.map_or_else(|| vec![0; shape.len()], |part| part.origin.clone());
    let least: Vec<u64> = shape.iter().zip(&origin).map(|(length, origin)| origin.saturating_add(*length)).collect();
    let edges = edges::from_wire(edges, chunks.write_unit(), &least)?;
    if let ChunkLayout::Sharded { chunk_shape, .. } = chunks {
        let is_uneven = |(edges, chunk): (&Option<Edges>, &u64)| {
            edges.as_ref().is_some_and(|edges| edges.lengths().any(|length| length.checked_rem(*chunk) != Some(0)))
        };
        if let Some(axis) = edges.iter().zip(chunk_shape).position(is_uneven) {
            return Err(Fault::at("edges", Problem::NotAMultiple { axis }));
        }
    }
    Ok(edges)
}

impl TryFrom<v1::ElementType> for ElementType {
    type Error = Fault;

    fn try_from(element: v1::ElementType) -> Result<Self, Fault> {
        Ok(Self {
            data_type: name(element.data_type, "data_type")?,
            width: element_width(element.width_bytes, "width_bytes")?,
        })
    }
}

/// Bytes of one element.
pub(super) fn element_width(width: u64, field: &str) -> Result<u64, Fault> {
    within(width, MAX_ELEMENT_BYTES, "MAX_ELEMENT_BYTES", field)?;
    positive(width, field)
}

impl From<ChunkLayout> for v1::ChunkLayout {
    fn from(layout: ChunkLayout) -> Self {
        let layout = match layout {
            ChunkLayout::Plain { chunk_shape, codecs } => {
                v1::chunk_layout::Layout::Plain(v1::PlainChunks { chunk_shape, codecs })
            }
            ChunkLayout::Sharded { shard_shape, chunk_shape, codecs, index_codecs, index_location } => {
                v1::chunk_layout::Layout::Sharded(v1::ShardedChunks {
                    shard_shape,
                    chunk_shape,
                    codecs,
                    index_codecs,
                    index_location: v1::IndexLocation::from(index_location).into(),
                })
            }
        };
        Self { layout: Some(layout) }
    }
}

fn chunk_layout(layout: v1::chunk_layout::Layout, rank: usize, width: u64) -> Result<ChunkLayout, Fault> {
    match layout {
        v1::chunk_layout::Layout::Plain(plain) => {
            plain_chunks(plain, rank, width).map_err(|fault| fault.under("plain"))
        }
        v1::chunk_layout::Layout::Sharded(sharded) => {
            sharded_chunks(sharded, rank, width).map_err(|fault| fault.under("sharded"))
        }
    }
}

fn plain_chunks(plain: v1::PlainChunks, rank: usize, width: u64) -> Result<ChunkLayout, Fault> {
    Ok(ChunkLayout::Plain {
        chunk_shape: chunk_shape(plain.chunk_shape, rank, width)?,
        codecs: codec_list(plain.codecs, "codecs")?,
    })
}

fn sharded_chunks(sharded: v1::ShardedChunks, rank: usize, width: u64) -> Result<ChunkLayout, Fault> {
    let chunk_shape = chunk_shape(sharded.chunk_shape, rank, width)?;
    let shard_shape = lengths(sharded.shard_shape, rank, "shard_shape")?;
    let uneven = |(shard, chunk): (&u64, &u64)| shard.checked_rem(*chunk) != Some(0);
    if let Some(axis) = shard_shape.iter().zip(&chunk_shape).position(uneven) {
        return Err(Fault::at("shard_shape", Problem::NotAMultiple { axis }));
    }
    if product(&shard_shape).and_then(|elements| elements.checked_mul(width)).is_none() {
        return Err(Fault::at("shard_shape", Problem::Overflow));
    }
    Ok(ChunkLayout::Sharded {
        shard_shape,
        chunk_shape,
        codecs: codec_list(sharded.codecs, "codecs")?,
        index_codecs: codec_list(sharded.index_codecs, "index_codecs")?,
        index_location: choice::<v1::IndexLocation, _>(sharded.index_location, "index_location")?,
    })
}

fn chunk_shape(values: Vec<u64>, rank: usize, width: u64) -> Result<Vec<u64>, Fault> {
    let values = lengths(values, rank, "chunk_shape")?;
    let bytes = product(&values).and_then(|elements| elements.checked_mul(width));
    let bytes = bytes.ok_or_else(|| Fault::at("chunk_shape", Problem::Overflow))?;
    within(bytes, MAX_CHUNK_BYTES.0, "MAX_CHUNK_BYTES", "chunk_shape")?;
    Ok(values)
}

/// Whether it is a list; which codecs there are is for the codec library to say.
fn codec_list(text: String, field: &str) -> Result<String, Fault> {
    within(u64::try_from(text.len()).unwrap_or(u64::MAX), MAX_DOCUMENT_BYTES.0, "MAX_DOCUMENT_BYTES", field)?;
    match serde_json::from_str::<Vec<&RawValue>>(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(Fault::at(field, Problem::NotAJsonList)),
    }
}

impl From<ChunkKeys> for v1::ChunkKeys {
    fn from(keys: ChunkKeys) -> Self {
        let (encoding, separator) = match keys {
            ChunkKeys::Default { separator } => (v1::ChunkKeyEncoding::Default, separator),
            ChunkKeys::V2 { separator } => (v1::ChunkKeyEncoding::V2, separator),
        };
        Self { encoding: encoding.into(), separator: v1::Separator::from(separator).into() }
    }
}

impl TryFrom<v1::ChunkKeys> for ChunkKeys {
    type Error = Fault;

    fn try_from(keys: v1::ChunkKeys) -> Result<Self, Fault> {
        let separator = choice::<v1::Separator, Separator>(keys.separator, "separator")?;
        match v1::ChunkKeyEncoding::try_from(keys.encoding) {
            Ok(v1::ChunkKeyEncoding::Default) => Ok(Self::Default { separator }),
            Ok(v1::ChunkKeyEncoding::V2) => Ok(Self::V2 { separator }),
            Ok(v1::ChunkKeyEncoding::Unspecified) => Err(Fault::at("encoding", Problem::Unspecified)),
            Err(_) => Err(Fault::at("encoding", Problem::UnknownValue { value: keys.encoding })),
        }
    }
}
