//! Arrays for tests, made chunk by chunk from a rule that gives every byte of every element.

use std::{borrow::Cow, collections::BTreeSet};

use bytes::Bytes;
use rechunk_common::{
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkLayout, IndexLocation},
    request::ZarrFormat,
};
use rechunk_storage::{Prefix, Unguarded};
use rechunk_zarr::{ArrayDocument, ChunkCodec, ShardCodec, ShardEntry, ShardIndex};
use serde_json::{Map, Value, json};

use crate::{
    place::Place,
    whole_array::{WholeArray, linear_index},
};

/// What stands in a chunk beyond the edge of its array: no reader may take it for an element.
const PADDING: u8 = 0xe7;

/// An array that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySpec {
    /// The format of its document.
    pub format: ZarrFormat,
    /// As a document of that format spells it: `uint16`, `<f4`.
    pub data_type: String,
    /// Length per axis.
    pub shape: Vec<u64>,
    /// Length of a chunk per axis; of an inner chunk where there are shards.
    pub chunks: Vec<u64>,
    /// Length of a shard per axis.
    pub shards: Option<Vec<u64>>,
    /// v3: the list of codecs (of the inner chunks where there are shards); v2: an object with `compressor`, `filters`
    /// and `order`.
    pub codecs: Value,
    /// As the document spells it.
    pub fill_value: Value,
    /// v3 `dimension_names`.
    pub dimension_names: Option<Vec<String>>,
    /// Where the index of a shard stands.
    pub index_location: IndexLocation,
    /// The elements.
    pub content: Content,
    /// Positions of chunks (inner chunks) that are not stored.
    pub missing: BTreeSet<Vec<u64>>,
    /// Positions of chunks (inner chunks) that are stored and have the fill value in every element.
    pub filled: BTreeSet<Vec<u64>>,
}

/// What the elements are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The element's number in C order plus one, cut or repeated to the width: no element is zero in small arrays.
    Index,
    /// Pseudo-random bytes of this seed.
    Random(u64),
}

/// An array that was made, with every element as it must be read.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeArray {
    /// Where it is.
    pub url: String,
    /// What is there.
    pub whole: WholeArray,
    /// How it is stored.
    pub layout: ArrayLayout,
}

impl ArraySpec {
    /// A v3 array of `uint32`, not compressed, with fill value 0 and pseudo-random elements.
    pub fn new(shape: &[u64], chunks: &[u64]) -> Self {
        Self {
            format: ZarrFormat::V3,
            data_type: "uint32".to_owned(),
            shape: shape.to_vec(),
            chunks: chunks.to_vec(),
            shards: None,
            codecs: json!([{"name": "bytes", "configuration": {"endian": "little"}}]),
            fill_value: json!(0),
            dimension_names: None,
            index_location: IndexLocation::End,
            content: Content::Random(1),
            missing: BTreeSet::new(),
            filled: BTreeSet::new(),
        }
    }

    /// A v2 array of `<u4`, not compressed, with fill value 0 and pseudo-random elements.
    pub fn v2(shape: &[u64], chunks: &[u64]) -> Self {
        Self {
            format: ZarrFormat::V2,
            data_type: "<u4".to_owned(),
            codecs: json!({"compressor": null, "filters": null, "order": "C"}),
            ..Self::new(shape, chunks)
        }
    }

    /// In shards.
    #[must_use]
    pub fn in_shards(mut self, shards: &[u64]) -> Self {
        self.shards = Some(shards.to_vec());
        self
    }

    /// Of another data type.
    #[must_use]
    pub fn of(mut self, data_type: &str) -> Self {
        data_type.clone_into(&mut self.data_type);
        self
    }

    /// With other codecs.
    #[must_use]
    pub fn with_codecs(mut self, codecs: Value) -> Self {
        self.codecs = codecs;
        self
    }

    /// With another fill value.
    #[must_use]
    pub fn with_fill(mut self, fill_value: Value) -> Self {
        self.fill_value = fill_value;
        self
    }

    /// With other elements.
    #[must_use]
    pub fn with_content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// Without these chunks.
    #[must_use]
    pub fn without<const N: usize>(mut self, chunks: &[[u64; N]]) -> Self {
        self.missing.extend(chunks.iter().map(|position| position.to_vec()));
        self
    }

    /// With the fill value in every element of these chunks, which are stored all the same.
    #[must_use]
    pub fn filled_at<const N: usize>(mut self, chunks: &[[u64; N]]) -> Self {
        self.filled.extend(chunks.iter().map(|position| position.to_vec()));
        self
    }

    /// The documents of the array: name and content.
    pub fn documents(&self) -> Vec<(&'static str, Value)> {
        match self.format {
            ZarrFormat::V2 => {
                let mut document = json!({
                    "zarr_format": 2, "shape": self.shape, "chunks": self.chunks, "dtype": self.data_type,
                    "fill_value": self.fill_value, "dimension_separator": ".",
                });
                merge(&mut document, &self.codecs);
                vec![(".zarray", document), (".zattrs", attributes())]
            }
            ZarrFormat::V3 => {
                let mut document = json!({
                    "zarr_format": 3, "node_type": "array", "shape": self.shape, "data_type": self.data_type,
                    "chunk_grid": {"name": "regular", "configuration":
                        {"chunk_shape": self.shards.as_ref().unwrap_or(&self.chunks)}},
                    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                    "fill_value": self.fill_value, "codecs": self.v3_codecs(), "attributes": attributes(),
                });
                if let Some(names) = &self.dimension_names {
                    merge(&mut document, &json!({"dimension_names": names}));
                }
                vec![("zarr.json", document)]
            }
        }
    }

    fn v3_codecs(&self) -> Value {
        if self.shards.is_none() {
            return self.codecs.clone();
        }
        let location = match self.index_location {
            IndexLocation::Start => "start",
            IndexLocation::End => "end",
        };
        json!([{"name": "sharding_indexed", "configuration": {
            "chunk_shape": self.chunks, "codecs": self.codecs, "index_location": location,
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        }}])
    }

    /// Makes the array at `path`.
    pub async fn make(&self, place: &Place, path: &str) -> MadeArray {
        let prefix = place.open(path);
        let url = place.url(path);
        let mut texts = Vec::new();
        for (name, document) in self.documents() {
            let text = document.to_string();
            prefix.put(name, text.clone(), &Unguarded).await.expect("a document is written");
            texts.push(text);
        }
        let document = match self.format {
            ZarrFormat::V2 => ArrayDocument::parse_v2(&texts[0], Some(&texts[1])),
            ZarrFormat::V3 => ArrayDocument::parse_v3(&texts[0]),
        };
        let layout = document.and_then(|document| document.layout(&url)).expect("a valid document");
        let whole = self.whole(&layout);
        match &layout.chunks {
            ChunkLayout::Plain { .. } => write_chunks(&prefix, &layout, &whole).await,
            ChunkLayout::Sharded { .. } => write_shards(&prefix, &layout, &whole).await,
        }
        MadeArray { url, whole, layout }
    }

    /// Every element of the array, in C order.
    fn whole(&self, layout: &ArrayLayout) -> WholeArray {
        let width = usize::try_from(layout.element.width).expect("a small element");
        let grid = layout.read_grid();
        let every = Region::whole(&self.shape);
        let lengths: Vec<u64> = layout.chunks.read_unit().to_vec();
        let mut elements = Vec::new();
        for (number, position) in (0_u64..).zip(BoxGrid::positions(&every)) {
            let chunk: Vec<u64> = position.iter().zip(&lengths).map(|(at, length)| at / length).collect();
            if self.missing.contains(&chunk) || self.filled.contains(&chunk) {
                elements.extend_from_slice(&layout.fill);
            } else {
                elements.extend((0..width).map(|byte| self.content.byte(number, byte)));
            }
        }
        let chunks = Region::whole(&grid.counts());
        let stored = BoxGrid::positions(&chunks).filter(|position| !self.missing.contains(position)).collect();
        WholeArray { shape: self.shape.clone(), width, fill: layout.fill.clone(), elements, stored }
    }
}

impl Content {
    /// Byte `byte` of element `number`.
    fn byte(self, number: u64, byte: usize) -> u8 {
        let word = match self {
            Self::Index => number + 1,
            Self::Random(seed) => mixed(seed.wrapping_add(number.wrapping_mul(31)).wrapping_add(byte as u64 / 8)),
        };
        word.to_le_bytes()[byte % 8]
    }
}

/// splitmix64: every input gives bits that look random.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Attributes that pass through only as text.
fn attributes() -> Value {
    json!({"units": "K", "history": "made for a test"})
}

fn merge(document: &mut Value, more: &Value) {
    let (Value::Object(document), Value::Object(more)) = (document, more) else { panic!("documents are objects") };
    let more: Map<String, Value> = more.clone();
    document.extend(more);
}

async fn write_chunks(prefix: &Prefix, layout: &ArrayLayout, whole: &WholeArray) {
    let codec = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("a known codec");
    for position in &whole.stored {
        let encoded = encode(&codec, &layout.read_grid(), position, whole);
        prefix.put(&layout.keys.key(position), encoded, &Unguarded).await.expect("a chunk is written");
    }
}

async fn write_shards(prefix: &Prefix, layout: &ArrayLayout, whole: &WholeArray) {
    let codec = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("known codecs").expect("shards");
    let per_shard = codec.chunks_per_shard().to_vec();
    let shards: BTreeSet<Vec<u64>> = whole.stored.iter().map(|position| divided(position, &per_shard)).collect();
    for shard in shards {
        let mut index = ShardIndex::empty(codec.entry_count());
        let mut body: Vec<u8> = Vec::new();
        let first: u64 = match codec.index_location() {
            IndexLocation::Start => codec.index_bytes(),
            IndexLocation::End => 0,
        };
        // Backwards: a reader must look into the index, whatever order it would have written.
        for position in whole.stored.iter().rev().filter(|position| divided(position, &per_shard) == shard) {
            let encoded = encode(codec.inner(), &layout.read_grid(), position, whole);
            let inside: Vec<u64> = position.iter().zip(&per_shard).map(|(at, count)| at % count).collect();
            let entry = ShardEntry { offset: first + body.len() as u64, length: encoded.len() as u64 };
            assert!(index.set(linear_index(&inside, &per_shard), entry), "a place in the index");
            body.extend_from_slice(&encoded);
        }
        let index = codec.encode_index(&index).expect("an index");
        let object = match codec.index_location() {
            IndexLocation::Start => [&index[..], &body].concat(),
            IndexLocation::End => [&body, &index[..]].concat(),
        };
        prefix.put(&layout.keys.key(&shard), object, &Unguarded).await.expect("a shard is written");
    }
}

fn divided(position: &[u64], by: &[u64]) -> Vec<u64> {
    position.iter().zip(by).map(|(at, by)| at / by).collect()
}

/// The encoded chunk at `position`; what lies beyond the edge of the array is no element of it.
fn encode(codec: &ChunkCodec, grid: &BoxGrid, position: &[u64], whole: &WholeArray) -> Bytes {
    let box_of_chunk = grid.unclipped_at(position);
    let mut decoded = Vec::new();
    for place in BoxGrid::positions(&box_of_chunk) {
        match whole.element(&place) {
            Some(element) => decoded.extend_from_slice(element),
            None => decoded.extend(std::iter::repeat_n(PADDING, whole.width)),
        }
    }
    codec.encode(Cow::Owned(decoded)).expect("a chunk is encoded")
}
