//! Reading records from their store, each once by those who share it.
//!
//! A prefix asks for the state of a record before its first use of it, as for that of the index: so one that was replaced
//! is read again, and what a prefix has read of stays as it is.

use std::{
    hash::Hasher,
    sync::{Arc, PoisonError},
};

use futures::StreamExt;
use rechunk_common::limits::{LISTED_BY_DEFAULT, MAX_RECORD_BYTES};

use super::{
    super::store::Inner,
    catalog::{Catalog, Place},
    kept::{Held, Kept, RecordId},
    record::Record,
};
use crate::{
    error::{ErrorClass, Operation, StorageError},
    listing::ObjectInfo,
};

/// What a name of a record begins and ends with.
const NAME: (&str, &str) = ("refs.", ".parq");

impl Inner {
    /// The record `number` of `array`; `None`: it has no file, so that each of its chunks is missing.
    pub(in super::super) async fn record(
        &self,
        catalog: &Catalog,
        array: &str,
        number: u64,
    ) -> Result<Option<Arc<Record>>, StorageError> {
        let id: RecordId = (array.to_owned(), number);
        let slot = catalog.kept.slot(&id);
        let mut held = slot.lock().await;
        if let Some(held) = held.as_ref().filter(|held| self.is_seen(&id, held.state.as_ref())) {
            return Ok(held.record());
        }
        let file = format!("{array}/{}{number}{}", NAME.0, NAME.1);
        let state = self.directory.head(&file).await?;
        self.see(&id, state.as_ref()).map_err(|reason| self.fault_of(&file, ErrorClass::TryAgain, reason))?;
        if let Some(held) = held.as_ref().filter(|held| held.is_of(state.as_ref())) {
            return Ok(held.record());
        }
        let record = match &state {
            Some(state) => self.read_record(&catalog.kept, &file, state).await?,
            None => Record::default(),
        };
        catalog.kept.note(&id, record.bytes());
        Ok(held.insert(Held { record: Arc::new(record), state }).record())
    }

    /// The row of a chunk in its record; `None`: there is no record.
    pub(in super::super) async fn record_of(
        &self,
        catalog: &Catalog,
        place: &Place<'_>,
    ) -> Result<Option<Arc<Record>>, StorageError> {
        let Some(record) = self.record(catalog, place.array, place.record).await? else { return Ok(None) };
        if place.row < record.len() {
            return Ok(Some(record));
        }
        let file = format!("{}/{}{}{}", place.array, NAME.0, place.record, NAME.1);
        let message = format!("it has {} rows, and row {} is that of a chunk", record.len(), place.row);
        Err(self.fault_of(&file, ErrorClass::BadIndex, message))
    }

    async fn read_record(&self, kept: &Kept, file: &str, state: &ObjectInfo) -> Result<Record, StorageError> {
        let refuse_long = |length: u64| {
            let message = format!("it has {length} bytes; at most {MAX_RECORD_BYTES} are read");
            if length > MAX_RECORD_BYTES.0 { Err(self.fault_of(file, ErrorClass::BadIndex, message)) } else { Ok(()) }
        };
        refuse_long(state.size)?;
        let _permit = kept.permit(state.size).await;
        let changed = || self.fault_of(file, ErrorClass::TryAgain, "it changed while it was read");
        let object = self.directory.get_sized(file).await?.ok_or_else(changed)?;
        refuse_long(object.content_length())?;
        let data = object.bytes().await?.ok_or_else(changed)?;
        if u64::try_from(data.len()) != Ok(state.size) {
            return Err(changed());
        }
        let _turn = kept.making.lock().await;
        let record = tokio::task::spawn_blocking(move || Record::parse(&data)).await;
        let record = record.map_err(|_| self.fault_of(file, ErrorClass::Other, "reading it broke off"))?;
        record.map_err(|reason| self.fault_of(file, ErrorClass::BadIndex, reason))
    }

    fn fault_of(&self, file: &str, class: ErrorClass, message: impl Into<String>) -> StorageError {
        StorageError::new(class, Operation::Read, self.url.join(file), message)
    }

    /// Whether the record was in this state when it was used first.
    fn is_seen(&self, id: &RecordId, state: Option<&ObjectInfo>) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(id) == Some(&mark(state))
    }

    /// Notes the state of a record that is used for the first time, which it must keep.
    fn see(&self, id: &RecordId, state: Option<&ObjectInfo>) -> Result<(), &'static str> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *seen.entry(id.clone()).or_insert(mark(state));
        if before == mark(state) { Ok(()) } else { Err("it changed since it was read first") }
    }

    /// What stands for the state of all records of `array` together, if that can be told: a web server lists nothing, and
    /// of too many files nothing is asked.
    pub(in super::super) async fn state_of_records(&self, array: &str) -> Result<Option<u64>, StorageError> {
        if !self.directory.can_list() {
            return Ok(None);
        }
        let mut files = self.directory.list(array);
        let (mut sum, mut count) = (0_u64, 0);
        while let Some(file) = files.next().await {
            let file = match file {
                Ok(file) => file,
                Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Unsupported) => return Ok(None),
                Err(error) => return Err(error),
            };
            count += 1;
            if count > LISTED_BY_DEFAULT {
                return Ok(None);
            }
            let name = file.key.rsplit('/').next().unwrap_or_default();
            if name.starts_with(NAME.0) && name.ends_with(NAME.1) {
                // In whatever order they come.
                sum = sum.wrapping_add(mark(Some(&file)));
            }
        }
        Ok(Some(sum))
    }
}

impl Held {
    fn record(&self) -> Option<Arc<Record>> {
        self.state.is_some().then(|| Arc::clone(&self.record))
    }

    /// Whether it is what lies there when the file is in `state`; where a store tells only a length nobody knows.
    fn is_of(&self, state: Option<&ObjectInfo>) -> bool {
        let is_told = |state: &ObjectInfo| state.etag.is_some() || state.modified_ms != 0;
        self.state.as_ref() == state && state.is_none_or(is_told)
    }
}

/// A number that stands for a state: the same in every program and version.
fn mark(state: Option<&ObjectInfo>) -> u64 {
    let Some(state) = state else { return 0 };
    let mut hasher = Fnv::default();
    hasher.write(state.key.as_bytes());
    hasher.write(&state.size.to_le_bytes());
    match &state.etag {
        Some(etag) => hasher.write(etag.as_bytes()),
        None => hasher.write(&state.modified_ms.to_le_bytes()),
    }
    hasher.finish()
}

/// FNV-1a: the hash of the standard library may be another one in its next version.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
