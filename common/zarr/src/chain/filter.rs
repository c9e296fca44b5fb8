//! numcodecs' filters of elements: what goes in, what comes out, and their options. Each names the types on both sides
//! with their byte orders, so that it acts on stored bytes.

use super::{CodecEntry, NumberKind, NumberType, Step};
use crate::{MetadataError, dtype::Endian, json::Json};

/// A filter of elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The first element, then differences.
    Delta { dtype: NumberType, astype: NumberType },
    /// `(x - offset) * scale`, rounded.
    FixedScaleOffset { offset: Scalar, scale: Scalar, dtype: NumberType, astype: NumberType },
    /// Rounded to some decimal digits when it was first written. What is read stays as it is.
    Quantize { digits: i64, dtype: NumberType, astype: NumberType },
    /// Rounded to some bits when it was first written. What is read stays as it is.
    BitRound { keepbits: i64 },
    /// Another type.
    AsType { encode_dtype: NumberType, decode_dtype: NumberType },
    /// The number of bits that fill up the last byte, then eight booleans a byte.
    PackBits,
}

/// A number of a filter's options: Python computes with whole numbers in another way than with floats.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Whole(i64),
    Float { value: f64, text: String },
}

impl Eq for Scalar {}

/// What a filter's elements are: numbers whose type it names, or whatever it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Numbers(NumberType),
    /// The same as on the other side.
    Same,
    /// Booleans of one byte.
    Booleans,
    /// Bytes that are no elements.
    Packed,
}

impl Scalar {
    fn parse(entry: &CodecEntry, key: &str) -> Result<Self, MetadataError> {
        let wrong = || entry.unsupported(format!("its {key} is no finite number"));
        let text = entry.given(key).and_then(Json::as_number).ok_or_else(wrong)?;
        if let Ok(whole) = text.parse::<i64>() {
            // Beyond 2^53 it would be rounded twice on its way to a float.
            return if whole.unsigned_abs() <= 1 << 53 { Ok(Self::Whole(whole)) } else { Err(wrong()) };
        }
        let value: f64 = text.parse().map_err(|_| wrong())?;
        if value.is_finite() { Ok(Self::Float { value, text: text.to_owned() }) } else { Err(wrong()) }
    }

    pub(crate) fn value(&self) -> f64 {
        match self {
            // At most 2^53.
            Self::Whole(whole) => *whole as f64,
            Self::Float { value, .. } => *value,
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Whole(whole) => Json::number(*whole),
            Self::Float { text, .. } => Json::Number(text.clone()),
        }
    }
}

impl Filter {
    /// The filter that an entry of numcodecs names; `None` for other codecs.
    pub(crate) fn parse(entry: &CodecEntry) -> Result<Option<Self>, MetadataError> {
        let filter = match entry.id() {
            "delta" => {
                let dtype = number_type(entry, "dtype", None)?;
                Self::Delta { dtype, astype: number_type(entry, "astype", Some(dtype))? }
            }
            "fixedscaleoffset" => {
                let dtype = number_type(entry, "dtype", None)?;
                Self::FixedScaleOffset {
                    offset: Scalar::parse(entry, "offset")?,
                    scale: Scalar::parse(entry, "scale")?,
                    dtype,
                    astype: number_type(entry, "astype", Some(dtype))?,
                }
            }
            "quantize" => {
                let dtype = number_type(entry, "dtype", None)?;
                let digits = entry.number("digits", i64::MIN, i64::from(i32::MIN), i64::from(i32::MAX))?;
                if digits == i64::MIN {
                    return Err(entry.unsupported("its digits are missing"));
                }
                Self::Quantize { digits, dtype, astype: number_type(entry, "astype", Some(dtype))? }
            }
            "bitround" => {
                let keepbits = entry.number("keepbits", -1, 0, 52)?;
                if keepbits < 0 {
                    return Err(entry.unsupported("its keepbits are missing"));
                }
                Self::BitRound { keepbits }
            }
            "astype" => Self::AsType {
                encode_dtype: number_type(entry, "encode_dtype", None)?,
                decode_dtype: number_type(entry, "decode_dtype", None)?,
            },
            "packbits" => Self::PackBits,
            _ => return Ok(None),
        };
        filter.check(entry)?;
        Ok(Some(filter))
    }

    /// Refuses what numcodecs does not do, or does in a way that depends on the machine.
    fn check(&self, entry: &CodecEntry) -> Result<(), MetadataError> {
        match self {
            Self::Delta { dtype, astype } if !dtype.sums(*astype) => {
                Err(entry.unsupported(format!("sums of {} and {}", dtype.spell(), astype.spell())))
            }
            Self::FixedScaleOffset { dtype, astype, scale, offset } => {
                let is_number = |of: &NumberType| of.is_float() || of.is_whole();
                if !is_number(dtype) || !is_number(astype) {
                    Err(entry.unsupported("booleans have no scale"))
                } else if scale.value() == 0.0 {
                    Err(entry.unsupported("its scale is 0"))
                } else if !fits(scale, *dtype) || !fits(offset, *dtype) {
                    Err(entry.unsupported("its scale or offset does not fit its dtype"))
                } else {
                    Ok(())
                }
            }
            Self::Quantize { dtype, astype, .. } if !dtype.is_float() || !astype.is_float() => {
                Err(entry.unsupported("it is for floats only"))
            }
            Self::Delta { .. }
            | Self::Quantize { .. }
            | Self::BitRound { .. }
            | Self::AsType { .. }
            | Self::PackBits => Ok(()),
        }
    }

    /// numcodecs' name.
    pub(crate) fn id(&self) -> &'static str {
        match self {
            Self::Delta { .. } => "delta",
            Self::FixedScaleOffset { .. } => "fixedscaleoffset",
            Self::Quantize { .. } => "quantize",
            Self::BitRound { .. } => "bitround",
            Self::AsType { .. } => "astype",
            Self::PackBits => "packbits",
        }
    }

    /// The options as numcodecs writes them.
    pub(crate) fn options(&self) -> Vec<(&'static str, Json)> {
        let spell = |of: &NumberType| Json::text(&of.spell());
        match self {
            Self::Delta { dtype, astype } => vec![("dtype", spell(dtype)), ("astype", spell(astype))],
            Self::FixedScaleOffset { offset, scale, dtype, astype } => vec![
                ("scale", scale.json()),
                ("offset", offset.json()),
                ("dtype", spell(dtype)),
                ("astype", spell(astype)),
            ],
            Self::Quantize { digits, dtype, astype } => {
                vec![("digits", Json::number(*digits)), ("dtype", spell(dtype)), ("astype", spell(astype))]
            }
            Self::BitRound { keepbits } => vec![("keepbits", Json::number(*keepbits))],
            Self::AsType { encode_dtype, decode_dtype } => {
                vec![("encode_dtype", spell(encode_dtype)), ("decode_dtype", spell(decode_dtype))]
            }
            Self::PackBits => Vec::new(),
        }
    }

    /// What it encodes.
    pub(crate) fn input(&self) -> Side {
        match self {
            Self::Delta { dtype, .. } | Self::FixedScaleOffset { dtype, .. } | Self::Quantize { dtype, .. } => {
                Side::Numbers(*dtype)
            }
            Self::AsType { decode_dtype, .. } => Side::Numbers(*decode_dtype),
            Self::BitRound { .. } => Side::Same,
            Self::PackBits => Side::Booleans,
        }
    }

    /// What it makes of that.
    pub(crate) fn output(&self) -> Side {
        match self {
            Self::Delta { astype, .. } | Self::FixedScaleOffset { astype, .. } | Self::Quantize { astype, .. } => {
                Side::Numbers(*astype)
            }
            Self::AsType { encode_dtype, .. } => Side::Numbers(*encode_dtype),
            Self::BitRound { .. } => Side::Same,
            Self::PackBits => Side::Packed,
        }
    }
}

/// Python's whole numbers have to fit the array's type; floats make a float of it.
fn fits(scalar: &Scalar, dtype: NumberType) -> bool {
    let Scalar::Whole(whole) = scalar else { return true };
    let whole = i128::from(*whole);
    let bits = u32::from(dtype.width).saturating_mul(8);
    match dtype.kind {
        NumberKind::Int => {
            let limit = 1_i128 << bits.saturating_sub(1);
            whole >= -limit && whole < limit
        }
        NumberKind::UInt => whole >= 0 && whole < 1_i128 << bits,
        NumberKind::Float | NumberKind::Bool => true,
    }
}

fn number_type(entry: &CodecEntry, key: &str, default: Option<NumberType>) -> Result<NumberType, MetadataError> {
    match entry.given(key) {
        None => default.ok_or_else(|| entry.unsupported(format!("its {key} is missing"))),
        Some(value) => value
            .as_text()
            .and_then(|name| NumberType::parse(&name))
            .ok_or_else(|| entry.unsupported(format!("its {key} {} is no type of numbers", value.compact()))),
    }
}

/// The byte order at one end of a chain's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// No filter says it.
    NotSaid,
    /// Single bytes have none.
    Single,
    Is(Endian),
}

/// The byte orders of what a chain's filters are given and of what they give.
pub(super) fn byte_orders(steps: &[Step]) -> (ByteOrder, ByteOrder) {
    let filters: Vec<&Filter> =
        steps.iter().filter_map(|step| if let Step::Filter(filter) = step { Some(filter) } else { None }).collect();
    let order = |side: Side| match side {
        Side::Numbers(of) => Some(of.endian.map_or(ByteOrder::Single, ByteOrder::Is)),
        Side::Booleans | Side::Packed => Some(ByteOrder::Single),
        Side::Same => None,
    };
    let first = filters.iter().find_map(|filter| order(filter.input()));
    let last = filters.iter().rev().find_map(|filter| order(filter.output()));
    (first.unwrap_or(ByteOrder::NotSaid), last.unwrap_or(ByteOrder::NotSaid))
}
