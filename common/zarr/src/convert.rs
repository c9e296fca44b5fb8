//! Conversion of an array's document between the formats, as xarray reads both: the dimensions' names and the value
//! that masks move between their places. What has no equal in the other format is refused by name.

#[cfg(test)]
mod tests;

use rechunk_common::{
    layout::{ChunkKeys, Separator},
    request::ZarrFormat,
};

use crate::{
    ArrayDocument, MetadataError, chain,
    document::ARRAY_DIMENSIONS,
    dtype::{DataType, Endian, Kind},
    fill,
    json::{Json, Object},
};

/// xarray's name, in v3, for the value that masks; in v2 it is the array's fill value.
const FILL_VALUE: &str = "_FillValue";

/// The v3 document of a v2 array: `default` keys with slashes, members in zarr-python's order.
pub(crate) fn to_v3(source: &ArrayDocument) -> Result<ArrayDocument, MetadataError> {
    let data_type = source.data_type()?;
    let endian = data_type.endian.unwrap_or(Endian::Little);
    let fill = source.fill_bytes(&data_type)?;
    let rank = source.shape().len();
    let codecs = chain::to_v3(source.metadata(), &data_type, rank)?;
    let mut attributes = source.attributes().cloned().unwrap_or_default();
    let names = source.dimension_names();
    if names.is_some() {
        attributes.remove(ARRAY_DIMENSIONS);
        if let (true, Some(value)) = (source.has_fill(), fill::encode_xarray(&fill, &data_type, endian)) {
            attributes.set(FILL_VALUE, value);
        }
    }
    let of_default = Json::object([("separator", Json::text("/"))]);
    let of_regular = Json::object([("chunk_shape", Json::numbers(source.chunk_shape()))]);
    let mut metadata = Object::default();
    metadata.set("shape", Json::numbers(source.shape()));
    metadata.set("data_type", data_type.to_v3()?);
    metadata.set("chunk_grid", Json::object([("name", Json::text("regular")), ("configuration", of_regular)]));
    metadata.set("chunk_key_encoding", Json::object([("name", Json::text("default")), ("configuration", of_default)]));
    metadata.set("fill_value", spell_fill(source, &fill, &data_type, endian, ZarrFormat::V3)?);
    metadata.set("codecs", codecs);
    metadata.set("attributes", Json::Object(attributes));
    // Like xarray: an array without axes has no list of their names.
    if let Some(names) = names.filter(|_| rank > 0) {
        let names = names.iter().map(|name| name.as_ref().map_or(Json::Null, |name| Json::text(name))).collect();
        metadata.set("dimension_names", Json::List(names));
    }
    metadata.set("zarr_format", Json::number(3));
    metadata.set("node_type", Json::text("array"));
    metadata.set("storage_transformers", Json::List(Vec::new()));
    ArrayDocument::from_parts(ZarrFormat::V3, metadata, None)
}

/// The v2 document of a v3 array: its inner chunks where there are shards, keys with dots unless they were v2 keys.
pub(crate) fn to_v2(source: &ArrayDocument) -> Result<ArrayDocument, MetadataError> {
    let data_type = source.data_type()?;
    let codecs = chain::to_v2(&source.chunk_codecs()?, source.shape().len())?;
    let mut attributes = source.attributes().cloned().unwrap_or_default();
    let names = names_for_v2(source)?;
    let fill_value = if names.is_some() {
        // As xarray reads v3: `fill_value` is only what is missing, `_FillValue` is what masks.
        match attributes.remove(FILL_VALUE) {
            None => Json::Null,
            Some(value) => {
                let fill = fill::decode_xarray(&value, &data_type, codecs.endian)?;
                fill::spell(&fill, &data_type, codecs.endian, ZarrFormat::V2)
                    .ok_or_else(|| no_twin_fill(value.compact(), ZarrFormat::V2))?
            }
        }
    } else {
        let fill = source.fill_bytes(&data_type)?;
        spell_fill(source, &fill, &data_type, codecs.endian, ZarrFormat::V2)?
    };
    if let Some(names) = names {
        attributes.set(ARRAY_DIMENSIONS, Json::List(names));
    }
    let separator = match source.keys() {
        ChunkKeys::V2 { separator } => separator,
        ChunkKeys::Default { .. } => Separator::Dot,
    };
    let mut metadata = Object::default();
    metadata.set("shape", Json::numbers(source.shape()));
    metadata.set("chunks", Json::numbers(source.chunk_shape()));
    metadata.set("dtype", data_type.to_v2(codecs.endian)?);
    metadata.set("fill_value", fill_value);
    metadata.set("order", Json::text(codecs.order));
    metadata.set("filters", codecs.filters);
    metadata.set("dimension_separator", Json::text(separator.as_str()));
    metadata.set("compressor", codecs.compressor);
    metadata.set("zarr_format", Json::number(2));
    ArrayDocument::from_parts(ZarrFormat::V2, metadata, Some(attributes).filter(|attributes| !attributes.is_empty()))
}

/// The names of the axes as `_ARRAY_DIMENSIONS` has them; `None` where the array is not one of xarray's. An array
/// without axes has no names in v3, so it is taken for one.
fn names_for_v2(source: &ArrayDocument) -> Result<Option<Vec<Json>>, MetadataError> {
    let Some(names) = source.dimension_names() else {
        return Ok(source.shape().is_empty().then(Vec::new));
    };
    if !names.is_empty() && names.iter().all(Option::is_none) {
        return Ok(None);
    }
    let strings: Option<Vec<Json>> = names.iter().map(|name| name.as_ref().map(|name| Json::text(name))).collect();
    let spelt = || source.field("dimension_names").compact();
    strings.map(Some).ok_or_else(|| MetadataError::NoTwin { field: "dimension_names", name: spelt(), format: 2 })
}

/// The source's fill value for the other format: a plain number in its own spelling, anything else spelt anew.
fn spell_fill(
    source: &ArrayDocument,
    fill: &[u8],
    data_type: &DataType,
    endian: Endian,
    format: ZarrFormat,
) -> Result<Json, MetadataError> {
    let text = source.field("fill_value");
    let plain = text.as_number().is_some_and(|raw| !raw.contains(['N', 'I']));
    if plain && data_type.kind == Kind::Float {
        return Ok(text.clone());
    }
    fill::spell(fill, data_type, endian, format).ok_or_else(|| no_twin_fill(text.compact(), format))
}

fn no_twin_fill(name: String, format: ZarrFormat) -> MetadataError {
    MetadataError::NoTwin { field: "fill_value", name, format: format.number() }
}
