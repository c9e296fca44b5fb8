//! An array read whole by plain code: every chunk decoded by itself, every element placed by itself. The oracle: slow,
//! short, and without anything of the product's planning and copying.

use std::collections::BTreeSet;

use bytes::Bytes;
use rechunk_common::{
    geometry::{BoxGrid, Region},
    layout::{ArrayLayout, ChunkLayout, IndexLocation},
};
use rechunk_storage::Prefix;
use rechunk_zarr::{ArrayDocument, ChunkCodec, ShardCodec};

use crate::place::Place;

/// Every element of an array.
#[derive(Clone, PartialEq, Eq)]
pub struct WholeArray {
    /// Length per axis.
    pub shape: Vec<u64>,
    /// Bytes of an element.
    pub width: usize,
    /// The element where nothing is stored.
    pub fill: Vec<u8>,
    /// All elements in C order, in the machine's byte order.
    pub elements: Vec<u8>,
    /// Positions of the chunks (inner chunks where there are shards) that are stored.
    pub stored: BTreeSet<Vec<u64>>,
}

impl std::fmt::Debug for WholeArray {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WholeArray")
            .field("shape", &self.shape)
            .field("width", &self.width)
            .field("bytes", &self.elements.len())
            .field("stored", &self.stored.len())
            .finish_non_exhaustive()
    }
}

impl WholeArray {
    /// Reads the array at `path`.
    pub async fn read(place: &Place, path: &str) -> Self {
        let layout = layout_at(place, path).await;
        let prefix = place.open(path);
        let width = usize::try_from(layout.element.width).expect("a small element");
        let count: u64 = layout.shape.iter().product();
        let count = usize::try_from(count).expect("a small array");
        let elements = layout.fill.repeat(count);
        let mut whole =
            Self { shape: layout.shape.clone(), width, fill: layout.fill.clone(), elements, stored: BTreeSet::new() };
        match &layout.chunks {
            ChunkLayout::Plain { .. } => whole.read_chunks(&prefix, &layout).await,
            ChunkLayout::Sharded { .. } => whole.read_shards(&prefix, &layout).await,
        }
        whole
    }

    /// The element at `place`; `None` beyond the edge.
    pub fn element(&self, place: &[u64]) -> Option<&[u8]> {
        if place.iter().zip(&self.shape).any(|(at, length)| at >= length) {
            return None;
        }
        let start = offset(linear_index(place, &self.shape), self.width);
        self.elements.get(start..start + self.width)
    }

    /// The first element that differs from `other`'s, for a message; `None` where all are equal.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        if (&self.shape, self.width) != (&other.shape, other.width) {
            return Some(format!("{self:?} is not {other:?}"));
        }
        let pairs = self.elements.chunks(self.width).zip(other.elements.chunks(self.width));
        let (number, (mine, theirs)) = pairs.enumerate().find(|(_, (mine, theirs))| mine != theirs)?;
        let everywhere = Region::whole(&self.shape);
        let place = BoxGrid::positions(&everywhere).nth(number);
        Some(format!("at {place:?}: {mine:02x?} is not {theirs:02x?}"))
    }

    /// Positions of the boxes of `lengths` in which some element differs from the fill value.
    pub fn boxes_with_data(&self, lengths: &[u64]) -> BTreeSet<Vec<u64>> {
        let everywhere = Region::whole(&self.shape);
        let places = BoxGrid::positions(&everywhere);
        let with_data = places.zip(self.elements.chunks(self.width)).filter(|(_, element)| *element != self.fill);
        with_data.map(|(place, _)| place.iter().zip(lengths).map(|(at, length)| at / length).collect()).collect()
    }

    async fn read_chunks(&mut self, prefix: &Prefix, layout: &ArrayLayout) {
        let codec = ChunkCodec::of_layout(&layout.chunks, &layout.element, &layout.fill).expect("a known codec");
        let grid = layout.read_grid();
        let positions = Region::whole(&grid.counts());
        for position in BoxGrid::positions(&positions) {
            if let Some(encoded) = prefix.get(&layout.keys.key(&position)).await.expect("an answer") {
                self.place(&codec, &grid, position, encoded);
            }
        }
    }

    async fn read_shards(&mut self, prefix: &Prefix, layout: &ArrayLayout) {
        let codec =
            ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("known codecs").expect("shards");
        let grid = layout.read_grid();
        let per_shard = codec.chunks_per_shard().to_vec();
        let shards = Region::whole(&layout.write_grid().counts());
        for shard in BoxGrid::positions(&shards) {
            let Some(object) = prefix.get(&layout.keys.key(&shard)).await.expect("an answer") else { continue };
            let index_bytes = usize::try_from(codec.index_bytes()).expect("a small index");
            let index = match codec.index_location() {
                IndexLocation::Start => object.slice(..index_bytes),
                IndexLocation::End => object.slice(object.len() - index_bytes..),
            };
            let index = codec.decode_index(index).expect("an index with a valid checksum");
            index.check(object.len() as u64).expect("entries that lie in the shard");
            let inside = Region::whole(&per_shard);
            for (number, place) in (0_u64..).zip(BoxGrid::positions(&inside)) {
                let Some(entry) = index.entry(number) else { continue };
                let position: Vec<u64> =
                    shard.iter().zip(&per_shard).zip(&place).map(|((shard, count), at)| shard * count + at).collect();
                let start = usize::try_from(entry.offset).expect("a small shard");
                let end = start + usize::try_from(entry.length).expect("a small shard");
                self.place(codec.inner(), &grid, position, object.slice(start..end));
            }
        }
    }

    fn place(&mut self, codec: &ChunkCodec, grid: &BoxGrid, position: Vec<u64>, encoded: Bytes) {
        let decoded = codec.decode(encoded).unwrap_or_else(|error| panic!("chunk {position:?}: {error}"));
        let places = grid.unclipped_at(&position);
        for (place, element) in BoxGrid::positions(&places).zip(decoded.chunks(self.width)) {
            if place.iter().zip(&self.shape).all(|(at, length)| at < length) {
                let start = offset(linear_index(&place, &self.shape), self.width);
                self.elements[start..start + self.width].copy_from_slice(element);
            }
        }
        self.stored.insert(position);
    }
}

/// The layout that the documents at `path` describe.
pub async fn layout_at(place: &Place, path: &str) -> ArrayLayout {
    let text = |name: &'static str| async move {
        let bytes = place.get(&format!("{path}/{name}")).await;
        bytes.map(|bytes| String::from_utf8(bytes).expect("a document is text"))
    };
    let document = if let Some(document) = text("zarr.json").await {
        ArrayDocument::parse_v3(&document)
    } else {
        let document = text(".zarray").await.unwrap_or_else(|| panic!("there is no array at {}", place.url(path)));
        ArrayDocument::parse_v2(&document, text(".zattrs").await.as_deref())
    };
    document.and_then(|document| document.layout(&place.url(path))).expect("a valid document")
}

/// The number of `place` in C order.
pub(crate) fn linear_index(place: &[u64], shape: &[u64]) -> u64 {
    place.iter().zip(shape).fold(0, |index, (at, length)| index * length + at)
}

fn offset(element: u64, width: usize) -> usize {
    usize::try_from(element).expect("a small array") * width
}
