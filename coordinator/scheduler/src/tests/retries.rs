//! Stories of failed jobs: retried, or removed when nobody does.

use rechunk_common::{FailureClass, ids::RunNumber, job::JobState};

use super::{
    plans::{destroying, phase, phases, pipeline, stage, stages},
    world::{World, is_confirmed, refusal_in, tasks},
};

/// A job of two tasks: one is done, the other has failed it.
fn failed(world: &mut World) {
    world.submit("a", stages(vec![stage("copy", 2), destroying("delete", 1)]));
    world.add_worker("w", 1);
    assert_eq!(world.take("w"), [tasks(0, 1)]);
    let lease = world.drop_lease("w");
    world.say_done("w", &lease, lease.tasks);
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!(world.state("a"), JobState::Failed);
}

#[test]
fn a_retry_keeps_what_is_done() {
    let mut world = World::new();
    failed(&mut world);
    let stale = world.worker("w").reports.clone();
    assert!(is_confirmed(&world.retry("a"), "a"));
    let view = world.view("a");
    assert_eq!((view.run, view.failure, view.stages[0].done), (RunNumber(2), None, 1));
    assert_eq!(world.take("w"), [tasks(1, 2)]);
    assert!(stale.is_empty());
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    assert_eq!(world.view("a").stages[0].measured.put_requests, 2);
}

#[test]
fn a_retry_takes_effect_when_it_is_durable_and_outlives_a_restart() {
    let mut world = World::new();
    failed(&mut world);
    world.is_durable_at_once = false;
    assert!(!is_confirmed(&world.retry("a"), "a"));
    assert_eq!(world.state("a"), JobState::Failed);
    let count = world.records.len();
    world.restart(count);
    assert_eq!((world.view("a").run, world.state("a")), (RunNumber(2), JobState::Running));
}

#[test]
fn a_report_of_an_older_run_is_dropped() {
    let mut world = World::new();
    failed(&mut world);
    world.retry("a");
    world.take("w");
    let mut lease = world.drop_lease("w");
    lease.stage.run = RunNumber(1);
    world.say_done("w", &lease, lease.tasks);
    assert_eq!(world.view("a").stages[0].done, 1);
}

#[test]
fn only_a_failed_job_is_retried() {
    let mut world = World::new();
    assert_eq!(refusal_in(&world.retry("a")).reason, "NO_SUCH_JOB");
    world.submit("a", stages(vec![stage("copy", 1)]));
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_NOT_FAILED");
    world.add_worker("w", 1);
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_NOT_FAILED");
}

#[test]
fn a_retry_is_refused_while_another_job_uses_the_target() {
    let mut world = World::new();
    failed(&mut world);
    world.submit_with("b", stages(vec![stage("copy", 1)]), |event| {
        if let crate::Event::Submit { target, .. } = event {
            *target = "s3://b/a".to_owned();
        }
    });
    let refusal = refusal_in(&world.retry("a"));
    assert!(refusal.reason == "TARGET_REUSED" && refusal.message.contains("job b"), "{refusal}");
}

#[test]
fn what_a_failed_job_wrote_is_removed_when_its_window_ends_and_the_job_is_remembered() {
    let mut world = World::new();
    failed(&mut world);
    world.wait(24 * 3_600_000 - 1_000_000);
    assert!(world.take("w").is_empty(), "it is kept for a retry");
    world.wait(1_000_000);
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_REMOVED");
    assert_eq!(world.take("w"), [tasks(0, 1)], "the cleanup runs");
    world.finish("w");
    world.wait(200_000);
    assert_eq!(world.state("a"), JobState::Failed);
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_REMOVED");
    world.restart(world.records.len());
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_REMOVED");
    assert!(is_confirmed(&world.delete("a"), "a"), "nothing is left to remove");
}

#[test]
fn a_removal_goes_on_after_a_restart() {
    let mut world = World::new();
    failed(&mut world);
    world.delete("a");
    world.restart(world.records.len());
    assert_eq!(refusal_in(&world.retry("a")).reason, "JOB_REMOVED");
    world.worker("w").held.clear();
    world.wait(100_000);
    assert_eq!(world.take("w"), [tasks(0, 1)], "the cleanup runs");
    assert!(!is_confirmed(&world.delete("a"), "a"), "a caller joins it");
    let lease = world.drop_lease("w");
    world.say_done("w", &lease, lease.tasks);
    world.wait(1_000);
    assert_eq!(world.scheduler.jobs().count(), 0);
}

#[test]
fn a_retry_begins_in_the_phase_that_failed() {
    let mut world = World::new();
    let group = |name: &str| phase(vec![pipeline(vec![stage(name, 1)])]);
    world.submit("a", phases(vec![group("first"), group("second")]));
    world.add_worker("w", 1);
    world.take("w");
    world.finish("w");
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!(world.state("a"), JobState::Failed);
    world.retry("a");
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    let puts: Vec<u64> = world.view("a").stages.iter().map(|row| row.measured.put_requests).collect();
    assert_eq!(puts, [1, 1]);
}
