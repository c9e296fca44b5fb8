//! A worker as the coordinator sees it: what it holds, what it has to say, and which answer it waits for.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

use rechunk_common::{
    ByteCount, ContentSum, Counts,
    ids::{Incarnation, LeaseId, SyncSeq, TaskIndex},
    plan::FunctionId,
    session::{Capacity, DoneTasks, FailedTask, Lease, LeaseReport, SyncRequest, SyncResponse},
    task_set::TaskRange,
};

use super::print::print_of_debug;

/// A lease by the worker's clock.
#[derive(Debug, Clone)]
pub(super) struct HeldLease {
    pub(super) lease: Lease,
    /// The next task to do; those before it are done.
    pub(super) next: u64,
    /// No task is started from then on.
    pub(super) until: u64,
}

/// A call under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) seq: u64,
    pub(super) at: u64,
    /// It may be held by the coordinator, so it gives way to news.
    pub(super) is_poll: bool,
}

/// One worker process.
#[derive(Debug, Clone)]
pub(super) struct SmallWorker {
    pub(super) incarnation: u64,
    pub(super) seq: u64,
    pub(super) epoch: u64,
    pub(super) held: Vec<HeldLease>,
    reports: Vec<LeaseReport>,
    next_number: u64,
    pub(super) has_news: bool,
    pub(super) asked: Option<Asked>,
}

impl Hash for SmallWorker {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.incarnation, self.seq, self.epoch, self.next_number, self.has_news, self.asked).hash(state);
        print_of_debug(&(&self.held, &self.reports)).hash(state);
    }
}

impl SmallWorker {
    pub(super) fn new() -> Self {
        Self {
            incarnation: 1,
            seq: 0,
            epoch: 0,
            held: Vec::new(),
            reports: Vec::new(),
            next_number: 1,
            has_news: false,
            asked: None,
        }
    }

    /// Another process of the same name.
    pub(super) fn replace(&mut self) {
        *self = Self { incarnation: self.incarnation + 1, ..Self::new() };
    }

    /// Whether it would call now.
    pub(super) fn would_call(&self) -> bool {
        self.asked.is_none_or(|asked| asked.is_poll && self.has_news)
    }

    /// Its next call.
    pub(super) fn call(&mut self, name: &str, function: FunctionId, now: u64) -> SyncRequest {
        self.seq += 1;
        let wait = match (self.has_news, self.reports.is_empty()) {
            (true, _) => Duration::ZERO,
            (false, false) => Duration::from_millis(500),
            (false, true) => Duration::from_secs(9),
        };
        self.has_news = false;
        self.asked = Some(Asked { seq: self.seq, at: now, is_poll: !wait.is_zero() });
        let total = Capacity { memory: ByteCount(1), scratch: ByteCount(0), slots: 1 };
        SyncRequest {
            worker: name.into(),
            incarnation: Incarnation(self.incarnation),
            seq: SyncSeq(self.seq),
            functions: vec![function],
            free: if self.held.is_empty() { total } else { Capacity::default() },
            total,
            draining: false,
            held: self.held.iter().map(|held| held.lease.clone()).collect(),
            reports: self.reports.clone(),
            wait,
            version: String::new(),
            peak_rss: ByteCount(0),
            request_rates: Vec::new(),
            progress: Vec::new(),
        }
    }

    /// The call that it waits for will not be answered.
    pub(super) fn give_up_call(&mut self) {
        self.asked = None;
        self.has_news = true;
    }

    /// Takes an answer; one that it does not wait for, or of an older reign, says nothing.
    pub(super) fn take(&mut self, answer: &SyncResponse, now: u64) {
        let Some(asked) = self.asked.filter(|asked| asked.seq == answer.seq.0) else { return };
        if answer.epoch.0 < self.epoch {
            self.give_up_call();
            return;
        }
        self.asked = None;
        self.epoch = answer.epoch.0;
        self.reports.retain(|report| report.number > answer.reports_accepted_through);
        let count = self.held.len();
        self.held.retain(|held| !answer.revoked.contains(&held.lease.id));
        self.has_news |= self.held.len() < count;
        let until = |ttl: Duration| asked.at + u64::try_from(ttl.as_millis()).expect("a short lease");
        for held in self.held.iter_mut().filter(|held| answer.renewed.contains(&held.lease.id)) {
            held.until = until(held.lease.ttl);
        }
        for grant in &answer.granted {
            let lease = grant.lease.clone();
            self.held.push(HeldLease { next: lease.tasks.start, until: until(lease.ttl), lease });
        }
        self.stop_late(now);
    }

    /// Leases that have ended by its clock are dropped.
    pub(super) fn stop_late(&mut self, now: u64) {
        let count = self.held.len();
        self.held.retain(|held| held.until > now);
        self.has_news |= self.held.len() < count;
    }

    /// The next task of a lease is over.
    pub(super) fn end_task(&mut self, index: usize, failed: Option<FailedTask>) {
        let held = &mut self.held[index];
        let tasks = TaskRange::single(held.next);
        // Every stage has the same tasks: what the second one reads back is what the first one wrote.
        let content = ContentSum::of_halves(held.next + 1, 1 << held.next);
        let counts = Counts { put_requests: 1, content, ..Counts::default() };
        let done = if failed.is_none() { vec![DoneTasks { tasks, counts }] } else { Vec::new() };
        let report = LeaseReport {
            lease: held.lease.id,
            stage: held.lease.stage.clone(),
            number: self.next_number,
            done,
            failed: failed.into_iter().collect(),
        };
        held.next += 1;
        if held.next >= held.lease.tasks.end {
            self.held.remove(index);
        }
        self.next_number += 1;
        self.reports.push(report);
        self.has_news = true;
    }

    /// The task that a lease is at, and the lease.
    pub(super) fn at(&self, index: usize) -> Option<(TaskIndex, LeaseId)> {
        self.held.get(index).map(|held| (TaskIndex(held.next), held.lease.id))
    }
}
