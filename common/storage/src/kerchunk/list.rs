//! Listings: of what the index has, in its order. That of a directory of records has the documents first, then the chunks
//! of each array in C order; its records are read one after the other, as far as somebody goes on listing.

use std::{collections::BTreeSet, sync::Arc};

use futures::{StreamExt, TryFutureExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{Error as StoreError, Extensions, ListResult, ObjectMeta, Result, path::Path as ObjectPath};

use super::{
    ReferenceFault, ReferenceStore,
    cache::{Form, Loaded},
    index::{Index, Reference},
    records::{Array, Catalog, Place},
    store::Inner,
};

/// Whole objects of which a listing asks the length at a time.
const CONCURRENT_LENGTHS: usize = 32;

type Metas = BoxStream<'static, Result<ObjectMeta>>;

/// An array of which the chunks are listed from number `first` on.
struct Listed {
    path: String,
    array: Array,
    first: u64,
}

impl ReferenceStore {
    /// The keys below `prefix` after `offset`, in order.
    pub(super) fn list_keys(&self, prefix: Option<&ObjectPath>, offset: Option<&ObjectPath>) -> Metas {
        let (store, prefix, offset) = (self.clone(), prefix.cloned(), offset.cloned());
        let metas = async move {
            let loaded = store.loaded().await?.clone();
            let below = prefix.as_ref().map_or("", AsRef::as_ref);
            let offset = offset.as_ref().map(AsRef::as_ref);
            Ok::<_, StoreError>(match &loaded.index {
                Form::Json(index) => store.list_index(&loaded, index, below, offset),
                Form::Parquet(catalog) => store.list_catalog(&loaded, catalog, below, offset),
            })
        };
        metas.try_flatten_stream().boxed()
    }

    fn list_index(&self, loaded: &Loaded, index: &Arc<Index>, below: &str, offset: Option<&str>) -> Metas {
        let mut below = index.below(below);
        if let Some(offset) = offset {
            below.start = below.start.max(index.after(offset));
        }
        let (store, loaded, index) = (self.clone(), loaded.clone(), Arc::clone(index));
        let places = below.map(move |place| (store.clone(), loaded.clone(), Arc::clone(&index), place));
        let metas = stream::iter(places).map(|(store, loaded, index, place)| async move {
            let Some((key, reference)) = index.at(place) else { return Ok(None) };
            let path = ObjectPath::parse(key)?;
            Ok(Some(loaded.meta(path, store.inner.length_of(&reference).await?)))
        });
        metas.buffered(CONCURRENT_LENGTHS).try_filter_map(|meta| async { Ok(meta) }).boxed()
    }

    fn list_catalog(&self, loaded: &Loaded, catalog: &Arc<Catalog>, below: &str, offset: Option<&str>) -> Metas {
        let last = offset.and_then(|offset| catalog.place(offset));
        let documents = catalog.documents_below(below).filter(|(key, _)| offset.is_none_or(|offset| *key > offset));
        // The documents come before the chunks.
        let documents: Vec<_> = documents
            .filter(|_| last.is_none())
            .map(|(key, size)| Ok(loaded.meta(ObjectPath::parse(key)?, size)))
            .collect();
        let arrays = catalog.arrays_within(below).filter_map(|(path, array)| {
            let first = match &last {
                Some(last) if path < last.array => return None,
                Some(last) if path == last.array => catalog.number(last).saturating_add(1),
                Some(_) | None => 0,
            };
            Some(Listed { path: path.to_owned(), array: array.clone(), first })
        });
        stream::iter(documents).chain(self.list_chunks(loaded, catalog, arrays.collect())).boxed()
    }

    fn list_chunks(&self, loaded: &Loaded, catalog: &Arc<Catalog>, arrays: Vec<Listed>) -> Metas {
        let size = catalog.record_size();
        let records = arrays.into_iter().flat_map(move |listed| {
            let listed = Arc::new(listed);
            let records = listed.first / size..listed.array.records(size);
            records.map(move |record| (Arc::clone(&listed), record))
        });
        let (store, loaded, catalog) = (self.clone(), loaded.clone(), Arc::clone(catalog));
        let chunks = stream::iter(records).then(move |(listed, record)| {
            let (store, loaded, catalog) = (store.clone(), loaded.clone(), Arc::clone(&catalog));
            async move { store.list_record(loaded, &catalog, listed, record).await }
        });
        chunks.try_flatten().boxed()
    }

    /// The chunks that have a row in one record.
    async fn list_record(self, loaded: Loaded, catalog: &Catalog, listed: Arc<Listed>, number: u64) -> Result<Metas> {
        let base = number.saturating_mul(catalog.record_size());
        let rows = listed.array.chunks().saturating_sub(base).min(catalog.record_size());
        let place = Place { array: &listed.path, record: number, row: rows.saturating_sub(1) };
        let record = self.inner.record_of(catalog, &place).await;
        let Some(record) = record.map_err(|error| ReferenceFault::of_index(&error))? else {
            return Ok(stream::empty().boxed());
        };
        let is_listed = |row: &u64| *row < rows && base.saturating_add(*row) >= listed.first;
        let rows: Vec<u64> = record.present().filter(is_listed).collect();
        let metas = stream::iter(rows).map(move |row| {
            let (store, loaded) = (self.clone(), loaded.clone());
            let (listed, record) = (Arc::clone(&listed), Arc::clone(&record));
            async move {
                let Some(reference) = record.get(row) else { return Ok(None) };
                let name = listed.array.name(base.saturating_add(row));
                let path = ObjectPath::parse(format!("{}/{name}", listed.path))?;
                Ok(Some(loaded.meta(path, store.inner.length_of(&reference).await?)))
            }
        });
        Ok(metas.buffered(CONCURRENT_LENGTHS).try_filter_map(|meta| async { Ok(meta) }).boxed())
    }

    /// The objects and directories at one level.
    pub(super) async fn list_level(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let loaded = self.loaded().await?;
        let base = prefix.map_or("", AsRef::as_ref);
        match &loaded.index {
            Form::Json(index) => self.level_of_index(loaded, index, base).await,
            Form::Parquet(catalog) => self.level_of_catalog(loaded, catalog, base).await,
        }
    }

    async fn level_of_index(&self, loaded: &Loaded, index: &Index, base: &str) -> Result<ListResult> {
        let below = index.below(base);
        let (mut objects, mut common_prefixes) = (Vec::new(), Vec::new());
        let mut place = below.start;
        while let Some((key, reference)) = index.at(place).filter(|_| place < below.end) {
            let Some(directory) = directory_of(key, base) else {
                let path = ObjectPath::parse(key)?;
                let size = self.inner.length_of(&reference).await?;
                objects.push(loaded.meta(path, size));
                place += 1;
                continue;
            };
            // Over all that is in it.
            place = index.below(directory).end.max(place + 1);
            common_prefixes.push(ObjectPath::parse(directory)?);
        }
        Ok(ListResult { common_prefixes, objects, extensions: Extensions::default() })
    }

    async fn level_of_catalog(&self, loaded: &Loaded, catalog: &Arc<Catalog>, base: &str) -> Result<ListResult> {
        let (mut objects, mut directories) = (Vec::new(), BTreeSet::new());
        for (key, size) in catalog.documents_below(base) {
            match directory_of(key, base) {
                Some(directory) => _ = directories.insert(directory),
                None => objects.push(loaded.meta(ObjectPath::parse(key)?, size)),
            }
        }
        let own = catalog.arrays_within(base).filter(|(path, _)| *path == base);
        let own = own.map(|(path, array)| Listed { path: path.to_owned(), array: array.clone(), first: 0 });
        let chunks = self.list_chunks(loaded, catalog, own.collect());
        objects.extend(chunks.try_collect::<Vec<_>>().await?);
        let common_prefixes = directories.into_iter().map(ObjectPath::parse).collect::<Result<_, _>>()?;
        Ok(ListResult { common_prefixes, objects, extensions: Extensions::default() })
    }
}

/// The directory right below `base` that `key` lies in; `None`: it lies at `base` itself.
fn directory_of<'a>(key: &'a str, base: &str) -> Option<&'a str> {
    let name = key.get(base.len()..)?.trim_start_matches('/');
    let (directory, _) = name.split_once('/')?;
    key.get(..key.len() - name.len() + directory.len())
}

impl Inner {
    /// The bytes of what a key refers to.
    async fn length_of(&self, reference: &Reference<'_>) -> Result<u64> {
        match reference {
            Reference::Inline(data) => Ok(u64::try_from(data.len()).unwrap_or(u64::MAX)),
            Reference::Part { range, .. } => Ok(range.end - range.start),
            Reference::Whole { url } => self.length(url).await,
        }
    }

    /// The bytes of a whole object.
    pub(super) async fn length(&self, url: &str) -> Result<u64> {
        let meta = self.referred(url)?.head().await;
        Ok(meta.map_err(|error| ReferenceFault::at(url, &error))?.size)
    }
}
