//! Closed forms along one axis of `n` elements: how two grids cut it. No enumeration where they are regular, so
//! that a plan for 10^8 chunks takes as long as one for ten. Knows nothing of memory or cost.

pub(crate) use rechunk_common::geometry::{covered, gcd, lcm, pairs};

/// Boxes of `length` over `n` elements.
pub(crate) fn boxes(n: u64, length: u64) -> u64 {
    n.div_ceil(length.max(1))
}

/// The most units of `unit` that one box of `length` overlaps.
pub(crate) fn most_overlapped(n: u64, length: u64, unit: u64) -> u64 {
    let shared = gcd(length, unit);
    length.saturating_sub(shared).div_ceil(unit.max(1)).saturating_add(1).min(boxes(n, unit))
}

/// The same where neither grid need begin where the axis does: at the most.
pub(crate) fn most_overlapped_anywhere(n: u64, length: u64, unit: u64) -> u64 {
    length.min(n).saturating_add(unit.saturating_sub(1)).div_ceil(unit.max(1))
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
    use rechunk_common::geometry::Cut;

    use super::*;

    /// The boxes of `cut`, clipped, as (start, end).
    fn clipped(n: u64, cut: Cut) -> Vec<(u64, u64)> {
        let place = |at: u64| (at * cut.length).saturating_sub(cut.ahead).min(n);
        (0..cut.boxes(n)).map(|i| (place(i), place(i + 1))).collect()
    }

    proptest! {
        #[test]
        fn closed_forms_equal_enumeration(
            n in 1_u64..200, unit in 1_u64..40, length in 1_u64..60, ahead in (0_u64..40, 0_u64..60), is_shifted in any::<bool>(),
        ) {
            let ahead = if is_shifted { ahead } else { (0, 0) };
            let (units, boxes) = (Cut::equal(unit, ahead.0 % unit), Cut::equal(length, ahead.1 % length));
            let all_units = clipped(n, units);
            let overlapped = |(start, end): &(u64, u64)| -> Vec<(u64, u64)> {
                all_units.iter().filter(|unit| unit.0 < *end && *start < unit.1).copied().collect()
            };
            let per_box: Vec<_> = clipped(n, boxes).iter().map(overlapped).collect();
            let all = per_box.iter().map(|units| units.len() as u64).sum::<u64>();
            prop_assert_eq!(pairs(n, units, boxes), Some(all));
            let elements = per_box.iter().flatten().map(|(start, end)| end - start).sum::<u64>();
            prop_assert_eq!(covered(n, units, boxes), Some(elements));
            let most = per_box.iter().map(|units| units.len() as u64).max().unwrap_or(0);
            prop_assert!(most <= most_overlapped_anywhere(n, length, unit));
            if !is_shifted {
                prop_assert!(most <= most_overlapped(n, length, unit));
            }
        }

        #[test]
        fn closed_forms_never_panic(n in any::<u64>(), unit in 1_u64.., length in 1_u64..) {
            let _ = (pairs(n, unit, length), covered(n, unit, length), most_overlapped(n, length, unit));
        }
    }
}
