//! The target's document: the source's, with another grid, other shards, another codec, or in another format, and
//! otherwise as it was.

#[cfg(test)]
mod tests;

use rechunk_common::{geometry::Edges, request::ZarrFormat};

use crate::{
    ArrayDocument, CodecChoice, MetadataError,
    chain::{self, CodecEntry, SHARDING, Step},
    choice::Kind,
    convert,
    document::{spelt_grid, stored_endian},
    dtype,
    json::Json,
};

/// What a target's document has that its source's need not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetOptions {
    /// Length of a chunk per axis; of an inner chunk where there are shards.
    pub chunk_shape: Vec<u64>,
    /// Where chunks end along axes where they differ in length: an entry per axis, or none at all. Only v3 has such grids, and
    /// shards are equal always.
    pub edges: Vec<Option<Edges>>,
    /// Length of a shard per axis; `None`: no shards.
    pub shard_shape: Option<Vec<u64>>,
    /// Another codec; `None`: the source's.
    pub codec: Option<CodecChoice>,
    /// The target's format.
    pub format: ZarrFormat,
    /// Another length per axis: that of a part of the source; `None`: the source's.
    pub shape: Option<Vec<u64>>,
}

impl ArrayDocument {
    /// The target's document. What is not asked for stays: fill value, data type, attributes, dimension names, key
    /// encoding, order, filters, serializer, checksums, and where there were shards and still are, their index.
    pub fn rewrite(&self, options: &TargetOptions) -> Result<Self, MetadataError> {
        self.check(options)?;
        let prepared = match &options.codec {
            None => self.clone(),
            Some(choice) => self.choose_before_conversion(choice)?,
        };
        let converted = match (self.format(), options.format) {
            (ZarrFormat::V2, ZarrFormat::V2) | (ZarrFormat::V3, ZarrFormat::V3) => prepared,
            (ZarrFormat::V2, ZarrFormat::V3) => convert::to_v3(&prepared)?,
            (ZarrFormat::V3, ZarrFormat::V2) => convert::to_v2(&prepared)?,
        };
        let chosen = match &options.codec {
            None => converted,
            Some(choice) => converted.choose_after_conversion(choice)?,
        };
        let chosen = match &options.shape {
            None => chosen,
            Some(shape) => chosen.with_fields([("shape", Json::numbers(shape))])?,
        };
        let target = match options.format {
            ZarrFormat::V2 => chosen.with_fields([("chunks", Json::numbers(&options.chunk_shape))])?,
            ZarrFormat::V3 => chosen.with_grid(options)?,
        };
        self.check_byte_order(&target)?;
        self.check_rounding(&target)?;
        Ok(target)
    }

    fn check(&self, options: &TargetOptions) -> Result<(), MetadataError> {
        let fault = |field, problem: String| Err(MetadataError::ChunkShape { field, problem });
        let rank = self.shape().len();
        if let Some(shape) = options.shape.as_ref().filter(|shape| shape.len() != rank) {
            return fault("shape", format!("{} lengths for an array of {rank} axes", shape.len()));
        }
        for (field, shape) in [("chunks", Some(&options.chunk_shape)), ("shards", options.shard_shape.as_ref())] {
            let Some(shape) = shape else { continue };
            if shape.len() != rank {
                return fault(field, format!("{} lengths for an array of {rank} axes", shape.len()));
            }
            if let Some(axis) = shape.iter().position(|length| *length == 0) {
                return fault(field, format!("the length of axis {axis} is 0"));
            }
        }
        self.check_edges(options)?;
        let Some(shards) = &options.shard_shape else {
            return Ok(());
        };
        if options.format == ZarrFormat::V2 {
            return fault("shards", "Zarr v2 has no shards".to_owned());
        }
        for (axis, (shard, chunk)) in shards.iter().zip(&options.chunk_shape).enumerate() {
            if !shard.is_multiple_of(*chunk) {
                return fault(
                    "shards",
                    format!("{shard} on axis {axis} is not a multiple of the chunk length {chunk}"),
                );
            }
        }
        Ok(())
    }

    fn check_edges(&self, options: &TargetOptions) -> Result<(), MetadataError> {
        if options.edges.iter().all(Option::is_none) {
            return Ok(());
        }
        let fault = |problem: String| Err(MetadataError::ChunkShape { field: "chunks", problem });
        let shape = options.shape.as_deref().unwrap_or(self.shape());
        if options.edges.len() != shape.len() {
            return fault(format!("{} lists of lengths for an array of {} axes", options.edges.len(), shape.len()));
        }
        if options.format == ZarrFormat::V2 {
            return Err(MetadataError::NoTwin { field: "chunk_grid", name: "rectilinear".to_owned(), format: 2 });
        }
        if options.shard_shape.is_some() {
            return fault("chunks in shards are equal, and these differ in length".to_owned());
        }
        for (axis, (edges, n)) in options.edges.iter().zip(shape).enumerate() {
            if let Some(edges) = edges.as_ref().filter(|edges| edges.total() < *n) {
                return fault(format!("those of axis {axis} end at {}, and it has {n} elements", edges.total()));
            }
        }
        Ok(())
    }

    /// Replaces the compressor, or takes out what a JSON choice replaces, so that only what stays is converted.
    fn choose_before_conversion(&self, choice: &CodecChoice) -> Result<Self, MetadataError> {
        let width = self.data_type()?.compressed_width();
        match self.format() {
            ZarrFormat::V2 => {
                let Some(compressor) = choice.kind.compressor_v2(width) else {
                    let filters = chain::of_objects_alone(self.field("filters"))?;
                    return self.with_fields([("compressor", Json::Null), ("filters", filters)]);
                };
                let filters = chain::without_compressors(self.field("filters"))?;
                self.with_fields([("compressor", compressor), ("filters", filters)])
            }
            ZarrFormat::V3 => {
                let codecs = self.chunk_codecs()?;
                self.with_chunk_codecs(match choice.kind.compressor_v3(width) {
                    Some(compressor) => chain::with_compressor(&codecs, &compressor)?,
                    None => chain::without_bytes_to_bytes(&codecs)?,
                })
            }
        }
    }

    fn choose_after_conversion(&self, choice: &CodecChoice) -> Result<Self, MetadataError> {
        match (&choice.kind, self.format()) {
            (Kind::None | Kind::Compressor(_) | Kind::Blosc { .. }, _) => Ok(self.clone()),
            (Kind::ListV3(list), ZarrFormat::V3) => self.with_chunk_codecs(list.clone()),
            (Kind::V2 { compressor, filters }, ZarrFormat::V2) => {
                self.with_fields([("compressor", compressor.clone()), ("filters", filters.clone())])
            }
            (Kind::ListV3(_), ZarrFormat::V2) => {
                Err(choice.fault("a list of codecs is for Zarr v3, but the target is Zarr v2"))
            }
            (Kind::V2 { .. }, ZarrFormat::V3) => {
                Err(choice.fault("compressor and filters are for Zarr v2, but the target is Zarr v3"))
            }
        }
    }

    /// A v3 document with another chain for its chunks.
    fn with_chunk_codecs(&self, codecs: Json) -> Result<Self, MetadataError> {
        if self.sharding().is_none() {
            return self.with_fields([("codecs", codecs)]);
        }
        self.with_fields([("codecs", self.with_shard_option("codecs", &codecs)?)])
    }

    /// The codecs of a sharded document with another option of its shards.
    fn with_shard_option(&self, key: &str, value: &Json) -> Result<Json, MetadataError> {
        let mut list = chain::entries(self.field("codecs"), "codecs")?;
        for entry in list.iter_mut().filter(|entry| entry.is_sharding()) {
            set_option(entry, key, value.clone());
        }
        Ok(Json::List(list.into_iter().map(|entry| entry.json).collect()))
    }

    /// A v3 document with the options' grid and shards.
    fn with_grid(&self, options: &TargetOptions) -> Result<Self, MetadataError> {
        let grid = |shape: &[u64]| spelt_grid(self.field("chunk_grid"), shape, &options.edges);
        let chunk_shape = Json::numbers(&options.chunk_shape);
        match (self.sharding(), &options.shard_shape) {
            (None, None) => self.with_fields([("chunk_grid", grid(&options.chunk_shape))]),
            (Some(sharding), None) => {
                self.with_fields([("chunk_grid", grid(&options.chunk_shape)), ("codecs", sharding.codecs.clone())])
            }
            (None, Some(shards)) => {
                let little = chain::named("bytes", [("endian", Json::text("little"))]);
                let index_codecs = Json::List(vec![little, chain::named("crc32c", [])]);
                let sharding = chain::named(
                    SHARDING,
                    [
                        ("chunk_shape", chunk_shape),
                        ("codecs", self.field("codecs").clone()),
                        ("index_codecs", index_codecs),
                        ("index_location", Json::text("end")),
                    ],
                );
                self.with_fields([("chunk_grid", grid(shards)), ("codecs", Json::List(vec![sharding]))])
            }
            (Some(_), Some(shards)) => {
                // Both at once: the parse in between would see shards that are no multiples.
                let codecs = self.with_shard_option("chunk_shape", &chunk_shape)?;
                self.with_fields([("chunk_grid", grid(shards)), ("codecs", codecs)])
            }
        }
    }

    /// Text and structures are opaque to the codecs, which would not swap them: both sides must store the same order.
    pub(crate) fn check_byte_order(&self, target: &Self) -> Result<(), MetadataError> {
        let data_type = self.data_type()?;
        let opaque = matches!(data_type.kind, dtype::Kind::Utf32 | dtype::Kind::Struct(_));
        if opaque && stored_endian(&self.chunk_codecs()?)? != stored_endian(&target.chunk_codecs()?)? {
            return Err(MetadataError::UnsupportedDataType {
                data_type: data_type.text,
                problem: "its byte order cannot be changed".to_owned(),
            });
        }
        Ok(())
    }

    /// Filters that round can be kept, the values are rounded already; to add one would change them.
    pub(crate) fn check_rounding(&self, target: &Self) -> Result<(), MetadataError> {
        let rounding = |document: &Self| {
            let steps = chain::steps(&document.chunk_codecs()?, "codecs")?;
            Ok::<Vec<Step>, MetadataError>(steps.into_iter().filter(Step::rounds).collect())
        };
        let added = rounding(target)?;
        if added.is_empty() {
            return Ok(());
        }
        let kept = rounding(self)?;
        match added.iter().find(|step| !kept.contains(step)) {
            None => Ok(()),
            Some(step) => Err(MetadataError::codec(step.to_v3().compact(), "the source has not rounded its values so")),
        }
    }
}

fn set_option(entry: &mut CodecEntry, key: &str, value: Json) {
    if let Json::Object(object) = &mut entry.json {
        let mut configuration = object.get("configuration").and_then(Json::as_object).cloned().unwrap_or_default();
        configuration.set(key, value);
        object.set("configuration", Json::Object(configuration));
    }
}
