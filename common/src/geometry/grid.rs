//! A grid of equal boxes over a region: chunks over an array, task regions over a group.

use serde::{Deserialize, Serialize};

use super::Region;

/// `⌈a / b⌉`; 0 where `b` is 0.
pub fn div_ceil(a: u64, b: u64) -> u64 {
    if b == 0 { 0 } else { a.div_ceil(b) }
}

/// Cuts `bounds` into boxes of `lengths`, counted in C order (last axis fastest); boxes at the far edges are clipped.
/// The grid of an array's chunks has the whole array as its bounds; the grid of a stage's tasks has a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoxGrid {
    bounds: Region,
    lengths: Vec<u64>,
}

impl BoxGrid {
    /// The grid of boxes of `lengths` (each at least 1) from the start of `bounds`.
    pub fn new(bounds: Region, lengths: Vec<u64>) -> Self {
        debug_assert_eq!(bounds.rank(), lengths.len(), "one length per axis");
        debug_assert!(lengths.iter().all(|length| *length > 0), "a box has a length on every axis");
        Self { bounds, lengths }
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

    /// Number of boxes per axis.
    pub fn counts(&self) -> Vec<u64> {
        self.lengths.iter().enumerate().map(|(axis, length)| div_ceil(self.bounds.length(axis), *length)).collect()
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
        Some(position)
    }

    /// Index of the box at `position`; `None` outside the grid.
    pub fn index(&self, position: &[u64]) -> Option<u64> {
        let counts = self.counts();
        if position.len() != counts.len() {
            return None;
        }
        position.iter().zip(&counts).try_fold(0_u64, |index, (at, count)| {
            (at < count).then(|| index.checked_mul(*count)?.checked_add(*at)).flatten()
        })
    }

    /// Elements of the box at `position`, clipped to the bounds.
    pub fn region_at(&self, position: &[u64]) -> Region {
        let whole = self.unclipped_at(position);
        let end = whole.end().iter().zip(self.bounds.end()).map(|(a, b)| *a.min(b)).collect();
        Region::new(whole.start().to_vec(), end)
    }

    /// Elements of the box at `position` at its full lengths, also where they pass the bounds.
    pub fn unclipped_at(&self, position: &[u64]) -> Region {
        let start: Vec<u64> = position
            .iter()
            .zip(&self.lengths)
            .zip(self.bounds.start())
            .map(|((at, length), origin)| origin.saturating_add(at.saturating_mul(*length)))
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
            let origin = self.bounds.start().get(axis).copied().unwrap_or(0);
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
