//! How much of its read units a task of a direct sweep takes, where it moves only a part of each. Estimates: they decide
//! between plans, and no count of a plan depends on them.
//!
//! - Of a chunk that is stored as its elements are, a task reads from the first to the last element that it moves.
//! - Of an array that the page cache can hold, local files that are read again come out of memory.

use rechunk_common::cost_profile::StoreKind;

use crate::{array::Array, cost::Fleet};

/// What the page cache of a machine is taken to hold of a source, in stored bytes.
const CACHED_BYTES: f64 = (4_u64 << 30) as f64;

/// What reading cached bytes takes, as a part of reading them from a disk.
const CACHED_PART: f64 = 0.35;

/// What all tasks together take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Taken {
    /// Decoded bytes, as often as they are read.
    pub(crate) read: f64,
    /// Stored bytes over the link, cached ones by what they take.
    pub(crate) stored: f64,
}

impl Taken {
    /// By tasks that meet a read unit `units` times, of which `covered` bytes lie in the array; along each axis they move
    /// `used` elements of a unit, on the average.
    pub(crate) fn of(array: &Array, fleet: &Fleet, units: f64, covered: f64, used: &[f64]) -> Self {
        let is_local = fleet.basis.source.kind == StoreKind::Local;
        let stored_part = array.source_codec.stored_part();
        let read = if array.is_source_raw {
            (units * span(array.source.unit, used) * array.source.width as f64).min(covered)
        } else {
            covered
        };
        let (stored, once) = (read * stored_part, array.bytes as f64 * stored_part);
        let is_cached = is_local && once <= CACHED_BYTES;
        let again = (stored - once).max(0.0);
        let stored = if is_cached { stored - again * (1.0 - CACHED_PART) } else { stored };
        Self { read, stored }
    }
}

/// From the first to past the last of `used` elements along each axis of a buffer of `unit`, in C order.
fn span(unit: &[u64], used: &[f64]) -> f64 {
    let mut stride = 1.0;
    let mut span = 1.0;
    for (length, used) in unit.iter().zip(used).rev() {
        span += (used - 1.0).max(0.0) * stride;
        stride *= *length as f64;
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reaches_from_the_first_to_the_last_element() {
        let cases: [(&[u64], &[f64], f64, &str); 5] = [
            (&[4, 8], &[4.0, 8.0], 32.0, "all of it"),
            (&[4, 8], &[1.0, 3.0], 3.0, "a run of a row"),
            (&[4, 8], &[2.0, 8.0], 16.0, "whole rows"),
            (&[4, 8], &[2.0, 3.0], 11.0, "parts of two rows, and what lies between them"),
            (&[], &[], 1.0, "the one element there is"),
        ];
        for (unit, used, expected, what) in cases {
            assert!((span(unit, used) - expected).abs() < 1e-9, "{what}: {}", span(unit, used));
        }
    }
}
