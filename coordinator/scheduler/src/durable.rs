//! What must be durable before it takes effect is held here, until the journal says so.

use std::collections::BTreeMap;

use rechunk_common::{
    ids::{JobId, JournalPosition, StageAddress},
    record::{Record, RecordFact},
};

use crate::{
    command::Command,
    state::{Scheduler, Turn},
};

/// An effect that waits for its record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Held {
    /// The job starts.
    Accepted(JobId),
    /// The job stops.
    Decided(JobId),
    /// The next stage may open.
    Barrier(StageAddress),
    /// The job is terminal.
    Settled(JobId),
    /// The job goes on under its next run.
    Retried(JobId),
    /// What the job wrote is removed.
    Condemned(JobId),
    /// The job is remembered, with nothing left of it.
    Removed(JobId),
    /// The job is forgotten.
    Deleted(JobId),
}

/// The journal as the scheduler sees it: the next position, and what is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Journal {
    next: JournalPosition,
    pub(crate) held: BTreeMap<JournalPosition, Held>,
}

impl Journal {
    pub(crate) fn starting_at(next: JournalPosition) -> Self {
        Self { next, held: BTreeMap::new() }
    }

    fn take_position(&mut self) -> JournalPosition {
        let position = self.next;
        self.next = JournalPosition(position.0.saturating_add(1));
        position
    }
}

impl Scheduler {
    /// Records a fact that may be lost: what it says would be done again.
    pub(crate) fn record(&mut self, turn: &mut Turn, fact: RecordFact) {
        let record = self.next_record(false, fact);
        turn.commands.push(Command::Append(record));
    }

    /// Records a fact whose effect waits until it is durable.
    pub(crate) fn record_and_hold(&mut self, turn: &mut Turn, fact: RecordFact, held: Held) {
        let record = self.next_record(true, fact);
        self.journal.held.insert(record.position, held);
        turn.commands.push(Command::Append(record));
    }

    fn next_record(&mut self, is_synchronous: bool, fact: RecordFact) -> Record {
        Record { position: self.journal.take_position(), at_ms: self.now.0, is_synchronous, fact }
    }

    /// Everything up to `position` is durable: the effects that waited for it happen, in their order.
    pub(crate) fn record_durable(&mut self, turn: &mut Turn, position: JournalPosition) {
        while let Some((held_at, held)) = self.journal.held.pop_first() {
            if held_at > position {
                self.journal.held.insert(held_at, held);
                return;
            }
            match held {
                Held::Accepted(job) => self.accepted(turn, &job),
                Held::Decided(job) => self.decided(turn, &job),
                Held::Barrier(stage) => self.barrier_is_durable(turn, &stage),
                Held::Settled(job) => self.settled(turn, &job),
                Held::Retried(job) => self.retried(turn, &job),
                Held::Condemned(job) => self.condemned(turn, &job),
                Held::Removed(job) => self.removed(turn, &job),
                Held::Deleted(job) => self.deleted(turn, &job),
            }
        }
    }
}
