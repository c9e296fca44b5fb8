//! When records are written: in order, one append in flight. A record whose effect waits is written at once, with all
//! that came before it; completions wait up to a second for company.
//!
//! Knows nothing of what a record says.

use std::time::Duration;

use rechunk_common::ids::{Epoch, JournalPosition};
use rechunk_scheduler::Record;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{Journal, JournalError};

/// How long completions wait for others: what a crash may cost in work done again.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Records that may wait for a slow journal before the coordinator stops listening.
const MAX_WAITING_RECORDS: usize = 100_000;

/// The way to the journal. The journal itself lives in a task of its own, so that a slow store never holds up a
/// decision.
pub(crate) struct JournalLane {
    waiting: Vec<Record>,
    flush_at: Option<Instant>,
    in_flight: bool,
    batches: mpsc::Sender<Vec<Record>>,
    results: mpsc::Receiver<Result<JournalPosition, JournalError>>,
    // Ends the writer with the lane.
    _writer: JoinSet<()>,
}

impl JournalLane {
    /// Claims the journal and starts its writer, which confirms the reign whenever nothing was written for
    /// `confirm_every`.
    pub(crate) async fn open(
        mut journal: Box<dyn Journal>,
        confirm_every: Duration,
    ) -> Result<(Self, Epoch), JournalError> {
        let epoch = journal.load().await?.epoch;
        // One batch at a time is handed over, so neither channel ever fills.
        let (batches, inbox) = mpsc::channel(1);
        let (outbox, results) = mpsc::channel(1);
        let mut writer = JoinSet::new();
        writer.spawn(write(journal, inbox, outbox, confirm_every));
        Ok((Self { waiting: Vec::new(), flush_at: None, in_flight: false, batches, results, _writer: writer }, epoch))
    }

    /// Takes a record; it is written by [`Self::start_due`].
    pub(crate) fn push(&mut self, record: Record, now: Instant) {
        let due = if record.is_synchronous { now } else { now + FLUSH_AFTER };
        self.flush_at = Some(self.flush_at.map_or(due, |flush_at| flush_at.min(due)));
        self.waiting.push(record);
    }

    /// When [`Self::start_due`] has something to do; `None` while an append is in flight.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.in_flight { None } else { self.flush_at }
    }

    /// Starts the append that is due, if one is.
    pub(crate) fn start_due(&mut self, now: Instant) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        self.flush_at = None;
        let batch = std::mem::take(&mut self.waiting);
        // A writer that is gone has left its error in `results`.
        self.in_flight = self.batches.try_send(batch).is_ok();
    }

    /// Makes everything due now: the coordinator is about to end.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if !self.waiting.is_empty() {
            self.flush_at = Some(now);
        }
    }

    /// Whether nothing waits and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.in_flight
    }

    /// Whether more records are welcome.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING_RECORDS
    }

    /// The next append that ended, or the error that ended the journal. May be dropped and asked again.
    pub(crate) async fn appended(&mut self) -> Result<JournalPosition, JournalError> {
        let result = self.results.recv().await;
        self.in_flight = false;
        result.unwrap_or_else(|| Err(JournalError::Unavailable("its writer has ended".to_owned())))
    }
}

async fn write(
    mut journal: Box<dyn Journal>,
    mut batches: mpsc::Receiver<Vec<Record>>,
    results: mpsc::Sender<Result<JournalPosition, JournalError>>,
    confirm_every: Duration,
) {
    loop {
        let result = match tokio::time::timeout(confirm_every, batches.recv()).await {
            Ok(Some(batch)) => journal.append(&batch).await,
            Ok(None) => return,
            Err(_elapsed) => match journal.confirm().await {
                Ok(()) => continue,
                Err(error) => Err(error),
            },
        };
        let has_ended = result.is_err();
        if results.send(result).await.is_err() || has_ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
