//! The metadata of one array in either format. The document itself is kept as a tree of its own text; what is asked
//! of it is read from there, and what is rewritten is changed there, so that everything else stays as it was.

mod grid;
mod layout;
mod parse;
#[cfg(test)]
pub(crate) mod tests;

use grid::Grid;
pub(crate) use grid::spelt as spelt_grid;
pub(crate) use layout::stored_endian;
pub(crate) use parse::{check_extensions, check_format, object as parse_object};
use rechunk_common::{
    geometry::Edges,
    layout::{ChunkKeys, IndexLocation},
    request::ZarrFormat,
};

use crate::{
    MetadataError, chain,
    json::{Json, Object},
    node::NamedDocument,
};

/// The name of a v3 document.
pub(crate) const ZARR_JSON: &str = "zarr.json";
/// The name of a v2 array's document.
pub(crate) const ZARRAY: &str = ".zarray";
/// The name of a v2 node's attributes.
pub(crate) const ZATTRS: &str = ".zattrs";
/// xarray's name for the dimensions of a v2 array.
pub(crate) const ARRAY_DIMENSIONS: &str = "_ARRAY_DIMENSIONS";

/// One array's metadata. Parsing checks shape, grid and key encoding; data type, fill value and codecs are checked by
/// [`layout`](Self::layout), so that also an array that cannot be copied can be described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayDocument {
    format: ZarrFormat,
    /// `zarr.json` or `.zarray`.
    metadata: Object,
    /// `.zattrs`; in v3 the attributes are in the metadata.
    attributes: Option<Object>,
    shape: Vec<u64>,
    /// How it is cut into objects: chunks, or shards.
    grid: Grid,
    sharding: Option<Sharding>,
    keys: ChunkKeys,
}

/// The configuration of `sharding_indexed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sharding {
    pub(crate) chunk_shape: Vec<u64>,
    pub(crate) codecs: Json,
    pub(crate) index_codecs: Json,
    pub(crate) index_location: IndexLocation,
}

impl ArrayDocument {
    /// Parses a v3 `zarr.json`.
    pub fn parse_v3(zarr_json: &str) -> Result<Self, MetadataError> {
        Self::from_parts(ZarrFormat::V3, parse::object(ZARR_JSON, zarr_json)?, None)
    }

    /// Parses a v2 `.zarray`, and the `.zattrs` beside it where there is one.
    pub fn parse_v2(zarray: &str, zattrs: Option<&str>) -> Result<Self, MetadataError> {
        let attributes = zattrs.map(|text| parse::object(ZATTRS, text)).transpose()?;
        Self::from_parts(ZarrFormat::V2, parse::object(ZARRAY, zarray)?, attributes)
    }

    pub(crate) fn from_parts(
        format: ZarrFormat,
        metadata: Object,
        attributes: Option<Object>,
    ) -> Result<Self, MetadataError> {
        match format {
            ZarrFormat::V2 => parse::array_v2(metadata, attributes),
            ZarrFormat::V3 => parse::array_v3(metadata),
        }
    }

    /// The format of the document.
    pub fn format(&self) -> ZarrFormat {
        self.format
    }

    /// Length per axis, in elements.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Length of a chunk per axis, of the longest where they differ; of an inner chunk where chunks are in shards.
    pub fn chunk_shape(&self) -> &[u64] {
        self.sharding.as_ref().map_or(&self.grid.lengths, |sharding| &sharding.chunk_shape)
    }

    /// Length of a shard per axis; of the longest where they differ.
    pub fn shard_shape(&self) -> Option<&[u64]> {
        self.sharding.as_ref().map(|_| self.grid.lengths.as_slice())
    }

    /// Where chunks, or shards, end along axes where they differ in length (a rectilinear grid): an entry per axis, or none
    /// at all.
    pub fn edges(&self) -> &[Option<Edges>] {
        &self.grid.edges
    }

    /// The names of the axes: `dimension_names`, or the attribute `_ARRAY_DIMENSIONS` of v2 where it has one string
    /// per axis.
    pub fn dimension_names(&self) -> Option<Vec<Option<String>>> {
        let list = match self.format {
            ZarrFormat::V2 => self.attributes.as_ref()?.get(ARRAY_DIMENSIONS)?,
            ZarrFormat::V3 => self.metadata.get("dimension_names")?,
        };
        let names: Option<Vec<Option<String>>> = list
            .as_list()?
            .iter()
            .map(|name| match (name, self.format) {
                (Json::Text(_), _) => Some(name.as_text()),
                (Json::Null, ZarrFormat::V3) => Some(None),
                _ => None,
            })
            .collect();
        names.filter(|names| names.len() == self.shape.len())
    }

    /// The data type as the document spells it.
    pub fn dtype_text(&self) -> String {
        let value = self.field(match self.format {
            ZarrFormat::V2 => "dtype",
            ZarrFormat::V3 => "data_type",
        });
        value.as_text().unwrap_or_else(|| value.compact())
    }

    /// The fill value as the document spells it.
    pub fn fill_value_text(&self) -> String {
        self.field("fill_value").compact()
    }

    /// The codecs on one line, for people: v3's list (of the inner chunks where there are shards), or v2's filters
    /// and compressor.
    pub fn codecs_text(&self) -> String {
        match (self.format, &self.sharding) {
            (ZarrFormat::V3, Some(sharding)) => sharding.codecs.compact(),
            (ZarrFormat::V3, None) => self.field("codecs").compact(),
            (ZarrFormat::V2, _) => Json::object([
                ("filters", self.field("filters").clone()),
                ("compressor", self.field("compressor").clone()),
            ])
            .compact(),
        }
    }

    /// The attributes as one JSON object on one line; `{}` where there are none.
    pub fn attributes_text(&self) -> String {
        Json::Object(self.attributes().cloned().unwrap_or_default()).compact()
    }

    /// The JSON text of one attribute.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes()?.get(name).map(Json::compact)
    }

    /// The document's objects: `zarr.json`, or `.zarray` and, where the array has attributes, `.zattrs`.
    pub fn documents(&self) -> Vec<NamedDocument> {
        let body = Json::Object(self.metadata.clone()).pretty();
        match self.format {
            ZarrFormat::V3 => vec![(ZARR_JSON.to_owned(), body)],
            ZarrFormat::V2 => {
                let mut documents = vec![(ZARRAY.to_owned(), body)];
                if let Some(attributes) = &self.attributes {
                    documents.push((ZATTRS.to_owned(), Json::Object(attributes.clone()).pretty()));
                }
                documents
            }
        }
    }

    pub(crate) fn attributes(&self) -> Option<&Object> {
        match self.format {
            ZarrFormat::V2 => self.attributes.as_ref(),
            ZarrFormat::V3 => self.metadata.get("attributes")?.as_object(),
        }
    }

    pub(crate) fn metadata(&self) -> &Object {
        &self.metadata
    }

    pub(crate) fn sharding(&self) -> Option<&Sharding> {
        self.sharding.as_ref()
    }

    pub(crate) fn keys(&self) -> ChunkKeys {
        self.keys
    }

    /// A field, or null.
    pub(crate) fn field(&self, name: &str) -> &Json {
        self.metadata.get(name).unwrap_or(&Json::Null)
    }

    /// The chain of v3 codecs of one chunk: of an inner chunk where there are shards; for v2 the chain that does the
    /// same.
    pub(crate) fn chunk_codecs(&self) -> Result<Json, MetadataError> {
        match (self.format, &self.sharding) {
            (ZarrFormat::V3, Some(sharding)) => Ok(sharding.codecs.clone()),
            (ZarrFormat::V3, None) => Ok(self.field("codecs").clone()),
            (ZarrFormat::V2, _) => chain::to_v3(&self.metadata, &self.data_type()?, self.shape.len()),
        }
    }

    /// The document with some fields changed.
    pub(crate) fn with_fields<const N: usize>(&self, fields: [(&str, Json); N]) -> Result<Self, MetadataError> {
        let mut metadata = self.metadata.clone();
        for (key, value) in fields {
            metadata.set(key, value);
        }
        Self::from_parts(self.format, metadata, self.attributes.clone())
    }
}
