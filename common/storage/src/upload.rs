//! Writing a large object in parts: several at a time, each with attempts of its own, and at the end one message that
//! makes the object, whole and at once.
//!
//! An upload that does not come to its end is aborted, whatever ended it: a failure, the lease, or a caller who stopped
//! waiting. What no client can abort is an upload whose beginning the store never confirmed, or that the process did
//! not live to abort; the store keeps its parts until `gc` or a lifecycle rule of the bucket removes them. Azure has no
//! abortion: it drops what belongs to no object after a week, or when the object is written. Parts are slices of the
//! payload: nothing is copied.
//!
//! Here are the upload itself and objects whose bytes are all there; `growing` writes those whose bytes are yet to come.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::{
    MultipartId, PutPayload,
    multipart::{MultipartStore, PartId},
    path::Path as ObjectPath,
};
use rechunk_common::limits::MAX_UPLOAD_PARTS;
use tokio::sync::mpsc;

use crate::{
    error::{Fault, Hint, Operation, StorageError},
    guard::{WriteGuard, WriteUnderWay},
    observer::RequestKind,
    prefix::{Prefix, Request},
    url::Scheme,
};

/// Objects above this are written in parts: one PUT of them takes long enough to be worth dividing.
pub const UPLOAD_THRESHOLD: u64 = 64 << 20;

/// Bytes of a part, unless that makes too many: an attempt moves them within its time at 0.7 MB/s.
pub const PART_BYTES: u64 = 16 << 20;

/// The shortest part, the last one excepted: S3 and GCS take no shorter ones.
pub const LEAST_PART_BYTES: u64 = 5 << 20;

/// The same where the store would take any: a part is a request all the same.
const LEAST_LOCAL_PART_BYTES: u64 = 1 << 20;

/// The largest object on S3 and on GCS.
pub const MAX_OBJECT_BYTES: u64 = 5 << 40;

/// Parts of one object that are under way at a time.
const PARTS_AT_A_TIME: usize = 4;

/// How often an upload that the store has forgotten is begun again. Its end was confirmed by an answer that was lost,
/// or somebody aborted it: the store can't tell which.
const RESTARTS: u32 = 2;

/// From which size on objects are written in parts, and of which size the parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadSizes {
    /// Objects above this are written in parts.
    pub threshold: u64,
    /// Bytes of a part, the last one excepted.
    pub part: u64,
    /// Bytes of the shortest part, the last one excepted, of an object that is written while its bytes come.
    pub least_part: u64,
}

impl Default for UploadSizes {
    fn default() -> Self {
        Self { threshold: UPLOAD_THRESHOLD, part: PART_BYTES, least_part: LEAST_PART_BYTES }
    }
}

impl UploadSizes {
    /// Bytes of the shortest part that a store takes, the last one excepted.
    pub fn least_part_of(self, scheme: Scheme) -> u64 {
        match scheme {
            Scheme::S3 | Scheme::Gcs | Scheme::Http | Scheme::Https => self.least_part.max(1),
            Scheme::Azure | Scheme::File | Scheme::Memory | Scheme::Kerchunk => {
                self.least_part.clamp(1, LEAST_LOCAL_PART_BYTES)
            }
        }
    }

    /// Bytes of the parts of an object: more than usual where there would be too many, in whole MiB.
    fn part_of(self, object: u64) -> u64 {
        let least = object.div_ceil(MAX_UPLOAD_PARTS);
        if least <= self.part { self.part.max(1) } else { least.next_multiple_of(1 << 20) }
    }
}

/// The object that is written.
pub(crate) struct Object {
    pub(crate) prefix: Prefix,
    pub(crate) path: ObjectPath,
    pub(crate) url: String,
    pub(crate) uploads: Arc<dyn MultipartStore>,
    /// The number of the first attempt of each request: 2 where an earlier upload of the same object has failed.
    pub(crate) first_attempt: u32,
}

impl Prefix {
    /// Writes `payload` in parts through `uploads`.
    pub(crate) async fn put_in_parts(
        &self,
        uploads: &Arc<dyn MultipartStore>,
        (path, url): (ObjectPath, String),
        payload: &PutPayload,
        guard: &dyn WriteGuard,
    ) -> Result<(), StorageError> {
        let uploads = Arc::clone(uploads);
        let mut object = Arc::new(Object { prefix: self.clone(), path, url, uploads, first_attempt: 1 });
        let bytes = u64::try_from(payload.content_length()).unwrap_or(u64::MAX);
        let parts = split(payload, self.place.upload_sizes.part_of(bytes));
        let mut restarts = 0;
        loop {
            let upload = object.begin(guard).await?;
            let outcome = upload.write(&parts, guard).await;
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) if upload.is_gone() && restarts < RESTARTS => {
                    tracing::debug!(url = %object.url, %error, "an upload in parts begins again");
                    restarts += 1;
                    object = Arc::new(object.again());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Object {
    /// The same object, once more.
    fn again(&self) -> Self {
        let Self { prefix, path, url, uploads, .. } = self;
        let (prefix, uploads) = (prefix.clone(), Arc::clone(uploads));
        Self { prefix, path: path.clone(), url: url.clone(), uploads, first_attempt: 2 }
    }

    fn request<'a>(&'a self, kind: RequestKind, bytes: u64, guard: Option<&'a dyn WriteGuard>) -> Request<'a> {
        let urls = std::slice::from_ref(&self.url);
        Request { kind, operation: Operation::Write, urls, bytes, guard, first_attempt: self.first_attempt }
    }

    /// Begins an upload.
    pub(crate) async fn begin(self: &Arc<Self>, guard: &dyn WriteGuard) -> Result<Upload, StorageError> {
        let request = self.request(RequestKind::Upload, 0, Some(guard));
        self.prefix
            .send(&request, || async {
                let object = Arc::clone(self);
                let under_way = guard.begin_write();
                self.prefix
                    .to_its_end(guard, async move {
                        let begun = object.uploads.create_multipart(&object.path).await;
                        match begun {
                            // Whoever drops it, also where nobody waits any more, aborts it.
                            Ok(id) => Ok(Upload::new(object, id, under_way)),
                            Err(error) => Err(object.prefix.write_fault(&error)),
                        }
                    })
                    .await
            })
            .await
    }
}

/// An upload that has begun; dropped before its end it is aborted.
pub(crate) struct Upload {
    object: Arc<Object>,
    id: MultipartId,
    /// The store does not know the upload any more.
    is_gone: Arc<AtomicBool>,
    is_complete: AtomicBool,
    /// `Some` until it is dropped.
    open: Option<Open>,
}

/// What is held while an upload is open.
struct Open {
    /// The guard waits for the upload's end, its abortion included. Locked by nobody: parts share the upload.
    under_way: Mutex<WriteUnderWay>,
    /// Cloned into each part that is being sent.
    sending: mpsc::Sender<()>,
    /// Ends when no part is being sent any more.
    sent: mpsc::Receiver<()>,
}

impl Upload {
    fn new(object: Arc<Object>, id: MultipartId, under_way: WriteUnderWay) -> Self {
        let (sending, sent) = mpsc::channel(1);
        let open = Some(Open { under_way: Mutex::new(under_way), sending, sent });
        Self { object, id, is_gone: Arc::default(), is_complete: AtomicBool::new(false), open }
    }

    /// Whether the store has forgotten the upload.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    async fn write(&self, parts: &[PutPayload], guard: &dyn WriteGuard) -> Result<(), StorageError> {
        let put = |(number, part)| self.put_part(number, part, guard).boxed();
        let puts: Vec<_> = parts.iter().enumerate().map(put).collect();
        let sent: Vec<PartId> = stream::iter(puts).buffered(PARTS_AT_A_TIME).try_collect().await?;
        self.complete(sent, guard).await
    }

    /// Sends part `number`, from 0.
    pub(crate) async fn put_part(
        &self,
        number: usize,
        part: &PutPayload,
        guard: &dyn WriteGuard,
    ) -> Result<PartId, StorageError> {
        let bytes = u64::try_from(part.content_length()).unwrap_or(u64::MAX);
        let request = self.object.request(RequestKind::Part, bytes, Some(guard));
        let sending = self.open.as_ref().map(|open| open.sending.clone());
        self.object
            .prefix
            .send(&request, || async {
                let (object, id, part) = (Arc::clone(&self.object), self.id.clone(), part.clone());
                let (is_gone, sending) = (Arc::clone(&self.is_gone), sending.clone());
                self.object
                    .prefix
                    .to_its_end(guard, async move {
                        let _sending = sending;
                        let answer = object.uploads.put_part(&object.path, &id, number, part).await;
                        answer.map_err(|error| object.fault(&error, &is_gone))
                    })
                    .await
            })
            .await
    }

    /// Makes the object of the parts. Counted as the PUT that it is.
    pub(crate) async fn complete(&self, parts: Vec<PartId>, guard: &dyn WriteGuard) -> Result<(), StorageError> {
        let request = self.object.request(RequestKind::Put, 0, Some(guard));
        let completed = self
            .object
            .prefix
            .send(&request, || async {
                let (object, id, parts) = (Arc::clone(&self.object), self.id.clone(), parts.clone());
                let is_gone = Arc::clone(&self.is_gone);
                self.object
                    .prefix
                    .to_its_end(guard, async move {
                        match object.uploads.complete_multipart(&object.path, &id, parts).await {
                            Ok(_) => Ok(()),
                            Err(error) => Err(object.fault(&error, &is_gone)),
                        }
                    })
                    .await
            })
            .await;
        self.is_complete.store(completed.is_ok(), Ordering::Relaxed);
        completed
    }
}

impl Object {
    fn fault(&self, error: &object_store::Error, is_gone: &AtomicBool) -> Fault {
        let fault = self.prefix.write_fault(error);
        if fault.hint == Hint::UploadGone {
            is_gone.store(true, Ordering::Relaxed);
        }
        fault
    }

    /// Removes what was sent of an upload.
    async fn abort(self: Arc<Self>, id: MultipartId, open: Open) {
        let Open { under_way, sending, mut sent } = open;
        drop(sending);
        // A part that came after the abortion might stay.
        while sent.recv().await.is_some() {}
        let request = self.request(RequestKind::Upload, 0, None);
        let aborted = self.prefix.send(&request, || async {
            match self.uploads.abort_multipart(&self.path, &id).await {
                Ok(()) => Ok(()),
                Err(error) => match self.prefix.write_fault(&error) {
                    fault if fault.hint == Hint::UploadGone => Ok(()),
                    fault => Err(fault),
                },
            }
        });
        // No longer than a write: whoever ended the lease may be waiting.
        let outcome = tokio::time::timeout(self.prefix.place.put_timeout, aborted).await;
        drop(under_way);
        match outcome {
            Ok(Ok(())) => tracing::debug!(url = %self.url, upload = %id, "an upload in parts was aborted"),
            Ok(Err(error)) => warn_of_rest(&self.url, &id, &error.message),
            Err(_late) => warn_of_rest(&self.url, &id, "no answer in time"),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(open) = self.open.take().filter(|_| !self.is_complete.load(Ordering::Relaxed) && !self.is_gone())
        else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(Arc::clone(&self.object).abort(self.id.clone(), open));
            }
            Err(_ended) => warn_of_rest(&self.object.url, &self.id, "the program is ending"),
        }
    }
}

fn warn_of_rest(url: &str, upload: &str, reason: &str) {
    tracing::warn!(%url, %upload, %reason, "an upload in parts could not be aborted; its parts stay in the store");
}

/// The payload in slices of `part` bytes, the last one shorter.
fn split(payload: &PutPayload, part: u64) -> Vec<PutPayload> {
    let part = usize::try_from(part).unwrap_or(usize::MAX).max(1);
    let mut parts = Vec::new();
    let (mut open, mut room) = (Vec::new(), part);
    for bytes in payload {
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(room));
            room -= piece.len();
            open.push(piece);
            if room == 0 {
                parts.push(std::mem::take(&mut open).into_iter().collect());
                room = part;
            }
        }
    }
    if !open.is_empty() {
        parts.push(open.into_iter().collect());
    }
    parts
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
