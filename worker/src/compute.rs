//! Threads for codecs and copies. Work that takes longer than half a millisecond never runs on the async threads.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rechunk_common::{FailureClass, TaskFailure};
use tokio::sync::oneshot;

/// Runs pieces of work that need a processor. Clones share the threads.
#[derive(Debug, Clone)]
pub struct ComputePool {
    threads: Option<Arc<rayon::ThreadPool>>,
}

/// The compute threads cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} compute threads: {reason}")]
pub struct NoThreads {
    threads: usize,
    reason: String,
}

impl ComputePool {
    /// A pool of `threads` threads.
    pub fn new(threads: usize) -> Result<Self, NoThreads> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.max(1))
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map_err(|error| NoThreads { threads, reason: error.to_string() })?;
        Ok(Self { threads: Some(Arc::new(pool)) })
    }

    /// Runs everything where it is asked for: for simulations, which allow no threads.
    pub fn inline() -> Self {
        Self { threads: None }
    }

    /// Runs `work` on the pool. A panic in it is a failure of class Bug and ends nothing else.
    pub async fn run<T, F>(&self, work: F) -> Result<T, TaskFailure>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, TaskFailure> + Send + 'static,
    {
        let guarded =
            move || catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(of_panic(panic.as_ref())));
        let Some(threads) = &self.threads else { return guarded() };
        let (sender, receiver) = oneshot::channel();
        threads.spawn(move || {
            // Nobody waits any more: the task was cancelled.
            let _unwanted = sender.send(guarded());
        });
        receiver.await.unwrap_or_else(|_| Err(TaskFailure::new(FailureClass::Bug, "the compute threads are gone")))
    }
}

/// The failure that a panic is reported as.
pub(crate) fn of_panic(panic: &(dyn std::any::Any + Send)) -> TaskFailure {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    TaskFailure::new(FailureClass::Bug, format!("a panic: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_on_a_compute_thread_is_a_failure_and_the_pool_goes_on() {
        let pool = ComputePool::new(1).expect("threads");
        let failed = pool.run(|| -> Result<(), TaskFailure> { panic!("element {}", 7) }).await.expect_err("a panic");
        assert_eq!(failed, TaskFailure::new(FailureClass::Bug, "a panic: element 7"));
        assert_eq!(pool.run(|| Ok(5)).await, Ok(5));
    }
}
