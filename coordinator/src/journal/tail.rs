//! Reading a journal: the newest snapshot, then every number after it, in order and without a gap.

use futures::{StreamExt, TryStreamExt, stream};
use rechunk_common::ids::{Epoch, JournalPosition};
use rechunk_proto::journal::{Content, JournalObject, Piece, decode_heartbeat, decode_object};
use rechunk_scheduler::Ledger;
use rechunk_storage::Prefix;
use tracing::warn;

use super::{
    JournalError, frame,
    object::{HEARTBEAT, RECORDS, record_key, unavailable},
    pieces::Assembler,
    snapshot::{self, Snapshot},
};

/// Objects that are read at a time.
const READ_AHEAD: usize = 16;

/// What was read of a journal so far.
#[derive(Debug)]
pub(super) struct Tail {
    /// The reign that wrote last.
    pub(super) epoch: Epoch,
    /// The first number that was not read.
    pub(super) next: u64,
    /// What the records come to.
    pub(super) ledger: Ledger,
    /// The lowest number that may be there.
    pub(super) first: u64,
    /// What the snapshot covers, up to this number.
    covered: u64,
    /// Objects and bytes since the snapshot.
    pub(super) objects: u64,
    pub(super) bytes: u64,
    assembler: Assembler,
}

/// Why reading broke off.
pub(super) enum Broken {
    /// The coordinator that reigns has removed what was to be read: begin again.
    Moved,
    /// It can't be read.
    Failed(JournalError),
}

impl From<JournalError> for Broken {
    fn from(error: JournalError) -> Self {
        Self::Failed(error)
    }
}

impl Tail {
    /// Reads everything that is there.
    pub(super) async fn read(prefix: &Prefix) -> Result<Self, Broken> {
        // First, so that whatever it names was written before we look.
        let written_through = written_through(prefix).await?;
        let newest = snapshot::newest(prefix).await?;
        let mut tail = match newest {
            Some(name) => Self::after(name.seq, snapshot::read(prefix, name).await?),
            None => Self::after(0, Snapshot::default()),
        };
        let listed = numbers(prefix).await?;
        tail.first = listed.first().copied().unwrap_or(tail.next).min(tail.next);
        let listed: Vec<u64> = listed.into_iter().filter(|seq| *seq >= tail.next).collect();
        let taken = tail.take(prefix, &listed).await;
        tail.check_current(prefix).await?;
        taken?;
        tail.catch_up(prefix).await?;
        let last = listed.last().copied().unwrap_or_default().max(written_through);
        if last >= tail.next {
            let problem = format!("is missing, though {} was written", record_key(last));
            return Err(corrupt(prefix, &record_key(tail.next), problem).into());
        }
        Ok(tail)
    }

    fn after(seq: u64, snapshot: Snapshot) -> Self {
        Self {
            epoch: snapshot.epoch,
            next: seq.saturating_add(1),
            ledger: snapshot.ledger,
            first: seq.saturating_add(1),
            covered: seq,
            objects: 0,
            bytes: 0,
            assembler: Assembler::default(),
        }
    }

    /// Takes numbers that were listed, up to the first gap.
    async fn take(&mut self, prefix: &Prefix, listed: &[u64]) -> Result<(), JournalError> {
        let read = |seq: u64| async move {
            let bytes = prefix.get(&record_key(seq)).await.map_err(|error| unavailable(&error))?;
            Ok::<_, JournalError>((seq, bytes))
        };
        let reads: Vec<_> = listed.iter().copied().map(read).collect();
        let mut reads = stream::iter(reads).buffered(READ_AHEAD);
        while let Some((seq, bytes)) = reads.try_next().await? {
            let Some(bytes) = bytes.filter(|_| seq == self.next) else { return Ok(()) };
            self.add(prefix, &bytes)?;
        }
        Ok(())
    }

    /// Reads on to the first number that is not there.
    pub(super) async fn catch_up(&mut self, prefix: &Prefix) -> Result<(), Broken> {
        let read = self.read_on(prefix).await;
        self.check_current(prefix).await?;
        Ok(read?)
    }

    /// What was read counts, whether it is good or bad, only if no newer snapshot is there by then. If one is, it may have
    /// been removed, and somebody who stood still meanwhile, ourselves too, may have created the same numbers again.
    async fn check_current(&self, prefix: &Prefix) -> Result<(), Broken> {
        let newest = snapshot::newest(prefix).await?;
        if newest.is_some_and(|newest| newest.seq > self.covered) { Err(Broken::Moved) } else { Ok(()) }
    }

    async fn read_on(&mut self, prefix: &Prefix) -> Result<(), JournalError> {
        while let Some(bytes) = prefix.get(&record_key(self.next)).await.map_err(|error| unavailable(&error))? {
            self.add(prefix, &bytes)?;
        }
        Ok(())
    }

    fn add(&mut self, prefix: &Prefix, bytes: &[u8]) -> Result<(), JournalError> {
        let key = record_key(self.next);
        self.add_object(bytes).map_err(|problem| corrupt(prefix, &key, problem))?;
        self.next = self.next.saturating_add(1);
        self.objects = self.objects.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn add_object(&mut self, bytes: &[u8]) -> Result<(), String> {
        let object = object_in(bytes, self.next)?;
        match object.content {
            Content::Claim => {
                if object.epoch <= self.epoch {
                    return Err(format!("claims epoch {} where {} has reigned", object.epoch, self.epoch));
                }
                self.epoch = object.epoch;
                self.assembler.abandon();
                Ok(())
            }
            Content::Batch(pieces) => {
                if object.epoch != self.epoch {
                    return Err(format!("is of epoch {} where {} reigns", object.epoch, self.epoch));
                }
                add_records(&mut self.ledger, &mut self.assembler, pieces)
            }
            Content::SnapshotPart(_) => Err("holds a part of a snapshot".to_owned()),
        }
    }
}

/// Adds the records in `pieces`, which follow those of the ledger.
fn add_records(ledger: &mut Ledger, assembler: &mut Assembler, pieces: Vec<Piece>) -> Result<(), String> {
    for piece in pieces {
        let Some(record) = assembler.add(piece)? else { continue };
        let expected = JournalPosition(ledger.last().0.saturating_add(1));
        if record.position != expected {
            return Err(format!("holds record {} where {expected} comes next", record.position));
        }
        ledger.add(&record);
    }
    Ok(())
}

/// The object in `bytes`, which must be number `seq`.
pub(super) fn object_in(bytes: &[u8], seq: u64) -> Result<JournalObject, String> {
    let object = decode_object(frame::unwrap(bytes)?).map_err(|invalid| format!("holds an {invalid}"))?;
    if object.seq == seq { Ok(object) } else { Err(format!("says that it is number {}", object.seq)) }
}

/// The number up to which somebody has confirmed that all is written.
async fn written_through(prefix: &Prefix) -> Result<u64, JournalError> {
    let Some(bytes) = prefix.get(HEARTBEAT).await.map_err(|error| unavailable(&error))? else { return Ok(0) };
    let heartbeat = frame::unwrap(&bytes)
        .and_then(|body| decode_heartbeat(body).map_err(|invalid| format!("holds an {invalid}")))
        .map_err(|problem| corrupt(prefix, HEARTBEAT, problem))?;
    Ok(heartbeat.written_through)
}

/// The numbers that are there, in order.
pub(super) async fn numbers(prefix: &Prefix) -> Result<Vec<u64>, JournalError> {
    let mut found = Vec::new();
    let mut objects = prefix.list(RECORDS);
    while let Some(info) = objects.try_next().await.map_err(|error| unavailable(&error))? {
        if let Some(seq) = info.key.rsplit('/').next().and_then(|name| name.parse().ok()) {
            found.push(seq);
        } else {
            warn!(key = info.key, "not an object of the journal");
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What is wrong with the object `key`.
pub(super) fn corrupt(prefix: &Prefix, key: &str, problem: String) -> JournalError {
    JournalError::Corrupt { object: format!("{}/{key}", prefix.url().to_string().trim_end_matches('/')), problem }
}
