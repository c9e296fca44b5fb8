//! The journal as numbered objects in any store, each written once by create-if-absent.
//!
//! The number is the fence: whoever finds it taken by a newer reign is over. What a lost answer leaves open is read back.

use std::time::Duration;

use async_trait::async_trait;
use rechunk_common::{
    ids::{Epoch, JournalPosition},
    limits::MAX_JOURNAL_OBJECT_BYTES,
};
use rechunk_proto::journal::{Content, Heartbeat, JournalObject, Nonce, encode_heartbeat, encode_object};
use rechunk_scheduler::{Ledger, Record};
use rechunk_storage::{Access, Creation, Prefix, StorageError, StoreUrl, Stores, Unguarded};
use tokio::time::sleep;
use tracing::info;

use super::{
    Journal, JournalError, Loaded, frame, pieces,
    probe::probe,
    snapshot,
    tail::{Broken, Tail, corrupt, object_in},
};

/// The directory of the numbered objects.
pub(super) const RECORDS: &str = "journal";

/// The object that shows that somebody reigns.
pub(super) const HEARTBEAT: &str = "heartbeat";

/// Creates that say "exists" of an object that is not there: S3 does so when two creates meet.
pub(super) const MOST_CONFLICTS: u32 = 20;

/// The pause between them.
pub(super) const CONFLICT_PAUSE: Duration = Duration::from_millis(50);

/// How often the start begins anew because the coordinator that reigns writes on.
const MOST_STARTS: u32 = 100;

/// When objects are split, and how much is read at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalLimits {
    /// Bytes of records in one object.
    pub object_bytes: usize,
    /// Objects after which a snapshot is written.
    pub snapshot_objects: u64,
    /// Bytes after which a snapshot is written, if they are also more than the last snapshot had.
    pub snapshot_bytes: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { object_bytes: MAX_JOURNAL_OBJECT_BYTES, snapshot_objects: 1_000, snapshot_bytes: 16 << 20 }
    }
}

/// The key of a numbered object.
pub(super) fn record_key(seq: u64) -> String {
    format!("{RECORDS}/{seq:020}")
}

/// The store can't be reached, or says no.
pub(super) fn unavailable(error: &StorageError) -> JournalError {
    JournalError::Unavailable(error.to_string())
}

/// A journal in an object store.
#[derive(Debug)]
pub struct ObjectJournal {
    prefix: Prefix,
    nonce: Nonce,
    limits: JournalLimits,
    epoch: Epoch,
    /// The next number.
    next: u64,
    ledger: Ledger,
    /// The lowest number that may be there.
    first: u64,
    /// Objects and bytes since the last snapshot, and how large that was.
    objects: u64,
    bytes: u64,
    snapshot_bytes: u64,
    beat: u64,
}

/// What became of a create.
enum Outcome {
    /// It is there, and ours.
    Ours,
    /// It is there, and another's.
    Theirs(Box<JournalObject>),
}

impl ObjectJournal {
    /// The journal at `url`; nothing is sent yet. `nonce` is drawn for this process.
    pub fn open(stores: &Stores, url: &StoreUrl, nonce: Nonce) -> Result<Self, JournalError> {
        let prefix = stores.open(url, Access::ReadWrite).map_err(|error| unavailable(&error))?;
        Ok(Self {
            prefix,
            nonce,
            limits: JournalLimits::default(),
            epoch: Epoch(0),
            next: 1,
            ledger: Ledger::default(),
            first: 1,
            objects: 0,
            bytes: 0,
            snapshot_bytes: 0,
            beat: 0,
        })
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: JournalLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(super) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    pub(super) fn limits(&self) -> JournalLimits {
        self.limits
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    pub(super) fn is_snapshot_due(&self) -> bool {
        self.objects >= self.limits.snapshot_objects
            || self.bytes >= self.limits.snapshot_bytes.max(self.snapshot_bytes)
    }

    /// A snapshot of so many bytes is durable; answers the lowest number that may be there.
    pub(super) fn begin_after_snapshot(&mut self, bytes: u64) -> u64 {
        (self.objects, self.bytes, self.snapshot_bytes) = (0, 0, bytes);
        std::mem::replace(&mut self.first, self.next)
    }

    /// The numbers from `first` on were not deleted.
    pub(super) fn keep_first(&mut self, first: u64) {
        self.first = first;
    }

    /// Writes an object where none is; answers its bytes. Another's object of that key ends the reign.
    pub(super) async fn create(&self, key: &str, seq: u64, content: Content) -> Result<u64, JournalError> {
        let object = JournalObject { epoch: self.epoch, seq, nonce: self.nonce, content };
        let framed = frame::wrap(&encode_object(object));
        let bytes = u64::try_from(framed.len()).unwrap_or(u64::MAX);
        match self.try_create(key, seq, framed).await? {
            Outcome::Ours => Ok(bytes),
            Outcome::Theirs(other) if other.epoch > self.epoch => Err(JournalError::Fenced(other.epoch)),
            Outcome::Theirs(other) => {
                let problem = format!("was written by another coordinator of epoch {}", other.epoch);
                Err(corrupt(&self.prefix, key, problem))
            }
        }
    }

    async fn try_create(&self, key: &str, seq: u64, framed: bytes::Bytes) -> Result<Outcome, JournalError> {
        for _ in 0..MOST_CONFLICTS {
            match self.prefix.create(key, framed.clone(), &Unguarded).await.map_err(|error| unavailable(&error))? {
                Creation::Created => return Ok(Outcome::Ours),
                Creation::Exists => {}
            }
            if let Some(found) = self.prefix.get(key).await.map_err(|error| unavailable(&error))? {
                let object = object_in(&found, seq).map_err(|problem| corrupt(&self.prefix, key, problem))?;
                let is_ours = object.nonce == self.nonce && object.epoch == self.epoch;
                return Ok(if is_ours { Outcome::Ours } else { Outcome::Theirs(Box::new(object)) });
            }
            sleep(CONFLICT_PAUSE).await;
        }
        Err(JournalError::Unavailable(format!("{key} is said to exist and is not there, {MOST_CONFLICTS} times")))
    }

    /// Writes the next numbered object. It counts only when no snapshot covers its number: a coordinator that was
    /// paused may have created a number that was taken, covered and deleted meanwhile.
    async fn write_next(&mut self, content: Content) -> Result<(), JournalError> {
        let seq = self.next;
        let bytes = self.create(&record_key(seq), seq, content).await?;
        if let Some(epoch) = snapshot::covering(&self.prefix, seq).await? {
            return Err(JournalError::Fenced(epoch));
        }
        self.next = seq.saturating_add(1);
        self.objects = self.objects.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Claims the number after what was read; `false` where somebody else has taken it.
    async fn claim(&mut self, tail: &Tail) -> Result<bool, JournalError> {
        self.epoch = Epoch(tail.epoch.0.saturating_add(1));
        self.next = tail.next;
        self.first = tail.first;
        (self.objects, self.bytes) = (tail.objects, tail.bytes);
        match self.write_next(Content::Claim).await {
            Ok(()) => Ok(true),
            // Corrupt: the one that reigns, of an older epoch, has written on.
            Err(JournalError::Fenced(_) | JournalError::Corrupt { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_and_claim(&mut self) -> Result<Tail, JournalError> {
        let mut read = None;
        for _ in 0..MOST_STARTS {
            let mut tail = match read.take() {
                Some(tail) => tail,
                None => match Tail::read(&self.prefix).await {
                    Ok(tail) => tail,
                    Err(Broken::Moved) => continue,
                    Err(Broken::Failed(error)) => return Err(error),
                },
            };
            if self.claim(&tail).await? {
                return Ok(tail);
            }
            let before = tail.next;
            read = match tail.catch_up(&self.prefix).await {
                Ok(()) => (tail.next > before).then_some(tail),
                Err(Broken::Moved) => None,
                Err(Broken::Failed(error)) => return Err(error),
            };
        }
        Err(JournalError::Unavailable(
            "the coordinator that reigns writes faster than its records can be read".to_owned(),
        ))
    }

    async fn beat(&mut self) -> Result<(), JournalError> {
        self.beat = self.beat.saturating_add(1);
        let heartbeat = Heartbeat { epoch: self.epoch, beat: self.beat, written_through: self.last_seq() };
        let framed = frame::wrap(&encode_heartbeat(heartbeat));
        self.prefix.put(HEARTBEAT, framed, &Unguarded).await.map_err(|error| unavailable(&error))
    }
}

#[async_trait]
impl Journal for ObjectJournal {
    async fn load(&mut self) -> Result<Loaded, JournalError> {
        probe(&self.prefix, self.nonce).await?;
        let tail = self.read_and_claim().await?;
        info!(journal = %self.prefix.url(), epoch = %self.epoch, records = %tail.ledger.last(), "journal read");
        self.ledger = tail.ledger;
        self.snapshot_if_due().await?;
        self.beat().await?;
        let records = self.ledger.records().collect();
        let (last, last_at_ms) = (self.ledger.last(), self.ledger.last_at_ms());
        Ok(Loaded { epoch: self.epoch, records, last, last_at_ms })
    }

    async fn append(&mut self, records: &[Record]) -> Result<JournalPosition, JournalError> {
        for pieces in pieces::cut(records.iter().cloned(), self.limits.object_bytes) {
            self.write_next(Content::Batch(pieces)).await?;
        }
        for record in records {
            self.ledger.add(record);
        }
        self.snapshot_if_due().await?;
        Ok(self.ledger.last())
    }

    async fn confirm(&mut self) -> Result<(), JournalError> {
        let key = record_key(self.next);
        if let Some(found) = self.prefix.get(&key).await.map_err(|error| unavailable(&error))? {
            let object = object_in(&found, self.next).map_err(|problem| corrupt(&self.prefix, &key, problem))?;
            return Err(JournalError::Fenced(object.epoch));
        }
        // It may have been taken, covered and deleted.
        if let Some(epoch) = snapshot::covering(&self.prefix, self.next).await? {
            return Err(JournalError::Fenced(epoch));
        }
        self.beat().await
    }
}
