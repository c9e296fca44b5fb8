//! The types of numbers that filters compute in, as numpy spells them.

use crate::dtype::Endian;

/// A type of numbers as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberType {
    pub(crate) kind: NumberKind,
    /// 1, 2, 4 or 8.
    pub(crate) width: u8,
    /// `None` for single bytes.
    pub(crate) endian: Option<Endian>,
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberKind {
    Bool,
    Int,
    UInt,
    Float,
}

impl NumberType {
    /// From `<f4`, `f4`, `float32`, `|u1`, `bool`; a missing byte order is the machine's, little.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (order, rest) = match name.chars().next()? {
            order @ ('<' | '>' | '|' | '=') => (order, name.get(1..)?),
            _ => ('=', name),
        };
        let (kind, width) = match rest {
            "b1" | "?" | "bool" => (NumberKind::Bool, 1),
            "i1" | "int8" => (NumberKind::Int, 1),
            "i2" | "int16" => (NumberKind::Int, 2),
            "i4" | "int32" => (NumberKind::Int, 4),
            "i8" | "int64" => (NumberKind::Int, 8),
            "u1" | "uint8" => (NumberKind::UInt, 1),
            "u2" | "uint16" => (NumberKind::UInt, 2),
            "u4" | "uint32" => (NumberKind::UInt, 4),
            "u8" | "uint64" => (NumberKind::UInt, 8),
            "f2" | "float16" => (NumberKind::Float, 2),
            "f4" | "float32" => (NumberKind::Float, 4),
            "f8" | "float64" => (NumberKind::Float, 8),
            _ => return None,
        };
        let endian = if order == '>' { Endian::Big } else { Endian::Little };
        Some(Self { kind, width, endian: (width > 1).then_some(endian) })
    }

    /// As numpy spells it: `<f4`.
    pub(crate) fn spell(self) -> String {
        let order = match self.endian {
            None => '|',
            Some(Endian::Little) => '<',
            Some(Endian::Big) => '>',
        };
        let letter = match self.kind {
            NumberKind::Bool => 'b',
            NumberKind::Int => 'i',
            NumberKind::UInt => 'u',
            NumberKind::Float => 'f',
        };
        format!("{order}{letter}{}", self.width)
    }

    /// Whether the type is a float.
    pub(crate) fn is_float(self) -> bool {
        self.kind == NumberKind::Float
    }

    /// Whether the type is a whole number.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self.kind, NumberKind::Int | NumberKind::UInt)
    }

    /// Whether numpy adds numbers of `other` to numbers of this type in this type: its own wider or mixed types would
    /// round differently.
    pub(crate) fn sums(self, other: Self) -> bool {
        match (self.kind, other.kind) {
            (NumberKind::Int | NumberKind::UInt, NumberKind::Int | NumberKind::UInt) => {
                // Whole numbers wrap alike at any width; only 64 bits of both signs meet in a float.
                let mixed = self.kind != other.kind;
                let unsigned = if self.kind == NumberKind::UInt { self.width } else { other.width };
                !(mixed && unsigned == 8)
            }
            (NumberKind::Float, NumberKind::Int | NumberKind::UInt) => self.width == 8 || other.width < self.width,
            (NumberKind::Float, NumberKind::Float) => other.width <= self.width,
            (NumberKind::Bool, _) | (_, NumberKind::Bool) | (NumberKind::Int | NumberKind::UInt, NumberKind::Float) => {
                false
            }
        }
    }
}
