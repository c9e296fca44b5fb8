//! Requests per second: a bucket that fills at a rate, and from which each request takes one.
//!
//! Pure. Time comes in as the time since some start.

use std::time::Duration;

use rechunk_common::request_rate::RequestRate;

/// One request, in the unit of the bucket: a rate of a millionth of a request a second brings one unit a nanosecond.
const REQUEST: i128 = 1_000_000_000_000_000;

/// What the rate brings in this time may be saved, one request at the least: bursts stay short.
const SAVED: Duration = Duration::from_millis(100);

/// The bucket of one kind of request below one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RateBucket {
    /// `None`: any number.
    rate: Option<RequestRate>,
    /// Below zero after requests that were let through ahead of their time.
    saved: i128,
    filled_at: Duration,
}

impl RateBucket {
    /// An empty bucket: programs that start together do not begin with a request each.
    pub(crate) fn new(rate: Option<RequestRate>, now: Duration) -> Self {
        Self { rate, saved: 0, filled_at: now }
    }

    /// How fast it fills.
    pub(crate) fn rate(&self) -> Option<RequestRate> {
        self.rate
    }

    /// Fills at another rate from now on.
    pub(crate) fn set_rate(&mut self, rate: Option<RequestRate>, now: Duration) {
        self.fill(now);
        self.rate = rate;
        self.saved = self.saved.min(self.most());
    }

    /// Takes `requests`; where there are too few, says when there will be enough, `Err(None)` if not at this rate. More
    /// than can be saved are let through when as much as can be is, and are made up for.
    pub(crate) fn take(&mut self, requests: u64, now: Duration) -> Result<(), Option<Duration>> {
        self.fill(now);
        let Some(RequestRate(rate)) = self.rate else { return Ok(()) };
        let missing = price(requests).min(self.most()).saturating_sub(self.saved);
        if missing <= 0 && rate > 0 {
            self.saved = self.saved.saturating_sub(price(requests));
            return Ok(());
        }
        let missing = u128::try_from(missing).unwrap_or(0);
        let wait =
            missing.checked_add(u128::from(rate).saturating_sub(1)).and_then(|most| most.checked_div(rate.into()));
        Err(wait.map(|nanoseconds| Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))))
    }

    /// Takes `requests` that can't wait; later ones make up for them.
    pub(crate) fn charge(&mut self, requests: u64, now: Duration) {
        self.fill(now);
        if self.rate.is_some() {
            self.saved = self.saved.saturating_sub(price(requests));
        }
    }

    fn fill(&mut self, now: Duration) {
        let passed = i128::try_from(now.saturating_sub(self.filled_at).as_nanos()).unwrap_or(i128::MAX);
        self.filled_at = self.filled_at.max(now);
        let brought = self.rate.map_or(0, |RequestRate(rate)| passed.saturating_mul(rate.into()));
        self.saved = self.saved.saturating_add(brought).min(self.most());
    }

    /// What may be saved. Nothing of a time without a limit.
    fn most(&self) -> i128 {
        let Some(RequestRate(rate)) = self.rate else { return 0 };
        i128::try_from(SAVED.as_nanos()).unwrap_or(0).saturating_mul(rate.into()).max(REQUEST)
    }
}

fn price(requests: u64) -> i128 {
    REQUEST.saturating_mul(requests.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn taken(bucket: &mut RateBucket, now: Duration) -> usize {
        std::iter::repeat_with(|| bucket.take(1, now)).take(10_000).take_while(Result::is_ok).count()
    }

    #[test]
    fn requests_come_at_the_rate_and_a_slow_rate_says_how_long_to_wait() {
        let mut bucket = RateBucket::new(Some(RequestRate::per_second(2)), ms(0));
        assert_eq!(bucket.take(1, ms(100)), Err(Some(ms(400))));
        assert_eq!(bucket.take(1, ms(500)), Ok(()));
        bucket.set_rate(Some(RequestRate(500_000)), ms(500));
        assert_eq!(bucket.take(1, ms(500)), Err(Some(ms(2000))));
        bucket.set_rate(Some(RequestRate::NONE), ms(2600));
        assert_eq!(bucket.take(1, ms(10_000)), Err(None), "also where one is saved");
        bucket.set_rate(None, ms(10_000));
        assert_eq!(taken(&mut bucket, ms(10_000)), 10_000);
    }

    #[test]
    fn after_a_pause_a_tenth_of_a_second_is_caught_up_with_and_a_request_at_the_least() {
        let mut quick = RateBucket::new(Some(RequestRate::per_second(100)), ms(0));
        assert_eq!(taken(&mut quick, ms(60_000)), 10);
        let mut slow = RateBucket::new(Some(RequestRate::per_second(1)), ms(0));
        assert_eq!(taken(&mut slow, ms(60_000)), 1);
    }

    #[test]
    fn a_large_deletion_is_let_through_once_and_made_up_for() {
        let mut bucket = RateBucket::new(Some(RequestRate::per_second(100)), ms(0));
        assert_eq!(bucket.take(1000, ms(0)), Err(Some(ms(100))), "all that can be saved");
        assert_eq!(bucket.take(1000, ms(100)), Ok(()));
        assert_eq!(bucket.take(1, ms(100)), Err(Some(ms(9910))));
        bucket.charge(9, ms(100));
        assert_eq!(bucket.take(1, ms(100)), Err(Some(ms(10_000))));
    }

    #[test]
    fn a_limit_begins_without_what_was_not_used_before_it() {
        let mut bucket = RateBucket::new(None, ms(0));
        bucket.charge(500, ms(0));
        bucket.set_rate(Some(RequestRate::per_second(10)), ms(60_000));
        assert_eq!(bucket.take(1, ms(60_000)), Err(Some(ms(100))));
    }

    proptest! {
        #[test]
        fn no_more_requests_pass_than_the_rates_bring_and_what_may_be_saved_at_the_start(
            steps in prop::collection::vec((0_u64..50, 1_u64..4, prop::option::of(0_u64..2_000_000_000)), 1..500)
        ) {
            let mut rate = 100_000_000;
            let mut bucket = RateBucket::new(Some(RequestRate(rate)), ms(0));
            let (mut now, mut passed, mut brought) = (0, 0_u128, 0_u128);
            for (pause, requests, change) in steps {
                now += pause;
                brought += u128::from(rate) * u128::from(pause) * 1_000_000;
                if bucket.take(requests, ms(now)).is_ok() {
                    passed += u128::from(requests);
                }
                // Three at a time may pass where one can be saved.
                prop_assert!(passed * REQUEST.unsigned_abs() <= brought + 2 * REQUEST.unsigned_abs(), "{passed}");
                if let Some(change) = change {
                    rate = change;
                    bucket.set_rate(Some(RequestRate(rate)), ms(now));
                }
            }
        }

        #[test]
        fn whoever_waits_as_long_as_he_is_told_is_let_through(rate in 1_u64..5_000_000_000, requests in 1_u64..2000) {
            let mut bucket = RateBucket::new(Some(RequestRate(rate)), ms(7));
            let wait = bucket.take(requests, ms(7)).unwrap_err().unwrap();
            let early = wait.saturating_sub(Duration::from_nanos(1));
            prop_assert!(bucket.take(requests, ms(7) + early).is_err());
            prop_assert_eq!(bucket.take(requests, ms(7) + wait), Ok(()));
        }
    }
}
