//! How often and how soon a request is sent again: exponential backoff with full jitter, within a budget.
//!
//! Sends nothing itself; `object_store`'s own retries are off. Random numbers come in by parameter, except
//! `random`, which draws one.

use std::{
    hash::{BuildHasher, Hasher},
    time::Duration,
};

/// The upper end of the first delay: about one round trip to a far region, so that one lost packet costs little.
pub const BASE_DELAY: Duration = Duration::from_millis(100);

/// The upper end of every delay: S3 lifts throttling within seconds, and a longer pause only idles a worker.
pub const MAX_DELAY: Duration = Duration::from_secs(10);

/// Attempts of one request: with the delays above they span about 30 s, longer than a server's restart.
pub const MAX_ATTEMPTS: u32 = 10;

/// Time for all attempts of one request: beyond that another worker has a better chance than we have.
pub const MAX_ELAPSED: Duration = Duration::from_mins(3);

/// When a request that failed in passing is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The upper end of the first delay.
    pub base_delay: Duration,
    /// The upper end of every delay.
    pub max_delay: Duration,
    /// Attempts of one request, the first included.
    pub max_attempts: u32,
    /// Time for all attempts of one request; no attempt starts after it.
    pub max_elapsed: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { base_delay: BASE_DELAY, max_delay: MAX_DELAY, max_attempts: MAX_ATTEMPTS, max_elapsed: MAX_ELAPSED }
    }
}

impl RetryPolicy {
    /// One attempt, no more.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// How long to wait after attempt number `attempt` (from 1) failed, `elapsed` after the first one started;
    /// `None` when it was the last. The delay is uniform between zero and the exponential bound ("full jitter"),
    /// `random` being uniform over all `u32`.
    pub fn delay_after(&self, attempt: u32, elapsed: Duration, random: u32) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let bound = self.base_delay.saturating_mul(1 << doublings).min(self.max_delay);
        let delay = bound.mul_f64(f64::from(random) / f64::from(u32::MAX));
        (elapsed.saturating_add(delay) < self.max_elapsed).then_some(delay)
    }

    /// `delay`, drawn out to the pause that the store asked for, and jitter on top of that; `None` when that is longer
    /// than the budget lasts.
    pub(crate) fn with_pause(&self, delay: Duration, asked: Duration, elapsed: Duration) -> Option<Duration> {
        if asked.is_zero() {
            return Some(delay);
        }
        let delay = asked.saturating_add(delay);
        (elapsed.saturating_add(delay) < self.max_elapsed).then_some(delay)
    }
}

/// A random number for [`RetryPolicy::delay_after`]: the seed of a fresh hasher, which the standard library draws
/// per thread; good enough to spread retries, not for secrets.
pub(crate) fn random() -> u32 {
    let hash = std::hash::RandomState::new().build_hasher().finish();
    u32::try_from(hash >> 32).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_the_store_asks_for_comes_before_the_jitter_and_within_the_budget() {
        let policy = RetryPolicy::default();
        let (delay, pause) = (Duration::from_millis(70), Duration::from_secs(20));
        assert_eq!(policy.with_pause(delay, Duration::ZERO, ALWAYS), Some(delay));
        assert_eq!(policy.with_pause(delay, pause, ALWAYS), Some(pause + delay));
        assert_eq!(policy.with_pause(delay, Duration::from_hours(1), ALWAYS), None);
    }

    const ALWAYS: Duration = Duration::ZERO;

    #[test]
    fn delays_double_up_to_the_cap_and_jitter_spreads_them_from_zero() {
        let policy = RetryPolicy::default();
        let bounds: Vec<_> = (1..=9).map(|n| policy.delay_after(n, ALWAYS, u32::MAX).unwrap().as_millis()).collect();
        assert_eq!(bounds, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(policy.delay_after(5, ALWAYS, 0), Some(Duration::ZERO));
        let half = policy.delay_after(4, ALWAYS, u32::MAX / 2).unwrap().as_millis();
        assert!((399..=400).contains(&half), "{half}");
    }

    #[test]
    fn the_last_attempt_and_a_used_up_budget_end_the_retries() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay_after(MAX_ATTEMPTS, ALWAYS, 0), None);
        assert_eq!(policy.delay_after(1, MAX_ELAPSED, 0), None);
        assert_eq!(RetryPolicy::never().delay_after(1, ALWAYS, 0), None);
        let huge = RetryPolicy { max_attempts: u32::MAX, ..policy };
        assert_eq!(huge.delay_after(4_000_000_000, ALWAYS, u32::MAX), Some(MAX_DELAY), "no overflow");
    }
}
