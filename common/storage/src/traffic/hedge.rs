//! When a read that takes unusually long is sent a second time, so that one slow server does not hold up a task: the
//! first answer counts, and the other request is dropped.
//!
//! Pure. A small share of the reads only: where all of them are slow, a second one would make it worse.

use std::time::Duration;

/// Larger reads are sent once: their time is that of the link, and a second body would need memory of its own.
pub(crate) const MAX_HEDGED_BYTES: u64 = 4 << 20;

/// A read takes unusually long when it takes so many times as long as 95 of 100.
const FACTOR: u32 = 2;

/// And so long at the least: below that a second request gains nothing.
const SHORTEST_WAIT: Duration = Duration::from_millis(25);

/// The price of a second request, in the unit of the budget.
const HEDGE: u64 = 1000;

/// What a read earns: three second requests in a hundred reads.
const EARNED: u64 = 3 * HEDGE / 100;

/// Second requests that may be saved up.
const BURST: u64 = 10;

/// How long to wait for an answer before the second request, where 95 of 100 reads of this size take `usual`.
pub(crate) fn patience(usual: Duration) -> Duration {
    usual.saturating_mul(FACTOR).max(SHORTEST_WAIT)
}

/// The second requests that may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HedgeBudget {
    saved: u64,
}

impl HedgeBudget {
    /// A read is sent.
    pub(crate) fn note_read(&mut self) {
        self.saved = self.saved.saturating_add(EARNED).min(BURST * HEDGE);
    }

    /// Takes a second request, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        let left = self.saved.checked_sub(HEDGE);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_read_is_given_twice_the_usual_time_and_some_milliseconds() {
        assert_eq!(patience(Duration::from_millis(100)), Duration::from_millis(200));
        assert_eq!(patience(Duration::from_micros(300)), SHORTEST_WAIT);
    }

    proptest! {
        #[test]
        fn second_requests_never_pass_three_in_a_hundred_reads(steps in prop::collection::vec(any::<bool>(), 0..3000)) {
            let mut budget = HedgeBudget::default();
            let (mut reads, mut hedges) = (0_u64, 0_u64);
            for is_read in steps {
                if is_read {
                    budget.note_read();
                    reads += 1;
                } else {
                    hedges += u64::from(budget.take());
                }
                prop_assert!(hedges * 100 <= reads * 3, "{hedges} of {reads}");
            }
        }
    }
}
