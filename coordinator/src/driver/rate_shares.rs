//! Who may ask the stores how much: the request budget of the fleet, divided among the workers that hold leases.
//!
//! What workers may ask for together never passes the budget. Each call says what its worker keeps to; what was answered
//! since counts too, because the answer may have come and may not. So a share shrinks first, and what it gives up goes to
//! others when the next call shows that it is given up. A worker without leases asks for nothing, and counts for nothing;
//! when it is granted one, it begins with its part by the slots of all workers that are there, and goes on with its part
//! by the slots of those that have work.
//!
//! What is not known here can't be counted: a coordinator that begins learns with each worker's first call what it keeps
//! to, and until all have called they may ask for twice the budget. Pure: the time comes in.

use std::{collections::BTreeMap, time::Duration};

use rechunk_common::{
    ids::{Incarnation, SyncSeq, WorkerId},
    limits::{MAX_SYNC_WAIT, MAX_WORKERS},
    request_rate::{RequestRate, RequestShares, StoreRates},
    session::{SyncCall, SyncRequest},
};
use rechunk_scheduler::Timestamp;

/// Workers call so often at the least, so that shares change hands within seconds.
const ROUND: Duration = Duration::from_secs(1);

/// In large fleets less often: together they call 500 times a second.
const ROUND_PER_WORKER: Duration = Duration::from_millis(2);

/// How often silent workers are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The budget, and what of it each worker may be asking for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RateShares {
    budget: Vec<StoreRates>,
    /// A worker that was silent for so long holds no lease any more.
    patience: Duration,
    members: BTreeMap<(WorkerId, Incarnation), Member>,
    totals: Totals,
    swept_at: Timestamp,
}

/// A worker's process, as of its last call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    seq: SyncSeq,
    heard_at: Timestamp,
    slots: u64,
    /// It held leases.
    has_work: bool,
    /// What it kept to, for each entry of the budget.
    kept: Vec<Pair>,
    /// What it was told since; `Some` only where it holds leases now.
    told: Option<Vec<Pair>>,
}

/// Rates of reads and of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pair {
    gets: RequestRate,
    puts: RequestRate,
}

/// Sums over all members.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Totals {
    slots: u64,
    slots_with_work: u64,
    /// For each entry of the budget, what members may be asking for.
    used: Vec<Pair>,
}

impl Member {
    fn is_working(&self) -> bool {
        self.has_work || self.told.is_some()
    }

    /// What it may be asking for, of the entry `at` of the budget.
    fn used(&self, at: usize) -> Pair {
        if !self.is_working() {
            return Pair::default();
        }
        let of = |pairs: &[Pair]| pairs.get(at).copied().unwrap_or_default();
        let (kept, told) = (of(&self.kept), self.told.as_deref().map(of).unwrap_or_default());
        Pair { gets: kept.gets.max(told.gets), puts: kept.puts.max(told.puts) }
    }
}

impl Totals {
    fn add(&mut self, member: &Member) {
        self.slots = self.slots.saturating_add(member.slots);
        if member.is_working() {
            self.slots_with_work = self.slots_with_work.saturating_add(member.slots);
        }
        for (at, used) in self.used.iter_mut().enumerate() {
            let more = member.used(at);
            used.gets.0 = used.gets.0.saturating_add(more.gets.0);
            used.puts.0 = used.puts.0.saturating_add(more.puts.0);
        }
    }

    fn subtract(&mut self, member: &Member) {
        self.slots = self.slots.saturating_sub(member.slots);
        if member.is_working() {
            self.slots_with_work = self.slots_with_work.saturating_sub(member.slots);
        }
        for (at, used) in self.used.iter_mut().enumerate() {
            let less = member.used(at);
            used.gets.0 = used.gets.0.saturating_sub(less.gets.0);
            used.puts.0 = used.puts.0.saturating_sub(less.puts.0);
        }
    }
}

impl RateShares {
    /// Divides `budget` among workers whose leases end when they have been silent for `patience`.
    pub(super) fn new(budget: Vec<StoreRates>, patience: Duration) -> Self {
        let totals = Totals { used: vec![Pair::default(); budget.len()], ..Totals::default() };
        Self { budget, patience, members: BTreeMap::new(), totals, swept_at: Timestamp::default() }
    }

    /// A worker calls: it will take no other answer any more than the one to this call.
    pub(super) fn hear(&mut self, now: Timestamp, request: &SyncRequest) {
        if self.budget.is_empty() {
            return;
        }
        self.forget_silent(now);
        let key = (request.worker.clone(), request.incarnation);
        let before = self.members.get(&key);
        let is_late = before.is_some_and(|member| member.seq >= request.seq);
        if is_late || (before.is_none() && self.members.len() >= MAX_WORKERS) {
            return;
        }
        let kept = self.budget.iter().map(|budget| {
            let kept = request.request_rates.iter().find(|kept| kept.prefix == budget.prefix);
            kept.map_or_else(Pair::default, |kept| Pair {
                gets: kept.gets.unwrap_or_default(),
                puts: kept.puts.unwrap_or_default(),
            })
        });
        let member = Member {
            seq: request.seq,
            heard_at: now,
            slots: u64::from(request.total.slots.max(1)),
            has_work: !request.held.is_empty(),
            kept: kept.collect(),
            told: None,
        };
        self.totals.add(&member);
        if let Some(before) = self.members.insert(key, member) {
            self.totals.subtract(&before);
        }
    }

    /// The answer to a call; `None` where there is no budget.
    pub(super) fn answer(&mut self, call: &SyncCall, is_granted: bool) -> Option<RequestShares> {
        if self.budget.is_empty() {
            return None;
        }
        let key = (call.worker.clone(), call.incarnation);
        let Some(mut member) = self.members.get(&key).filter(|member| member.seq == call.seq).cloned() else {
            // Nobody waits for it: another call has taken its place, or there are too many workers.
            return Some(self.shares(&vec![Pair::default(); self.budget.len()]));
        };
        self.members.remove(&key);
        self.totals.subtract(&member);
        let (of, in_all) = if member.has_work {
            (member.slots, self.totals.slots_with_work.saturating_add(member.slots))
        } else {
            (member.slots, self.totals.slots.saturating_add(member.slots))
        };
        let part = |budget: Option<RequestRate>, used: RequestRate| {
            let budget = budget.unwrap_or_default().0;
            let part = u128::from(budget).saturating_mul(of.into()) / u128::from(in_all.max(1));
            RequestRate(u64::try_from(part).unwrap_or(u64::MAX).min(budget.saturating_sub(used.0)))
        };
        let budgets = self.budget.iter().zip(&self.totals.used);
        let share: Vec<Pair> = budgets
            .map(|(budget, used)| Pair { gets: part(budget.gets, used.gets), puts: part(budget.puts, used.puts) })
            .collect();
        let shares = self.shares(&share);
        if member.is_working() || is_granted {
            // A call that came twice may be answered twice.
            member.kept = (0..share.len()).map(|at| member.used(at)).collect();
            member.told = Some(share);
        }
        self.totals.add(&member);
        self.members.insert(key, member);
        Some(shares)
    }

    fn shares(&self, share: &[Pair]) -> RequestShares {
        let rates = self.budget.iter().zip(share).map(|(budget, share)| StoreRates {
            prefix: budget.prefix.clone(),
            gets: budget.gets.map(|_| share.gets),
            puts: budget.puts.map(|_| share.puts),
        });
        // The one that is answered stands aside.
        let workers = u32::try_from(self.members.len().saturating_add(1)).unwrap_or(u32::MAX);
        let ask_within = ROUND_PER_WORKER.saturating_mul(workers).clamp(ROUND, MAX_SYNC_WAIT);
        RequestShares { rates: rates.collect(), ask_within }
    }

    fn forget_silent(&mut self, now: Timestamp) {
        if now < self.swept_at.after(SWEEP) {
            return;
        }
        self.swept_at = now;
        let (patience, totals) = (self.patience, &mut self.totals);
        self.members.retain(|_, member| {
            let is_there = now < member.heard_at.after(patience);
            if !is_there {
                totals.subtract(member);
            }
            is_there
        });
    }
}

#[cfg(test)]
mod tests;
