//! Which objects of an array are there: one bit for each chunk or shard of its grid. A listing makes one, a bitmap in
//! the temporary space carries it, planner and workers ask it the same question in the same words:
//! [`Presence::touched`].
//!
//! Knows nothing of keys, stores or how it came about.

use std::ops::Range;

use crate::{
    geometry::{BoxGrid, Region},
    limits::{MAX_LISTED_OBJECTS, MAX_PRESENCE_CELLS},
};

/// The objects that are there, of a grid of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    objects: BoxGrid,
    /// Bit `i % 8` of byte `i / 8` is object `i`, in C order.
    bits: Vec<u8>,
    count: u64,
}

impl Presence {
    /// No object of `objects` is there; `None` where the grid has too many objects to keep a bit for each
    /// ([`MAX_LISTED_OBJECTS`]), or so many axes that questions would take too long.
    pub fn none(objects: BoxGrid) -> Option<Self> {
        let mut cells = 1_u64;
        for count in objects.counts() {
            cells = cells.checked_mul(count.checked_mul(2)?.saturating_sub(1))?;
        }
        if objects.len() > MAX_LISTED_OBJECTS || cells > MAX_PRESENCE_CELLS {
            return None;
        }
        let bytes = usize::try_from(objects.len().div_ceil(8)).ok()?;
        Some(Self { objects, bits: vec![0; bytes], count: 0 })
    }

    /// The objects of `objects` whose bits are set in `bits`; `None` where these are too few or too many, or a bit
    /// stands for no object.
    pub fn of_bits(objects: BoxGrid, bits: Vec<u8>) -> Option<Self> {
        let empty = Self::none(objects)?;
        let beyond = empty.objects.len() % 8;
        let is_clean = beyond == 0 || bits.last().is_none_or(|last| last >> beyond == 0);
        if bits.len() != empty.bits.len() || !is_clean {
            return None;
        }
        let count = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
        Some(Self { bits, count, ..empty })
    }

    /// One bit per object in C order, the first in the lowest bit of the first byte.
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// The grid of objects.
    pub fn objects(&self) -> &BoxGrid {
        &self.objects
    }

    /// The object at `position` is there; one outside of the grid is no object.
    pub fn insert(&mut self, position: &[u64]) {
        let Some(index) = self.objects.index(position) else { return };
        if let Some(byte) = usize::try_from(index / 8).ok().and_then(|at| self.bits.get_mut(at)) {
            let bit = 1 << (index % 8);
            self.count = self.count.saturating_add(u64::from(*byte & bit == 0));
            *byte |= bit;
        }
    }

    /// Whether the object at `position` is there.
    pub fn contains(&self, position: &[u64]) -> bool {
        self.objects.index(position).is_some_and(|index| self.has(index))
    }

    fn has(&self, index: u64) -> bool {
        let byte = usize::try_from(index / 8).ok().and_then(|at| self.bits.get(at));
        byte.is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// How many objects are there.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether all of them are.
    pub fn is_complete(&self) -> bool {
        self.count == self.objects.len()
    }

    /// The position of the first object that is not there.
    pub fn first_absent(&self) -> Option<Vec<u64>> {
        let byte = self.bits.iter().position(|byte| *byte != u8::MAX)?;
        let index = u64::try_from(byte).ok()?.checked_mul(8)?;
        (index..index.saturating_add(8)).find(|index| !self.has(*index)).and_then(|index| self.objects.position(index))
    }

    /// The positions of the objects that are there among those at `positions` (half-open per axis), in C order.
    pub fn present_in(&self, positions: &Region) -> impl Iterator<Item = Vec<u64>> {
        BoxGrid::positions(positions).filter(|position| self.contains(position))
    }

    /// Whether an object that is there shares an element with `region`.
    pub fn overlaps(&self, region: &Region) -> bool {
        self.present_in(&self.objects.overlapping(region)).next().is_some()
    }

    /// The objects along `axis` that share an element with those from `start` to `end`.
    pub fn along(&self, axis: usize, start: u64, end: u64) -> Range<u64> {
        self.objects.along(axis, start, end)
    }

    /// For cells that are a choice of one range of objects per axis: whether any object of the cell is there, in C
    /// order. Costs about as much as the grid of cells or of objects is large, whichever is larger, times the axes.
    pub fn touched(&self, ranges: &[Vec<Range<u64>>]) -> Vec<bool> {
        if ranges.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        let low = |axis: &Vec<Range<u64>>| axis.iter().map(|range| range.start).min().unwrap_or(0);
        let high = |axis: &Vec<Range<u64>>| axis.iter().map(|range| range.end).max().unwrap_or(0);
        let window = Region::new(ranges.iter().map(low).collect(), ranges.iter().map(high).collect());
        if window.is_empty() {
            return vec![false; ranges.iter().fold(1_usize, |cells, axis| cells.saturating_mul(axis.len()))];
        }
        let mut cells = Cells {
            present: BoxGrid::positions(&window).map(|position| self.contains(&position)).collect(),
            lengths: (0..window.rank())
                .map(|axis| usize::try_from(window.length(axis)).unwrap_or(usize::MAX))
                .collect(),
        };
        let grows = |axis: &usize| {
            let (cells, ranges) = (cells.lengths.get(*axis).copied(), ranges.get(*axis).map(Vec::len));
            ranges > cells
        };
        // What shrinks comes first, so that nothing between is larger than need be.
        let (growing, shrinking): (Vec<usize>, Vec<usize>) = (0..ranges.len()).partition(grows);
        for axis in shrinking.into_iter().chain(growing) {
            if let Some(of_axis) = ranges.get(axis) {
                cells = cells.joined(axis, of_axis, window.start().get(axis).copied().unwrap_or(0));
            }
        }
        cells.present
    }
}

/// Cells of a grid, by whether they hold anything.
struct Cells {
    present: Vec<bool>,
    lengths: Vec<usize>,
}

impl Cells {
    /// The cells along `axis` put together by `ranges`, which count from `first`.
    fn joined(&self, axis: usize, ranges: &[Range<u64>], first: u64) -> Self {
        let product = |lengths: &[usize]| lengths.iter().fold(1_usize, |all, length| all.saturating_mul(*length));
        let inner = product(self.lengths.get(axis.saturating_add(1)..).unwrap_or_default());
        let length = self.lengths.get(axis).copied().unwrap_or(1);
        let place = |at: u64| usize::try_from(at.saturating_sub(first)).unwrap_or(usize::MAX);
        let mut present = Vec::new();
        for outer in self.present.chunks(length.saturating_mul(inner).max(1)) {
            for range in ranges {
                let (start, end) = (place(range.start).saturating_mul(inner), place(range.end).saturating_mul(inner));
                let rows = outer.get(start..end.min(outer.len())).unwrap_or_default();
                let from = present.len();
                present.resize(from.saturating_add(inner), false);
                for row in rows.chunks(inner.max(1)) {
                    for (cell, found) in present.iter_mut().skip(from).zip(row) {
                        *cell |= found;
                    }
                }
            }
        }
        let mut lengths = self.lengths.clone();
        if let Some(length) = lengths.get_mut(axis) {
            *length = ranges.len();
        }
        Self { present, lengths }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Per axis: length, object length, and ranges of elements as (start, length).
    type Axis = (u64, u64, Vec<(u64, u64)>);

    fn axes() -> impl Strategy<Value = Vec<Axis>> {
        let range = (0_u64..12, 1_u64..6);
        prop::collection::vec((1_u64..12, 1_u64..5, prop::collection::vec(range, 1..6)), 0..4)
    }

    fn of(axes: &[Axis], pattern: u64) -> Presence {
        let grid = BoxGrid::of_array(
            &axes.iter().map(|axis| axis.0).collect::<Vec<_>>(),
            &axes.iter().map(|axis| axis.1).collect::<Vec<_>>(),
        );
        let mut presence = Presence::none(grid.clone()).expect("small");
        for index in (0..grid.len()).filter(|index| pattern >> (index % 61) & 1 == 1) {
            presence.insert(&grid.position(index).expect("in the grid"));
        }
        presence
    }

    proptest! {
        #[test]
        fn cells_are_touched_by_what_lies_in_them(axes in axes(), pattern in any::<u64>()) {
            let presence = of(&axes, pattern);
            let elements: Vec<Vec<Range<u64>>> = axes
                .iter()
                .map(|(length, _, ranges)| {
                    let clip = |(start, count): &(u64, u64)| start % length..(start % length + count).min(*length);
                    ranges.iter().map(clip).collect()
                })
                .collect();
            let along = |(axis, ranges): (usize, &Vec<Range<u64>>)| {
                ranges.iter().map(|range| presence.along(axis, range.start, range.end)).collect::<Vec<_>>()
            };
            let touched = presence.touched(&elements.iter().enumerate().map(along).collect::<Vec<_>>());
            let cells = Region::whole(&elements.iter().map(|axis| axis.len() as u64).collect::<Vec<_>>());
            let expected: Vec<bool> = BoxGrid::positions(&cells)
                .map(|cell| {
                    let of_axis = cell.iter().zip(&elements).map(|(at, axis)| axis[usize::try_from(*at).expect("small")].clone());
                    let (start, end) = of_axis.map(|range| (range.start, range.end)).unzip();
                    presence.overlaps(&Region::new(start, end))
                })
                .collect();
            prop_assert_eq!(touched, expected);
        }

        #[test]
        fn bits_tell_every_object(axes in axes(), pattern in any::<u64>()) {
            let presence = of(&axes, pattern);
            let grid = presence.objects().clone();
            let set = |index: &u64| pattern >> (index % 61) & 1 == 1;
            prop_assert_eq!(presence.count(), (0..grid.len()).filter(set).count() as u64);
            prop_assert_eq!(presence.first_absent(), (0..grid.len()).find(|index| !set(index)).and_then(|index| grid.position(index)));
            prop_assert_eq!(presence.is_complete(), presence.first_absent().is_none());
            prop_assert_eq!(Presence::of_bits(grid.clone(), presence.bits().to_vec()), Some(presence.clone()));
            let mut longer = presence.bits().to_vec();
            longer.push(0);
            prop_assert_eq!(Presence::of_bits(grid.clone(), longer), None);
            if !grid.len().is_multiple_of(8) {
                let mut beyond = presence.bits().to_vec();
                *beyond.last_mut().expect("a byte") |= 0x80;
                prop_assert_eq!(Presence::of_bits(grid, beyond), None);
            }
        }
    }

    #[test]
    fn a_grid_that_is_too_large_has_no_bits() {
        assert!(Presence::none(BoxGrid::of_array(&[MAX_LISTED_OBJECTS + 1], &[1])).is_none());
        assert!(Presence::none(BoxGrid::of_array(&[MAX_LISTED_OBJECTS], &[1])).is_some());
        assert!(Presence::none(BoxGrid::of_array(&[2; 20], &[1; 20])).is_none(), "3^20 questions");
        assert!(Presence::none(BoxGrid::of_array(&[u64::MAX, u64::MAX], &[1, 1])).is_none());
    }
}
