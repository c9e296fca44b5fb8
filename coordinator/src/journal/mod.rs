//! The journal: what must outlive the coordinator, in order.
//!
//! The trait knows nothing of jobs; the lane decides when records are written, an implementation only how.

mod lane;
mod memory;

use async_trait::async_trait;
use rechunk_common::ids::{Epoch, JournalPosition};
use rechunk_scheduler::Record;

pub(crate) use lane::JournalLane;
pub use memory::MemoryJournal;

/// Numbered records, appended by one coordinator at a time. Calls never overlap.
#[async_trait]
pub trait Journal: Send + 'static {
    /// Reads what is there and claims the reign after the last one. Called once, before anything else.
    async fn load(&mut self) -> Result<Loaded, JournalError>;

    /// Makes `records` durable, all or none, and answers the position of the last one.
    async fn append(&mut self, records: &[Record]) -> Result<JournalPosition, JournalError>;

    /// Makes sure that no newer coordinator reigns. Called while there is nothing to append.
    async fn confirm(&mut self) -> Result<(), JournalError>;
}

/// What a journal holds when a coordinator starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// The reign that this coordinator has claimed.
    pub epoch: Epoch,
}

/// Why a journal can't be used any more: the coordinator ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A newer coordinator has taken over.
    #[error("a newer coordinator, of epoch {0}, has taken over the journal")]
    Fenced(Epoch),
    /// The journal's store can't be reached, or says no.
    #[error("cannot write the journal: {0}")]
    Unavailable(String),
}
