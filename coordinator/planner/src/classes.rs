//! Cells along one axis, put together where they lie over the same objects: as many classes as there are objects, at
//! the most twice, however many cells there are. Closed forms inside a class, no enumeration of cells.

use std::ops::Range;

use rechunk_common::geometry::{Cut, pairs};

/// Where cells begin: where a box of one grid does or one of another, and at the start of the bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cuts<'a> {
    one: Cut<'a>,
    other: Cut<'a>,
}

impl<'a> Cuts<'a> {
    /// Boxes of one grid.
    pub(crate) fn of(cut: Cut<'a>) -> Self {
        Self::both(cut, cut)
    }

    /// What two grids cut together.
    pub(crate) fn both(one: Cut<'a>, other: Cut<'a>) -> Self {
        Self { one, other }
    }

    /// Cells that begin before element `end`.
    pub(crate) fn before(self, end: u64) -> Option<u64> {
        pairs(end, self.one, self.other)
    }

    /// Cells that begin from `start` to `end`.
    pub(crate) fn within(self, start: u64, end: u64) -> Option<u64> {
        self.before(end)?.checked_sub(self.before(start)?)
    }

    /// Where the first cell begins that begins at `start` or later.
    fn first_from(self, start: u64) -> Option<u64> {
        [self.one.first_from(start), self.other.first_from(start)].into_iter().flatten().min()
    }

    /// Where the cell of `element` begins.
    fn start_of(self, element: u64) -> u64 {
        self.one.start_of(element).max(self.other.start_of(element))
    }
}

/// Cells that follow one another and lie over the same objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Class {
    /// The objects, counted in the whole array.
    pub(crate) objects: Range<u64>,
    /// Where the first cell begins, from the start of the bounds.
    pub(crate) start: u64,
    /// Where the last cell ends.
    pub(crate) end: u64,
}

/// The classes of the cells of `cuts` over `n` elements, which `objects` cut too; the first object is number `first`.
/// `None` beyond 2^64.
pub(crate) fn along(n: u64, (first, objects): (u64, Cut), cuts: Cuts) -> Option<Vec<Class>> {
    let object_of = |element: u64| first.checked_add(objects.boxes(element.checked_add(1)?).checked_sub(1)?);
    let mut classes = Vec::new();
    for (object, Range { start, end }) in (first..).zip(spans(n, objects)) {
        let Some(first_cell) = cuts.first_from(start).filter(|first| *first < end) else { continue };
        let last = cuts.start_of(end.checked_sub(1)?);
        let last_end = cuts.first_from(last.checked_add(1)?).unwrap_or(n).min(n);
        let inside_end = if last_end > end { last } else { last_end };
        if inside_end > first_cell {
            classes.push(Class { objects: object..object.checked_add(1)?, start: first_cell, end: inside_end });
        }
        if last_end > end {
            let beyond = object_of(last_end.checked_sub(1)?)?.checked_add(1)?;
            classes.push(Class { objects: object..beyond, start: last, end: last_end });
        }
    }
    Some(classes)
}

/// Where each box of `cut` begins and ends among the first `n` elements.
pub(crate) fn spans(n: u64, cut: Cut) -> impl Iterator<Item = Range<u64>> {
    let span = move |start: u64| {
        let next = start.checked_add(1).and_then(|after| cut.first_from(after)).unwrap_or(n).min(n);
        (start < n).then_some(start..next)
    };
    std::iter::successors(span(0), move |before| span(before.end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn classes_hold_every_cell_once_with_its_objects(
            first in 0_u64..40, n in 1_u64..80, length in 1_u64..9, one in (1_u64..12, 0_u64..12), other in (1_u64..12, 0_u64..12),
        ) {
            let bounds = first..first + n;
            let cut = |(length, ahead): (u64, u64)| Cut::equal(length, ahead % length);
            let (one, other) = (cut(one), cut(other));
            let cuts = Cuts::both(one, other);
            let begins = |cut: Cut, at: u64| at == 0 || (at + cut.ahead).is_multiple_of(cut.length);
            let starts: Vec<u64> = (0..n).filter(|at| begins(one, *at) || begins(other, *at)).collect();
            let ends = starts.iter().skip(1).copied().chain([n]);
            let cells: Vec<(u64, u64)> = starts.iter().copied().zip(ends).collect();
            let mut left = cells.iter();
            for class in along(n, (first / length, Cut::equal(length, first % length)), cuts).expect("small") {
                prop_assert_eq!(cuts.within(class.start, class.end), Some(cells.iter().filter(|cell| class.start <= cell.0 && cell.0 < class.end).count() as u64));
                let mut at = class.start;
                while at < class.end {
                    let (start, end) = *left.next().expect("a cell");
                    prop_assert_eq!(start, at);
                    let objects = (start + bounds.start) / length..(end + bounds.start).div_ceil(length);
                    prop_assert_eq!(&objects, &class.objects);
                    at = end;
                }
                prop_assert_eq!(at, class.end);
            }
            prop_assert_eq!(left.next(), None);
        }
    }
}
