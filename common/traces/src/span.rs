//! One span, open and ended.

use std::time::{Duration, SystemTime};

use rechunk_common::ids::JobId;

use crate::{
    place::{Place, SpanId, TraceId},
    sink,
    trace_parent::TraceParent,
};

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

/// As OpenTelemetry tells spans apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work within a process.
    Internal,
    /// A call that somebody made.
    Server,
    /// A call that is made to somebody.
    Client,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Whose trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// Its parent's id.
    pub parent: Option<SpanId>,
    /// Its name.
    pub name: String,
    /// What kind of work it is.
    pub kind: Kind,
    /// When it began.
    pub begun: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// A span of another trace that it came of.
    pub link: Option<TraceParent>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// A span that has begun. One that is dropped instead of ended was never there.
#[derive(Debug)]
pub struct OpenSpan(Span);

impl OpenSpan {
    /// Begins the span of `place` now; `None` where nobody wants spans of that job. `job` is asked for first, so that
    /// nothing is made in vain.
    pub fn begin(job: &JobId, name: &str, place: impl FnOnce() -> Place) -> Option<Self> {
        Self::begun_at(job, name, SystemTime::now, place)
    }

    /// The same for what began earlier.
    pub fn begun_at(
        job: &JobId,
        name: &str,
        begun: impl FnOnce() -> SystemTime,
        place: impl FnOnce() -> Place,
    ) -> Option<Self> {
        if !sink::wants(job) {
            return None;
        }
        let (place, begun) = (place(), begun());
        let span = Span {
            trace: place.trace(),
            id: place.span(),
            parent: place.parent().map(|parent| parent.span()),
            name: name.to_owned(),
            kind: Kind::Internal,
            begun,
            ended: begun,
            attributes: vec![("rechunk.job", Value::from(job.as_str()))],
            link: None,
            failure: None,
        };
        Some(Self(span))
    }

    /// Says what kind of work it is.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Says more of it.
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<Value>) -> Self {
        self.0.attributes.push((attribute, value.into()));
        self
    }

    /// Says what it came of, in another trace.
    #[must_use]
    pub fn linked_to(mut self, link: Option<TraceParent>) -> Self {
        self.0.link = link;
        self
    }

    /// It is over; `failure`: why it came to nothing.
    pub fn end(mut self, failure: Option<String>) {
        self.0.ended = SystemTime::now().max(self.0.begun);
        self.0.failure = failure;
        sink::take(self.0);
    }

    /// It was over after `time`.
    pub fn end_after(mut self, time: Duration, failure: Option<String>) {
        self.0.ended = self.0.begun.checked_add(time).unwrap_or(self.0.begun);
        self.0.failure = failure;
        sink::take(self.0);
    }
}
