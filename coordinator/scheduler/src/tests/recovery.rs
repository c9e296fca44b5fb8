//! Stories of coordinators that die and are followed by others.

use rechunk_common::{ids::RequestId, job::JobState, record::RecordFact};

use super::{
    plans::{destroying, publishing, stage, stages},
    world::{World, job, refusal_in, tasks},
};
use crate::{Command, Event, Ledger};

#[test]
fn a_restart_keeps_what_is_done_and_adopts_what_is_held() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 4)]));
    world.add_worker("w", 2);
    world.take("w");
    let (first, second) = (world.drop_lease("w"), world.drop_lease("w"));
    world.worker("w").total.slots = 1;
    world.worker("w").held = vec![second.clone()];
    world.say_done("w", &first, first.tasks);
    world.restart(world.records.len());
    assert_eq!(world.view("a").stages[0].done, 1);
    let answer = world.sync("w");
    assert_eq!((answer.renewed, answer.revoked), (vec![second.id], vec![]), "the lease of the older reign goes on");
    assert_eq!(world.view("a").stages[0].leased, 1);
    world.say_done("w", &second, second.tasks);
    assert_eq!(world.view("a").stages[0].done, 2);
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    assert_eq!(world.view("a").stages[0].measured.put_requests, 4, "no task was counted twice");
}

#[test]
fn what_nobody_names_within_one_lease_time_is_leased_again() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.restart(world.records.len());
    world.add_worker("v", 1);
    assert!(world.take("v").is_empty(), "it may still be held");
    assert!(world.view("a").waits_for.is_some_and(|reason| reason.contains("coordinator before")));
    world.wait(29_999);
    assert!(world.take("v").is_empty());
    world.wait(1);
    assert_eq!(world.take("v"), [tasks(0, 1)]);
}

#[test]
fn nothing_is_destroyed_before_every_lease_of_the_reign_before_is_over() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), destroying("delete", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.finish("w");
    assert_eq!(world.barriers(), [(0, 0, 0)]);
    world.restart(world.records.len());
    world.worker("w").held.clear();
    // One lease time of grants after the last confirmation, one that the last of them runs, and the margin.
    world.wait(69_999);
    assert!(world.take("w").is_empty());
    world.wait(1);
    assert_eq!(world.take("w"), [tasks(0, 1)]);
}

#[test]
fn no_job_settles_before_every_lease_of_the_reign_before_is_over() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    let lease = world.drop_lease("w");
    world.restart(world.records.len());
    world.say_done("w", &lease, lease.tasks);
    assert_eq!(world.state("a"), JobState::Succeeding);
    world.wait(69_999);
    assert_eq!(world.state("a"), JobState::Succeeding);
    world.wait(1);
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn a_cancel_is_refused_where_publishing_may_have_begun_before_the_restart() {
    let mut world = World::new();
    world.submit("a", stages(vec![publishing("publish", 1)]));
    world.restart(world.records.len());
    assert_eq!(refusal_in(&world.cancel("a")).reason, "PUBLISHING");
}

#[test]
fn a_request_id_gives_the_same_job_after_a_restart() {
    let mut world = World::new();
    let named = |event: &mut Event| {
        if let Event::Submit { request_id, .. } = event {
            *request_id = Some(RequestId::from("mine"));
        }
    };
    world.submit_with("a", stages(vec![stage("copy", 1)]), named);
    world.restart(world.records.len());
    let commands = world.submit_with("b", stages(vec![stage("copy", 1)]), named);
    assert!(commands.contains(&Command::Accepted { submitted: job("b"), job: job("a") }), "{commands:?}");
}

#[test]
fn a_submission_that_was_not_durable_was_never_made() {
    let mut world = World::new();
    world.is_durable_at_once = false;
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.restart(0);
    assert_eq!(world.scheduler.jobs().count(), 0);
}

#[test]
fn deaths_on_a_poisonous_task_are_counted_over_restarts() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1)]));
    for name in ["u", "v", "w"] {
        assert_eq!(world.state("a"), if name == "u" { JobState::Accepted } else { JobState::Running });
        world.add_worker(name, 1);
        assert_eq!(world.take(name), [tasks(0, 1)]);
        world.wait(40_000);
        world.restart(world.records.len());
        world.wait(30_000);
    }
    assert_eq!(world.state("a"), JobState::Failing);
    assert!(world.view("a").failure.is_some_and(|failure| failure.reason == "TASK_POISONOUS"));
}

#[test]
fn a_failure_by_a_poisonous_task_that_was_not_durable_is_decided_again() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1)]));
    for name in ["u", "v", "w"] {
        world.add_worker(name, 1);
        assert_eq!(world.take(name), [tasks(0, 1)]);
        world.wait(40_000);
    }
    let last_death = world.records.iter().rposition(|record| matches!(record.fact, RecordFact::TaskDied { .. }));
    world.restart(last_death.expect("deaths") + 1);
    assert_eq!(world.view("a").failure.map(|failure| failure.reason), Some("TASK_POISONOUS".to_owned()));
    world.add_worker("x", 1);
    world.wait(30_000);
    assert!(world.take("x").is_empty(), "no fourth worker is given it");
}

#[test]
fn a_ledger_costs_what_jobs_and_stages_cost() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 500)]));
    world.submit("gone", stages(vec![stage("copy", 1)]));
    world.add_worker("w", 8);
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
    assert_eq!(world.run_to_end("w", "gone"), JobState::Succeeded);
    world.delete("gone");
    assert!(world.records.len() > 10);
    let mut ledger = Ledger::default();
    world.records.iter().for_each(|record| ledger.add(record));
    let kept: Vec<RecordFact> = ledger.records().map(|record| record.fact).collect();
    assert_eq!(kept.len(), 4, "accepted, done, barrier, settled: {kept:?}");
    assert!(kept.iter().all(|fact| fact.job() == &job("a")));
}
