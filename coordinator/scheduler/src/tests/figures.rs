//! Stories of the scheduler in numbers.

use rechunk_common::{FailureClass, job::JobState};

use super::{
    plans::{needing, phase, phases, pipeline, stage, stages},
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
