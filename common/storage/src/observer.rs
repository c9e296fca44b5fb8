//! Every request that is sent to a store, as it is sent: for counters, metrics and tests that count on their own.
//!
//! Counts attempts, not operations: a retried read is two requests.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::error::ErrorClass;

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// Reads an object, or a range of it.
    Get,
    /// Asks for an object's size.
    Head,
    /// Writes an object, or makes it of the parts that were sent: then `bytes` is 0.
    Put,
    /// Sends a part of an object.
    Part,
    /// Begins or aborts an upload in parts.
    Upload,
    /// Deletes an object; one per key, though a store that can takes up to 1000 keys in one message.
    Delete,
    /// Lists keys; one per listing, though a store answers in pages of 1000 keys.
    List,
}

impl RequestKind {
    /// As metrics and traces spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Put => "put",
            Self::Part => "part",
            Self::Upload => "upload",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }

    /// Whether it reads, asks or lists, as stores count for their limits; the others change what is there.
    pub fn is_read(self) -> bool {
        match self {
            Self::Get | Self::Head | Self::List => true,
            Self::Put | Self::Part | Self::Upload | Self::Delete => false,
        }
    }
}

/// Is told of every request. Called on the async threads: it must not block.
pub trait Observer: Send + Sync {
    /// Attempt number `attempt` (from 1) of a request for `url` begins. `bytes` is the length of what a PUT or a part
    /// sends or a ranged GET asks for, else 0.
    fn request(&self, kind: RequestKind, url: &str, bytes: u64, attempt: u32);

    /// A request waits, because it is beyond the request rate of its place. It is told of when it is sent, if it ever is.
    fn waits(&self, kind: RequestKind, url: &str) {
        let _ = (kind, url);
    }

    /// Such a request has waited for so long.
    fn waited(&self, kind: RequestKind, url: &str, time: Duration) {
        let _ = (kind, url, time);
    }

    /// An attempt has its answer after so long, with the body that it reads; `failure`: what was wrong with it. Attempts
    /// that nobody waits for any more have none.
    fn answered(&self, kind: RequestKind, url: &str, time: Duration, failure: Option<ErrorClass>) {
        let _ = (kind, url, time, failure);
    }

    /// A GET has brought `bytes` bytes of body.
    fn received(&self, url: &str, bytes: u64) {
        let _ = (url, bytes);
    }
}

/// One request, as it was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRequest {
    /// Its kind.
    pub kind: RequestKind,
    /// The object, or the prefix of a listing.
    pub url: String,
    /// As in [`Observer::request`].
    pub bytes: u64,
    /// From 1; above 1 it is a repetition.
    pub attempt: u32,
}

/// Keeps every request, in the order in which they were sent.
#[derive(Debug, Default)]
pub struct CountingObserver {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<ObservedRequest>,
    waits: Vec<(RequestKind, String)>,
    received: u64,
}

impl CountingObserver {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<ObservedRequest> {
        self.seen().requests.clone()
    }

    /// The requests of one kind.
    pub fn of_kind(&self, kind: RequestKind) -> Vec<ObservedRequest> {
        self.seen().requests.iter().filter(|request| request.kind == kind).cloned().collect()
    }

    /// How many requests of one kind were sent.
    pub fn count(&self, kind: RequestKind) -> u64 {
        count(self.seen().requests.iter().filter(|request| request.kind == kind))
    }

    /// How many requests of one kind were sent for exactly this URL.
    pub fn count_of(&self, kind: RequestKind, url: &str) -> u64 {
        count(self.seen().requests.iter().filter(|request| request.kind == kind && request.url == url))
    }

    /// How many requests of one kind for URLs that contain `part` waited for the request rate, those that still do too.
    pub fn waits(&self, kind: RequestKind, part: &str) -> u64 {
        count(self.seen().waits.iter().filter(|(of, url)| *of == kind && url.contains(part)))
    }

    /// How many requests were repetitions.
    pub fn repeated(&self) -> u64 {
        count(self.seen().requests.iter().filter(|request| request.attempt > 1))
    }

    /// Bytes of the bodies of all PUTs and parts.
    pub fn bytes_sent(&self) -> u64 {
        let is_sending = |request: &&ObservedRequest| matches!(request.kind, RequestKind::Put | RequestKind::Part);
        self.seen().requests.iter().filter(is_sending).map(|request| request.bytes).sum()
    }

    /// Bytes of the bodies that GETs brought.
    pub fn bytes_received(&self) -> u64 {
        self.seen().received
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.seen() = Seen::default();
    }
}

fn count<T>(requests: impl Iterator<Item = T>) -> u64 {
    requests.fold(0, |sum, _| sum + 1)
}

impl Observer for CountingObserver {
    fn request(&self, kind: RequestKind, url: &str, bytes: u64, attempt: u32) {
        self.seen().requests.push(ObservedRequest { kind, url: url.to_owned(), bytes, attempt });
    }

    fn waits(&self, kind: RequestKind, url: &str) {
        self.seen().waits.push((kind, url.to_owned()));
    }

    fn received(&self, _url: &str, bytes: u64) {
        let mut seen = self.seen();
        seen.received = seen.received.saturating_add(bytes);
    }
}
