//! Faults on order, for tests: the nth request of a kind fails, loses its answer, or waits until it is let through.
//!
//! Sits between the retry loop and the store, so that faults are retried as real ones are.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Semaphore;

use crate::{
    error::{ErrorClass, Fault, Hint},
    observer::RequestKind,
};

/// What happens to a request.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It fails with this class and never reaches the store.
    Fail(ErrorClass),
    /// The store answers that it is asked too much, and perhaps for how long to leave it alone.
    Throttle(Option<Duration>),
    /// It is sent so much later, as if the store were slow.
    Delay(Duration),
    /// It reaches the store and takes effect, but its answer is lost: it fails with `TryAgain`.
    LoseAnswer,
    /// It waits for a permit of this semaphore before it is sent.
    Hold(Arc<Semaphore>),
}

/// Which requests are hit, and how. A bulk deletion is one request, known by its first key.
#[derive(Debug, Clone)]
pub struct FaultRule {
    /// Only requests of this kind.
    pub kind: RequestKind,
    /// Only requests whose URL contains this; empty: all.
    pub url_contains: String,
    /// The first matching request that is hit, from 1.
    pub first: u64,
    /// How many matching requests are hit from there on.
    pub times: u64,
    /// What happens to them.
    pub effect: Effect,
}

impl FaultRule {
    /// The `nth` request (from 1) of `kind` suffers `effect`.
    pub fn nth(kind: RequestKind, nth: u64, effect: Effect) -> Self {
        Self { kind, url_contains: String::new(), first: nth, times: 1, effect }
    }

    /// Every request of `kind` suffers `effect`.
    pub fn every(kind: RequestKind, effect: Effect) -> Self {
        Self { times: u64::MAX, ..Self::nth(kind, 1, effect) }
    }

    /// Only URLs that contain `part` count.
    #[must_use]
    pub fn on(mut self, part: &str) -> Self {
        part.clone_into(&mut self.url_contains);
        self
    }

    /// `times` requests in a row.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }
}

/// The faults that wait for their requests. Shared: rules may be added while stores are in use.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<(FaultRule, u64)>>,
}

impl Faults {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule; it counts requests from now on.
    pub fn add(&self, rule: FaultRule) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push((rule, 0));
    }

    /// Drops every rule.
    pub fn clear(&self) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What the rules do to this request; every rule counts it, the first that hits it decides.
    fn on_request(&self, kind: RequestKind, url: &str) -> Option<Effect> {
        let mut hit = None;
        for (rule, seen) in self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if rule.kind != kind || !url.contains(&rule.url_contains) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let last = rule.first.saturating_add(rule.times.saturating_sub(1));
            if hit.is_none() && rule.times > 0 && (rule.first..=last).contains(seen) {
                hit = Some(rule.effect.clone());
            }
        }
        hit
    }

    /// What the rules do to a request that is about to be sent; holds it as long as they say.
    pub(crate) async fn decide(&self, kind: RequestKind, url: &str) -> Verdict {
        match self.on_request(kind, url) {
            None => Verdict::Send,
            Some(Effect::Fail(class)) => Verdict::Fail(Fault::new(class, "a fault of the test")),
            Some(Effect::Throttle(retry_after)) => {
                let fault = Fault::new(ErrorClass::TryAgain, "a fault of the test: slow down");
                Verdict::Fail(fault.with_hint(Hint::Throttled { retry_after }))
            }
            Some(Effect::Delay(time)) => {
                tokio::time::sleep(time).await;
                Verdict::Send
            }
            Some(Effect::LoseAnswer) => Verdict::LoseAnswer,
            Some(Effect::Hold(gate)) => {
                if let Ok(permit) = gate.acquire().await {
                    permit.forget();
                }
                Verdict::Send
            }
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is sent and answered.
    Send,
    /// It is not sent and fails.
    Fail(Fault),
    /// It is sent, and its answer is lost.
    LoseAnswer,
}
