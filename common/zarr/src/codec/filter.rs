//! numcodecs' filters of elements, between the elements of a chunk and its stored bytes. Here, and nowhere else,
//! elements are numbers.
//!
//! Decoding is what numcodecs does, by bits. Encoding is, too, and checks that every element will be read back as it is:
//! a filter that rounds or narrows is an error where it would change a value, never a loss. Filters whose decoding does
//! nothing (`bitround`, `quantize`) have rounded the values before they were first written, and here do nothing.

mod number;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use number::{Number, NumberBytes, each, round_float, wrap};

use super::length;
use crate::{
    CodecError,
    chain::{Filter, NumberType, Scalar},
};

/// A filter at work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FilterStage {
    codec: &'static str,
    work: Work,
}

#[derive(Debug, Clone, PartialEq)]
enum Work {
    Numbers { input: NumberType, output: NumberType, change: Change },
    PackBits,
}

/// What becomes of a number.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    Cast,
    Delta,
    Scale { offset: Scalar, scale: Scalar },
}

impl FilterStage {
    /// The work of a filter; `None` where it does nothing.
    pub(super) fn new(filter: &Filter) -> Option<Self> {
        let work = match filter {
            Filter::BitRound { .. } => return None,
            Filter::PackBits => Work::PackBits,
            Filter::Quantize { dtype, astype, .. } => cast(*dtype, *astype)?,
            Filter::AsType { encode_dtype, decode_dtype } => cast(*decode_dtype, *encode_dtype)?,
            Filter::Delta { dtype, astype } => Work::Numbers { input: *dtype, output: *astype, change: Change::Delta },
            Filter::FixedScaleOffset { offset, scale, dtype, astype } => {
                let change = Change::Scale { offset: offset.clone(), scale: scale.clone() };
                Work::Numbers { input: *dtype, output: *astype, change }
            }
        };
        Some(Self { codec: filter.id(), work })
    }

    /// Bytes that it makes of `bytes`.
    pub(super) fn encoded_bytes(&self, bytes: u64) -> u64 {
        match &self.work {
            Work::PackBits => bytes.div_ceil(8).saturating_add(1),
            Work::Numbers { input, output, .. } => {
                let elements = bytes.checked_div(u64::from(input.width)).unwrap_or_default();
                elements.saturating_mul(u64::from(output.width))
            }
        }
    }

    /// The `bytes` bytes that were encoded.
    pub(super) fn decode(&self, encoded: &[u8], bytes: u64) -> Result<Bytes, CodecError> {
        let (found, expected) = (length(encoded), self.encoded_bytes(bytes));
        if found != expected {
            return Err(CodecError::DecodedSize { codec: self.codec, found, expected });
        }
        let capacity = usize::try_from(bytes).map_err(|error| self.corrupt(&error.to_string()))?;
        let decoded = match &self.work {
            Work::PackBits => self.unpack(encoded, capacity)?,
            Work::Numbers { input, output, change } => {
                let mut decoded = Vec::with_capacity(capacity);
                let mut back = change.decoder(*input, *output);
                let mut is_whole = true;
                each(*output, encoded, |number| {
                    let value = back.next(number);
                    is_whole &= value.is_some();
                    let value = value.unwrap_or(Number::Whole(0)).to_bytes(*input);
                    decoded.extend_from_slice(unit(&value, *input));
                });
                if !is_whole {
                    return Err(self.corrupt(&format!("a value does not fit into {}", input.spell())));
                }
                decoded
            }
        };
        Ok(Bytes::from(decoded))
    }

    /// The stored bytes of elements; each that matters will be read back as it is.
    pub(super) fn encode(&self, decoded: &[u8], matters: &impl Fn(u64) -> bool) -> Result<Vec<u8>, CodecError> {
        let mut changed = None;
        let mut at = 0_u64;
        // Asked only where something changes, which is seldom.
        let mut check = |is_same: bool| {
            if !is_same && changed.is_none() && matters(at) {
                changed = Some(at);
            }
            at = at.wrapping_add(1);
        };
        let encoded = match &self.work {
            Work::PackBits => {
                for byte in decoded {
                    check(*byte <= 1);
                }
                pack(decoded)
            }
            Work::Numbers { input, output, change } => {
                let room = usize::try_from(self.encoded_bytes(length(decoded))).unwrap_or_default();
                let mut encoded = Vec::with_capacity(room);
                let (mut there, mut back) = (change.encoder(*input, *output), change.decoder(*input, *output));
                let mut originals = decoded.chunks_exact(usize::from(input.width).max(1));
                each(*input, decoded, |number| {
                    let value = there.next(number);
                    let stored = value.unwrap_or(Number::Whole(0));
                    let read = back.next(stored).map(|read| read.to_bytes(*input));
                    let original = originals.next().unwrap_or_default();
                    check(value.is_some() && read.is_some_and(|read| unit(&read, *input) == original));
                    encoded.extend_from_slice(unit(&stored.to_bytes(*output), *output));
                });
                encoded
            }
        };
        match changed {
            None => Ok(encoded),
            Some(element) => Err(CodecError::Changed { codec: self.codec, element }),
        }
    }

    fn corrupt(&self, problem: &str) -> CodecError {
        CodecError::Corrupt { codec: self.codec, problem: problem.to_owned() }
    }

    /// Booleans out of bits, the highest first; the first byte says how many bits are none.
    fn unpack(&self, encoded: &[u8], count: usize) -> Result<Vec<u8>, CodecError> {
        let (padding, packed) = encoded.split_first().ok_or_else(|| self.corrupt("empty"))?;
        let bits = packed.len().saturating_mul(8);
        if bits.checked_sub(usize::from(*padding)) != Some(count) {
            return Err(self.corrupt(&format!("{padding} bits of padding for {count} booleans")));
        }
        let bits = packed.iter().flat_map(|byte| (0..8_u32).rev().map(move |bit| (byte >> bit) & 1));
        let mut decoded: Vec<u8> = Vec::with_capacity(count);
        decoded.extend(bits.take(count));
        Ok(decoded)
    }
}

fn pack(decoded: &[u8]) -> Vec<u8> {
    let padding = decoded.len().next_multiple_of(8).saturating_sub(decoded.len());
    let mut encoded = Vec::with_capacity(decoded.len().div_ceil(8).saturating_add(1));
    encoded.push(u8::try_from(padding).unwrap_or_default());
    encoded.extend(decoded.chunks(8).map(|booleans| {
        booleans.iter().zip((0..8_u32).rev()).fold(0_u8, |byte, (boolean, bit)| byte | (u8::from(*boolean != 0) << bit))
    }));
    encoded
}

fn cast(input: NumberType, output: NumberType) -> Option<Work> {
    (input != output).then_some(Work::Numbers { input, output, change: Change::Cast })
}

fn unit(bytes: &NumberBytes, of: NumberType) -> &[u8] {
    bytes.get(..usize::from(of.width)).unwrap_or_default()
}

/// One direction of a change, from one number to the next.
struct Walk<'c> {
    change: &'c Change,
    input: NumberType,
    output: NumberType,
    is_encoding: bool,
    /// The decoded number before.
    last: Option<Number>,
}

impl Change {
    fn encoder(&self, input: NumberType, output: NumberType) -> Walk<'_> {
        Walk { change: self, input, output, is_encoding: true, last: None }
    }

    fn decoder(&self, input: NumberType, output: NumberType) -> Walk<'_> {
        Walk { change: self, input, output, is_encoding: false, last: None }
    }
}

impl Walk<'_> {
    fn next(&mut self, number: Number) -> Option<Number> {
        match (self.change, self.is_encoding) {
            (Change::Cast, true) => number.cast(self.input, self.output),
            (Change::Cast, false) => number.cast(self.output, self.input),
            (Change::Delta, true) => {
                let last = self.last.replace(number);
                last.map_or(number, |last| combine(number, last, self.input, Sign::Minus)).cast(self.input, self.output)
            }
            (Change::Delta, false) => {
                let step = number.cast(self.output, self.input)?;
                let sum = self.last.map_or(step, |last| combine(last, step, self.input, Sign::Plus));
                self.last = Some(sum);
                Some(sum)
            }
            (Change::Scale { offset, scale }, true) => {
                scaled(number, offset, scale, self.input).cast(self.input, self.output)
            }
            (Change::Scale { offset, scale }, false) => {
                let width = if self.output.is_float() { self.output.width } else { 8 };
                let quotient = round_float(number.to_double() / round_float(scale.value(), width), width);
                let value = round_float(quotient + round_float(offset.value(), width), width);
                Number::Float(value).cast(self.output, self.input)
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Sign {
    Plus,
    Minus,
}

/// A sum or difference in the arithmetic of a type.
fn combine(left: Number, right: Number, of: NumberType, sign: Sign) -> Number {
    if let (Number::Whole(left), Number::Whole(right)) = (left, right) {
        let value = match sign {
            Sign::Plus => left.wrapping_add(right),
            Sign::Minus => left.wrapping_sub(right),
        };
        return Number::Whole(wrap(value, of));
    }
    let (left, right) = (left.to_double(), right.to_double());
    let value = match sign {
        Sign::Plus => left + right,
        Sign::Minus => left - right,
    };
    Number::Float(round_float(value, of.width))
}

/// `(x - offset) * scale`, rounded to the nearest whole number, ties to even. Python's whole numbers leave whole numbers
/// whole; a float anywhere makes doubles of them.
fn scaled(number: Number, offset: &Scalar, scale: &Scalar, of: NumberType) -> Number {
    if let Number::Whole(value) = number {
        let shifted = match offset {
            Scalar::Whole(offset) => Number::Whole(wrap(value.wrapping_sub(i128::from(*offset)), of)),
            Scalar::Float { value: offset, .. } => Number::Float(number.to_double() - offset),
        };
        return match (shifted, scale) {
            (Number::Whole(shifted), Scalar::Whole(scale)) => {
                Number::Whole(wrap(shifted.wrapping_mul(i128::from(*scale)), of))
            }
            (shifted, scale) => Number::Float((shifted.to_double() * scale.value()).round_ties_even()),
        };
    }
    let width = of.width;
    let shifted = round_float(number.to_double() - round_float(offset.value(), width), width);
    let product = round_float(shifted * round_float(scale.value(), width), width);
    Number::Float(product.round_ties_even())
}
