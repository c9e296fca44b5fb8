//! The scheduler's state and its one door, `apply`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rechunk_common::{
    ids::{Epoch, JobId, JournalPosition, RequestId, WorkerId},
    record::AcceptedJob,
};

use crate::{
    command::Command,
    durable::Journal,
    event::{Event, Settings, Timestamp},
    fairness::Turns,
    job::Job,
    lease::LeaseTable,
    stage::StagePlace,
    succession::Succession,
    worker::Fleet,
};

/// All jobs, workers and leases. Costs memory for stages, leases and failures, never for tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scheduler {
    pub(crate) epoch: Epoch,
    pub(crate) settings: Settings,
    /// The latest moment that was heard of.
    pub(crate) now: Timestamp,
    pub(crate) next_lease: u64,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) requests: BTreeMap<RequestId, JobId>,
    pub(crate) fleet: Fleet,
    pub(crate) leases: LeaseTable,
    pub(crate) journal: Journal,
    pub(crate) turns: Turns,
    /// When a waiting task of a stage becomes due, or a lease of it late.
    pub(crate) timers: BTreeSet<(Timestamp, JobId, StagePlace)>,
    /// Jobs with late leases, which are to get a backup.
    pub(crate) late: BTreeSet<JobId>,
    /// When what a failed job wrote is removed.
    pub(crate) windows: BTreeSet<(Timestamp, JobId)>,
    /// Leases of an earlier reign that may still run.
    pub(crate) succession: Option<Succession>,
}

/// What one call of `apply` gathers.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) commands: Vec<Command>,
    /// Jobs of which people see something new.
    pub(crate) changed: BTreeSet<JobId>,
    /// Jobs that may move on.
    pub(crate) touched: BTreeSet<JobId>,
    /// Workers whose waiting call may have an answer now.
    pub(crate) serve: BTreeSet<WorkerId>,
    /// There is new work: every waiting call may have an answer now.
    pub(crate) wake: bool,
}

impl Turn {
    /// The job may move on.
    pub(crate) fn touch(&mut self, job: &JobId) {
        self.touched.insert(job.clone());
    }
}

impl Scheduler {
    /// A scheduler that knows nothing yet; its journal positions begin at 1.
    pub fn new(epoch: Epoch, settings: Settings) -> Self {
        Self {
            epoch,
            settings,
            now: Timestamp::default(),
            next_lease: 1,
            jobs: BTreeMap::new(),
            requests: BTreeMap::new(),
            fleet: Fleet::default(),
            leases: LeaseTable::default(),
            journal: Journal::starting_at(JournalPosition(1)),
            turns: Turns::default(),
            timers: BTreeSet::new(),
            late: BTreeSet::new(),
            windows: BTreeSet::new(),
            succession: None,
        }
    }

    /// Takes in what happened at `now` and says what to do, in order. A `now` before an earlier one counts as that one.
    ///
    /// Total: every event in every state has an answer. Deterministic: the same events give the same commands.
    pub fn apply(&mut self, now: Timestamp, event: Event) -> Vec<Command> {
        self.now = self.now.max(now);
        let mut turn = Turn::default();
        self.expire_due(&mut turn);
        match event {
            Event::Submit { job, request_id, plan, source, target, temp_limit, weight, max_parallel_tasks } => {
                let plan = Arc::from(plan);
                let accepted = AcceptedJob { request_id, plan, source, target, temp_limit, weight, max_parallel_tasks };
                self.submit(&mut turn, job, accepted);
            }
            Event::Cancel { job } => self.cancel(&mut turn, &job),
            Event::Retry { job } => self.retry(&mut turn, &job),
            Event::Delete { job } => self.delete(&mut turn, &job),
            Event::Sync(request) => self.sync(&mut turn, *request),
            Event::SyncDropped { call } => self.fleet.drop_poll(&call),
            Event::RecordDurable { position } => self.record_durable(&mut turn, position),
            Event::Begin => self.resume(&mut turn),
            Event::Tick => {}
        }
        self.finish(&mut turn);
        let mut commands = turn.commands;
        let jobs = &self.jobs;
        commands
            .extend(turn.changed.into_iter().filter(|job| is_public(jobs, job)).map(|job| Command::JobChanged { job }));
        commands
    }

    /// Jobs advance and workers are served until neither gives the other anything to do.
    fn finish(&mut self, turn: &mut Turn) {
        loop {
            self.advance_touched(turn);
            if let Some(worker) = turn.serve.pop_first() {
                self.serve(turn, &worker);
            } else if std::mem::take(&mut turn.wake) {
                self.serve_waiting(turn);
            } else if turn.touched.is_empty() {
                return;
            }
        }
    }
}

fn is_public(jobs: &BTreeMap<JobId, Job>, job: &JobId) -> bool {
    jobs.get(job).is_some_and(|job| job.accepted_at.is_some())
}
