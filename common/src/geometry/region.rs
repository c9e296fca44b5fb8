//! A region: a box of elements, half-open on every axis.

use serde::{Deserialize, Serialize};

/// A box of elements, half-open on every axis: `start ≤ x < end`. A 0-d region has one element.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region {
    start: Vec<u64>,
    end: Vec<u64>,
}

impl Region {
    /// The region from `start` to `end`. An axis with `end < start` is empty.
    pub fn new(start: Vec<u64>, end: Vec<u64>) -> Self {
        debug_assert_eq!(start.len(), end.len(), "a region has one start and one end per axis");
        Self { start, end }
    }

    /// The whole of an array of `shape`.
    pub fn whole(shape: &[u64]) -> Self {
        Self { start: vec![0; shape.len()], end: shape.to_vec() }
    }

    /// First element per axis.
    pub fn start(&self) -> &[u64] {
        &self.start
    }

    /// One past the last element per axis.
    pub fn end(&self) -> &[u64] {
        &self.end
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.start.len()
    }

    /// Length of one axis; 0 for an axis that the region does not have.
    pub fn length(&self, axis: usize) -> u64 {
        match (self.start.get(axis), self.end.get(axis)) {
            (Some(start), Some(end)) => end.saturating_sub(*start),
            _ => 0,
        }
    }

    /// Length per axis.
    pub fn shape(&self) -> Vec<u64> {
        self.start.iter().zip(&self.end).map(|(start, end)| end.saturating_sub(*start)).collect()
    }

    /// Number of elements, saturating: an array beyond 2^64 elements is refused at the door.
    pub fn element_count(&self) -> u64 {
        (0..self.rank()).fold(1_u64, |product, axis| product.saturating_mul(self.length(axis)))
    }

    /// Whether the region has no element.
    pub fn is_empty(&self) -> bool {
        (0..self.rank()).any(|axis| self.length(axis) == 0)
    }

    /// What both regions have; `None` if that is nothing.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        debug_assert_eq!(self.rank(), other.rank(), "regions of one array");
        let start: Vec<u64> = self.start.iter().zip(&other.start).map(|(a, b)| *a.max(b)).collect();
        let end: Vec<u64> = self.end.iter().zip(&other.end).map(|(a, b)| *a.min(b)).collect();
        let common = Self { start, end };
        (!common.is_empty()).then_some(common)
    }

    /// Whether every element of `other` lies in this region.
    pub fn contains(&self, other: &Self) -> bool {
        other.is_empty()
            || (self.start.iter().zip(&other.start).all(|(a, b)| a <= b)
                && self.end.iter().zip(&other.end).all(|(a, b)| a >= b))
    }

    /// The number of `position` in C order among the positions in this region; `None` outside, or beyond 2^64.
    pub fn number_of(&self, position: &[u64]) -> Option<u64> {
        if position.len() != self.rank() {
            return None;
        }
        position.iter().zip(&self.start).zip(&self.end).try_fold(0_u64, |number, ((at, start), end)| {
            let length = end.checked_sub(*start)?;
            let at = at.checked_sub(*start).filter(|at| *at < length)?;
            number.checked_mul(length)?.checked_add(at)
        })
    }

    /// The same region, counted from `origin`.
    #[must_use]
    pub fn relative_to(&self, origin: &[u64]) -> Self {
        let shift = |x: &[u64]| x.iter().zip(origin).map(|(x, o)| x.saturating_sub(*o)).collect();
        Self { start: shift(&self.start), end: shift(&self.end) }
    }
}
