//! Data types of both formats, as far as rechunk needs them: the width of an element, the surrogate that codecs see,
//! how a fill value is spelt, and the equal in the other format. No element value is ever interpreted, text of variable
//! length neither: it may be no UTF-8.

#[cfg(test)]
mod tests;
mod v2;
mod v3;

use rechunk_common::{layout::ElementType, limits, variable::DESCRIPTOR_BYTES};

use crate::{MetadataError, json::Json};

/// A data type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataType {
    /// What its elements are.
    pub(crate) kind: Kind,
    /// Bytes of one element.
    pub(crate) width: u64,
    /// The byte order that a v2 dtype names; in v3 the `bytes` codec has it.
    pub(crate) endian: Option<Endian>,
    /// As the document spells it.
    pub(crate) text: String,
}

/// What the elements of a data type are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integers.
    Int,
    /// Unsigned integers.
    UInt,
    /// IEEE floats of 2, 4 or 8 bytes.
    Float,
    /// The upper half of a 4-byte float.
    BFloat,
    /// Two floats.
    Complex,
    /// Points in time: 8-byte integers.
    DateTime(TimeUnit),
    /// Spans of time: 8-byte integers.
    TimeDelta(TimeUnit),
    /// Text of a fixed number of 4-byte characters.
    Utf32,
    /// Byte strings filled up with zeros.
    Bytes,
    /// Bytes without meaning.
    Raw,
    /// Fields, one after another.
    Struct(Vec<Field>),
    /// Elements of variable length.
    Variable(Variable),
}

/// What elements of variable length are; each is stored by a codec of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    /// Text, by `vlen-utf8`.
    Text,
    /// Byte strings, by `vlen-bytes`.
    Bytes,
}

impl Variable {
    /// The codec, as both formats call it.
    pub(crate) fn codec(self) -> &'static str {
        match self {
            Self::Text => "vlen-utf8",
            Self::Bytes => "vlen-bytes",
        }
    }

    /// What the codec of this name stores.
    pub(crate) fn of_codec(name: &str) -> Option<Self> {
        [Self::Text, Self::Bytes].into_iter().find(|of| of.codec() == name)
    }
}

/// A field of a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Elements of a field that is an array.
    pub(crate) count: u64,
}

/// A numpy unit of time: `10ms` is 10 and `ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TimeUnit {
    pub(crate) unit: String,
    pub(crate) scale: u64,
}

/// A byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    /// As the `bytes` codec spells it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Little => "little",
            Self::Big => "big",
        }
    }
}

impl DataType {
    fn new(kind: Kind, width: u64, endian: Option<Endian>, text: String) -> Result<Self, MetadataError> {
        if width == 0 {
            return Err(unsupported(text, "its elements have no bytes"));
        }
        if width > limits::MAX_ELEMENT_BYTES {
            return Err(MetadataError::Limit {
                what: "bytes of one element",
                value: width.to_string(),
                limit: limits::MAX_ELEMENT_BYTES,
            });
        }
        Ok(Self { kind, width, endian, text })
    }

    fn variable(of: Variable, text: String) -> Self {
        Self { kind: Kind::Variable(of), width: DESCRIPTOR_BYTES, endian: None, text }
    }

    /// Parses the `dtype` of a `.zarray`. What objects are its `filters` say.
    pub(crate) fn parse_v2(value: &Json, filters: &Json) -> Result<Self, MetadataError> {
        v2::parse(value, filters)
    }

    /// Parses the `data_type` of a `zarr.json`.
    pub(crate) fn parse_v3(value: &Json) -> Result<Self, MetadataError> {
        v3::parse(value)
    }

    /// As a `.zarray` spells it, in the given byte order.
    pub(crate) fn to_v2(&self, endian: Endian) -> Result<Json, MetadataError> {
        v2::spell(self, endian)
    }

    /// As zarr-python spells it in a `zarr.json`.
    pub(crate) fn to_v3(&self) -> Result<Json, MetadataError> {
        v3::spell(self)
    }

    /// Whether the `bytes` codec must name a byte order.
    pub(crate) fn has_byte_order(&self) -> bool {
        match &self.kind {
            Kind::Bool | Kind::Bytes | Kind::Raw | Kind::Struct(_) | Kind::Variable(_) => false,
            Kind::Utf32 => true,
            Kind::Int
            | Kind::UInt
            | Kind::Float
            | Kind::BFloat
            | Kind::Complex
            | Kind::DateTime(_)
            | Kind::TimeDelta(_) => self.width > 1,
        }
    }

    /// What the elements are, where they are of variable length.
    pub(crate) fn of_variable(&self) -> Option<Variable> {
        if let Kind::Variable(of) = &self.kind { Some(*of) } else { None }
    }

    /// Bytes of the elements that compressors see: of single bytes, where elements are of variable length.
    pub(crate) fn compressed_width(&self) -> u64 {
        if self.of_variable().is_some() { 1 } else { self.width }
    }

    /// The type that the codecs see: the same width, and the same components where a byte order can be swapped.
    pub(crate) fn surrogate(&self) -> ElementType {
        let raw = || format!("r{}", self.width.saturating_mul(8));
        let data_type = match &self.kind {
            Kind::Bool
            | Kind::Int
            | Kind::UInt
            | Kind::Float
            | Kind::BFloat
            | Kind::DateTime(_)
            | Kind::TimeDelta(_) => format!("uint{}", self.width.saturating_mul(8)),
            Kind::Complex => format!("complex{}", self.width.saturating_mul(8)),
            // Bytes of one width without an order of their own are cheapest as they are.
            Kind::Utf32 | Kind::Bytes | Kind::Raw | Kind::Struct(_) => raw(),
            Kind::Variable(_) => return ElementType::variable(),
        };
        ElementType { data_type, width: self.width }
    }
}

fn unsupported(data_type: impl Into<String>, problem: impl Into<String>) -> MetadataError {
    MetadataError::UnsupportedDataType { data_type: data_type.into(), problem: problem.into() }
}
