//! The stores of a program: clients, kept and shared, and everything that watches or disturbs their requests.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::{
    ObjectStore, local::LocalFileSystem, memory::InMemory, multipart::MultipartStore, path::Path as ObjectPath,
};
use rechunk_common::request_rate::StoreRates;

use crate::{
    azure_client, client,
    config::{Granted, StoreConfig},
    error::{ErrorClass, Operation, StorageError},
    faults::Faults,
    gcs_client, http_client,
    kerchunk::{Indexes, ReferenceStore},
    local_reads::LocalReads,
    observer::Observer,
    prefix::Prefix,
    profile::{Access, StoreSettings},
    traffic::{MOST_REQUESTS, RequestRates, Traffic},
    url::{Scheme, StoreUrl},
};

/// The stores that a program may use. Clones are cheap and share clients and their connections.
#[derive(Clone)]
pub struct Stores {
    shared: Arc<Shared>,
    watch: Watch,
}

pub(crate) struct Shared {
    pub(crate) config: StoreConfig,
    /// Where `memory:` URLs lead, if not to the stores of the process.
    memory: Option<Arc<dyn ObjectStore>>,
    clients: Mutex<BTreeMap<ClientKey, Client>>,
    pub(crate) local_reads: LocalReads,
    pub(crate) rates: Arc<RequestRates>,
    /// The indexes of references that were read.
    pub(crate) indexes: Indexes,
}

/// What the requests to a place go through.
pub(crate) struct Way {
    pub(crate) client: Client,
    /// What the client is, where it is an index of references.
    pub(crate) references: Option<ReferenceStore>,
    pub(crate) local_reads: LocalReads,
    pub(crate) rates: Arc<RequestRates>,
}

/// A client and the traffic through it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The same store, for objects in parts; `None`: it takes an object of any size at once.
    pub(crate) uploads: Option<Arc<dyn MultipartStore>>,
    /// `None`: the store is as near as the memory or the disk, and is asked without limits.
    pub(crate) traffic: Option<Arc<Traffic>>,
}

impl Client {
    /// A client of a store that takes objects in parts.
    fn in_parts<S: ObjectStore + MultipartStore>(store: Arc<S>, traffic: Option<Arc<Traffic>>) -> Self {
        Self { store: Arc::clone(&store) as _, uploads: Some(store), traffic }
    }
}

/// One client per bucket and settings, whichever profiles have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ClientKey {
    scheme: Scheme,
    container: String,
    settings: StoreSettings,
    concurrent: Option<NonZeroU32>,
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
        Self::of(config, None)
    }

    /// The same, but every `memory:` URL leads to `memory`, whatever its name, instead of to a store that the whole process
    /// shares: a simulation brings stores that are slow and fail.
    pub fn on_memory(config: StoreConfig, memory: Arc<dyn ObjectStore>) -> Self {
        Self::of(config, Some(memory))
    }

    fn of(config: StoreConfig, memory: Option<Arc<dyn ObjectStore>>) -> Self {
        let rates = Arc::new(RequestRates::new(config.request_rates()));
        let shared = Shared {
            config,
            memory,
            clients: Mutex::default(),
            local_reads: LocalReads::default(),
            rates,
            indexes: Indexes::default(),
        };
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

    /// Requests keep to these shares from now on, those of prefixes that are open too, and to the rates of the
    /// configuration; what neither covers is free. Earlier shares end.
    pub fn set_request_shares(&self, shares: &[StoreRates]) {
        self.shared.rates.set_shares(shares);
    }

    /// The request rates that hold now.
    pub fn request_rates(&self) -> Vec<StoreRates> {
        self.shared.rates.all()
    }

    /// Opens the place `url` for `access`. Sends nothing: that the place exists shows at the first request.
    pub fn open(&self, url: &StoreUrl, access: Access) -> Result<Prefix, StorageError> {
        // An index of references is read as what lies beside it.
        let granted = self.shared.config.grant(url.index().unwrap_or(url), access)?;
        if let (Some(message), Access::ReadWrite) = (url.scheme().read_only(), access) {
            return Err(StorageError::new(ErrorClass::Unsupported, Operation::Open, url, message));
        }
        match url.index() {
            Some(index) => self.open_references(url, index, &granted),
            None => self.prefix(url, access, self.shared.client(url, &granted)?, None),
        }
    }

    /// Opens a place in the index at `index`.
    fn open_references(&self, url: &StoreUrl, index: &StoreUrl, granted: &Granted) -> Result<Prefix, StorageError> {
        let Some((parent, name)) = ReferenceStore::document_of(index) else {
            let message = "its index has no name";
            return Err(StorageError::new(ErrorClass::Invalid, Operation::Open, url, message));
        };
        let directory = self.prefix(&parent, Access::Read, self.shared.client(index, granted)?, None)?;
        let references = ReferenceStore::new(index.clone(), directory, name, Arc::clone(&self.shared));
        // The traffic is that of the stores behind it.
        let client = Client { store: Arc::new(references.clone()), uploads: None, traffic: None };
        self.prefix(url, Access::Read, client, Some(references))
    }

    fn prefix(
        &self,
        url: &StoreUrl,
        access: Access,
        client: Client,
        references: Option<ReferenceStore>,
    ) -> Result<Prefix, StorageError> {
        let root = ObjectPath::parse(url.key())
            .map_err(|error| StorageError::new(ErrorClass::Invalid, Operation::Open, url, error.to_string()))?;
        let local_reads = self.shared.local_reads.clone();
        let way = Way { client, references, local_reads, rates: Arc::clone(&self.shared.rates) };
        Ok(Prefix::new(url.clone(), access, root, way, &self.shared.config, self.watch.clone()))
    }
}

impl Shared {
    /// The client of a bucket with its settings, built once.
    pub(crate) fn client(&self, url: &StoreUrl, granted: &Granted) -> Result<Client, StorageError> {
        let key = ClientKey {
            scheme: url.scheme(),
            container: url.container().to_owned(),
            settings: granted.settings.clone(),
            concurrent: granted.limits.concurrent,
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let traffic = self.traffic(url.scheme(), granted);
        let client = match url.scheme() {
            Scheme::Memory => match &self.memory {
                Some(memory) => Client { store: Arc::clone(memory), uploads: None, traffic },
                None => Client::in_parts(memory_store(url.container()), traffic),
            },
            Scheme::File => Client { store: Arc::new(self.local_files()), uploads: None, traffic },
            Scheme::S3 => Client::in_parts(client::s3(url, &granted.settings, &self.config)?, traffic),
            Scheme::Gcs => Client::in_parts(gcs_client::gcs(url, &granted.settings, &self.config)?, traffic),
            Scheme::Azure => Client::in_parts(azure_client::azure(url, &granted.settings, &self.config)?, traffic),
            Scheme::Http | Scheme::Https => Client { store: http_client::web(url)?, uploads: None, traffic },
            // Each prefix has its own.
            Scheme::Kerchunk => {
                let message = "an index lies in a store, not in another index";
                return Err(StorageError::new(ErrorClass::Invalid, Operation::Open, url, message));
            }
        };
        clients.insert(key, client.clone());
        Ok(client)
    }

    fn local_files(&self) -> LocalFileSystem {
        LocalFileSystem::new().with_fsync(self.config.is_synced)
    }

    /// The traffic to a store that is opened for the first time.
    fn traffic(&self, scheme: Scheme, granted: &Granted) -> Option<Arc<Traffic>> {
        let is_far = match scheme {
            Scheme::S3 | Scheme::Gcs | Scheme::Azure | Scheme::Http | Scheme::Https => true,
            Scheme::Memory | Scheme::File => self.config.is_traffic_everywhere,
            Scheme::Kerchunk => false,
        };
        let most = granted.limits.concurrent.map_or(MOST_REQUESTS, NonZeroU32::get);
        is_far.then(|| Arc::new(Traffic::new(most)))
    }
}

fn memory_store(name: &str) -> Arc<InMemory> {
    let mut stores = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(stores.entry(name.to_owned()).or_default())
}
