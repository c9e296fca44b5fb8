//! One run of one task: admitted by its memory and its local disk, stopped when its lease ends, isolated from the others'
//! panics.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
};

use futures::FutureExt;
use rechunk_common::{
    ByteCount, Counts, FailureClass, TaskFailure,
    ids::{LeaseId, StageAddress, TaskIndex},
};
use rechunk_storage::{LeaseLost, Stores, WriteGuard, WriteUnderWay};
use rechunk_traces::{OpenSpan, Place};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{lease_table::NextTask, term::LeaseTerm};
use crate::{
    compute::{ComputePool, of_panic},
    context::TaskContext,
    figures::count_attempt,
    function::Functions,
    memory::{BufferPool, TaskMemory},
    presence::PresenceCache,
    requests::RequestSpans,
    scratch::{AttemptScratch, Scratch, ScratchPlace},
};

/// Permits are 32 bits wide, so bytes are counted in KiB: up, so that the sum never passes the budget.
const BYTES_PER_PERMIT: u64 = 1 << 10;

/// Bytes that tasks may have together; each takes all of its own at once.
#[derive(Debug, Clone)]
struct Budget {
    size: ByteCount,
    permits: Arc<Semaphore>,
}

impl Budget {
    fn new(size: ByteCount) -> Self {
        let most = u32::MAX as usize;
        let permits = usize::try_from(size.0 / BYTES_PER_PERMIT).unwrap_or(most).min(most).min(Semaphore::MAX_PERMITS);
        Self { size, permits: Arc::new(Semaphore::new(permits)) }
    }

    /// Waits until `bytes` of it are free and takes them; `what` they are, for messages.
    async fn take(&self, bytes: ByteCount, what: &str) -> Result<OwnedSemaphorePermit, TaskFailure> {
        let permits = u32::try_from(bytes.0.div_ceil(BYTES_PER_PERMIT)).ok();
        let permits = permits.filter(|_| bytes <= self.size).ok_or_else(|| self.too_large(bytes, what))?;
        // A budget that is no multiple of a KiB must still admit a task that takes all of it.
        let most = u32::try_from(self.size.0 / BYTES_PER_PERMIT).unwrap_or(u32::MAX);
        Arc::clone(&self.permits)
            .acquire_many_owned(permits.min(most))
            .await
            .map_err(|_| TaskFailure::new(FailureClass::TryElsewhere, "the worker is stopping"))
    }

    /// What is taken now, rounded up to whole permits.
    fn taken(&self) -> ByteCount {
        let free = u64::try_from(self.permits.available_permits()).unwrap_or(u64::MAX);
        let free_bytes = free.saturating_mul(BYTES_PER_PERMIT);
        ByteCount(self.countable().saturating_sub(free_bytes))
    }

    /// What the permits stand for together.
    fn countable(&self) -> u64 {
        let most = u64::from(u32::MAX).saturating_mul(BYTES_PER_PERMIT);
        (self.size.0 / BYTES_PER_PERMIT).saturating_mul(BYTES_PER_PERMIT).min(most)
    }

    fn too_large(&self, bytes: ByteCount, what: &str) -> TaskFailure {
        let message = format!("a task needs {bytes}{what}, and this worker has {} for tasks", self.size);
        TaskFailure::new(FailureClass::TryElsewhere, message)
    }
}

/// The worker's budgets. A task's local disk, then its memory, are taken whole before anything is read.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    memory: Budget,
    scratch: Budget,
    pool: Arc<BufferPool>,
}

impl Admission {
    pub(crate) fn new(memory: ByteCount, scratch: ByteCount) -> Self {
        let pool = Arc::new(BufferPool::new(memory));
        Self { memory: Budget::new(memory), scratch: Budget::new(scratch), pool }
    }

    /// The buffers that are kept between tasks.
    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// Memory and local disk that running tasks were granted.
    pub(crate) fn granted(&self) -> (ByteCount, ByteCount) {
        (self.memory.taken(), self.scratch.taken())
    }

    /// Waits until `memory` is free and takes it.
    pub(crate) async fn admit(&self, memory: ByteCount) -> Result<Arc<TaskMemory>, TaskFailure> {
        let permit = self.memory.take(memory, "").await?;
        Ok(TaskMemory::new(memory, Arc::clone(&self.pool), Some(permit)))
    }

    /// Waits until so much local disk is free and takes it, until the permit is dropped.
    async fn admit_scratch(&self, scratch: ByteCount) -> Result<OwnedSemaphorePermit, TaskFailure> {
        self.scratch.take(scratch, " of local disk").await
    }
}

/// What attempts need of their worker.
#[derive(Clone)]
pub(crate) struct Attempts {
    pub(crate) stores: Stores,
    pub(crate) functions: Functions,
    pub(crate) compute: ComputePool,
    pub(crate) admission: Admission,
    pub(crate) scratch: Option<Arc<Scratch>>,
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
        let span = OpenSpan::begin(&stage.job, "task", || Place::Task(stage.clone(), lease, task));
        let ended = next.ended.clone();
        let name = next.stage_name.clone();
        let function = next.function.id().name;
        let begun = OnceLock::new();
        let writes = TaskTracker::new();
        let guard = AttemptGuard { term: Arc::clone(&next.term), writes: writes.clone() };
        let admitted = tokio::select! {
            biased;
            () = ended.cancelled() => Ok(None),
            admitted = self.admission.admit_scratch(next.scratch) => admitted.map(Some),
        };
        let needs_disk = next.scratch.0 > 0;
        let scratch = self.scratch.as_ref().filter(|_| needs_disk).map(|scratch| scratch.attempt());
        let place = scratch.as_ref().map(AttemptScratch::place);
        let outcome = match &admitted {
            Err(failure) => Outcome::Failed(failure.clone(), Counts::default()),
            Ok(None) => Outcome::Stopped,
            Ok(Some(_permit)) => {
                // What stores and codecs log on the way says whose work it was.
                let span = tracing::info_span!("task", job = %stage.job, %stage, %lease, %task);
                tokio::select! {
                    biased;
                    () = ended.cancelled() => Outcome::Stopped,
                    outcome = self.outcome(next, Arc::new(guard), place, &begun).instrument(span) => outcome,
                }
            }
        };
        // Bounded by the timeout of one write: none starts after the lease has ended or the function has returned.
        writes.close();
        writes.wait().await;
        if let Some(scratch) = scratch {
            scratch.remove().await;
        }
        drop(admitted);
        let is_whole = !matches!(outcome, Outcome::Stopped);
        count_attempt(&function, &outcome, begun.get().filter(|_| is_whole).map(Instant::elapsed));
        let job = &stage.job;
        let why = match &outcome {
            Outcome::Done(_) => {
                tracing::debug!(%job, %lease, %stage, %name, %task, "a task is done");
                None
            }
            Outcome::Stopped => {
                tracing::debug!(%job, %lease, %stage, %name, %task, "a task was stopped with its lease");
                Some("stopped with its lease".to_owned())
            }
            Outcome::Failed(failure, _) => {
                tracing::warn!(%job, %lease, %stage, %name, %task, class = ?failure.class, %failure, "a task failed");
                Some(failure.to_string())
            }
        };
        if let Some(span) = span {
            span.with("rechunk.stage", name).with("rechunk.function", function).with("rechunk.task", task.0).end(why);
        }
        Ended { lease, stage, task, outcome }
    }

    /// Runs the function once there is memory for it, which was then `begun`.
    async fn outcome(
        &self,
        next: NextTask,
        guard: Arc<dyn WriteGuard>,
        scratch: Option<Arc<ScratchPlace>>,
        begun: &OnceLock<Instant>,
    ) -> Outcome {
        let memory = match self.admission.admit(next.memory).await {
            Ok(memory) => memory,
            Err(failure) => return Outcome::Failed(failure, Counts::default()),
        };
        let _running = next.progress.begin();
        begun.get_or_init(Instant::now);
        let (stage, lease, task) = (&next.stage, next.lease, next.task);
        let requests = rechunk_traces::wants(&stage.job).then(|| RequestSpans::of(stage.clone(), lease, task));
        let cx = TaskContext::new(self.stores.clone(), guard, memory, self.compute.clone(), next.ended)
            .with_progress(next.progress)
            .with_presences(Arc::clone(&self.presences))
            .with_scratch(scratch)
            .with_lease(lease)
            .with_request_spans(requests);
        let run = self.functions.run(&cx, &next.function, next.task);
        match AssertUnwindSafe(Box::pin(run)).catch_unwind().await {
            Ok(Ok(counts)) => {
                let peak_task_memory = cx.memory().peak_reserved().0;
                Outcome::Done(Counts { peak_task_memory, ..counts })
            }
            Ok(Err(failure)) => Outcome::Failed(failure, cx.tally().total()),
            Err(panic) => Outcome::Failed(of_panic(panic.as_ref()), cx.tally().total()),
        }
    }
}
