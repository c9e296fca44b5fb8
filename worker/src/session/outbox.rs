//! Results on their way to the coordinator: kept until it has acknowledged them, whatever happens to their lease.

use std::collections::{BTreeMap, VecDeque};

use rechunk_common::{
    Counts, TaskFailure,
    ids::{LeaseId, StageAddress, TaskIndex},
    session::{DoneTasks, FailedTask, LeaseReport},
    task_set::TaskRange,
};

/// Tasks that one call reports at the most: a call must stay below the message limit however long the coordinator was
/// away.
const MOST_TASKS_PER_CALL: usize = 20_000;

#[derive(Debug)]
struct Unsent {
    stage: StageAddress,
    done: BTreeMap<u64, Counts>,
    failed: Vec<FailedTask>,
}

/// Reports that were not acknowledged, and results that are in no report yet.
#[derive(Debug)]
pub(crate) struct Outbox {
    next_number: u64,
    reports: VecDeque<LeaseReport>,
    unsent: BTreeMap<LeaseId, Unsent>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        // 0 is what a coordinator that has taken nothing answers.
        Self { next_number: 1, reports: VecDeque::new(), unsent: BTreeMap::new() }
    }

    /// Whether everything is acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.unsent.is_empty()
    }

    /// Whether there are results that no call has carried.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn of_lease(&mut self, lease: LeaseId, stage: &StageAddress) -> &mut Unsent {
        let unsent = || Unsent { stage: stage.clone(), done: BTreeMap::new(), failed: Vec::new() };
        self.unsent.entry(lease).or_insert_with(unsent)
    }

    /// A task is done.
    pub(crate) fn add_done(&mut self, lease: LeaseId, stage: &StageAddress, task: TaskIndex, counts: Counts) {
        self.of_lease(lease, stage).done.insert(task.0, counts);
    }

    /// A task failed.
    pub(crate) fn add_failed(
        &mut self,
        lease: LeaseId,
        stage: &StageAddress,
        task: TaskIndex,
        failure: TaskFailure,
        counts: Counts,
    ) {
        self.of_lease(lease, stage).failed.push(FailedTask { task, failure, counts });
    }

    /// The reports for the next call, the oldest first: what is in no report yet is put into new ones. They stay here.
    pub(crate) fn take_up(&mut self) -> Vec<LeaseReport> {
        for (lease, unsent) in std::mem::take(&mut self.unsent) {
            let number = self.next_number;
            self.next_number = number.saturating_add(1);
            let done = consecutive(unsent.done);
            self.reports.push_back(LeaseReport { lease, stage: unsent.stage, number, done, failed: unsent.failed });
        }
        let mut tasks = 0_usize;
        let fits = |report: &&LeaseReport| {
            let before = tasks;
            tasks = tasks.saturating_add(report.done.len()).saturating_add(report.failed.len());
            before == 0 || tasks <= MOST_TASKS_PER_CALL
        };
        self.reports.iter().take_while(fits).cloned().collect()
    }

    /// Reports up to `number` are taken.
    pub(crate) fn acknowledge(&mut self, number: u64) {
        while self.reports.front().is_some_and(|report| report.number <= number) {
            self.reports.pop_front();
        }
    }
}

/// Joins consecutive tasks; their counts are summed. Tasks that have a content stay by themselves: each counts once, also
/// where others of them were done before.
fn consecutive(done: BTreeMap<u64, Counts>) -> Vec<DoneTasks> {
    let mut joined: Vec<DoneTasks> = Vec::new();
    for (task, counts) in done {
        match joined.last_mut() {
            Some(last) if last.tasks.end == task && last.counts.content.is_zero() && counts.content.is_zero() => {
                last.tasks.end = task.saturating_add(1);
                last.counts += counts;
            }
            Some(_) | None => joined.push(DoneTasks { tasks: TaskRange::single(task), counts }),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use rechunk_common::{
        ContentSum,
        ids::{Epoch, JobId, PhaseIndex, PipelineIndex, RunNumber, StageIndex},
    };

    use super::*;

    #[test]
    fn tasks_are_told_together_but_those_that_have_a_content() {
        let stage = StageAddress {
            job: JobId("job".into()),
            run: RunNumber(1),
            phase: PhaseIndex(0),
            pipeline: PipelineIndex(0),
            stage: StageIndex(0),
        };
        let lease = LeaseId { epoch: Epoch(1), counter: 1 };
        let mut outbox = Outbox::new();
        for (task, first) in [(0, 0), (1, 0), (2, 7), (3, 8), (4, 0), (5, 0)] {
            let counts = Counts { put_requests: 1, content: ContentSum::of_halves(first, 0), ..Counts::default() };
            outbox.add_done(lease, &stage, TaskIndex(task), counts);
        }
        let reports = outbox.take_up();
        let told = |done: &DoneTasks| {
            (done.tasks.start, done.tasks.end, done.counts.put_requests, done.counts.content.halves().0)
        };
        let told: Vec<_> = reports.iter().flat_map(|report| &report.done).map(told).collect();
        assert_eq!(told, [(0, 2, 2, 0), (2, 3, 1, 7), (3, 4, 1, 8), (4, 6, 2, 0)]);
    }
}
