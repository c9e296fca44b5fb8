//! The request rates that hold for a program's stores, by prefix: those of its own configuration, and its shares of those
//! of a fleet. Requests wait for their turn in the order of asking, and whoever stops waiting takes nothing.
//!
//! Knows nothing of who shares out what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use rechunk_common::request_rate::{RequestRate, StoreRates};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::rate::RateBucket;
use crate::{observer::RequestKind, url::StoreUrl};

/// The rates of a program's stores.
#[derive(Debug)]
pub(crate) struct RequestRates {
    started: Instant,
    own: Vec<StoreRates>,
    /// Those with the longest prefixes first.
    places: RwLock<Arc<[Arc<RatedPlace>]>>,
}

/// The rates below one prefix.
#[derive(Debug)]
struct RatedPlace {
    prefix: StoreUrl,
    gets: Arc<Turnstile>,
    puts: Arc<Turnstile>,
}

/// Lets requests pass at a rate.
#[derive(Debug)]
pub(crate) struct Turnstile {
    started: Instant,
    /// Whose turn it is.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<RateBucket>,
    rate_changed: Notify,
}

/// Requests a second that read, and that write.
type Rates = (Option<RequestRate>, Option<RequestRate>);

impl RequestRates {
    /// Those of the program's own configuration.
    pub(crate) fn new(own: Vec<StoreRates>) -> Self {
        let rates = Self { started: Instant::now(), own, places: RwLock::new(Arc::new([])) };
        rates.set_shares(&[]);
        rates
    }

    /// These shares hold from now on beside the program's own rates; of two for one prefix the lower holds.
    pub(crate) fn set_shares(&self, shares: &[StoreRates]) {
        let mut wanted: BTreeMap<StoreUrl, Rates> = BTreeMap::new();
        for rates in self.own.iter().chain(shares) {
            // What can't be parsed here can't be opened here either.
            let Ok(prefix) = StoreUrl::parse(&rates.prefix) else { continue };
            let (gets, puts) = wanted.entry(prefix).or_default();
            (*gets, *puts) = (lower(*gets, rates.gets), lower(*puts, rates.puts));
        }
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        for place in places.iter() {
            place.set_rates(wanted.remove(&place.prefix).unwrap_or_default());
        }
        if wanted.is_empty() {
            return;
        }
        let added = wanted.into_iter().map(|(prefix, rates)| Arc::new(RatedPlace::new(prefix, rates, self.started)));
        let mut all: Vec<Arc<RatedPlace>> = places.iter().cloned().chain(added).collect();
        all.sort_by_key(|place| std::cmp::Reverse(place.prefix.segments().len()));
        *places = all.into();
    }

    /// What holds for requests of `kind` below `url`; `None`: no limit does.
    pub(crate) fn turnstile(&self, kind: RequestKind, url: &StoreUrl) -> Option<Arc<Turnstile>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        // A prefix whose limits were lifted stands no more in the way of a shorter one.
        let limits = |place: &&Arc<RatedPlace>| place.is_limited() && url.is_within(&place.prefix);
        let place = places.iter().find(limits)?;
        Some(Arc::clone(if kind.is_read() { &place.gets } else { &place.puts }))
    }

    /// Every rate that holds now.
    pub(crate) fn all(&self) -> Vec<StoreRates> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let limited = places.iter().filter(|place| place.is_limited());
        limited
            .map(|place| StoreRates {
                prefix: place.prefix.to_string(),
                gets: place.gets.bucket().rate(),
                puts: place.puts.bucket().rate(),
            })
            .collect()
    }
}

impl RatedPlace {
    fn new(prefix: StoreUrl, (gets, puts): Rates, started: Instant) -> Self {
        let turnstile = |rate| Arc::new(Turnstile::new(rate, started));
        Self { prefix, gets: turnstile(gets), puts: turnstile(puts) }
    }

    fn set_rates(&self, (gets, puts): Rates) {
        self.gets.set_rate(gets);
        self.puts.set_rate(puts);
    }

    fn is_limited(&self) -> bool {
        self.gets.bucket().rate().is_some() || self.puts.bucket().rate().is_some()
    }
}

impl Turnstile {
    fn new(rate: Option<RequestRate>, started: Instant) -> Self {
        Self {
            started,
            turn: tokio::sync::Mutex::new(()),
            bucket: Mutex::new(RateBucket::new(rate, started.elapsed())),
            rate_changed: Notify::new(),
        }
    }

    fn bucket(&self) -> MutexGuard<'_, RateBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_rate(&self, rate: Option<RequestRate>) {
        let mut bucket = self.bucket();
        if bucket.rate() == rate {
            return;
        }
        bucket.set_rate(rate, self.started.elapsed());
        drop(bucket);
        // Only the first in the line waits for it; where nobody does, the next one looks twice.
        self.rate_changed.notify_one();
    }

    /// Waits until `requests` may be sent.
    pub(crate) async fn pass(&self, requests: u64) {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.bucket().take(requests, self.started.elapsed());
            let Err(wait) = taken else { return };
            let brought = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = brought => {}
                () = self.rate_changed.notified() => {}
            }
        }
    }

    /// Whether `requests` may be sent at once; then they count. Never before those who wait.
    pub(crate) fn try_pass(&self, requests: u64) -> bool {
        self.turn.try_lock().is_ok_and(|_turn| self.bucket().take(requests, self.started.elapsed()).is_ok())
    }

    /// Counts requests that are sent whatever the rate is.
    pub(crate) fn charge(&self, requests: u64) {
        self.bucket().charge(requests, self.started.elapsed());
    }
}

/// The lower of two limits.
fn lower(one: Option<RequestRate>, other: Option<RequestRate>) -> Option<RequestRate> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
