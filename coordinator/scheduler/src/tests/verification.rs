//! Stories of pipelines that read back what they wrote.

use rechunk_common::{
    ContentSum, Counts, FailureClass, RefusalCode,
    geometry::{BoxGrid, Region},
    job::JobState,
    layout::{ArrayLayout, ChunkKeys, ChunkLayout, ElementType, Separator},
    plan::{ReadBackAs, Stage, StageFunction, Verify},
    session::DoneTasks,
};

use super::{
    plans::{destroying, phase, phases, pipeline, publishing, stage, stages, verifying},
    world::{World, is_confirmed, refusal_in, tasks},
};
use crate::Ledger;

fn content(sum: u64) -> ContentSum {
    ContentSum::of_halves(sum, 7 * sum)
}

/// One copied task whose content is `sum`, of some.
fn moved(task: u64, sum: u64) -> DoneTasks {
    let counts = Counts { put_requests: 1, content: content(sum), ..Counts::default() };
    DoneTasks { tasks: tasks(task, task + 1), counts }
}

/// An array of one element.
fn layout() -> ArrayLayout {
    ArrayLayout {
        url: "s3://b/a".to_owned(),
        shape: vec![1],
        element: ElementType { data_type: "uint8".to_owned(), width: 1 },
        fill: vec![0],
        has_fill: true,
        chunks: ChunkLayout::Plain { chunk_shape: vec![1], codecs: "[]".to_owned() },
        keys: ChunkKeys::V2 { separator: Separator::Dot },
        part: None,
        edges: Vec::new(),
    }
}

/// Two copying stages, the first of which has the content, then one that verifies.
fn verified() -> rechunk_common::plan::Plan {
    let copy = vec![stage("read", 2), stage("write", 1), verifying("verify", 2), destroying("delete", 1)];
    phases(vec![phase(vec![pipeline(copy)]), phase(vec![pipeline(vec![publishing("publish", 1)])])])
}

/// The worker does every task that it holds, each with the content that `sums` gives, and says so task by task.
fn work(world: &mut World, sums: &mut dyn Iterator<Item = u64>) {
    world.sync("w");
    for lease in std::mem::take(&mut world.worker("w").held) {
        let done = (lease.tasks.start..lease.tasks.end).map(|task| moved(task, sums.next().expect("a sum"))).collect();
        world.report("w", &lease, done, vec![]);
    }
    world.sync("w");
}

fn begun() -> World {
    let mut world = World::new();
    world.submit("a", verified());
    world.add_worker("w", 8);
    world
}

/// Works until nothing is left to do, with these contents one after another.
fn run(world: &mut World, sums: &[u64]) {
    let mut sums = sums.iter().copied().chain(std::iter::repeat(0));
    for _ in 0..40 {
        if world.state("a").is_terminal() {
            return;
        }
        work(world, &mut sums);
        world.wait(500);
    }
    panic!("it does not end: {:?}", world.view("a"));
}

#[test]
fn a_job_that_reads_back_what_it_wrote_succeeds_however_the_content_is_cut() {
    let mut world = begun();
    run(&mut world, &[5, 9, 0, 12, 2]);
    assert_eq!(world.state("a"), JobState::Succeeded);
    assert_eq!(world.view("a").stages[2].measured.content, content(14));
}

#[test]
fn a_job_that_reads_back_something_else_fails_by_the_name_of_its_pipeline_and_publishes_nothing() {
    let mut world = begun();
    run(&mut world, &[5, 9, 0, 12, 3]);
    let view = world.view("a");
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.expect("a reason");
    assert_eq!((failure.code, failure.reason.as_str()), (RefusalCode::FailedPrecondition, "VERIFICATION_FAILED"));
    assert!(failure.message.contains("pipeline of s3://b/a"), "{failure}");
    assert_eq!(view.stages[3].done + view.stages[4].done, 0, "nothing is deleted, nothing published");
    assert_eq!(world.barriers(), [(0, 0, 0), (0, 0, 1)]);
}

#[test]
fn a_retry_of_what_does_not_verify_is_refused_and_a_deletion_is_not() {
    let mut world = begun();
    run(&mut world, &[5, 9, 0, 12, 3]);
    assert_eq!(refusal_in(&world.retry("a")).reason, "VERIFICATION_FAILED");
    let count = world.records.len();
    world.restart(count);
    assert_eq!(refusal_in(&world.retry("a")).reason, "VERIFICATION_FAILED", "so it is after a restart");
    assert_eq!(world.state("a"), JobState::Failed);
    world.delete("a");
    assert!(!is_confirmed(&world.retry("a"), "a"));
}

#[test]
fn a_task_that_is_done_twice_counts_once() {
    let mut world = begun();
    world.sync("w");
    let leases: Vec<_> = std::mem::take(&mut world.worker("w").held);
    for lease in &leases {
        let done = (lease.tasks.start..lease.tasks.end).map(|task| moved(task, 5 + task)).collect();
        world.report("w", lease, done, vec![]);
    }
    // The same again, by a worker that does not know that it was heard.
    for lease in &leases {
        world.report("w", lease, vec![moved(lease.tasks.start, 5 + lease.tasks.start)], vec![]);
    }
    world.sync("w");
    run(&mut world, &[0, 5, 6]);
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn an_attempt_that_fails_adds_nothing() {
    let mut world = begun();
    world.sync("w");
    let lease = world.drop_lease("w");
    let failure = rechunk_common::TaskFailure::new(FailureClass::TryAgain, "no luck");
    let counts = Counts { content: content(1000), ..Counts::default() };
    let failed = rechunk_common::session::FailedTask {
        task: rechunk_common::ids::TaskIndex(lease.tasks.start),
        failure,
        counts,
    };
    world.report("w", &lease, vec![], vec![failed]);
    world.worker("w").held.clear();
    world.wait(1_000);
    let mut sums = [1, 2, 0, 1, 2].into_iter().chain(std::iter::repeat(0));
    for _ in 0..40 {
        if world.state("a").is_terminal() {
            break;
        }
        work(&mut world, &mut sums);
        world.wait(20_000);
    }
    assert_eq!(world.state("a"), JobState::Succeeded, "{:?}", world.view("a"));
}

#[test]
fn sums_outlive_a_restart_and_a_snapshot() {
    for through_snapshot in [false, true] {
        let mut world = begun();
        let mut sums = [5, 9, 0].into_iter();
        work(&mut world, &mut sums);
        if world.view("a").stages[0].done < 2 {
            work(&mut world, &mut sums);
        }
        assert_eq!(world.view("a").stages[0].measured.content, content(14));
        if through_snapshot {
            let mut ledger = Ledger::default();
            world.records.iter().for_each(|record| ledger.add(record));
            world.records = ledger.records().collect();
        }
        let count = world.records.len();
        world.restart(count);
        assert_eq!(world.view("a").stages[0].measured.content, content(14));
        world.wait(60_000);
        let left = 1 - world.view("a").stages[1].done;
        let rest: Vec<u64> = std::iter::repeat_n(0, usize::try_from(left).expect("few")).chain([13, 1]).collect();
        run(&mut world, &rest);
        assert_eq!(world.state("a"), JobState::Succeeded, "{:?}", world.view("a"));
    }
}

#[test]
fn what_is_read_back_waits_until_nobody_writes_any_more() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), verifying("verify", 1)]));
    world.add_worker("v", 1);
    world.add_worker("w", 1);
    // The first worker falls silent; another one does its task.
    assert_eq!(world.take("v"), [tasks(0, 1)]);
    let silent = world.drop_lease("v");
    world.report("w", &silent, vec![moved(0, 3)], vec![]);
    assert_eq!(world.sync("w").granted.len(), 0, "the silent one may still write");
    assert_eq!(world.view("a").stages[0].done, 1);
    world.wait(60_000);
    assert_eq!(world.take("w"), [tasks(0, 1)]);
    let lease = world.drop_lease("w");
    world.report("w", &lease, vec![moved(0, 3)], vec![]);
    world.sync("w");
    world.wait(60_000);
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn what_only_compares_what_lay_there_says_that_nothing_was_written() {
    let mut world = World::new();
    let reading = StageFunction::Verify(Verify {
        target: layout(),
        boxes: BoxGrid::new(Region::whole(&[1]), vec![1]),
        read_back_as: ReadBackAs::Elements,
        presence: None,
    });
    let compare = vec![
        Stage { function: reading.clone(), ..stage("source", 1) },
        Stage { function: reading.clone(), ..verifying("target", 1) },
    ];
    world.submit("a", phases(vec![phase(vec![pipeline(compare)]), phase(vec![pipeline(vec![stage("copy", 1)])])]));
    world.add_worker("w", 8).functions.push(reading.id());
    run(&mut world, &[5, 6]);
    let view = world.view("a");
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.expect("a reason");
    assert_eq!((failure.code, failure.reason.as_str()), (RefusalCode::FailedPrecondition, "TARGET_DIFFERS"));
    assert!(failure.message.contains("pipeline of s3://b/a is not continued"), "{failure}");
    assert_eq!(view.stages[2].done, 0, "nothing is copied");
}

#[test]
fn a_stage_without_tasks_reads_nothing_back() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), verifying("verify", 0)]));
    world.add_worker("w", 1);
    run(&mut world, &[5]);
    assert_eq!(world.state("a"), JobState::Succeeded);
}
