//! What goes wrong on the wire, and at which requests: decided by a seed, never by the clock. Every rule counts how
//! often it did harm.
//!
//! Pure but for its counters: `wire` does what is decided here.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    asked::{Asked, Operation},
    keys::Ended,
};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFault {
    /// It is answered with 503 `SlowDown` and not done.
    SlowDown,
    /// It is answered with 429 and not done.
    TooManyRequests,
    /// It is answered with 500 and not done.
    InternalError,
    /// It is answered with 200 and the document of an error, as S3 does where it has said already that it will; and not
    /// done.
    ErrorInSuccess,
    /// It is answered with 409 `ConditionalRequestConflict` and not done.
    Conflict,
    /// The connection is reset; it was not done.
    Reset,
    /// It is done, and the connection is reset in place of the answer.
    AnswerLost,
    /// The connection is reset in the middle of the answer's body.
    ResetInBody,
    /// The answer's body ends in the middle, as if that were its end, although more was announced.
    CutShort,
    /// The answer's body stands still in the middle until the client gives up.
    Stalled,
    /// The answer's body comes in pieces, with pauses.
    Slow,
    /// The key that it is signed with is not good any more; the store says what follows.
    KeyEnds(Ended),
}

/// Which requests are hit, and how.
#[derive(Debug, Clone)]
pub struct WireRule {
    fault: WireFault,
    operations: Vec<Operation>,
    contains: String,
    percent: u64,
    tries: u64,
}

impl WireRule {
    /// Every request of these kinds (none: of any) suffers `fault`.
    pub fn every(fault: WireFault, operations: &[Operation]) -> Self {
        Self { fault, operations: operations.to_vec(), contains: String::new(), percent: 100, tries: u64::MAX }
    }

    /// Only keys that contain `part` count.
    #[must_use]
    pub fn on(mut self, part: &str) -> Self {
        part.clone_into(&mut self.contains);
        self
    }

    /// So many of a hundred, drawn from the seed.
    #[must_use]
    pub fn percent(mut self, percent: u64) -> Self {
        self.percent = percent;
        self
    }

    /// Only the first so many requests of the same kind for the same key.
    #[must_use]
    pub fn first(mut self, tries: u64) -> Self {
        self.tries = tries;
        self
    }

    fn matches(&self, asked: &Asked) -> bool {
        (self.operations.is_empty() || self.operations.contains(&asked.operation)) && asked.key.contains(&self.contains)
    }
}

/// How often a rule did harm.
#[derive(Debug, Clone, Default)]
pub struct Fired(Arc<AtomicU64>);

impl Fired {
    /// So often.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request that is hit.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) fault: WireFault,
    pub(crate) fired: Fired,
}

#[derive(Debug)]
struct Active {
    rule: WireRule,
    fired: Fired,
    /// Requests so far, by kind and key.
    seen: BTreeMap<Asked, u64>,
}

/// The rules that hold. Shared: they may be added while the store is in use.
#[derive(Debug)]
pub struct WireFaults {
    seed: u64,
    rules: Mutex<Vec<Active>>,
}

impl WireFaults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, rules: Mutex::default() }
    }

    /// Adds a rule; it counts requests from now on. What it returns tells how often it fired.
    pub fn add(&self, rule: WireRule) -> Fired {
        let fired = Fired::default();
        let active = Active { rule, fired: fired.clone(), seen: BTreeMap::new() };
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(active);
        fired
    }

    /// Drops every rule.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the rules do to this request; every rule counts it, the first that hits it decides.
    pub(crate) fn decide(&self, asked: &Asked) -> Option<Hit> {
        let mut hit = None;
        let asked = asked.without_chance();
        for (number, active) in self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().enumerate() {
            if !active.rule.matches(&asked) {
                continue;
            }
            let seen = active.seen.entry(asked.clone()).or_default();
            *seen += 1;
            let draw = drawn(&[self.seed, number as u64, *seen], &asked);
            if hit.is_none() && *seen <= active.rule.tries && draw % 100 < active.rule.percent {
                hit = Some(Hit { fault: active.rule.fault, fired: active.fired.clone() });
            }
        }
        hit
    }
}

/// A number that follows from these alone (FNV-1a, then the finish of SplitMix64): no hasher of the standard library
/// promises to stay the same.
fn drawn(numbers: &[u64], asked: &Asked) -> u64 {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let text = format!("{:?} {}", asked.operation, asked.key);
    let hash = numbers
        .chain(text.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: usize) -> Asked {
        Asked { operation: Operation::Get, key: format!("a/{key}") }
    }

    /// Which of a thousand requests are hit.
    fn hits(seed: u64, rule: &WireRule) -> Vec<bool> {
        let faults = WireFaults::new(seed);
        faults.add(rule.clone());
        (0..1000).map(|number| faults.decide(&get(number % 100)).is_some()).collect()
    }

    #[test]
    fn the_same_seed_hits_the_same_requests_and_about_the_share_that_was_asked_for() {
        let half = WireRule::every(WireFault::SlowDown, &[]).percent(50);
        assert_eq!(hits(1, &half), hits(1, &half));
        assert_ne!(hits(1, &half), hits(2, &half));
        for seed in 0..20 {
            let share = hits(seed, &half).into_iter().filter(|is_hit| *is_hit).count();
            assert!((430..570).contains(&share), "{share} of 1000");
        }
    }

    #[test]
    fn a_rule_hits_its_own_kind_of_request_its_keys_and_its_first_tries_only() {
        let rule = WireRule::every(WireFault::Reset, &[Operation::Get]).on("/7").first(2);
        let faults = WireFaults::new(0);
        let (first, second) = (faults.add(rule), faults.add(WireRule::every(WireFault::SlowDown, &[Operation::Put])));
        let fault = |asked: &Asked| faults.decide(asked).map(|hit| hit.fault);
        assert_eq!(fault(&get(7)), Some(WireFault::Reset));
        assert_eq!(fault(&get(8)), None);
        assert_eq!(fault(&Asked { operation: Operation::Put, ..get(7) }), Some(WireFault::SlowDown));
        assert_eq!(fault(&get(7)), Some(WireFault::Reset));
        assert_eq!(fault(&get(7)), None, "the third try");
        assert_eq!((first.count(), second.count()), (0, 0), "who does the harm counts it");
        faults.clear();
        assert_eq!(fault(&get(77)), None);
    }
}
