//! What a worker has shown so far: how fast it is beside the others, and whether its tasks fail one after another. A slow
//! one gets smaller leases; one that fails again and again rests for a while, as long as others do not.
//!
//! Forgotten with the process: another one of the same name begins anew.

use crate::event::Timestamp;

/// Failures one after another that are taken for bad luck.
const BAD_LUCK: u32 = 2;

/// The first rest, in milliseconds; doubled with each further failure.
const FIRST_REST_MS: u64 = 1_000;

/// Doublings at the most: 32 s.
const MOST_DOUBLINGS: u32 = 5;

/// Work after which older measurements count half, in milliseconds.
const MEMORY_MS: u64 = 120_000;

/// Too short to tell a slow worker from a fast one by, in milliseconds.
const NOISE_MS: u64 = 200;

/// A slow worker gets no less than one part in so many, and a fast one no more than so many times as much.
const MOST_TIMES: u64 = 8;

/// One worker's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub(crate) struct TrackRecord {
    /// What its tasks take on average in the fleet, against what they took here.
    usual_ms: u64,
    took_ms: u64,
    failures_in_a_row: u32,
    /// Until then it gets nothing, if another worker may.
    rests_until: Timestamp,
}

impl TrackRecord {
    /// Tasks were done in `took_ms` that usually take `usual_ms`, where that is known.
    pub(crate) fn note_done(&mut self, usual_ms: Option<u64>, took_ms: u64) {
        (self.failures_in_a_row, self.rests_until) = (0, Timestamp::default());
        let Some(usual_ms) = usual_ms else { return };
        self.usual_ms = self.usual_ms.saturating_add(usual_ms);
        self.took_ms = self.took_ms.saturating_add(took_ms);
        if self.usual_ms.max(self.took_ms) > MEMORY_MS {
            self.usual_ms /= 2;
            self.took_ms /= 2;
        }
    }

    /// A task failed that may go better elsewhere or later.
    pub(crate) fn note_failure(&mut self, now: Timestamp) {
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1).min(BAD_LUCK + MOST_DOUBLINGS + 1);
        if let Some(doublings) = self.failures_in_a_row.checked_sub(BAD_LUCK + 1) {
            self.rests_until = now.after_ms(FIRST_REST_MS.saturating_mul(2_u64.saturating_pow(doublings)));
        }
    }

    /// Until when it rests, if it does at `now`.
    pub(crate) fn rest_at(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.rests_until).filter(|until| *until > now)
    }

    /// How many tasks it does while one as fast as the others does `tasks`.
    pub(crate) fn share_of(&self, tasks: u64) -> u64 {
        let (usual, took) = (self.usual_ms.saturating_add(NOISE_MS), self.took_ms.saturating_add(NOISE_MS));
        let share = u128::from(tasks).saturating_mul(u128::from(usual)) / u128::from(took);
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        share.clamp(tasks / MOST_TIMES, tasks.saturating_mul(MOST_TIMES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn that_took(usual_ms: u64, took_ms: u64) -> TrackRecord {
        let mut record = TrackRecord::default();
        record.note_done(Some(usual_ms), took_ms);
        record
    }

    #[test]
    fn whoever_has_shown_nothing_gets_what_all_get() {
        assert_eq!(TrackRecord::default().share_of(30), 30);
    }

    #[test]
    fn a_slow_worker_gets_less_and_a_fast_one_more() {
        assert_eq!(that_took(9_800, 39_800).share_of(40), 10);
        assert_eq!(that_took(39_800, 9_800).share_of(10), 40);
        assert_eq!(that_took(10_000, 90_000_000).share_of(80), 10, "but never nothing");
        assert_eq!(that_took(1, 0).share_of(1_000), 1_005, "a millisecond says nothing");
    }

    #[test]
    fn a_worker_that_recovers_is_believed() {
        let mut record = that_took(10_000, 100_000);
        for _ in 0..20 {
            record.note_done(Some(20_000), 20_000);
        }
        assert!(record.share_of(100) > 90, "{record:?}");
    }

    #[test]
    fn failures_one_after_another_are_followed_by_longer_and_longer_rests() {
        let mut record = TrackRecord::default();
        let rests: Vec<Option<u64>> = (0..9)
            .map(|_| {
                record.note_failure(Timestamp(50));
                record.rest_at(Timestamp(50)).map(|until| until.ms_since(Timestamp(50)))
            })
            .collect();
        let seconds = |seconds: u64| Some(seconds * 1_000);
        assert_eq!(rests[..3], [None, None, seconds(1)]);
        assert_eq!(rests[3..], [2, 4, 8, 16, 32, 32].map(seconds));
        assert_eq!(record.rest_at(Timestamp(32_050)), None, "they end");
        record.note_done(None, 5);
        record.note_failure(Timestamp(60));
        assert_eq!(record.rest_at(Timestamp(60)), None, "and one task that is done makes up for all");
    }
}
