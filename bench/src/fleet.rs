//! A fleet of simulated workers that drive the real scheduler, in simulated time.
//!
//! A worker calls when a lease of its is done, and every ten seconds to renew what it holds and to report what is done
//! so far, as real ones do. Records become durable once a simulated second. Only the time inside `apply` is measured.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use rechunk_common::{
    ByteCount,
    ids::{Epoch, JobId, JournalPosition},
    plan::{MultiStagePipeline, ParallelPipelines, Phase, Plan, Stage, StageFunction},
};
use rechunk_scheduler::{Command, Event, Scheduler, Settings, Timestamp};

use crate::{jobs, worker::SimulatedWorker};

/// A lease is renewed three times before it ends.
const RENEWAL_MS: u64 = 10_000;

/// Records are flushed in batches.
const FLUSH_MS: u64 = 1_000;

/// What a fleet is like.
#[derive(Debug, Clone, Copy)]
pub struct FleetShape {
    /// Workers, of one slot each.
    pub workers: usize,
    /// What a task takes on the average worker; the slowest takes 1.2 times as long, the fastest 0.8 times.
    pub task_ms: u64,
    /// Tasks of each job.
    pub tasks: u64,
}

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Calls of workers.
    pub calls: u64,
    /// Leases granted.
    pub leases: u64,
    /// Tasks granted; all but those at work are done.
    pub tasks: u64,
    /// Time spent inside `apply`.
    pub applying: Duration,
    /// The longest single `apply`.
    pub longest: Duration,
}

/// The scheduler and its simulated workers.
pub struct SimulatedFleet {
    shape: FleetShape,
    scheduler: Scheduler,
    workers: Vec<SimulatedWorker>,
    calls: BinaryHeap<Reverse<(Timestamp, usize)>>,
    plan: Plan,
    jobs: u64,
    /// Tasks of the newest job that are not granted yet.
    left: u64,
    recorded: JournalPosition,
    next_flush: Timestamp,
    now: Timestamp,
    work: Work,
}

impl SimulatedFleet {
    /// A fleet whose workers call for the first time within the first ten seconds; `None` if its job can't be planned.
    pub fn new(shape: FleetShape) -> Option<Self> {
        let plan = plan_of(shape.tasks)?;
        let workers = (0..shape.workers).map(|number| {
            let spread = u64::try_from(number % 5).unwrap_or_default();
            let task_ms = shape.task_ms * (8 + spread) / 10;
            SimulatedWorker::new(number, StageFunction::built_in(), 1, task_ms)
        });
        let count = u64::try_from(shape.workers.max(1)).unwrap_or(u64::MAX);
        let first_call = |number: usize| {
            let number = u64::try_from(number).unwrap_or_default();
            Reverse((Timestamp(number * RENEWAL_MS / count), usize::try_from(number).unwrap_or_default()))
        };
        let mut fleet = Self {
            scheduler: Scheduler::new(Epoch(1), Settings::default()),
            workers: workers.collect(),
            calls: (0..shape.workers).map(first_call).collect(),
            plan,
            jobs: 0,
            left: 0,
            recorded: JournalPosition(0),
            next_flush: Timestamp(FLUSH_MS),
            now: Timestamp(0),
            work: Work::default(),
            shape,
        };
        fleet.submit();
        Some(fleet)
    }

    /// What was done since the fleet began, or since [`Self::start_count`].
    pub fn work(&self) -> Work {
        self.work
    }

    /// Counts anew.
    pub fn start_count(&mut self) {
        self.work = Work::default();
    }

    /// Simulated time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The scheduler as it stands.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The next call of a worker. A job that has nothing left to grant is followed by the next, where `is_endless`.
    pub fn step(&mut self, is_endless: bool) {
        let Some(Reverse((due, number))) = self.calls.pop() else { return };
        self.now = self.now.max(due);
        if self.now >= self.next_flush {
            self.flush();
        }
        let Some(worker) = self.workers.get_mut(number) else { return };
        let request = worker.call(self.now);
        self.work.calls += 1;
        let commands = self.apply(Event::Sync(Box::new(request)));
        self.carry_out(commands, Some(number));
        let Some(worker) = self.workers.get(number) else { return };
        let renewal = self.now.after_ms(RENEWAL_MS);
        let next = worker.next_end().map_or(renewal, |end| end.min(renewal));
        self.calls.push(Reverse((next.max(self.now.after_ms(1)), number)));
        if is_endless && self.left == 0 {
            self.submit();
        }
    }

    /// Whether the newest job has tasks that nobody was granted yet.
    pub fn has_untouched_tasks(&self) -> bool {
        self.left > 0
    }

    /// The newest job.
    pub fn newest_job(&self) -> JobId {
        JobId(format!("job-{:012}", self.jobs))
    }

    fn submit(&mut self) {
        self.jobs += 1;
        self.left = self.shape.tasks;
        let job = self.newest_job();
        let commands = self.apply(Event::Submit {
            target: format!("s3://bucket/{}", job.as_str()),
            job,
            request_id: None,
            plan: Box::new(self.plan.clone()),
            source: "s3://bucket/source".to_owned(),
            temp_limit: None,
            weight: 1,
            max_parallel_tasks: None,
        });
        self.carry_out(commands, None);
        self.flush();
    }

    fn flush(&mut self) {
        self.next_flush = self.now.after_ms(FLUSH_MS);
        let commands = self.apply(Event::RecordDurable { position: self.recorded });
        self.carry_out(commands, None);
    }

    fn apply(&mut self, event: Event) -> Vec<Command> {
        let begun = Instant::now();
        let commands = self.scheduler.apply(self.now, event);
        let took = begun.elapsed();
        self.work.applying += took;
        self.work.longest = self.work.longest.max(took);
        commands
    }

    fn carry_out(&mut self, commands: Vec<Command>, caller: Option<usize>) {
        for command in commands {
            match command {
                Command::Append(record) => self.recorded = record.position,
                Command::Answer { response, .. } => {
                    let Some(worker) = caller.and_then(|number| self.workers.get_mut(number)) else { continue };
                    self.work.leases += u64::try_from(response.granted.len()).unwrap_or_default();
                    let granted = worker.receive(self.now, *response);
                    self.work.tasks += granted;
                    self.left = self.left.saturating_sub(granted);
                }
                Command::Accepted { .. }
                | Command::Refused { .. }
                | Command::Confirmed { .. }
                | Command::JobChanged { .. } => {}
            }
        }
    }
}

/// One stage of `tasks` tasks, with the parameters that a real stage has: each grant carries them.
fn plan_of(tasks: u64) -> Option<Plan> {
    let planned = rechunk_planner::plan(&jobs::reblock_of(1_000_000)).ok()?;
    let stage = planned.stages().find(|stage| matches!(stage.function, StageFunction::CopyReadToWrite(_)))?.clone();
    let stage = Stage { task_count: tasks, ..stage };
    let pipeline = MultiStagePipeline { name: "copy".to_owned(), stages: vec![stage], temp_bytes: ByteCount(0) };
    let pipelines = ParallelPipelines { pipelines: vec![pipeline] };
    let phases = vec![Phase { name: "copy".to_owned(), pipelines }];
    Some(Plan { phases, cleanup: ParallelPipelines::default(), summary: None })
}
