//! How long requests of one kind and size take: the quickest lately, against which an answer counts as slow.
//!
//! Pure. Requests are compared with their like only: a large object takes longer than a small one on any store.

use std::{collections::BTreeMap, time::Duration};

use crate::observer::RequestKind;

/// An answer that took so many times as long as the quickest of its class is slow.
const SLOW_FACTOR: u32 = 4;

/// Answers below this are never slow: scheduling noise.
const NEVER_SLOW: Duration = Duration::from_millis(5);

/// The quickest answer is forgotten slowly, a thousandth per answer, so that what has changed for good is accepted.
const FORGETTING: u32 = 1000;

/// Requests that may be compared: of one kind, their bytes within a factor of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SizeClass(RequestKind, u32);

impl SizeClass {
    pub(crate) fn new(kind: RequestKind, bytes: u64) -> Self {
        Self(kind, bytes.checked_ilog(4).map_or(0, |log| log + 1))
    }
}

/// What is known of a lane's latencies: 33 sizes at the most of each kind.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    quickest: BTreeMap<SizeClass, Duration>,
}

impl Latencies {
    /// Takes one answer in; says whether it was slow.
    pub(crate) fn note(&mut self, class: SizeClass, latency: Duration) -> bool {
        let quickest = self.quickest.entry(class).or_insert(latency);
        let risen = quickest.saturating_add(*quickest / FORGETTING);
        *quickest = latency.min(risen);
        latency > NEVER_SLOW && latency > quickest.saturating_mul(SLOW_FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: RequestKind = RequestKind::Get;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_answer_is_slow_beside_the_quickest_of_its_own_size_only() {
        let mut latencies = Latencies::default();
        let (small, large) = (SizeClass::new(GET, 1000), SizeClass::new(GET, 100_000_000));
        assert!(!latencies.note(small, ms(10)));
        assert!(!latencies.note(large, ms(900)), "the first of its size");
        assert!(!latencies.note(small, ms(40)));
        assert!(latencies.note(small, ms(41)));
        assert_eq!(SizeClass::new(GET, 1000), SizeClass::new(GET, 700));
        assert_ne!(SizeClass::new(GET, 1000), SizeClass::new(RequestKind::Put, 1000));
    }

    #[test]
    fn a_store_that_has_become_slower_for_good_is_accepted_in_time() {
        let mut latencies = Latencies::default();
        let class = SizeClass::new(GET, 0);
        latencies.note(class, ms(10));
        let slow = (0..5000).filter(|_| latencies.note(class, ms(100))).count();
        assert!((500..2000).contains(&slow), "{slow} answers were slow");
        assert!(!latencies.note(class, ms(100)));
    }

    #[test]
    fn answers_within_a_few_milliseconds_are_never_slow() {
        let mut latencies = Latencies::default();
        let class = SizeClass::new(GET, 0);
        latencies.note(class, Duration::from_micros(100));
        assert!(!latencies.note(class, ms(5)));
        assert!(latencies.note(class, ms(6)));
    }
}
