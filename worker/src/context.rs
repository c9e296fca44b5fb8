//! What a function is given to do one task: stores, memory, compute threads, and when to stop.

use std::sync::Arc;

use rechunk_common::{
    ByteCount, TaskFailure,
    ids::{Epoch, LeaseId},
};
use rechunk_storage::{Access, Prefix, StoreUrl, Stores, WriteGuard};
use tokio_util::sync::CancellationToken;

use crate::{
    compute::ComputePool, failure, memory::TaskMemory, presence::PresenceCache, progress::Progress,
    requests::RequestSpans, scratch::ScratchPlace, tally::Tally,
};

/// The surroundings of one attempt of one task. Clones share everything.
#[derive(Clone)]
pub struct TaskContext {
    stores: Stores,
    guard: Arc<dyn WriteGuard>,
    memory: Arc<TaskMemory>,
    compute: ComputePool,
    tally: Arc<Tally>,
    scratch: Option<Arc<ScratchPlace>>,
    presences: Arc<PresenceCache>,
    cancelled: CancellationToken,
    lease: LeaseId,
    progress: Progress,
    requests: Option<Arc<RequestSpans>>,
}

impl std::fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskContext").field("memory", &self.memory.limit()).finish_non_exhaustive()
    }
}

impl TaskContext {
    /// The context of an attempt whose writes `guard` allows and whose buffers `memory` bounds.
    pub fn new(
        stores: Stores,
        guard: Arc<dyn WriteGuard>,
        memory: Arc<TaskMemory>,
        compute: ComputePool,
        cancelled: CancellationToken,
    ) -> Self {
        let lease = LeaseId { epoch: Epoch(0), counter: 0 };
        let (tally, presences, progress) = (Arc::new(Tally::new()), Arc::default(), Progress::default());
        let (scratch, requests) = (None, None);
        Self { stores, guard, memory, compute, tally, scratch, presences, cancelled, lease, progress, requests }
    }

    /// The same attempt, with a place on local disk.
    #[must_use]
    pub(crate) fn with_scratch(mut self, scratch: Option<Arc<ScratchPlace>>) -> Self {
        self.scratch = scratch;
        self
    }

    /// The attempt's place on local disk; `None` where its stage asked for none.
    pub(crate) fn scratch(&self) -> Option<&Arc<ScratchPlace>> {
        self.scratch.as_ref()
    }

    /// The same surroundings, with a tally of their own.
    pub(crate) fn counted_apart(&self) -> Self {
        Self { tally: Arc::new(Tally::moving(self.progress.clone())), ..self.clone() }
    }

    /// The same surroundings, with a part of the memory; `None` where there is not so much.
    pub(crate) fn within(&self, memory: ByteCount) -> Option<Self> {
        Some(Self { memory: self.memory.part(memory)?, ..self.clone() })
    }

    /// The same surroundings on other stores, with a tally of their own.
    pub(crate) fn on(&self, stores: &Stores) -> Self {
        Self { stores: stores.clone(), ..self.counted_apart() }
    }

    /// The same attempt, whose movement is counted there.
    #[must_use]
    pub(crate) fn with_progress(self, progress: Progress) -> Self {
        Self { tally: Arc::new(Tally::moving(progress.clone())), progress, ..self }
    }

    /// The task has come a step further. What is sent through [`TaskContext::open`] says so itself; work that asks nothing of a
    /// store for minutes has to, or its lease is taken for stuck.
    pub fn note_progress(&self) {
        self.progress.note();
    }

    /// The same for an attempt under `lease`.
    #[must_use]
    pub fn with_lease(self, lease: LeaseId) -> Self {
        Self { lease, ..self }
    }

    /// The same attempt, with a span for each request; `None`: nobody wants them.
    #[must_use]
    pub(crate) fn with_request_spans(self, requests: Option<RequestSpans>) -> Self {
        Self { requests: requests.map(Arc::new), ..self }
    }

    /// Under which the attempt runs: no other lease, of this or any other coordinator, has this id.
    pub fn lease(&self) -> LeaseId {
        self.lease
    }

    /// The same context, with what the worker has read of sources already.
    #[must_use]
    pub(crate) fn with_presences(self, presences: Arc<PresenceCache>) -> Self {
        Self { presences, ..self }
    }

    /// What the worker has read of sources.
    pub(crate) fn presences(&self) -> &PresenceCache {
        &self.presences
    }

    /// Cancelled when the lease has ended or was revoked: stop soon, nothing that is still written counts. A function
    /// that does not look is dropped at its next `await`.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// To be handed to every write and delete: says no once the lease has ended.
    pub fn guard(&self) -> &Arc<dyn WriteGuard> {
        &self.guard
    }

    /// The stores that this worker may use, unobserved; [`TaskContext::open`] counts.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// Opens `url`; what is sent there is counted as this task's.
    pub fn open(&self, url: &str, access: Access) -> Result<Prefix, TaskFailure> {
        let url = StoreUrl::parse(url).map_err(|error| failure::invalid(error.to_string()))?;
        let prefix = self.stores.open(&url, access).map_err(|error| failure::of_storage(&error))?;
        let prefix = prefix.with_observer(Arc::clone(&self.tally) as Arc<dyn rechunk_storage::Observer>);
        Ok(match &self.requests {
            None => prefix,
            Some(requests) => prefix.with_observer(Arc::clone(requests) as Arc<dyn rechunk_storage::Observer>),
        })
    }

    /// The memory that was granted.
    pub fn memory(&self) -> &Arc<TaskMemory> {
        &self.memory
    }

    /// How much memory was granted.
    pub fn memory_grant(&self) -> ByteCount {
        self.memory.limit()
    }

    /// For work that needs a processor for longer than half a millisecond.
    pub fn compute(&self) -> &ComputePool {
        &self.compute
    }

    /// What was asked of the stores so far.
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}
