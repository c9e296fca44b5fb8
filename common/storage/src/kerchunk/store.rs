//! The store: each key is answered from the index, or by the store of the object that it refers to.

use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, future::BoxFuture, stream, stream::BoxStream};
use object_store::{
    Attributes, CopyOptions, Error as StoreError, Extensions, GetOptions, GetRange, GetResult, GetResultPayload,
    ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result, path::Path as ObjectPath,
};
use rechunk_common::limits::MAX_INDEX_BYTES;
use tokio::sync::OnceCell;

use super::{
    ReferenceFault,
    cache::Loaded,
    index::{Index, Reference},
};
use crate::{
    config::Granted,
    error::{ErrorClass, Operation, StorageError},
    listing::ObjectInfo,
    observer::RequestKind,
    prefix::Prefix,
    profile::Access,
    stores::{Client, Shared},
    traffic::{Traffic, Turnstile},
    url::{Scheme, StoreUrl},
};

/// Whole objects of which a listing asks the length at a time.
const CONCURRENT_LENGTHS: usize = 32;

/// What one prefix reads through an index. Clones share it.
#[derive(Clone)]
pub(crate) struct ReferenceStore {
    inner: Arc<Inner>,
}

struct Inner {
    url: StoreUrl,
    /// Where the index lies, and its name there.
    directory: Prefix,
    name: String,
    stores: Arc<Shared>,
    loaded: OnceCell<Loaded>,
}

/// An object that is referred to, in its store.
struct Referred {
    url: StoreUrl,
    path: ObjectPath,
    client: Client,
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
    /// The references of the index at `url`, which is `name` in `directory`.
    pub(crate) fn new(url: StoreUrl, directory: Prefix, name: String, stores: Arc<Shared>) -> Self {
        Self { inner: Arc::new(Inner { url, directory, name, stores, loaded: OnceCell::new() }) }
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

    /// The traffic to the store of the object that the key of `url` refers to.
    pub(crate) fn traffic(&self, url: &str) -> Option<Arc<Traffic>> {
        self.asked(url)?.client.traffic
    }

    /// What holds for requests of `kind` to the object that the key of `url` refers to.
    pub(crate) fn turnstile(&self, kind: RequestKind, url: &str) -> Option<Arc<Turnstile>> {
        self.inner.stores.rates.turnstile(kind, &self.asked(url)?.url)
    }

    /// The object far away that a request for the key of `url` asks.
    fn asked(&self, url: &str) -> Option<Referred> {
        let key = url.strip_prefix(super::place::MARK)?;
        let key = key.strip_prefix(self.inner.url.to_string().as_str())?.strip_prefix('/')?;
        let stores = &self.inner.stores;
        // Local files are asked without limits, so their links need not be followed.
        let is_near = |url: &str| is_local(url) && !stores.config.is_traffic_everywhere;
        match self.inner.loaded.get()?.index.get(key)? {
            Reference::Part { url, .. } | Reference::Whole { url } if !is_near(url) => self.inner.referred(url).ok(),
            Reference::Inline(_) | Reference::Part { .. } | Reference::Whole { .. } => None,
        }
    }

    async fn loaded(&self) -> Result<&Loaded> {
        self.load().await.map_err(|error| ReferenceFault::of_index(&error))
    }
}

impl Inner {
    fn fault(&self, class: ErrorClass, message: impl Into<String>) -> StorageError {
        StorageError::new(class, Operation::Read, format!("the index {}", self.url), message)
    }

    async fn load(&self) -> Result<Loaded, StorageError> {
        let state = self.directory.head(&self.name).await?;
        let state = state.ok_or_else(|| self.fault(ErrorClass::Missing, "it is not there"))?;
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
        let index = tokio::task::spawn_blocking(move || Index::parse(&text)).await;
        let index = index.map_err(|_| self.fault(ErrorClass::Other, "reading it broke off"))?;
        let index = index.map_err(|error| self.fault(ErrorClass::BadIndex, error.to_string()))?;
        tracing::debug!(url = %self.url, references = index.len(), "an index of references was read");
        Ok(Loaded { index: Arc::new(index), state })
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
    fn referred(&self, url: &str) -> Result<Referred> {
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
    async fn head(&self) -> Result<ObjectMeta> {
        let options = GetOptions::new().with_head(true);
        Ok(self.client.store.get_opts(&self.path, options).await?.meta)
    }
}

impl Loaded {
    /// What is told of a key that has `size` bytes: its state is the index's.
    fn meta(&self, location: ObjectPath, size: u64) -> ObjectMeta {
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
        let (url, part) = match loaded.index.get(location.as_ref()) {
            None => {
                let source = format!("{} has no such key", inner.url).into();
                return Err(StoreError::NotFound { path: location.to_string(), source });
            }
            Some(Reference::Inline(data)) => {
                let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                let range = within(options.range.as_ref(), length)?;
                let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
                let body = of_bytes(data.slice(place(range.start)..place(range.end)));
                return Ok(result(loaded.meta(location.clone(), length), range, body));
            }
            Some(Reference::Whole { url }) => (url, None),
            Some(Reference::Part { url, range }) => (url, Some(range)),
        };
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
        self.list_places(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_places(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let loaded = self.loaded().await?;
        let base = prefix.map_or("", AsRef::as_ref);
        let below = loaded.index.below(base);
        let (mut objects, mut common_prefixes) = (Vec::new(), Vec::new());
        let mut place = below.start;
        while let Some((key, reference)) = loaded.index.at(place).filter(|_| place < below.end) {
            let name = key.get(base.len()..).unwrap_or_default().trim_start_matches('/');
            let Some((directory, _)) = name.split_once('/') else {
                let path = ObjectPath::parse(key)?;
                let size = self.inner.length_of(&reference).await?;
                objects.push(loaded.meta(path, size));
                place += 1;
                continue;
            };
            let directory = if base.is_empty() { directory.to_owned() } else { format!("{base}/{directory}") };
            // Over all that is in it.
            place = loaded.index.below(&directory).end.max(place + 1);
            common_prefixes.push(ObjectPath::parse(directory)?);
        }
        Ok(ListResult { common_prefixes, objects, extensions: Extensions::default() })
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

impl ReferenceStore {
    /// The keys below `prefix` after `offset`, in order.
    fn list_places(
        &self,
        prefix: Option<&ObjectPath>,
        offset: Option<&ObjectPath>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix, offset) = (self.clone(), prefix.cloned(), offset.cloned());
        let places = async move {
            let loaded = store.loaded().await?.clone();
            let mut below = loaded.index.below(prefix.as_ref().map_or("", AsRef::as_ref));
            if let Some(offset) = offset {
                below.start = below.start.max(loaded.index.after(offset.as_ref()));
            }
            let metas = below.map(move |place| (store.clone(), loaded.clone(), place));
            Ok::<_, StoreError>(stream::iter(metas).map(|(store, loaded, place)| async move {
                let Some((key, reference)) = loaded.index.at(place) else { return Ok(None) };
                let path = ObjectPath::parse(key)?;
                Ok(Some(loaded.meta(path, store.inner.length_of(&reference).await?)))
            }))
        };
        let metas = places.map_ok(|metas| metas.buffered(CONCURRENT_LENGTHS).try_filter_map(|m| async { Ok(m) }));
        metas.try_flatten_stream().boxed()
    }
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

    async fn length(&self, url: &str) -> Result<u64> {
        let meta = self.referred(url)?.head().await;
        Ok(meta.map_err(|error| ReferenceFault::at(url, &error))?.size)
    }
}
