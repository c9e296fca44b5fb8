//! How many requests a store is sent at a time: one more while it answers well, at once fewer when it asks for less
//! or answers ever later (additive increase, multiplicative decrease).
//!
//! Pure: observations in, a limit out. Time comes in as the time since some start.

use std::time::Duration;

/// Requests at a time to begin with: they hide a round trip of 20 ms behind objects of 1 MB on a 1 GB/s link.
pub const START_REQUESTS: u32 = 16;

/// Requests at a time at the most, unless a store's table says otherwise: more connections than that cost a client
/// more than they bring.
pub const MOST_REQUESTS: u32 = 256;

/// What is left of the limit when the store asks for less.
const AFTER_THROTTLING: f64 = 0.5;

/// What is left of the limit when answers have become slow: a gentle hint, because our own link may be the cause.
const AFTER_SLOWNESS: f64 = 0.85;

/// Slow answers alone leave so many requests at a time; only the store itself can ask for fewer.
const LEAST_WHEN_SLOW: f64 = 4.0;

/// One request whose outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observation {
    /// When it was sent.
    pub(crate) sent_at: Duration,
    /// When its outcome was known.
    pub(crate) now: Duration,
    /// Whether no further request was allowed beside it: only then is the limit put to the test.
    pub(crate) was_full: bool,
    pub(crate) signal: Signal,
}

/// What an outcome says about the store's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It was answered; slowly, compared with the quickest answers of its kind.
    Answered { is_slow: bool },
    /// The store asked for fewer requests.
    Throttled,
    /// It failed for a reason that says nothing about load.
    Failed,
}

/// The limit of one lane.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConcurrencyLimit {
    limit: f64,
    most: f64,
    /// Requests that were sent before it have been answered for already.
    decreased_at: Option<Duration>,
    /// Answers since the limit was judged last, and the slow ones among them.
    answers: u32,
    slow: u32,
}

impl ConcurrencyLimit {
    /// The limit to begin with, never to pass `most`, which counts as one at least.
    pub(crate) fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        Self { limit: f64::from(START_REQUESTS).min(most), most, decreased_at: None, answers: 0, slow: 0 }
    }

    /// Requests at a time: at least one.
    pub(crate) fn limit(&self) -> u32 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `most`, a u32")]
        let limit = self.limit as u32;
        limit.max(1)
    }

    /// Learns from one outcome.
    pub(crate) fn observe(&mut self, observation: Observation) {
        match observation.signal {
            Signal::Failed => {}
            // Of the requests that were under way together each may be refused: that is one refusal.
            Signal::Throttled if self.decreased_at.is_some_and(|at| observation.sent_at <= at) => {}
            Signal::Throttled => self.decrease(AFTER_THROTTLING, 1.0, observation.now),
            Signal::Answered { is_slow } => self.note_answer(is_slow, observation),
        }
    }

    fn note_answer(&mut self, is_slow: bool, observation: Observation) {
        if self.decreased_at.is_some_and(|at| observation.sent_at <= at) {
            return;
        }
        self.answers += 1;
        self.slow += u32::from(is_slow);
        let is_start = self.decreased_at.is_none();
        if is_start && !is_slow && observation.was_full {
            // Nothing is known of the store yet: twice as many after each round.
            self.limit = (self.limit + 1.0).min(self.most);
        }
        // One round: as many answers as there are requests at a time.
        if f64::from(self.answers) < self.limit.floor() {
            return;
        }
        let (answers, slow) = (std::mem::take(&mut self.answers), std::mem::take(&mut self.slow));
        if slow.saturating_mul(2) > answers {
            self.decrease(AFTER_SLOWNESS, LEAST_WHEN_SLOW, observation.now);
        } else if !is_start && observation.was_full && slow.saturating_mul(4) <= answers {
            self.limit = (self.limit + 1.0).min(self.most);
        }
    }

    fn decrease(&mut self, factor: f64, least: f64, now: Duration) {
        self.limit = (self.limit * factor).max(least.min(self.limit)).max(1.0);
        self.decreased_at = Some(now);
        self.answers = 0;
        self.slow = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn observe(limit: &mut ConcurrencyLimit, at_ms: u64, signal: Signal) {
        let at = Duration::from_millis(at_ms);
        limit.observe(Observation { sent_at: at, now: at, was_full: true, signal });
    }

    fn good_rounds(limit: &mut ConcurrencyLimit, rounds: u32, at_ms: u64) {
        for _ in 0..rounds {
            for _ in 0..limit.limit() {
                observe(limit, at_ms, Signal::Answered { is_slow: false });
            }
        }
    }

    #[test]
    fn a_store_that_answers_well_is_asked_twice_as_much_each_round_until_the_most() {
        let mut limit = ConcurrencyLimit::new(100);
        let mut seen = vec![limit.limit()];
        for _ in 0..4 {
            good_rounds(&mut limit, 1, 1);
            seen.push(limit.limit());
        }
        assert_eq!(seen, [16, 32, 64, 100, 100]);
    }

    #[test]
    fn a_refusal_halves_the_limit_once_per_round_and_good_rounds_raise_it_by_one() {
        let mut limit = ConcurrencyLimit::new(100);
        observe(&mut limit, 5, Signal::Throttled);
        assert_eq!(limit.limit(), 8);
        for sent_at in [1, 2, 4] {
            observe(&mut limit, sent_at, Signal::Throttled);
        }
        assert_eq!(limit.limit(), 8, "they were sent before the limit fell");
        good_rounds(&mut limit, 3, 6);
        assert_eq!(limit.limit(), 11);
        observe(&mut limit, 7, Signal::Throttled);
        assert_eq!(limit.limit(), 5);
    }

    #[test]
    fn refusals_lead_down_to_one_and_no_further() {
        let mut limit = ConcurrencyLimit::new(100);
        for at in 0..50 {
            observe(&mut limit, at, Signal::Throttled);
        }
        assert_eq!(limit.limit(), 1);
        good_rounds(&mut limit, 2, 50);
        assert_eq!(limit.limit(), 3, "and up again");
    }

    #[test]
    fn slow_answers_lower_the_limit_gently_and_not_below_four() {
        let mut limit = ConcurrencyLimit::new(100);
        for _ in 0..16 {
            observe(&mut limit, 1, Signal::Answered { is_slow: true });
        }
        assert_eq!(limit.limit(), 13);
        for at in 2..2000 {
            observe(&mut limit, at, Signal::Answered { is_slow: true });
        }
        assert_eq!(limit.limit(), 4);
    }

    #[test]
    fn a_limit_that_is_not_used_does_not_rise_and_other_failures_change_nothing() {
        let mut limit = ConcurrencyLimit::new(100);
        for at in 0..100 {
            let at = Duration::from_millis(at);
            let signal = Signal::Answered { is_slow: false };
            limit.observe(Observation { sent_at: at, now: at, was_full: false, signal });
        }
        observe(&mut limit, 200, Signal::Failed);
        assert_eq!(limit, ConcurrencyLimit { answers: limit.answers, ..ConcurrencyLimit::new(100) });
    }

    proptest! {
        #[test]
        fn the_limit_stays_between_one_and_the_most(most in 0_u32..64, outcomes in prop::collection::vec(0_u8..4, 0..400)) {
            let mut limit = ConcurrencyLimit::new(most);
            for (at, outcome) in outcomes.into_iter().enumerate() {
                let signal = match outcome {
                    0 => Signal::Throttled,
                    1 => Signal::Failed,
                    outcome => Signal::Answered { is_slow: outcome == 2 },
                };
                observe(&mut limit, at as u64, signal);
                prop_assert!((1..=most.max(1)).contains(&limit.limit()), "{limit:?}");
            }
        }
    }
}
