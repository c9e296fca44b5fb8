//! A journal that lasts as long as the process: for work inside one process, and for tests. Durable means held.

use async_trait::async_trait;
use rechunk_common::ids::{Epoch, JournalPosition};
use rechunk_scheduler::Record;

use super::{Journal, JournalError, Loaded};

/// Remembers how far it has come and keeps no record: nothing could read one after the process has ended.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    last: JournalPosition,
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn load(&mut self) -> Result<Loaded, JournalError> {
        Ok(Loaded { epoch: Epoch(1), records: Vec::new(), last: JournalPosition(0), last_at_ms: 0 })
    }

    async fn append(&mut self, records: &[Record]) -> Result<JournalPosition, JournalError> {
        if let Some(record) = records.last() {
            self.last = record.position;
        }
        Ok(self.last)
    }

    async fn confirm(&mut self) -> Result<(), JournalError> {
        Ok(())
    }
}
