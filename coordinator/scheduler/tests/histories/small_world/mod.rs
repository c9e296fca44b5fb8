//! A job, a few workers, a network and a journal around the real scheduler, as small as can be, in which everything that
//! can happen next is a list. What is true is known apart from the scheduler: see `truth.rs`.
//!
//! The workers keep to the protocol of the real ones and to nothing else: a lease ends by their own clock, counted from
//! before they asked. Time moves only by [`Action::Pass`], to the next moment at which it means something to anybody.

mod actions;
mod network;
mod plan;
mod print;
mod steps;
mod truth;
mod worker;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use rechunk_common::{
    ids::{Epoch, JobId},
    job::JobState,
};
use rechunk_scheduler::{Event, Record, Scheduler, Timestamp, invariants};

pub(crate) use actions::Action;
pub(crate) use plan::{JOB, Scope};

use network::Network;
use truth::Truth;
use worker::SmallWorker;

/// Times that time passes while nothing else can happen and nothing is recorded; a job that does not end then never will.
const MOST_IDLE_STEPS: u32 = 60;

/// How much trouble there may still be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Trouble {
    /// Messages that are lost.
    pub(crate) lost: u8,
    /// Messages that arrive twice.
    pub(crate) repeated: u8,
    /// Coordinators that die.
    pub(crate) crashes: u8,
    /// Worker processes that are replaced.
    pub(crate) deaths: u8,
    /// Times that time passes although something could happen before.
    pub(crate) delays: u8,
    /// Tasks that fail and may be tried again.
    pub(crate) failures: u8,
    /// Outputs of an earlier stage that a reader finds lost.
    pub(crate) lost_inputs: u8,
    /// Cancels by a caller.
    pub(crate) cancels: u8,
    /// Retries by a caller.
    pub(crate) retries: u8,
}

impl Trouble {
    /// Whether nothing is left that depends on when a worker does its part.
    fn is_timeless(self) -> bool {
        let Self { lost: _, repeated: _, crashes, deaths, delays, failures: _, lost_inputs: _, cancels, retries: _ } =
            self;
        [crashes, deaths, delays, cancels] == [0; 4]
    }
}

/// What happened at least once on the way here. Does not tell states apart.
#[allow(clippy::struct_excessive_bools, reason = "each by itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) was_overtaken: bool,
    pub(crate) expired: bool,
    pub(crate) adopted: bool,
    /// Two workers held the same task at a time, by their own clocks.
    pub(crate) backed_up: bool,
    pub(crate) ran_twice: bool,
}

/// One record and its print.
#[derive(Debug, Clone)]
struct Written {
    record: Arc<Record>,
    print: u64,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub(crate) struct SmallWorld {
    scope: Scope,
    pub(crate) scheduler: Scheduler,
    now: u64,
    journal: Vec<Written>,
    durable: usize,
    workers: Vec<SmallWorker>,
    network: Network,
    /// Calls that the coordinator has and did not answer: worker, its process, and sequence number.
    open_calls: Vec<(usize, u64, u64)>,
    left: Trouble,
    truth: Truth,
    idle_steps: u32,
    pub(crate) seen: Seen,
    /// The rule that was broken on the way here.
    pub(crate) broken: Option<String>,
}

impl Hash for SmallWorld {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.scheduler, self.now, self.durable, self.left, self.idle_steps).hash(state);
        self.journal.iter().for_each(|written| written.print.hash(state));
        (&self.workers, &self.network, &self.open_calls, &self.truth).hash(state);
        self.broken.is_some().hash(state);
    }
}

impl PartialEq for SmallWorld {
    fn eq(&self, other: &Self) -> bool {
        print::print_of(self) == print::print_of(other)
    }
}

impl SmallWorld {
    /// The job is submitted; nothing else has happened.
    pub(crate) fn begin(scope: Scope) -> Self {
        let mut world = Self {
            scheduler: Scheduler::new(Epoch(1), scope.settings()),
            now: 1_000,
            journal: Vec::new(),
            durable: 0,
            workers: (0..scope.workers).map(|_| SmallWorker::new()).collect(),
            network: Network::default(),
            open_calls: Vec::new(),
            left: scope.trouble,
            truth: Truth::default(),
            idle_steps: 0,
            seen: Seen::default(),
            broken: None,
            scope,
        };
        let submit = world.scope.submit();
        world.apply(submit);
        world.call_all();
        world
    }

    /// Where the job stands; `None`: it is not accepted, or gone.
    pub(crate) fn state(&self) -> Option<JobState> {
        self.scheduler.job(&JobId::from(JOB)).map(|job| job.state)
    }

    /// Records so far.
    pub(crate) fn records(&self) -> usize {
        self.journal.len()
    }

    /// The trouble is over: everybody does his part until nothing is left to do.
    #[must_use]
    pub(crate) fn calm_down(mut self) -> Self {
        self.left = Trouble::default();
        while let Some(action) = self.actions().first().copied() {
            self = self.after(action);
        }
        self
    }

    /// The first broken rule is kept.
    fn check(&mut self, outcome: Result<(), String>) {
        if let Err(problem) = outcome {
            self.broken.get_or_insert(problem);
        }
    }

    /// The real scheduler takes the step; all that must hold is checked.
    fn apply(&mut self, event: Event) {
        let before = self.scheduler.clone();
        let commands = self.scheduler.apply(Timestamp(self.now), event);
        let laws = invariants::check(&self.scheduler).and_then(|()| invariants::check_step(&before, &self.scheduler));
        self.check(laws.map_err(|violation| violation.to_string()));
        for command in commands {
            self.carry_out(command);
        }
    }

    /// A replay of the journal makes the same state; dearer than the rest, so asked for by the caller.
    pub(crate) fn check_replay(&mut self) {
        let records: Vec<Record> = self.journal.iter().map(|written| (*written.record).clone()).collect();
        let outcome = invariants::check_replay(&self.scheduler, &records).map_err(|violation| violation.to_string());
        self.check(outcome);
    }
}
