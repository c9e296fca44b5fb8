//! From a fill value to the bytes of an element.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rechunk_common::limits::MAX_ELEMENT_BYTES;

use crate::{
    dtype::{DataType, Endian, Field, Kind, Variable},
    float,
    json::Json,
};

pub(super) fn element(value: &Json, data_type: &DataType, stored: Endian) -> Result<Vec<u8>, String> {
    if let Some(of) = data_type.of_variable() {
        return variable(value, of);
    }
    let width = usize::try_from(data_type.width).map_err(|_| "its element is too wide".to_owned())?;
    if value.is_null() {
        return Ok(vec![0; width]);
    }
    if let (Some(hex), true) = (hex_bits(value), is_float(data_type)) {
        return float_bits(&hex, width);
    }
    match &data_type.kind {
        Kind::Bool => boolean(value).map(|value| vec![u8::from(value)]),
        Kind::Int => integer(value).and_then(|value| signed(value, width)),
        Kind::UInt => integer(value).and_then(|value| unsigned(value, width)),
        Kind::DateTime(_) | Kind::TimeDelta(_) => time(value).and_then(|value| signed(value, width)),
        Kind::Float => number(value).and_then(|value| float_bytes(value, width)),
        Kind::BFloat => number(value).map(|value| float::to_bfloat(value).to_le_bytes().to_vec()),
        Kind::Complex => complex(value, width),
        Kind::Utf32 => text(value, width, stored),
        Kind::Bytes | Kind::Raw => bytes(value, width),
        Kind::Struct(fields) => structure(value, fields, width),
        Kind::Variable(of) => variable(value, *of),
    }
}

/// Text as it is, or the whole number that zarr-python 2 wrote, which zarr-python 3 reads as its digits; base64 of byte
/// strings. Nothing is an empty element.
fn variable(value: &Json, of: Variable) -> Result<Vec<u8>, String> {
    let bytes = match (value, of) {
        (Json::Null, _) => Vec::new(),
        (Json::Text(_), Variable::Text) => value.as_text().unwrap_or_default().into_bytes(),
        (Json::Number(raw), Variable::Text) if value.as_i64().is_some() => raw.clone().into_bytes(),
        (Json::Text(_), Variable::Bytes) => {
            let text = value.as_text().unwrap_or_default();
            STANDARD.decode(text).map_err(|_| "not base64".to_owned())?
        }
        (Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_), _) => {
            return Err(match of {
                Variable::Text => "not a string".to_owned(),
                Variable::Bytes => "not base64".to_owned(),
            });
        }
    };
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_ELEMENT_BYTES {
        return Err(format!("it has {} bytes, {MAX_ELEMENT_BYTES} at the most", bytes.len()));
    }
    Ok(bytes)
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type.kind, Kind::Float | Kind::BFloat)
}

/// The digits of a `0x…` bit pattern.
fn hex_bits(value: &Json) -> Option<String> {
    value.as_text()?.strip_prefix("0x").map(str::to_owned)
}

/// A bit pattern, most significant digit first, of exactly the element's width.
fn float_bits(hex: &str, width: usize) -> Result<Vec<u8>, String> {
    if Some(hex.len()) != width.checked_mul(2) || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(format!("a bit pattern of {width} bytes has twice as many hexadecimal digits"));
    }
    let bits = u64::from_str_radix(hex, 16).map_err(|_| "not a bit pattern".to_owned())?;
    let bytes = bits.to_le_bytes();
    bytes.get(..width).map(<[u8]>::to_vec).ok_or_else(|| "not a bit pattern".to_owned())
}

fn boolean(value: &Json) -> Result<bool, String> {
    match value {
        Json::Bool(value) => Ok(*value),
        Json::Number(raw) if raw == "0" || raw == "0.0" => Ok(false),
        Json::Number(raw) if raw == "1" || raw == "1.0" => Ok(true),
        Json::Null | Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Object(_) => {
            Err("not a boolean".to_owned())
        }
    }
}

/// A whole number; v2 documents also spell it as a float (`-999.0`) or a boolean.
fn integer(value: &Json) -> Result<i128, String> {
    match value {
        Json::Bool(value) => Ok(i128::from(*value)),
        Json::Number(raw) => {
            if let Ok(value) = raw.parse::<i128>() {
                return Ok(value);
            }
            let value = number(value)?;
            if value.fract() != 0.0 || value.abs() > 2_f64.powi(64) {
                return Err("not a whole number".to_owned());
            }
            #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^64")]
            let whole = value as i128;
            Ok(whole)
        }
        Json::Null | Json::Text(_) | Json::List(_) | Json::Object(_) => Err("not a whole number".to_owned()),
    }
}

fn time(value: &Json) -> Result<i128, String> {
    match value.as_text() {
        Some(text) if text == "NaT" => Ok(i128::from(i64::MIN)),
        Some(_) => Err("neither a whole number nor NaT".to_owned()),
        None => integer(value),
    }
}

fn signed(value: i128, width: usize) -> Result<Vec<u8>, String> {
    let bits = u32::try_from(width.saturating_mul(8)).unwrap_or(64).clamp(8, 64).saturating_sub(1);
    let limit = 1_i128.checked_shl(bits).unwrap_or(i128::MAX);
    if value >= limit || value < limit.saturating_neg() {
        return Err("it is out of range".to_owned());
    }
    Ok(value.to_le_bytes().get(..width).unwrap_or_default().to_vec())
}

fn unsigned(value: i128, width: usize) -> Result<Vec<u8>, String> {
    let bits = u32::try_from(width.saturating_mul(8)).unwrap_or(64).clamp(8, 64);
    if value < 0 || value >= 1_i128.checked_shl(bits).unwrap_or(i128::MAX) {
        return Err("it is out of range".to_owned());
    }
    Ok(value.to_le_bytes().get(..width).unwrap_or_default().to_vec())
}

/// A number, or the name of one that JSON lacks, quoted or bare.
pub(super) fn number(value: &Json) -> Result<f64, String> {
    let raw = match value {
        Json::Number(raw) => raw.clone(),
        Json::Text(_) => value.as_text().unwrap_or_default(),
        Json::Bool(value) => return Ok(f64::from(u8::from(*value))),
        Json::Null | Json::List(_) | Json::Object(_) => return Err("not a number".to_owned()),
    };
    match raw.as_str() {
        "NaN" => Ok(f64::NAN),
        "Infinity" => Ok(f64::INFINITY),
        "-Infinity" => Ok(f64::NEG_INFINITY),
        raw if matches!(value, Json::Number(_)) => raw.parse().map_err(|_| "not a number".to_owned()),
        _ => Err("not a number".to_owned()),
    }
}

/// A float of `width` bytes, rounded from a double as numpy does.
pub(super) fn float_bytes(value: f64, width: usize) -> Result<Vec<u8>, String> {
    match width {
        2 => Ok(float::to_half(value).to_le_bytes().to_vec()),
        4 => {
            #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
            let value = value as f32;
            Ok(value.to_le_bytes().to_vec())
        }
        8 => Ok(value.to_le_bytes().to_vec()),
        _ => Err(format!("floats of {width} bytes are not known")),
    }
}

/// `[re, im]`; v2 documents also spell a real number alone.
fn complex(value: &Json, width: usize) -> Result<Vec<u8>, String> {
    let half = width.checked_div(2).unwrap_or_default();
    let component = |value: &Json| match hex_bits(value) {
        Some(hex) => float_bits(&hex, half),
        None => number(value).and_then(|value| float_bytes(value, half)),
    };
    match value.as_list() {
        Some([re, im]) => Ok([component(re)?, component(im)?].concat()),
        Some(_) => Err("not [re, im]".to_owned()),
        None => Ok([component(value)?, vec![0; half]].concat()),
    }
}

/// Characters of four bytes each in the order they are stored, filled up with zeros.
fn text(value: &Json, width: usize, stored: Endian) -> Result<Vec<u8>, String> {
    if is_zero(value) {
        return Ok(vec![0; width]);
    }
    let text = value.as_text().ok_or_else(|| "not a string".to_owned())?;
    let bytes = text
        .chars()
        .flat_map(|c| match stored {
            Endian::Little => u32::from(c).to_le_bytes(),
            Endian::Big => u32::from(c).to_be_bytes(),
        })
        .collect();
    filled(bytes, width)
}

/// Base64, or a list of bytes.
fn bytes(value: &Json, width: usize) -> Result<Vec<u8>, String> {
    if is_zero(value) {
        return Ok(vec![0; width]);
    }
    let wrong = || "neither base64 nor a list of bytes".to_owned();
    match value {
        Json::Text(_) => filled(STANDARD.decode(value.as_text().unwrap_or_default()).map_err(|_| wrong())?, width),
        Json::List(values) => {
            let bytes = values
                .iter()
                .map(|value| value.as_u64().and_then(|value| u8::try_from(value).ok()))
                .collect::<Option<Vec<u8>>>()
                .ok_or_else(wrong)?;
            if bytes.len() == width { Ok(bytes) } else { Err(format!("it has {} bytes, not {width}", bytes.len())) }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => Err(wrong()),
    }
}

/// Base64 of the whole, or an object of the fields' values. Fields are little-endian in v3, the only format that
/// has such objects.
fn structure(value: &Json, fields: &[Field], width: usize) -> Result<Vec<u8>, String> {
    let Some(object) = value.as_object() else {
        return bytes(value, width);
    };
    let mut bytes = Vec::with_capacity(width);
    for field in fields {
        let value = object.get(&field.name).ok_or_else(|| format!("field {} has no value", field.name))?;
        bytes.extend(element(value, &field.data_type, Endian::Little)?);
    }
    filled(bytes, width)
}

/// The `0` that zarr-python 2 wrote for every type.
fn is_zero(value: &Json) -> bool {
    value.as_number().is_some_and(|raw| raw == "0" || raw == "0.0")
}

fn filled(mut bytes: Vec<u8>, width: usize) -> Result<Vec<u8>, String> {
    if bytes.len() > width {
        return Err(format!("it has {} bytes, more than {width}", bytes.len()));
    }
    bytes.resize(width, 0);
    Ok(bytes)
}
