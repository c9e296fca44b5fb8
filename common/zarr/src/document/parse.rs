//! Reads the structure of an array's document: shape, grid, key encoding, sharding. Refuses extensions by name.

use rechunk_common::{
    layout::{ChunkKeys, IndexLocation, Separator},
    limits,
    request::ZarrFormat,
};

use super::{ArrayDocument, Sharding, grid::Grid};
use crate::{
    MetadataError,
    chain::{self, CodecEntry},
    json::{Json, Object},
};

/// The members of a v3 array's document that the specification defines.
const KNOWN_V3: [&str; 11] = [
    "zarr_format",
    "node_type",
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "fill_value",
    "codecs",
    "attributes",
    "storage_transformers",
    "dimension_names",
];

/// Parses a document that must be an object.
pub(crate) fn object(name: &str, text: &str) -> Result<Object, MetadataError> {
    let limit = limits::MAX_DOCUMENT_BYTES.0;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit {
        return Err(MetadataError::Limit {
            what: "bytes of a metadata document",
            value: text.len().to_string(),
            limit,
        });
    }
    match Json::parse(name, text)? {
        Json::Object(object) => Ok(object),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_) => {
            Err(MetadataError::corrupt(name, "not an object"))
        }
    }
}

/// Checks `zarr_format`.
pub(crate) fn check_format(metadata: &Object, format: ZarrFormat) -> Result<(), MetadataError> {
    match metadata.get("zarr_format").and_then(Json::as_u64) {
        Some(number) if number == u64::from(format.number()) => Ok(()),
        _ => Err(MetadataError::corrupt("zarr_format", format!("not {}", format.number()))),
    }
}

/// Refuses members that must be understood and are not known.
pub(crate) fn check_extensions(metadata: &Object, known: &[&str]) -> Result<(), MetadataError> {
    for (key, value) in metadata.iter() {
        let ignorable = value.as_object().and_then(|object| object.get("must_understand")) == Some(&Json::Bool(false));
        if !known.contains(&key.as_str()) && !ignorable {
            return Err(MetadataError::UnsupportedExtension { field: "extension", name: key });
        }
    }
    Ok(())
}

pub(super) fn array_v2(metadata: Object, attributes: Option<Object>) -> Result<ArrayDocument, MetadataError> {
    check_format(&metadata, ZarrFormat::V2)?;
    let shape = lengths(metadata.get("shape"), "shape")?;
    check_rank(shape.len())?;
    let grid = Grid::of_equal(chunk_lengths_v2(metadata.get("chunks"), &shape)?);
    for field in ["dtype", "fill_value", "order"] {
        if metadata.get(field).is_none() {
            return Err(MetadataError::corrupt(field, "missing"));
        }
    }
    let separator = separator(metadata.get("dimension_separator"), Separator::Dot, "dimension_separator")?;
    let keys = ChunkKeys::V2 { separator };
    Ok(ArrayDocument { format: ZarrFormat::V2, metadata, attributes, shape, grid, sharding: None, keys })
}

pub(super) fn array_v3(metadata: Object) -> Result<ArrayDocument, MetadataError> {
    check_format(&metadata, ZarrFormat::V3)?;
    match metadata.get("node_type").and_then(Json::as_text) {
        Some(node) if node == "array" => {}
        Some(node) => return Err(MetadataError::WrongNode { expected: "an array", found: node }),
        None => return Err(MetadataError::corrupt("node_type", "missing")),
    }
    check_extensions(&metadata, &KNOWN_V3)?;
    if let Some(transformers) = metadata.get("storage_transformers")
        && !transformers.is_null()
        && transformers.as_list() != Some(&[])
    {
        let name = transformers.compact();
        return Err(MetadataError::UnsupportedExtension { field: "storage_transformers", name });
    }
    let shape = lengths(metadata.get("shape"), "shape")?;
    check_rank(shape.len())?;
    let grid = Grid::parse(metadata.get("chunk_grid"), &shape)?;
    for field in ["data_type", "fill_value"] {
        if metadata.get(field).is_none() {
            return Err(MetadataError::corrupt(field, "missing"));
        }
    }
    if metadata.get("attributes").is_some_and(|value| value.as_object().is_none()) {
        return Err(MetadataError::corrupt("attributes", "not an object"));
    }
    if let Some(names) = metadata.get("dimension_names").filter(|value| !value.is_null()) {
        let valid = names.as_list().is_some_and(|names| {
            names.len() == shape.len() && names.iter().all(|name| matches!(name, Json::Null | Json::Text(_)))
        });
        if !valid {
            return Err(MetadataError::corrupt("dimension_names", "not one string or null per axis"));
        }
    }
    let keys = key_encoding(metadata.get("chunk_key_encoding"))?;
    let codecs = metadata.get("codecs").ok_or_else(|| MetadataError::corrupt("codecs", "missing"))?;
    let sharding = sharding(&chain::entries(codecs, "codecs")?, &grid)?;
    Ok(ArrayDocument { format: ZarrFormat::V3, metadata, attributes: None, shape, grid, sharding, keys })
}

fn check_rank(rank: usize) -> Result<(), MetadataError> {
    if rank > limits::MAX_RANK {
        let limit = u64::try_from(limits::MAX_RANK).unwrap_or(u64::MAX);
        return Err(MetadataError::Limit { what: "axes of an array", value: rank.to_string(), limit });
    }
    Ok(())
}

fn lengths(value: Option<&Json>, field: &str) -> Result<Vec<u64>, MetadataError> {
    value
        .and_then(Json::as_list)
        .and_then(|lengths| lengths.iter().map(Json::as_u64).collect())
        .ok_or_else(|| MetadataError::corrupt(field, "not a list of lengths"))
}

/// Lengths that are at least 1, one per axis.
pub(crate) fn chunk_lengths(value: Option<&Json>, field: &str, rank: usize) -> Result<Vec<u64>, MetadataError> {
    let lengths = lengths(value, field)?;
    if lengths.len() != rank {
        return Err(MetadataError::corrupt(field, format!("it has {} axes, the array {rank}", lengths.len())));
    }
    if lengths.contains(&0) {
        return Err(MetadataError::corrupt(field, "a length is 0"));
    }
    Ok(lengths)
}

/// Chunk lengths of v2, where zarr-python 2 wrote 0 for an axis of length 0: there is no chunk, and 1 stands for it.
fn chunk_lengths_v2(value: Option<&Json>, shape: &[u64]) -> Result<Vec<u64>, MetadataError> {
    let chunks = lengths(value, "chunks")?;
    let empty = |(length, chunk): (&u64, &u64)| if *length == 0 { (*chunk).max(1) } else { *chunk };
    let filled = shape.iter().zip(&chunks).map(empty).collect::<Vec<_>>();
    let value = if filled.len() == chunks.len() { Json::numbers(&filled) } else { Json::numbers(&chunks) };
    chunk_lengths(Some(&value), "chunks", shape.len())
}

/// Name and configuration of an extension point: an object, or a bare name.
pub(super) fn extension<'j>(
    value: Option<&'j Json>,
    field: &str,
) -> Result<(String, Option<&'j Object>), MetadataError> {
    let missing = || MetadataError::corrupt(field, "missing or without a name");
    match value {
        Some(name @ Json::Text(_)) => Ok((name.as_text().ok_or_else(missing)?, None)),
        Some(Json::Object(object)) => {
            let name = object.get("name").and_then(Json::as_text).ok_or_else(missing)?;
            Ok((name, object.get("configuration").and_then(Json::as_object)))
        }
        _ => Err(missing()),
    }
}

fn key_encoding(value: Option<&Json>) -> Result<ChunkKeys, MetadataError> {
    let (name, configuration) = extension(value, "chunk_key_encoding")?;
    let text = configuration.and_then(|configuration| configuration.get("separator"));
    let field = "chunk_key_encoding.configuration.separator";
    match name.as_str() {
        "default" => Ok(ChunkKeys::Default { separator: separator(text, Separator::Slash, field)? }),
        "v2" => Ok(ChunkKeys::V2 { separator: separator(text, Separator::Dot, field)? }),
        _ => Err(MetadataError::UnsupportedExtension { field: "chunk_key_encoding", name }),
    }
}

fn separator(value: Option<&Json>, default: Separator, field: &str) -> Result<Separator, MetadataError> {
    match value {
        None | Some(Json::Null) => Ok(default),
        Some(Json::Text(text)) if text == "/" || text == "\\/" => Ok(Separator::Slash),
        Some(Json::Text(text)) if text == "." => Ok(Separator::Dot),
        Some(_) => Err(MetadataError::corrupt(field, "neither / nor .")),
    }
}

fn sharding(codecs: &[CodecEntry], shards: &Grid) -> Result<Option<Sharding>, MetadataError> {
    let Some(entry) = codecs.iter().find(|entry| entry.is_sharding()) else {
        return Ok(None);
    };
    if codecs.len() > 1 {
        let around = codecs.iter().find(|entry| !entry.is_sharding()).unwrap_or(entry);
        return Err(MetadataError::codec(&around.name, "codecs around sharding_indexed"));
    }
    let missing = |key: &str| MetadataError::corrupt(format!("sharding_indexed.{key}"), "missing");
    let field = "sharding_indexed.chunk_shape";
    let chunk_shape = chunk_lengths(entry.option("chunk_shape"), field, shards.lengths.len())?;
    let is_uneven =
        |(axis, chunk): (usize, &u64)| shards.all_lengths(axis).iter().any(|shard| !shard.is_multiple_of(*chunk));
    if chunk_shape.iter().enumerate().any(is_uneven) {
        return Err(MetadataError::corrupt(field, "the shard's lengths are not multiples of it"));
    }
    let codecs = entry.option("codecs").ok_or_else(|| missing("codecs"))?;
    let index_codecs = entry.option("index_codecs").ok_or_else(|| missing("index_codecs"))?;
    let index_location = match entry.option("index_location").map(Json::as_text) {
        None => IndexLocation::End,
        Some(Some(location)) if location == "end" => IndexLocation::End,
        Some(Some(location)) if location == "start" => IndexLocation::Start,
        Some(_) => return Err(MetadataError::corrupt("sharding_indexed.index_location", "neither start nor end")),
    };
    let (codecs, index_codecs) = (codecs.clone(), index_codecs.clone());
    Ok(Some(Sharding { chunk_shape, codecs, index_codecs, index_location }))
}
