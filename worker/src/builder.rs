//! Putting a worker together, and running it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rechunk_common::{
    ByteCount,
    ids::{Incarnation, WorkerId},
    plan::{FunctionId, StageFunction},
    session::Capacity,
};
use rechunk_storage::Stores;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    compute::{ComputePool, NoThreads},
    figures::{Standing, WorkerWatch, announce},
    function::{Functions, TaskFunction},
    resident::peak_rss,
    runner::TaskRunner,
    scratch::Scratch,
    session::{
        Admission, Attempts, BootClock, Clock, Conversation, CoordinatorLink, Identity, Machine, Patience, Surroundings,
    },
};

/// For held tasks, once the worker is asked to leave: two leases' work.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// Why there is no worker.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Nothing says where work comes from.
    #[error("a worker needs a link to a coordinator")]
    NoLink,
    /// Nothing says which stores may be used.
    #[error("a worker needs stores")]
    NoStores,
    /// A function of this id is there already.
    #[error("two functions are registered as {0}")]
    Twice(FunctionId),
    /// The compute threads cannot be started.
    #[error(transparent)]
    NoThreads(#[from] NoThreads),
}

/// Makes a [`Worker`]. A worker of one's own functions is one's own program around this.
#[derive(Default)]
pub struct WorkerBuilder {
    name: Option<WorkerId>,
    stores: Option<Stores>,
    memory: ByteCount,
    scratch: Option<Scratch>,
    threads: Option<usize>,
    slots: Option<u32>,
    compute: Option<ComputePool>,
    grace: Option<Duration>,
    functions: Vec<Arc<dyn TaskFunction>>,
    only_registered: bool,
    link: Option<Arc<dyn CoordinatorLink>>,
    clock: Option<Arc<dyn Clock>>,
    surroundings: Option<Arc<dyn Surroundings>>,
}

impl WorkerBuilder {
    /// Nothing chosen: no memory for tasks, one thread, one slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// The worker's name, shown to people; a random one if none is given.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(WorkerId(name.into()));
        self
    }

    /// The stores that tasks may use, of no other worker: what a coordinator says about request rates holds for all that
    /// is asked of them. Their `put_timeout` must lie below the coordinator's lease margin.
    #[must_use]
    pub fn stores(mut self, stores: Stores) -> Self {
        self.stores = Some(stores);
        self
    }

    /// What tasks may hold together; for a limit of the whole process see [`crate::memory::memory_reserve`].
    #[must_use]
    pub fn memory(mut self, memory: ByteCount) -> Self {
        self.memory = memory;
        self
    }

    /// Local disk that tasks may use; none unless one is given.
    #[must_use]
    pub fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Threads for codecs and copies.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Tasks at a time, if their memory fits.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Compute threads that are shared with other workers of the process, or none at all (simulations).
    #[must_use]
    pub fn compute(mut self, compute: ComputePool) -> Self {
        self.compute = Some(compute);
        self
    }

    /// How long held tasks may take once the worker is asked to leave.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Offers a function beside our own.
    #[must_use]
    pub fn register(mut self, function: impl TaskFunction) -> Self {
        self.functions.push(Arc::new(function));
        self
    }

    /// Offers none of our own functions: a worker that has no stores should be given nothing of a rechunk.
    #[must_use]
    pub fn only_registered(mut self) -> Self {
        self.only_registered = true;
        self
    }

    /// The way to the coordinator.
    #[must_use]
    pub fn link(mut self, link: impl CoordinatorLink) -> Self {
        self.link = Some(Arc::new(link));
        self
    }

    /// The clock by which leases are counted; [`BootClock`] unless a simulation brings its own.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// The time of day and chance; [`Machine`] unless a simulation brings its own.
    #[must_use]
    pub fn surroundings(mut self, surroundings: impl Surroundings) -> Self {
        self.surroundings = Some(Arc::new(surroundings));
        self
    }

    /// The worker.
    pub fn build(mut self) -> Result<Worker, BuildError> {
        let link = self.link.take().ok_or(BuildError::NoLink)?;
        let clock = self.clock.take().unwrap_or_else(|| Arc::new(BootClock));
        let surroundings = self.surroundings.take().unwrap_or_else(|| Arc::new(Machine));
        let patience = Patience { grace: self.grace.unwrap_or(DEFAULT_GRACE) };
        let worker = self.name.take().unwrap_or_else(|| WorkerId(format!("worker-{:016x}", surroundings.draw())));
        let scratch = self.scratch.as_ref().map(Scratch::size).unwrap_or_default();
        let total = Capacity { memory: self.memory, scratch, slots: self.slots.unwrap_or(1).max(1) };
        let only_registered = self.only_registered;
        let attempts = self.attempts()?;
        let functions = if only_registered { attempts.functions.registered() } else { attempts.functions.ids() };
        let identity = Identity {
            worker,
            incarnation: this_start(surroundings.as_ref()),
            functions,
            total,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            peak_rss,
        };
        let standing = watch::Sender::default();
        Ok(Worker { link, clock, surroundings, identity, patience, attempts, standing })
    }

    /// The same without a coordinator: an engine with a scheduler of its own says which task comes next.
    pub fn runner(self) -> Result<TaskRunner, BuildError> {
        Ok(TaskRunner::new(self.attempts()?))
    }

    fn attempts(self) -> Result<Attempts, BuildError> {
        let stores = self.stores.ok_or(BuildError::NoStores)?;
        let compute = match self.compute {
            Some(compute) => compute,
            None => ComputePool::new(self.threads.unwrap_or(1))?,
        };
        let mut known: BTreeSet<FunctionId> = StageFunction::built_in().into_iter().collect();
        let mut functions = Functions::default();
        for function in self.functions {
            if !known.insert(function.id()) {
                return Err(BuildError::Twice(function.id()));
            }
            functions.register(function);
        }
        let admission = Admission::new(self.memory, self.scratch.as_ref().map(Scratch::size).unwrap_or_default());
        let scratch = self.scratch.map(Arc::new);
        Ok(Attempts { stores, functions, compute, admission, scratch, presences: Arc::default() })
    }
}

/// Greater than that of any earlier start, as far as the clocks of both agree: whoever comes later under a name counts,
/// also where the coordinator hears of both for the first time.
fn this_start(surroundings: &dyn Surroundings) -> Incarnation {
    let micros = u64::try_from(surroundings.time_of_day().as_micros()).unwrap_or(u64::MAX);
    Incarnation((micros << 12) | (surroundings.draw() & 0xfff))
}

/// A worker, ready to run.
pub struct Worker {
    link: Arc<dyn CoordinatorLink>,
    clock: Arc<dyn Clock>,
    surroundings: Arc<dyn Surroundings>,
    identity: Identity,
    patience: Patience,
    attempts: Attempts,
    standing: watch::Sender<Standing>,
}

impl Worker {
    /// The worker's name.
    pub fn name(&self) -> &WorkerId {
        &self.identity.worker
    }

    /// A view of the worker as it runs.
    pub fn view(&self) -> WorkerWatch {
        let admission = self.attempts.admission.clone();
        WorkerWatch { total: self.identity.total, admission, standing: self.standing.subscribe() }
    }

    /// Works until `shutdown` is cancelled; then it takes no more leases, finishes and reports what it holds within
    /// the grace, and returns. Dropping the future stops everything at once; leases then end by themselves.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { link, clock, surroundings, identity, patience, attempts, standing } = self;
        announce();
        tracing::info!(worker = %identity.worker, memory = %identity.total.memory, slots = identity.total.slots,
            "a worker starts");
        let conversation = Conversation::new(link, (clock, surroundings), identity, patience, attempts);
        conversation.telling(standing).run(shutdown).await;
    }
}
