//! Coordinators: the one that reigns, and those that were overtaken and do not know it yet.

use std::{sync::Arc, time::Duration};

use rechunk_coordinator::{
    Coordinator, CoordinatorError, CoordinatorParts, CoordinatorSettings, CoordinatorTask,
    journal::{JournalError, JournalLimits, ObjectJournal},
};
use rechunk_proto::journal::Nonce;
use rechunk_storage::StoreUrl;
use tokio::time::{sleep, timeout};

use crate::{
    store::{Access, Role},
    witness::ReignWitness,
    world::{Machine, World},
};

/// How long an overtaken coordinator may take to notice, when nothing hinders it: it looks every ten seconds.
const UNAWARE: Duration = Duration::from_mins(1);

/// How long the end in good order may take.
const ENDING: Duration = Duration::from_mins(1);

struct Process {
    name: String,
    task: CoordinatorTask,
    access: Access,
}

/// All coordinators of a run.
pub(crate) struct Reigns {
    world: World,
    journal: StoreUrl,
    processes: Vec<Process>,
    count: u64,
}

impl Reigns {
    pub(crate) fn new(world: &World, journal: StoreUrl) -> Self {
        Self { world: world.clone(), journal, processes: Vec::new(), count: 0 }
    }

    /// Starts one more coordinator, beside those that there are.
    pub(crate) fn start(&mut self) {
        let World { dice, trouble, minutes, network, depot, .. } = &self.world;
        self.count += 1;
        let name = format!("coordinator {}", self.count);
        minutes.note(&format!("{name} starts"));
        let access = depot.access(&name, Role::Coordinator);
        let nonce = Nonce(u128::from(dice.number()) << 64 | u128::from(dice.number()));
        let limits = JournalLimits { snapshot_objects: dice.one_of(&[1, 3, 10, 40]), ..JournalLimits::default() };
        let journal = ObjectJournal::open(&access.stores, &self.journal, nonce).expect("a place").with_limits(limits);
        let surroundings = Machine { world: self.world.clone(), ahead: dice.millis(0, 20_000) };
        let (coordinator, task) = Coordinator::start_with(CoordinatorParts {
            settings: CoordinatorSettings::default(),
            stores: access.stores.clone(),
            journal: Box::new(journal),
            surroundings: Arc::new(surroundings),
            witness: Some(Box::new(ReignWitness::new(minutes, trouble, name.clone()))),
        });
        network.add(&name, coordinator);
        self.processes.push(Process { name, task, access });
    }

    /// All coordinators die.
    pub(crate) async fn kill_all(&mut self) {
        let processes = std::mem::take(&mut self.processes);
        for Process { name, task, .. } in processes {
            self.world.minutes.note(&format!("{name} is killed"));
            self.world.trouble.note("coordinators killed");
            task.kill().await;
            self.world.network.remove(&name);
        }
    }

    /// The newest dies; one that it overtook may live on.
    pub(crate) async fn kill_newest(&mut self) {
        let Some(Process { name, task, .. }) = self.processes.pop() else { return };
        self.world.minutes.note(&format!("{name} is killed"));
        self.world.trouble.note("coordinators killed");
        task.kill().await;
        self.world.network.remove(&name);
    }

    /// A coordinator starts while another reigns.
    pub(crate) fn overtake(&mut self) {
        self.world.trouble.note("coordinators overtaken");
        self.start();
    }

    /// Another starts, and the newest so far keeps some workers and loses the store until [`Self::restore`].
    pub(crate) fn split(&mut self, loyal: impl Iterator<Item = String>) {
        let Some(Process { name, access, .. }) = self.processes.last() else { return };
        self.world.minutes.note(&format!("{name} has no store, and does not know of another"));
        self.world.trouble.note("reigns split");
        access.hold();
        for worker in loyal {
            self.world.network.bind(&worker, name);
        }
        self.start();
    }

    /// The newest reaches the store no more, until [`Self::restore`]; in every other case nobody reaches it either.
    pub(crate) fn hold_newest(&self) {
        if let Some(Process { name, access, .. }) = self.processes.last() {
            self.world.minutes.note(&format!("{name} has no store"));
            self.world.trouble.note("coordinators paused");
            access.hold();
            if self.world.dice.below(2) == 0 {
                self.world.network.hold(name);
            }
        }
    }

    /// Nothing hinders any coordinator any more.
    pub(crate) fn restore(&self) {
        for Process { name, access, .. } in &self.processes {
            access.resume();
            self.world.network.resume(name);
        }
    }

    /// Coordinators that have ended by themselves are gone; says why where it was no fault of the store.
    pub(crate) async fn bury(&mut self) -> Result<(), String> {
        let ended: Vec<_> = self.processes.extract_if(.., |process| process.task.has_ended()).collect();
        for Process { name, task, .. } in ended {
            self.world.network.remove(&name);
            let outcome = task.join().await;
            self.world.minutes.note(&format!("{name} has ended: {outcome:?}"));
            match outcome {
                Err(CoordinatorError::Journal(JournalError::Fenced(_))) => {
                    self.world.trouble.note("coordinators fenced");
                }
                Err(CoordinatorError::Journal(JournalError::Unavailable(_))) => {
                    self.world.trouble.note("coordinators without a journal");
                }
                Ok(()) => return Err(format!("{name} ended of itself")),
                Err(error) => return Err(format!("{name} ended: {error}")),
            }
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// Of several, when nothing hinders them, one reigns after a while; it ends in good order.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        sleep(UNAWARE).await;
        self.bury().await?;
        if self.processes.is_empty() {
            // The one that was left had been overtaken before: as ever, another is started.
            self.start();
            sleep(UNAWARE).await;
            self.bury().await?;
        }
        let mut processes = std::mem::take(&mut self.processes);
        let names: Vec<_> = processes.iter().map(|process| process.name.clone()).collect();
        let (Some(Process { name, task, .. }), true) = (processes.pop(), processes.is_empty()) else {
            return Err(format!("one coordinator reigns: {names:?} do"));
        };
        self.world.network.newest().ok_or("the one that reigns can be reached")?.shutdown();
        match timeout(ENDING, task.join()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("{name} was asked to end, and failed: {error}")),
            Err(_elapsed) => Err(format!("{name} does not end")),
        }
    }
}
