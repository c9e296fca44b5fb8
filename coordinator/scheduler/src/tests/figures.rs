//! Stories of the scheduler in numbers.

use rechunk_common::{ByteCount, FailureClass, job::JobState, plan::MultiStagePipeline, task_set::TaskRange};

use super::{
    plans::{destroying, needing, phase, phases, pipeline, publishing, stage, stages},
    world::World,
};
use crate::{Event, Figures};

fn of(world: &World) -> (u64, u64, u64) {
    let figures = world.scheduler.figures();
    (figures.ready(), figures.leased(), figures.leases)
}

#[test]
fn nothing_is_to_be_done_before_the_first_job_and_after_the_last() {
    let mut world = World::new();
    assert_eq!(world.scheduler.figures(), Figures::default());
    world.is_durable_at_once = false;
    world.submit("a", stages(vec![stage("copy", 3)]));
    assert!(!world.scheduler.is_active(), "its acceptance is not durable");
    world.make_durable();
    assert!(world.scheduler.is_active());
    assert_eq!(of(&world), (3, 0, 0));
    world.is_durable_at_once = true;
    world.add_worker("w", 1);
    world.run_to_end("w", "a");
    let figures = world.scheduler.figures();
    assert!(!figures.is_active && figures.demand.is_empty());
    assert_eq!(figures.jobs, [(JobState::Succeeded, 1)].into());
}

#[test]
fn tasks_of_stages_that_are_not_open_are_not_ready() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 2), stage("write", 5)]));
    assert_eq!(of(&world), (2, 0, 0));
    world.add_worker("w", 1);
    let taken = world.take("w").iter().map(|tasks| tasks.len()).sum::<u64>();
    assert_eq!(of(&world), (2 - taken, taken, 1));
    let mut sums = vec![];
    while world.view("a").stages[0].done < 2 {
        let (ready, leased, _) = of(&world);
        sums.push(ready + leased);
        world.finish("w");
    }
    assert!(sums.iter().all(|sum| (1..=2).contains(sum)), "{sums:?}");
    let (ready, leased, _) = of(&world);
    assert_eq!(ready + leased, 5, "the barrier is passed");
}

#[test]
fn a_job_counts_no_more_than_it_may_have_leased_and_classes_count_apart() {
    let mut world = World::new();
    let limit = |event: &mut Event| {
        if let Event::Submit { max_parallel_tasks, .. } = event {
            *max_parallel_tasks = Some(4);
        }
    };
    let side_by_side = || vec![pipeline(vec![stage("a", 3)]), pipeline(vec![needing(9 << 20, stage("b", 3))])];
    world.submit_with("a", phases(vec![phase(side_by_side())]), limit);
    assert_eq!(of(&world), (4, 0, 0));
    let ready: Vec<(u64, u64)> =
        world.scheduler.figures().demand.iter().map(|demand| (demand.memory.0 >> 20, demand.ready)).collect();
    assert_eq!(ready, [(1, 3), (9, 1)]);
}

#[test]
fn as_many_tasks_are_ready_as_workers_without_end_would_take() {
    let copy = |tasks: u64| pipeline(vec![stage("nothing", 0), stage("read", tasks), stage("write", 9)]);
    let large = || MultiStagePipeline { temp_bytes: ByteCount(1_000), ..copy(5) };
    let no_tasks = || pipeline(vec![]);
    let removal = || pipeline(vec![destroying("delete", 4)]);
    for (side_by_side, expected) in [
        (vec![copy(1), copy(2), copy(3)], 1 + 2),
        (vec![large(), copy(1), copy(2)], 5),
        (vec![copy(1), large(), copy(2)], 1),
        (vec![no_tasks(), copy(1), copy(2)], 1 + 2),
        (vec![removal(), copy(1), removal()], 4 + 1),
    ] {
        let mut world = World::new();
        let temp: Vec<u64> = side_by_side.iter().map(|pipeline| pipeline.temp_bytes.0).collect();
        world.submit_with("a", phases(vec![phase(side_by_side)]), |event| {
            if let Event::Submit { temp_limit, .. } = event {
                *temp_limit = Some(ByteCount(250));
            }
        });
        assert_eq!(of(&world), (expected, 0, 0), "{temp:?}");
        world.add_worker("w", 100);
        // A stage that opens behind an empty one has its tasks in the next answer.
        let answers = std::iter::from_fn(|| Some(world.take("w")).filter(|taken| !taken.is_empty()));
        let taken: u64 = answers.flatten().map(TaskRange::len).sum();
        assert_eq!(taken, expected, "{temp:?}");
        assert_eq!((of(&world).0, of(&world).1), (0, expected), "{temp:?}");
    }
}

#[test]
fn pipelines_that_wait_for_earlier_leases_are_not_ready() {
    let mut world = World::new();
    let publish = || pipeline(vec![publishing("publish", 3)]);
    let copy = phase(vec![pipeline(vec![stage("copy", 1)])]);
    world.submit("a", phases(vec![copy, phase(vec![publish(), publish()])]));
    world.add_worker("zombie", 1);
    world.add_worker("w", 1);
    world.take("zombie");
    world.wait(40_000);
    world.take("w");
    world.finish("w");
    assert_eq!(of(&world), (0, 0, 0), "the zombie may still write");
    world.wait(10_000);
    assert_eq!(of(&world), (6, 0, 0));
}

#[test]
fn a_task_that_failed_is_ready_when_its_wait_is_over() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.fail("w", FailureClass::TryAgain);
    assert_eq!((of(&world).0, world.scheduler.is_active()), (0, true));
    world.wait(5_000);
    assert_eq!(of(&world).0 + of(&world).1, 1);
    assert_eq!(world.scheduler.figures().active_workers.len(), 1);
}
