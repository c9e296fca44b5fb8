//! How long requests of one kind and size take: the quickest lately, against which an answer counts as slow, and how
//! long most take.
//!
//! Pure. Requests are compared with their like only: a large object takes longer than a small one on any store.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::observer::RequestKind;

/// An answer that took so many times as long as the quickest of its class is slow.
const SLOW_FACTOR: u32 = 4;

/// Answers below this are never slow: scheduling noise.
const NEVER_SLOW: Duration = Duration::from_millis(5);

/// The quickest answer is forgotten slowly, a thousandth per answer, so that what has changed for good is accepted.
const FORGETTING: u32 = 1000;

/// Answers that are remembered of each class.
const REMEMBERED: usize = 100;

/// So many answers say what is usual.
const ENOUGH: usize = 40;

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
    classes: BTreeMap<SizeClass, Recent>,
}

/// The answers of one class.
#[derive(Debug)]
struct Recent {
    quickest: Duration,
    /// The latest last.
    latencies: VecDeque<Duration>,
}

impl Latencies {
    /// Takes one answer in; says whether it was slow.
    pub(crate) fn note(&mut self, class: SizeClass, latency: Duration) -> bool {
        let new = || Recent { quickest: latency, latencies: VecDeque::with_capacity(REMEMBERED) };
        let recent = self.classes.entry(class).or_insert_with(new);
        let risen = recent.quickest.saturating_add(recent.quickest / FORGETTING);
        recent.quickest = latency.min(risen);
        if recent.latencies.len() >= REMEMBERED {
            recent.latencies.pop_front();
        }
        recent.latencies.push_back(latency);
        latency > NEVER_SLOW && latency > recent.quickest.saturating_mul(SLOW_FACTOR)
    }

    /// What 95 of 100 answers of the class took at the most; `None` while too few are known.
    pub(crate) fn usual(&self, class: SizeClass) -> Option<Duration> {
        let recent = self.classes.get(&class).filter(|recent| recent.latencies.len() >= ENOUGH)?;
        let mut latencies: Vec<Duration> = recent.latencies.iter().copied().collect();
        // Below the length: there are enough of them.
        let rank = latencies.len() * 95 / 100;
        let (_, usual, _) = latencies.select_nth_unstable(rank);
        Some(*usual)
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
    fn what_is_usual_is_known_after_some_answers_and_leaves_out_the_slowest() {
        let mut latencies = Latencies::default();
        let class = SizeClass::new(GET, 0);
        for millis in 1..40 {
            latencies.note(class, ms(millis));
            assert_eq!(latencies.usual(class), None);
        }
        latencies.note(class, ms(40));
        assert_eq!(latencies.usual(class), Some(ms(39)));
        for _ in 0..96 {
            latencies.note(class, ms(7));
        }
        assert_eq!(latencies.usual(class), Some(ms(7)), "the latest hundred count");
        assert_eq!(latencies.usual(SizeClass::new(GET, 5000)), None);
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
