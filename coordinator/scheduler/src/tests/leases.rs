//! Stories of leases: granted, renewed, lost, expired, adopted.

use std::time::Duration;

use rechunk_common::{
    Counts,
    ids::{Epoch, Incarnation, LeaseId, SyncSeq},
    record::RecordFact,
    session::{DoneTasks, Lease, SyncCall, SyncRequest},
};

use super::{
    plans::{of_function, stage, stages},
    world::{World, answer_to, job, lease_id, puts, tasks},
};
use crate::{Command, Event};

fn with_tasks(count: u64) -> World {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", count)]));
    world
}

#[test]
fn a_worker_gets_one_task_per_slot_while_nothing_is_measured() {
    let mut world = with_tasks(100);
    world.add_worker("w", 3);
    assert_eq!(world.take("w"), vec![tasks(0, 1), tasks(1, 2), tasks(2, 3)]);
}

#[test]
fn a_lease_grows_to_the_work_that_it_should_hold() {
    let mut world = with_tasks(10_000);
    world.add_worker("w", 1);
    world.take("w");
    world.wait(100);
    let response = world.finish("w");
    assert_eq!(response.granted[0].lease.tasks, tasks(1, 151), "15 s of tasks of 100 ms");
}

#[test]
fn a_worker_gets_no_more_than_its_free_memory_holds() {
    let mut world = with_tasks(100);
    world.add_worker("w", 8).total.memory.0 = 3 << 20;
    assert_eq!(world.take("w").len(), 3);
}

#[test]
fn a_worker_without_the_function_gets_nothing() {
    let mut world = World::new();
    world.submit("a", stages(vec![of_function("other", stage("copy", 4))]));
    world.add_worker("w", 2);
    assert_eq!(world.take("w"), vec![]);
}

#[test]
fn a_draining_worker_gets_nothing_and_keeps_what_it_has() {
    let mut world = with_tasks(100);
    world.add_worker("w", 1);
    world.take("w");
    world.worker("w").draining = true;
    world.worker("w").total.slots = 5;
    let response = world.sync("w");
    assert_eq!(response.granted, vec![]);
    assert_eq!(response.renewed.len(), 1);
}

#[test]
fn a_call_with_nothing_to_say_waits_until_its_time_is_up() {
    let mut world = World::new();
    world.add_worker("w", 1);
    assert_eq!(answer_to(&world.poll("w"), "w"), None);
    assert_eq!(answer_to(&world.wait(8_999), "w"), None);
    let answer = answer_to(&world.wait(1), "w").expect("an answer when the time is up");
    assert_eq!((answer.seq, answer.granted), (SyncSeq(1), vec![]));
}

#[test]
fn a_waiting_call_is_answered_when_work_appears() {
    let mut world = World::new();
    world.add_worker("w", 2);
    world.poll("w");
    let commands = world.submit("a", stages(vec![stage("copy", 5)]));
    let answer = answer_to(&commands, "w").expect("an answer with work");
    assert_eq!(answer.granted.len(), 2);
    assert_eq!(world.view("a").stages[0].leased, 2);
}

#[test]
fn a_waiting_call_is_answered_when_a_held_lease_is_revoked() {
    let mut world = with_tasks(1);
    world.add_worker("w", 2);
    world.take("w");
    assert_eq!(answer_to(&world.poll("w"), "w"), None);
    let commands = world.cancel("a");
    let answer = answer_to(&commands, "w").expect("an answer with the revoked lease");
    assert_eq!(answer.revoked, vec![lease_id(7, 1)]);
    assert_eq!(answer.renewed, vec![]);
}

#[test]
fn a_newer_call_ends_the_older_one_with_nothing_granted() {
    let mut world = World::new();
    world.add_worker("w", 1);
    world.poll("w");
    let commands = world.poll("w");
    let answer = answer_to(&commands, "w").expect("an answer to the older call");
    assert_eq!((answer.seq, answer.granted), (SyncSeq(1), vec![]));
}

#[test]
fn a_call_that_was_overtaken_is_answered_with_nothing_and_changes_nothing() {
    let mut world = with_tasks(4);
    world.add_worker("w", 1);
    let late = world.request("w", 0);
    world.take("w");
    let before = world.scheduler.jobs().collect::<Vec<_>>();
    let commands = world.apply(Event::Sync(Box::new(late)));
    let answer = answer_to(&commands, "w").expect("an answer");
    assert_eq!((answer.seq, answer.granted), (SyncSeq(1), vec![]));
    assert_eq!(world.scheduler.jobs().collect::<Vec<_>>(), before);
}

#[test]
fn a_call_that_was_dropped_gets_no_answer() {
    let mut world = World::new();
    world.add_worker("w", 1);
    world.poll("w");
    world.apply(Event::SyncDropped { call: first_call(1) });
    assert_eq!(answer_to(&world.submit("a", stages(vec![stage("copy", 1)])), "w"), None);
    assert_eq!(world.view("a").stages[0].leased, 0);
}

#[test]
fn the_dropped_call_of_an_earlier_process_is_not_taken_for_the_call_of_the_later_one() {
    let mut world = World::new();
    world.add_worker("w", 1).incarnation = 2;
    world.poll("w");
    world.apply(Event::SyncDropped { call: first_call(1) });
    let answer = answer_to(&world.submit("a", stages(vec![stage("copy", 1)])), "w");
    assert_eq!(answer.map(|answer| answer.granted.len()), Some(1));
}

#[test]
fn the_answer_to_an_earlier_process_is_not_taken_for_the_answer_to_the_later_one() {
    let mut world = World::new();
    world.add_worker("w", 1).incarnation = 2;
    world.poll("w");
    let late = SyncRequest { incarnation: Incarnation(1), seq: SyncSeq(1), ..world.request("w", 9_000) };
    let commands = world.apply(Event::Sync(Box::new(late)));
    let answered = commands.iter().filter_map(|command| match command {
        Command::Answer { call, .. } => Some(call),
        Command::Append(_)
        | Command::Accepted { .. }
        | Command::Refused { .. }
        | Command::Confirmed { .. }
        | Command::JobChanged { .. } => None,
    });
    assert_eq!(answered.collect::<Vec<_>>(), [&first_call(1)]);
}

fn first_call(incarnation: u64) -> SyncCall {
    SyncCall { worker: "w".into(), incarnation: Incarnation(incarnation), seq: SyncSeq(1) }
}

#[test]
fn a_lost_answer_costs_one_round() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    let lost = world.sync_lost("w");
    assert_eq!(lost.granted[0].lease.tasks, tasks(0, 1));
    let again = world.sync("w");
    assert_eq!(again.granted[0].lease.tasks, tasks(0, 1));
    assert_ne!(again.granted[0].lease.id, lost.granted[0].lease.id);
    assert_eq!(world.view("a").retries, 0, "the lost one never ran");
}

#[test]
fn a_held_lease_is_renewed_and_does_not_expire() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    for _ in 0..20 {
        world.wait(10_000);
        assert_eq!(world.sync("w").renewed, vec![lease_id(7, 1)]);
    }
    assert_eq!(world.view("a").leases_expired, 0);
}

#[test]
fn an_expired_lease_is_leased_again_in_halves() {
    let mut world = with_tasks(1_000);
    world.add_worker("dead", 1);
    world.take("dead");
    world.wait(1_500);
    let lost = world.finish("dead").granted[0].lease.tasks;
    assert_eq!(lost, tasks(1, 11));
    world.wait(39_999);
    assert_eq!(world.view("a").leases_expired, 0, "the margin is not over");
    world.wait(1);
    world.add_worker("w", 3);
    assert_eq!(world.take("w")[..2], [tasks(1, 6), tasks(6, 11)]);
    assert_eq!(world.view("a").leases_expired, 1);
    assert_eq!(world.view("a").retries, 10);
}

#[test]
fn a_worker_that_comes_back_keeps_an_expired_lease_that_nobody_else_got() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    world.wait(45_000);
    assert_eq!(world.sync("w").renewed, vec![lease_id(7, 1)]);
    assert_eq!(world.view("a").stages[0].leased, 1);
}

#[test]
fn a_worker_that_comes_back_loses_a_lease_that_somebody_else_got() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.add_worker("v", 1);
    world.take("w");
    world.wait(45_000);
    assert_eq!(world.take("v"), vec![tasks(0, 1)]);
    let response = world.sync("w");
    assert_eq!((response.renewed, response.revoked), (vec![], vec![lease_id(7, 1)]));
}

#[test]
fn done_reports_count_from_any_lease_and_measure_only_once() {
    let mut world = with_tasks(2);
    world.add_worker("late", 1);
    world.add_worker("w", 1);
    world.take("late");
    world.wait(41_000);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
    let lease = world.drop_lease("late");
    world.say_done("late", &lease, tasks(0, 1));
    assert_eq!(world.view("a").stages[0].done, 1);
    world.finish("w");
    let row = world.view("a").stages[0].clone();
    assert_eq!(row.done, 1);
    assert_eq!(row.measured, Counts { repeated_requests: 1, ..puts(1) });
}

#[test]
fn a_report_of_tasks_that_are_partly_known_loses_no_count() {
    let mut world = with_tasks(5);
    world.add_worker("late", 5);
    world.add_worker("w", 5);
    world.take("late");
    let leases: Vec<_> = (0..5).map(|_| world.drop_lease("late")).collect();
    world.say_done("late", &leases[1], tasks(1, 2));
    world.say_done("late", &leases[3], tasks(3, 4));
    let known = world.records.len();
    let counts = Counts { wire_bytes_written: 17, ..puts(10) };
    world.report("late", &leases[0], vec![DoneTasks { tasks: tasks(0, 5), counts }], vec![]);
    world.sync("late");
    let recorded: Vec<_> = world.records[known..]
        .iter()
        .filter_map(|record| {
            let RecordFact::TasksDone { tasks, counts, .. } = &record.fact else { return None };
            Some((*tasks, counts.put_requests, counts.wire_bytes_written))
        })
        .collect();
    assert_eq!(recorded, [(tasks(0, 1), 2, 3), (tasks(2, 3), 2, 3), (tasks(4, 5), 2, 4)]);
    let measured = world.view("a").stages[0].measured;
    assert_eq!(measured, Counts { wire_bytes_written: 10, repeated_requests: 4, ..puts(8) });
}

#[test]
fn a_report_that_is_repeated_counts_once_and_is_acknowledged_again() {
    let mut world = with_tasks(2);
    world.add_worker("w", 1);
    world.take("w");
    let lease = world.drop_lease("w");
    let response = world.say_done("w", &lease, tasks(0, 1));
    assert_eq!(response.reports_accepted_through, 1);
    let mut request = world.request("w", 0);
    request.reports = vec![rechunk_common::session::LeaseReport {
        lease: lease.id,
        stage: lease.stage.clone(),
        number: 1,
        done: vec![rechunk_common::session::DoneTasks { tasks: tasks(0, 1), counts: puts(1) }],
        failed: vec![],
    }];
    let commands = world.apply(Event::Sync(Box::new(request)));
    assert_eq!(answer_to(&commands, "w").expect("an answer").reports_accepted_through, 1);
    assert_eq!(world.view("a").stages[0].measured, puts(1));
}

#[test]
fn a_lease_of_an_older_coordinator_is_adopted_where_its_tasks_are_free() {
    let mut world = with_tasks(5);
    world.add_worker("w", 1);
    let stage = rechunk_common::ids::StageAddress {
        job: job("a"),
        run: rechunk_common::ids::RunNumber(1),
        phase: rechunk_common::ids::PhaseIndex(0),
        pipeline: rechunk_common::ids::PipelineIndex(0),
        stage: rechunk_common::ids::StageIndex(0),
    };
    let foreign = |counter, start, end| Lease {
        id: LeaseId { epoch: Epoch(6), counter },
        stage: stage.clone(),
        tasks: tasks(start, end),
        ttl: Duration::from_secs(30),
    };
    world.worker("w").held = vec![foreign(40, 1, 3), foreign(41, 2, 4)];
    let response = world.sync("w");
    assert_eq!(response.renewed, vec![lease_id(6, 40)]);
    assert_eq!(response.revoked, vec![lease_id(6, 41)], "task 2 belongs to the other");
    assert_eq!(world.view("a").stages[0].leased, 2);
    world.add_worker("v", 9);
    assert_eq!(world.take("v"), vec![tasks(0, 1), tasks(3, 4), tasks(4, 5)]);
}

#[test]
fn a_lease_that_nothing_is_known_of_is_revoked() {
    let mut world = with_tasks(1);
    world.add_worker("w", 0);
    world.add_worker("v", 1);
    world.take("v");
    let lease = world.worker("v").held[0].clone();
    world.worker("w").held = vec![Lease { id: lease_id(7, 99), ..lease }];
    assert_eq!(world.sync("w").revoked, vec![lease_id(7, 99)]);
}

#[test]
fn another_process_of_a_worker_takes_its_place_and_its_tasks_are_leased_at_once() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    world.take("w");
    let old = world.worker("w").clone();
    let new = world.worker("w");
    (new.incarnation, new.seq) = (2, 0);
    new.held.clear();
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
    let new = std::mem::replace(world.worker("w"), old);
    let response = world.sync_lost("w");
    assert_eq!((response.revoked, response.granted), (vec![lease_id(7, 1)], vec![]), "the old process is to stop");
    *world.worker("w") = new;
    assert_eq!(world.sync("w").renewed, vec![lease_id(7, 2)], "the new one is not disturbed");
}

#[test]
fn a_late_call_of_an_earlier_process_disturbs_nobody_after_a_restart_either() {
    let mut world = with_tasks(1);
    world.add_worker("w", 1);
    let old = world.worker("w").clone();
    world.make_durable();
    world.worker("w").incarnation = 2;
    world.restart(1);
    // The coordinator knew neither.
    world.sync("w");
    let new = std::mem::replace(world.worker("w"), old);
    assert_eq!(world.sync_lost("w").granted, vec![], "on its way since before");
    *world.worker("w") = new;
    world.sync("w");
    let known = world.scheduler.fleet.get(&"w".into()).map(|worker| worker.incarnation);
    assert_eq!(known, Some(Incarnation(2)));
}

#[test]
fn a_silent_worker_is_forgotten() {
    let mut world = World::new();
    world.add_worker("w", 1);
    world.sync("w");
    world.wait(79_999);
    assert_eq!(world.scheduler.workers().len(), 1);
    world.wait(1);
    assert_eq!(world.scheduler.workers(), vec![]);
    assert_eq!(world.scheduler.next_deadline(), None);
}
