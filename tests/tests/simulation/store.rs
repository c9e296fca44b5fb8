//! The store of a run, in memory. Each process reaches it over a line of its own, on which requests are slow, are lost,
//! lose their answers, or wait while the process stands still.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path,
};
use rechunk_storage::{Effect, FaultRule, Faults, RequestKind, StoreConfig, Stores};
use tokio::{sync::Semaphore, time::sleep};

use crate::{dice::Dice, trouble::Trouble, witness::Minutes};

/// All objects of a run.
#[derive(Clone)]
pub(crate) struct Depot {
    objects: Arc<InMemory>,
    dice: Dice,
    trouble: Trouble,
    minutes: Minutes,
}

/// What a process asks of the store, and whether it may.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) stores: Stores,
    faults: Arc<Faults>,
    gate: Arc<Mutex<Option<Arc<Semaphore>>>>,
}

/// Whose requests they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Coordinator,
    /// Bound by the promise of a terminal job.
    Worker,
}

impl Depot {
    pub(crate) fn new(dice: &Dice, trouble: &Trouble, minutes: &Minutes) -> Self {
        Self { objects: Arc::default(), dice: dice.clone(), trouble: trouble.clone(), minutes: minutes.clone() }
    }

    /// For those who only look.
    pub(crate) fn untroubled(&self) -> Stores {
        Stores::on_memory(StoreConfig::environment(), Arc::clone(&self.objects) as _)
    }

    /// For the process of this name, which starts.
    pub(crate) fn access(&self, process: &str, role: Role) -> Access {
        let chance = self.dice.clone();
        let random = move || u32::try_from(chance.number() >> 32).unwrap_or(u32::MAX);
        let config = StoreConfig::environment().with_chance(random);
        // In every other process the store counts as far away: requests at a time are limited, slow reads sent twice.
        let config = if self.dice.below(2) == 0 { config.with_traffic_everywhere() } else { config };
        let line =
            Line { depot: self.clone(), process: process.to_owned(), role, quarters: self.dice.one_of(&[0, 1, 4]) };
        let faults = Arc::new(Faults::new());
        let stores = Stores::on_memory(config, Arc::new(line)).with_faults(Arc::clone(&faults));
        Access { stores, faults, gate: Arc::default() }
    }
}

impl Access {
    fn gate(&self) -> std::sync::MutexGuard<'_, Option<Arc<Semaphore>>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on no request leaves the process, until [`Self::resume`]; those under way go on.
    pub(crate) fn hold(&self) {
        use RequestKind::{Delete, Get, Head, List, Part, Put, Upload};
        let gate = Arc::clone(self.gate().get_or_insert_with(|| Arc::new(Semaphore::new(0))));
        for kind in [Get, Head, Put, Part, Upload, Delete, List] {
            self.faults.add(FaultRule::every(kind, Effect::Hold(Arc::clone(&gate))));
        }
    }

    /// Lets everything pass that waits.
    pub(crate) fn resume(&self) {
        self.faults.clear();
        if let Some(gate) = self.gate().take() {
            gate.close();
        }
    }
}

/// The line of one process.
#[derive(Clone)]
struct Line {
    depot: Depot,
    process: String,
    role: Role,
    /// Of the slowest line's way.
    quarters: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the line of {}", self.process)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.process)
    }
}

fn broken(kind: io::ErrorKind) -> Error {
    Error::Generic { store: "simulation", source: Box::new(io::Error::from(kind)) }
}

impl Line {
    /// A request is on its way; it may not arrive, and then nothing happens.
    async fn reach(&self, is_write: bool) -> Result<()> {
        let Depot { dice, trouble, .. } = &self.depot;
        let odds = trouble.odds();
        if dice.once_in(odds.request_lost) {
            trouble.note("requests lost");
            sleep(dice.millis(1, 5_000)).await;
            return Err(broken(io::ErrorKind::ConnectionReset));
        }
        if is_write && dice.once_in(odds.disk_full) {
            trouble.note("writes refused by a full disk");
            return Err(broken(io::ErrorKind::StorageFull));
        }
        self.travel().await;
        Ok(())
    }

    /// Its answer is on the way back; it may not arrive, and yet all has happened.
    async fn answer<T>(&self, answer: T) -> Result<T> {
        let Depot { dice, trouble, .. } = &self.depot;
        if dice.once_in(trouble.odds().request_answer_lost) {
            trouble.note("answers of the store lost");
            sleep(dice.millis(1, 5_000)).await;
            return Err(broken(io::ErrorKind::ConnectionReset));
        }
        self.travel().await;
        Ok(answer)
    }

    /// Every request takes its time, or all would end in the order in which they begin; some take longer than a write may.
    async fn travel(&self) {
        let Depot { dice, trouble, .. } = &self.depot;
        let odds = trouble.odds();
        if dice.once_in(odds.request_slow) {
            trouble.note("requests slow");
            sleep(dice.millis(100, 40_000)).await;
        } else {
            sleep(dice.millis(1, 15 + odds.way * self.quarters / 4)).await;
        }
    }

    /// Something has changed in the store.
    fn note(&self, what: &str, at: &Path) {
        let told = format!("{} {what} {at}", self.process);
        self.depot.minutes.note(&told);
        if self.role == Role::Worker {
            self.depot.minutes.forbid_after_the_end(&told);
        }
    }

    async fn delete_all(&self, locations: BoxStream<'static, Result<Path>>) -> Result<Vec<Result<Path>>> {
        self.reach(true).await?;
        let answers: Vec<_> = self.depot.objects.delete_stream(locations).collect().await;
        answers.iter().flatten().for_each(|path| self.note("deletes", path));
        self.answer(answers).await
    }

    async fn list_all(&self, prefix: Option<Path>) -> Result<Vec<ObjectMeta>> {
        self.reach(false).await?;
        let listed: Vec<_> = self.depot.objects.list(prefix.as_ref()).try_collect().await?;
        self.answer(listed).await
    }
}

#[async_trait]
impl ObjectStore for Line {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.reach(true).await?;
        let put = self.depot.objects.put_opts(location, payload, opts).await;
        if put.is_ok() {
            self.note("writes", location);
        }
        // A refusal is an answer too.
        self.answer(put).await?
    }

    async fn put_multipart_opts(&self, _at: &Path, _opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "an upload".to_owned(), implementer: self.to_string() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reach(false).await?;
        let got = self.depot.objects.get_opts(location, options).await;
        self.answer(got).await?
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let line = self.clone();
        let deleted = async move { line.delete_all(locations).await.map(stream::iter) };
        stream::once(deleted).try_flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (line, prefix) = (self.clone(), prefix.cloned());
        let listed = async move { line.list_all(prefix).await.map(|all| stream::iter(all).map(Ok)) };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reach(false).await?;
        let listed = self.depot.objects.list_with_delimiter(prefix).await;
        self.answer(listed).await?
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.reach(true).await?;
        let copied = self.depot.objects.copy_opts(from, to, options).await;
        if copied.is_ok() {
            self.note("copies to", to);
        }
        self.answer(copied).await?
    }
}
