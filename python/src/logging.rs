//! What Rust logs, for `logging`: kept until a thread that has the interpreter asks for it, so that no thread of ours
//! ever waits for the interpreter to say something.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use pyo3::{PyResult, Python, exceptions::PyException, types::PyAnyMethods};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};

/// Events that wait at a time; of more, the oldest are dropped and counted.
const KEPT: usize = 10_000;

/// An event: its level in numbers of `logging`, its module, its text, its fields.
type Record = (u8, String, String, Vec<(String, String)>);

static WAITING: Mutex<(VecDeque<Record>, u64)> = Mutex::new((VecDeque::new(), 0));

/// What the logger `rechunk` lets through, in numbers of `logging`.
static LEVEL: AtomicU8 = AtomicU8::new(30);

/// Begins to keep events. Called once.
pub(crate) fn begin() {
    // A program around Python may have a subscriber of its own, which then hears us.
    let _theirs = tracing::subscriber::set_global_default(Registry::default().with(Keep));
}

/// Hands over what waits, and asks which levels are wanted from now on. Python runs meanwhile, so Ctrl-C may be raised.
pub(crate) fn deliver(py: Python<'_>) -> PyResult<()> {
    let (records, dropped) = {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut waiting.0), std::mem::take(&mut waiting.1))
    };
    match told(py, records, dropped) {
        Ok(level) => LEVEL.store(level, Ordering::Relaxed),
        // Nobody may fail because of a log.
        Err(error) if error.is_instance_of::<PyException>(py) => error.write_unraisable(py, None),
        Err(interrupt) => return Err(interrupt),
    }
    Ok(())
}

fn told(py: Python<'_>, records: VecDeque<Record>, dropped: u64) -> PyResult<u8> {
    let logs = py.import("rechunk._logs")?;
    if !records.is_empty() {
        logs.call_method1("deliver", (Vec::from(records), dropped))?;
    }
    logs.call_method0("level")?.extract()
}

/// Keeps our own events.
struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Which level is wanted changes.
        if is_ours(metadata) { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        is_ours(metadata) && number(*metadata.level()) >= LEVEL.load(Ordering::Relaxed)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let record = (number(*metadata.level()), metadata.target().to_owned(), text.message, text.fields);
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.0.len() >= KEPT {
            waiting.0.pop_front();
            waiting.1 = waiting.1.saturating_add(1);
        }
        waiting.0.push_back(record);
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("rechunk") || metadata.target().starts_with("_rechunk")
}

/// A level as `logging` counts.
fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// An event in words.
#[derive(Default)]
struct Text {
    message: String,
    fields: Vec<(String, String)>,
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            // Writing to a string does not fail.
            let _written = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name().to_owned(), format!("{value:?}")));
        }
    }
}
