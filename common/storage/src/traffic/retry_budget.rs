//! How many retries a store is sent beside the requests themselves: a fifth of them and a burst, so that a store in
//! trouble is not asked several times as much as a sound one.
//!
//! Pure. Time comes in as the time since some start.

use std::time::Duration;

/// The price of a retry, in the unit of the budget.
const RETRY: u64 = 1000;

/// What a request earns: a fifth of a retry.
const EARNED: u64 = RETRY / 5;

/// Retries that may be saved up: a passing fault that hits everything under way at once is retried at once.
pub(crate) const BURST: u64 = 100;

/// What a second earns: one retry, so that a store which refuses everything is still tried, and found when it is
/// back.
const EARNED_PER_SECOND: u64 = RETRY;

/// The budget of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetryBudget {
    saved: u64,
    /// Up to when the seconds are paid.
    paid_until: Duration,
}

impl RetryBudget {
    /// A full one.
    pub(crate) fn new() -> Self {
        Self { saved: BURST * RETRY, paid_until: Duration::ZERO }
    }

    /// A request was sent for the first time.
    pub(crate) fn note_request(&mut self) {
        self.save(EARNED);
    }

    /// A retry succeeded: it costs nothing.
    pub(crate) fn give_back(&mut self) {
        self.save(RETRY);
    }

    /// Takes a retry; where there is none, says when the seconds alone will have earned it.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let unpaid = millis(now.saturating_sub(self.paid_until));
        self.paid_until = self.paid_until.saturating_add(Duration::from_millis(unpaid));
        self.save(unpaid.saturating_mul(EARNED_PER_SECOND) / 1000);
        if let Some(left) = self.saved.checked_sub(RETRY) {
            self.saved = left;
            return Ok(());
        }
        let missing = RETRY - self.saved;
        Err(Duration::from_millis((missing * 1000).div_ceil(EARNED_PER_SECOND)))
    }

    fn save(&mut self, amount: u64) {
        self.saved = self.saved.saturating_add(amount).min(BURST * RETRY);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(budget: &mut RetryBudget, now: Duration) -> u64 {
        std::iter::repeat_with(|| budget.take(now)).take_while(Result::is_ok).count() as u64
    }

    #[test]
    fn a_burst_is_there_and_then_a_fifth_of_the_requests() {
        let mut budget = RetryBudget::new();
        assert_eq!(taken(&mut budget, Duration::ZERO), BURST);
        (0..50).for_each(|_| budget.note_request());
        assert_eq!(taken(&mut budget, Duration::ZERO), 10);
        assert_eq!(budget.take(Duration::ZERO), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_retry_that_succeeds_costs_nothing() {
        let mut budget = RetryBudget::new();
        taken(&mut budget, Duration::ZERO);
        budget.give_back();
        assert_eq!(taken(&mut budget, Duration::ZERO), 1);
    }

    #[test]
    fn without_any_success_one_retry_a_second_is_left() {
        let mut budget = RetryBudget::new();
        taken(&mut budget, Duration::ZERO);
        assert_eq!(budget.take(Duration::from_millis(250)), Err(Duration::from_millis(750)));
        assert_eq!(taken(&mut budget, Duration::from_secs(10)), 10);
    }

    proptest! {
        #[test]
        fn retries_never_pass_a_fifth_of_the_requests_a_burst_and_one_a_second(
            steps in prop::collection::vec((0_u64..400, any::<bool>()), 0..400)
        ) {
            let mut budget = RetryBudget::new();
            let (mut now, mut requests, mut retries) = (Duration::ZERO, 0_u64, 0_u64);
            for (pause, is_request) in steps {
                now += Duration::from_millis(pause);
                if is_request {
                    budget.note_request();
                    requests += 1;
                } else if budget.take(now).is_ok() {
                    retries += 1;
                }
                prop_assert!(retries <= BURST + requests / 5 + now.as_secs() + 1);
            }
        }
    }
}
