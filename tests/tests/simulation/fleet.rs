//! Workers: real ones, each with a clock of its own, that are killed, cut off and drained.

use std::time::Duration;

use rechunk_common::ByteCount;
use rechunk_storage::Stores;
use rechunk_worker::{Clock, ComputePool, WorkerBuilder};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    calls::{Link, Network},
    dice::Dice,
    trouble::Trouble,
    witness::Minutes,
};

/// Clock rates differ by some per cent.
struct Drifting {
    begun: Instant,
    per_mille: u32,
}

impl Clock for Drifting {
    fn now(&self) -> Duration {
        self.begun.elapsed() * self.per_mille / 1_000
    }
}

struct Process {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
}

/// The workers of a run, by number.
pub(crate) struct Workers {
    dice: Dice,
    trouble: Trouble,
    network: Network,
    minutes: Minutes,
    stores: Stores,
    begun: Instant,
    processes: Vec<Option<Process>>,
    memory: ByteCount,
}

impl Workers {
    pub(crate) fn new(
        (dice, trouble): (&Dice, &Trouble),
        network: &Network,
        minutes: &Minutes,
        stores: Stores,
        (count, memory): (usize, ByteCount),
    ) -> Self {
        let mut workers = Self {
            dice: dice.clone(),
            trouble: trouble.clone(),
            network: network.clone(),
            minutes: minutes.clone(),
            stores,
            begun: Instant::now(),
            processes: Vec::new(),
            memory,
        };
        workers.processes.resize_with(count, || None);
        (0..count).for_each(|worker| workers.start(worker));
        workers
    }

    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    pub(crate) fn name(worker: usize) -> String {
        format!("worker-{worker}")
    }

    /// Starts a process of this name, if none runs.
    pub(crate) fn start(&mut self, worker: usize) {
        if self.processes[worker].as_ref().is_some_and(|process| !process.task.is_finished()) {
            return;
        }
        let name = Self::name(worker);
        self.minutes.note(&format!("{name} starts"));
        let clock = Drifting { begun: self.begun, per_mille: 980 + u32::try_from(self.dice.below(41)).expect("small") };
        let built = WorkerBuilder::new()
            .name(&name)
            .stores(self.stores.clone())
            .memory(self.memory)
            .slots(1 + u32::try_from(self.dice.below(3)).expect("small"))
            .compute(ComputePool::inline())
            .clock(clock)
            .chance(self.dice.clone())
            .link(Link { network: self.network.clone(), worker: name })
            .build()
            .expect("a worker");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(built.run(shutdown.clone()));
        self.processes[worker] = Some(Process { task, shutdown });
    }

    /// A process dies; what it was writing may or may not be there.
    pub(crate) async fn kill(&mut self, worker: usize) {
        let Some(process) = self.processes[worker].take() else { return };
        self.minutes.note(&format!("{} is killed", Self::name(worker)));
        self.trouble.note("workers killed");
        process.task.abort();
        let _was_aborted = process.task.await;
    }

    /// A worker is asked to leave; another process of its name may come once it has.
    pub(crate) fn drain(&mut self, worker: usize) {
        if let Some(process) = &self.processes[worker] {
            self.minutes.note(&format!("{} is asked to leave", Self::name(worker)));
            self.trouble.note("workers drained");
            process.shutdown.cancel();
        }
    }

    /// All leave in good order.
    pub(crate) async fn end(&mut self) -> Result<(), String> {
        for process in self.processes.iter().flatten() {
            process.shutdown.cancel();
        }
        for process in self.processes.iter_mut().filter_map(Option::take) {
            process.task.await.map_err(|error| format!("a worker broke off: {error}"))?;
        }
        Ok(())
    }
}
