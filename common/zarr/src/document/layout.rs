//! From a document to the layout that workers get.

use rechunk_common::{
    layout::{ArrayLayout, ChunkLayout},
    request::ZarrFormat,
};

use super::ArrayDocument;
use crate::{
    ChunkCodec, MetadataError, ShardCodec, chain,
    dtype::{DataType, Endian, Variable},
    fill,
    json::Json,
};

impl ArrayDocument {
    /// How the array lies in a store, if rechunk can read and write it: every codec known, the data type too, and the
    /// fill value within it. `url` is taken as it is.
    pub fn layout(&self, url: &str) -> Result<ArrayLayout, MetadataError> {
        let data_type = self.data_type()?;
        let codecs = self.chunk_codecs()?;
        check_serializer(&codecs, &data_type)?;
        let fill = self.fill_bytes(&data_type)?;
        let chunks = match self.sharding() {
            None => ChunkLayout::Plain { chunk_shape: self.grid.lengths.clone(), codecs: codecs.compact() },
            Some(sharding) => ChunkLayout::Sharded {
                shard_shape: self.grid.lengths.clone(),
                chunk_shape: sharding.chunk_shape.clone(),
                codecs: codecs.compact(),
                index_codecs: sharding.index_codecs.compact(),
                index_location: sharding.index_location,
            },
        };
        let element = data_type.surrogate();
        ChunkCodec::of_layout(&chunks, &element, &fill)?;
        ShardCodec::new(&chunks, &element, &fill)?;
        Ok(ArrayLayout {
            url: url.to_owned(),
            shape: self.shape.clone(),
            element,
            fill,
            has_fill: self.has_fill(),
            chunks,
            keys: self.keys,
            part: None,
            edges: self.grid.edges.clone(),
        })
    }

    pub(crate) fn data_type(&self) -> Result<DataType, MetadataError> {
        match self.format {
            ZarrFormat::V2 => DataType::parse_v2(self.field("dtype"), self.field("filters")),
            ZarrFormat::V3 => DataType::parse_v3(self.field("data_type")),
        }
    }

    /// v2's null is no fill value.
    pub(crate) fn has_fill(&self) -> bool {
        self.format == ZarrFormat::V3 || !self.field("fill_value").is_null()
    }

    /// One element of fill value as a decoded chunk has it.
    pub(crate) fn fill_bytes(&self, data_type: &DataType) -> Result<Vec<u8>, MetadataError> {
        fill::parse(self.field("fill_value"), data_type, self.stored_endian()?)
    }

    /// The byte order of the stored elements.
    pub(crate) fn stored_endian(&self) -> Result<Endian, MetadataError> {
        stored_endian(&self.chunk_codecs()?)
    }
}

/// Refuses a codec from elements to bytes that is not the data type's.
fn check_serializer(codecs: &Json, data_type: &DataType) -> Result<(), MetadataError> {
    let (found, expected) = (chain::variable(&chain::steps(codecs, "codecs")?), data_type.of_variable());
    if found == expected {
        return Ok(());
    }
    let codec = found.or(expected).map_or("bytes", Variable::codec);
    let verb = if found.is_some() { "is not" } else { "is missing, the one" };
    Err(MetadataError::codec(codec, format!("it {verb} for elements of type {}", data_type.text)))
}

/// The byte order that a chain stores elements in; little where it does not say.
pub(crate) fn stored_endian(codecs: &Json) -> Result<Endian, MetadataError> {
    let steps = chain::steps(codecs, "codecs")?;
    Ok(chain::element_order(&steps).unwrap_or(Endian::Little))
}
