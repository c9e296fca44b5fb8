//! Closed forms along one axis of `n` elements: how two regular grids that start together cut it. No enumeration, so
//! that a plan for 10^8 chunks takes as long as one for ten. Knows nothing of memory or cost.

pub(crate) use rechunk_common::geometry::{gcd, lcm, pairs};

/// Boxes of `length` over `n` elements.
pub(crate) fn boxes(n: u64, length: u64) -> u64 {
    n.div_ceil(length.max(1))
}

/// Elements of the units of `unit` that each box of `length` overlaps, summed over the boxes; units count whole, but
/// clipped to `n`. Each boundary of a box strictly inside a unit adds that unit once more.
pub(crate) fn covered(n: u64, unit: u64, length: u64) -> Option<u64> {
    let inside_units = boxes(n, length).checked_sub(boxes(n, lcm(unit, length)))?;
    let last_start = n.checked_div(unit)?.checked_mul(unit)?;
    let last_length = n.checked_sub(last_start)?;
    let inside_last = if last_length == 0 {
        0
    } else {
        boxes(n, length).checked_sub(1)?.checked_sub(last_start.checked_div(length)?)?
    };
    let whole = inside_units.checked_sub(inside_last)?.checked_mul(unit)?;
    n.checked_add(whole)?.checked_add(inside_last.checked_mul(last_length)?)
}

/// The most units of `unit` that one box of `length` overlaps.
pub(crate) fn most_overlapped(n: u64, length: u64, unit: u64) -> u64 {
    let shared = gcd(length, unit);
    length.saturating_sub(shared).div_ceil(unit.max(1)).saturating_add(1).min(boxes(n, unit))
}

/// The product of one figure per axis; `None` beyond 2^64.
pub(crate) fn product(figures: impl IntoIterator<Item = u64>) -> Option<u64> {
    figures.into_iter().try_fold(1_u64, u64::checked_mul)
}

/// The product of `of(axis)` over all axes; `None` beyond 2^64.
pub(crate) fn over_axes(rank: usize, of: impl Fn(usize) -> Option<u64>) -> Option<u64> {
    (0..rank).try_fold(1_u64, |product, axis| product.checked_mul(of(axis)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The units that box `i` overlaps, clipped, as (start, end).
    fn overlapped(n: u64, unit: u64, length: u64, i: u64) -> Vec<(u64, u64)> {
        let (start, end) = (i * length, ((i + 1) * length).min(n));
        (start / unit..end.div_ceil(unit)).map(|u| (u * unit, ((u + 1) * unit).min(n))).collect()
    }

    proptest! {
        #[test]
        fn closed_forms_equal_enumeration(n in 1_u64..200, unit in 1_u64..40, length in 1_u64..60) {
            let per_box: Vec<_> = (0..boxes(n, length)).map(|i| overlapped(n, unit, length, i)).collect();
            let all = per_box.iter().map(|units| units.len() as u64).sum::<u64>();
            prop_assert_eq!(pairs(n, unit, length), Some(all));
            let elements = per_box.iter().flatten().map(|(start, end)| end - start).sum::<u64>();
            prop_assert_eq!(covered(n, unit, length), Some(elements));
            let most = per_box.iter().map(|units| units.len() as u64).max().unwrap_or(0);
            prop_assert!(most <= most_overlapped(n, length, unit));
        }

        #[test]
        fn closed_forms_never_panic(n in any::<u64>(), unit in 1_u64.., length in 1_u64..) {
            let _ = (pairs(n, unit, length), covered(n, unit, length), most_overlapped(n, length, unit));
        }
    }
}
