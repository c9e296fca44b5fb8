//! Requests per second: a bucket that fills at the rate and from which each request takes one.
//!
//! Pure. Time comes in as the time since some start.

use std::time::Duration;

use rechunk_common::request_rate::RequestRate;

/// One request, in the unit of the bucket.
const REQUEST: u64 = 1_000_000;

/// The bucket of one kind of request below one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RateBucket {
    /// `None`: any number.
    rate: Option<RequestRate>,
    saved: u64,
    /// Up to when the time is paid.
    paid_until: Duration,
}

impl RateBucket {
    /// A bucket with one request in it.
    pub(crate) fn new(rate: Option<RequestRate>, now: Duration) -> Self {
        Self { rate, saved: REQUEST, paid_until: now }
    }

    /// Fills at another rate from now on.
    pub(crate) fn set_rate(&mut self, rate: Option<RequestRate>, now: Duration) {
        self.fill(now);
        self.rate = rate;
    }

    /// Takes a request; where there is none, says when there will be one.
    pub(crate) fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.fill(now);
        let Some(rate) = self.rate else { return Ok(()) };
        if let Some(left) = self.saved.checked_sub(REQUEST) {
            self.saved = left;
            return Ok(());
        }
        // A thousandth of a request a second is a millionth of one a millisecond.
        Err(Duration::from_millis((REQUEST - self.saved).div_ceil(rate.in_1000_seconds())))
    }

    fn fill(&mut self, now: Duration) {
        let unpaid = u64::try_from(now.saturating_sub(self.paid_until).as_millis()).unwrap_or(u64::MAX);
        self.paid_until = self.paid_until.saturating_add(Duration::from_millis(unpaid));
        let Some(rate) = self.rate else { return };
        // What a tenth of a second brings may be saved, one request at the least: bursts stay short.
        let most = rate.in_1000_seconds().saturating_mul(100).max(REQUEST);
        self.saved = self.saved.saturating_add(unpaid.saturating_mul(rate.in_1000_seconds())).min(most);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn requests_come_at_the_rate_and_a_slow_rate_says_how_long_to_wait() {
        let mut bucket = RateBucket::new(RequestRate::per_second(2), ms(0));
        assert_eq!(bucket.take(ms(0)), Ok(()));
        assert_eq!(bucket.take(ms(100)), Err(ms(400)));
        assert_eq!(bucket.take(ms(500)), Ok(()));
        bucket.set_rate(RequestRate::per_1000_seconds(500), ms(500));
        assert_eq!(bucket.take(ms(500)), Err(ms(2000)));
        bucket.set_rate(None, ms(500));
        assert_eq!((0..1000).filter(|_| bucket.take(ms(500)).is_ok()).count(), 1000);
    }

    proptest! {
        #[test]
        fn no_more_requests_pass_than_the_rate_and_its_burst_allow(
            rate in 1_u64..5_000_000, pauses in prop::collection::vec(0_u64..50, 1..500)
        ) {
            let mut bucket = RateBucket::new(RequestRate::per_1000_seconds(rate), ms(0));
            let (mut now, mut passed) = (0, 0_u64);
            for pause in pauses {
                now += pause;
                passed += u64::from(bucket.take(ms(now)).is_ok());
                let allowed = (rate * now).div_ceil(REQUEST) + (rate * 100).max(REQUEST).div_ceil(REQUEST);
                prop_assert!(passed <= allowed, "{passed} of {allowed}");
            }
        }
    }
}
