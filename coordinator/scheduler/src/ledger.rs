//! The records that still matter, in their order: what a snapshot of the journal holds. Tasks that are done are joined,
//! and deleted jobs are gone, so that it costs what jobs and stages cost, however long the journal is.
//!
//! `Scheduler::recover` makes the same of these records as of all.

use std::collections::BTreeMap;

use rechunk_common::{
    Counts,
    ids::{Incarnation, JobId, JournalPosition, StageAddress, TaskIndex, WorkerId},
    record::{Record, RecordFact},
    task_set::{TaskRange, TaskSet},
};

use crate::stage::StagePlace;

/// What the records so far come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// By the position of the acceptance.
    jobs: BTreeMap<JournalPosition, JobLedger>,
    accepted_at: BTreeMap<JobId, JournalPosition>,
    last: JournalPosition,
    last_at_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct JobLedger {
    /// Those that stay as they are.
    records: BTreeMap<JournalPosition, Record>,
    stages: BTreeMap<StagePlace, StageLedger>,
    cleanup_phase: u32,
}

/// What happened to the tasks of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StageLedger {
    /// Where the first of its records stood, and when that was made.
    first: JournalPosition,
    at_ms: u64,
    address: StageAddress,
    done: TaskSet,
    counts: Counts,
    /// Each with where and when it was recorded: a retry forgets those before it.
    deaths: BTreeMap<(TaskIndex, WorkerId, Incarnation), (JournalPosition, u64)>,
}

impl Ledger {
    /// The position of the last record.
    pub fn last(&self) -> JournalPosition {
        self.last
    }

    /// When the last record was made.
    pub fn last_at_ms(&self) -> u64 {
        self.last_at_ms
    }

    /// Records up to `last` were taken in, also those that came to nothing.
    pub fn reach(&mut self, last: JournalPosition, last_at_ms: u64) {
        self.last = self.last.max(last);
        self.last_at_ms = self.last_at_ms.max(last_at_ms);
    }

    /// Takes in the next record.
    pub fn add(&mut self, record: &Record) {
        self.reach(record.position, record.at_ms);
        let job = record.fact.job();
        match &record.fact {
            RecordFact::JobAccepted { accepted, .. } => {
                self.accepted_at.insert(job.clone(), record.position);
                let cleanup_phase = u32::try_from(accepted.plan.phases.len()).unwrap_or(u32::MAX);
                let mut ledger = JobLedger { cleanup_phase, ..JobLedger::default() };
                ledger.keep(record);
                self.jobs.insert(record.position, ledger);
            }
            RecordFact::JobDeleted { .. } => {
                if let Some(position) = self.accepted_at.remove(job) {
                    self.jobs.remove(&position);
                }
            }
            RecordFact::TasksDone { .. }
            | RecordFact::TaskDied { .. }
            | RecordFact::BarrierPassed { .. }
            | RecordFact::EndingDecided { .. }
            | RecordFact::JobSettled { .. }
            | RecordFact::RetryStarted { .. }
            | RecordFact::CleanupStarted { .. }
            | RecordFact::CleanupDone { .. } => {
                let ledger = self.accepted_at.get(job).and_then(|position| self.jobs.get_mut(position));
                if let Some(ledger) = ledger {
                    ledger.add(record);
                }
            }
        }
    }

    /// The records that come to the same, job by job. Positions rise within a job only.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.jobs.values().flat_map(JobLedger::records)
    }
}

impl JobLedger {
    fn add(&mut self, record: &Record) {
        match &record.fact {
            RecordFact::TasksDone { stage, tasks, counts } => {
                let stage = self.stage(record, stage);
                stage.done.insert(*tasks);
                stage.counts += *counts;
                stage.deaths.retain(|(task, _, _), _| !tasks.contains(task.0));
            }
            RecordFact::TaskDied { stage, task, worker, incarnation } => {
                let death = (*task, worker.clone(), *incarnation);
                self.stage(record, stage).deaths.entry(death).or_insert((record.position, record.at_ms));
            }
            RecordFact::CleanupStarted { .. } => {
                // A removal that is begun again does all of its tasks again.
                let phase = self.cleanup_phase;
                self.stages.retain(|place, _| place.phase < phase);
                self.records.retain(|_, record| match &record.fact {
                    RecordFact::BarrierPassed { stage } => stage.phase.0 < phase,
                    RecordFact::CleanupStarted { .. } => false,
                    RecordFact::JobAccepted { .. }
                    | RecordFact::TasksDone { .. }
                    | RecordFact::TaskDied { .. }
                    | RecordFact::EndingDecided { .. }
                    | RecordFact::JobSettled { .. }
                    | RecordFact::RetryStarted { .. }
                    | RecordFact::CleanupDone { .. }
                    | RecordFact::JobDeleted { .. } => true,
                });
                self.keep(record);
            }
            RecordFact::RetryStarted { .. } => {
                self.stages.values_mut().for_each(|stage| stage.deaths.clear());
                self.keep(record);
            }
            RecordFact::JobAccepted { .. }
            | RecordFact::BarrierPassed { .. }
            | RecordFact::EndingDecided { .. }
            | RecordFact::JobSettled { .. }
            | RecordFact::CleanupDone { .. }
            | RecordFact::JobDeleted { .. } => self.keep(record),
        }
    }

    fn keep(&mut self, record: &Record) {
        self.records.insert(record.position, record.clone());
    }

    /// The stage's ledger; it begins with this record.
    fn stage(&mut self, record: &Record, address: &StageAddress) -> &mut StageLedger {
        self.stages.entry(StagePlace::of(address)).or_insert_with(|| StageLedger {
            first: record.position,
            at_ms: record.at_ms,
            address: address.clone(),
            done: TaskSet::new(),
            counts: Counts::default(),
            deaths: BTreeMap::new(),
        })
    }

    /// All records in order; what a stage comes to stands where its first record stood.
    fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self.records.values().cloned().collect();
        records.extend(self.stages.values().flat_map(StageLedger::records));
        records.sort_by_key(|record| record.position);
        records
    }
}

impl StageLedger {
    fn records(&self) -> Vec<Record> {
        let record = |(position, at_ms), fact| Record { position, at_ms, is_synchronous: false, fact };
        let first = (self.first, self.at_ms);
        // All counts are told with the first tasks: only their sum is kept.
        let mut counts = self.counts;
        let done = self.done.runs().map(|tasks: TaskRange| {
            let counts = std::mem::take(&mut counts);
            record(first, RecordFact::TasksDone { stage: self.address.clone(), tasks, counts })
        });
        let mut records: Vec<Record> = done.collect();
        records.extend(self.deaths.iter().map(|((task, worker, incarnation), at)| {
            let (stage, worker) = (self.address.clone(), worker.clone());
            record(*at, RecordFact::TaskDied { stage, task: *task, worker, incarnation: *incarnation })
        }));
        records
    }
}
