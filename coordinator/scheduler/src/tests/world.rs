//! A scheduler, a clock and workers that do what they are told: the language in which the stories are written.

use std::{collections::BTreeMap, time::Duration};

use rechunk_common::{
    ByteCount, Counts, FailureClass, Refusal, TaskFailure,
    ids::{Epoch, Incarnation, JobId, JournalPosition, LeaseId, SyncSeq, TaskIndex, WorkerId},
    job::{JobState, JobView},
    plan::{FunctionId, Plan},
    session::{Capacity, DoneTasks, FailedTask, Lease, LeaseProgress, LeaseReport, SyncRequest, SyncResponse},
    task_set::TaskRange,
};

use crate::{
    Command, Event, Record, RecordFact, Scheduler, Settings, Timestamp,
    invariants::{check, check_step},
};

/// What a worker remembers.
#[derive(Debug, Clone)]
pub(super) struct TestWorker {
    pub(super) incarnation: u64,
    pub(super) seq: u64,
    pub(super) total: Capacity,
    pub(super) functions: Vec<FunctionId>,
    pub(super) draining: bool,
    pub(super) held: Vec<Lease>,
    pub(super) reports: Vec<LeaseReport>,
    pub(super) next_number: u64,
    /// How far its leases have moved.
    pub(super) moved: u64,
}

pub(super) struct World {
    pub(super) scheduler: Scheduler,
    pub(super) now: u64,
    /// Records become durable at once; else `make_durable` says when.
    pub(super) is_durable_at_once: bool,
    pub(super) records: Vec<Record>,
    pub(super) workers: BTreeMap<String, TestWorker>,
    /// All commands since the start but for `Append`.
    pub(super) log: Vec<Command>,
    /// The scheduler at the start, or when the last restart was over.
    pub(super) origin: Scheduler,
    /// All events since then.
    pub(super) history: Vec<(Timestamp, Event)>,
    /// All commands since then.
    pub(super) said: Vec<Command>,
}

pub(super) fn job(name: &str) -> JobId {
    JobId::from(name)
}

/// Counts of `puts` writes.
pub(super) fn puts(puts: u64) -> Counts {
    Counts { put_requests: puts, ..Counts::default() }
}

/// The constants of the stories, which tell times in seconds: a lease of 30, a margin of 10.
pub(super) fn settings() -> Settings {
    Settings { lease: Duration::from_secs(30), margin: Duration::from_secs(10), ..Settings::default() }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let scheduler = Scheduler::new(Epoch(7), settings);
        Self {
            origin: scheduler.clone(),
            scheduler,
            now: 1_000,
            is_durable_at_once: true,
            records: Vec::new(),
            workers: BTreeMap::new(),
            log: Vec::new(),
            history: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Applies an event, checks the invariants, and makes durable what is to be durable at once.
    pub(super) fn apply(&mut self, event: Event) -> Vec<Command> {
        let before = self.scheduler.clone();
        self.history.push((Timestamp(self.now), event.clone()));
        let mut commands = self.scheduler.apply(Timestamp(self.now), event);
        check(&self.scheduler).expect("an invariant of the state");
        check_step(&before, &self.scheduler).expect("an invariant of the step");
        self.said.extend(commands.iter().cloned());
        let mut last = None;
        for command in &commands {
            if let Command::Append(record) = command {
                self.records.push(record.clone());
                last = Some(record.position);
            } else {
                self.log.push(command.clone());
            }
        }
        if let Some(position) = last.filter(|_| self.is_durable_at_once) {
            commands.extend(self.apply(Event::RecordDurable { position }));
        }
        commands
    }

    /// The coordinator dies, and another one makes its scheduler of the first `durable` records; the rest is lost.
    pub(super) fn restart(&mut self, durable: usize) -> Vec<Command> {
        self.records.truncate(durable);
        let epoch = Epoch(self.scheduler.epoch.0 + 1);
        let last = self.records.last().map_or(JournalPosition(0), |record| record.position);
        let settings = self.scheduler.settings.clone();
        let records = self.records.iter().cloned();
        self.scheduler =
            Scheduler::recover(epoch, settings, Timestamp(self.now), records, last).expect("consistent records");
        self.origin = self.scheduler.clone();
        self.history.clear();
        self.said.clear();
        self.apply(Event::Begin)
    }

    /// Everything recorded so far becomes durable.
    pub(super) fn make_durable(&mut self) -> Vec<Command> {
        let position = self.records.last().map_or(JournalPosition(0), |record| record.position);
        self.apply(Event::RecordDurable { position })
    }

    /// Lets time pass, with a tick at every deadline.
    pub(super) fn wait(&mut self, ms: u64) -> Vec<Command> {
        let end = self.now + ms;
        let mut commands = Vec::new();
        while let Some(due) = self.scheduler.next_deadline().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            commands.extend(self.apply(Event::Tick));
        }
        self.now = end;
        commands.extend(self.apply(Event::Tick));
        commands
    }

    pub(super) fn submit(&mut self, name: &str, plan: Plan) -> Vec<Command> {
        self.submit_with(name, plan, |_| {})
    }

    pub(super) fn submit_with(&mut self, name: &str, plan: Plan, change: impl Fn(&mut Event)) -> Vec<Command> {
        let mut event = Event::Submit {
            job: job(name),
            request_id: None,
            plan: Box::new(plan),
            source: "s3://b/source".to_owned(),
            target: format!("s3://b/{name}"),
            temp_limit: None,
            weight: 1,
            max_parallel_tasks: None,
        };
        change(&mut event);
        self.apply(event)
    }

    pub(super) fn cancel(&mut self, name: &str) -> Vec<Command> {
        self.apply(Event::Cancel { job: job(name) })
    }

    pub(super) fn retry(&mut self, name: &str) -> Vec<Command> {
        self.apply(Event::Retry { job: job(name) })
    }

    pub(super) fn delete(&mut self, name: &str) -> Vec<Command> {
        self.apply(Event::Delete { job: job(name) })
    }

    /// A worker with `slots` slots and as many times 1 MiB, that offers `copy@1`.
    pub(super) fn add_worker(&mut self, name: &str, slots: u32) -> &mut TestWorker {
        let total = Capacity { memory: ByteCount(u64::from(slots) << 20), scratch: ByteCount(0), slots };
        let worker = TestWorker {
            incarnation: 1,
            seq: 0,
            total,
            functions: vec![FunctionId::new("copy", 1)],
            draining: false,
            held: Vec::new(),
            reports: Vec::new(),
            next_number: 1,
            moved: 0,
        };
        self.workers.entry(name.to_owned()).or_insert(worker)
    }

    pub(super) fn worker(&mut self, name: &str) -> &mut TestWorker {
        self.workers.get_mut(name).expect("a worker that was added")
    }

    /// The next call of a worker, as it would send it.
    pub(super) fn request(&mut self, name: &str, wait_ms: u64) -> SyncRequest {
        let worker = self.worker(name);
        worker.seq += 1;
        let busy = u32::try_from(worker.held.len()).expect("few leases");
        let free = Capacity {
            memory: ByteCount(worker.total.memory.0.saturating_sub(u64::from(busy) << 20)),
            scratch: worker.total.scratch,
            slots: worker.total.slots.saturating_sub(busy),
        };
        SyncRequest {
            worker: WorkerId::from(name),
            incarnation: Incarnation(worker.incarnation),
            seq: SyncSeq(worker.seq),
            functions: worker.functions.clone(),
            free,
            total: worker.total,
            draining: worker.draining,
            held: worker.held.clone(),
            reports: worker.reports.clone(),
            wait: Duration::from_millis(wait_ms),
            version: "1".to_owned(),
            peak_rss: ByteCount(1000),
            request_rates: Vec::new(),
            progress: worker.held.iter().map(|lease| LeaseProgress { lease: lease.id, count: worker.moved }).collect(),
        }
    }

    /// What the worker does with an answer.
    pub(super) fn receive(&mut self, name: &str, response: &SyncResponse) {
        let worker = self.worker(name);
        worker.held.retain(|lease| !response.revoked.contains(&lease.id));
        worker.held.extend(response.granted.iter().map(|grant| grant.lease.clone()));
        worker.reports.retain(|report| report.number > response.reports_accepted_through);
    }

    /// A call that is answered at once and reaches its worker.
    pub(super) fn sync(&mut self, name: &str) -> SyncResponse {
        let response = self.sync_lost(name);
        self.receive(name, &response);
        response
    }

    /// A call whose answer is lost on the way.
    pub(super) fn sync_lost(&mut self, name: &str) -> SyncResponse {
        let request = self.request(name, 0);
        let commands = self.apply(Event::Sync(Box::new(request)));
        answer_to(&commands, name).expect("an answer at once")
    }

    /// A call that may wait.
    pub(super) fn poll(&mut self, name: &str) -> Vec<Command> {
        let request = self.request(name, 9_000);
        self.apply(Event::Sync(Box::new(request)))
    }

    /// The tasks granted to a worker by a call.
    pub(super) fn take(&mut self, name: &str) -> Vec<TaskRange> {
        self.sync(name).granted.iter().map(|grant| grant.lease.tasks).collect()
    }

    pub(super) fn report(&mut self, name: &str, lease: &Lease, done: Vec<DoneTasks>, failed: Vec<FailedTask>) {
        let worker = self.worker(name);
        let number = worker.next_number;
        worker.next_number += 1;
        worker.reports.push(LeaseReport { lease: lease.id, stage: lease.stage.clone(), number, done, failed });
    }

    /// The worker has done all tasks of all its leases and says so.
    pub(super) fn finish(&mut self, name: &str) -> SyncResponse {
        for lease in std::mem::take(&mut self.worker(name).held) {
            let done = DoneTasks { tasks: lease.tasks, counts: puts(lease.tasks.len()) };
            self.report(name, &lease, vec![done], vec![]);
        }
        let response = self.sync(name);
        // What became durable since the answer was given is found by the next call.
        if response.granted.is_empty() { self.sync(name) } else { response }
    }

    /// The worker's oldest lease; it does not hold it any more.
    pub(super) fn drop_lease(&mut self, name: &str) -> Lease {
        self.worker(name).held.remove(0)
    }

    /// The worker says that tasks of a lease are done.
    pub(super) fn say_done(&mut self, name: &str, lease: &Lease, tasks: TaskRange) -> SyncResponse {
        self.report(name, lease, vec![DoneTasks { tasks, counts: puts(tasks.len()) }], vec![]);
        self.sync(name)
    }

    /// The oldest lease of the worker ends with the failure of its first task; nothing is granted for it yet.
    pub(super) fn fail(&mut self, name: &str, class: FailureClass) {
        let lease = self.drop_lease(name);
        self.fail_task(name, &lease, lease.tasks.start, class);
    }

    pub(super) fn fail_task(&mut self, name: &str, lease: &Lease, task: u64, class: FailureClass) {
        let failure = TaskFailure::new(class, "no luck");
        self.report(name, lease, vec![], vec![FailedTask { task: TaskIndex(task), failure, counts: puts(1) }]);
        let slots = std::mem::replace(&mut self.worker(name).total.slots, 0);
        self.sync(name);
        self.worker(name).total.slots = slots;
    }

    /// Works through a job with one worker until it is terminal.
    pub(super) fn run_to_end(&mut self, worker: &str, name: &str) -> JobState {
        for _ in 0..200 {
            if self.state(name).is_terminal() {
                return self.state(name);
            }
            self.finish(worker);
            self.wait(1_000);
        }
        panic!("{name} does not end: {:?}", self.view(name));
    }

    pub(super) fn view(&self, name: &str) -> JobView {
        self.scheduler.job(&job(name)).expect("a job that was accepted")
    }

    pub(super) fn state(&self, name: &str) -> JobState {
        self.view(name).state
    }

    /// The barriers recorded so far, as (phase, pipeline, stage).
    pub(super) fn barriers(&self) -> Vec<(u32, u32, u32)> {
        let barrier = |record: &Record| {
            let RecordFact::BarrierPassed { stage } = &record.fact else { return None };
            Some((stage.phase.0, stage.pipeline.0, stage.stage.0))
        };
        self.records.iter().filter_map(barrier).collect()
    }
}

/// The answer to the latest call of a worker among commands.
pub(super) fn answer_to(commands: &[Command], name: &str) -> Option<SyncResponse> {
    commands.iter().rev().find_map(|command| match command {
        Command::Answer { call, response } if call.worker.as_str() == name => Some((**response).clone()),
        Command::Answer { .. }
        | Command::Append(_)
        | Command::Accepted { .. }
        | Command::Refused { .. }
        | Command::Confirmed { .. }
        | Command::JobChanged { .. } => None,
    })
}

/// The refusal among commands.
pub(super) fn refusal_in(commands: &[Command]) -> Refusal {
    let refusal = commands.iter().find_map(|command| match command {
        Command::Refused { refusal, .. } => Some(refusal.clone()),
        Command::Answer { .. }
        | Command::Append(_)
        | Command::Accepted { .. }
        | Command::Confirmed { .. }
        | Command::JobChanged { .. } => None,
    });
    refusal.expect("a refusal")
}

pub(super) fn is_confirmed(commands: &[Command], name: &str) -> bool {
    commands.contains(&Command::Confirmed { job: job(name) })
}

pub(super) fn tasks(start: u64, end: u64) -> TaskRange {
    TaskRange::new(start, end)
}

pub(super) fn lease_id(epoch: u64, counter: u64) -> LeaseId {
    LeaseId { epoch: Epoch(epoch), counter }
}
