//! Groups: along an axis the grids of source objects and target objects meet at multiples of their least common
//! multiple, so that what lies between depends on nothing outside. Each group of an exchange is a pipeline of its own.

use crate::{
    array::Array,
    axis::{self, over_axes, product},
};

/// Pipelines of one array at the most: more of them gain nothing and each is journaled.
const MOST_GROUPS: u64 = 1024;

/// A group is worth scheduling when it holds this many tasks of the whole budget.
const TASKS_WORTH_A_GROUP: u64 = 4;

/// The grid of groups of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    /// Length of a group per axis, at most the array's.
    pub(crate) lengths: Vec<u64>,
    /// Decoded bytes of the largest group.
    pub(crate) bytes: u64,
}

impl Groups {
    /// As many groups as are worth scheduling, at most `most`, each within `temp_limit` where that is possible.
    pub(crate) fn of(array: &Array, budget: u64, temp_limit: Option<u64>, most: u64) -> Option<Self> {
        let mut lengths = lengths(array)?;
        let most = most.clamp(1, MOST_GROUPS);
        let worth = budget.saturating_mul(TASKS_WORTH_A_GROUP).min(temp_limit.unwrap_or(u64::MAX));
        loop {
            let groups = Self::with(array, lengths.clone())?;
            let count = groups.count(array)?;
            let too_small = groups.bytes < worth && groups.bytes.saturating_mul(2) <= temp_limit.unwrap_or(u64::MAX);
            if count <= 1 || (count <= most && !too_small) {
                return Some(groups);
            }
            // The axis with the most groups halves them.
            let along = |axis: usize| Some(axis::boxes(*array.shape.get(axis)?, *lengths.get(axis)?));
            let axis = (0..array.rank()).max_by_key(|axis| along(*axis))?;
            let (n, before) = (*array.shape.get(axis)?, along(axis)?);
            let merged = before.div_ceil(before.div_ceil(2));
            let length = lengths.get_mut(axis)?;
            *length = length.checked_mul(merged)?.min(n);
        }
    }

    /// The smallest groups there are.
    pub(crate) fn smallest(array: &Array) -> Option<Self> {
        Self::with(array, lengths(array)?)
    }

    fn with(array: &Array, lengths: Vec<u64>) -> Option<Self> {
        let bytes = product(lengths.iter().copied())?.checked_mul(array.source.width)?;
        Some(Self { lengths, bytes })
    }

    /// Number of groups.
    pub(crate) fn count(&self, array: &Array) -> Option<u64> {
        over_axes(array.rank(), |axis| Some(axis::boxes(*array.shape.get(axis)?, *self.lengths.get(axis)?)))
    }

    /// Sum over the groups along one axis of a figure of their length: all but the last are alike.
    pub(crate) fn sum(&self, array: &Array, axis: usize, figure: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let (n, length) = (*array.shape.get(axis)?, *self.lengths.get(axis)?);
        let full = n.checked_sub(1)?.checked_div(length)?;
        let last = n.checked_sub(full.checked_mul(length)?)?;
        let of_full = if full == 0 { 0 } else { figure(length)?.checked_mul(full)? };
        of_full.checked_add(figure(last)?)
    }
}

/// Where the grids of both sides' objects meet, per axis. Where they do not begin together they are not asked.
fn lengths(array: &Array) -> Option<Vec<u64>> {
    let meeting = |axis| {
        let (n, _, read, write) = array.axis(axis)?;
        Some(if array.shifted.has(axis) { n } else { axis::lcm(read, write).min(n) })
    };
    (0..array.rank()).map(meeting).collect()
}
