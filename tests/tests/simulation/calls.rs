//! The network between workers and coordinators: calls are late, lost and repeated, and whole links are cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rechunk_common::session::{SyncRequest, SyncResponse};
use rechunk_coordinator::Coordinator;
use rechunk_worker::{CoordinatorLink, LinkError};
use tokio::time::sleep;

use crate::{dice::Dice, trouble::Trouble};

/// How often a process that stands still is looked at.
const STILL: Duration = Duration::from_millis(250);

/// Where calls go.
#[derive(Clone)]
pub(crate) struct Network {
    dice: Dice,
    trouble: Trouble,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The coordinators that run, the newest last.
    coordinators: Vec<(String, Coordinator)>,
    /// Workers that nobody reaches.
    cut: BTreeSet<String>,
    /// Workers whose calls all go to the coordinator of this name.
    bound: BTreeMap<String, String>,
    /// Processes that stand still: what they send and what is sent to them waits.
    still: BTreeSet<String>,
}

impl Network {
    pub(crate) fn new(dice: &Dice, trouble: &Trouble) -> Self {
        Self { dice: dice.clone(), trouble: trouble.clone(), state: Arc::default() }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn add(&self, name: &str, coordinator: Coordinator) {
        self.with(|state| state.coordinators.push((name.to_owned(), coordinator)));
    }

    /// A coordinator has ended.
    pub(crate) fn remove(&self, name: &str) {
        self.with(|state| state.coordinators.retain(|(other, _)| other != name));
    }

    pub(crate) fn newest(&self) -> Option<Coordinator> {
        self.with(|state| state.coordinators.last().map(|(_, coordinator)| coordinator.clone()))
    }

    pub(crate) fn cut(&self, worker: &str) {
        self.with(|state| state.cut.insert(worker.to_owned()));
    }

    pub(crate) fn restore(&self, worker: &str) {
        self.with(|state| {
            state.cut.remove(worker);
            state.bound.remove(worker);
        });
    }

    pub(crate) fn bind(&self, worker: &str, coordinator: &str) {
        self.with(|state| state.bound.insert(worker.to_owned(), coordinator.to_owned()));
    }

    pub(crate) fn hold(&self, process: &str) {
        self.with(|state| state.still.insert(process.to_owned()));
    }

    pub(crate) fn resume(&self, process: &str) {
        self.with(|state| state.still.remove(process));
    }

    /// Nobody is cut off or stands still.
    pub(crate) fn restore_all(&self) {
        self.with(|state| {
            state.cut.clear();
            state.bound.clear();
            state.still.clear();
        });
    }

    fn is_cut(&self, worker: &str) -> bool {
        self.with(|state| state.cut.contains(worker))
    }

    async fn awake(&self, process: &str) {
        while self.with(|state| state.still.contains(process)) {
            sleep(STILL).await;
        }
    }

    /// The coordinator that this worker's call finds: one that was overtaken is found now and then.
    fn reached(&self, worker: &str) -> Option<(String, Coordinator)> {
        self.with(|state| {
            if let Some(bound) = state.bound.get(worker) {
                return state.coordinators.iter().find(|(name, _)| name == bound).cloned();
            }
            let count = state.coordinators.len();
            let back = usize::from(count > 1 && self.dice.below(3) == 0);
            state.coordinators.get(count.checked_sub(1 + back)?).cloned()
        })
    }
}

/// A worker's link.
pub(crate) struct Link {
    pub(crate) network: Network,
    pub(crate) worker: String,
}

impl Link {
    /// A message goes over the network; it may not arrive.
    async fn travel(&self, what: &'static str) -> Result<(), LinkError> {
        let Network { dice, trouble, .. } = &self.network;
        self.network.awake(&self.worker).await;
        let odds = trouble.odds();
        let slow = dice.once_in(odds.call_slow);
        let time = if slow { dice.millis(100, 15_000) } else { dice.millis(0, 20) };
        let is_lost = dice.once_in(odds.call_lost);
        sleep(time).await;
        if is_lost {
            trouble.note(what);
        }
        if is_lost || self.network.is_cut(&self.worker) {
            if dice.below(2) == 0 {
                return Err(LinkError::Unreachable("the connection broke".to_owned()));
            }
            // Nothing says so: the caller waits until it has waited long enough.
            std::future::pending::<()>().await;
        }
        self.network.awake(&self.worker).await;
        Ok(())
    }
}

#[async_trait]
impl CoordinatorLink for Link {
    async fn sync(&self, request: SyncRequest) -> Result<SyncResponse, LinkError> {
        let Network { dice, trouble, .. } = &self.network;
        let reached = self.network.reached(&self.worker);
        let repeated = dice.once_in(trouble.odds().call_repeated).then(|| dice.millis(0, 60_000));
        self.travel("calls lost").await?;
        let (name, coordinator) = reached.ok_or_else(|| LinkError::Unreachable("nobody listens".to_owned()))?;
        self.network.awake(&name).await;
        if let Some(later) = repeated {
            trouble.note("calls repeated");
            let (coordinator, request) = (coordinator.clone(), request.clone());
            // Nobody hears its answer; it ends with the runtime at the latest.
            tokio::spawn(async move {
                sleep(later).await;
                let _unheard = coordinator.sync(request).await;
            });
        }
        let answer = coordinator.sync(request).await.map_err(|refusal| LinkError::Unreachable(refusal.message))?;
        self.network.awake(&name).await;
        self.travel("answers lost").await?;
        Ok(answer)
    }
}
