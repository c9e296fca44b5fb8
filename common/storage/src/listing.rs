//! What is there: listings by prefix and by directory. Keys are relative to the prefix that is asked.
//!
//! Directories without objects are not there; neither are markers, empty objects whose key ends in a slash.

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{ObjectMeta, path::Path as ObjectPath};

use crate::{
    classify::{Cause, classify},
    error::{ErrorClass, Fault, Operation, StorageError},
    http_client,
    observer::RequestKind,
    prefix::{Prefix, Request},
    url::Scheme,
};

/// What stores answer a listing with at a time.
const OBJECTS_OF_PAGE: usize = 1000;

/// An object, as a listing or a HEAD shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// Relative to the prefix that was asked.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Changes when the object does, where the store tells.
    pub etag: Option<String>,
    /// When it was last written, by the store's clock, in milliseconds since the Unix epoch.
    pub modified_ms: u64,
}

impl ObjectInfo {
    pub(crate) fn of(key: &str, meta: &ObjectMeta) -> Self {
        let modified_ms = u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default();
        Self { key: key.to_owned(), size: meta.size, etag: meta.e_tag.clone(), modified_ms }
    }
}

/// One level of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// The objects at this level, by key.
    pub objects: Vec<ObjectInfo>,
    /// The last segments of the keys' common prefixes one level down, in order. On local files a directory without
    /// any file shows here too.
    pub directories: Vec<String>,
}

impl Prefix {
    /// Lists every object below `subprefix` (empty: below the prefix), in the store's order. A listing that breaks off
    /// in passing goes on after the last key, where the store's order allows.
    /// The stream of a place that can't be listed is one error.
    pub fn list(&self, subprefix: &str) -> BoxStream<'static, Result<ObjectInfo, StorageError>> {
        if let Err(error) = self.check_listable(subprefix) {
            return futures::stream::iter([Err(error)]).boxed();
        }
        let listing = Listing {
            prefix: self.clone(),
            subprefix: subprefix.to_owned(),
            last: None,
            of_page: 0,
            step: Step::Open(1),
        };
        futures::stream::try_unfold(listing, |listing| Box::pin(listing.next())).boxed()
    }

    /// Lists one level: the objects at `subprefix`, and the names of the directories there.
    pub async fn list_directory(&self, subprefix: &str) -> Result<Directory, StorageError> {
        self.check_listable(subprefix)?;
        let base = self.directory_of(subprefix, Operation::List)?;
        let url = self.url_of(subprefix);
        let request = list_request(std::slice::from_ref(&url), 1);
        let found = self
            .send(&request, || async {
                match self.place.client.list_with_delimiter(some(&base)).await {
                    Ok(found) => Ok(Some(found)),
                    Err(error) => none_if_absent(&error),
                }
            })
            .await?
            .unwrap_or(object_store::ListResult {
                common_prefixes: Vec::new(),
                objects: Vec::new(),
                extensions: object_store::Extensions::default(),
            });
        let name = |path: &ObjectPath| path.filename().map(str::to_owned);
        let mut directories: Vec<_> = found.common_prefixes.iter().filter_map(name).collect();
        let mut objects: Vec<_> = found.objects.iter().filter_map(|meta| self.info(meta)).collect();
        directories.sort();
        objects.sort();
        Ok(Directory { objects, directories })
    }

    /// Whether no object lies below the prefix: one listing, ended at its first object.
    pub async fn is_empty(&self) -> Result<bool, StorageError> {
        Ok(self.list("").next().await.transpose()?.is_none())
    }

    /// Whether it can be told what lies here: not on a web server.
    pub fn can_list(&self) -> bool {
        !self.place.url.scheme().is_web()
    }

    fn check_listable(&self, subprefix: &str) -> Result<(), StorageError> {
        if self.can_list() {
            return Ok(());
        }
        let (class, url) = (ErrorClass::Unsupported, self.url_of(subprefix));
        Err(StorageError::new(class, Operation::List, url, http_client::CANNOT_LIST))
    }

    /// The object with its key relative to this prefix; `None` for a marker of the prefix itself.
    fn info(&self, meta: &ObjectMeta) -> Option<ObjectInfo> {
        let root = self.place.root.as_ref();
        let path = meta.location.as_ref();
        let key = if root.is_empty() { path } else { path.strip_prefix(root)?.strip_prefix('/')? };
        if key.is_empty() {
            return None;
        }
        Some(ObjectInfo::of(key, meta))
    }
}

/// A listing under way.
struct Listing {
    prefix: Prefix,
    subprefix: String,
    last: Option<ObjectPath>,
    /// Objects of the page that came last, as far as they were taken.
    of_page: usize,
    step: Step,
}

type Objects = BoxStream<'static, object_store::Result<ObjectMeta>>;

enum Step {
    /// To be opened, by this attempt.
    Open(u32),
    /// The first page came.
    Running(Objects),
}

impl Listing {
    async fn next(mut self) -> Result<Option<(ObjectInfo, Self)>, StorageError> {
        loop {
            let (first, mut objects) = match std::mem::replace(&mut self.step, Step::Open(2)) {
                Step::Open(attempt) => {
                    let (first, objects) =
                        self.prefix.open_listing(&self.subprefix, self.last.as_ref(), attempt).await?;
                    let Some(first) = first else { return Ok(None) };
                    self.of_page = 0;
                    (Some(Ok(first)), objects)
                }
                Step::Running(objects) => (None, objects),
            };
            let answer = if first.is_some() {
                first
            } else {
                self.keep_rate().await;
                self.prefix.next_page(&mut objects).await
            };
            self.of_page = self.of_page.saturating_add(1);
            match answer {
                None => return Ok(None),
                Some(Ok(meta)) => {
                    self.last = Some(meta.location.clone());
                    self.step = Step::Running(objects);
                    if let Some(info) = self.prefix.info(&meta) {
                        return Ok(Some((info, self)));
                    }
                }
                Some(Err(error)) => match classify(&error) {
                    Cause::Absent => return Ok(None),
                    // Local directories are walked in no order: there is no "after the last key".
                    Cause::Fault(fault)
                        if fault.class == ErrorClass::TryAgain && self.prefix.url().scheme() != Scheme::File => {}
                    Cause::Fault(fault) => {
                        return Err(fault.of(Operation::List, self.prefix.url_of(&self.subprefix)));
                    }
                },
            }
        }
    }
}

impl Listing {
    /// A page is a request: the first one waits for its turn with the listing itself, each other one here.
    async fn keep_rate(&mut self) {
        if self.of_page < OBJECTS_OF_PAGE {
            return;
        }
        self.of_page = 0;
        let url = self.prefix.url_of(&self.subprefix);
        let request = list_request(std::slice::from_ref(&url), 1);
        // No more than a delay is lost where they are not known.
        let limits = self.prefix.limits(&request).await.unwrap_or_default();
        self.prefix.keep_rate(&request, &limits).await;
    }
}

impl Prefix {
    /// The next object, which may begin the next page.
    async fn next_page(&self, objects: &mut Objects) -> Option<object_store::Result<ObjectMeta>> {
        let late = |_| Some(Err(object_store::Error::Generic { store: "listing", source: Box::new(late_page()) }));
        tokio::time::timeout(self.place.request_timeout, objects.next()).await.unwrap_or_else(late)
    }

    /// Asks for the first page of a listing, or the one after the key `last`, until it comes.
    async fn open_listing(
        &self,
        subprefix: &str,
        last: Option<&ObjectPath>,
        attempt: u32,
    ) -> Result<(Option<ObjectMeta>, Objects), StorageError> {
        let base = self.directory_of(subprefix, Operation::List)?;
        let url = self.url_of(subprefix);
        let request = list_request(std::slice::from_ref(&url), attempt);
        self.send(&request, || async {
            let mut objects = match last {
                Some(last) => self.list_after(&base, last),
                None => self.place.client.list(some(&base)),
            };
            match objects.next().await.transpose() {
                Ok(first) => Ok((first, objects)),
                Err(error) => none_if_absent::<()>(&error).map(|_| (None, futures::stream::empty().boxed())),
            }
        })
        .await
    }
}

impl Prefix {
    /// The objects after the key `last`. Some that speak Azure's protocol begin at the first one all the same.
    fn list_after(&self, base: &ObjectPath, last: &ObjectPath) -> Objects {
        let objects = self.place.client.list_with_offset(some(base), last);
        if self.place.url.scheme() != Scheme::Azure {
            return objects;
        }
        let last = last.clone();
        objects.try_filter(move |object| futures::future::ready(object.location > last)).boxed()
    }
}

fn late_page() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the next page of the listing did not come in time")
}

fn list_request(urls: &[String], first_attempt: u32) -> Request<'_> {
    Request { kind: RequestKind::List, operation: Operation::List, urls, bytes: 0, guard: None, first_attempt }
}

/// `object_store` takes no prefix for its root.
fn some(base: &ObjectPath) -> Option<&ObjectPath> {
    (!base.as_ref().is_empty()).then_some(base)
}

/// What is not there is empty.
fn none_if_absent<T>(error: &object_store::Error) -> Result<Option<T>, Fault> {
    match classify(error) {
        Cause::Absent => Ok(None),
        Cause::Fault(fault) => Err(fault),
    }
}
