//! Reading an index: the JSON document, or the `.zmetadata` of a directory of records.

use std::sync::Arc;

use bytes::Bytes;
use rechunk_common::limits::MAX_INDEX_BYTES;

use super::{
    cache::{Form, Loaded},
    index::Index,
    parse::IndexError,
    records::Catalog,
    store::Inner,
};
use crate::{
    error::{ErrorClass, StorageError},
    listing::ObjectInfo,
};

impl Inner {
    /// The index, unless it was read since it changed.
    pub(super) async fn load(&self) -> Result<Loaded, StorageError> {
        let state = self.directory.head(&self.name).await?;
        let state = state.ok_or_else(|| self.fault(ErrorClass::Missing, self.absent()))?;
        let slot = self.stores.indexes.slot(&self.url);
        let mut kept = slot.lock().await;
        if let Some(loaded) = kept.as_ref().filter(|loaded| loaded.is_of(&state)) {
            return Ok(loaded.clone());
        }
        // Not two of them at a time.
        *kept = None;
        let loaded = self.read(state).await?;
        Ok(kept.insert(loaded).clone())
    }

    fn absent(&self) -> String {
        if self.is_parquet { format!("its {} is not there", self.name) } else { "it is not there".to_owned() }
    }

    async fn read(&self, state: ObjectInfo) -> Result<Loaded, StorageError> {
        let refuse_long = |length: u64| {
            let message = format!("it has {length} bytes; at most {MAX_INDEX_BYTES} are read");
            if length > MAX_INDEX_BYTES.0 { Err(self.fault(ErrorClass::BadIndex, message)) } else { Ok(()) }
        };
        refuse_long(state.size)?;
        let changed = || self.fault(ErrorClass::TryAgain, "it changed while it was read");
        let object = self.directory.get_sized(&self.name).await?.ok_or_else(changed)?;
        refuse_long(object.content_length())?;
        let text = object.bytes().await?.ok_or_else(changed)?;
        if u64::try_from(text.len()) != Ok(state.size) {
            return Err(changed());
        }
        let is_parquet = self.is_parquet;
        let index = tokio::task::spawn_blocking(move || Form::parse(text, is_parquet)).await;
        let index = index.map_err(|_| self.fault(ErrorClass::Other, "reading it broke off"))?;
        let index = index.map_err(|error| self.fault(ErrorClass::BadIndex, error.to_string()))?;
        tracing::debug!(url = %self.url, references = index.len(), "an index of references was read");
        Ok(Loaded { index, state })
    }
}

impl Form {
    fn parse(text: Bytes, is_parquet: bool) -> Result<Self, IndexError> {
        if is_parquet {
            Catalog::parse(text).map(|catalog| Self::Parquet(Arc::new(catalog)))
        } else {
            Index::parse(&text).map(|index| Self::Json(Arc::new(index)))
        }
    }

    /// How many references there are, or may be.
    fn len(&self) -> usize {
        match self {
            Self::Json(index) => index.len(),
            Self::Parquet(catalog) => catalog.len(),
        }
    }
}
