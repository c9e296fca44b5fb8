//! Tasks that are to be leased again: from when on, and where not.

use std::collections::BTreeMap;

use rechunk_common::{ids::WorkerId, task_set::TaskRange};

use crate::event::Timestamp;

/// Why and how a range waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Waiting {
    /// The worker on which the task failed and others may not.
    pub(crate) not_on: Option<WorkerId>,
    /// It may have run before.
    pub(crate) was_tried: bool,
}

/// Ranges that wait, by the moment from which they may be leased. Each is leased by itself, never joined with others:
/// so halves of a poisonous lease stay halves.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct WaitingTasks {
    /// (due, first task) → (one past the last task, the rest).
    ranges: BTreeMap<(Timestamp, u64), (u64, Waiting)>,
    len: u64,
}

impl WaitingTasks {
    /// Number of tasks.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a range that is not in it yet.
    pub(crate) fn push(&mut self, due: Timestamp, tasks: TaskRange, waiting: Waiting) {
        if !tasks.is_empty() {
            self.len = self.len.saturating_add(tasks.len());
            self.ranges.insert((due, tasks.start), (tasks.end, waiting));
        }
    }

    /// Number of tasks that may be leased.
    pub(crate) fn due_tasks(&self, now: Timestamp) -> u64 {
        let due = self.ranges.range(..=(now, u64::MAX)).map(|((_, start), (end, _))| end.saturating_sub(*start));
        due.fold(0, u64::saturating_add)
    }

    /// When the first range may be leased.
    pub(crate) fn first_due(&self) -> Option<Timestamp> {
        self.ranges.keys().next().map(|(due, _)| *due)
    }

    /// When the first range that may not be leased yet may be.
    pub(crate) fn first_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.ranges.range((now.after_ms(1), 0)..).next().map(|((due, _), _)| *due)
    }

    /// The first range that is due and that `allows` lets pass.
    pub(crate) fn find_due(&self, now: Timestamp, allows: impl Fn(&Waiting) -> bool) -> Option<(Timestamp, u64)> {
        self.ranges.range(..=(now, u64::MAX)).find(|(_, (_, waiting))| allows(waiting)).map(|(key, _)| *key)
    }

    /// Takes at most `most` tasks from the front of the range at `key`.
    pub(crate) fn take(&mut self, key: (Timestamp, u64), most: u64) -> Option<(TaskRange, Waiting)> {
        let (end, waiting) = self.ranges.remove(&key)?;
        let cut = end.min(key.1.saturating_add(most.max(1)));
        if cut < end {
            self.ranges.insert((key.0, cut), (end, waiting.clone()));
        }
        let tasks = TaskRange::new(key.1, cut);
        self.len = self.len.saturating_sub(tasks.len());
        Some((tasks, waiting))
    }

    /// Takes `tasks` out, wherever they are.
    pub(crate) fn remove(&mut self, tasks: TaskRange) {
        if self.is_empty() {
            return;
        }
        let touched: Vec<(Timestamp, u64)> = self
            .ranges
            .iter()
            .filter(|((_, start), (end, _))| TaskRange::new(*start, *end).intersection(tasks).is_some())
            .map(|(key, _)| *key)
            .collect();
        for key in touched {
            let Some((end, waiting)) = self.ranges.remove(&key) else { continue };
            self.len = self.len.saturating_sub(end.saturating_sub(key.1));
            self.push(key.0, TaskRange::new(key.1, tasks.start.min(end)), waiting.clone());
            self.push(key.0, TaskRange::new(tasks.end.max(key.1), end), waiting);
        }
    }

    /// Whether every task of `tasks` is in it.
    pub(crate) fn covers(&self, tasks: TaskRange) -> bool {
        let covered: u64 = self.ranges().filter_map(|range| range.intersection(tasks)).map(TaskRange::len).sum();
        covered >= tasks.len()
    }

    /// The ranges, by due time.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = TaskRange> + '_ {
        self.ranges.iter().map(|((_, start), (end, _))| TaskRange::new(*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_is_taken_out_leaves_both_its_ends() {
        let mut waiting = WaitingTasks::default();
        waiting.push(Timestamp(5), TaskRange::new(0, 10), Waiting::default());
        waiting.remove(TaskRange::new(3, 5));
        assert_eq!(waiting.ranges().collect::<Vec<_>>(), vec![TaskRange::new(0, 3), TaskRange::new(5, 10)]);
        assert_eq!(waiting.len(), 8);
        assert!(waiting.covers(TaskRange::new(5, 10)));
        assert!(!waiting.covers(TaskRange::new(2, 4)));
    }

    #[test]
    fn a_range_longer_than_a_lease_is_taken_in_parts() {
        let mut waiting = WaitingTasks::default();
        waiting.push(Timestamp(5), TaskRange::new(0, 10), Waiting::default());
        assert_eq!(waiting.find_due(Timestamp(4), |_| true), None);
        let key = waiting.find_due(Timestamp(5), |_| true).expect("due");
        assert_eq!(waiting.take(key, 4).map(|(tasks, _)| tasks), Some(TaskRange::new(0, 4)));
        assert_eq!(waiting.ranges().collect::<Vec<_>>(), vec![TaskRange::new(4, 10)]);
    }
}
