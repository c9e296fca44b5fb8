//! Reading objects: whole, in ranges, or in two steps so that memory can be taken before the body comes.
//!
//! A part is read by one ranged GET without a HEAD. `None` means one thing only: the store says that there is no
//! such object.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, path::Path as ObjectPath};

use crate::{
    classify::{Cause, classify},
    deadline,
    error::{ErrorClass, Fault, Operation, StorageError},
    listing::ObjectInfo,
    observer::RequestKind,
    prefix::{Prefix, Request},
    ranges,
    traffic::Traffic,
    url::Scheme,
};

/// Requests of one `get_ranges` that are under way at a time.
const CONCURRENT_RANGES: usize = 8;

impl Prefix {
    /// Reads a whole object.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StorageError> {
        match self.get_sized(key).await? {
            Some(object) => object.bytes().await,
            None => Ok(None),
        }
    }

    /// Asks for a whole object and returns as soon as its length is known, before its body is read.
    pub async fn get_sized(&self, key: &str) -> Result<Option<SizedObject>, StorageError> {
        let path = self.path_of(key, Operation::Read)?;
        let url = self.url_of(key);
        let answer = self.send(&read(&url, 0), || self.open_object(&path, None)).await?;
        Ok(answer.map(|answer| SizedObject {
            length: answer.range.end - answer.range.start,
            prefix: self.clone(),
            path,
            url,
            answer,
        }))
    }

    /// Reads `range` of an object. An object that ends before the range does is corrupt. An empty range is answered
    /// without a request, also where there is no such object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Option<Bytes>, StorageError> {
        self.range(key, range, None).await
    }

    /// [`Self::get_range`] of an object that must have `size` bytes: one of another size is corrupt.
    pub async fn get_range_of(&self, key: &str, range: Range<u64>, size: u64) -> Result<Option<Bytes>, StorageError> {
        self.range(key, range, Some(size)).await
    }

    async fn range(&self, key: &str, range: Range<u64>, size: Option<u64>) -> Result<Option<Bytes>, StorageError> {
        let path = self.path_of(key, Operation::Read)?;
        let url = self.url_of(key);
        if range.start >= range.end {
            return empty_range(&url, &range).map(Some);
        }
        let length = range.end - range.start;
        let request = read(&url, length);
        self.send(&request, || async {
            let Some(answer) = self.open_object(&path, Some(GetRange::Bounded(range.clone()))).await? else {
                return Ok(None);
            };
            if answer.range != range {
                let size = answer.meta.size;
                return Err(Fault::new(
                    ErrorClass::Corrupt,
                    format!("the object has {size} bytes, too few for the bytes {} to {}", range.start, range.end),
                ));
            }
            let found = answer.meta.size;
            if let Some(size) = size.filter(|size| *size != found) {
                return Err(Fault::new(ErrorClass::Corrupt, format!("the object has {found} bytes instead of {size}")));
            }
            self.body(&url, answer).await.map(Some)
        })
        .await
    }

    /// Reads several ranges of an object, in the order asked for. Ranges up to 1 MiB apart come by one request.
    pub async fn get_ranges(&self, key: &str, ranges: &[Range<u64>]) -> Result<Option<Vec<Bytes>>, StorageError> {
        let url = self.url_of(key);
        let fetches = ranges::join(ranges);
        let parts: Option<Vec<Bytes>> = stream::iter(fetches.clone())
            .map(|fetch| self.get_range(key, fetch))
            .buffered(CONCURRENT_RANGES)
            .try_collect::<Vec<_>>()
            .await?
            .into_iter()
            .collect();
        let Some(parts) = parts else { return Ok(None) };
        let cut = |range: &Range<u64>| {
            if range.start >= range.end {
                return empty_range(&url, range);
            }
            let part = ranges::locate(&fetches, range).and_then(|(index, place)| {
                parts.get(index).filter(|part| place.end <= part.len()).map(|part| part.slice(place))
            });
            part.ok_or_else(|| {
                StorageError::new(ErrorClass::Other, Operation::Read, &url, "a range is in none of its fetches")
            })
        };
        ranges.iter().map(cut).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Reads the last `length` bytes of an object, or all of a shorter one. Azure must be asked for the object's size
    /// first.
    pub async fn get_suffix(&self, key: &str, length: u64) -> Result<Option<Bytes>, StorageError> {
        let path = self.path_of(key, Operation::Read)?;
        let url = self.url_of(key);
        if length == 0 {
            return Ok(Some(Bytes::new()));
        }
        if self.place.url.scheme() == Scheme::Azure {
            return match self.head(key).await? {
                None => Ok(None),
                Some(ObjectInfo { size, .. }) => self.get_range_of(key, size.saturating_sub(length)..size, size).await,
            };
        }
        let request = read(&url, length);
        self.send(&request, || async {
            match self.open_object(&path, Some(GetRange::Suffix(length))).await {
                Ok(Some(answer)) => self.body(&url, answer).await.map(Some),
                Ok(None) => Ok(None),
                // An empty object has no last byte, and says so with status 416.
                Err(fault) if fault.class == ErrorClass::Corrupt => Ok(Some(Bytes::new())),
                Err(fault) => Err(fault),
            }
        })
        .await
    }

    /// Runs `requests`, reads from this place or from others, with the least hand-overs between threads: one for all
    /// of them where files are local, none elsewhere. They end early once nobody waits for them.
    pub async fn carry<F>(&self, requests: F) -> Result<F::Output, StorageError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.place.url.scheme() {
            Scheme::File => self.place.local_reads.carry(requests).await.map_err(|error| {
                StorageError::new(ErrorClass::Other, Operation::Read, &self.place.url, error.to_string())
            }),
            Scheme::S3
            | Scheme::Gcs
            | Scheme::Azure
            | Scheme::Http
            | Scheme::Https
            | Scheme::Memory
            | Scheme::Kerchunk => Ok(requests.await),
        }
    }

    /// Asks for an object's size without reading it.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectInfo>, StorageError> {
        let path = self.path_of(key, Operation::Inspect)?;
        let url = self.url_of(key);
        let request = Request {
            kind: RequestKind::Head,
            operation: Operation::Inspect,
            urls: std::slice::from_ref(&url),
            bytes: 0,
            guard: None,
            first_attempt: 1,
        };
        self.send(&request, || async {
            let options = GetOptions::new().with_head(true);
            match self.place.client.get_opts(&path, options).await {
                Ok(answer) => Ok(Some(ObjectInfo::of(key, &answer.meta))),
                Err(error) => match absent_is_none(&error) {
                    // An answer to a HEAD has no body that could say why: keys that have expired are a mere 400 at S3.
                    Err(fault) if fault.class == ErrorClass::Other => Err(self.denial(&path).await.unwrap_or(fault)),
                    known => known,
                },
            }
        })
        .await
    }

    /// Why an object may not be read, if that is so.
    async fn denial(&self, path: &ObjectPath) -> Option<Fault> {
        let asked = self.open_object(path, Some(GetRange::Bounded(0..1))).await;
        asked.err().filter(|fault| fault.class == ErrorClass::Denied)
    }

    async fn open_object(&self, path: &ObjectPath, range: Option<GetRange>) -> Result<Option<GetResult>, Fault> {
        let answer = match self.place.url.scheme() {
            Scheme::File => self.place.local_reads.open(path, range).await,
            Scheme::S3
            | Scheme::Gcs
            | Scheme::Azure
            | Scheme::Http
            | Scheme::Https
            | Scheme::Memory
            | Scheme::Kerchunk => self.place.client.get_opts(path, GetOptions::new().with_range(range)).await,
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) => absent_is_none(&error),
        }
    }

    /// Reads the body that was announced, all of it.
    async fn body(&self, url: &str, answer: GetResult) -> Result<Bytes, Fault> {
        let announced = answer.range.end - answer.range.start;
        let bytes = match answer {
            GetResult { payload: GetResultPayload::File(file, _), range, .. } => {
                self.place.local_reads.read(file, range).await
            }
            streamed => {
                let limit = deadline::of_read(self.place.request_timeout, announced);
                let late = |_| Fault::new(ErrorClass::TryAgain, format!("the body did not come within {limit:?}"));
                tokio::time::timeout(limit, streamed.bytes()).await.map_err(late)?
            }
        };
        let bytes = bytes.map_err(|error| Fault::from(classify(&error)))?;
        self.received(url, bytes.len());
        if u64::try_from(bytes.len()) == Ok(announced) {
            return Ok(bytes);
        }
        Err(Fault::new(ErrorClass::TryAgain, format!("{} of {announced} bytes came", bytes.len())))
    }
}

/// An object whose length is known and whose body has not been read.
#[derive(Debug)]
pub struct SizedObject {
    prefix: Prefix,
    path: ObjectPath,
    url: String,
    length: u64,
    answer: GetResult,
}

impl SizedObject {
    /// Bytes of the body.
    pub fn content_length(&self) -> u64 {
        self.length
    }

    /// Reads the body. Where that fails in passing, or the answer was left waiting for too long, the object is asked
    /// for again; a length other than the first one is an error then. `None`: it was deleted in between.
    pub async fn bytes(self) -> Result<Option<Bytes>, StorageError> {
        let Self { prefix, path, url, length, answer } = self;
        let limits = prefix.limits(&read(&url, 0)).await?;
        let under_way = limits.traffic.as_deref().map(Traffic::admit_body);
        match prefix.body(&url, answer).await {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(fault) if fault.class == ErrorClass::TryAgain => {}
            Err(fault) => return Err(fault.of(Operation::Read, url)),
        }
        drop(under_way);
        prefix.reread(&path, &url, length).await
    }
}

impl Prefix {
    async fn reread(&self, path: &ObjectPath, url: &String, length: u64) -> Result<Option<Bytes>, StorageError> {
        self.send(&Request { first_attempt: 2, ..read(url, length) }, || async {
            let Some(answer) = self.open_object(path, None).await? else { return Ok(None) };
            if answer.range.end - answer.range.start != length {
                return Err(Fault::new(ErrorClass::Corrupt, "the object changed while it was read"));
            }
            self.body(url, answer).await.map(Some)
        })
        .await
    }
}

fn read(url: &String, bytes: u64) -> Request<'_> {
    Request {
        kind: RequestKind::Get,
        operation: Operation::Read,
        urls: std::slice::from_ref(url),
        bytes,
        guard: None,
        first_attempt: 1,
    }
}

fn absent_is_none<T>(error: &object_store::Error) -> Result<Option<T>, Fault> {
    match classify(error) {
        Cause::Absent => Ok(None),
        Cause::Fault(fault) => Err(fault),
    }
}

fn empty_range(url: &str, range: &Range<u64>) -> Result<Bytes, StorageError> {
    if range.start == range.end {
        return Ok(Bytes::new());
    }
    let message = format!("the range {} to {} is backwards", range.start, range.end);
    Err(StorageError::new(ErrorClass::Invalid, Operation::Read, url, message))
}
