//! What a task asks of the stores, counted while it runs. Logical requests are counted where they are decided;
//! repetitions and bytes on the wire are observed at the stores' door.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rechunk_common::Counts;
use rechunk_storage::{Observer, RequestKind};

use crate::progress::Progress;

/// The counts of one attempt of a task.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<Counts>,
    progress: Progress,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing yet, of a task whose movement is counted there.
    pub(crate) fn moving(progress: Progress) -> Self {
        Self { progress, ..Self::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what `change` adds.
    pub fn add(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts());
    }

    /// So far.
    pub fn total(&self) -> Counts {
        *self.counts()
    }
}

impl Observer for Tally {
    fn request(&self, kind: RequestKind, _url: &str, bytes: u64, attempt: u32) {
        self.progress.note();
        let mut counts = self.counts();
        if attempt > 1 {
            counts.repeated_requests = counts.repeated_requests.saturating_add(1);
        }
        if matches!(kind, RequestKind::Put | RequestKind::Part) {
            counts.wire_bytes_written = counts.wire_bytes_written.saturating_add(bytes);
        }
        if kind == RequestKind::Part && attempt == 1 {
            counts.upload_parts = counts.upload_parts.saturating_add(1);
        }
    }

    fn waited(&self, _kind: RequestKind, _url: &str, time: Duration) {
        self.progress.note();
        let mut counts = self.counts();
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        counts.rate_wait_us = counts.rate_wait_us.saturating_add(time);
    }

    fn received(&self, _url: &str, bytes: u64) {
        self.progress.note();
        let mut counts = self.counts();
        counts.wire_bytes_read = counts.wire_bytes_read.saturating_add(bytes);
    }
}
