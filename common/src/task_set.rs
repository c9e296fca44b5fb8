//! A set of task indices as runs: a stage whose tasks finish roughly in order costs a few entries however many
//! tasks it has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Consecutive tasks, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskRange {
    /// The first.
    pub start: u64,
    /// One past the last.
    pub end: u64,
}

impl TaskRange {
    /// The range `start..end`; empty where `end ≤ start`.
    pub fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// One task.
    pub fn single(task: u64) -> Self {
        Self { start: task, end: task.saturating_add(1) }
    }

    /// Number of tasks.
    pub fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether `task` is in it.
    pub fn contains(self, task: u64) -> bool {
        self.start <= task && task < self.end
    }

    /// What both have.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let common = Self { start: self.start.max(other.start), end: self.end.min(other.end) };
        (!common.is_empty()).then_some(common)
    }
}

/// A set of task indices.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct TaskSet {
    /// Start to end of each run; runs neither touch nor overlap, and none is empty.
    runs: BTreeMap<u64, u64>,
    len: u64,
}

impl TaskSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of tasks in it.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `task` is in it.
    pub fn contains(&self, task: u64) -> bool {
        self.runs.range(..=task).next_back().is_some_and(|(_, end)| task < *end)
    }

    /// Whether all of `range` is in it.
    pub fn contains_range(&self, range: TaskRange) -> bool {
        range.is_empty() || self.runs.range(..=range.start).next_back().is_some_and(|(_, end)| range.end <= *end)
    }

    /// Adds `range` and says how many of its tasks were new.
    pub fn insert(&mut self, range: TaskRange) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let (mut start, mut end) = (range.start, range.end);
        let mut absorbed: u64 = 0;
        // Runs that touch or overlap: those that start at or before `end` and end at or after `start`.
        while let Some((&run_start, &run_end)) = self.runs.range(..=end).next_back() {
            if run_end < start {
                break;
            }
            self.runs.remove(&run_start);
            absorbed = absorbed.saturating_add(run_end.saturating_sub(run_start));
            start = start.min(run_start);
            end = end.max(run_end);
        }
        self.runs.insert(start, end);
        let new = end.saturating_sub(start).saturating_sub(absorbed);
        self.len = self.len.saturating_add(new);
        new
    }

    /// Takes `range` out and says how many of its tasks were in.
    pub fn remove(&mut self, range: TaskRange) -> u64 {
        if range.is_empty() {
            return 0;
        }
        let mut removed: u64 = 0;
        while let Some((&run_start, &run_end)) = self.runs.range(..range.end).next_back() {
            if run_end <= range.start {
                break;
            }
            self.runs.remove(&run_start);
            removed = removed.saturating_add(run_end.min(range.end).saturating_sub(run_start.max(range.start)));
            if run_end > range.end {
                self.runs.insert(range.end, run_end);
            }
            if run_start < range.start {
                self.runs.insert(run_start, range.start);
            }
        }
        self.len = self.len.saturating_sub(removed);
        removed
    }

    /// The runs, in order.
    pub fn runs(&self) -> impl Iterator<Item = TaskRange> + '_ {
        self.runs.iter().map(|(start, end)| TaskRange { start: *start, end: *end })
    }

    /// The parts of `range` that are not in the set, in order.
    pub fn gaps(&self, range: TaskRange) -> Vec<TaskRange> {
        let mut gaps = Vec::new();
        let mut next = range.start;
        let first = self.runs.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        for (&start, &end) in self.runs.range(first..range.end.max(first)) {
            if start > next {
                gaps.push(TaskRange { start: next, end: start.min(range.end) });
            }
            next = next.max(end);
        }
        if next < range.end {
            gaps.push(TaskRange { start: next, end: range.end });
        }
        gaps
    }
}

impl FromIterator<TaskRange> for TaskSet {
    fn from_iter<I: IntoIterator<Item = TaskRange>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..12), 0..40)) {
            let mut set = TaskSet::new();
            let mut oracle = BTreeSet::new();
            for (insert, start, length) in steps {
                let range = TaskRange::new(start, start + length);
                let before = oracle.len();
                if insert {
                    oracle.extend(range.start..range.end);
                    prop_assert_eq!(set.insert(range), (oracle.len() - before) as u64);
                } else {
                    oracle.retain(|task| !range.contains(*task));
                    prop_assert_eq!(set.remove(range), (before - oracle.len()) as u64);
                }
                prop_assert_eq!(set.len(), oracle.len() as u64);
                let listed: Vec<u64> = set.runs().flat_map(|run| run.start..run.end).collect();
                prop_assert_eq!(&listed, &oracle.iter().copied().collect::<Vec<_>>());
                let runs: Vec<_> = set.runs().collect();
                prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start), "runs touch: {:?}", runs);
                let gaps: Vec<u64> = set.gaps(range).into_iter().flat_map(|gap| gap.start..gap.end).collect();
                let missing: Vec<u64> = (range.start..range.end).filter(|task| !oracle.contains(task)).collect();
                prop_assert_eq!(gaps, missing);
                prop_assert_eq!(set.contains_range(range), (range.start..range.end).all(|task| oracle.contains(&task)));
            }
        }
    }
}
