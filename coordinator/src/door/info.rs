//! What lies at a URL, for people: the nodes, their grids and codecs, and what is stored of them. Reads metadata
//! documents and lists keys, never a chunk.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::{Refusal, layout::ArrayLayout, limits::LISTED_BY_DEFAULT};
use rechunk_storage::{Access, ErrorClass, StoreUrl};
use rechunk_zarr::ArrayDocument;
use serde::Serialize;

use super::{
    Door,
    discovery::{self, Source},
    places, refusals,
};

/// Arrays of a group that are listed at a time.
const CONCURRENT_LISTINGS: usize = 8;

/// An array, or a group with all arrays in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceInfo {
    /// Canonical URL.
    pub url: String,
    /// 2 or 3.
    pub zarr_format: u32,
    /// Whether it is a group.
    pub is_group: bool,
    /// By name; the one array of an array has the empty name.
    pub arrays: Vec<ArrayInfo>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// An array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArrayInfo {
    /// Path from the group's root.
    pub name: String,
    /// As the document spells it.
    pub dtype: String,
    /// Elements per axis.
    pub shape: Vec<u64>,
    /// Name per axis, where there is one.
    pub dimensions: Vec<Option<String>>,
    /// Elements of a chunk (of an inner one where sharded) per axis.
    pub chunks: Vec<u64>,
    /// Elements of a shard per axis.
    pub shards: Option<Vec<u64>>,
    /// The lengths of all chunks, or shards, along axes where they differ (a rectilinear grid): an entry per axis, or none at
    /// all. `chunks` and `shards` have those of the longest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub object_lengths: Vec<Option<Vec<u64>>>,
    /// JSON text: v3's list, of inner chunks where sharded, or v2's filters and compressor.
    pub codecs: String,
    /// JSON text.
    pub fill_value: String,
    /// What the grid says; `None` for an array that can't be rechunked.
    pub grid: Option<GridInfo>,
    /// Chunks or shards that are stored; `None` where they were not listed.
    pub stored: Option<StoredInfo>,
    /// Why it can't be rechunked.
    pub unsupported: Option<String>,
}

/// The grid of an array's objects: chunks, or shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GridInfo {
    /// Objects where none is missing.
    pub objects: u64,
    /// Bytes of all elements.
    pub decoded_bytes: u64,
}

/// What is stored of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StoredInfo {
    /// Chunks or shards.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether there are more: listing ended at 100,000 keys.
    pub has_more: bool,
}

impl Door {
    /// What lies at `url`.
    pub async fn info(&self, url: &str) -> Result<SourceInfo, Refusal> {
        let url = places::parse(url, "source")?;
        let source = discovery::discover(&self.stores, &url).await?;
        let described = source.arrays.iter().map(|(name, array)| self.array_info(&source, name, array));
        let described: Vec<_> = described.collect();
        let arrays = stream::iter(described).buffered(CONCURRENT_LISTINGS).try_collect().await?;
        Ok(SourceInfo {
            url: source.url.to_string(),
            zarr_format: source.format.number(),
            is_group: source.is_group,
            arrays,
            warnings: source.warnings.clone(),
        })
    }

    async fn array_info(&self, source: &Source, name: &str, array: &ArrayDocument) -> Result<ArrayInfo, Refusal> {
        let url = source.url.join(name);
        let layout = array.layout(&url.to_string());
        let (grid, stored, unsupported) = match &layout {
            Ok(layout) => (Some(grid_of(layout)), self.stored(&url, layout).await?, None),
            Err(error) => (None, None, Some(error.to_string())),
        };
        Ok(ArrayInfo {
            name: name.to_owned(),
            dtype: array.dtype_text(),
            shape: array.shape().to_vec(),
            dimensions: array.dimension_names().unwrap_or_else(|| vec![None; array.shape().len()]),
            chunks: array.chunk_shape().to_vec(),
            shards: array.shard_shape().map(<[u64]>::to_vec),
            object_lengths: array.edges().iter().map(|edges| Some(edges.as_ref()?.lengths().collect())).collect(),
            codecs: array.codecs_text(),
            fill_value: array.fill_value_text(),
            grid,
            stored,
            unsupported,
        })
    }

    /// The objects of an array, up to the number that a plan lists; `None` where the store denies a listing, or has none.
    async fn stored(&self, url: &StoreUrl, layout: &ArrayLayout) -> Result<Option<StoredInfo>, Refusal> {
        let prefix = self.stores.open(url, Access::Read).map_err(|error| refusals::of_storage(&error, "source"))?;
        let mut objects = prefix.list("");
        let (mut stored, mut listed) = (StoredInfo::default(), 0_u64);
        while let Some(object) = objects.next().await {
            let object = match object {
                Ok(object) => object,
                Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Unsupported) => return Ok(None),
                Err(error) => return Err(refusals::of_storage(&error, "source")),
            };
            listed = listed.saturating_add(1);
            if listed > LISTED_BY_DEFAULT {
                stored.has_more = true;
                break;
            }
            let position = layout.keys.position(&object.key, layout.shape.len());
            if position.is_some_and(|position| layout.write_grid().index(&position).is_some()) {
                stored.objects = stored.objects.saturating_add(1);
                stored.bytes = stored.bytes.saturating_add(object.size);
            }
        }
        Ok(Some(stored))
    }
}

fn grid_of(layout: &ArrayLayout) -> GridInfo {
    let elements = layout.shape.iter().fold(1_u64, |elements, length| elements.saturating_mul(*length));
    GridInfo { objects: layout.write_grid().len(), decoded_bytes: elements.saturating_mul(layout.element.width) }
}
