//! A span for every request of a task.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use rechunk_common::ids::{LeaseId, StageAddress, TaskIndex};
use rechunk_storage::{ErrorClass, Observer, RequestKind};
use rechunk_traces::{Kind, OpenSpan, Place};

/// The requests of one attempt of one task.
#[derive(Debug)]
pub(crate) struct RequestSpans {
    stage: StageAddress,
    lease: LeaseId,
    task: TaskIndex,
    seen: AtomicU64,
}

impl RequestSpans {
    pub(crate) fn of(stage: StageAddress, lease: LeaseId, task: TaskIndex) -> Self {
        Self { stage, lease, task, seen: AtomicU64::new(0) }
    }
}

impl Observer for RequestSpans {
    fn request(&self, _kind: RequestKind, _url: &str, _bytes: u64, _attempt: u32) {}

    fn answered(&self, kind: RequestKind, url: &str, time: Duration, failure: Option<ErrorClass>) {
        let number = self.seen.fetch_add(1, Ordering::Relaxed);
        let begun = || SystemTime::now().checked_sub(time).unwrap_or(SystemTime::UNIX_EPOCH);
        let place = || Place::Request(self.stage.clone(), self.lease, self.task, number);
        let span = OpenSpan::begun_at(&self.stage.job, kind.as_str(), begun, place);
        if let Some(span) = span {
            let failure = failure.map(|class| format!("{class:?}"));
            span.of_kind(Kind::Client).with("url.full", url).end_after(time, failure);
        }
    }
}
