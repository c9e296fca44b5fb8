//! The raw requests with object_store alone: every GET, then every PUT, a fixed number in flight.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::{
    ObjectStoreExt,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use tokio::runtime::{Builder, Runtime};

use super::{arguments::Arguments, objects::Held};

/// Both places in one bucket, and the threads that send.
pub(super) struct Legs {
    runtime: Runtime,
    store: AmazonS3,
    source: Path,
    target: Path,
    in_flight: usize,
}

impl Legs {
    /// Credentials, region and endpoint come from the environment.
    pub(super) fn new(arguments: &Arguments) -> Result<Self, String> {
        let (bucket, source) = place(&arguments.source)?;
        let (other, target) = place(&arguments.target)?;
        if bucket != other {
            return Err(format!("{bucket} and {other} are two buckets; the floor takes one"));
        }
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_allow_http(true)
            .build()
            .map_err(|error| error.to_string())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(arguments.threads)
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start threads: {error}"))?;
        Ok(Self { runtime, store, source, target, in_flight: arguments.requests })
    }

    /// One object of the source.
    pub(super) fn get(&self, key: &str) -> Result<Option<Bytes>, String> {
        self.runtime.block_on(get(&self.store, &self.source, key))
    }

    /// All of these objects that are there.
    pub(super) fn get_all(&self, keys: &[String]) -> Result<Held, String> {
        let requests = stream::iter(keys).map(|key| async move {
            let body = get(&self.store, &self.source, key).await?;
            Ok::<_, String>(body.map(|body| (key.clone(), body)))
        });
        let bodies = requests.buffer_unordered(self.in_flight).try_filter_map(|body| async { Ok(body) });
        self.runtime.block_on(bodies.try_collect())
    }

    /// Writes objects of the target.
    pub(super) fn put_all(&self, objects: Held) -> Result<(), String> {
        let requests = stream::iter(objects).map(Ok::<_, String>);
        self.runtime.block_on(requests.try_for_each_concurrent(self.in_flight, |(key, body)| async move {
            let path = join(&self.target, &key)?;
            self.store.put(&path, body.into()).await.map_err(|error| error.to_string())?;
            Ok(())
        }))
    }
}

async fn get(store: &AmazonS3, root: &Path, key: &str) -> Result<Option<Bytes>, String> {
    match store.get(&join(root, key)?).await {
        Ok(answer) => answer.bytes().await.map(Some).map_err(|error| error.to_string()),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn join(root: &Path, key: &str) -> Result<Path, String> {
    Path::parse(format!("{root}/{key}")).map_err(|error| error.to_string())
}

fn place(url: &str) -> Result<(String, Path), String> {
    let (bucket, key) = url
        .strip_prefix("s3://")
        .and_then(|place| place.split_once('/'))
        .ok_or_else(|| format!("{url} is not s3://BUCKET/KEY"))?;
    Ok((bucket.to_owned(), Path::parse(key).map_err(|error| error.to_string())?))
}
