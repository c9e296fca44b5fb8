//! The box lengths that a search tries along each axis: multiples of a unit, spaced by ratio and balanced, so that
//! the last box is about as long as the others.

use crate::axis;

/// Boxes that a search looks at in all.
const MOST_BOXES: usize = 20_000;

/// Multiples tried along one axis where the other axes have nothing to choose.
const MOST_LENGTHS: u64 = 160;

/// The lengths to try along each axis, ascending.
pub(crate) type Lengths = Vec<Vec<u64>>;

/// Lengths over `n` elements that are multiples of `unit`; those where grids of `unit` and `other` meet included.
fn along_axis(n: u64, unit: u64, other: u64, wanted: u64) -> Vec<u64> {
    let units = axis::boxes(n, unit);
    let balanced = |multiple: u64| units.div_ceil(units.div_ceil(multiple.max(1)).max(1));
    let meeting = axis::lcm(unit, other).checked_div(unit).unwrap_or(u64::MAX);
    let mut multiples = vec![1, units];
    for value in spaced(units, wanted) {
        multiples.push(balanced(value));
        multiples.push(units.div_ceil(value));
        multiples.extend(meeting.checked_mul(value).filter(|multiple| *multiple < units));
    }
    multiples.sort_unstable();
    multiples.dedup();
    multiples.into_iter().map(|multiple| multiple.saturating_mul(unit)).collect()
}

/// About `wanted` numbers from 1 to `most`, each in about the same ratio to the one before.
fn spaced(most: u64, wanted: u64) -> impl Iterator<Item = u64> {
    // `n` steps by the ratio 1 + 1/k pass e^(n/k); ln 2 is about 7/10.
    let octaves = u64::from(most.max(2).ilog2());
    let k = wanted.saturating_mul(10).checked_div(octaves.saturating_mul(7)).unwrap_or(1).max(1);
    std::iter::successors(Some(1_u64), move |value| {
        let step = value.checked_div(k).unwrap_or(1).max(1);
        value.checked_add(step).filter(|next| *next <= most)
    })
}

/// The lengths to try over `extents`, multiples of `units`, with an eye to the grid of `others`.
pub(crate) fn all(extents: &[u64], units: &[u64], others: &[u64]) -> Lengths {
    let open = extents.iter().zip(units).filter(|(n, unit)| n > unit).count();
    let wanted = match open {
        0 | 1 => MOST_LENGTHS,
        2 => 40,
        3 => 12,
        _ => 8,
    };
    let axes = extents.iter().zip(units).zip(others);
    axes.map(|((n, unit), other)| along_axis(*n, *unit, *other, wanted)).collect()
}

/// The same with fewer lengths, until their boxes are few enough to look at every one.
pub(crate) fn thinned(mut lengths: Lengths) -> Lengths {
    let boxes = |lengths: &Lengths| lengths.iter().fold(1_usize, |boxes, axis| boxes.saturating_mul(axis.len()));
    while boxes(&lengths) > MOST_BOXES {
        let Some(longest) = lengths.iter_mut().max_by_key(|axis| axis.len()) else { break };
        let last = longest.len().saturating_sub(1);
        let mut at = 0_usize;
        // Both ends stay as long as there are two.
        longest.retain(|_| {
            let keep = at == 0 || (last > 1 && (at == last || at.is_multiple_of(2)));
            at = at.saturating_add(1);
            keep
        });
    }
    lengths
}

/// Every choice of one index per axis, the last axis fastest.
pub(crate) fn choices(sizes: Vec<usize>) -> impl Iterator<Item = Vec<usize>> {
    let first = (!sizes.contains(&0)).then(|| vec![0_usize; sizes.len()]);
    std::iter::successors(first, move |current| {
        let mut next = current.clone();
        for (index, size) in next.iter_mut().zip(&sizes).rev() {
            *index = index.saturating_add(1);
            if *index < *size {
                return Some(next);
            }
            *index = 0;
        }
        None
    })
}

/// The lengths that `choice` names.
pub(crate) fn chosen(lengths: &Lengths, choice: &[usize]) -> Option<Vec<u64>> {
    lengths.iter().zip(choice).map(|(axis, index)| axis.get(*index).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_multiples_from_one_unit_to_all() {
        let lengths = along_axis(721, 10, 7, 12);
        assert_eq!((lengths.first(), lengths.last()), (Some(&10), Some(&730)));
        assert!(lengths.iter().all(|length| length % 10 == 0) && lengths.is_sorted());
        assert!(lengths.contains(&70), "where both grids meet: {lengths:?}");
        assert!((12..60).contains(&lengths.len()), "{lengths:?}");
        assert!(along_axis(u64::MAX / 2, 1, 999, 12).len() < 300);
    }

    #[test]
    fn every_choice_comes_once() {
        assert_eq!(choices(vec![2, 3]).count(), 6);
        assert_eq!(choices(vec![]).count(), 1);
        assert_eq!(choices(vec![2, 0]).count(), 0);
    }

    #[test]
    fn thinning_ends_whatever_the_rank() {
        for rank in [1, 5, 32] {
            let lengths = thinned(vec![(1..50).collect(); rank]);
            assert!(choices(lengths.iter().map(Vec::len).collect()).count() <= MOST_BOXES);
            assert!(lengths.iter().all(|axis| axis.first() == Some(&1)));
        }
    }
}
