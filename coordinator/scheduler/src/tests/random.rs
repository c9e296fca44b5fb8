//! Random histories: lost, repeated and reordered calls, crashes, failures, cancels, slow journals. The invariants hold
//! after every step, what was said is true in the end, and every job ends once the faults stop.

use std::{collections::BTreeMap, time::Duration};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use rechunk_common::{
    FailureClass, TaskFailure,
    ids::{Incarnation, JournalPosition, StageAddress, SyncSeq, TaskIndex},
    job::{JobState, JobView},
    plan::Plan,
    session::{DoneTasks, FailedTask, SyncCall, SyncRequest},
    task_set::{TaskRange, TaskSet},
};

use super::{
    plans::{destroying, of_function, phase, phases, pipeline, publishing, stage},
    steps::{JOBS, Step, WORKERS, step},
    world::{World, puts, settings},
};
use crate::{
    Command, Event, RecordFact, Scheduler, Settings, Timestamp, invariants::check_replay, job::Lifecycle,
    lease::LeaseKind, stage::StageState,
};

/// Two phases: two pipelines with an exchange that is deleted, then publishing.
fn plan(tasks: u64) -> Plan {
    let group = || {
        let write = of_function("write", stage("write", tasks));
        pipeline(vec![stage("read", tasks), stage("index", 1), write, destroying("delete", 1)])
    };
    phases(vec![phase(vec![group(), group()]), phase(vec![pipeline(vec![stage("none", 0), publishing("publish", 2)])])])
}

/// Leases of so much work, and failed jobs that are removed soon.
fn tight(lease_work_ms: u64) -> Settings {
    let (lease_work, retry_window) = (Duration::from_millis(lease_work_ms), Duration::from_secs(200));
    Settings { lease_work, retry_window, ..settings() }
}

/// A world with calls on the way.
struct History {
    world: World,
    on_the_way: Vec<SyncRequest>,
    /// The latest call of each worker, while its answer is awaited.
    awaited: BTreeMap<&'static str, u64>,
    /// Position in `records` up to which they are durable.
    durable: usize,
    seen: Seen,
}

/// What kinds of trouble there was.
#[derive(Debug, Default)]
struct Seen {
    backups: u64,
    repairs: u64,
    blocked: u64,
    expired: u64,
    retries: u64,
    ends: BTreeMap<&'static str, u64>,
    deletions: u64,
    draining_stages: u64,
    restarts: u64,
    job_retries: u64,
}

impl Seen {
    fn look_at(&mut self, scheduler: &Scheduler) {
        let leases = || scheduler.leases.iter().map(|(_, lease)| lease);
        self.backups += leases().filter(|lease| lease.kind == LeaseKind::Backup).count() as u64;
        self.repairs += leases().filter(|lease| lease.kind == LeaseKind::Repair).count() as u64;
        for job in scheduler.jobs.values() {
            self.deletions += u64::from(matches!(job.lifecycle, Lifecycle::Deleting { .. }));
            let stages = || job.open.values().flat_map(|pipeline| &pipeline.stages);
            self.blocked += stages().map(|stage| stage.blocked.len() as u64).sum::<u64>();
            self.draining_stages += stages().filter(|stage| stage.state == StageState::Draining).count() as u64;
        }
    }

    fn look_at_the_end(&mut self, scheduler: &Scheduler) {
        for job in scheduler.jobs() {
            self.expired += job.leases_expired;
            self.retries += job.retries;
            *self.ends.entry(job.state.as_str()).or_default() += 1;
        }
    }
}

impl History {
    fn begin(tasks: u64, lease_work_ms: u64) -> Self {
        let mut world = World::with(tight(lease_work_ms));
        world.is_durable_at_once = false;
        for name in JOBS {
            world.submit_with(name, plan(tasks), |event| {
                if let Event::Submit { max_parallel_tasks, temp_limit, .. } = event {
                    // The second job is held tight.
                    *max_parallel_tasks = (name == "b").then_some(2);
                    *temp_limit = (name == "b").then_some(rechunk_common::ByteCount(100));
                }
            });
        }
        for (name, slots) in WORKERS.into_iter().zip([1, 2, 3]) {
            let functions = ["copy", "write"].map(|function| rechunk_common::plan::FunctionId::new(function, 1));
            world.add_worker(name, slots).functions = functions.to_vec();
        }
        Self { world, on_the_way: Vec::new(), awaited: BTreeMap::new(), durable: 0, seen: Seen::default() }
    }

    /// Answers reach the workers that still wait for them.
    fn deliver(&mut self, commands: &[Command]) {
        for command in commands {
            let Command::Answer { call, response } = command else { continue };
            let Some(name) = WORKERS.into_iter().find(|name| *name == call.worker.as_str()) else { continue };
            if self.awaited.get(name) == Some(&response.seq.0) {
                self.awaited.remove(name);
                self.world.receive(name, response);
            }
        }
    }

    fn apply(&mut self, event: Event) {
        let commands = self.world.apply(event);
        self.deliver(&commands);
        self.seen.look_at(&self.world.scheduler);
    }

    fn call(&mut self, worker: usize, wait_ms: u64, is_lost: bool) {
        let name = WORKERS[worker];
        let request = self.world.request(name, wait_ms);
        self.awaited.remove(name);
        if !is_lost {
            self.awaited.insert(name, request.seq.0);
        }
        self.apply(Event::Sync(Box::new(request)));
    }

    /// The worker has done the first tasks of a lease that it has not reported yet.
    fn work(&mut self, worker: usize, lease: usize, count: u64) {
        let name = WORKERS[worker];
        let Some(lease) = self.world.worker(name).held.get(lease).cloned() else { return };
        let end = lease.tasks.end.min(lease.tasks.start + count);
        let tasks = TaskRange::new(lease.tasks.start, end);
        self.world.report(name, &lease, vec![DoneTasks { tasks, counts: puts(tasks.len()) }], vec![]);
        self.shrink(name, lease.id, end);
    }

    /// The worker goes on with what is left of a lease, which keeps its own range in every call.
    fn shrink(&mut self, name: &str, id: rechunk_common::ids::LeaseId, start: u64) {
        let held = &mut self.world.worker(name).held;
        for lease in held.iter_mut().filter(|lease| lease.id == id) {
            lease.tasks.start = start;
        }
        held.retain(|lease| !lease.tasks.is_empty());
    }

    fn fail(&mut self, worker: usize, lease: usize, class: FailureClass) {
        let name = WORKERS[worker];
        let Some(lease) = self.world.worker(name).held.get(lease).cloned() else { return };
        let task = lease.tasks.start;
        let failure = TaskFailure::new(class, "no luck");
        self.world.report(name, &lease, vec![], vec![FailedTask { task: TaskIndex(task), failure, counts: puts(1) }]);
        self.shrink(name, lease.id, task + 1);
    }

    fn make_durable(&mut self, count: usize) {
        self.durable = self.world.records.len().min(self.durable + count);
        if let Some(last) = self.durable.checked_sub(1) {
            let position = self.world.records[last].position;
            self.apply(Event::RecordDurable { position });
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Call { worker, waits, is_lost } => self.call(worker, if waits { 9_000 } else { 0 }, is_lost),
            Step::CallLate { worker } => {
                let request = self.world.request(WORKERS[worker], 0);
                self.awaited.remove(WORKERS[worker]);
                self.on_the_way.push(request);
            }
            Step::Arrive { which, again } => {
                let Some(request) = self.on_the_way.get(which).cloned() else { return };
                if !again {
                    self.on_the_way.remove(which);
                }
                self.apply(Event::Sync(Box::new(request)));
            }
            Step::Drop { worker } => {
                let process = self.world.worker(WORKERS[worker]);
                let (incarnation, seq) = (process.incarnation, process.seq);
                let call = SyncCall {
                    worker: WORKERS[worker].into(),
                    incarnation: Incarnation(incarnation),
                    seq: SyncSeq(seq),
                };
                self.awaited.remove(WORKERS[worker]);
                self.apply(Event::SyncDropped { call });
            }
            Step::Work { worker, lease, count } => self.work(worker, lease, count),
            Step::Fail { worker, lease, class } => self.fail(worker, lease, class),
            Step::Abandon { worker, lease } => {
                let held = &mut self.world.worker(WORKERS[worker]).held;
                if lease < held.len() {
                    held.remove(lease);
                }
            }
            Step::Crash { worker } => {
                self.awaited.remove(WORKERS[worker]);
                let worker = self.world.worker(WORKERS[worker]);
                worker.incarnation += 1;
                (worker.held, worker.reports, worker.next_number) = (vec![], vec![], 1);
            }
            Step::Drain { worker } => {
                let worker = self.world.worker(WORKERS[worker]);
                worker.draining = !worker.draining;
            }
            Step::Wait { ms } => {
                let commands = self.world.wait(ms);
                self.deliver(&commands);
            }
            Step::Durable { count } => self.make_durable(count),
            Step::Restart => {
                self.awaited.clear();
                self.seen.restarts += 1;
                let commands = self.world.restart(self.durable);
                self.deliver(&commands);
            }
            Step::Retry { job } => {
                let failed = |job: &JobView| job.state == JobState::Failed;
                let before = self.world.scheduler.job(&JOBS[job].into());
                self.apply(Event::Retry { job: JOBS[job].into() });
                self.seen.job_retries += u64::from(before.as_ref().is_some_and(failed));
            }
            Step::Cancel { job } => self.apply(Event::Cancel { job: JOBS[job].into() }),
            Step::Delete { job } => self.apply(Event::Delete { job: JOBS[job].into() }),
        }
    }

    /// The faults stop: workers do their work, the journal is fast. Every job must end.
    fn calm_down(&mut self) {
        for name in WORKERS {
            self.world.worker(name).draining = false;
        }
        for _ in 0..300 {
            self.make_durable(usize::MAX / 2);
            if self.world.scheduler.jobs().all(|job| job.state.is_terminal()) && self.world.scheduler.jobs().count() > 0
            {
                break;
            }
            for (worker, name) in WORKERS.into_iter().enumerate() {
                while !self.world.worker(name).held.is_empty() {
                    self.work(worker, 0, u64::MAX / 2);
                }
                self.call(worker, 0, false);
            }
            self.step(&Step::Wait { ms: 1_000 });
        }
        for job in self.world.scheduler.jobs() {
            assert!(job.state.is_terminal(), "{job:?}\n{:#?}", self.world.scheduler);
        }
    }

    /// What the journal holds makes sense: every task once, every barrier after all of its tasks.
    fn check_records(&self) {
        let mut done: BTreeMap<StageAddress, TaskSet> = BTreeMap::new();
        let mut barriers: Vec<StageAddress> = Vec::new();
        for (index, record) in self.world.records.iter().enumerate() {
            assert_eq!(record.position, JournalPosition(index as u64 + 1));
            match &record.fact {
                RecordFact::TasksDone { stage, tasks, .. } => {
                    let new = done.entry(stage.clone()).or_default().insert(*tasks);
                    // A cleanup that is tried again after it failed does its tasks again.
                    assert!(new == tasks.len() || stage.phase.0 == 2, "{stage}: {tasks:?} twice");
                    assert!(!barriers.contains(stage) || stage.phase.0 == 2, "{stage}: done after its barrier");
                }
                RecordFact::BarrierPassed { stage } => barriers.push(stage.clone()),
                RecordFact::JobAccepted { .. }
                | RecordFact::RetryStarted { .. }
                | RecordFact::TaskDied { .. }
                | RecordFact::EndingDecided { .. }
                | RecordFact::JobSettled { .. }
                | RecordFact::CleanupStarted { .. }
                | RecordFact::CleanupDone { .. }
                | RecordFact::JobDeleted { .. } => {}
            }
        }
        for job in self.world.scheduler.jobs().filter(|job| job.state == JobState::Succeeded) {
            for row in &job.stages {
                assert_eq!((row.done, row.leased), (row.tasks, 0), "{} {}", job.id, row.name);
                assert_eq!(row.measured.put_requests, row.predicted.put_requests, "{} {}", job.id, row.name);
            }
            let passed = barriers.iter().filter(|stage| stage.job == job.id).count();
            assert_eq!(passed, 10, "all barriers of {}", job.id);
        }
    }
}

/// The same events give the same commands.
fn check_determinism(world: &World) {
    let mut scheduler = world.origin.clone();
    let mut said = Vec::new();
    for (now, event) in &world.history {
        said.extend(scheduler.apply(*now, event.clone()));
    }
    assert_eq!(said, world.said);
    assert_eq!(scheduler, world.scheduler);
}

fn history() -> impl Strategy<Value = (u64, u64, Vec<Step>)> {
    let lease_work_ms = prop_oneof![Just(1_u64), Just(5_000), Just(100_000)];
    (1_u64..7, lease_work_ms, prop::collection::vec(step(), 0..250))
}

fn run((tasks, lease_work_ms, steps): (u64, u64, Vec<Step>)) -> History {
    let mut history = History::begin(tasks, lease_work_ms);
    history.make_durable(2);
    for step in &steps {
        history.step(step);
        check_replay(&history.world.scheduler, &history.world.records).expect("a replay makes the same");
    }
    history.calm_down();
    history.seen.look_at_the_end(&history.world.scheduler);
    history
}

/// A check that can't fail is no check: the histories do get into every kind of trouble.
#[test]
fn random_histories_meet_every_kind_of_trouble() {
    let mut runner = TestRunner::deterministic();
    let (mut backups, mut repairs, mut blocked, mut expired, mut retries, mut deletions, mut draining) =
        Default::default();
    let (mut restarts, mut job_retries) = Default::default();
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for _ in 0..200 {
        let input = history().new_tree(&mut runner).expect("a history").current();
        let seen = run(input).seen;
        let add = |sum: &mut u64, seen: u64| *sum += seen;
        add(&mut backups, seen.backups);
        add(&mut repairs, seen.repairs);
        add(&mut blocked, seen.blocked);
        add(&mut expired, seen.expired);
        add(&mut retries, seen.retries);
        add(&mut deletions, seen.deletions);
        add(&mut draining, seen.draining_stages);
        add(&mut restarts, seen.restarts);
        add(&mut job_retries, seen.job_retries);
        for (end, count) in seen.ends {
            *ends.entry(end).or_default() += count;
        }
    }
    let counts = [backups, repairs, blocked, expired, retries, deletions, draining, restarts, job_retries];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(ends.keys().copied().collect::<Vec<_>>(), vec!["CANCELLED", "FAILED", "SUCCEEDED"], "{ends:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold_and_every_job_ends(input in history()) {
        let history = run(input);
        history.check_records();
        check_determinism(&history.world);
    }

    #[test]
    fn a_clock_that_goes_back_counts_as_one_that_stands(times in prop::collection::vec(0_u64..100_000, 1..40)) {
        let mut world = World::new();
        world.submit("a", plan(3));
        world.add_worker("w", 2);
        let mut latest = 0;
        for time in times {
            world.now = time;
            world.sync("w");
            latest = latest.max(time).max(1_000);
            prop_assert_eq!(world.scheduler.workers()[0].last_heard_at_ms, latest);
        }
        prop_assert!(world.scheduler.next_deadline() > Some(Timestamp(latest)));
    }
}
