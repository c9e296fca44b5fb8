//! Whether a lease moves: counted wherever a task of it hears of a store, told with every call. Knows no time: the
//! coordinator decides how long a lease may stand still.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The movement of one lease. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    own: Arc<AtomicU64>,
    /// Tasks of the lease that have what they need to run.
    running: Arc<AtomicU64>,
    /// Of all leases of the worker.
    all: Arc<AtomicU64>,
}

/// A task that runs, until this is dropped.
pub(crate) struct RunningTask(Arc<AtomicU64>);

impl Drop for RunningTask {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Progress {
    /// Of another lease of the same worker.
    pub(crate) fn of_another(&self) -> Self {
        Self { all: Arc::clone(&self.all), ..Self::default() }
    }

    /// Something moved.
    pub(crate) fn note(&self) {
        self.own.fetch_add(1, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
    }

    /// A task of the lease has what it needs to run.
    pub(crate) fn begin(&self) -> RunningTask {
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningTask(Arc::clone(&self.running))
    }

    /// Another number whenever the lease has moved. One whose tasks all wait for a slot, memory or disk moves with the
    /// tasks that it waits for.
    pub(crate) fn count(&self) -> u64 {
        let waits = self.running.load(Ordering::Relaxed) == 0;
        if waits { &self.all } else { &self.own }.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_runs_moves_by_itself_and_one_that_waits_with_the_others() {
        let hung = Progress::default();
        let (busy, waiting) = (hung.of_another(), hung.of_another());
        let _tasks = (hung.begin(), busy.begin());
        let before = [&hung, &busy, &waiting].map(Progress::count);
        busy.note();
        let after = [&hung, &busy, &waiting].map(Progress::count);
        assert_eq!(before[0], after[0]);
        assert!(before[1] != after[1] && before[2] != after[2], "{before:?} {after:?}");
    }
}
