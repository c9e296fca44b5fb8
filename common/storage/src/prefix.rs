//! A place in a store, and how every request to it is sent: observed, bounded in time, retried, guarded.
//!
//! The operations themselves are in `read`, `write` and `listing`.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use object_store::{ObjectStore, multipart::MultipartStore, path::Path as ObjectPath};
use tokio::time::Instant;

use crate::{
    config::{Chance, StoreConfig},
    deadline,
    error::{ErrorClass, Fault, Hint, Operation, StorageError},
    faults::Verdict,
    guard::WriteGuard,
    kerchunk::ReferenceStore,
    local_reads::LocalReads,
    local_unfinished::is_unfinished,
    observer::{Observer, RequestKind},
    profile::Access,
    retry::RetryPolicy,
    stores::{Watch, Way},
    traffic::{RequestRates, Ticket, Traffic, Turnstile},
    upload::UploadSizes,
    url::{Scheme, StoreUrl, checked_segment},
};

/// A place in a store: objects are named by keys relative to it. Clones are cheap.
#[derive(Clone)]
pub struct Prefix {
    pub(crate) place: Arc<Place>,
    watch: Watch,
}

pub(crate) struct Place {
    pub(crate) url: StoreUrl,
    pub(crate) root: ObjectPath,
    pub(crate) client: Arc<dyn ObjectStore>,
    /// `None`: every object is written at once.
    pub(crate) uploads: Option<Arc<dyn MultipartStore>>,
    pub(crate) upload_sizes: UploadSizes,
    /// Whether a local file is on the disk before its write is answered.
    pub(crate) is_synced: bool,
    /// `None`: without limits.
    pub(crate) traffic: Option<Arc<Traffic>>,
    /// What the client is, where it is an index of references.
    pub(crate) references: Option<ReferenceStore>,
    rates: Arc<RequestRates>,
    /// Reads local files.
    pub(crate) local_reads: LocalReads,
    access: Access,
    retry: RetryPolicy,
    chance: Chance,
    pub(crate) request_timeout: Duration,
    pub(crate) put_timeout: Duration,
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({}, {:?})", self.place.url, self.place.access)
    }
}

/// One request: what is sent, for what, of how many bytes.
pub(crate) struct Request<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) operation: Operation,
    /// The objects that are counted and named in errors: one, or the keys of a bulk deletion.
    pub(crate) urls: &'a [String],
    pub(crate) bytes: u64,
    /// `Some` for writes.
    pub(crate) guard: Option<&'a dyn WriteGuard>,
    /// The number of the first attempt: 2 where an earlier request has failed already.
    pub(crate) first_attempt: u32,
}

/// Whose limits a request keeps to: those of the place, or of what the index of references there refers to.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) traffic: Option<Arc<Traffic>>,
    /// Only in an index.
    pub(crate) referred: Option<StoreUrl>,
}

impl Prefix {
    pub(crate) fn new(
        url: StoreUrl,
        access: Access,
        root: ObjectPath,
        Way { client, references, local_reads, rates }: Way,
        config: &StoreConfig,
        watch: Watch,
    ) -> Self {
        let place = Place {
            url,
            root,
            client: client.store,
            uploads: client.uploads,
            upload_sizes: config.upload_sizes,
            is_synced: config.is_synced,
            traffic: client.traffic,
            references,
            rates,
            local_reads,
            access,
            retry: config.retry,
            chance: Arc::clone(&config.chance),
            request_timeout: config.request_timeout,
            put_timeout: config.put_timeout,
        };
        Self { place: Arc::new(place), watch }
    }

    /// Where it is.
    pub fn url(&self) -> &StoreUrl {
        &self.place.url
    }

    /// From which size on objects are written here in parts.
    pub fn upload_sizes(&self) -> UploadSizes {
        self.place.upload_sizes
    }

    /// What it was opened for.
    pub fn access(&self) -> Access {
        self.place.access
    }

    /// The same place, with one more observer: a task counts its own requests so.
    #[must_use]
    pub fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        let mut watched = self.clone();
        watched.watch.observers.push(observer);
        watched
    }

    /// The URL of the object `key`, as observers and errors name it.
    pub(crate) fn url_of(&self, key: &str) -> String {
        if key.is_empty() { self.place.url.to_string() } else { format!("{}/{key}", self.root_text()) }
    }

    fn root_text(&self) -> String {
        let text = self.place.url.to_string();
        text.strip_suffix('/').map_or(text.clone(), str::to_owned)
    }

    /// The object store's path of `key`; keys that no object can have here are refused.
    pub(crate) fn path_of(&self, key: &str, operation: Operation) -> Result<ObjectPath, StorageError> {
        let invalid = |reason: &str| StorageError::new(ErrorClass::Invalid, operation, self.url_of(key), reason);
        if key.is_empty() {
            return Err(invalid("the key is empty"));
        }
        for part in key.split('/') {
            if part.is_empty() || part == "." {
                return Err(invalid("a key has no empty or `.` segments"));
            }
            checked_segment(part).map_err(invalid)?;
        }
        if self.place.url.scheme() == Scheme::File && is_unfinished(key.rsplit('/').next().unwrap_or(key)) {
            return Err(invalid("local file names that end in # and digits are taken for unfinished writes"));
        }
        self.directory_of(key, operation)
    }

    /// The path of `key`, or of the prefix itself where `key` is empty.
    pub(crate) fn directory_of(&self, key: &str, operation: Operation) -> Result<ObjectPath, StorageError> {
        let root = self.place.root.as_ref();
        let key = key.trim_end_matches('/');
        let path = match (root.is_empty(), key.is_empty()) {
            (_, true) => return Ok(self.place.root.clone()),
            (true, false) => ObjectPath::parse(key),
            (false, false) => ObjectPath::parse(format!("{root}/{key}")),
        };
        path.map_err(|error| StorageError::new(ErrorClass::Invalid, operation, self.url_of(key), error.to_string()))
    }

    /// Refuses writes where the prefix was opened for reading.
    pub(crate) fn check_writable(&self, key: &str, operation: Operation) -> Result<(), StorageError> {
        match self.place.access {
            Access::ReadWrite => Ok(()),
            Access::Read => Err(StorageError::new(
                ErrorClass::Denied,
                operation,
                self.url_of(key),
                "the place was opened for reading only",
            )),
        }
    }

    pub(crate) fn received(&self, url: &str, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.watch.observers.iter().for_each(|observer| observer.received(url, bytes));
    }

    /// Sends a request, again and again while it fails in passing and the budget lasts.
    pub(crate) async fn send<T, F, A>(&self, request: &Request<'_>, attempt_once: F) -> Result<T, StorageError>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, Fault>> + Send,
        T: Send,
    {
        let started = Instant::now();
        // Not the store's fault, so not a part of the time that a request has.
        let mut waited = Duration::ZERO;
        let mut attempt = request.first_attempt;
        let limits = self.limits(request).await?;
        let traffic = limits.traffic.as_deref();
        if let Some(traffic) = traffic {
            traffic.note_request();
        }
        loop {
            waited = waited.saturating_add(self.keep_rate(request, &limits).await);
            let fault = match self.attempt(request, attempt, &limits, &attempt_once).await {
                Ok(answer) => {
                    if let Some(traffic) = traffic.filter(|_| attempt > request.first_attempt) {
                        traffic.give_back_retry();
                    }
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            let spent = || started.elapsed().saturating_sub(waited);
            let delay = match fault.class {
                ErrorClass::TryAgain => {
                    let delay = self.place.retry.delay_after(attempt, spent(), (self.place.chance)());
                    delay.and_then(|delay| self.place.retry.with_pause(delay, asked_pause(&fault), spent()))
                }
                ErrorClass::Denied
                | ErrorClass::Missing
                | ErrorClass::Full
                | ErrorClass::Unsupported
                | ErrorClass::LeaseLost
                | ErrorClass::Corrupt
                | ErrorClass::Invalid
                | ErrorClass::BadIndex
                | ErrorClass::Other => None,
            };
            let url = request.urls.first().cloned().unwrap_or_else(|| self.place.url.to_string());
            let Some(delay) = delay else {
                return Err(fault.of(request.operation, url));
            };
            tracing::debug!(%url, attempt, ?delay, message = %fault.message, "a request is sent again");
            tokio::time::sleep(delay).await;
            // From the store's budget, as long as the request's own lasts.
            if let Some(traffic) = traffic
                && !traffic.take_retry(self.place.retry.max_elapsed.saturating_sub(spent())).await
            {
                return Err(fault.of(request.operation, url));
            }
            attempt += 1;
        }
    }

    /// The limits of a request. In an index of references that is read which says so.
    pub(crate) async fn limits(&self, request: &Request<'_>) -> Result<Limits, StorageError> {
        let Some(references) = &self.place.references else {
            return Ok(Limits { traffic: self.place.traffic.clone(), referred: None });
        };
        let url = request.urls.first().filter(|_| request.kind != RequestKind::List);
        let Some(url) = url else { return Ok(Limits::default()) };
        let asked = references.asked(url).await?;
        Ok(asked
            .map_or_else(Limits::default, |asked| Limits { traffic: asked.client.traffic, referred: Some(asked.url) }))
    }

    /// What holds for the rate of such a request.
    pub(crate) fn turnstile(&self, kind: RequestKind, limits: &Limits) -> Option<Arc<Turnstile>> {
        let place = match &self.place.references {
            Some(_) => limits.referred.as_ref()?,
            None => &self.place.url,
        };
        self.place.rates.turnstile(kind, place)
    }

    /// Waits until one more attempt is within the request rate that holds here; returns for how long.
    pub(crate) async fn keep_rate(&self, request: &Request<'_>, limits: &Limits) -> Duration {
        let Some(turnstile) = self.turnstile(request.kind, limits) else { return Duration::ZERO };
        // Stores count the keys of a bulk deletion one by one.
        let requests = u64::try_from(request.urls.len()).unwrap_or(u64::MAX);
        if request.kind == RequestKind::Upload && request.guard.is_none() {
            // An upload is aborted: whoever ended the lease waits for that.
            turnstile.charge(requests);
            return Duration::ZERO;
        }
        if turnstile.try_pass(requests) {
            return Duration::ZERO;
        }
        let url = request.urls.first().map_or("", String::as_str);
        let asked = Instant::now();
        self.watch.observers.iter().for_each(|observer| observer.waits(request.kind, url));
        turnstile.pass(requests).await;
        let waited = asked.elapsed();
        self.watch.observers.iter().for_each(|observer| observer.waited(request.kind, url, waited));
        waited
    }

    /// Sends a request when its turn has come.
    async fn attempt<T, F, A>(
        &self,
        request: &Request<'_>,
        attempt: u32,
        limits: &Limits,
        attempt_once: &F,
    ) -> Result<T, Fault>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, Fault>> + Send,
        T: Send,
    {
        let Some(traffic) = limits.traffic.as_deref() else {
            return self.attempt_now(request, attempt, attempt_once()).await;
        };
        let ticket = traffic.admit(request.kind).await;
        let first = self.attempt_now(request, attempt, attempt_once());
        let answer = match traffic.hedge_after(request.kind, request.bytes) {
            Some(patience) => self.hedged(request, attempt, (traffic, limits), (first, patience), attempt_once).await,
            None => first.await,
        };
        ticket.note(request.kind, request.bytes, &answer);
        answer
    }

    /// Waits for the answer to a read with `patience`, then sends it once more: the first answer counts.
    async fn hedged<T, F, A>(
        &self,
        request: &Request<'_>,
        attempt: u32,
        (traffic, limits): (&Traffic, &Limits),
        (first, patience): (impl Future<Output = Result<T, Fault>> + Send, Duration),
        attempt_once: &F,
    ) -> Result<T, Fault>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, Fault>> + Send,
        T: Send,
    {
        let mut first = std::pin::pin!(first);
        tokio::select! {
            biased;
            answer = &mut first => return answer,
            () = tokio::time::sleep(patience) => {}
        }
        let Some(_ticket) = self.try_hedge(request, traffic, limits) else {
            return first.await;
        };
        tracing::debug!(url = ?request.urls.first(), ?patience, "a read takes long and is sent a second time");
        let mut second = std::pin::pin!(self.attempt_now(request, attempt.saturating_add(1), attempt_once()));
        tokio::select! {
            biased;
            answer = &mut first => match answer {
                Ok(answer) => Ok(answer),
                Err(fault) => second.await.map_err(|_also| fault),
            },
            answer = &mut second => match answer {
                Ok(answer) => Ok(answer),
                Err(_fault) => first.await,
            },
        }
    }

    /// Lets a second request through where neither its store nor its request rate make it wait.
    fn try_hedge(&self, request: &Request<'_>, traffic: &Traffic, limits: &Limits) -> Option<Ticket> {
        let ticket = traffic.try_hedge(request.kind)?;
        let turnstile = self.turnstile(request.kind, limits);
        turnstile.is_none_or(|turnstile| turnstile.try_pass(1)).then_some(ticket)
    }

    async fn attempt_now<T>(
        &self,
        request: &Request<'_>,
        attempt: u32,
        answer: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let verdict = match (&self.watch.faults, request.urls.first()) {
            (Some(faults), Some(url)) => faults.decide(request.kind, url).await,
            _ => Verdict::Send,
        };
        if let Some(guard) = request.guard {
            guard.check().map_err(|lost| Fault::new(ErrorClass::LeaseLost, lost.to_string()))?;
        }
        for url in request.urls {
            self.watch.observers.iter().for_each(|to| to.request(request.kind, url, request.bytes, attempt));
        }
        let limit = match request.kind {
            RequestKind::Put | RequestKind::Part | RequestKind::Upload | RequestKind::Delete => self.place.put_timeout,
            RequestKind::Get | RequestKind::Head | RequestKind::List => {
                deadline::of_read(self.place.request_timeout, request.bytes)
            }
        };
        let lost = match verdict {
            Verdict::Send => false,
            Verdict::LoseAnswer => true,
            Verdict::Fail(fault) => {
                self.answered(request, Duration::ZERO, Some(fault.class));
                return Err(fault);
            }
        };
        let sent = Instant::now();
        let answer = tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| Err(Fault::new(ErrorClass::TryAgain, format!("no answer within {limit:?}"))));
        let answer = if lost {
            Err(Fault::new(ErrorClass::TryAgain, "the answer was lost, a fault of the test"))
        } else {
            answer
        };
        self.answered(request, sent.elapsed(), answer.as_ref().err().map(|fault| fault.class));
        answer
    }

    /// One answer, also to a message that speaks of many keys.
    fn answered(&self, request: &Request<'_>, time: Duration, failure: Option<ErrorClass>) {
        let url = request.urls.first().map_or("", String::as_str);
        self.watch.observers.iter().for_each(|to| to.answered(request.kind, url, time, failure));
    }
}

/// How long the store asks to wait.
fn asked_pause(fault: &Fault) -> Duration {
    match fault.hint {
        Hint::Throttled { retry_after } => retry_after.unwrap_or_default(),
        Hint::None | Hint::UploadGone => Duration::ZERO,
    }
}
