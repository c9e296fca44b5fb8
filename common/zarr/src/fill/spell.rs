//! From the bytes of an element to a fill value.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rechunk_common::request::ZarrFormat;

use crate::{
    dtype::{DataType, Endian, Kind, Variable},
    float,
    json::Json,
};

pub(super) fn element(bytes: &[u8], data_type: &DataType, stored: Endian, format: ZarrFormat) -> Option<Json> {
    if data_type.of_variable().is_none() && u64::try_from(bytes.len()).ok()? != data_type.width {
        return None;
    }
    match &data_type.kind {
        Kind::Bool => match bytes {
            [0] => Some(Json::Bool(false)),
            [1] => Some(Json::Bool(true)),
            _ => None,
        },
        Kind::Int | Kind::DateTime(_) | Kind::TimeDelta(_) => Some(Json::number(signed(bytes)?)),
        Kind::UInt => Some(Json::number(unsigned(bytes)?)),
        Kind::Float | Kind::BFloat => float_value(bytes, &data_type.kind, format),
        Kind::Complex => {
            let (re, im) = bytes.split_at_checked(bytes.len().checked_div(2)?)?;
            Some(Json::List(vec![float_value(re, &Kind::Float, format)?, float_value(im, &Kind::Float, format)?]))
        }
        Kind::Utf32 => text(bytes, stored).map(|text| Json::text(&text)),
        Kind::Bytes => Some(Json::text(&STANDARD.encode(without_padding(bytes)))),
        Kind::Variable(Variable::Text) => std::str::from_utf8(bytes).ok().map(Json::text),
        Kind::Raw | Kind::Struct(_) | Kind::Variable(Variable::Bytes) => Some(Json::text(&STANDARD.encode(bytes))),
    }
}

pub(super) fn unsigned(bytes: &[u8]) -> Option<u64> {
    let mut whole = [0; 8];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(whole))
}

pub(super) fn signed(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last()? & 0x80 != 0;
    let mut whole = if negative { [0xff; 8] } else { [0; 8] };
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(whole))
}

/// The value of a float of 2, 4 or 8 bytes.
pub(super) fn float_of(bytes: &[u8], kind: &Kind) -> Option<f64> {
    match (bytes, kind) {
        ([a, b], Kind::BFloat) => Some(float::of_bfloat(u16::from_le_bytes([*a, *b]))),
        ([a, b], _) => Some(float::of_half(u16::from_le_bytes([*a, *b]))),
        ([a, b, c, d], _) => Some(f64::from(f32::from_le_bytes([*a, *b, *c, *d]))),
        (bytes, _) => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
    }
}

/// A number, a name, or (in v3) the bit pattern of a NaN that has no name.
fn float_value(bytes: &[u8], kind: &Kind, format: ZarrFormat) -> Option<Json> {
    let value = float_of(bytes, kind)?;
    if value.is_nan() {
        let named: &[u8] = match (bytes.len(), kind) {
            (2, Kind::BFloat) => &[0xc0, 0x7f],
            (2, _) => &[0x00, 0x7e],
            (4, _) => &[0, 0, 0xc0, 0x7f],
            _ => &[0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
        };
        return match (bytes == named, format) {
            (true, _) => Some(Json::text("NaN")),
            (false, ZarrFormat::V2) => None,
            (false, ZarrFormat::V3) => {
                let digits = bytes.len().saturating_mul(2);
                Some(Json::text(&format!("0x{:0digits$x}", unsigned(bytes)?)))
            }
        };
    }
    Some(if value == f64::INFINITY {
        Json::text("Infinity")
    } else if value == f64::NEG_INFINITY {
        Json::text("-Infinity")
    } else {
        // The shortest text that reads back as the same bits; `1.0` and not `1`.
        Json::Number(format!("{value:?}"))
    })
}

pub(super) fn text(bytes: &[u8], stored: Endian) -> Option<String> {
    let text = bytes
        .chunks_exact(4)
        .map(|unit| {
            let unit: [u8; 4] = unit.try_into().ok()?;
            char::from_u32(match stored {
                Endian::Little => u32::from_le_bytes(unit),
                Endian::Big => u32::from_be_bytes(unit),
            })
        })
        .collect::<Option<String>>()?;
    Some(text.trim_end_matches('\0').to_owned())
}

pub(super) fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    bytes.get(..end).unwrap_or_default()
}
