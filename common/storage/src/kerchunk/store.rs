//! The store: each key is answered from the index, or by the store of the object that it refers to.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use object_store::{
    Attributes, CopyOptions, Error as StoreError, Extensions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, path::Path as ObjectPath,
};
use tokio::sync::OnceCell;

use super::{
    ReferenceFault,
    cache::{Form, Loaded},
    index::Reference,
    place,
};
use crate::{
    config::Granted,
    error::{ErrorClass, Operation, StorageError},
    prefix::Prefix,
    profile::Access,
    stores::{Client, Shared},
    url::{Scheme, StoreUrl},
};

/// What one prefix reads through an index. Clones share it.
#[derive(Clone)]
pub(crate) struct ReferenceStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) url: StoreUrl,
    pub(super) is_parquet: bool,
    /// Where the document of the index lies, and its name there.
    pub(super) directory: Prefix,
    pub(super) name: String,
    pub(super) stores: Arc<Shared>,
    loaded: OnceCell<Loaded>,
    /// The states of the records that were used, by their arrays and numbers.
    pub(super) seen: Mutex<BTreeMap<(String, u64), u64>>,
}

/// An object that is referred to, in its store.
pub(crate) struct Referred {
    pub(crate) url: StoreUrl,
    path: ObjectPath,
    pub(crate) client: Client,
}

/// Where the bytes of a key are, whatever becomes of the index.
enum Target {
    Inline(Bytes),
    Part { url: String, range: Range<u64> },
    Whole { url: String },
}

impl From<Reference<'_>> for Target {
    fn from(reference: Reference<'_>) -> Self {
        match reference {
            Reference::Inline(data) => Self::Inline(data),
            Reference::Part { url, range } => Self::Part { url: url.to_owned(), range },
            Reference::Whole { url } => Self::Whole { url: url.to_owned() },
        }
    }
}

impl fmt::Debug for ReferenceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReferenceStore({})", self.inner.url)
    }
}

impl fmt::Display for ReferenceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the references of {}", self.inner.url)
    }
}

impl ReferenceStore {
    /// Where the document of the index at `url` lies, and its name there.
    pub(crate) fn document_of(url: &StoreUrl) -> Option<(StoreUrl, String)> {
        if place::is_parquet(url) {
            return Some((url.clone(), ".zmetadata".to_owned()));
        }
        Some((url.parent()?, url.file_name()?.to_owned()))
    }

    /// The references of the index at `url`, of which the document is `name` in `directory`.
    pub(crate) fn new(url: StoreUrl, directory: Prefix, name: String, stores: Arc<Shared>) -> Self {
        let (is_parquet, loaded, seen) = (place::is_parquet(&url), OnceCell::new(), Mutex::default());
        Self { inner: Arc::new(Inner { url, is_parquet, directory, name, stores, loaded, seen }) }
    }

    /// Reads the index, unless it was read since it changed. Takes as long as the index needs: no request waits for it.
    pub(crate) fn load(&self) -> BoxFuture<'_, Result<&Loaded, StorageError>> {
        self.inner.loaded.get_or_try_init(|| self.inner.load()).boxed()
    }

    /// The place of a reference, which may be read.
    pub(super) fn permitted(&self, url: &str) -> Result<StoreUrl, StorageError> {
        let inner = &self.inner;
        let place = StoreUrl::parse(url).map_err(|error| inner.fault(ErrorClass::BadIndex, error.to_string()))?;
        match inner.grant(&place) {
            Ok(_) => Ok(place),
            Err(error) => Err(inner.fault(error.class, format!("it refers to {place}: {}", error.message))),
        }
    }

    /// The object far away that a request for the key of `url` asks. Reads what is needed to tell.
    pub(crate) fn asked<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Option<Referred>, StorageError>> {
        self.tell_asked(url).boxed()
    }

    async fn tell_asked(&self, url: &str) -> Result<Option<Referred>, StorageError> {
        let loaded = self.load().await?;
        let key = url.strip_prefix(place::MARK).and_then(|url| url.strip_prefix(self.inner.url.to_string().as_str()));
        let Some(key) = key.and_then(|key| key.strip_prefix('/')) else { return Ok(None) };
        let stores = &self.inner.stores;
        // Local files are asked without limits, so their links need not be followed.
        let is_near = |url: &str| is_local(url) && !stores.config.is_traffic_everywhere;
        Ok(match self.inner.target(loaded, key).await? {
            Some(Target::Part { url, .. } | Target::Whole { url }) if !is_near(&url) => self.inner.referred(&url).ok(),
            Some(Target::Inline(_) | Target::Part { .. } | Target::Whole { .. }) | None => None,
        })
    }

    pub(super) async fn loaded(&self) -> Result<&Loaded> {
        self.load().await.map_err(|error| ReferenceFault::of_index(&error))
    }
}

impl Inner {
    pub(super) fn fault(&self, class: ErrorClass, message: impl Into<String>) -> StorageError {
        StorageError::new(class, Operation::Read, format!("the index {}", self.url), message)
    }

    /// Where the bytes of `key` are; `None`: there is no such key.
    async fn target(&self, loaded: &Loaded, key: &str) -> Result<Option<Target>, StorageError> {
        let catalog = match &loaded.index {
            Form::Json(index) => return Ok(index.get(key).map(Target::from)),
            Form::Parquet(catalog) => catalog,
        };
        if let Some(document) = catalog.document(key) {
            return Ok(Some(Target::Inline(document)));
        }
        let Some(place) = catalog.place(key) else { return Ok(None) };
        let record = self.record_of(catalog, &place).await?;
        Ok(record.and_then(|record| record.get(place.row).map(Target::from)))
    }

    /// What tells of a change of the document that `key` names: of an array in a directory of records also one of its
    /// records.
    async fn etag(&self, loaded: &Loaded, key: &str) -> Result<Option<String>> {
        let own = loaded.state.etag.clone();
        let array = key.strip_suffix("/.zarray").filter(|_| self.is_parquet);
        let Some(array) = array else { return Ok(own) };
        let state = self.state_of_records(array).await.map_err(|error| ReferenceFault::of_index(&error))?;
        Ok(state.map_or(own.clone(), |state| Some(format!("{}+{state:016x}", own.unwrap_or_default()))))
    }

    /// The settings of a place that is referred to. The index gives access to nothing, and one that came from elsewhere
    /// may not point at the files of this machine where nobody said so.
    fn grant(&self, place: &StoreUrl) -> Result<Granted, StorageError> {
        let granted = self.stores.config.grant(place, Access::Read)?;
        if place.scheme() == Scheme::File && self.url.scheme() != Scheme::File && granted.profile.is_none() {
            let message = "an index that is no local file refers to local ones only where a [[stores]] table has them";
            return Err(StorageError::new(ErrorClass::Denied, Operation::Open, place, message));
        }
        Ok(granted)
    }

    /// The object at `url`, as its own profile has it.
    pub(super) fn referred(&self, url: &str) -> Result<Referred> {
        let invalid = |error: String| ReferenceFault::of(ErrorClass::BadIndex, format!("it refers to {url}: {error}"));
        let place = StoreUrl::parse(url).map_err(|error| invalid(error.to_string()))?;
        let path = ObjectPath::parse(place.key()).map_err(|error| invalid(error.to_string()))?;
        let client = self.grant(&place).and_then(|granted| self.stores.client(&place, &granted));
        let client = client.map_err(|error| ReferenceFault::unopened(url, &error))?;
        Ok(Referred { url: place, path, client })
    }

    /// Asks the object at `url` for `range`, or all of it.
    async fn get(&self, url: &str, range: Option<GetRange>) -> Result<GetResult> {
        let referred = self.referred(url)?;
        let range = match range {
            // It knows no ranges from the end.
            Some(GetRange::Suffix(length)) if referred.url.scheme() == Scheme::Azure => {
                let size = referred.head().await.map_err(|error| ReferenceFault::at(url, &error))?.size;
                Some(GetRange::Bounded(size.saturating_sub(length)..size))
            }
            other => other,
        };
        let answer = match referred.url.scheme() {
            Scheme::File => self.stores.local_reads.open(&referred.path, range).await,
            Scheme::S3
            | Scheme::Gcs
            | Scheme::Azure
            | Scheme::Http
            | Scheme::Https
            | Scheme::Memory
            | Scheme::Kerchunk => {
                referred.client.store.get_opts(&referred.path, GetOptions::new().with_range(range)).await
            }
        };
        answer.map_err(|error| ReferenceFault::at(url, &error))
    }

    /// The body of an answer, of which nothing is read before it is asked for.
    fn body(&self, url: &str, answer: GetResult) -> GetResultPayload {
        let url = url.to_owned();
        let body = match answer {
            GetResult { payload: GetResultPayload::File(file, _), range, .. } => {
                let reads = self.stores.local_reads.clone();
                stream::once(async move { reads.read(file, range).await }).boxed()
            }
            streamed => streamed.into_stream(),
        };
        GetResultPayload::Stream(body.map_err(move |error| ReferenceFault::at(&url, &error)).boxed())
    }
}

impl Referred {
    pub(super) async fn head(&self) -> Result<ObjectMeta> {
        let options = GetOptions::new().with_head(true);
        Ok(self.client.store.get_opts(&self.path, options).await?.meta)
    }
}

impl Loaded {
    /// What is told of a key that has `size` bytes: its state is the index's.
    pub(super) fn meta(&self, location: ObjectPath, size: u64) -> ObjectMeta {
        let last_modified = UNIX_EPOCH + Duration::from_millis(self.state.modified_ms);
        let last_modified = last_modified.into();
        ObjectMeta { location, last_modified, size, e_tag: self.state.etag.clone(), version: None }
    }
}

fn result(meta: ObjectMeta, range: Range<u64>, payload: GetResultPayload) -> GetResult {
    GetResult { payload, meta, range, attributes: Attributes::default(), extensions: Extensions::default() }
}

fn of_bytes(bytes: Bytes) -> GetResultPayload {
    GetResultPayload::Stream(stream::once(futures::future::ready(Ok(bytes))).boxed())
}

/// As other stores say it.
fn within(range: Option<&GetRange>, length: u64) -> Result<Range<u64>> {
    let range = range.map_or(Ok(0..length), |range| range.as_range(length));
    range.map_err(|error| StoreError::Generic { store: "kerchunk", source: Box::new(error) })
}

/// Whether the URL is that of a local file.
pub(super) fn is_local(url: &str) -> bool {
    url.starts_with('/') || url.starts_with("file://")
}

fn refused() -> StoreError {
    let message = Scheme::Kerchunk.read_only().unwrap_or_default();
    ReferenceFault::of(ErrorClass::Unsupported, message)
}

#[async_trait]
impl ObjectStore for ReferenceStore {
    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        let loaded = self.loaded().await?;
        let inner = &self.inner;
        let target = inner.target(loaded, location.as_ref()).await;
        let (url, part) = match target.map_err(|error| ReferenceFault::of_index(&error))? {
            None => {
                let source = format!("{} has no such key", inner.url).into();
                return Err(StoreError::NotFound { path: location.to_string(), source });
            }
            Some(Target::Inline(data)) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let mut meta = loaded.meta(location.clone(), length);
                if options.head {
                    meta.e_tag = inner.etag(loaded, location.as_ref()).await?;
                }
                let range = within(options.range.as_ref(), length)?;
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
                let body = of_bytes(data.slice(place(range.start)..place(range.end)));
                return Ok(result(meta, range, body));
            }
            Some(Target::Whole { url }) => (url, None),
            Some(Target::Part { url, range }) => (url, Some(range)),
        };
        let url = url.as_str();
        let Some(part) = part else {
            if options.head {
                let size = inner.length(url).await?;
                return Ok(result(loaded.meta(location.clone(), size), 0..size, of_bytes(Bytes::new())));
            }
            let answer = inner.get(url, options.range).await?;
            let (meta, range) = (loaded.meta(location.clone(), answer.meta.size), answer.range.clone());
            return Ok(result(meta, range, inner.body(url, answer)));
        };
        let length = part.end - part.start;
        let meta = loaded.meta(location.clone(), length);
        let range = within(options.range.as_ref(), length)?;
        if options.head || range.is_empty() {
            return Ok(result(meta, range, of_bytes(Bytes::new())));
        }
        let wanted = part.start + range.start..part.start + range.end;
        let answer = inner.get(url, Some(GetRange::Bounded(wanted.clone()))).await?;
        if answer.range != wanted {
            let size = answer.meta.size;
            let message = format!("it refers to the bytes {} to {} of {url}, which has {size}", part.start, part.end);
            return Err(ReferenceFault::of(ErrorClass::Corrupt, message));
        }
        Ok(result(meta, range, inner.body(url, answer)))
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_keys(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_keys(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.list_level(prefix).await
    }

    async fn put_opts(&self, _: &ObjectPath, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused())
    }

    async fn put_multipart_opts(&self, _: &ObjectPath, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        locations.map(|_| Err(refused())).boxed()
    }

    async fn copy_opts(&self, _: &ObjectPath, _: &ObjectPath, _: CopyOptions) -> Result<()> {
        Err(refused())
    }
}
