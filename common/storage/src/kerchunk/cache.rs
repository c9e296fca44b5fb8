//! The indexes that a program has read: kept as long as they are what lies in their stores, the latest few of them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{index::Index, records::Catalog};
use crate::{listing::ObjectInfo, url::StoreUrl};

/// Indexes that are kept when nobody uses them, so that a worker's next task need not read its own again.
const KEPT: usize = 4;

/// An index in one of its two forms.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    /// One document, which is held whole.
    Json(Arc<Index>),
    /// A directory, whose records are read as they are asked for.
    Parquet(Arc<Catalog>),
}

/// An index, and the state of its file, or of the `.zmetadata` in it, from just before it was read.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) index: Form,
    pub(crate) state: ObjectInfo,
}

impl Loaded {
    /// Whether it is what lies there when the file is in `state`; where a store tells only a length nobody knows.
    pub(super) fn is_of(&self, state: &ObjectInfo) -> bool {
        self.state == *state && (state.etag.is_some() || state.modified_ms != 0)
    }
}

/// One index, read by one at a time.
pub(super) type Slot = tokio::sync::Mutex<Option<Loaded>>;

/// The latest indexes, by their URLs; the one used last comes last.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    slots: Mutex<Vec<(StoreUrl, Arc<Slot>)>>,
}

impl Indexes {
    /// Where the index at `url` is kept.
    pub(super) fn slot(&self, url: &StoreUrl) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().position(|(of, _)| of == url);
        let slot = found.map_or_else(Arc::default, |place| slots.remove(place).1);
        if slots.len() >= KEPT {
            slots.remove(0);
        }
        slots.push((url.clone(), Arc::clone(&slot)));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_indexes_used_last_are_kept() {
        let indexes = Indexes::default();
        let url = |number: usize| StoreUrl::parse(&format!("memory://m/{number}.json")).unwrap();
        let first = indexes.slot(&url(0));
        for number in 1..KEPT {
            indexes.slot(&url(number));
            assert!(Arc::ptr_eq(&first, &indexes.slot(&url(0))));
        }
        for number in KEPT..2 * KEPT {
            indexes.slot(&url(number));
        }
        assert!(!Arc::ptr_eq(&first, &indexes.slot(&url(0))), "it had not been used for the longest time");
    }
}
