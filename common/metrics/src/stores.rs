//! Counts the requests to each store. A store is a `[[stores]]` table of the configuration, so that there are few
//! however many places jobs name.

use std::{sync::OnceLock, time::Duration};

use ::metrics::{Counter, Histogram};
use rechunk_storage::{ErrorClass, Observer, RequestKind, StoreConfig};

use crate::names::{STORE_BYTES, STORE_FAILURES, STORE_REPEATED, STORE_REQUESTS, STORE_SECONDS, STORE_WAIT_SECONDS};

/// The store of a URL that no table covers.
const OTHER: &str = "other";

const KINDS: usize = 7;

/// Every class of a request's failure.
const CLASSES: [ErrorClass; 10] = [
    ErrorClass::TryAgain,
    ErrorClass::Denied,
    ErrorClass::Missing,
    ErrorClass::Full,
    ErrorClass::Unsupported,
    ErrorClass::LeaseLost,
    ErrorClass::Corrupt,
    ErrorClass::Invalid,
    ErrorClass::BadIndex,
    ErrorClass::Other,
];

/// Tells the metrics of every request; make it when a recorder is installed.
#[derive(Debug)]
pub struct StoreMetrics {
    /// The longest prefix first; the last covers everything.
    stores: Vec<Store>,
}

#[derive(Debug)]
struct Store {
    prefix: String,
    label: String,
    /// By kind, made when the first request of it is sent.
    kinds: [OnceLock<OfKind>; KINDS],
    waits: OnceLock<Histogram>,
}

#[derive(Debug)]
struct OfKind {
    requests: Counter,
    repeated: Counter,
    bytes: Counter,
    seconds: Histogram,
}

impl StoreMetrics {
    /// For the stores of `config`.
    pub fn new(config: &StoreConfig) -> Self {
        let mut prefixes: Vec<String> = config.profiles().iter().map(|profile| profile.prefix.to_string()).collect();
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        let named = prefixes.into_iter().map(|prefix| Store::new(prefix.clone(), prefix));
        Self { stores: named.chain([Store::new(String::new(), OTHER.to_owned())]).collect() }
    }

    fn store(&self, url: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.covers(url))
    }

    fn of_kind(&self, kind: RequestKind, url: &str) -> Option<&OfKind> {
        self.store(url).and_then(|store| store.of_kind(kind))
    }
}

impl Store {
    fn new(prefix: String, label: String) -> Self {
        for class in CLASSES {
            STORE_FAILURES.counter(&[&label, class_label(class)]).absolute(0);
        }
        Self { prefix, label, kinds: Default::default(), waits: OnceLock::new() }
    }

    /// By whole segments; the empty prefix covers everything.
    fn covers(&self, url: &str) -> bool {
        let is_segment = |rest: &str| rest.is_empty() || rest.starts_with('/') || self.prefix.ends_with('/');
        self.prefix.is_empty() || url.strip_prefix(self.prefix.as_str()).is_some_and(is_segment)
    }

    fn of_kind(&self, kind: RequestKind) -> Option<&OfKind> {
        let label = kind.as_str();
        let made = self.kinds.get(kind as usize)?;
        Some(made.get_or_init(|| OfKind {
            requests: STORE_REQUESTS.counter(&[&self.label, label]),
            repeated: STORE_REPEATED.counter(&[&self.label, label]),
            bytes: STORE_BYTES.counter(&[&self.label, label]),
            seconds: STORE_SECONDS.histogram(&[&self.label, label]),
        }))
    }
}

fn class_label(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::TryAgain => "try_again",
        ErrorClass::Denied => "denied",
        ErrorClass::Missing => "missing",
        ErrorClass::Full => "full",
        ErrorClass::Unsupported => "unsupported",
        ErrorClass::LeaseLost => "lease_lost",
        ErrorClass::Corrupt => "corrupt",
        ErrorClass::Invalid => "invalid",
        ErrorClass::BadIndex => "bad_index",
        ErrorClass::Other => "other",
    }
}

impl Observer for StoreMetrics {
    fn request(&self, kind: RequestKind, url: &str, bytes: u64, attempt: u32) {
        let Some(counts) = self.of_kind(kind, url) else { return };
        counts.requests.increment(1);
        if attempt > 1 {
            counts.repeated.increment(1);
        }
        if matches!(kind, RequestKind::Put | RequestKind::Part) {
            counts.bytes.increment(bytes);
        }
    }

    fn answered(&self, kind: RequestKind, url: &str, time: Duration, failure: Option<ErrorClass>) {
        let Some(store) = self.store(url) else { return };
        if let Some(counts) = store.of_kind(kind) {
            counts.seconds.record(time);
        }
        if let Some(class) = failure {
            STORE_FAILURES.counter(&[&store.label, class_label(class)]).increment(1);
        }
    }

    fn waited(&self, _kind: RequestKind, url: &str, time: Duration) {
        if let Some(store) = self.store(url) {
            store.waits.get_or_init(|| STORE_WAIT_SECONDS.histogram(&[&store.label])).record(time);
        }
    }

    fn received(&self, url: &str, bytes: u64) {
        if let Some(counts) = self.of_kind(RequestKind::Get, url) {
            counts.bytes.increment(bytes);
        }
    }
}
