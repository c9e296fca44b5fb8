//! A grid of equal boxes over a region: chunks over an array, task regions over a group.

use serde::{Deserialize, Serialize};

use super::{Region, overlap::Cut};

/// `⌈a / b⌉`; 0 where `b` is 0.
pub fn div_ceil(a: u64, b: u64) -> u64 {
    if b == 0 { 0 } else { a.div_ceil(b) }
}

/// Cuts `bounds` into boxes of `lengths`, counted in C order (last axis fastest); boxes at the edges are clipped.
/// The grid of an array's chunks has the whole array as its bounds; the grid of a stage's tasks has a group. Of an array
/// that is copied in part the bounds are that part, and boxes are where they are in the array: the grid begins `ahead`
/// of its bounds. Positions are counted from there; indexes count the boxes that share an element with the bounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoxGrid {
    bounds: Region,
    lengths: Vec<u64>,
    /// Elements from the start of the grid to that of the bounds; empty where that is 0 on every axis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ahead: Vec<u64>,
}

impl BoxGrid {
    /// The grid of boxes of `lengths` (each at least 1) from the start of `bounds`.
    pub fn new(bounds: Region, lengths: Vec<u64>) -> Self {
        debug_assert_eq!(bounds.rank(), lengths.len(), "one length per axis");
        debug_assert!(lengths.iter().all(|length| *length > 0), "a box has a length on every axis");
        Self { bounds, lengths, ahead: Vec::new() }
    }

    /// The same grid, begun `ahead` of its bounds: by no more than the bounds' own start, so that every box has a place.
    #[must_use]
    pub fn begun_ahead(self, ahead: Vec<u64>) -> Self {
        debug_assert!(ahead.iter().zip(self.bounds.start()).all(|(ahead, start)| ahead <= start), "a box has a place");
        let ahead = if ahead.iter().all(|ahead| *ahead == 0) { Vec::new() } else { ahead };
        Self { ahead, ..self }
    }

    /// The grid of boxes of `lengths` over the same bounds, begun where this one is.
    #[must_use]
    pub fn with_lengths(&self, lengths: Vec<u64>) -> Self {
        Self { lengths, ..self.clone() }
    }

    /// The chunk grid of an array of `shape`.
    pub fn of_array(shape: &[u64], chunk_shape: &[u64]) -> Self {
        Self::new(Region::whole(shape), chunk_shape.to_vec())
    }

    /// The region that the grid cuts.
    pub fn bounds(&self) -> &Region {
        &self.bounds
    }

    /// Length of a box per axis, unclipped.
    pub fn lengths(&self) -> &[u64] {
        &self.lengths
    }

    /// Elements from the start of the grid to that of its bounds, along `axis`.
    pub fn ahead(&self, axis: usize) -> u64 {
        self.ahead.get(axis).copied().unwrap_or(0)
    }

    /// Where the grid begins along `axis`.
    pub fn origin(&self, axis: usize) -> u64 {
        self.bounds.start().get(axis).copied().unwrap_or(0).saturating_sub(self.ahead(axis))
    }

    /// How the grid cuts `axis`, seen from element `at` of its bounds.
    pub fn cut(&self, axis: usize, at: u64) -> Option<Cut> {
        let length = *self.lengths.get(axis)?;
        Some(Cut { length, ahead: at.saturating_sub(self.origin(axis)).checked_rem(length)? })
    }

    /// Position of the first box per axis.
    pub fn first(&self) -> Vec<u64> {
        let of_axis = |(axis, length): (usize, &u64)| self.ahead(axis).checked_div(*length).unwrap_or(0);
        self.lengths.iter().enumerate().map(of_axis).collect()
    }

    /// Number of boxes per axis.
    pub fn counts(&self) -> Vec<u64> {
        let of_axis = |(axis, length): (usize, &u64)| {
            let n = self.bounds.length(axis);
            Cut { length: *length, ahead: self.ahead(axis).checked_rem(*length).unwrap_or(0) }.boxes(n)
        };
        self.lengths.iter().enumerate().map(of_axis).collect()
    }

    /// Number of boxes, saturating.
    pub fn len(&self) -> u64 {
        self.counts().into_iter().fold(1_u64, u64::saturating_mul)
    }

    /// Whether the bounds are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Position of box `index` per axis; `None` past the end.
    pub fn position(&self, index: u64) -> Option<Vec<u64>> {
        if index >= self.len() {
            return None;
        }
        let counts = self.counts();
        let mut rest = index;
        let mut position = vec![0; counts.len()];
        for (at, count) in position.iter_mut().zip(&counts).rev() {
            *at = rest.checked_rem(*count)?;
            rest = rest.checked_div(*count)?;
        }
        for (at, first) in position.iter_mut().zip(self.first()) {
            *at = at.checked_add(first)?;
        }
        Some(position)
    }

    /// Index of the box at `position`; `None` outside the grid.
    pub fn index(&self, position: &[u64]) -> Option<u64> {
        let counts = self.counts();
        if position.len() != counts.len() {
            return None;
        }
        position.iter().zip(self.first()).zip(&counts).try_fold(0_u64, |index, ((at, first), count)| {
            let at = at.checked_sub(first).filter(|at| at < count)?;
            index.checked_mul(*count)?.checked_add(at)
        })
    }

    /// Elements of the box at `position`, clipped to the bounds.
    pub fn region_at(&self, position: &[u64]) -> Region {
        let whole = self.unclipped_at(position);
        let start = whole.start().iter().zip(self.bounds.start()).map(|(a, b)| *a.max(b)).collect();
        let end = whole.end().iter().zip(self.bounds.end()).map(|(a, b)| *a.min(b)).collect();
        Region::new(start, end)
    }

    /// Elements of the box at `position` at its full lengths, also where they pass the bounds.
    pub fn unclipped_at(&self, position: &[u64]) -> Region {
        let start: Vec<u64> = position
            .iter()
            .zip(&self.lengths)
            .enumerate()
            .map(|(axis, (at, length))| self.origin(axis).saturating_add(at.saturating_mul(*length)))
            .collect();
        let end = start.iter().zip(&self.lengths).map(|(start, length)| start.saturating_add(*length)).collect();
        Region::new(start, end)
    }

    /// Elements of box `index`, clipped; `None` past the end.
    pub fn region(&self, index: u64) -> Option<Region> {
        self.position(index).map(|position| self.region_at(&position))
    }

    /// The positions, per axis half-open, of the boxes that share an element with `region`.
    pub fn overlapping(&self, region: &Region) -> Region {
        let Some(common) = self.bounds.intersection(region) else {
            return Region::new(vec![0; self.lengths.len()], vec![0; self.lengths.len()]);
        };
        let mut start = Vec::with_capacity(self.lengths.len());
        let mut end = Vec::with_capacity(self.lengths.len());
        for (axis, length) in self.lengths.iter().enumerate() {
            let origin = self.origin(axis);
            let from = common.start().get(axis).copied().unwrap_or(0).saturating_sub(origin);
            let to = common.end().get(axis).copied().unwrap_or(0).saturating_sub(origin);
            start.push(from.checked_div(*length).unwrap_or(0));
            end.push(div_ceil(to, *length));
        }
        Region::new(start, end)
    }

    /// The positions inside `positions` (half-open per axis), in C order.
    pub fn positions(positions: &Region) -> Positions {
        Positions { next: (!positions.is_empty()).then(|| positions.start().to_vec()), within: positions.clone() }
    }
}

/// An odometer over positions, last axis fastest.
#[derive(Debug, Clone)]
pub struct Positions {
    within: Region,
    next: Option<Vec<u64>>,
}

impl Iterator for Positions {
    type Item = Vec<u64>;

    fn next(&mut self) -> Option<Vec<u64>> {
        let current = self.next.take()?;
        let mut following = current.clone();
        let bounds = self.within.start().iter().zip(self.within.end());
        for (at, (start, end)) in following.iter_mut().zip(bounds).rev() {
            *at = at.saturating_add(1);
            if *at < *end {
                self.next = Some(following);
                return Some(current);
            }
            *at = *start;
        }
        Some(current)
    }
}
