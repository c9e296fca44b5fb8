//! The stores of a program: clients, kept and shared, and everything that watches or disturbs their requests.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::{ObjectStore, local::LocalFileSystem, memory::InMemory, path::Path as ObjectPath};

use crate::{
    client,
    config::{Granted, StoreConfig},
    error::{ErrorClass, Operation, StorageError},
    faults::Faults,
    local_reads::LocalReads,
    observer::Observer,
    prefix::Prefix,
    profile::Access,
    url::{Scheme, StoreUrl},
};

/// The stores that a program may use. Clones are cheap and share clients and their connections.
#[derive(Clone)]
pub struct Stores {
    shared: Arc<Shared>,
    watch: Watch,
}

struct Shared {
    config: StoreConfig,
    clients: Mutex<BTreeMap<ClientKey, Arc<dyn ObjectStore>>>,
    local_reads: LocalReads,
}

/// One client per bucket and profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClientKey {
    scheme: Scheme,
    container: String,
    profile: Option<usize>,
}

/// Who is told of requests, and what disturbs them.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) faults: Option<Arc<Faults>>,
}

/// Every memory store of the process, by name: a coordinator and a worker in one process see the same objects.
static MEMORY: Mutex<BTreeMap<String, Arc<InMemory>>> = Mutex::new(BTreeMap::new());

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Stores {
    /// The stores that `config` allows; nothing is opened yet.
    pub fn new(config: StoreConfig) -> Self {
        let shared = Shared { config, clients: Mutex::default(), local_reads: LocalReads::default() };
        Self { shared: Arc::new(shared), watch: Watch::default() }
    }

    /// The same stores, with one more observer of every request of prefixes that are opened from here on.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.watch.observers.push(observer);
        self
    }

    /// The same stores, with faults on order; for tests.
    #[must_use]
    pub fn with_faults(mut self, faults: Arc<Faults>) -> Self {
        self.watch.faults = Some(faults);
        self
    }

    /// What these stores were made with.
    pub fn config(&self) -> &StoreConfig {
        &self.shared.config
    }

    /// Opens the place `url` for `access`. Sends nothing: that the place exists shows at the first request.
    pub fn open(&self, url: &StoreUrl, access: Access) -> Result<Prefix, StorageError> {
        let granted = self.shared.config.grant(url, access)?;
        let root = ObjectPath::parse(url.key())
            .map_err(|error| StorageError::new(ErrorClass::Invalid, Operation::Open, url, error.to_string()))?;
        let client = self.shared.client(url, &granted)?;
        let local_reads = self.shared.local_reads.clone();
        Ok(Prefix::new(url.clone(), access, root, client, local_reads, &self.shared.config, self.watch.clone()))
    }
}

impl Shared {
    fn client(&self, url: &StoreUrl, granted: &Granted) -> Result<Arc<dyn ObjectStore>, StorageError> {
        match url.scheme() {
            Scheme::Memory => Ok(memory_store(url.container())),
            Scheme::File => {
                self.kept(url, granted, || Ok(Arc::new(LocalFileSystem::new().with_fsync(self.config.is_synced))))
            }
            Scheme::S3 => self.kept(url, granted, || client::s3(url, &granted.s3, &self.config)),
        }
    }

    /// The client of a bucket and profile, built once.
    fn kept(
        &self,
        url: &StoreUrl,
        granted: &Granted,
        build: impl FnOnce() -> Result<Arc<dyn ObjectStore>, StorageError>,
    ) -> Result<Arc<dyn ObjectStore>, StorageError> {
        let key = ClientKey { scheme: url.scheme(), container: url.container().to_owned(), profile: granted.profile };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(Arc::clone(client));
        }
        let client = build()?;
        clients.insert(key, Arc::clone(&client));
        Ok(client)
    }
}

fn memory_store(name: &str) -> Arc<InMemory> {
    let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(stores.entry(name.to_owned()).or_default())
}
