//! Codec chains as documents describe them: lists of Zarr v3 codec metadata, and the `order`, `filters` and
//! `compressor` of Zarr v2. Knows their names, options and defaults; the work is done in `codec`.

mod blosc;
mod checksum;
mod entry;
mod filter;
mod lzma;
mod number;
mod spell;
mod step;
mod v2;

pub(crate) use blosc::{BloscOptions, Cname, Shuffle};
pub(crate) use checksum::{Checksum, ChecksumKind, Place};
pub(crate) use entry::CodecEntry;
use filter::ByteOrder;
pub(crate) use filter::{Filter, Scalar, Side};
pub(crate) use lzma::{LzmaCheck, LzmaFormat, LzmaOptions, RawLzma};
pub(crate) use number::{NumberKind, NumberType};
pub(crate) use step::{Part, Step};
pub(crate) use v2::{of_objects_alone, to_v2, to_v3, without_compressors};

use crate::{
    MetadataError,
    dtype::{Endian, Variable},
    json::{Json, Object},
};

/// The codec that packs chunks into shards.
pub(crate) const SHARDING: &str = "sharding_indexed";

/// The entries of a list of codecs; `field` is what an error calls it.
pub(crate) fn entries(list: &Json, field: &str) -> Result<Vec<CodecEntry>, MetadataError> {
    let list = list.as_list().ok_or_else(|| MetadataError::corrupt(field, "not a list of codecs"))?;
    list.iter().map(|entry| CodecEntry::parse(entry, field)).collect()
}

/// The steps of a chain that ends in bytes: every codec known, one of them from elements to bytes, in order.
pub(crate) fn steps(list: &Json, field: &str) -> Result<Vec<Step>, MetadataError> {
    let steps = entries(list, field)?.iter().map(|entry| Step::parse(entry, 1)).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<Part> = steps.iter().map(Step::part).collect();
    if !parts.is_sorted() {
        return Err(MetadataError::corrupt(field, "the codecs are not in the order elements, bytes codec, bytes"));
    }
    if parts.iter().filter(|part| **part == Part::ArrayToBytes).count() != 1 {
        return Err(MetadataError::corrupt(field, "there must be one codec from elements to bytes"));
    }
    Ok(steps)
}

/// The byte order of a chain's elements: the one that its first filter names, and without filters that of its bytes
/// codec. `None` where it has no meaning, or little is meant.
pub(crate) fn element_order(steps: &[Step]) -> Option<Endian> {
    match filter::byte_orders(steps).0 {
        ByteOrder::Is(order) => Some(order),
        ByteOrder::Single => None,
        ByteOrder::NotSaid => bytes_order(steps),
    }
}

/// What elements of variable length a chain stores, where it does.
pub(crate) fn variable(steps: &[Step]) -> Option<Variable> {
    steps.iter().find_map(|step| if let Step::Variable(of) = step { Some(*of) } else { None })
}

/// The byte order that the bytes codec names.
fn bytes_order(steps: &[Step]) -> Option<Endian> {
    steps.iter().find_map(|step| if let Step::Bytes { endian } = step { *endian } else { None })
}

/// Checks that each filter of a chain is given elements of the width that it names, and that the last one's byte order
/// is that of the bytes codec: zarr-python reads them with the filter's and writes them with the codec's.
pub(crate) fn check_filters(steps: &[Step], width: u64) -> Result<(), MetadataError> {
    if let (Some(of), Some(Step::Filter(filter))) = (variable(steps), steps.iter().find(|step| step.is_filter())) {
        return Err(MetadataError::codec(filter.id(), format!("it stands before {}", of.codec())));
    }
    let mut width = Some(width);
    let filters =
        steps.iter().skip_while(|step| !step.is_filter()).take_while(|step| step.part() == Part::ArrayToArray);
    for step in filters {
        let Step::Filter(filter) = step else {
            return Err(MetadataError::codec("transpose", "it stands after a filter"));
        };
        let refuse = |given: String| Err(MetadataError::codec(filter.id(), format!("it is given {given}")));
        match (filter.input(), width) {
            (_, None) => return refuse("packed bits".to_owned()),
            (Side::Numbers(of), Some(width)) if u64::from(of.width) != width => {
                return refuse(format!("elements of {width} bytes, not {}", of.spell()));
            }
            (Side::Booleans, Some(width)) if width != 1 => {
                return refuse(format!("elements of {width} bytes, not booleans"));
            }
            (Side::Numbers(_) | Side::Booleans | Side::Same | Side::Packed, Some(_)) => {}
        }
        width = match filter.output() {
            Side::Numbers(of) => Some(u64::from(of.width)),
            Side::Packed => None,
            Side::Same | Side::Booleans => width,
        };
    }
    match filter::byte_orders(steps).1 {
        ByteOrder::Is(order) if order != bytes_order(steps).unwrap_or(Endian::Little) => {
            let last = steps.iter().rev().find(|step| step.is_filter());
            let last = last.map_or_else(String::new, |step| step.to_v3().compact());
            Err(MetadataError::codec(last, "its byte order is not that of the bytes codec"))
        }
        ByteOrder::Is(_) | ByteOrder::Single | ByteOrder::NotSaid => Ok(()),
    }
}

/// The same list with its compressors replaced by `compressor` (null: taken out). A chain without one gets it after
/// its filters and before its checksums.
pub(crate) fn with_compressor(list: &Json, compressor: &Json) -> Result<Json, MetadataError> {
    let new = Some(compressor).filter(|compressor| !compressor.is_null());
    let entries = entries(list, "codecs")?;
    let first = entries.iter().position(CodecEntry::is_compressor);
    let place = first.unwrap_or_else(|| {
        entries.iter().rposition(|entry| !entry.is_checksum()).map_or(0, |last| last.saturating_add(1))
    });
    let mut replaced = Vec::with_capacity(entries.len().saturating_add(1));
    for (index, entry) in entries.iter().enumerate() {
        if index == place {
            replaced.extend(new.cloned());
        }
        if !entry.is_compressor() {
            replaced.push(entry.json.clone());
        }
    }
    if place >= entries.len() {
        replaced.extend(new.cloned());
    }
    Ok(Json::List(replaced))
}

/// The same list without what comes after the codec from elements to bytes.
pub(crate) fn without_bytes_to_bytes(list: &Json) -> Result<Json, MetadataError> {
    let entries = entries(list, "codecs")?;
    let is_kept = |name: &str| matches!(name, "transpose" | "bytes") || Variable::of_codec(name).is_some();
    let kept = entries.iter().filter(|entry| is_kept(&entry.name));
    Ok(Json::List(kept.map(|entry| entry.json.clone()).collect()))
}

/// `{"name": …, "configuration": …}`
pub(crate) fn named<const N: usize>(name: &str, options: [(&str, Json); N]) -> Json {
    named_list(name, options.into())
}

fn named_list(name: &str, options: Vec<(&str, Json)>) -> Json {
    let mut codec = Object::default();
    codec.set("name", Json::text(name));
    if !options.is_empty() {
        let mut configuration = Object::default();
        for (key, value) in options {
            configuration.set(key, value);
        }
        codec.set("configuration", Json::Object(configuration));
    }
    Json::Object(codec)
}
