//! The traces of rechunk's programs: one trace for each job, with a span for its plan, its stages, and their leases, tasks
//! and requests.
//!
//! The ids of a trace and of its spans follow from the names of what they are of ([`Place`]): a worker that is told of a
//! stage knows whose child its lease is, and a coordinator that was started again goes on with the same trace, without
//! anything having been handed over or written down.
//!
//! Spans go to the [`Sink`] that the program has installed; where there is none they cost a look at that. Knows nothing of
//! how they are sent.

mod place;
mod sink;
mod span;
mod trace_parent;

pub use place::{Place, SpanId, TraceId};
pub use sink::{Sink, install, wants};
pub use span::{Kind, OpenSpan, Span, Value};
pub use trace_parent::{BadTraceParent, TraceParent};
