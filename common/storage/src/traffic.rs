//! How fast one store is asked: requests at a time, retries and second requests, decided from what it answered.
//!
//! One [`Traffic`] stands for one bucket under one profile; reads and writes have a lane each, because stores limit
//! them apart. The decisions are pure and lie below; here are the clock, the locks and the waiting. How many requests a
//! second there may be is decided elsewhere, by prefix and before all this ([`RequestRates`]).

mod concurrency;
mod gate;
mod hedge;
mod latency;
mod rate;
mod request_rates;
mod retry_budget;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use self::{
    concurrency::{ConcurrencyLimit, Observation, Signal},
    gate::{Gate, Permit},
    hedge::{HedgeBudget, MAX_HEDGED_BYTES, patience},
    latency::{Latencies, SizeClass},
    retry_budget::RetryBudget,
};
use crate::{
    error::{Fault, Hint},
    observer::RequestKind,
};

pub use self::concurrency::{MOST_REQUESTS, START_REQUESTS};
pub(crate) use self::request_rates::{RequestRates, Turnstile};

/// The longest sleep of a retry that waits for the budget: what others give back meanwhile is seen by then.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// The traffic to one store.
#[derive(Debug)]
pub(crate) struct Traffic {
    started: Instant,
    reads: Arc<Lane>,
    writes: Arc<Lane>,
    retries: Mutex<RetryBudget>,
    hedges: Mutex<HedgeBudget>,
}

/// Requests that are limited together.
#[derive(Debug)]
struct Lane {
    name: &'static str,
    gate: Arc<Gate>,
    load: Mutex<Load>,
}

#[derive(Debug)]
struct Load {
    limit: ConcurrencyLimit,
    latencies: Latencies,
}

impl Traffic {
    /// A store of which nothing is known yet, and which is never asked more than `most` requests of a lane at a time.
    pub(crate) fn new(most: u32) -> Self {
        Self {
            started: Instant::now(),
            reads: Arc::new(Lane::new("reads", most)),
            writes: Arc::new(Lane::new("writes", most)),
            retries: Mutex::new(RetryBudget::new()),
            hedges: Mutex::default(),
        }
    }

    fn lane(&self, kind: RequestKind) -> &Arc<Lane> {
        if kind.is_read() { &self.reads } else { &self.writes }
    }

    /// Waits until one more request of `kind` may be sent. In the order of asking; whoever stops waiting takes nothing.
    pub(crate) async fn admit(&self, kind: RequestKind) -> Ticket {
        let permit = self.lane(kind).gate.enter().await;
        self.ticket(kind, permit)
    }

    fn ticket(&self, kind: RequestKind, permit: Permit) -> Ticket {
        Ticket { lane: Arc::clone(self.lane(kind)), _permit: permit, started: self.started, sent_at: Instant::now() }
    }

    /// How long to wait for the answer to a request before a second one is sent; `None`: for ever, because it is not a
    /// read, or a large one, or too little is known.
    pub(crate) fn hedge_after(&self, kind: RequestKind, bytes: u64) -> Option<Duration> {
        if kind != RequestKind::Get || bytes > MAX_HEDGED_BYTES {
            return None;
        }
        self.hedge_budget().note_read();
        let usual = self.lane(kind).load().latencies.usual(SizeClass::new(kind, bytes))?;
        Some(patience(usual))
    }

    /// Lets a second request through, if few enough were sent and it need not wait.
    pub(crate) fn try_hedge(&self, kind: RequestKind) -> Option<Ticket> {
        let permit = self.lane(kind).gate.try_enter()?;
        let ticket = self.ticket(kind, permit);
        self.hedge_budget().take().then_some(ticket)
    }

    fn hedge_budget(&self) -> MutexGuard<'_, HedgeBudget> {
        self.hedges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the body of an answer that has begun. It does not wait: an answer is finished before new requests begin,
    /// or memory that was taken for it might wait for memory.
    pub(crate) fn admit_body(&self) -> Permit {
        self.reads.gate.exceed()
    }

    /// A request is sent for the first time: that earns a part of a retry.
    pub(crate) fn note_request(&self) {
        self.retry_budget().note_request();
    }

    /// A retry succeeded.
    pub(crate) fn give_back_retry(&self) {
        self.retry_budget().give_back();
    }

    /// Takes a retry from the budget, waiting for it no longer than `patience`; answers whether there was one.
    pub(crate) async fn take_retry(&self, patience: Duration) -> bool {
        let asked = Instant::now();
        loop {
            let taken = self.retry_budget().take(self.started.elapsed());
            let Err(wait) = taken else { return true };
            let left = patience.saturating_sub(asked.elapsed());
            if left.is_zero() {
                return false;
            }
            tokio::time::sleep(wait.min(LONGEST_WAIT).min(left)).await;
        }
    }

    fn retry_budget(&self) -> MutexGuard<'_, RetryBudget> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests of this kind's lane may be under way.
    #[cfg(test)]
    pub(crate) fn limit(&self, kind: RequestKind) -> u32 {
        self.lane(kind).load().limit.limit()
    }
}

impl Lane {
    fn new(name: &'static str, most: u32) -> Self {
        let limit = ConcurrencyLimit::new(most);
        let gate = Arc::new(Gate::new(limit.limit()));
        Self { name, gate, load: Mutex::new(Load { limit, latencies: Latencies::default() }) }
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that may be sent; dropped when it is over.
pub(crate) struct Ticket {
    lane: Arc<Lane>,
    started: Instant,
    sent_at: Instant,
    _permit: Permit,
}

impl Ticket {
    /// Learns from the answer to a request of `kind` that was to move `bytes`.
    pub(crate) fn note<T>(&self, kind: RequestKind, bytes: u64, answer: &Result<T, Fault>) {
        let latency = self.sent_at.elapsed();
        let was_full = self.lane.gate.is_full();
        let mut load = self.lane.load();
        let signal = match answer {
            Ok(_) => Signal::Answered { is_slow: load.latencies.note(SizeClass::new(kind, bytes), latency) },
            Err(fault) => match fault.hint {
                Hint::Throttled { .. } => Signal::Throttled,
                Hint::None | Hint::UploadGone => Signal::Failed,
            },
        };
        let before = load.limit.limit();
        let sent_at = self.sent_at.duration_since(self.started);
        load.limit.observe(Observation { sent_at, now: self.started.elapsed(), was_full, signal });
        let after = load.limit.limit();
        // Under the lock, so that of two changes the later one stays.
        self.lane.gate.set_limit(after);
        drop(load);
        if after < before {
            tracing::debug!(lane = self.lane.name, before, after, "a store is asked less at a time");
        }
    }
}
