//! Where a test works: a prefix of its own, in memory, in a directory or in a bucket.

use futures::TryStreamExt;
use rechunk_storage::{Access, Prefix, StoreConfig, StoreUrl, Stores, Unguarded};
use tempfile::TempDir;

use crate::{
    seaweedfs::SeaweedFs,
    servers::{Azurite, GcsDouble},
};

/// A prefix that nobody else uses, with the stores to look into it, unobserved.
#[derive(Debug)]
pub struct Place {
    root: String,
    config: StoreConfig,
    stores: Stores,
    directory: Option<TempDir>,
}

impl Place {
    /// In the memory of this process.
    pub fn in_memory() -> Self {
        Self::new(format!("memory://test-{}", uuid::Uuid::new_v4().simple()), StoreConfig::environment(), None)
    }

    /// In a new directory.
    pub fn on_disk() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = StoreUrl::parse(&directory.path().display().to_string()).expect("a path");
        Self::new(url.to_string(), StoreConfig::environment(), Some(directory))
    }

    /// In the bucket of an S3 server.
    pub fn on_s3(server: &SeaweedFs) -> Self {
        Self::new(server.url(&format!("test-{}", uuid::Uuid::new_v4().simple())), server.config(), None)
    }

    /// In the bucket of a double of GCS.
    pub fn on_gcs(server: &GcsDouble) -> Self {
        Self::new(server.url(&format!("test-{}", uuid::Uuid::new_v4().simple())), server.config(), None)
    }

    /// In the container of the emulator of Azure.
    pub fn on_azure(server: &Azurite) -> Self {
        Self::new(server.url(&format!("test-{}", uuid::Uuid::new_v4().simple())), server.config(), None)
    }

    /// Its directory, where it is one.
    pub fn directory(&self) -> std::path::PathBuf {
        self.directory.as_ref().expect("a place on disk").path().to_owned()
    }

    /// Below `root` in these stores.
    pub fn on(root: &str, stores: Stores) -> Self {
        Self { root: root.to_owned(), config: stores.config().clone(), stores, directory: None }
    }

    fn new(root: String, config: StoreConfig, directory: Option<TempDir>) -> Self {
        let stores = Stores::new(config.clone());
        Self { root, config, stores, directory }
    }

    /// The same place, whose stores are used with another configuration by [`Place::config`].
    #[must_use]
    pub fn with_config(mut self, change: impl FnOnce(StoreConfig) -> StoreConfig) -> Self {
        self.config = change(self.config);
        self
    }

    /// What a program needs to work here.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The stores that the test itself looks with.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    /// Opens `path` here.
    pub fn open(&self, path: &str) -> Prefix {
        let url = StoreUrl::parse(&self.url(path)).expect("a URL");
        self.stores.open(&url, Access::ReadWrite).expect("the test may write here")
    }

    /// The keys of all objects below `path`, sorted.
    pub async fn keys(&self, path: &str) -> Vec<String> {
        let listed = self.open(path).list("").map_ok(|object| object.key).try_collect::<Vec<_>>();
        let mut keys = listed.await.expect("a listing");
        keys.sort();
        keys
    }

    /// The keys of objects here that belong to none of the nodes `known`.
    pub async fn strays(&self, known: &[&str]) -> Vec<String> {
        let belongs = |key: &String| known.iter().any(|node| key == node || key.starts_with(&format!("{node}/")));
        self.keys("").await.into_iter().filter(|key| !belongs(key)).collect()
    }

    /// Reads an object.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.open("").get(key).await.expect("an answer").map(Vec::from)
    }

    /// Writes an object.
    pub async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.open("").put(key, bytes.into(), &Unguarded).await.expect("a write");
    }

    /// Deletes an object.
    pub async fn delete(&self, key: &str) {
        self.open("").delete(key, &Unguarded).await.expect("a deletion");
    }
}
