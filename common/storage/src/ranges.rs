//! Which parts of an object are fetched together.
//!
//! Pure arithmetic; sends nothing.

use std::ops::Range;

/// Ranges this near to each other are fetched by one request: at 100 MB/s a gap of this size costs as much time as
/// a request.
pub const MAX_GAP: u64 = 1 << 20;

/// The most that one request fetches by joining ranges; a single longer range is fetched as it is. Bounds what is
/// held beyond what was asked for.
pub const MAX_JOINED: u64 = 64 << 20;

/// The fetches that cover `ranges` (in any order, overlapping or not, none empty), in ascending order.
pub(crate) fn join(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<_> = ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    let mut fetches: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match fetches.last_mut() {
            Some(last) if range.end <= last.end => {}
            Some(last) if range.start <= last.end.saturating_add(MAX_GAP) && range.end - last.start <= MAX_JOINED => {
                last.end = range.end;
            }
            _ => fetches.push(range),
        }
    }
    fetches
}

/// The fetch that covers `range`, by its place in `fetches`, and where `range` stands in it.
pub(crate) fn locate(fetches: &[Range<u64>], range: &Range<u64>) -> Option<(usize, Range<usize>)> {
    let after = fetches.partition_point(|fetch| fetch.start <= range.start);
    let covers = |fetch: &Range<u64>| fetch.start <= range.start && range.end <= fetch.end;
    let index = fetches.get(..after)?.iter().rposition(covers)?;
    let start = fetches.get(index)?.start;
    let place = usize::try_from(range.start - start).ok()?..usize::try_from(range.end - start).ok()?;
    Some((index, place))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn near_ranges_are_joined_and_far_ones_are_not() {
        let gap = MAX_GAP;
        assert_eq!(join(&[0..10, 10 + gap..20 + gap]), [0..20 + gap]);
        assert_eq!(join(&[0..10, 11 + gap..20 + gap]), [0..10, 11 + gap..20 + gap]);
        assert_eq!(join(&[5..9, 0..10, 2..3]), [0..10], "contained ones cost nothing");
        assert_eq!(join(&[0..MAX_JOINED, MAX_JOINED..MAX_JOINED + 1]).len(), 2, "joining is bounded");
        assert_eq!(join(&[0..3 * MAX_JOINED]), [0..3 * MAX_JOINED], "one range is never cut");
        assert_eq!(join(&[]), []);
    }

    proptest! {
        #[test]
        fn every_range_lies_in_one_fetch(ranges in prop::collection::vec((0_u64..1 << 30, 1_u64..1 << 26), 0..40)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let fetches = join(&ranges);
            for range in &ranges {
                let (index, place) = locate(&fetches, range).unwrap();
                prop_assert_eq!(fetches[index].start + place.start as u64, range.start);
                prop_assert_eq!((place.end - place.start) as u64, range.end - range.start);
                prop_assert!(fetches[index].end >= range.end);
            }
        }
    }
}
