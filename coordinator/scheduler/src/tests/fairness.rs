//! Stories of several jobs and pipelines at a time.

use rechunk_common::job::JobState;

use super::{
    plans::{needing, of_function, phase, phases, pipeline, stage, stages},
    world::World,
};
use crate::Event;

/// The jobs to which the next `count` leases of a worker with one slot go.
fn turns(world: &mut World, count: usize) -> String {
    (0..count).map(|_| world.finish("w").granted[0].lease.stage.job.to_string()).collect()
}

#[test]
fn jobs_take_turns() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 100)]));
    world.submit("b", stages(vec![stage("copy", 100)]));
    world.add_worker("w", 1);
    assert_eq!(turns(&mut world, 6), "ababab");
}

#[test]
fn a_job_that_weighs_more_gets_more() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1_000_000)]));
    world.submit_with("b", stages(vec![stage("copy", 1_000_000)]), |event| {
        if let Event::Submit { weight, .. } = event {
            *weight = 3;
        }
    });
    world.add_worker("w", 1);
    let turns = turns(&mut world, 40);
    assert_eq!(turns.matches('b').count(), 30, "{turns}");
}

#[test]
fn a_job_that_comes_late_does_not_catch_up_on_the_past() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 100_000)]));
    world.add_worker("w", 1);
    turns(&mut world, 20);
    world.submit("b", stages(vec![stage("copy", 1_000)]));
    let turns = turns(&mut world, 10);
    assert_eq!(turns.matches('a').count(), 5, "{turns}");
}

#[test]
fn pipelines_of_a_job_take_turns() {
    let mut world = World::new();
    let of = |name: &str| pipeline(vec![of_function(name, stage(name, 10))]);
    world.submit("a", phases(vec![phase(vec![of("f"), of("g")])]));
    world.add_worker("only-g", 1).functions = vec![rechunk_common::plan::FunctionId::new("g", 1)];
    assert_eq!(world.sync("only-g").granted[0].stage_name, "g", "its pipeline opens for it");
    let functions = ["f", "g"].map(|name| rechunk_common::plan::FunctionId::new(name, 1)).to_vec();
    world.add_worker("w", 1).functions = functions;
    let names: String = (0..6).map(|_| world.finish("w").granted[0].stage_name.clone()).collect();
    assert_eq!(names, "fgfgfg");
}

#[test]
fn a_job_that_can_use_a_worker_is_served_past_one_that_can_not() {
    let mut world = World::new();
    world.submit("a", stages(vec![needing(1 << 30, stage("copy", 5))]));
    world.submit("b", stages(vec![stage("copy", 5)]));
    world.add_worker("w", 1);
    assert_eq!(turns(&mut world, 3), "bbb");
}

#[test]
fn a_job_never_has_more_tasks_leased_than_it_allows() {
    let mut world = World::new();
    world.submit_with("a", stages(vec![stage("copy", 20)]), |event| {
        if let Event::Submit { max_parallel_tasks, .. } = event {
            *max_parallel_tasks = Some(3);
        }
    });
    world.add_worker("w", 8);
    assert_eq!(world.take("w").len(), 3);
    world.add_worker("v", 8);
    world.poll("v");
    assert_eq!(world.view("a").stages[0].leased, 3);
    world.wait(1);
    world.finish("w");
    assert_eq!(world.view("a").stages[0].leased, 3, "as many as were done");
    world.wait(9_000);
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
}

#[test]
fn a_lease_that_comes_back_is_not_taken_up_over_the_limit_of_its_job() {
    let mut world = World::new();
    world.submit_with("a", stages(vec![stage("copy", 3)]), |event| {
        if let Event::Submit { max_parallel_tasks, .. } = event {
            *max_parallel_tasks = Some(1);
        }
    });
    world.add_worker("u", 1);
    world.add_worker("v", 1);
    world.add_worker("w", 1);
    world.take("u");
    world.wait(20_000);
    world.take("v");
    world.wait(20_000);
    // The lease of u has expired; v gets its task, fails at it, and gets the next one.
    assert_eq!(world.take("v").len(), 1);
    world.fail("v", rechunk_common::FailureClass::TryAgain);
    assert_eq!(world.take("w").len(), 1);
    assert_eq!(world.sync("u").renewed, vec![]);
    assert_eq!(world.view("a").stages[0].leased, 1);
}
