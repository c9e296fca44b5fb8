//! Workers: real ones, each with a clock of its own, that are killed, cut off, paused and drained.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rechunk_common::ByteCount;
use rechunk_worker::{Clock, ComputePool, WorkerBuilder};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    calls::Link,
    store::{Access, Role},
    world::{Machine, World},
};

/// Clock rates differ by some per cent. A process that stands still sees no time pass, and much of it when it goes on.
#[derive(Clone)]
struct Drifting {
    begun: Instant,
    per_mille: u32,
    stopped: Arc<Mutex<Option<Duration>>>,
}

impl Drifting {
    fn stopped(&self) -> MutexGuard<'_, Option<Duration>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let now = self.now();
        *self.stopped() = Some(now);
    }

    fn go_on(&self) {
        *self.stopped() = None;
    }
}

impl Clock for Drifting {
    fn now(&self) -> Duration {
        let stopped = *self.stopped();
        stopped.unwrap_or_else(|| self.begun.elapsed() * self.per_mille / 1_000)
    }
}

struct Process {
    task: JoinHandle<()>,
    shutdown: CancellationToken,
    access: Access,
    clock: Drifting,
}

/// The workers of a run, by number.
pub(crate) struct Workers {
    world: World,
    begun: Instant,
    processes: Vec<Option<Process>>,
    memory: ByteCount,
}

impl Workers {
    pub(crate) fn new(world: &World, count: usize, memory: ByteCount) -> Self {
        let mut workers = Self { world: world.clone(), begun: Instant::now(), processes: Vec::new(), memory };
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
        let World { dice, minutes, network, depot, .. } = &self.world;
        minutes.note(&format!("{name} starts"));
        let per_mille = 980 + u32::try_from(dice.below(41)).expect("small");
        let clock = Drifting { begun: self.begun, per_mille, stopped: Arc::default() };
        let access = depot.access(&name, Role::Worker);
        let built = WorkerBuilder::new()
            .name(&name)
            .stores(access.stores.clone())
            .memory(self.memory)
            .slots(1 + u32::try_from(dice.below(3)).expect("small"))
            .compute(ComputePool::inline())
            .clock(clock.clone())
            .surroundings(Machine { world: self.world.clone(), ahead: Duration::ZERO })
            .link(Link { network: network.clone(), worker: name })
            .build()
            .expect("a worker");
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(built.run(shutdown.clone()));
        self.processes[worker] = Some(Process { task, shutdown, access, clock });
    }

    /// A process dies; what it was writing may or may not be there.
    pub(crate) async fn kill(&mut self, worker: usize) {
        let Some(process) = self.processes[worker].take() else { return };
        self.world.minutes.note(&format!("{} is killed", Self::name(worker)));
        self.world.trouble.note("workers killed");
        process.task.abort();
        let _was_aborted = process.task.await;
    }

    /// A process stands still, for all that anybody can see of it.
    pub(crate) fn pause(&mut self, worker: usize) {
        if let Some(process) = &self.processes[worker] {
            self.world.minutes.note(&format!("{} stands still", Self::name(worker)));
            self.world.trouble.note("workers paused");
            self.world.network.hold(&Self::name(worker));
            process.access.hold();
            process.clock.stop();
        }
    }

    /// Nothing hinders this worker any more; one that has ended starts again.
    pub(crate) fn restore(&mut self, worker: usize) {
        let name = Self::name(worker);
        self.world.network.restore(&name);
        self.world.network.resume(&name);
        if let Some(process) = &self.processes[worker] {
            process.clock.go_on();
            process.access.resume();
        }
        self.start(worker);
    }

    /// A worker is asked to leave; another process of its name may come once it has.
    pub(crate) fn drain(&mut self, worker: usize) {
        if let Some(process) = &self.processes[worker] {
            self.world.minutes.note(&format!("{} is asked to leave", Self::name(worker)));
            self.world.trouble.note("workers drained");
            process.shutdown.cancel();
        }
    }

    /// No worker ends of itself, but by being asked to.
    pub(crate) async fn bury(&mut self) -> Result<(), String> {
        for place in &mut self.processes {
            if let Some(process) = place.take_if(|process| process.task.is_finished()) {
                let was_asked = process.shutdown.is_cancelled();
                process.task.await.map_err(|error| format!("a worker broke off: {error}"))?;
                if !was_asked {
                    return Err("a worker ended of itself".to_owned());
                }
            }
        }
        Ok(())
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
