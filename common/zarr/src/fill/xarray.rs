//! The attribute `_FillValue` as xarray encodes it in Zarr v3 (`FillValueCoder` in `xarray/backends/zarr.py`): floats
//! as base64 of a little-endian double, integers and booleans plain, byte strings as base64, text as it is.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    parse,
    spell::{float_of, signed, text, unsigned, without_padding},
};
use crate::{
    MetadataError,
    dtype::{DataType, Endian, Kind, Variable},
    json::Json,
};

/// The attribute's value for an element; `None` for types that xarray has no encoding for.
pub(crate) fn encode(bytes: &[u8], data_type: &DataType, stored: Endian) -> Option<Json> {
    match &data_type.kind {
        Kind::Bool => Some(Json::Bool(bytes != [0])),
        Kind::Int => Some(Json::number(signed(bytes)?)),
        Kind::UInt => Some(Json::number(unsigned(bytes)?)),
        Kind::Float => Some(double(float_of(bytes, &data_type.kind)?)),
        Kind::Complex => {
            let (re, im) = bytes.split_at_checked(bytes.len().checked_div(2)?)?;
            Some(Json::List(vec![double(float_of(re, &Kind::Float)?), double(float_of(im, &Kind::Float)?)]))
        }
        Kind::Utf32 => Some(Json::text(&text(bytes, stored)?)),
        Kind::Bytes => Some(Json::text(&STANDARD.encode(without_padding(bytes)))),
        Kind::Variable(Variable::Text) => std::str::from_utf8(bytes).ok().map(Json::text),
        Kind::Variable(Variable::Bytes) => Some(Json::text(&STANDARD.encode(bytes))),
        Kind::BFloat | Kind::DateTime(_) | Kind::TimeDelta(_) | Kind::Raw | Kind::Struct(_) => None,
    }
}

/// The element that the attribute's value stands for. Plain numbers are taken for floats too: other writers than
/// xarray leave them.
pub(crate) fn decode(value: &Json, data_type: &DataType, stored: Endian) -> Result<Vec<u8>, MetadataError> {
    let fault = |problem: String| MetadataError::FillValue {
        value: format!("(attribute _FillValue) {}", value.compact()),
        data_type: data_type.text.clone(),
        problem,
    };
    let width = usize::try_from(data_type.width).map_err(|_| fault("its element is too wide".to_owned()))?;
    match (&data_type.kind, value) {
        (Kind::Float, _) => float(value, width).map_err(fault),
        (Kind::Complex, Json::List(parts)) => {
            let half = width.checked_div(2).unwrap_or_default();
            let parts: Result<Vec<Vec<u8>>, String> = parts.iter().map(|part| float(part, half)).collect();
            let bytes = parts.map_err(fault)?.concat();
            if bytes.len() == width { Ok(bytes) } else { Err(fault("not [re, im]".to_owned())) }
        }
        (_, value) => super::parse(value, data_type, stored),
    }
}

fn double(value: f64) -> Json {
    Json::text(&STANDARD.encode(value.to_le_bytes()))
}

fn float(value: &Json, width: usize) -> Result<Vec<u8>, String> {
    let value = match value.as_text().and_then(|text| STANDARD.decode(text).ok()) {
        Some(bytes) => match <[u8; 8]>::try_from(bytes.as_slice()) {
            Ok(bytes) => f64::from_le_bytes(bytes),
            // `Infinity` is base64, too, of six bytes.
            Err(_) => parse::number(value)?,
        },
        None => parse::number(value)?,
    };
    parse::float_bytes(value, width)
}
