//! Zarr v2's `order`, `filters` and `compressor`, and the chain of Zarr v3 codecs that does the same.

use super::{
    CodecEntry, Side, Step, element_order,
    filter::{ByteOrder, byte_orders},
    steps, variable,
};
use crate::{
    MetadataError,
    dtype::{DataType, Endian, Variable},
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

/// The v3 chain that does what the `.zarray` says, spelt as zarr-python does.
pub(crate) fn to_v3(zarray: &Object, data_type: &DataType, rank: usize) -> Result<Json, MetadataError> {
    let codecs = V2Codecs::parse(zarray)?;
    let mut steps = Vec::new();
    if codecs.fortran && rank > 1 {
        let axes: Vec<u64> = (0..).take(rank).collect();
        steps.push(Step::Transpose { order: axes.into_iter().rev().collect() });
    }
    let mut tail = Vec::new();
    let mut width = data_type.width;
    let filters = codecs.filters.iter().map(|filter| (filter, "filters"));
    for (codec, field) in filters.chain(codecs.compressor.map(|compressor| (compressor, "compressor"))) {
        let entry = CodecEntry::parse_v2(codec, field)?;
        if data_type.of_variable().is_none() {
            refuse_objects(&entry, data_type)?;
        }
        let step = Step::parse(&entry, width)?;
        if let Step::Variable(_) = &step {
            if variable(&steps).is_some() || !tail.is_empty() {
                return Err(entry.unsupported("a second filter of objects, or one of bytes before it"));
            }
            // What follows sees bytes.
            width = 1;
            steps.push(step);
        } else if let Step::Filter(filter) = &step {
            if data_type.of_variable().is_some() {
                return Err(entry.unsupported("a filter of elements of variable length"));
            }
            if !tail.is_empty() {
                return Err(entry.unsupported("a filter of elements after one of bytes"));
            }
            width = match filter.output() {
                Side::Numbers(of) => u64::from(of.width),
                Side::Packed => 1,
                Side::Same | Side::Booleans => width,
            };
            steps.push(step);
        } else {
            tail.push(step);
        }
    }
    if variable(&steps).is_some() {
        steps.append(&mut tail);
        return Ok(Json::List(steps.iter().map(Step::to_v3).collect()));
    }
    let order = data_type.has_byte_order().then_some(data_type.endian.unwrap_or(Endian::Little));
    let (first, last) = byte_orders(&steps);
    if let (ByteOrder::Is(first), Some(order)) = (first, order)
        && first != order
    {
        let filters = Json::List(codecs.filters.to_vec()).compact();
        return Err(MetadataError::codec(filters, "its byte order is not that of the elements"));
    }
    let endian = match last {
        ByteOrder::Is(last) => Some(last),
        ByteOrder::Single => None,
        ByteOrder::NotSaid => order,
    };
    steps.push(Step::Bytes { endian });
    steps.append(&mut tail);
    Ok(Json::List(steps.iter().map(Step::to_v3).collect()))
}

fn refuse_objects(entry: &CodecEntry, data_type: &DataType) -> Result<(), MetadataError> {
    match entry.id() {
        id @ ("vlen-utf8" | "vlen-bytes" | "vlen-array" | "json2" | "pickle" | "msgpack2" | "categorize") => {
            Err(MetadataError::UnsupportedDataType {
                data_type: data_type.text.clone(),
                problem: format!("variable-length elements (filter {id})"),
            })
        }
        _ => Ok(()),
    }
}

/// The filters that are no compressors: where another compressor is asked for, they are what stays.
pub(crate) fn without_compressors(filters: &Json) -> Result<Json, MetadataError> {
    let list = filters.as_list().unwrap_or_default();
    let mut kept = Vec::with_capacity(list.len());
    for filter in list {
        if !CodecEntry::parse_v2(filter, "filters")?.is_compressor() {
            kept.push(filter.clone());
        }
    }
    Ok(match kept.len() {
        same if same == list.len() => filters.clone(),
        0 => Json::Null,
        _ => Json::List(kept),
    })
}

/// The filter that makes bytes of objects alone, which no `--codec` replaces; null where there is none.
pub(crate) fn of_objects_alone(filters: &Json) -> Result<Json, MetadataError> {
    for filter in filters.as_list().unwrap_or_default() {
        if Variable::of_codec(CodecEntry::parse_v2(filter, "filters")?.id()).is_some() {
            return Ok(Json::List(vec![filter.clone()]));
        }
    }
    Ok(Json::Null)
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

/// The `.zarray` spelling of a v3 chain; what v2 cannot say is named. A compressor at the end of the chain becomes v2's
/// compressor, everything before it its filters.
pub(crate) fn to_v2(list: &Json, rank: usize) -> Result<SpeltV2, MetadataError> {
    let entries = super::entries(list, "codecs")?;
    let steps = steps(list, "codecs")?;
    let mut spelt = SpeltV2 { order: "C", endian: Endian::Little, filters: Json::Null, compressor: Json::Null };
    let mut filters = Vec::new();
    for (step, entry) in steps.iter().zip(&entries) {
        if let Some(codec) = step.to_v2() {
            filters.push(codec);
        } else if let Step::Transpose { order } = step {
            let is_reversed = order.len() == rank && order.iter().rev().is_sorted() && spelt.order == "C";
            match (order.iter().is_sorted(), is_reversed) {
                (true, _) => {}
                (false, true) => spelt.order = "F",
                (false, false) => {
                    return Err(MetadataError::NoTwin { field: "codec", name: entry.json.compact(), format: 2 });
                }
            }
        } else {
            spelt.endian = element_order(&steps).unwrap_or(Endian::Little);
        }
    }
    if steps.last().is_some_and(Step::is_compressor) {
        spelt.compressor = filters.pop().unwrap_or(Json::Null);
    }
    if !filters.is_empty() {
        spelt.filters = Json::List(filters);
    }
    Ok(spelt)
}
