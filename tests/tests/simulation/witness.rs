//! Sees every step of every coordinator and every change in the store: checks what must hold, and sums up the history.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
};

use rechunk_common::{
    ByteCount,
    ids::{Epoch, JobId, JournalPosition, RunNumber},
    session::SyncRequest,
};
use rechunk_coordinator::surroundings::Witness;
use rechunk_scheduler::{Command, Event, Record, RecordFact, Scheduler, Timestamp, invariants};
use tokio::time::Instant;

use crate::trouble::Trouble;

/// What all witnesses of a run know together.
#[derive(Clone)]
pub(crate) struct Minutes(Arc<Mutex<Inner>>);

struct Inner {
    begun: Instant,
    trace: DefaultHasher,
    steps: u64,
    is_told: bool,
    problem: Option<String>,
    /// Who made which record durable.
    writers: BTreeMap<JournalPosition, Epoch>,
    /// Jobs of which it is durable that nothing is written for them any more: in which epoch that was settled, of which run.
    terminal: BTreeMap<JobId, (Epoch, RunNumber)>,
}

impl Minutes {
    pub(crate) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            begun: Instant::now(),
            trace: DefaultHasher::new(),
            steps: 0,
            is_told: std::env::var_os("RECHUNK_TRACE").is_some(),
            problem: None,
            writers: BTreeMap::new(),
            terminal: BTreeMap::new(),
        })))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Something happened; `what` is the same for the same history.
    pub(crate) fn note(&self, what: &str) {
        self.with(|inner| {
            let at = inner.begun.elapsed();
            (at, what).hash(&mut inner.trace);
            inner.steps += 1;
            if inner.is_told {
                eprintln!("{:>10.3} {what}", at.as_secs_f64());
            }
        });
    }

    /// A rule is broken; the first counts.
    pub(crate) fn object(&self, problem: String) {
        self.with(|inner| {
            inner.problem.get_or_insert(problem);
        });
    }

    pub(crate) fn problem(&self) -> Option<String> {
        self.with(|inner| inner.problem.clone())
    }

    /// The history in one number, and how long it was.
    pub(crate) fn summary(&self) -> (u64, u64) {
        self.with(|inner| (inner.trace.finish(), inner.steps))
    }

    /// A worker has changed something.
    pub(crate) fn forbid_after_the_end(&self, what: &str) {
        self.with(|inner| {
            if let Some((job, (epoch, _))) = inner.terminal.first_key_value() {
                let problem = format!("a terminal job is a promise: {what}, and {job} had ended in epoch {epoch}");
                inner.problem.get_or_insert(problem);
            }
        });
    }

    /// A coordinator has read this in the journal when it began. A retry may stand there whose coordinator did not live to
    /// hear that it is durable.
    fn note_read(&self, scheduler: &Scheduler) {
        self.with(|inner| {
            for job in scheduler.jobs() {
                if inner.terminal.get(&job.id).is_some_and(|(_, run)| *run < job.run) {
                    inner.terminal.remove(&job.id);
                }
            }
        });
    }

    fn note_durable(&self, epoch: Epoch, record: &Record) {
        self.with(|inner| {
            if let Some(other) = inner.writers.insert(record.position, epoch).filter(|other| *other != epoch) {
                let problem = format!(
                    "one coordinator advances a job: {epoch} and {other} both wrote record {}",
                    record.position
                );
                inner.problem.get_or_insert(problem);
            }
            match &record.fact {
                RecordFact::JobSettled { job, run, .. } => {
                    inner.terminal.insert(job.clone(), (epoch, *run));
                }
                RecordFact::RetryStarted { job, .. } | RecordFact::CleanupStarted { job } => {
                    inner.terminal.remove(job);
                }
                RecordFact::JobAccepted { .. }
                | RecordFact::TasksDone { .. }
                | RecordFact::TaskDied { .. }
                | RecordFact::BarrierPassed { .. }
                | RecordFact::EndingDecided { .. }
                | RecordFact::CleanupDone { .. }
                | RecordFact::JobDeleted { .. } => {}
            }
        });
    }
}

/// The witness of one coordinator.
pub(crate) struct ReignWitness {
    minutes: Minutes,
    trouble: Trouble,
    name: String,
    epoch: Option<Epoch>,
    before: Option<Scheduler>,
    /// Records that are not durable yet.
    waiting: Vec<Record>,
    /// Leases that have expired and attempts beyond the first, in this reign.
    counted: (u64, u64),
}

impl ReignWitness {
    pub(crate) fn new(minutes: &Minutes, trouble: &Trouble, name: String) -> Self {
        let (minutes, trouble) = (minutes.clone(), trouble.clone());
        Self { minutes, trouble, name, epoch: None, before: None, waiting: Vec::new(), counted: (0, 0) }
    }

    fn count(&mut self, after: &Scheduler) {
        let sums = after.jobs().fold((0, 0), |sums, job| (sums.0 + job.leases_expired, sums.1 + job.retries));
        // A job that is deleted takes its counts along.
        self.trouble.note_times("leases expired", sums.0.saturating_sub(self.counted.0));
        self.trouble.note_times("tasks run again", sums.1.saturating_sub(self.counted.1));
        self.counted = sums;
    }
}

impl Witness for ReignWitness {
    fn saw(&mut self, now: Timestamp, event: &Event, commands: &[Command], after: &Scheduler) {
        self.minutes.note(&format!("{} {now:?} {} -> {commands:?}", self.name, told(event)));
        let epoch = *self.epoch.get_or_insert_with(|| after.epoch());
        if let Event::RecordDurable { position } = event {
            let durable = self.waiting.partition_point(|record| record.position <= *position);
            self.waiting.drain(..durable).for_each(|record| self.minutes.note_durable(epoch, &record));
        }
        self.waiting.extend(commands.iter().filter_map(|command| match command {
            Command::Append(record) => Some(record.clone()),
            Command::Answer { .. }
            | Command::Accepted { .. }
            | Command::Refused { .. }
            | Command::Confirmed { .. }
            | Command::JobChanged { .. } => None,
        }));
        if self.before.is_none() {
            self.minutes.note_read(after);
        }
        let step = self.before.as_ref().map_or(Ok(()), |before| invariants::check_step(before, after));
        if let Err(violation) = invariants::check(after).and(step) {
            self.minutes.object(format!("{}: {violation}", self.name));
        }
        self.count(after);
        self.before = Some(after.clone());
    }
}

/// An event in words, without what differs between two runs of one history: the size of this process.
fn told(event: &Event) -> String {
    if let Event::Sync(request) = event {
        return format!("{:?}", SyncRequest { peak_rss: ByteCount(0), ..(**request).clone() });
    }
    format!("{event:?}")
}
