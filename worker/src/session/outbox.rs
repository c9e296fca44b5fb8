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

/// Joins consecutive tasks that asked for the same; their counts are summed. Tasks that have a content stay by themselves.
/// So what a coordinator that knows some of them already gives to the others is exactly theirs.
fn consecutive(done: BTreeMap<u64, Counts>) -> Vec<DoneTasks> {
    let mut joined: Vec<DoneTasks> = Vec::new();
    let mut each = Counts::default();
    for (task, counts) in done {
        match joined.last_mut() {
            Some(last) if last.tasks.end == task && asked_the_same(&each, &counts) => {
                last.tasks.end = task.saturating_add(1);
                last.counts += counts;
            }
            Some(_) | None => {
                joined.push(DoneTasks { tasks: TaskRange::single(task), counts });
                each = counts;
            }
        }
    }
    joined
}

/// Whether two tasks counted the same of all that a plan predicts and of requests sent again. Encoded bytes, waits and
/// memory differ from task to task, and are told in sum.
fn asked_the_same(one: &Counts, other: &Counts) -> bool {
    let predicted = |counts: &Counts| Counts {
        wire_bytes_read: 0,
        wire_bytes_written: 0,
        peak_task_memory: 0,
        rate_wait_us: 0,
        ..*counts
    };
    one.content.is_zero() && predicted(one) == predicted(other)
}

#[cfg(test)]
mod tests {
    use rechunk_common::{
        ContentSum,
        ids::{Epoch, JobId, PhaseIndex, PipelineIndex, RunNumber, StageIndex},
    };

    use super::*;

    fn told(counts: impl IntoIterator<Item = Counts>) -> Vec<(u64, u64, Counts)> {
        let stage = StageAddress {
            job: JobId("job".into()),
            run: RunNumber(1),
            phase: PhaseIndex(0),
            pipeline: PipelineIndex(0),
            stage: StageIndex(0),
        };
        let lease = LeaseId { epoch: Epoch(1), counter: 1 };
        let mut outbox = Outbox::new();
        for (task, counts) in (0..).zip(counts) {
            outbox.add_done(lease, &stage, TaskIndex(task), counts);
        }
        let reports = outbox.take_up();
        reports
            .iter()
            .flat_map(|report| &report.done)
            .map(|done| (done.tasks.start, done.tasks.end, done.counts))
            .collect()
    }

    #[test]
    fn tasks_are_told_together_but_those_that_have_a_content() {
        let counts =
            |content| Counts { put_requests: 1, content: ContentSum::of_halves(content, 0), ..Counts::default() };
        let told = told([0, 0, 7, 8, 0, 0].map(counts));
        let told: Vec<_> = told
            .iter()
            .map(|(start, end, counts)| (*start, *end, counts.put_requests, counts.content.halves().0))
            .collect();
        assert_eq!(told, [(0, 2, 2, 0), (2, 3, 1, 7), (3, 4, 1, 8), (4, 6, 2, 0)]);
    }

    #[test]
    fn tasks_that_asked_for_different_things_are_told_apart_and_what_no_plan_predicts_is_summed() {
        let written = |wire| Counts { put_requests: 1, wire_bytes_written: wire, ..Counts::default() };
        let skipped = Counts { skipped_fill_chunks: 1, ..Counts::default() };
        let told = told([written(5), written(6), skipped, skipped, written(7)]);
        let both = |one: Counts, other: Counts| [one, other].into_iter().sum::<Counts>();
        assert_eq!(told, [(0, 2, both(written(5), written(6))), (2, 4, both(skipped, skipped)), (4, 5, written(7))]);
    }
}
