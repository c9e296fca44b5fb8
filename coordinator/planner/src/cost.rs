//! What a candidate costs: time that passes and money that is paid, an estimate to compare plans by. The exact figures
//! of a plan are its counts.
//!
//! A stage has three kinds of work that can go on at the same time: bytes on the link, requests that wait for their
//! first byte, codecs. Where they do, the longest of them is what it takes; where a task reads, then writes, and has
//! its worker to itself, what it takes to fill its buffers and to empty them add up. How far between the two a stage
//! is depends on how often its worker alternates: the tasks side by side, and the times that a task fills its buffers.

use std::{ops::AddAssign, time::Duration};

use rechunk_common::{
    ByteCount, MicroUsd,
    cost_profile::{CostProfile, Prefer, StoreKind},
    plan::{CostBasis, Estimate},
};

/// From a task's start to its first full pipe, and the round that reports it, in seconds.
const TASK_SECONDS: f64 = 0.020;

/// Between two losses of one worker, in seconds: half of a task's work is lost with it.
const LOSS_SECONDS: f64 = 3600.0;

/// From the end of one stage to the work of the next, in seconds.
const BARRIER_SECONDS: f64 = 1.0;

/// The same where the temporary store is a local disk: everything is in one place.
const LOCAL_BARRIER_SECONDS: f64 = 0.05;

/// Waves of tasks from which on the last one matters little.
const FEW_WAVES: f64 = 4.0;

/// What a stage takes longer where each task has its worker to itself: the link idles while one leg ends and the next
/// begins, and one object that is sent alone does not fill it.
const GAPS: f64 = 0.3;

/// A month of 30 days, in seconds.
const MONTH_SECONDS: f64 = 2_592_000.0;

/// 10^9 bytes.
const GB: f64 = 1e9;

/// Who does the work, and what it is weighed by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    /// Workers, at least 1.
    pub(crate) workers: u64,
    /// Threads of each.
    pub(crate) threads: u64,
    /// What tasks of one worker may hold together, in bytes.
    pub(crate) budget: u64,
    /// Local disk that tasks of one worker may use together, in bytes; 0 where workers offer none.
    pub(crate) scratch: u64,
    /// Stores, prices, and what is asked for.
    pub(crate) basis: CostBasis,
}

impl Fleet {
    /// Tasks of `memory` bytes that share one worker.
    pub(crate) fn residents(&self, memory: u64) -> u64 {
        self.budget.checked_div(memory).unwrap_or(u64::MAX).min(self.threads).max(1)
    }

    fn store(&self, place: Place) -> &CostProfile {
        match place {
            Place::Source => &self.basis.source,
            Place::Target => &self.basis.target,
            Place::Temp => &self.basis.temp,
        }
    }
}

/// One of the places of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Source,
    Target,
    Temp,
}

/// Requests to one place and the encoded bytes that go with them. Floats: the exact figures come later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) place: Place,
    pub(crate) requests: f64,
    pub(crate) bytes: f64,
}

/// What one stage does, over all pipelines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StageWork {
    pub(crate) tasks: f64,
    pub(crate) reads: Traffic,
    pub(crate) writes: Traffic,
    /// Objects that are deleted where the stage writes, sooner or later.
    pub(crate) deletes: f64,
    /// Seconds of one thread until what was read is in place.
    pub(crate) decode_seconds: f64,
    /// Seconds of one thread until it can be written.
    pub(crate) encode_seconds: f64,
}

/// Time and money of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Outlay {
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// Of which the whole fleet is busy: what cannot overlap with other arrays' work.
    pub(crate) busy_seconds: f64,
    pub(crate) usd: f64,
    pub(crate) wire_bytes: f64,
}

impl StageWork {
    /// Seconds on one worker with tasks `side_by_side`, each of which fills and empties its buffers `times` times, with
    /// what is expected to be done again.
    fn seconds(&self, fleet: &Fleet, side_by_side: f64, times: f64) -> f64 {
        let (from, to) = (fleet.store(self.reads.place), fleet.store(self.writes.place));
        let link = |traffic: &Traffic, store: &CostProfile| traffic.bytes / store.bytes_per_second.max(1) as f64;
        let wait = |requests: f64, store: &CostProfile| {
            requests * store.latency.as_secs_f64() / store.requests_in_flight.max(1) as f64
        };
        let threads = fleet.threads.max(1) as f64;
        let links = (link(&self.reads, from), link(&self.writes, to));
        let waits = (wait(self.reads.requests, from), wait(self.writes.requests + self.deletes, to));
        let codecs = (self.decode_seconds / threads, self.encode_seconds / threads);
        let in_turn = links.0.max(waits.0).max(codecs.0) + links.1.max(waits.1).max(codecs.1);
        let at_once = (links.0 + links.1).max(waits.0 + waits.1).max(codecs.0 + codecs.1);
        let rounds = (side_by_side * times).max(1.0);
        let moving = (at_once + (in_turn - at_once) / rounds) * (1.0 + GAPS / side_by_side.max(1.0));
        let work = moving + self.tasks * TASK_SECONDS;
        let task = work / self.tasks.max(1.0);
        work * (1.0 + 0.5 * task / LOSS_SECONDS)
    }

    /// What it takes with `residents` tasks on a worker, each of which fills its buffers `times` times. The last wave
    /// of tasks leaves workers idle: half a task on the average, and all but the busy ones where tasks are few; with
    /// more, task times differ too much to count waves.
    pub(crate) fn outlay(&self, fleet: &Fleet, residents: u64, times: f64) -> Outlay {
        let side_by_side = (residents as f64).min(self.tasks.max(1.0));
        let work = self.seconds(fleet, side_by_side, times.max(1.0));
        let workers = fleet.workers as f64;
        let task = work / self.tasks.max(1.0);
        let waves = if self.tasks < FEW_WAVES * workers { (self.tasks / workers).ceil() * task } else { 0.0 };
        let idle = 0.5 * (1.0 - 1.0 / workers) * task;
        let (from, to) = (fleet.store(self.reads.place), fleet.store(self.writes.place));
        let limited = |requests: f64, most: Option<u64>| most.map_or(0.0, |most| requests / most.max(1) as f64);
        let served = limited(self.reads.requests, from.gets_per_second)
            .max(limited(self.writes.requests + self.deletes, to.puts_per_second));
        let usd = self.reads.requests * from.prices.per_1000_get.as_usd() / 1000.0
            + self.reads.bytes * from.prices.per_gb_out.as_usd() / GB
            + self.writes.requests * to.prices.per_1000_put.as_usd() / 1000.0
            + work * fleet.basis.worker_hour.as_usd() / 3600.0;
        Outlay {
            seconds: waves.max(work / workers + idle).max(served) + barrier_seconds(&fleet.basis),
            busy_seconds: (work / workers).max(served),
            usd,
            wire_bytes: self.reads.bytes + self.writes.bytes,
        }
    }

    /// Less than it takes whatever the memory.
    pub(crate) fn least_outlay(&self, fleet: &Fleet) -> Outlay {
        self.outlay(fleet, u64::MAX, f64::INFINITY)
    }
}

/// From the end of one stage to the work of the next.
pub(crate) fn barrier_seconds(basis: &CostBasis) -> f64 {
    if basis.temp.kind == StoreKind::Local { LOCAL_BARRIER_SECONDS } else { BARRIER_SECONDS }
}

impl AddAssign for Outlay {
    /// One after the other.
    fn add_assign(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.busy_seconds += other.busy_seconds;
        self.usd += other.usd;
        self.wire_bytes += other.wire_bytes;
    }
}

impl Outlay {
    /// Time and money in one figure, in seconds.
    pub(crate) fn cost(&self, prefer: Prefer) -> f64 {
        self.seconds + prefer.seconds_per_usd() * self.usd
    }

    /// With `bytes` that stand in the temporary space for all of its time.
    pub(crate) fn with_standing(mut self, bytes: f64, fleet: &Fleet) -> Self {
        self.usd += bytes / GB * fleet.basis.temp.prices.per_gb_month.as_usd() * self.seconds / MONTH_SECONDS;
        self
    }

    /// As people are shown it.
    pub(crate) fn estimate(&self) -> Estimate {
        Estimate {
            duration: duration(self.seconds),
            usd: MicroUsd::from_usd(self.usd).unwrap_or_default(),
            wire_bytes: ByteCount(whole(self.wire_bytes)),
        }
    }
}

/// Whole microseconds; endless where there is no such number.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::from_micros(whole(seconds * 1e6))
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest that there is"
)]
pub(crate) fn whole(figure: f64) -> u64 {
    figure.round() as u64
}

/// The best of what a search looked at: the cheapest by each preference. What both would choose is kept for both, so
/// that more weight for money never leads to a plan that costs more of it.
#[derive(Debug, Clone)]
pub(crate) struct Bests<T> {
    by: [Option<(f64, T)>; Prefer::ALL.len()],
}

impl<T> Default for Bests<T> {
    fn default() -> Self {
        Self { by: [None, None] }
    }
}

impl<T: Clone + PartialEq> Bests<T> {
    /// Whether something with this outlay would be the best by some preference.
    pub(crate) fn would_take(&self, outlay: &Outlay) -> bool {
        let mut both = self.by.iter().zip(Prefer::ALL);
        both.any(|(best, prefer)| best.as_ref().is_none_or(|(cost, _)| outlay.cost(prefer) < *cost))
    }

    /// Takes what is better than the best by some preference.
    pub(crate) fn offer(&mut self, outlay: &Outlay, value: &T) {
        for (best, prefer) in self.by.iter_mut().zip(Prefer::ALL) {
            let cost = outlay.cost(prefer);
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                *best = Some((cost, value.clone()));
            }
        }
    }

    /// The best by one preference.
    pub(crate) fn by(&self, prefer: Prefer) -> Option<&T> {
        let mut both = self.by.iter().zip(Prefer::ALL);
        both.find(|(_, of)| *of == prefer).and_then(|(best, _)| best.as_ref()).map(|(_, value)| value)
    }

    /// The best by each preference, each once.
    pub(crate) fn distinct(self) -> Vec<T> {
        let mut all: Vec<T> = self.by.into_iter().flatten().map(|(_, value)| value).collect();
        all.dedup();
        all
    }
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
