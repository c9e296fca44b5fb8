//! What must be durable before it takes effect is held here, until the journal says so.

use std::collections::BTreeMap;

use rechunk_common::ids::{JobId, JournalPosition, StageAddress};

use crate::{
    command::{Command, Record, RecordFact},
    state::{Scheduler, Turn},
};

/// An effect that waits for its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// The job starts.
    Accepted(JobId),
    /// The job stops.
    Decided(JobId),
    /// The next stage may open.
    Barrier(StageAddress),
    /// The job is terminal.
    Settled(JobId),
    /// The job is forgotten.
    Deleted(JobId),
}

/// The journal as the scheduler sees it: the next position, and what is held.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let position = self.journal.take_position();
        turn.commands.push(Command::Append(Record { position, is_synchronous: false, fact }));
    }

    /// Records a fact whose effect waits until it is durable.
    pub(crate) fn record_and_hold(&mut self, turn: &mut Turn, fact: RecordFact, held: Held) {
        let position = self.journal.take_position();
        self.journal.held.insert(position, held);
        turn.commands.push(Command::Append(Record { position, is_synchronous: true, fact }));
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
                Held::Deleted(job) => self.deleted(turn, &job),
            }
        }
    }
}
