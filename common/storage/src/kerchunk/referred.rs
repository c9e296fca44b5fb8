//! Where the data of a place really lies.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use rechunk_common::limits::MAX_RECORDS_LOOKED_AT;

use super::{ReferenceStore, cache::Form, records::Catalog};
use crate::{
    error::{ErrorClass, Operation, StorageError},
    prefix::Prefix,
    url::StoreUrl,
};

/// Records that are read at a time.
const CONCURRENT_RECORDS: usize = 8;

/// URLs that are remembered: those of records are looked at once for each record they are in, unless they are known.
const REMEMBERED_URLS: usize = 1 << 16;

/// What the keys of a place refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referred {
    /// One object; `None`: the place is in no index, or all data is in it.
    pub example: Option<StoreUrl>,
    /// An object that is, lies in or contains a place that it must be apart from, and that place.
    pub overlap: Option<(StoreUrl, StoreUrl)>,
}

impl Prefix {
    /// Looks at every object that the index of references at this place refers to below `keys`. One that may not be
    /// read is an error that names it; one that overlaps a place of `apart`, or may do so, is told of.
    pub async fn referred(&self, keys: &[&str], apart: Vec<StoreUrl>) -> Result<Referred, StorageError> {
        let Some(references) = self.place.references.clone() else { return Ok(Referred::default()) };
        let path = |key: &&str| self.directory_of(key, Operation::Read).map(|path| path.to_string());
        let keys: Vec<String> = keys.iter().map(path).collect::<Result<_, _>>()?;
        let look = Look { references, apart, known: HashSet::new(), referred: Referred::default() };
        let looked = match look.references.load().await?.index.clone() {
            Form::Json(index) => {
                let looked = tokio::task::spawn_blocking(move || {
                    let below: Vec<_> = keys.iter().map(|key| index.below(key)).collect();
                    look.at(index.urls(&below).into_iter())
                });
                looked.await.unwrap_or_else(|_| Err(self.broken_off()))?
            }
            Form::Parquet(catalog) => self.look_at_records(look, catalog, &keys).boxed().await?,
        };
        Ok(looked.referred)
    }

    async fn look_at_records(
        &self,
        mut look: Look,
        catalog: Arc<Catalog>,
        keys: &[String],
    ) -> Result<Look, StorageError> {
        let records = records_of(&catalog, keys).map_err(|count| {
            let message = format!(
                "these arrays have {count} records, all of which are looked at before a job begins, and at most \
                 {MAX_RECORDS_LOOKED_AT} are; rechunk fewer arrays at a time, or write larger records"
            );
            StorageError::new(ErrorClass::BadIndex, Operation::Read, self.url(), message)
        })?;
        let inner = Arc::clone(&look.references.inner);
        let records = stream::iter(records).map(move |(array, number)| {
            let (inner, catalog) = (Arc::clone(&inner), Arc::clone(&catalog));
            async move { inner.record(&catalog, &array, number).await }.boxed()
        });
        let mut records = records.buffered(CONCURRENT_RECORDS);
        while let Some(record) = records.try_next().await? {
            let Some(record) = record else { continue };
            let looked = tokio::task::spawn_blocking(move || look.at(record.urls()));
            look = looked.await.unwrap_or_else(|_| Err(self.broken_off()))?;
        }
        Ok(look)
    }

    fn broken_off(&self) -> StorageError {
        let message = "looking at what it refers to broke off";
        StorageError::new(ErrorClass::Other, Operation::Read, self.url(), message)
    }
}

/// The records of all arrays below `keys`, each once; or how many they are, if that is too many.
fn records_of(catalog: &Catalog, keys: &[String]) -> Result<Vec<(String, u64)>, u64> {
    let size = catalog.record_size();
    let arrays: BTreeMap<&str, u64> = keys
        .iter()
        .flat_map(|key| catalog.arrays_within(key))
        .map(|(path, array)| (path, array.records(size)))
        .collect();
    let count = arrays.values().copied().fold(0, u64::saturating_add);
    if count > MAX_RECORDS_LOOKED_AT {
        return Err(count);
    }
    let records =
        |(path, count): (&str, u64)| (0..count).map(move |number| (path.to_owned(), number)).collect::<Vec<_>>();
    Ok(arrays.into_iter().flat_map(records).collect())
}

/// A look at URLs.
struct Look {
    references: ReferenceStore,
    apart: Vec<StoreUrl>,
    known: HashSet<Box<str>>,
    referred: Referred,
}

impl Look {
    fn at<'a>(mut self, urls: impl Iterator<Item = &'a str>) -> Result<Self, StorageError> {
        for text in urls {
            if self.known.contains(text) {
                continue;
            }
            let object = self.references.permitted(text)?;
            if let Some(place) = self.apart.iter().find(|place| place.overlaps(&object)) {
                self.referred.overlap.get_or_insert((object.clone(), place.clone()));
            }
            self.referred.example.get_or_insert(object);
            if self.known.len() >= REMEMBERED_URLS {
                self.known.clear();
            }
            self.known.insert(text.into());
        }
        Ok(self)
    }
}
