//! The leases that a worker holds, and which of their tasks comes next.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rechunk_common::{
    ByteCount,
    ids::{LeaseId, StageAddress, TaskIndex},
    plan::StageFunction,
    session::{Capacity, Grant, Lease, LeaseProgress},
};
use rechunk_traces::{OpenSpan, Place};
use tokio_util::sync::CancellationToken;

use super::{Clock, LeaseTerm};
use crate::progress::Progress;

/// A lease that is worked on.
pub(crate) struct HeldLease {
    pub(crate) lease: Lease,
    pub(crate) stage_name: String,
    pub(crate) function: Arc<StageFunction>,
    pub(crate) task_memory: ByteCount,
    task_scratch: ByteCount,
    pub(crate) term: Arc<LeaseTerm>,
    /// Cancelled when the lease ends.
    pub(crate) ended: CancellationToken,
    progress: Progress,
    /// The first task that was not started.
    next: u64,
    /// Tasks that have not ended.
    open: u64,
    /// Ends with it.
    span: Option<OpenSpan>,
}

impl HeldLease {
    /// Tasks that were started and have not ended.
    fn running(&self) -> u64 {
        let started = self.next.saturating_sub(self.lease.tasks.start);
        let ended = self.lease.tasks.len().saturating_sub(self.open);
        started.saturating_sub(ended)
    }
}

/// A task to start.
pub(crate) struct NextTask {
    pub(crate) lease: LeaseId,
    pub(crate) stage: StageAddress,
    pub(crate) stage_name: String,
    pub(crate) task: TaskIndex,
    pub(crate) function: Arc<StageFunction>,
    pub(crate) memory: ByteCount,
    pub(crate) scratch: ByteCount,
    pub(crate) term: Arc<LeaseTerm>,
    pub(crate) ended: CancellationToken,
    pub(crate) progress: Progress,
}

/// A lease that has ended, while tasks of it are being stopped: they may have writes under way.
struct ClosingLease {
    lease: Lease,
    /// Tasks that were started and have not ended.
    running: u64,
}

/// Leases by id, which is the order of their grants.
pub(crate) struct LeaseTable {
    clock: Arc<dyn Clock>,
    leases: BTreeMap<LeaseId, HeldLease>,
    closing: BTreeMap<LeaseId, ClosingLease>,
    /// That of no lease, which those of all leases are made from.
    progress: Progress,
}

impl LeaseTable {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, leases: BTreeMap::new(), closing: BTreeMap::new(), progress: Progress::default() }
    }

    /// Whether nothing is held, and nothing that was held can still write.
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.closing.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.leases.len().saturating_add(self.closing.len())
    }

    /// All leases, for the next call; also those that have ended, until their tasks have stopped: what is not listed is
    /// taken to write nothing more.
    pub(crate) fn held(&self) -> Vec<Lease> {
        let closing = self.closing.values().map(|closing| closing.lease.clone());
        self.leases.values().map(|held| held.lease.clone()).chain(closing).collect()
    }

    /// How the leases that are worked on move, for the next call.
    pub(crate) fn progress(&self) -> Vec<LeaseProgress> {
        let progress = |(id, held): (&LeaseId, &HeldLease)| LeaseProgress { lease: *id, count: held.progress.count() };
        self.leases.iter().map(progress).collect()
    }

    /// Takes a lease that was asked for at `asked_at`. One that is held already is left as it is.
    pub(crate) fn grant(&mut self, grant: Grant, asked_at: Duration) {
        let ends_at = asked_at.saturating_add(grant.lease.ttl);
        let id = &grant.lease.id;
        if grant.lease.tasks.is_empty() || self.leases.contains_key(id) || self.closing.contains_key(id) {
            return;
        }
        let Grant { lease, stage_name, function, task_memory, task_scratch } = grant;
        let span = OpenSpan::begin(&lease.stage.job, "lease", || Place::Lease(lease.stage.clone(), lease.id));
        let held = HeldLease {
            span: span
                .map(|span| span.with("rechunk.stage", stage_name.as_str()).with("rechunk.tasks", lease.tasks.len())),
            next: lease.tasks.start,
            open: lease.tasks.len(),
            term: LeaseTerm::new(Arc::clone(&self.clock), ends_at),
            ended: CancellationToken::new(),
            progress: self.progress.of_another(),
            function: Arc::new(function),
            stage_name,
            task_memory,
            task_scratch,
            lease,
        };
        self.leases.insert(held.lease.id, held);
    }

    /// The lease is good for another `ttl` from `asked_at`.
    pub(crate) fn renew(&mut self, id: LeaseId, asked_at: Duration) {
        if let Some(held) = self.leases.get(&id) {
            held.term.extend_to(asked_at.saturating_add(held.lease.ttl));
        }
    }

    /// Ends a lease: its tasks stop, and none of their writes starts.
    pub(crate) fn end(&mut self, id: LeaseId) -> bool {
        let Some(held) = self.leases.remove(&id) else { return false };
        held.term.end();
        held.ended.cancel();
        let running = held.running();
        if let Some(span) = held.span {
            span.end(Some(format!("ended with {} tasks open", held.open)));
        }
        if running > 0 {
            self.closing.insert(id, ClosingLease { lease: held.lease, running });
        }
        true
    }

    /// Ends every lease whose time is over.
    pub(crate) fn end_expired(&mut self) -> Vec<LeaseId> {
        let now = self.clock.now();
        let over: Vec<LeaseId> =
            self.leases.iter().filter(|(_, held)| held.term.ends_at() <= now).map(|(id, _)| *id).collect();
        over.into_iter().filter(|id| self.end(*id)).collect()
    }

    /// Ends all leases.
    pub(crate) fn end_all(&mut self) {
        let all: Vec<LeaseId> = self.leases.keys().copied().collect();
        for id in all {
            self.end(id);
        }
    }

    /// How long until the first lease ends.
    pub(crate) fn first_end_in(&self) -> Option<Duration> {
        let now = self.clock.now();
        self.leases.values().map(|held| held.term.ends_at().saturating_sub(now)).min()
    }

    /// The shortest ttl of a held lease.
    pub(crate) fn shortest_ttl(&self) -> Option<Duration> {
        self.leases.values().map(|held| held.lease.ttl).min()
    }

    /// The next task to start, oldest lease first.
    pub(crate) fn take_next(&mut self) -> Option<NextTask> {
        let held = self.leases.values_mut().find(|held| held.next < held.lease.tasks.end)?;
        let task = TaskIndex(held.next);
        held.next = held.next.saturating_add(1);
        Some(NextTask {
            lease: held.lease.id,
            stage: held.lease.stage.clone(),
            stage_name: held.stage_name.clone(),
            task,
            function: Arc::clone(&held.function),
            memory: held.task_memory,
            scratch: held.task_scratch,
            term: Arc::clone(&held.term),
            ended: held.ended.child_token(),
            progress: held.progress.clone(),
        })
    }

    /// Whether a task waits to be started.
    pub(crate) fn has_next(&self) -> bool {
        self.leases.values().any(|held| held.next < held.lease.tasks.end)
    }

    /// A task of the lease has ended; the last one ends the lease. Says whether the lease was held.
    pub(crate) fn note_ended(&mut self, id: LeaseId) -> bool {
        let Some(held) = self.leases.get_mut(&id) else {
            if let Some(closing) = self.closing.get_mut(&id) {
                closing.running = closing.running.saturating_sub(1);
                if closing.running == 0 {
                    self.closing.remove(&id);
                }
            }
            return false;
        };
        held.open = held.open.saturating_sub(1);
        if held.open == 0 {
            let span = self.leases.remove(&id).and_then(|held| held.span);
            if let Some(span) = span {
                span.end(None);
            }
        }
        true
    }

    /// What can be taken on beside what is held: tasks that run or will run next take their share of `total`.
    pub(crate) fn free(&self, total: Capacity) -> Capacity {
        let mut free = total;
        for held in self.leases.values() {
            let tasks = held.open.min(u64::from(free.slots));
            free.slots = free.slots.saturating_sub(u32::try_from(tasks).unwrap_or(u32::MAX));
            free.memory.0 = free.memory.0.saturating_sub(held.task_memory.0.saturating_mul(tasks));
            free.scratch.0 = free.scratch.0.saturating_sub(held.task_scratch.0.saturating_mul(tasks));
        }
        free
    }
}
