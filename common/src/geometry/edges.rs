//! An axis that is cut into boxes whose lengths differ: a `rectilinear` chunk grid along one of its axes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_UNEQUAL_BOXES;

/// Where boxes end along an axis, counted from where the grid begins; each has at least one element. Clones share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct Edges {
    ends: Arc<[u64]>,
    longest: u64,
    shortest: u64,
}

impl Edges {
    /// Boxes of `lengths`, one after another; `None` where there is none, one is empty, they end beyond 2^64 or are more
    /// than [`MAX_UNEQUAL_BOXES`].
    pub fn new(lengths: impl IntoIterator<Item = u64>) -> Option<Self> {
        let (mut ends, mut end) = (Vec::new(), 0_u64);
        let (mut longest, mut shortest) = (0, u64::MAX);
        for length in lengths {
            if length == 0 || ends.len() >= MAX_UNEQUAL_BOXES {
                return None;
            }
            end = end.checked_add(length)?;
            ends.push(end);
            (longest, shortest) = (length.max(longest), length.min(shortest));
        }
        (!ends.is_empty()).then(|| Self { ends: ends.into(), longest, shortest })
    }

    /// The same of runs of equal boxes, each a length and how many there are of it.
    pub fn of_runs(runs: &[(u64, u64)]) -> Option<Self> {
        let most = u64::try_from(MAX_UNEQUAL_BOXES).unwrap_or(u64::MAX);
        let count = runs.iter().try_fold(0_u64, |sum, (_, count)| sum.checked_add(*count));
        let lengths = |(length, count): &(u64, u64)| (0..*count).map(|_| *length).collect::<Vec<_>>();
        count.filter(|count| *count <= most).and_then(|_| Self::new(runs.iter().flat_map(lengths)))
    }

    /// Runs of equal boxes, as few as there can be.
    pub fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for length in self.lengths() {
            match runs.last_mut() {
                Some((of_run, count)) if *of_run == length => *count = count.saturating_add(1),
                _ => runs.push((length, 1)),
            }
        }
        runs
    }

    /// Length per box.
    pub fn lengths(&self) -> impl Iterator<Item = u64> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(end, start)| end.saturating_sub(start))
    }

    /// Number of boxes.
    pub fn count(&self) -> u64 {
        u64::try_from(self.ends.len()).unwrap_or(u64::MAX)
    }

    /// Length of the longest box.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// Length of the shortest box.
    pub fn shortest(&self) -> u64 {
        self.shortest
    }

    /// Where the last box ends.
    pub fn total(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The box of element `at`; past the last one their count.
    pub fn box_of(&self, at: u64) -> u64 {
        u64::try_from(self.ends.partition_point(|end| *end <= at)).unwrap_or(u64::MAX)
    }

    /// Where box `index` begins; past the last one where that ends.
    pub fn start(&self, index: u64) -> u64 {
        index.checked_sub(1).map_or(0, |before| self.end(before))
    }

    /// Where box `index` ends; past the last one where that ends.
    pub fn end(&self, index: u64) -> u64 {
        usize::try_from(index).ok().and_then(|at| self.ends.get(at).copied()).unwrap_or_else(|| self.total())
    }

    /// The boxes that have an element from `from` to before `to`, put together one after another while they are at most `most`
    /// long; one that is longer stands alone. And how many elements of the first lie before `from`. `None` where there is
    /// no such box.
    pub fn grouped(&self, from: u64, to: u64, most: u64) -> Option<(Self, u64)> {
        let first = self.box_of(from);
        let mut groups: Vec<u64> = Vec::new();
        let mut at = first;
        while at < self.count() && self.start(at) < to {
            let length = self.end(at).saturating_sub(self.start(at));
            match groups.last_mut() {
                Some(group) if group.saturating_add(length) <= most => *group = group.saturating_add(length),
                _ => groups.push(length),
            }
            at = at.saturating_add(1);
        }
        Some((Self::new(groups)?, from.saturating_sub(self.start(first))))
    }

    /// The boxes that have an element before `end`, each at its whole length; the first one at the least.
    #[must_use]
    pub fn up_to(&self, end: u64) -> Self {
        let most = self.box_of(end.saturating_sub(1)).saturating_add(1);
        let lengths = self.lengths().take(usize::try_from(most).unwrap_or(usize::MAX));
        Self::new(lengths).unwrap_or_else(|| self.clone())
    }

    /// The boxes that have an element from `from` to before `to`, cut off at both, and counted from `from`; `None` where
    /// there is no such box.
    pub fn within(&self, from: u64, to: u64) -> Option<Self> {
        let starts = std::iter::once(from).chain(self.between(from, to));
        let ends = self.between(from, to).chain([to.min(self.total())]);
        Self::new(starts.zip(ends).map(|(start, end)| end.saturating_sub(start)))
    }

    /// Where boxes begin after `from` and before `to`, ascending.
    pub(super) fn between(&self, from: u64, to: u64) -> impl Iterator<Item = u64> {
        let first = self.ends.partition_point(|end| *end <= from);
        self.ends.iter().skip(first).copied().take_while(move |end| *end < to)
    }
}

impl From<Edges> for Vec<(u64, u64)> {
    fn from(edges: Edges) -> Self {
        edges.runs()
    }
}

impl TryFrom<Vec<(u64, u64)>> for Edges {
    type Error = String;

    fn try_from(runs: Vec<(u64, u64)>) -> Result<Self, String> {
        Self::of_runs(&runs).ok_or_else(|| format!("no boxes, an empty one, or more than {MAX_UNEQUAL_BOXES}"))
    }
}
