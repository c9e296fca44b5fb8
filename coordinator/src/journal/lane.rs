//! When records are written: in order, one append in flight. A record whose effect waits is written at once, with all
//! that came before it; completions wait up to a second for company.
//!
//! Knows nothing of what a record says.

use std::time::Duration;

use rechunk_common::ids::JournalPosition;
use rechunk_metrics::names::{JOURNAL_RECORDS, JOURNAL_WRITE_SECONDS, JOURNAL_WRITES};
use rechunk_scheduler::Record;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{Journal, JournalError, Loaded};

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
    // Whatever else happened: at this moment nobody else had taken over.
    confirmed_at: Instant,
    batches: mpsc::Sender<Vec<Record>>,
    results: mpsc::Receiver<Result<Done, JournalError>>,
    // Ends the writer with the lane.
    _writer: JoinSet<()>,
}

/// What the writer has done.
struct Done {
    /// Up to where records are durable now, if it wrote some.
    written: Option<JournalPosition>,
    /// When it began.
    begun_at: Instant,
}

/// What became of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Records up to this one are durable.
    Through(JournalPosition),
    /// The reign was confirmed.
    Nothing,
}

impl JournalLane {
    /// Claims the journal and starts its writer, which confirms the reign whenever nothing was written for
    /// `confirm_every`.
    pub(crate) async fn open(
        mut journal: Box<dyn Journal>,
        confirm_every: Duration,
    ) -> Result<(Self, Loaded), JournalError> {
        // The claim comes after this.
        let confirmed_at = Instant::now();
        let loaded = journal.load().await?;
        // One batch at a time is handed over, so neither channel ever fills.
        let (batches, inbox) = mpsc::channel(1);
        let (outbox, results) = mpsc::channel(1);
        let mut writer = JoinSet::new();
        writer.spawn(write(journal, inbox, outbox, confirm_every));
        let lane = Self {
            waiting: Vec::new(),
            flush_at: None,
            in_flight: false,
            confirmed_at,
            batches,
            results,
            _writer: writer,
        };
        Ok((lane, loaded))
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

    /// Records that wait for their turn.
    pub(crate) fn waiting(&self) -> u64 {
        u64::try_from(self.waiting.len()).unwrap_or(u64::MAX)
    }

    /// How long ago nobody else had taken over.
    pub(crate) fn confirmed_age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.confirmed_at)
    }

    /// Whether nobody else had taken over within the last `lease`: only then may leases be granted or renewed, because a
    /// newer coordinator waits for those of this one no longer.
    pub(crate) fn is_confirmed(&self, now: Instant, lease: Duration) -> bool {
        self.confirmed_age(now) < lease
    }

    /// The next append or confirmation that ended, or the error that ended the journal. May be dropped and asked again.
    pub(crate) async fn written(&mut self) -> Result<Written, JournalError> {
        let result = self.results.recv().await;
        let result = result.unwrap_or_else(|| Err(JournalError::Unavailable("its writer has ended".to_owned())));
        let done = result.inspect_err(|_| self.in_flight = false)?;
        self.confirmed_at = done.begun_at;
        Ok(match done.written {
            Some(position) => {
                self.in_flight = false;
                Written::Through(position)
            }
            None => Written::Nothing,
        })
    }
}

async fn write(
    mut journal: Box<dyn Journal>,
    mut batches: mpsc::Receiver<Vec<Record>>,
    results: mpsc::Sender<Result<Done, JournalError>>,
    confirm_every: Duration,
) {
    loop {
        let batch = tokio::time::timeout(confirm_every, batches.recv()).await;
        let begun_at = Instant::now();
        let result = match batch {
            Ok(Some(batch)) => {
                let written = journal.append(&batch).await;
                count("records", written.is_ok(), begun_at);
                JOURNAL_RECORDS.counter(&[]).increment(written.as_ref().map_or(0, |_| batch.len() as u64));
                written.map(Some)
            }
            Ok(None) => return,
            Err(_elapsed) => {
                let confirmed = journal.confirm().await;
                count("confirmation", confirmed.is_ok(), begun_at);
                confirmed.map(|()| None)
            }
        };
        let has_ended = result.is_err();
        if results.send(result.map(|written| Done { written, begun_at })).await.is_err() || has_ended {
            return;
        }
    }
}

fn count(kind: &str, is_done: bool, begun_at: Instant) {
    JOURNAL_WRITES.counter(&[kind, if is_done { "done" } else { "failed" }]).increment(1);
    JOURNAL_WRITE_SECONDS.histogram(&[kind]).record(begun_at.elapsed());
}

#[cfg(test)]
mod tests;
