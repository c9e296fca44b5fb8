//! One run of one task: admitted by its memory, stopped when its lease ends, isolated from the others' panics.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use rechunk_common::{
    ByteCount, Counts, FailureClass, TaskFailure,
    ids::{LeaseId, StageAddress, TaskIndex},
};
use rechunk_storage::{LeaseLost, Stores, WriteGuard, WriteUnderWay};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::{lease_table::NextTask, term::LeaseTerm};
use crate::{
    compute::{ComputePool, of_panic},
    context::TaskContext,
    function::Functions,
    memory::{BufferPool, TaskMemory},
    presence::PresenceCache,
};

/// Permits are 32 bits wide, so bytes are counted in KiB: up, so that the sum never passes the budget.
const BYTES_PER_PERMIT: u64 = 1 << 10;

/// The worker's byte budget. A task's memory is taken from it whole before anything is read.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    budget: ByteCount,
    permits: Arc<Semaphore>,
    pool: Arc<BufferPool>,
}

impl Admission {
    pub(crate) fn new(budget: ByteCount) -> Self {
        let most = u32::MAX as usize;
        let permits =
            usize::try_from(budget.0 / BYTES_PER_PERMIT).unwrap_or(most).min(most).min(Semaphore::MAX_PERMITS);
        Self { budget, permits: Arc::new(Semaphore::new(permits)), pool: Arc::new(BufferPool::new(budget)) }
    }

    /// The buffers that are kept between tasks.
    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// Waits until `memory` is free and takes it.
    pub(crate) async fn admit(&self, memory: ByteCount) -> Result<Arc<TaskMemory>, TaskFailure> {
        let permits = u32::try_from(memory.0.div_ceil(BYTES_PER_PERMIT)).ok();
        let permits = permits.filter(|_| memory <= self.budget).ok_or_else(|| self.too_large(memory))?;
        // A budget that is no multiple of a KiB must still admit a task that takes all of it.
        let most = u32::try_from(self.budget.0 / BYTES_PER_PERMIT).unwrap_or(u32::MAX);
        let permit: OwnedSemaphorePermit = Arc::clone(&self.permits)
            .acquire_many_owned(permits.min(most))
            .await
            .map_err(|_| TaskFailure::new(FailureClass::TryElsewhere, "the worker is stopping"))?;
        Ok(TaskMemory::new(memory, Arc::clone(&self.pool), Some(permit)))
    }

    fn too_large(&self, memory: ByteCount) -> TaskFailure {
        let message = format!("a task needs {memory}, and this worker has {} for tasks", self.budget);
        TaskFailure::new(FailureClass::TryElsewhere, message)
    }
}

/// What attempts need of their worker.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub(crate) stores: Stores,
    pub(crate) functions: Functions,
    pub(crate) compute: ComputePool,
    pub(crate) admission: Admission,
    pub(crate) presences: Arc<PresenceCache>,
}

/// An attempt that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) lease: LeaseId,
    pub(crate) stage: StageAddress,
    pub(crate) task: TaskIndex,
    pub(crate) outcome: Outcome,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is done.
    Done(Counts),
    /// It failed; so much had been asked of the stores.
    Failed(TaskFailure, Counts),
    /// Its lease ended first: nothing to report.
    Stopped,
}

/// What an attempt's writes ask: its lease, while the writes under way are counted.
struct AttemptGuard {
    term: Arc<LeaseTerm>,
    writes: TaskTracker,
}

impl WriteGuard for AttemptGuard {
    fn check(&self) -> Result<(), LeaseLost> {
        self.term.check()
    }

    fn begin_write(&self) -> WriteUnderWay {
        WriteUnderWay::holding(self.writes.token())
    }
}

impl Attempts {
    /// Runs a task to its end. When it returns, none of the attempt's writes is under way: only then may the lease be
    /// given back, because what comes next may delete what was written.
    pub(crate) async fn run(self, next: NextTask) -> Ended {
        let (lease, stage, task) = (next.lease, next.stage.clone(), next.task);
        let ended = next.ended.clone();
        let name = next.stage_name.clone();
        let writes = TaskTracker::new();
        let guard = AttemptGuard { term: Arc::clone(&next.term), writes: writes.clone() };
        let outcome = tokio::select! {
            biased;
            () = ended.cancelled() => Outcome::Stopped,
            outcome = self.outcome(next, Arc::new(guard)) => outcome,
        };
        // Bounded by the timeout of one write: none starts after the lease has ended or the function has returned.
        writes.close();
        writes.wait().await;
        match &outcome {
            Outcome::Done(_) => tracing::debug!(%lease, %stage, %name, %task, "a task is done"),
            Outcome::Stopped => tracing::debug!(%lease, %stage, %name, %task, "a task was stopped with its lease"),
            Outcome::Failed(failure, _) => {
                tracing::warn!(%lease, %stage, %name, %task, class = ?failure.class, %failure, "a task failed");
            }
        }
        Ended { lease, stage, task, outcome }
    }

    async fn outcome(&self, next: NextTask, guard: Arc<dyn WriteGuard>) -> Outcome {
        let memory = match self.admission.admit(next.memory).await {
            Ok(memory) => memory,
            Err(failure) => return Outcome::Failed(failure, Counts::default()),
        };
        let cx = TaskContext::new(self.stores.clone(), guard, memory, self.compute.clone(), next.ended)
            .with_presences(Arc::clone(&self.presences));
        let run = self.functions.run(&cx, &next.function, next.task);
        match AssertUnwindSafe(Box::pin(run)).catch_unwind().await {
            Ok(Ok(counts)) => Outcome::Done(counts),
            Ok(Err(failure)) => Outcome::Failed(failure, cx.tally().total()),
            Err(panic) => Outcome::Failed(of_panic(panic.as_ref()), cx.tally().total()),
        }
    }
}
