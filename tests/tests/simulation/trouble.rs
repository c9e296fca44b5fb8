//! How much goes wrong in a run, and what did.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::dice::Dice;

/// Once in so many times; 0: never.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odds {
    pub(crate) call_lost: u64,
    pub(crate) call_repeated: u64,
    pub(crate) call_slow: u64,
    pub(crate) request_lost: u64,
    pub(crate) request_slow: u64,
    pub(crate) request_answer_lost: u64,
    pub(crate) disk_full: u64,
    /// How long a request on the slowest line is on its way, in milliseconds, where nothing is wrong with it; 0: a few.
    pub(crate) way: u64,
}

impl Odds {
    /// Every kind of its own strength.
    fn draw(dice: &Dice) -> Self {
        let odds = || dice.one_of(&[0, 300, 80, 25, 8]);
        Self {
            call_lost: odds(),
            call_repeated: odds(),
            call_slow: odds(),
            request_lost: odds(),
            request_slow: odds(),
            request_answer_lost: odds(),
            // Nobody asks again at once where a disk is full, so that it ends a start, or an attempt, each time.
            disk_full: dice.one_of(&[0, 0, 0, 2_000, 300]),
            // Also so long that the work is not done before much has gone wrong.
            way: dice.one_of(&[0, 300, 3_000, 8_000]),
        }
    }
}

/// Shared by everything that fails.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    odds: Arc<Mutex<Odds>>,
    met: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Trouble {
    pub(crate) fn draw(dice: &Dice) -> Self {
        Self { odds: Arc::new(Mutex::new(Odds::draw(dice))), met: Arc::default() }
    }

    pub(crate) fn odds(&self) -> Odds {
        *self.odds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing goes wrong any more.
    pub(crate) fn end(&self) {
        *self.odds.lock().unwrap_or_else(PoisonError::into_inner) = Odds::default();
    }

    /// It happened once more.
    pub(crate) fn note(&self, what: &'static str) {
        self.note_times(what, 1);
    }

    pub(crate) fn note_times(&self, what: &'static str, times: u64) {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += times;
    }

    pub(crate) fn met(&self) -> BTreeMap<&'static str, u64> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
