//! The journal: what must outlive the coordinator, in order.
//!
//! The trait knows nothing of jobs; the lane decides when records are written, an implementation only how.
//! `README.md` beside this file says how the objects lie in their store, and why they are our own.

mod frame;
mod lane;
mod memory;
mod object;
mod pieces;
mod place;
mod probe;
mod snapshot;
mod standby;
mod tail;

use async_trait::async_trait;
use rechunk_common::ids::{Epoch, JournalPosition};
use rechunk_scheduler::Record;

pub(crate) use lane::{JournalLane, Written};
pub use memory::MemoryJournal;
pub use object::{JournalLimits, ObjectJournal};
pub use place::{DEFAULT_JOURNAL, JournalPlace};

/// Numbered records, appended by one coordinator at a time. Calls never overlap.
#[async_trait]
pub trait Journal: Send + 'static {
    /// Reads what is there and claims the reign after the last one. Called once, before anything else.
    async fn load(&mut self) -> Result<Loaded, JournalError>;

    /// Makes `records` durable, in order, and answers the position of the last one. Where it fails some of the first may
    /// be durable all the same.
    async fn append(&mut self, records: &[Record]) -> Result<JournalPosition, JournalError>;

    /// Makes sure that no newer coordinator reigns. Called while there is nothing to append.
    async fn confirm(&mut self) -> Result<(), JournalError>;
}

/// What a journal holds when a coordinator starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The reign that this coordinator has claimed.
    pub epoch: Epoch,
    /// What was recorded, as a `Ledger` keeps it.
    pub records: Vec<Record>,
    /// The position of the last record that was ever made.
    pub last: JournalPosition,
    /// When it was made.
    pub last_at_ms: u64,
}

/// Why a journal can't be used any more: the coordinator ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A newer coordinator has taken over.
    #[error("a newer coordinator, of epoch {0}, has taken over the journal")]
    Fenced(Epoch),
    /// The journal's store can't be reached, or says no.
    #[error("cannot use the journal: {0}")]
    Unavailable(String),
    /// The journal's store can't keep a promise that the journal needs.
    #[error("the journal's store can't be trusted with it: {0}")]
    Unsafe(String),
    /// What is there is not what was written. Nothing is skipped: it may be a fact that somebody relies on.
    #[error("the journal is damaged: {object} {problem}; restore it from a copy, or begin another journal")]
    Corrupt {
        /// Which object.
        object: String,
        /// What is wrong with it.
        problem: String,
    },
}
