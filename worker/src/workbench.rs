//! Tests' surroundings of a task: stores in memory that count every request and fail on order.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rechunk_common::ByteCount;
use rechunk_storage::{
    Access, CountingObserver, Faults, Prefix, RetryPolicy, StoreConfig, StoreUrl, Stores, Unguarded, WriteGuard,
};
use tokio_util::sync::CancellationToken;

use crate::{
    compute::ComputePool,
    context::TaskContext,
    memory::{BufferPool, TaskMemory},
};

/// A worker's surroundings, with an observer of its own.
pub(crate) struct Bench {
    pub(crate) stores: Stores,
    pub(crate) observer: Arc<CountingObserver>,
    pub(crate) faults: Arc<Faults>,
    pool: Arc<BufferPool>,
    compute: ComputePool,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A place in memory that nobody else has.
pub(crate) fn fresh_url() -> String {
    format!("memory://worker-test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Bench {
    pub(crate) fn new(compute: ComputePool) -> Self {
        let observer = Arc::new(CountingObserver::new());
        let faults = Arc::new(Faults::new());
        let stores = Stores::new(StoreConfig::environment().with_retry(RetryPolicy::never()))
            .with_observer(Arc::clone(&observer) as _)
            .with_faults(Arc::clone(&faults));
        Self { stores, observer, faults, pool: Arc::new(BufferPool::new(ByteCount(1 << 30))), compute }
    }

    pub(crate) fn context(&self, memory: u64) -> TaskContext {
        self.guarded_context(memory, Arc::new(Unguarded))
    }

    pub(crate) fn guarded_context(&self, memory: u64, guard: Arc<dyn WriteGuard>) -> TaskContext {
        let memory = TaskMemory::new(ByteCount(memory), Arc::clone(&self.pool), None);
        TaskContext::new(self.stores.clone(), guard, memory, self.compute.clone(), CancellationToken::new())
    }

    pub(crate) fn open(&self, url: &str) -> Prefix {
        self.stores.open(&StoreUrl::parse(url).expect("a URL"), Access::ReadWrite).expect("a prefix")
    }

    pub(crate) async fn put(&self, url: &str, key: &str, body: impl Into<Vec<u8>>) {
        self.open(url).put(key, body.into(), &Unguarded).await.expect("put");
    }
}
