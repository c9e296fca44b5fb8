//! Stories of what people see.

use rechunk_common::{ByteCount, plan::StageEffect};

use super::{
    plans::{needing, of_function, on_disk, phase, phases, pipeline, stage, stages},
    world::{World, puts},
};
use crate::{Command, spaces_overlap};

#[test]
fn rows_are_one_per_stage_name_summed_over_pipelines_in_run_order() {
    let mut world = World::new();
    let group = || pipeline(vec![stage("read", 2), stage("write", 3)]);
    world.submit("a", phases(vec![phase(vec![group(), group()]), phase(vec![pipeline(vec![stage("publish", 1)])])]));
    let rows: Vec<(String, u64, u64)> =
        world.view("a").stages.into_iter().map(|row| (row.name, row.tasks, row.predicted.put_requests)).collect();
    let expected = [("read", 4, 4), ("write", 6, 6), ("publish", 1, 1)];
    assert_eq!(rows, expected.map(|(name, tasks, puts)| (name.to_owned(), tasks, puts)).to_vec());
    world.add_worker("w", 1);
    world.run_to_end("w", "a");
    assert!(world.view("a").stages.iter().all(|row| row.done == row.tasks && row.measured == row.predicted));
    assert_eq!(world.view("a").peak_rss, ByteCount(1000));
}

#[test]
fn a_job_says_what_it_waits_for() {
    let mut world = World::new();
    world.submit("a", stages(vec![of_function("f", needing(3 << 20, stage("copy", 1)))]));
    let waits = |world: &World| world.view("a").waits_for;
    assert_eq!(waits(&world).as_deref(), Some("workers"));
    world.add_worker("w", 2);
    world.sync("w");
    assert_eq!(waits(&world).as_deref(), Some("a worker that offers f@1"));
    world.worker("w").functions = vec![rechunk_common::plan::FunctionId::new("f", 1)];
    world.sync("w");
    assert_eq!(waits(&world).as_deref(), Some("a worker with 3 MiB of memory"));
    world.add_worker("v", 4).functions = vec![rechunk_common::plan::FunctionId::new("f", 1)];
    world.sync("v");
    assert_eq!(waits(&world), None);
}

#[test]
fn a_job_that_needs_local_disk_waits_for_a_worker_that_has_it() {
    let mut world = World::new();
    world.submit("a", stages(vec![on_disk(7 << 20, needing(2 << 20, stage("copy", 2)))]));
    world.add_worker("w", 2);
    let waits = |world: &World| world.view("a").waits_for;
    for (memory, scratch, expected) in [
        (2, 0, Some("a worker with 7 MiB of local disk")),
        (2, 6, Some("a worker with 7 MiB of local disk")),
        (1, 7, Some("a worker with 2 MiB of memory")),
    ] {
        world.worker("w").total.memory = ByteCount(memory << 20);
        world.worker("w").total.scratch = ByteCount(scratch << 20);
        assert_eq!(world.take("w"), []);
        assert_eq!(waits(&world).as_deref(), expected);
    }
    // Enough disk for one, enough memory and slots for more.
    world.add_worker("v", 4).total.scratch = ByteCount(13 << 20);
    assert_eq!(world.take("v").len(), 1);
    assert_eq!(waits(&world), None);
}

#[test]
fn a_job_is_announced_once_per_step_when_something_changes() {
    let mut world = World::new();
    let commands = world.submit("a", stages(vec![stage("copy", 2)]));
    let changed =
        |commands: &[Command]| commands.iter().filter(|command| matches!(command, Command::JobChanged { .. })).count();
    assert_eq!(changed(&commands), 1);
    world.add_worker("w", 2);
    world.take("w");
    let before = world.log.len();
    world.sync("w");
    assert_eq!(changed(&world.log[before..]), 0, "a renewal changes nothing that people see");
}

#[test]
fn a_waiting_job_is_announced_when_the_fleet_changes() {
    let mut world = World::new();
    world.submit("a", stages(vec![of_function("f", stage("copy", 1))]));
    let changed =
        |commands: &[Command]| commands.iter().filter(|command| matches!(command, Command::JobChanged { .. })).count();
    world.add_worker("w", 2);
    let before = world.log.len();
    world.sync("w");
    assert_eq!(changed(&world.log[before..]), 1, "it waits for a function now, and no longer for workers");
    let before = world.log.len();
    world.sync("w");
    assert_eq!(changed(&world.log[before..]), 0, "nothing new");
}

#[test]
fn a_worker_is_seen_as_it_described_itself() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 9)]));
    world.add_worker("w", 2);
    world.take("w");
    let view = world.scheduler.workers().remove(0);
    assert_eq!((view.id.as_str(), view.leased_tasks, view.draining, view.total.slots), ("w", 2, false, 2));
    assert_eq!(view.last_heard_at_ms, 1_000);
}

#[test]
fn places_overlap_by_whole_segments() {
    assert!(spaces_overlap("s3://b/a", "s3://b/a/"));
    assert!(spaces_overlap("s3://b/a", "s3://b/a/c"));
    assert!(spaces_overlap("s3://b/a/c", "s3://b/a"));
    assert!(!spaces_overlap("s3://b/a", "s3://b/ab"));
    assert!(!spaces_overlap("", "s3://b/ab"));
}

#[test]
fn what_is_measured_can_be_compared_with_what_was_predicted() {
    let mut world = World::new();
    let mut plan = stages(vec![stage("copy", 5)]);
    plan.phases[0].pipelines.pipelines[0].stages[0].effect = StageEffect::Destroys;
    world.submit("a", plan);
    world.add_worker("w", 2);
    world.run_to_end("w", "a");
    assert_eq!(world.view("a").stages[0].measured, puts(5));
}
