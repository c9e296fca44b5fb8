//! A grid of boxes over a region: chunks over an array, task regions over a group.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Cut, Edges, Region};

/// `⌈a / b⌉`; 0 where `b` is 0.
pub fn div_ceil(a: u64, b: u64) -> u64 {
    if b == 0 { 0 } else { a.div_ceil(b) }
}

/// Cuts `bounds` into boxes of `lengths`, counted in C order (last axis fastest); boxes at the edges are clipped. Along
/// some axes boxes may differ in length.
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
    /// Where boxes end along axes where they differ, counted from where the grid begins; empty where they do on no axis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edges: Vec<Option<Edges>>,
}

impl BoxGrid {
    /// The grid of boxes of `lengths` (each at least 1) from the start of `bounds`.
    pub fn new(bounds: Region, lengths: Vec<u64>) -> Self {
        debug_assert_eq!(bounds.rank(), lengths.len(), "one length per axis");
        debug_assert!(lengths.iter().all(|length| *length > 0), "a box has a length on every axis");
        Self { bounds, lengths, ahead: Vec::new(), edges: Vec::new() }
    }

    /// The same grid, begun `ahead` of its bounds: by no more than the bounds' own start, so that every box has a place.
    #[must_use]
    pub fn begun_ahead(self, ahead: Vec<u64>) -> Self {
        debug_assert!(ahead.iter().zip(self.bounds.start()).all(|(ahead, start)| ahead <= start), "a box has a place");
        let ahead = if ahead.iter().all(|ahead| *ahead == 0) { Vec::new() } else { ahead };
        Self { ahead, ..self }
    }

    /// The same grid with boxes that end at `edges` along the axes that have some, one entry per axis. They reach to the
    /// end of the bounds at the least.
    #[must_use]
    pub fn cut_at(self, edges: &[Option<Edges>]) -> Self {
        if edges.iter().all(Option::is_none) {
            return self;
        }
        debug_assert_eq!(edges.len(), self.lengths.len(), "an entry per axis");
        let lengths = edges.iter().zip(&self.lengths);
        let lengths = lengths.map(|(edges, length)| edges.as_ref().map_or(*length, Edges::longest)).collect();
        Self { lengths, edges: edges.to_vec(), ..self }
    }

    /// The grid of boxes of equal `lengths` over the same bounds, begun where this one is.
    #[must_use]
    pub fn with_lengths(&self, lengths: Vec<u64>) -> Self {
        Self { lengths, edges: Vec::new(), ..self.clone() }
    }

    /// The chunk grid of an array of `shape`.
    pub fn of_array(shape: &[u64], chunk_shape: &[u64]) -> Self {
        Self::new(Region::whole(shape), chunk_shape.to_vec())
    }

    /// The region that the grid cuts.
    pub fn bounds(&self) -> &Region {
        &self.bounds
    }

    /// Length of a box per axis, unclipped; of the longest where they differ.
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

    /// Where boxes end along `axis`, counted from where the grid begins; `None`: all have one length.
    pub fn edges(&self, axis: usize) -> Option<&Edges> {
        self.edges.get(axis)?.as_ref()
    }

    /// Where boxes end along axes where they differ: an entry per axis, or none at all.
    pub fn all_edges(&self) -> &[Option<Edges>] {
        &self.edges
    }

    /// How the grid cuts `axis`, seen from element `at` of its bounds.
    pub fn cut(&self, axis: usize, at: u64) -> Option<Cut<'_>> {
        let length = *self.lengths.get(axis)?;
        let ahead = at.saturating_sub(self.origin(axis));
        match self.edges(axis) {
            Some(edges) => Some(Cut::unequal(edges, ahead)),
            None => Some(Cut::equal(length, ahead.checked_rem(length)?)),
        }
    }

    /// Elements from where the grid begins to where box `at` does, along `axis`.
    fn offset(&self, axis: usize, at: u64) -> u64 {
        match (self.edges(axis), self.lengths.get(axis)) {
            (Some(edges), _) => edges.start(at),
            (None, length) => at.saturating_mul(length.copied().unwrap_or(1)),
        }
    }

    /// Where box `at` begins and ends along `axis`, unclipped; empty past the last of unequal ones.
    pub fn span(&self, axis: usize, at: u64) -> Range<u64> {
        let origin = self.origin(axis);
        let end = match (self.edges(axis), self.lengths.get(axis)) {
            (Some(edges), _) => edges.end(at),
            (None, length) => self.offset(axis, at).saturating_add(length.copied().unwrap_or(1)),
        };
        origin.saturating_add(self.offset(axis, at))..origin.saturating_add(end)
    }

    /// The boxes along `axis`, by position, that share an element with those from `start` to `end`.
    pub fn along(&self, axis: usize, start: u64, end: u64) -> Range<u64> {
        let origin = self.origin(axis);
        let (from, to) = (start.saturating_sub(origin), end.saturating_sub(origin));
        match (self.edges(axis), self.lengths.get(axis)) {
            (Some(edges), _) => {
                let first = edges.box_of(from);
                first..to.checked_sub(1).map_or(first, |last| edges.box_of(last).saturating_add(1).min(edges.count()))
            }
            (None, length) => {
                let length = length.copied().unwrap_or(1).max(1);
                from.checked_div(length).unwrap_or(0)..div_ceil(to, length)
            }
        }
    }

    /// Position of the first box per axis.
    pub fn first(&self) -> Vec<u64> {
        let of_axis = |axis: usize| {
            let start = self.bounds.start().get(axis).copied().unwrap_or(0);
            self.along(axis, start, start).start
        };
        (0..self.lengths.len()).map(of_axis).collect()
    }

    /// Number of boxes per axis.
    pub fn counts(&self) -> Vec<u64> {
        let of_axis = |axis: usize| {
            let start = self.bounds.start().get(axis).copied().unwrap_or(0);
            self.cut(axis, start).map_or(0, |cut| cut.boxes(self.bounds.length(axis)))
        };
        (0..self.lengths.len()).map(of_axis).collect()
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
        let spans = position.iter().enumerate().map(|(axis, at)| self.span(axis, *at));
        let (start, end) = spans.map(|span| (span.start, span.end)).unzip();
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
        let of_axis = |axis: usize| {
            let at = |ends: &[u64]| ends.get(axis).copied().unwrap_or(0);
            let boxes = self.along(axis, at(common.start()), at(common.end()));
            (boxes.start, boxes.end)
        };
        let (start, end) = (0..self.lengths.len()).map(of_axis).unzip();
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
