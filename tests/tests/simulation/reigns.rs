//! Coordinators: the one that reigns, and those that were overtaken and do not know it yet.

use std::sync::{Arc, Mutex, PoisonError};

use rechunk_common::ids::JobId;
use rechunk_coordinator::{
    Coordinator, CoordinatorError, CoordinatorParts, CoordinatorSettings, CoordinatorTask,
    journal::{JournalError, JournalLimits, ObjectJournal},
    surroundings::Surroundings,
};
use rechunk_proto::journal::Nonce;
use rechunk_storage::{StoreUrl, Stores};
use tokio::time::{Duration, Instant, timeout};

use crate::{
    calls::Network,
    dice::Dice,
    trouble::Trouble,
    witness::{Minutes, ReignWitness},
};

/// The time of day when a run begins.
const NOON: u64 = 1_700_000_000_000;

/// How long an overtaken coordinator may take to notice.
const UNAWARE: Duration = Duration::from_mins(10);

/// A clock that may differ from others by some seconds, and ids by chance.
struct Simulated {
    dice: Dice,
    begun: Instant,
    offset_ms: u64,
}

impl Surroundings for Simulated {
    fn unix_millis(&self) -> u64 {
        NOON + self.offset_ms + u64::try_from(self.begun.elapsed().as_millis()).expect("a short run")
    }

    fn new_job_id(&self) -> JobId {
        JobId(format!("job-{:012x}", self.dice.number() >> 16))
    }

    fn has_threads(&self) -> bool {
        false
    }
}

/// All coordinators of a run.
pub(crate) struct Reigns {
    pub(crate) dice: Dice,
    pub(crate) trouble: Trouble,
    pub(crate) network: Network,
    pub(crate) minutes: Minutes,
    pub(crate) stores: Stores,
    pub(crate) journal: StoreUrl,
    pub(crate) begun: Instant,
    tasks: Mutex<Vec<(String, CoordinatorTask)>>,
    count: std::sync::atomic::AtomicU64,
}

impl Reigns {
    pub(crate) fn new(
        (dice, trouble): (&Dice, &Trouble),
        network: &Network,
        minutes: &Minutes,
        stores: Stores,
        journal: StoreUrl,
    ) -> Self {
        Self {
            dice: dice.clone(),
            trouble: trouble.clone(),
            network: network.clone(),
            minutes: minutes.clone(),
            stores,
            journal,
            begun: Instant::now(),
            tasks: Mutex::default(),
            count: 0.into(),
        }
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<(String, CoordinatorTask)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one more coordinator, beside those that there are.
    pub(crate) fn start(&self) {
        let number = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let name = format!("coordinator {number}");
        self.minutes.note(&format!("{name} starts"));
        let nonce = Nonce(u128::from(self.dice.number()) << 64 | u128::from(self.dice.number()));
        let limits = JournalLimits { snapshot_objects: 1 + self.dice.below(40), ..JournalLimits::default() };
        let journal = ObjectJournal::open(&self.stores, &self.journal, nonce).expect("a place").with_limits(limits);
        let offset_ms = self.dice.below(20_000);
        let (coordinator, task) = Coordinator::start_with(CoordinatorParts {
            settings: CoordinatorSettings::default(),
            stores: self.stores.clone(),
            journal: Box::new(journal),
            surroundings: Arc::new(Simulated { dice: self.dice.clone(), begun: self.begun, offset_ms }),
            witness: Some(Box::new(ReignWitness::new(&self.minutes, name.clone()))),
        });
        self.network.add(coordinator);
        self.tasks().push((name, task));
    }

    /// All coordinators die.
    pub(crate) async fn kill_all(&self) {
        let tasks: Vec<_> = std::mem::take(&mut *self.tasks());
        for (name, task) in tasks {
            self.minutes.note(&format!("{name} is killed"));
            task.kill().await;
        }
        self.network.keep_newest(0);
    }

    /// A coordinator starts while another reigns.
    pub(crate) fn overtake(&self) {
        self.trouble.note("coordinators overtaken");
        self.start();
        self.network.keep_newest(2);
    }

    /// Coordinators that have ended by themselves are gone; says why where it was no fault of the store.
    pub(crate) async fn bury(&self) -> Result<(), String> {
        let ended: Vec<_> = self.tasks().extract_if(.., |(_, task)| task.has_ended()).collect();
        for (name, task) in ended {
            let outcome = task.join().await;
            self.minutes.note(&format!("{name} has ended: {outcome:?}"));
            match outcome {
                Err(CoordinatorError::Journal(JournalError::Fenced(_))) => self.trouble.note("coordinators fenced"),
                Err(CoordinatorError::Journal(JournalError::Unavailable(_))) => {
                    self.trouble.note("coordinators without a journal");
                }
                Ok(()) => {}
                Err(error) => return Err(format!("{name} ended: {error}")),
            }
        }
        if self.tasks().is_empty() {
            self.network.keep_newest(0);
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tasks().is_empty()
    }

    /// The newest ends in good order; those that it overtook must have noticed.
    pub(crate) async fn end(&self) -> Result<(), String> {
        let tasks: Vec<_> = std::mem::take(&mut *self.tasks());
        let newest = tasks.len().saturating_sub(1);
        for (index, (name, task)) in tasks.into_iter().enumerate() {
            if index == newest
                && let Some(coordinator) = self.network.newest()
            {
                coordinator.shutdown();
            }
            let ended = timeout(UNAWARE, task.join()).await;
            match (ended, index == newest) {
                (Err(_), _) => return Err(format!("{name} does not end")),
                (Ok(Err(CoordinatorError::Driver(error))), _) => return Err(format!("{name} broke off: {error}")),
                // One that was overtaken may be the only one left, if its follower has lost the store.
                (Ok(Err(CoordinatorError::Journal(JournalError::Fenced(_)))), _) => {}
                (Ok(Err(error)), true) => return Err(format!("{name}, the newest, ended: {error}")),
                (Ok(_), _) => {}
            }
        }
        Ok(())
    }
}
