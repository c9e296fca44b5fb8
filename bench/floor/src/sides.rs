//! The two arrays of a run: layouts, codecs, grids, and the documents of the target.

use bytes::Bytes;
use rechunk_common::{
    geometry::{BoxGrid, Region},
    layout::ArrayLayout,
};
use rechunk_zarr::{ArrayDocument, ChunkCodec, NamedDocument, ShardCodec, TargetOptions};

use super::arguments::Arguments;

/// What is read and what is written.
pub(super) struct Sides {
    pub(super) source: ArrayLayout,
    pub(super) target: ArrayLayout,
    pub(super) decoder: ChunkCodec,
    pub(super) encoder: ChunkCodec,
    /// Where targets are shards.
    pub(super) shards: Option<ShardCodec>,
    pub(super) documents: Vec<NamedDocument>,
}

impl Sides {
    /// Reads the source's documents with `read`, and derives the target's.
    pub(super) fn new(
        arguments: &Arguments,
        read: impl Fn(&str) -> Result<Option<Bytes>, String>,
    ) -> Result<Self, String> {
        let text = |name: &str| -> Result<Option<String>, String> {
            let body = read(name)?;
            body.map(|body| String::from_utf8(body.to_vec()).map_err(|_| format!("{name} is not text"))).transpose()
        };
        let document = if let Some(document) = text("zarr.json")? {
            ArrayDocument::parse_v3(&document)
        } else {
            let document = text(".zarray")?.ok_or_else(|| format!("there is no array at {}", arguments.source))?;
            ArrayDocument::parse_v2(&document, text(".zattrs")?.as_deref())
        };
        let document = document.map_err(|error| error.to_string())?;
        let options = TargetOptions {
            chunk_shape: arguments.chunks.clone(),
            edges: Vec::new(),
            shard_shape: arguments.shards.clone(),
            codec: None,
            format: arguments.format.unwrap_or(document.format()),
            shape: None,
        };
        let target = document.rewrite(&options).map_err(|error| error.to_string())?;
        let layout = |document: &ArrayDocument, url| document.layout(url).map_err(|error| error.to_string());
        Self::of_layouts(layout(&document, &arguments.source)?, layout(&target, &arguments.target)?, target.documents())
    }

    fn of_layouts(source: ArrayLayout, target: ArrayLayout, documents: Vec<NamedDocument>) -> Result<Self, String> {
        if source.chunks.is_sharded() {
            return Err("the floor reads no shards".to_owned());
        }
        let codec = |of: &ArrayLayout| {
            ChunkCodec::of_layout(&of.chunks, &of.element, &of.fill).map_err(|error| error.to_string())
        };
        let (decoder, encoder) = (codec(&source)?, codec(&target)?);
        let shards =
            ShardCodec::new(&target.chunks, &target.element, &target.fill).map_err(|error| error.to_string())?;
        Ok(Self { source, target, decoder, encoder, shards, documents })
    }

    /// The key of every source chunk that a dense array has.
    pub(super) fn source_keys(&self) -> Vec<String> {
        let chunks = Region::whole(&self.source.read_grid().counts());
        BoxGrid::positions(&chunks).map(|position| self.source.keys.key(&position)).collect()
    }
}

/// Positions of the inner chunks of the shard at `shard`, in C order, each with its index in the grid of inner chunks;
/// `None` where it lies beyond the array.
pub(super) fn inner_chunks(shards: &ShardCodec, grid: &BoxGrid, shard: &[u64]) -> Vec<Option<usize>> {
    let per_shard = shards.chunks_per_shard();
    let inside = Region::whole(per_shard);
    BoxGrid::positions(&inside)
        .map(|place| {
            let position: Vec<u64> =
                shard.iter().zip(per_shard).zip(place).map(|((shard, count), at)| shard * count + at).collect();
            grid.index(&position).and_then(|index| usize::try_from(index).ok())
        })
        .collect()
}
