//! Snapshots: what all records up to a number come to, in parts that count only together. When one is durable, the
//! records that it covers are deleted.

use futures::TryStreamExt;
use rechunk_common::ids::Epoch;
use rechunk_proto::journal::{Content, SnapshotPart};
use rechunk_scheduler::Ledger;
use rechunk_storage::{Prefix, Unguarded};
use tracing::{debug, warn};

use super::{
    JournalError,
    object::{ObjectJournal, record_key, unavailable},
    pieces::{self, Assembler},
    tail::{corrupt, object_in},
};

/// The directory of the snapshots.
const SNAPSHOTS: &str = "snapshots";

/// A snapshot by its name; it is whole when all its parts are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SnapshotName {
    /// The number of the last object that it covers.
    pub(super) seq: u64,
    count: u32,
}

/// What a snapshot says.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) epoch: Epoch,
    pub(super) ledger: Ledger,
}

impl SnapshotName {
    fn key(self, index: u32) -> String {
        let Self { seq, count } = self;
        format!("{SNAPSHOTS}/{seq:020}-{index:06}-of-{count:06}")
    }

    /// The snapshot and the index of the part with this key.
    fn parse(key: &str) -> Option<(Self, u32)> {
        let name = key.rsplit('/').next()?;
        let (seq, rest) = name.split_once('-')?;
        let (index, count) = rest.split_once("-of-")?;
        Some((Self { seq: seq.parse().ok()?, count: count.parse().ok()? }, index.parse().ok()?))
    }
}

/// The parts that are there, whole snapshots or not.
async fn parts(prefix: &Prefix) -> Result<Vec<(SnapshotName, u32)>, JournalError> {
    let objects = prefix.list(SNAPSHOTS).map_err(|error| unavailable(&error));
    let mut parts: Vec<_> =
        objects.try_filter_map(|info| async move { Ok(SnapshotName::parse(&info.key)) }).try_collect().await?;
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// The newest whole snapshot.
pub(super) async fn newest(prefix: &Prefix) -> Result<Option<SnapshotName>, JournalError> {
    let parts = parts(prefix).await?;
    let is_whole = |name: &SnapshotName| {
        let there = parts.iter().filter(|(other, _)| other == name).count();
        u32::try_from(there).is_ok_and(|there| there == name.count)
    };
    Ok(parts.iter().rev().map(|(name, _)| *name).find(is_whole))
}

/// Reads a whole snapshot.
pub(super) async fn read(prefix: &Prefix, name: SnapshotName) -> Result<Snapshot, super::tail::Broken> {
    let (mut snapshot, mut assembler) = (Snapshot::default(), Assembler::default());
    for index in 0..name.count {
        let key = name.key(index);
        let bytes = prefix.get(&key).await.map_err(|error| unavailable(&error))?;
        // A newer one has taken its place.
        let Some(bytes) = bytes else { return Err(super::tail::Broken::Moved) };
        let broken = |problem| corrupt(prefix, &key, problem);
        let object = object_in(&bytes, name.seq).map_err(broken)?;
        let Content::SnapshotPart(part) = object.content else {
            return Err(broken("holds no part of a snapshot".to_owned()).into());
        };
        if (part.index, part.count) != (index, name.count) {
            return Err(broken(format!("says that it is part {} of {}", part.index, part.count)).into());
        }
        snapshot.epoch = object.epoch;
        for piece in part.pieces {
            if let Some(record) = assembler.add(piece).map_err(broken)? {
                snapshot.ledger.add(&record);
            }
        }
        snapshot.ledger.reach(part.last, part.last_at_ms);
    }
    if assembler.is_amid() {
        return Err(corrupt(prefix, &name.key(name.count.saturating_sub(1)), "ends within a record".to_owned()).into());
    }
    Ok(snapshot)
}

/// The reign of a snapshot, whole or not, that covers number `seq`: whoever wrote it is past that number.
pub(super) async fn covering(prefix: &Prefix, seq: u64) -> Result<Option<Epoch>, JournalError> {
    let Some((name, index)) = parts(prefix).await?.into_iter().rev().find(|(name, _)| name.seq >= seq) else {
        return Ok(None);
    };
    let bytes = prefix.get(&name.key(index)).await.map_err(|error| unavailable(&error))?;
    let object = bytes.and_then(|bytes| object_in(&bytes, name.seq).ok());
    Ok(Some(object.map_or(Epoch(u64::MAX), |object| object.epoch)))
}

impl ObjectJournal {
    /// Writes a snapshot where enough has come together since the last one, then deletes what it covers.
    pub(super) async fn snapshot_if_due(&mut self) -> Result<(), JournalError> {
        if !self.is_snapshot_due() {
            return Ok(());
        }
        let seq = self.last_seq();
        let last = self.ledger().last();
        let objects = pieces::cut(self.ledger().records(), self.limits().object_bytes);
        // An empty ledger is a snapshot too: every job is forgotten.
        let objects = if objects.is_empty() { vec![Vec::new()] } else { objects };
        let count = u32::try_from(objects.len()).unwrap_or(u32::MAX);
        let name = SnapshotName { seq, count };
        let mut bytes = 0_u64;
        for (index, pieces) in (0_u32..).zip(objects) {
            let last_at_ms = self.ledger().last_at_ms();
            let part = SnapshotPart { index, count, last, last_at_ms, pieces };
            bytes = bytes.saturating_add(self.create(&name.key(index), seq, Content::SnapshotPart(part)).await?);
        }
        debug!(seq, count, bytes, "snapshot written");
        let first = self.begin_after_snapshot(bytes);
        if let Err(error) = self.delete_covered(name, first).await {
            warn!(%error, "records that a snapshot covers stay for now");
            self.keep_first(first);
        }
        Ok(())
    }

    async fn delete_covered(&self, newest: SnapshotName, first: u64) -> Result<(), JournalError> {
        let prefix = self.prefix();
        let keys: Vec<String> = (first..=newest.seq).map(record_key).collect();
        prefix.delete_many(keys, &Unguarded).await.map_err(|error| unavailable(&error))?;
        let older = parts(prefix).await?.into_iter().filter(|(name, _)| name.seq < newest.seq);
        let older: Vec<String> = older.map(|(name, index)| name.key(index)).collect();
        prefix.delete_many(older, &Unguarded).await.map(|_| ()).map_err(|error| unavailable(&error))
    }
}
