//! Zarr v2's `order`, `filters` and `compressor`, and the chain of Zarr v3 codecs that does the same.

use super::{BloscOptions, Step, named, steps};
use crate::{
    MetadataError,
    dtype::{DataType, Endian},
    json::{Json, Object},
};

/// What a `.zarray` says about its codecs.
pub(crate) struct V2Codecs<'j> {
    /// `"F"`: the first axis varies fastest.
    pub(crate) fortran: bool,
    pub(crate) filters: &'j [Json],
    /// `None`: not compressed.
    pub(crate) compressor: Option<&'j Json>,
}

impl<'j> V2Codecs<'j> {
    pub(crate) fn parse(zarray: &'j Object) -> Result<Self, MetadataError> {
        let fortran = match zarray.get("order").map(Json::as_text) {
            Some(Some(order)) if order == "C" => false,
            Some(Some(order)) if order == "F" => true,
            _ => return Err(MetadataError::corrupt("order", "neither C nor F")),
        };
        let filters = match zarray.get("filters") {
            None | Some(Json::Null) => &[],
            Some(filters) => filters.as_list().ok_or_else(|| MetadataError::corrupt("filters", "not a list"))?,
        };
        let compressor = zarray.get("compressor").filter(|compressor| !compressor.is_null());
        Ok(Self { fortran, filters, compressor })
    }
}

/// The v3 chain that does what the `.zarray` says.
pub(crate) fn to_v3(zarray: &Object, data_type: &DataType, rank: usize) -> Result<Json, MetadataError> {
    let codecs = V2Codecs::parse(zarray)?;
    let mut list = Vec::new();
    if codecs.fortran && rank > 1 {
        let axes: Vec<i128> = (0..).take(rank).collect();
        let order: Vec<Json> = axes.into_iter().rev().map(Json::number).collect();
        list.push(named("transpose", [("order", Json::List(order))]));
    }
    list.push(if data_type.has_byte_order() {
        let endian = data_type.endian.unwrap_or(Endian::Little);
        named("bytes", [("endian", Json::text(endian.as_str()))])
    } else {
        named("bytes", [])
    });
    for filter in codecs.filters {
        let id = id_of(filter, "filters")?;
        match id.as_str() {
            "shuffle" => {
                let size = option(filter, "elementsize").and_then(Json::as_u64).filter(|size| *size > 0).unwrap_or(4);
                list.push(named("numcodecs.shuffle", [("elementsize", Json::number(size))]));
            }
            "vlen-utf8" | "vlen-bytes" | "vlen-array" => {
                return Err(MetadataError::UnsupportedDataType {
                    data_type: data_type.text.clone(),
                    problem: format!("variable-length elements (filter {id})"),
                });
            }
            _ => return Err(MetadataError::codec(id, "rechunk has no such filter")),
        }
    }
    if let Some(compressor) = codecs.compressor {
        list.push(compressor_of_v2(compressor, data_type.width)?);
    }
    Ok(Json::List(list))
}

/// The v3 codec that does what a v2 compressor does, spelt as zarr-python does.
fn compressor_of_v2(compressor: &Json, width: u64) -> Result<Json, MetadataError> {
    let id = id_of(compressor, "compressor")?;
    let level = |default: i64, range: std::ops::RangeInclusive<i64>| match option(compressor, "level") {
        None => Ok(default),
        Some(level) => level.as_i64().filter(|level| range.contains(level)).ok_or_else(|| {
            MetadataError::codec(&id, format!("its level is not between {} and {}", range.start(), range.end()))
        }),
    };
    Ok(match id.as_str() {
        "zstd" => {
            let checksum = option(compressor, "checksum").and_then(Json::as_bool).unwrap_or(false);
            let level = level(0, -131_072..=22)?;
            named("zstd", [("level", Json::number(level)), ("checksum", Json::Bool(checksum))])
        }
        "gzip" => named("gzip", [("level", Json::number(level(1, 0..=9)?))]),
        "zlib" => named("numcodecs.zlib", [("level", Json::number(level(1, 0..=9)?))]),
        "bz2" => named("numcodecs.bz2", [("level", Json::number(level(1, 1..=9)?))]),
        "blosc" => BloscOptions::parse(|key| option(compressor, key), &id, width)?.to_v3(),
        _ => return Err(MetadataError::codec(id, "rechunk has no such compressor")),
    })
}

/// A v3 chain as Zarr v2 spells it.
pub(crate) struct SpeltV2 {
    /// `C` or `F`.
    pub(crate) order: &'static str,
    /// The byte order of the elements, for the dtype.
    pub(crate) endian: Endian,
    /// `null` or a list.
    pub(crate) filters: Json,
    /// `null` or an object.
    pub(crate) compressor: Json,
}

/// The `.zarray` spelling of a v3 chain; what v2 cannot say is named.
pub(crate) fn to_v2(list: &Json, rank: usize) -> Result<SpeltV2, MetadataError> {
    let entries = super::entries(list, "codecs")?;
    let mut spelt = SpeltV2 { order: "C", endian: Endian::Little, filters: Json::Null, compressor: Json::Null };
    let mut filters = Vec::new();
    for (step, entry) in steps(list, "codecs")?.iter().zip(&entries) {
        let no_twin = || MetadataError::NoTwin { field: "codec", name: entry.json.compact(), format: 2 };
        match step {
            Step::Transpose { order } if order.iter().is_sorted() => {}
            Step::Transpose { order }
                if order.len() == rank && order.iter().rev().is_sorted() && spelt.order == "C" =>
            {
                spelt.order = "F";
            }
            Step::Bytes { endian } => spelt.endian = endian.unwrap_or(Endian::Little),
            Step::Shuffle { element } if spelt.compressor.is_null() => {
                filters.push(Json::object([("id", Json::text("shuffle")), ("elementsize", Json::number(*element))]));
            }
            Step::Zstd { .. } | Step::Gzip { .. } | Step::Zlib { .. } | Step::Bz2 { .. } | Step::Blosc(_)
                if spelt.compressor.is_null() =>
            {
                spelt.compressor = compressor_to_v2(step).ok_or_else(no_twin)?;
            }
            Step::Transpose { .. }
            | Step::Zstd { .. }
            | Step::Gzip { .. }
            | Step::Zlib { .. }
            | Step::Bz2 { .. }
            | Step::Blosc(_)
            | Step::Shuffle { .. }
            | Step::Crc32c => return Err(no_twin()),
        }
    }
    if !filters.is_empty() {
        spelt.filters = Json::List(filters);
    }
    Ok(spelt)
}

/// A compressor as numcodecs spells it; `None` for other steps.
pub(crate) fn compressor_to_v2(step: &Step) -> Option<Json> {
    let of_level = |id: &str, level: u32| Json::object([("id", Json::text(id)), ("level", Json::number(level))]);
    match step {
        Step::Zstd { level, checksum: false } => {
            Some(Json::object([("id", Json::text("zstd")), ("level", Json::number(*level))]))
        }
        Step::Zstd { level, checksum: true } => Some(Json::object([
            ("id", Json::text("zstd")),
            ("level", Json::number(*level)),
            ("checksum", Json::Bool(true)),
        ])),
        Step::Gzip { level } => Some(of_level("gzip", *level)),
        Step::Zlib { level } => Some(of_level("zlib", *level)),
        Step::Bz2 { level } => Some(of_level("bz2", *level)),
        Step::Blosc(options) => Some(options.to_v2()),
        Step::Transpose { .. } | Step::Bytes { .. } | Step::Shuffle { .. } | Step::Crc32c => None,
    }
}

fn id_of(codec: &Json, field: &str) -> Result<String, MetadataError> {
    option(codec, "id")
        .and_then(Json::as_text)
        .ok_or_else(|| MetadataError::corrupt(field, format!("{} has no id", codec.compact())))
}

fn option<'j>(codec: &'j Json, key: &str) -> Option<&'j Json> {
    codec.as_object()?.get(key)
}
