//! The request rates that the coordinator gave this worker, by prefix: requests wait for their turn in the order of
//! asking, and whoever stops waiting takes nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use rechunk_common::request_rate::{RequestBudget, RequestRate};
use tokio::time::Instant;

use super::rate::RateBucket;
use crate::{observer::RequestKind, url::StoreUrl};

/// The longest sleep of a request that waits: a rate that has risen meanwhile is seen by then.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The rates of a program's stores.
#[derive(Debug)]
pub(crate) struct RequestBudgets {
    started: Instant,
    places: RwLock<Arc<[Arc<Place>]>>,
}

/// The rates below one prefix.
#[derive(Debug)]
struct Place {
    prefix: StoreUrl,
    gets: Turnstile,
    puts: Turnstile,
}

/// Lets requests pass at a rate.
#[derive(Debug)]
struct Turnstile {
    /// Whose turn it is.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<RateBucket>,
}

impl Default for RequestBudgets {
    fn default() -> Self {
        Self { started: Instant::now(), places: RwLock::new(Arc::new([])) }
    }
}

impl RequestBudgets {
    /// Holds from now on; places that are not named are free.
    pub(crate) fn set(&self, budgets: &[RequestBudget]) {
        let before = self.places();
        if before.is_empty() && budgets.is_empty() {
            return;
        }
        let now = self.started.elapsed();
        let mut places = Vec::with_capacity(budgets.len());
        for budget in budgets {
            let Ok(prefix) = StoreUrl::parse(&budget.prefix) else {
                tracing::warn!(prefix = budget.prefix, "a request budget names no place");
                continue;
            };
            match before.iter().find(|place| place.prefix == prefix) {
                Some(place) => {
                    place.set(budget.gets, budget.puts, now);
                    places.push(Arc::clone(place));
                }
                None => places.push(Arc::new(Place::new(prefix, budget, now))),
            }
        }
        for left in before.iter().filter(|old| !places.iter().any(|place| place.prefix == old.prefix)) {
            left.set(None, None, now);
        }
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places.into();
    }

    fn places(&self) -> Arc<[Arc<Place>]> {
        Arc::clone(&self.places.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The place whose rates hold for `url`: the longest prefix.
    fn place(&self, url: &StoreUrl) -> Option<Arc<Place>> {
        let places = self.places();
        let covering = places.iter().filter(|place| url.is_within(&place.prefix));
        covering.max_by_key(|place| place.prefix.segments().len()).cloned()
    }

    /// Waits until a request of `kind` below `url` may be sent.
    pub(crate) async fn wait(&self, kind: RequestKind, url: &StoreUrl) {
        if let Some(place) = self.place(url) {
            place.turnstile(kind).pass(self.started).await;
        }
    }

    /// Whether a request of `kind` below `url` may be sent now; then it counts.
    pub(crate) fn try_take(&self, kind: RequestKind, url: &StoreUrl) -> bool {
        self.place(url).is_none_or(|place| place.turnstile(kind).try_pass(self.started))
    }
}

impl Place {
    fn new(prefix: StoreUrl, budget: &RequestBudget, now: Duration) -> Self {
        Self { prefix, gets: Turnstile::new(budget.gets, now), puts: Turnstile::new(budget.puts, now) }
    }

    fn set(&self, gets: Option<RequestRate>, puts: Option<RequestRate>, now: Duration) {
        self.gets.bucket().set_rate(gets, now);
        self.puts.bucket().set_rate(puts, now);
    }

    fn turnstile(&self, kind: RequestKind) -> &Turnstile {
        if kind.is_read() { &self.gets } else { &self.puts }
    }
}

impl Turnstile {
    fn new(rate: Option<RequestRate>, now: Duration) -> Self {
        Self { turn: tokio::sync::Mutex::new(()), bucket: Mutex::new(RateBucket::new(rate, now)) }
    }

    fn bucket(&self) -> MutexGuard<'_, RateBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(&self, started: Instant) {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.bucket().take(started.elapsed());
            let Err(wait) = taken else { return };
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
        }
    }

    /// Never before those who wait.
    fn try_pass(&self, started: Instant) -> bool {
        self.turn.try_lock().is_ok_and(|_turn| self.bucket().take(started.elapsed()).is_ok())
    }
}
