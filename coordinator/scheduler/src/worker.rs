//! Workers as they described themselves in their last call, and the calls that wait for an answer.

use std::collections::{BTreeMap, BTreeSet};

use rechunk_common::{
    ByteCount,
    ids::{Incarnation, LeaseId, SyncSeq, WorkerId},
    plan::FunctionId,
    session::{Capacity, SyncCall},
};

use crate::{event::Timestamp, track_record::TrackRecord};

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Worker {
    pub(crate) incarnation: Incarnation,
    pub(crate) seq: SyncSeq,
    pub(crate) functions: BTreeSet<FunctionId>,
    pub(crate) free: Capacity,
    pub(crate) total: Capacity,
    pub(crate) is_draining: bool,
    pub(crate) version: String,
    pub(crate) peak_rss: ByteCount,
    pub(crate) last_heard: Timestamp,
    /// Its reports up to this number are taken.
    pub(crate) accepted_through: u64,
    /// Its leases, live or not.
    pub(crate) leases: BTreeSet<LeaseId>,
    /// How many leases it listed in its last call.
    pub(crate) held: usize,
    /// Leases without a record here that it was told to stop.
    pub(crate) told: BTreeSet<LeaseId>,
    pub(crate) record: TrackRecord,
    pub(crate) poll: Option<Poll>,
}

/// A call that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Poll {
    pub(crate) seq: SyncSeq,
    /// It is answered then at the latest.
    pub(crate) until: Timestamp,
    /// There is something to say already.
    pub(crate) is_urgent: bool,
    /// Held leases that were renewed by it.
    pub(crate) renewed: Vec<LeaseId>,
    /// Held leases that this scheduler has no record of and does not want.
    pub(crate) unknown: Vec<LeaseId>,
}

impl Worker {
    /// A worker that was never heard of.
    pub(crate) fn new(incarnation: Incarnation, now: Timestamp) -> Self {
        Self {
            incarnation,
            seq: SyncSeq::default(),
            functions: BTreeSet::new(),
            free: Capacity::default(),
            total: Capacity::default(),
            is_draining: false,
            version: String::new(),
            peak_rss: ByteCount::default(),
            last_heard: now,
            accepted_through: 0,
            leases: BTreeSet::new(),
            held: 0,
            told: BTreeSet::new(),
            record: TrackRecord::default(),
            poll: None,
        }
    }

    fn slots(&self) -> u64 {
        if self.is_draining { 0 } else { u64::from(self.total.slots) }
    }
}

/// All workers that are not forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub(crate) struct Fleet {
    all: BTreeMap<WorkerId, Worker>,
    polls: BTreeSet<(Timestamp, WorkerId)>,
    heard: BTreeSet<(Timestamp, WorkerId)>,
    slots: u64,
}

impl Fleet {
    pub(crate) fn get(&self, id: &WorkerId) -> Option<&Worker> {
        self.all.get(id)
    }

    /// For what no index of the fleet depends on: leases, reports, held, its record.
    pub(crate) fn get_mut(&mut self, id: &WorkerId) -> Option<&mut Worker> {
        self.all.get_mut(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&WorkerId, &Worker)> {
        self.all.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether another worker takes new leases at `now`.
    pub(crate) fn has_other_at_work(&self, id: &WorkerId, now: Timestamp) -> bool {
        self.iter().any(|(other, worker)| other != id && !worker.is_draining && worker.record.rest_at(now).is_none())
    }

    /// Slots of all workers that take new leases.
    pub(crate) fn slots(&self) -> u64 {
        self.slots
    }

    /// Puts a worker in, in place of what was there under its name.
    pub(crate) fn put(&mut self, id: WorkerId, worker: Worker) {
        self.remove(&id);
        self.slots = self.slots.saturating_add(worker.slots());
        self.heard.insert((worker.last_heard, id.clone()));
        if let Some(poll) = &worker.poll {
            self.polls.insert((poll.until, id.clone()));
        }
        self.all.insert(id, worker);
    }

    pub(crate) fn remove(&mut self, id: &WorkerId) -> Option<Worker> {
        self.take_poll(id);
        let worker = self.all.remove(id)?;
        self.slots = self.slots.saturating_sub(worker.slots());
        self.heard.remove(&(worker.last_heard, id.clone()));
        Some(worker)
    }

    /// The waiting call, if there is one: it does not wait any more.
    pub(crate) fn take_poll(&mut self, id: &WorkerId) -> Option<Poll> {
        let poll = self.all.get_mut(id)?.poll.take()?;
        self.polls.remove(&(poll.until, id.clone()));
        Some(poll)
    }

    /// A call waits.
    pub(crate) fn set_poll(&mut self, id: &WorkerId, poll: Poll) {
        self.take_poll(id);
        if let Some(worker) = self.all.get_mut(id) {
            self.polls.insert((poll.until, id.clone()));
            worker.poll = Some(poll);
        }
    }

    /// The caller has gone away.
    pub(crate) fn drop_poll(&mut self, call: &SyncCall) {
        let worker = self.get(&call.worker).filter(|worker| worker.incarnation == call.incarnation);
        if worker.and_then(|worker| worker.poll.as_ref()).is_some_and(|poll| poll.seq == call.seq) {
            self.take_poll(&call.worker);
        }
    }

    /// The waiting call that is answered first at the latest.
    pub(crate) fn first_poll(&self) -> Option<&(Timestamp, WorkerId)> {
        self.polls.first()
    }

    /// The waiting call after `last`.
    pub(crate) fn poll_after(&self, last: Option<&(Timestamp, WorkerId)>) -> Option<&(Timestamp, WorkerId)> {
        use std::ops::Bound;
        match last {
            Some(last) => self.polls.range((Bound::Excluded(last), Bound::Unbounded)).next(),
            None => self.polls.first(),
        }
    }

    /// The worker that was not heard for the longest time.
    pub(crate) fn first_silent(&self) -> Option<&(Timestamp, WorkerId)> {
        self.heard.first()
    }

    pub(crate) fn is_indexed(&self) -> bool {
        let polls = self.iter().filter(|(_, worker)| worker.poll.is_some()).count();
        self.slots == self.all.values().map(Worker::slots).sum::<u64>()
            && self.heard.len() == self.all.len()
            && self.polls.len() == polls
            && self.iter().all(|(id, worker)| {
                let poll = worker.poll.as_ref();
                self.heard.contains(&(worker.last_heard, id.clone()))
                    && poll.is_none_or(|poll| self.polls.contains(&(poll.until, id.clone())))
            })
    }
}
