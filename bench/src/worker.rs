//! A worker that is only simulated: it says what a real one would say, and its tasks are time that passes.
//!
//! Knows nothing of clocks: the caller says what time it is.

use std::time::Duration;

use rechunk_common::{
    ByteCount, Counts,
    ids::{Incarnation, SyncSeq, WorkerId},
    plan::FunctionId,
    session::{Capacity, DoneTasks, Lease, LeaseReport, SyncRequest, SyncResponse},
    task_set::TaskRange,
};
use rechunk_scheduler::Timestamp;

/// A lease that the worker works on.
#[derive(Debug, Clone)]
struct Held {
    lease: Lease,
    since: Timestamp,
    /// Tasks of it that are done and reported, counted from its start.
    done: u64,
}

/// One simulated worker.
#[derive(Debug, Clone)]
pub struct SimulatedWorker {
    id: WorkerId,
    functions: Vec<FunctionId>,
    total: Capacity,
    /// How long one task takes; with 0 every task is done at the next call.
    task_ms: u64,
    seq: u64,
    reports_made: u64,
    held: Vec<Held>,
    /// Not acknowledged yet.
    reports: Vec<LeaseReport>,
}

impl SimulatedWorker {
    /// A worker of `slots` slots that offers `functions`.
    pub fn new(number: usize, functions: Vec<FunctionId>, slots: u32, task_ms: u64) -> Self {
        Self {
            id: WorkerId(format!("worker-{number:05}")),
            functions,
            total: Capacity { memory: ByteCount(u64::from(slots) << 40), scratch: ByteCount(0), slots },
            task_ms,
            seq: 0,
            reports_made: 0,
            held: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Its name.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// Its next call, at `now`: it reports what is done by then, and holds what is not.
    pub fn call(&mut self, now: Timestamp) -> SyncRequest {
        let mut held = std::mem::take(&mut self.held);
        for held in &mut held {
            self.report_progress(held, now);
        }
        held.retain(|held| held.done < held.lease.tasks.len());
        self.held = held;
        self.seq += 1;
        let slots = u32::try_from(self.held.len()).map_or(0, |busy| self.total.slots.saturating_sub(busy));
        SyncRequest {
            worker: self.id.clone(),
            incarnation: Incarnation(1),
            seq: SyncSeq(self.seq),
            functions: self.functions.clone(),
            free: Capacity { memory: ByteCount(u64::from(slots) << 40), scratch: ByteCount(0), slots },
            total: self.total,
            draining: false,
            held: self.held.iter().map(|held| held.lease.clone()).collect(),
            reports: self.reports.clone(),
            wait: Duration::ZERO,
            version: "simulated".to_owned(),
            peak_rss: ByteCount(500_000_000),
            request_rates: Vec::new(),
            progress: Vec::new(),
        }
    }

    fn report_progress(&mut self, held: &mut Held, now: Timestamp) {
        let tasks = held.lease.tasks;
        let by_now = now.ms_since(held.since).checked_div(self.task_ms).unwrap_or(u64::MAX).min(tasks.len());
        if by_now <= held.done {
            return;
        }
        let done = TaskRange::new(tasks.start + held.done, tasks.start + by_now);
        let counts = Counts { get_requests: done.len(), put_requests: done.len(), ..Counts::default() };
        held.done = by_now;
        self.reports_made += 1;
        self.reports.push(LeaseReport {
            lease: held.lease.id,
            stage: held.lease.stage.clone(),
            number: self.reports_made,
            done: vec![DoneTasks { tasks: done, counts }],
            failed: Vec::new(),
        });
    }

    /// Takes an answer that comes at `now`; returns how many tasks it was granted.
    pub fn receive(&mut self, now: Timestamp, response: SyncResponse) -> u64 {
        self.held.retain(|held| !response.revoked.contains(&held.lease.id));
        self.reports.retain(|report| report.number > response.reports_accepted_through);
        let mut granted = 0;
        for grant in response.granted {
            granted += grant.lease.tasks.len();
            self.held.push(Held { lease: grant.lease, since: now, done: 0 });
        }
        granted
    }

    /// When the worker has something to say: a lease is done. `None` while it holds none.
    pub fn next_end(&self) -> Option<Timestamp> {
        let end = |held: &Held| held.since.after_ms(self.task_ms.saturating_mul(held.lease.tasks.len()));
        self.held.iter().map(end).min()
    }
}
