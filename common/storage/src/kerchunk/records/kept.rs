//! The records that were read last, as many as there is room for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::record::Record;
use crate::listing::ObjectInfo;

/// Records that are kept: as many as fsspec keeps.
const MOST_RECORDS: usize = 128;

/// Bytes that they take together, unless one alone takes more.
const MOST_BYTES: usize = 64 << 20;

/// Records that are read from their store at a time.
const MOST_READS: u32 = 8;

/// A record of more bytes is read alone.
const LARGE: u64 = 8 << 20;

/// The array and the number of a record.
pub(super) type RecordId = (String, u64);

/// A record, and the state of its file from just before it was read; `None`: there was no file.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) record: Arc<Record>,
    pub(super) state: Option<ObjectInfo>,
}

/// One record, read by one at a time.
pub(super) type Slot = tokio::sync::Mutex<Option<Held>>;

/// The latest records.
#[derive(Debug)]
pub(crate) struct Kept {
    slots: Mutex<Slots>,
    reads: Semaphore,
    /// One is made of its file at a time: that takes the memory.
    pub(super) making: tokio::sync::Mutex<()>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            reads: Semaphore::new(MOST_READS as usize),
            making: tokio::sync::Mutex::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    uses: u64,
    by_id: BTreeMap<RecordId, Used>,
}

#[derive(Debug)]
struct Used {
    slot: Arc<Slot>,
    /// When it was used last.
    at: u64,
    bytes: usize,
}

impl Kept {
    /// Where the record is kept.
    pub(super) fn slot(&self, id: &RecordId) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.uses += 1;
        let at = slots.uses;
        if let Some(used) = slots.by_id.get_mut(id) {
            used.at = at;
            return Arc::clone(&used.slot);
        }
        let slot = Arc::default();
        slots.by_id.insert(id.clone(), Used { slot: Arc::clone(&slot), at, bytes: 0 });
        slots.make_room(id);
        slot
    }

    /// Waits until a record of so many bytes may be read. It may until the permit is dropped; there always is one.
    pub(super) async fn permit(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        self.reads.acquire_many(if bytes > LARGE { MOST_READS } else { 1 }).await.ok()
    }

    /// Notes how many bytes the record takes that was read last.
    pub(super) fn note(&self, id: &RecordId, bytes: usize) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = slots.by_id.get_mut(id) {
            used.bytes = bytes;
        }
        slots.make_room(id);
    }
}

impl Slots {
    /// Lets the records go that were not used for the longest time, all but `id`.
    fn make_room(&mut self, id: &RecordId) {
        let mut bytes = self.by_id.values().map(|used| used.bytes).fold(0, usize::saturating_add);
        while self.by_id.len() > MOST_RECORDS || bytes > MOST_BYTES {
            let others = self.by_id.iter().filter(|(other, _)| *other != id);
            let Some(oldest) = others.min_by_key(|(_, used)| used.at).map(|(other, _)| other.clone()) else { return };
            bytes -= self.by_id.remove(&oldest).map_or(0, |used| used.bytes).min(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RecordId {
        ("a".to_owned(), number)
    }

    fn is_kept(kept: &Kept, number: u64) -> bool {
        kept.slots.lock().unwrap().by_id.contains_key(&id(number))
    }

    #[test]
    fn the_records_used_last_are_kept() {
        let kept = Kept::default();
        let first = kept.slot(&id(0));
        for number in 1..1000 {
            kept.slot(&id(number));
            assert!(Arc::ptr_eq(&first, &kept.slot(&id(0))));
        }
        assert!(!is_kept(&kept, 800) && is_kept(&kept, 950) && is_kept(&kept, 0));
        assert_eq!(kept.slots.lock().unwrap().by_id.len(), MOST_RECORDS);
    }

    #[test]
    fn large_records_make_others_go_and_stay_themselves() {
        let kept = Kept::default();
        for number in 0..4 {
            kept.slot(&id(number));
            kept.note(&id(number), MOST_BYTES / 3);
        }
        assert_eq!([0, 1, 2, 3].map(|number| is_kept(&kept, number)), [false, true, true, true]);
        kept.slot(&id(4));
        kept.note(&id(4), 2 * MOST_BYTES);
        assert_eq!([1, 2, 3, 4].map(|number| is_kept(&kept, number)), [false, false, false, true]);
    }
}
