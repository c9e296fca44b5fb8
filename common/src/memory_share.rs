//! How the resident set that a worker process may have is shared out between the process itself and its tasks. The
//! coordinator plans by it, the worker admits by it.

use crate::ByteCount;

/// What a process may hold, part by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShare {
    /// Taken by the process itself: code, connections, threads, codecs at work.
    pub reserve: ByteCount,
    /// For tasks, all together.
    pub budget: ByteCount,
    /// The limit is below twice the reserve: it bounds the data buffers, and the process takes its reserve besides.
    pub bounds_buffers_only: bool,
}

impl MemoryShare {
    /// Of a limit of `max_mem` nine tenths, since allocators keep some, less the `reserve`.
    pub fn of(max_mem: ByteCount, reserve: ByteCount) -> Self {
        let usable = max_mem.0.saturating_sub(max_mem.0.div_ceil(10));
        let bounds_buffers_only = max_mem.0 < reserve.0.saturating_mul(2);
        let budget = if bounds_buffers_only { usable } else { usable.saturating_sub(reserve.0) };
        Self { reserve, budget: ByteCount(budget), bounds_buffers_only }
    }

    /// The limit that leaves `budget` beside `reserve`.
    pub fn limit_for(budget: ByteCount, reserve: ByteCount) -> ByteCount {
        let usable = budget.0.saturating_add(reserve.0);
        ByteCount(usable.saturating_add(usable.div_ceil(9)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_get_nine_tenths_less_the_reserve() {
        let share = MemoryShare::of(ByteCount(1000), ByteCount(100));
        assert_eq!((share.budget, share.bounds_buffers_only), (ByteCount(800), false));
    }

    #[test]
    fn below_twice_the_reserve_the_limit_bounds_the_buffers_only() {
        let share = MemoryShare::of(ByteCount(199), ByteCount(100));
        assert_eq!((share.budget, share.bounds_buffers_only), (ByteCount(179), true));
    }

    #[test]
    fn the_limit_for_a_budget_leaves_at_least_that_budget() {
        for budget in [0, 1, 7, 1_000_003, 1 << 40] {
            let limit = MemoryShare::limit_for(ByteCount(budget), ByteCount(0));
            assert!(MemoryShare::of(limit, ByteCount(0)).budget.0 >= budget, "{budget}");
        }
    }
}
