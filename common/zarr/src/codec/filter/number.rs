//! Numbers on their way from one type to another, exactly as numpy casts and computes them.

use crate::{
    chain::{NumberKind, NumberType},
    dtype::Endian,
    float,
};

/// A number of any type: whole ones as they are, floats as the double that has their value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i128),
    Float(f64),
}

/// The bytes of a number; the first `width` of its type count.
pub(super) type NumberBytes = [u8; 8];

/// Calls with each number of `bytes`.
pub(super) fn each(of: NumberType, bytes: &[u8], mut visit: impl FnMut(Number)) {
    let is_big = of.endian == Some(Endian::Big);
    match (of.kind, of.width) {
        (NumberKind::Bool, _) => bytes.iter().for_each(|byte| visit(Number::Whole(i128::from(*byte != 0)))),
        (NumberKind::Int, 1) => units::<1>(bytes, is_big, |unit| visit(whole(i8::from_le_bytes(unit)))),
        (NumberKind::Int, 2) => units::<2>(bytes, is_big, |unit| visit(whole(i16::from_le_bytes(unit)))),
        (NumberKind::Int, 4) => units::<4>(bytes, is_big, |unit| visit(whole(i32::from_le_bytes(unit)))),
        (NumberKind::Int, _) => units::<8>(bytes, is_big, |unit| visit(whole(i64::from_le_bytes(unit)))),
        (NumberKind::UInt, 1) => units::<1>(bytes, is_big, |unit| visit(whole(u8::from_le_bytes(unit)))),
        (NumberKind::UInt, 2) => units::<2>(bytes, is_big, |unit| visit(whole(u16::from_le_bytes(unit)))),
        (NumberKind::UInt, 4) => units::<4>(bytes, is_big, |unit| visit(whole(u32::from_le_bytes(unit)))),
        (NumberKind::UInt, _) => units::<8>(bytes, is_big, |unit| visit(whole(u64::from_le_bytes(unit)))),
        (NumberKind::Float, 2) => {
            units::<2>(bytes, is_big, |unit| visit(Number::Float(float::of_half(u16::from_le_bytes(unit)))));
        }
        (NumberKind::Float, 4) => {
            units::<4>(bytes, is_big, |unit| visit(Number::Float(of_single(f32::from_le_bytes(unit)))));
        }
        (NumberKind::Float, _) => units::<8>(bytes, is_big, |unit| visit(Number::Float(f64::from_le_bytes(unit)))),
    }
}

fn units<const N: usize>(bytes: &[u8], is_big: bool, mut visit: impl FnMut([u8; N])) {
    for unit in bytes.as_chunks::<N>().0 {
        let mut unit = *unit;
        if is_big {
            unit.reverse();
        }
        visit(unit);
    }
}

fn whole(value: impl Into<i128>) -> Number {
    Number::Whole(value.into())
}

/// The value of a single; a NaN keeps its bits.
fn of_single(single: f32) -> f64 {
    if !single.is_nan() {
        return f64::from(single);
    }
    let payload = u64::from(single.to_bits() & 0x7f_ffff) << 29;
    f64::from_bits(0x7ff0_0000_0000_0000 | payload).copysign(if single.is_sign_negative() { -1.0 } else { 1.0 })
}

/// A single of a double that has its value.
fn to_single(double: f64) -> f32 {
    if !double.is_nan() {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
        return double as f32;
    }
    let payload = u32::try_from((double.to_bits() >> 29) & 0x7f_ffff).unwrap_or_default();
    f32::from_bits(0x7f80_0000 | payload).copysign(if double.is_sign_negative() { -1.0 } else { 1.0 })
}

impl Number {
    /// As numpy casts it; `None` for a float that the whole numbers of the type don't reach, where what numpy gives
    /// depends on the machine.
    pub(super) fn cast(self, from: NumberType, to: NumberType) -> Option<Self> {
        Some(match (to.kind, self) {
            (NumberKind::Bool, Self::Whole(value)) => Self::Whole(i128::from(value != 0)),
            (NumberKind::Bool, Self::Float(value)) => Self::Whole(i128::from(value != 0.0)),
            (NumberKind::Int | NumberKind::UInt, Self::Whole(value)) => Self::Whole(wrap(value, to)),
            (NumberKind::Int | NumberKind::UInt, Self::Float(value)) => {
                // Nothing finite in 2^65 is cut off by the cast, and everything beyond fails the comparison.
                #[expect(clippy::cast_possible_truncation, reason = "checked below")]
                let whole = value.trunc() as i128;
                if value.is_nan() || whole != wrap(whole, to) {
                    return None;
                }
                Self::Whole(whole)
            }
            // Processors make NaNs quiet; halves are cast by numpy's own code, which does not.
            (NumberKind::Float, Self::Float(value))
                if value.is_nan() && from.width != to.width && from.width != 2 && to.width != 2 =>
            {
                Self::Float(f64::from_bits(value.to_bits() | (1 << 51)))
            }
            (NumberKind::Float, number) => Self::Float(round(number, to.width)),
        })
    }

    /// The bytes of a number that has the type.
    pub(super) fn to_bytes(self, of: NumberType) -> NumberBytes {
        let mut bytes = match self {
            Self::Whole(value) => first_eight(value.to_le_bytes()),
            Self::Float(value) => match of.width {
                2 => widened(float::to_half(value).to_le_bytes()),
                4 => widened(to_single(value).to_le_bytes()),
                _ => value.to_le_bytes(),
            },
        };
        if of.endian == Some(Endian::Big) {
            let width = usize::from(of.width);
            bytes.get_mut(..width).into_iter().for_each(<[u8]>::reverse);
        }
        bytes
    }

    /// The double that numpy makes of it.
    pub(super) fn to_double(self) -> f64 {
        round(self, 8)
    }
}

/// The nearest float of `width` bytes, as a double.
pub(super) fn round(number: Number, width: u8) -> f64 {
    match (number, width) {
        (Number::Whole(value), 4) => {
            let single = value as f32;
            f64::from(single)
        }
        // What a half rounds at all, a double has exactly.
        (Number::Whole(value), _) => round_float(value as f64, width),
        (Number::Float(value), width) => round_float(value, width),
    }
}

/// The nearest float of `width` bytes. Of a sum, difference, product or quotient of two floats of that width it is what
/// their own arithmetic gives: a double has more than twice their digits, so that rounding twice is rounding once.
pub(super) fn round_float(value: f64, width: u8) -> f64 {
    match width {
        2 => float::of_half(float::to_half(value)),
        4 => of_single(to_single(value)),
        _ => value,
    }
}

/// A whole number as its type has it: the lower bits.
pub(super) fn wrap(value: i128, to: NumberType) -> i128 {
    let spare = 128_u32.saturating_sub(u32::from(to.width).saturating_mul(8));
    let upper = value.wrapping_shl(spare);
    if to.kind == NumberKind::Int {
        upper.wrapping_shr(spare)
    } else {
        upper.cast_unsigned().wrapping_shr(spare).cast_signed()
    }
}

fn first_eight(bytes: [u8; 16]) -> NumberBytes {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn widened<const N: usize>(bytes: [u8; N]) -> NumberBytes {
    let mut wide = NumberBytes::default();
    wide.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    wide
}
