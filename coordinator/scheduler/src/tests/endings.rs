//! Stories of endings: success, cancel, failure, deletion.

use rechunk_common::{
    FailureClass, RefusalCode,
    ids::RequestId,
    job::JobState,
    plan::{ParallelPipelines, Plan},
};

use super::{
    plans::{destroying, pipeline, publishing, stage, stages},
    world::{World, is_confirmed, job, lease_id, refusal_in, tasks},
};
use crate::{Command, Event};

fn copying() -> World {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 2)]));
    world.add_worker("w", 1);
    world.take("w");
    world
}

/// A job that has failed.
fn failed() -> World {
    let mut world = copying();
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!(world.state("a"), JobState::Failed);
    world
}

#[test]
fn a_job_succeeds_when_all_is_done_and_durable() {
    let mut world = copying();
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    assert_eq!(world.view("a").ended_at_ms, Some(1_000 + 1_000));
}

#[test]
fn a_cancel_takes_effect_when_it_is_durable() {
    let mut world = copying();
    world.is_durable_at_once = false;
    let commands = world.cancel("a");
    assert!(!is_confirmed(&commands, "a"));
    assert_eq!(world.state("a"), JobState::Running);
    world.worker("w").total.slots = 2;
    let response = world.sync("w");
    assert_eq!((response.granted, response.revoked), (vec![], vec![]), "nothing new, nothing revoked");
    let commands = world.make_durable();
    assert!(is_confirmed(&commands, "a"));
    assert_eq!(world.state("a"), JobState::Cancelling);
    assert_eq!(world.sync("w").revoked, vec![lease_id(7, 1)]);
}

#[test]
fn a_cancelled_job_cleans_up_when_no_lease_can_write_any_more() {
    let mut world = copying();
    world.add_worker("v", 1);
    world.cancel("a");
    assert_eq!(world.take("v"), vec![], "the worker may still write");
    world.wait(49_999);
    assert_eq!(world.take("v"), vec![], "lease and two margins");
    world.wait(1);
    let cleanup = world.sync("v").granted;
    assert_eq!(cleanup[0].stage_name, "cleanup");
    assert_eq!(world.state("a"), JobState::Cancelling);
    world.finish("v");
    assert_eq!(world.state("a"), JobState::Cancelled);
}

#[test]
fn a_cancelled_job_cleans_up_at_once_when_its_workers_have_stopped() {
    let mut world = copying();
    world.cancel("a");
    assert_eq!(world.sync("w").revoked, vec![lease_id(7, 1)]);
    assert_eq!(world.sync("w").granted[0].stage_name, "cleanup");
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Cancelled);
}

#[test]
fn a_cancel_is_confirmed_again_while_the_job_is_being_cancelled() {
    let mut world = copying();
    world.cancel("a");
    assert!(is_confirmed(&world.cancel("a"), "a"));
}

#[test]
fn every_caller_of_a_cancel_is_confirmed() {
    let mut world = copying();
    world.is_durable_at_once = false;
    world.cancel("a");
    world.cancel("a");
    let confirmed = world.make_durable().into_iter().filter(|command| matches!(command, Command::Confirmed { .. }));
    assert_eq!(confirmed.count(), 2);
}

#[test]
fn a_cancel_is_refused_once_publishing_has_opened() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), publishing("publish", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.finish("w");
    let refusal = refusal_in(&world.cancel("a"));
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::FailedPrecondition, "PUBLISHING"));
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn a_barrier_that_becomes_durable_after_a_cancel_was_decided_opens_nothing() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), publishing("publish", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.is_durable_at_once = false;
    world.finish("w");
    world.cancel("a");
    world.make_durable();
    assert_eq!(world.state("a"), JobState::Cancelling);
    assert_eq!(world.sync("w").granted[0].stage_name, "cleanup");
}

#[test]
fn a_cancel_of_a_job_that_has_ended_or_does_not_exist_is_refused() {
    let mut world = copying();
    world.run_to_end("w", "a");
    let refusal = refusal_in(&world.cancel("a"));
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::FailedPrecondition, "JOB_ENDED"));
    let refusal = refusal_in(&world.cancel("nothing"));
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::NotFound, "NO_SUCH_JOB"));
}

#[test]
fn a_cleanup_that_fails_for_good_fails_the_job_and_says_so() {
    let mut world = copying();
    world.cancel("a");
    world.sync("w");
    world.sync("w");
    world.fail("w", FailureClass::GiveUpTask);
    let view = world.view("a");
    assert_eq!(view.state, JobState::Failed);
    let message = view.failure.expect("a reason").message;
    assert_eq!(message, "the job was cancelled, but not all that it wrote could be removed: no luck");
}

#[test]
fn a_failing_job_is_terminal_when_no_lease_can_write_any_more() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 2)]));
    world.add_worker("w", 1);
    world.add_worker("v", 1);
    world.take("w");
    world.take("v");
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!(world.state("a"), JobState::Failing);
    assert_eq!(world.sync("v").revoked, vec![lease_id(7, 2)]);
    assert_eq!(world.state("a"), JobState::Failing);
    world.sync("v");
    assert_eq!(world.state("a"), JobState::Failed);
}

#[test]
fn a_reason_is_seen_when_it_is_durable() {
    let mut world = copying();
    world.is_durable_at_once = false;
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!((world.state("a"), world.view("a").failure), (JobState::Running, None));
    world.make_durable();
    world.make_durable();
    assert_eq!(world.state("a"), JobState::Failed);
    assert!(world.view("a").failure.is_some());
}

#[test]
fn deleting_a_job_that_succeeded_removes_nothing() {
    let mut world = copying();
    world.run_to_end("w", "a");
    assert!(is_confirmed(&world.delete("a"), "a"));
    assert_eq!(world.scheduler.job(&job("a")), None);
    assert_eq!(world.take("w"), vec![]);
}

#[test]
fn deleting_a_failed_job_removes_what_it_wrote_first() {
    let mut world = failed();
    assert!(!is_confirmed(&world.delete("a"), "a"));
    assert_eq!(world.scheduler.live_targets().count(), 1, "its target is not free yet");
    assert_eq!(world.sync("w").granted[0].stage_name, "cleanup");
    world.finish("w");
    assert!(is_confirmed(&world.log, "a"));
    assert_eq!(world.scheduler.job(&job("a")), None);
    assert_eq!(world.scheduler.live_targets().count(), 0);
}

#[test]
fn a_deletion_that_fails_is_refused_and_may_be_tried_again() {
    let mut world = failed();
    world.delete("a");
    world.take("w");
    world.fail("w", FailureClass::GiveUpTask);
    assert_eq!(refusal_in(&world.log).reason, "TASK_FAILED");
    assert_eq!(world.state("a"), JobState::Failed);
    world.delete("a");
    world.take("w");
    world.finish("w");
    assert!(is_confirmed(&world.log, "a"));
}

#[test]
fn a_failed_job_is_not_cleaned_over_the_result_of_a_newer_one() {
    let mut world = failed();
    world.wait(10);
    world.submit_with("b", stages(vec![stage("copy", 1)]), |event| {
        if let Event::Submit { target, .. } = event {
            *target = "s3://b/a".to_owned();
        }
    });
    assert_eq!(refusal_in(&world.delete("a")).reason, "TARGET_REUSED");
    world.run_to_end("w", "b");
    assert_eq!(refusal_in(&world.delete("a")).reason, "TARGET_REUSED");
}

#[test]
fn deleting_a_live_job_is_refused() {
    let mut world = copying();
    let refusal = refusal_in(&world.delete("a"));
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::FailedPrecondition, "JOB_LIVE"));
}

#[test]
fn a_job_without_cleanup_is_cancelled_when_its_leases_are_over() {
    let mut world = World::new();
    let plan = Plan { cleanup: ParallelPipelines::default(), ..stages(vec![stage("copy", 1)]) };
    world.submit("a", plan);
    world.cancel("a");
    assert_eq!(world.state("a"), JobState::Cancelled);
}

#[test]
fn cleanup_runs_its_stages_one_after_another() {
    let mut world = World::new();
    let cleanup = vec![pipeline(vec![destroying("metadata", 1), destroying("chunks", 2)])];
    world.submit("a", Plan { cleanup: ParallelPipelines { pipelines: cleanup }, ..stages(vec![stage("copy", 1)]) });
    world.add_worker("w", 4);
    world.cancel("a");
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
    assert_eq!(world.finish("w").granted.len(), 2);
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Cancelled);
}

#[test]
fn the_same_request_id_gives_the_same_job() {
    let mut world = World::new();
    world.is_durable_at_once = false;
    let same = |event: &mut Event| {
        if let Event::Submit { request_id, .. } = event {
            *request_id = Some(RequestId::from("once"));
        }
    };
    world.submit_with("a", stages(vec![stage("copy", 1)]), same);
    assert_eq!(world.submit_with("b", stages(vec![stage("copy", 1)]), same), vec![], "waits for the record");
    let accepted = |submitted: &str| Command::Accepted { submitted: job(submitted), job: job("a") };
    let commands = world.make_durable();
    assert!(commands.contains(&accepted("a")) && commands.contains(&accepted("b")), "{commands:?}");
    assert_eq!(world.submit_with("c", stages(vec![stage("copy", 1)]), same), vec![accepted("c")]);
    assert_eq!(world.scheduler.jobs().count(), 1);
}
