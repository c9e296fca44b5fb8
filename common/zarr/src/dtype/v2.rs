//! Data types as a `.zarray` spells them: numpy's type strings, and lists of fields.

use super::{DataType, Endian, Field, Kind, TimeUnit, Variable, unsupported};
use crate::{MetadataError, json::Json};

pub(super) fn parse(value: &Json, filters: &Json) -> Result<DataType, MetadataError> {
    match value.as_text() {
        Some(name) if name == "|O" => parse_objects(name, filters),
        Some(_) | None => parse_fixed(value),
    }
}

/// What the first filter makes bytes of.
fn parse_objects(name: String, filters: &Json) -> Result<DataType, MetadataError> {
    let first = filters.as_list().and_then(<[Json]>::first).and_then(Json::as_object);
    let Some(id) = first.and_then(|filter| filter.get("id")).and_then(Json::as_text) else {
        return Err(unsupported(name, "variable-length elements, and no filter says of what kind"));
    };
    match Variable::of_codec(&id) {
        Some(of) => Ok(DataType::variable(of, name)),
        None => Err(unsupported(name, format!("variable-length elements (filter {id})"))),
    }
}

fn parse_fixed(value: &Json) -> Result<DataType, MetadataError> {
    match value {
        Json::Text(_) => parse_name(&value.as_text().unwrap_or_default()),
        Json::List(fields) => parse_fields(value, fields),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => {
            Err(unsupported(value.compact(), "neither a type string nor a list of fields"))
        }
    }
}

fn parse_name(name: &str) -> Result<DataType, MetadataError> {
    let unknown = || unsupported(name, "not a type string that rechunk knows");
    let mut chars = name.chars();
    let (Some(order), Some(letter)) = (chars.next(), chars.next()) else {
        return Err(unknown());
    };
    let endian = match order {
        '<' => Some(Endian::Little),
        '>' => Some(Endian::Big),
        '|' => None,
        _ => return Err(unknown()),
    };
    let rest = chars.as_str();
    if letter == 'O' {
        return Err(unsupported(name, "variable-length elements within a structure"));
    }
    let (digits, unit) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
    let number: u64 = digits.parse().map_err(|_| unknown())?;
    let (kind, width) = match (letter, number) {
        ('b', 1) => (Kind::Bool, 1),
        ('i', 1 | 2 | 4 | 8) => (Kind::Int, number),
        ('u', 1 | 2 | 4 | 8) => (Kind::UInt, number),
        ('f', 2 | 4 | 8) => (Kind::Float, number),
        ('c', 8 | 16) => (Kind::Complex, number),
        ('M', 8) => (Kind::DateTime(parse_unit(unit).ok_or_else(unknown)?), 8),
        ('m', 8) => (Kind::TimeDelta(parse_unit(unit).ok_or_else(unknown)?), 8),
        ('S', _) => (Kind::Bytes, number),
        ('U', _) => (Kind::Utf32, number.checked_mul(4).ok_or_else(unknown)?),
        ('V', _) => (Kind::Raw, number),
        _ => return Err(unknown()),
    };
    if !unit.is_empty() && !matches!(kind, Kind::DateTime(_) | Kind::TimeDelta(_)) {
        return Err(unknown());
    }
    let data_type = DataType::new(kind, width, endian, name.to_owned())?;
    if data_type.has_byte_order() {
        if endian.is_none() {
            return Err(unsupported(name, "a byte order, < or >, is missing"));
        }
        return Ok(data_type);
    }
    // `<i1` and `>V7` have no order whatever they say.
    Ok(DataType { endian: None, ..data_type })
}

/// `[ns]`, `[10ms]`; nothing is numpy's generic unit.
fn parse_unit(text: &str) -> Option<TimeUnit> {
    if text.is_empty() {
        return Some(TimeUnit { unit: "generic".to_owned(), scale: 1 });
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let (digits, unit) = inner.split_at(inner.find(|c: char| !c.is_ascii_digit())?);
    let scale = if digits.is_empty() { 1 } else { digits.parse().ok()? };
    let known = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "μs", "ns", "ps", "fs", "as", "generic"];
    known.contains(&unit).then(|| TimeUnit { unit: unit.to_owned(), scale })
}

fn parse_fields(value: &Json, fields: &[Json]) -> Result<DataType, MetadataError> {
    let malformed = || unsupported(value.compact(), "a field is not [name, type] or [name, type, shape]");
    let mut parsed = Vec::with_capacity(fields.len());
    let mut width: u64 = 0;
    for field in fields {
        let parts = field.as_list().ok_or_else(malformed)?;
        let (name, data_type, shape) = match parts {
            [name, data_type] => (name, data_type, None),
            [name, data_type, shape] => (name, data_type, Some(shape)),
            _ => return Err(malformed()),
        };
        let name = name.as_text().ok_or_else(malformed)?;
        let data_type = parse_fixed(data_type)?;
        let count = shape.map_or(Some(1), count_of).ok_or_else(malformed)?;
        width = data_type
            .width
            .checked_mul(count)
            .and_then(|bytes| width.checked_add(bytes))
            .ok_or_else(|| unsupported(value.compact(), "its width is beyond 2^64"))?;
        parsed.push(Field { name, data_type, count });
    }
    DataType::new(Kind::Struct(parsed), width, None, value.compact())
}

/// Elements of a field's shape: a length or a list of lengths.
fn count_of(shape: &Json) -> Option<u64> {
    match shape {
        Json::Number(_) => shape.as_u64(),
        Json::List(lengths) => lengths.iter().try_fold(1_u64, |count, length| count.checked_mul(length.as_u64()?)),
        Json::Null | Json::Bool(_) | Json::Text(_) | Json::Object(_) => None,
    }
}

pub(super) fn spell(data_type: &DataType, endian: Endian) -> Result<Json, MetadataError> {
    let order = match (data_type.has_byte_order(), endian) {
        (false, _) => '|',
        (true, Endian::Little) => '<',
        (true, Endian::Big) => '>',
    };
    let width = data_type.width;
    let no_twin = || MetadataError::NoTwin { field: "data type", name: data_type.text.clone(), format: 2 };
    let name = match &data_type.kind {
        Kind::Bool => "|b1".to_owned(),
        Kind::Int => format!("{order}i{width}"),
        Kind::UInt => format!("{order}u{width}"),
        Kind::Float => format!("{order}f{width}"),
        Kind::Complex => format!("{order}c{width}"),
        Kind::DateTime(unit) => format!("{order}M8{}", spell_unit(unit)),
        Kind::TimeDelta(unit) => format!("{order}m8{}", spell_unit(unit)),
        Kind::Utf32 => format!("{order}U{}", width.checked_div(4).unwrap_or_default()),
        Kind::Bytes => format!("|S{width}"),
        Kind::Raw => format!("|V{width}"),
        Kind::Variable(_) => "|O".to_owned(),
        Kind::BFloat => return Err(no_twin()),
        Kind::Struct(fields) => {
            let mut spelt = Vec::with_capacity(fields.len());
            for field in fields {
                if field.count != 1 {
                    return Err(no_twin());
                }
                spelt.push(Json::List(vec![Json::text(&field.name), spell(&field.data_type, Endian::Little)?]));
            }
            return Ok(Json::List(spelt));
        }
    };
    Ok(Json::text(&name))
}

fn spell_unit(unit: &TimeUnit) -> String {
    match (unit.unit.as_str(), unit.scale) {
        ("generic", _) => String::new(),
        (name, 1) => format!("[{name}]"),
        (name, scale) => format!("[{scale}{name}]"),
    }
}
