//! Where spans go.

use std::sync::{Arc, OnceLock};

use rechunk_common::ids::JobId;

use crate::{place::TraceId, span::Span};

static SINK: OnceLock<Arc<dyn Sink>> = OnceLock::new();

/// Takes spans that have ended.
pub trait Sink: Send + Sync {
    /// Whether it wants the spans of this trace: of a trace every process wants all, or none.
    fn wants(&self, trace: TraceId) -> bool;

    /// Takes one. Must not block.
    fn take(&self, span: Span);
}

/// From here on every span of this process goes there. Once in a process; says whether it was the first time.
pub fn install(sink: Arc<dyn Sink>) -> bool {
    SINK.set(sink).is_ok()
}

/// Whether the spans of this job are wanted.
pub fn wants(job: &JobId) -> bool {
    SINK.get().is_some_and(|sink| sink.wants(TraceId::of(job)))
}

pub(crate) fn take(span: Span) {
    if let Some(sink) = SINK.get() {
        sink.take(span);
    }
}
