//! Stories of failed tasks: again, elsewhere, in halves, or the job fails.

use std::time::Duration;

use rechunk_common::{Counts, FailureClass, RefusalCode, job::JobState};

use super::{
    plans::{stage, stages},
    world::{World, puts, settings, tasks},
};
use crate::Settings;

fn with_tasks(count: u64) -> World {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", count)]));
    world
}

#[test]
fn a_task_is_tried_again_after_a_wait_that_doubles() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    world.fail("w", FailureClass::TryAgain);
    world.wait(99);
    assert_eq!(world.take("w"), vec![]);
    world.wait(1);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
    world.fail("w", FailureClass::TryAgain);
    world.wait(199);
    assert_eq!(world.take("w"), vec![]);
    world.wait(1);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
    assert_eq!(world.view("a").retries, 2);
}

#[test]
fn a_waiting_call_is_answered_when_a_task_may_be_tried_again() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    world.fail("w", FailureClass::TryAgain);
    world.poll("w");
    assert_eq!(super::world::answer_to(&world.wait(99), "w"), None);
    let commands = world.wait(1);
    assert_eq!(super::world::answer_to(&commands, "w").expect("work").granted.len(), 1);
}

#[test]
fn a_task_that_fails_at_every_attempt_fails_the_job_with_its_message() {
    let mut world = with_tasks(2);
    world.add_worker("w", 1);
    for _ in 0..3 {
        world.wait(1_000);
        while world.worker("w").held.first().is_none_or(|lease| lease.tasks != tasks(0, 1)) {
            assert!(!world.finish("w").granted.is_empty());
        }
        world.fail("w", FailureClass::TryAgain);
    }
    let view = world.view("a");
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.expect("a reason");
    assert_eq!((failure.code, failure.reason.as_str()), (RefusalCode::FailedPrecondition, "TASK_FAILED"));
    assert_eq!(failure.message, "no luck (task 0 of stage copy, after 3 attempts)");
}

#[test]
fn a_task_that_failed_on_a_worker_goes_to_another() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.add_worker("v", 1);
    world.take("w");
    assert_eq!(world.take("v"), vec![]);
    world.fail("w", FailureClass::TryElsewhere);
    world.wait(100);
    assert_eq!(world.take("w"), vec![]);
    assert_eq!(world.take("v"), vec![tasks(0, 1)]);
}

#[test]
fn a_task_that_failed_on_the_only_worker_goes_there_again() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    world.fail("w", FailureClass::TryElsewhere);
    world.wait(100);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
}

#[test]
fn a_failure_that_no_attempt_can_avoid_fails_the_job_at_once() {
    for (class, code, reason) in [
        (FailureClass::GiveUpTask, RefusalCode::FailedPrecondition, "TASK_FAILED"),
        (FailureClass::InvalidRequest, RefusalCode::InvalidArgument, "INVALID_REQUEST"),
        (FailureClass::Bug, RefusalCode::Internal, "BUG"),
    ] {
        let mut world = with_tasks(5);
        world.add_worker("w", 1);
        world.take("w");
        world.fail("w", class);
        let view = world.view("a");
        assert_eq!(view.state, JobState::Failed);
        let failure = view.failure.expect("a reason");
        assert_eq!((failure.code, failure.reason.as_str(), failure.message.as_str()), (code, reason, "no luck"));
    }
}

#[test]
fn a_failure_counts_only_from_the_live_lease() {
    let mut world = with_tasks(1);
    world.add_worker("late", 1);
    world.add_worker("w", 1);
    world.take("late");
    world.wait(41_000);
    world.take("w");
    world.fail("late", FailureClass::GiveUpTask);
    assert_eq!(world.state("a"), JobState::Running);
    assert_eq!(world.view("a").stages[0].measured, Counts { repeated_requests: 1, ..Counts::default() });
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
    assert_eq!(world.view("a").stages[0].measured, Counts { repeated_requests: 1, ..puts(1) });
}

#[test]
fn a_single_task_whose_lease_dies_on_three_workers_fails_the_job() {
    let mut world = with_tasks(1);
    for name in ["u", "v", "w"] {
        assert!(!world.state("a").is_terminal());
        world.add_worker(name, 1);
        assert_eq!(world.take(name), vec![tasks(0, 1)]);
        world.wait(40_000);
    }
    world.wait(10_000);
    assert_eq!(world.state("a"), JobState::Failed);
    assert_eq!(world.view("a").failure.expect("a reason").reason, "TASK_POISONOUS");
}

#[test]
fn a_poisonous_task_among_many_is_found_by_halving_and_the_others_get_done() {
    let settings = Settings { lease_work: Duration::from_secs(8), ..settings() };
    let mut world = World::with(settings);
    world.submit("a", stages(vec![stage("copy", 64)]));
    world.add_worker("w", 1);
    let poison = 37;
    for _ in 0..400 {
        if world.state("a").is_terminal() {
            break;
        }
        let granted = world.sync("w").granted;
        world.wait(100);
        let dies = granted.iter().any(|grant| grant.lease.tasks.contains(poison));
        if dies {
            let worker = world.worker("w");
            worker.incarnation += 1;
            (worker.seq, worker.held, worker.reports, worker.next_number) = (0, vec![], vec![], 1);
        } else {
            world.finish("w");
            let held = world.worker("w").held.clone();
            if held.iter().any(|lease| lease.tasks.contains(poison)) {
                let worker = world.worker("w");
                worker.incarnation += 1;
                (worker.seq, worker.held, worker.reports, worker.next_number) = (0, vec![], vec![], 1);
            }
        }
    }
    world.wait(60_000);
    let view = world.view("a");
    assert_eq!(view.state, JobState::Failed);
    let failure = view.failure.expect("a reason");
    assert!(failure.message.starts_with("task 37 of stage copy"), "{failure:?}");
    assert!(view.leases_expired >= 3);
}
