//! Stories of stragglers: late leases and their backups, slow workers, workers whose tasks fail.

use std::{collections::BTreeMap, time::Duration};

use rechunk_common::FailureClass;

use super::{
    plans::{destroying, stage, stages},
    world::{World, answer_to, lease_id, settings, tasks},
};
use crate::Settings;

fn with_tasks(count: u64) -> World {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", count)]));
    world
}

#[test]
fn a_late_lease_gets_one_backup_and_the_first_to_finish_wins() {
    let mut world = with_tasks(3);
    for name in ["slow", "w", "v"] {
        world.add_worker(name, 1);
    }
    world.take("slow");
    world.take("w");
    world.wait(1_000);
    assert_eq!(world.finish("w").granted[0].lease.tasks, tasks(2, 3));
    world.wait(1_000);
    assert_eq!(world.finish("w").granted, vec![], "nothing is late yet");
    for _ in 0..2 {
        world.wait(9_000);
        world.sync("slow");
    }
    assert_eq!(world.take("w"), vec![tasks(0, 1)], "the backup");
    assert_eq!(world.take("v"), vec![], "only one backup");
    assert_eq!(world.view("a").stages[0].leased, 1, "a task counts once");
    world.finish("w");
    assert_eq!(world.view("a").stages[0].done, 3);
    assert_eq!(world.view("a").state.as_str(), "SUCCEEDING", "the slow one may still write");
    assert_eq!(world.sync("slow").revoked, vec![lease_id(7, 1)]);
    world.sync("slow");
    assert_eq!(world.view("a").state.as_str(), "SUCCEEDED");
}

#[test]
fn a_worker_that_waits_gets_the_backup_in_the_moment_when_the_lease_is_late() {
    let mut world = with_tasks(2);
    world.add_worker("slow", 1);
    world.add_worker("w", 1);
    world.take("slow");
    world.take("w");
    world.wait(1_000);
    world.finish("w");
    world.wait(5_500);
    assert_eq!(answer_to(&world.poll("w"), "w"), None);
    assert_eq!(answer_to(&world.wait(8_499), "w"), None, "twice the usual time is over, but not 15 s");
    let answer = answer_to(&world.wait(1), "w").expect("an answer, though its time is not up");
    assert_eq!(answer.granted[0].lease.tasks, tasks(0, 1));
}

#[test]
fn what_is_left_of_a_late_lease_gets_one_backup_after_another() {
    let mut world = with_tasks(12);
    world.add_worker("slow", 1);
    world.add_worker("w", 1);
    world.take("slow");
    world.wait(1_000);
    // Both are known now.
    world.take("w");
    let late = world.finish("slow").granted[0].lease.clone();
    assert!(late.tasks.len() > 2, "{late:?}");
    let middle = tasks(late.tasks.start + 1, late.tasks.end - 1);
    world.say_done("slow", &late, middle);
    while !world.finish("w").granted.is_empty() {}
    assert_eq!(world.view("a").stages[0].leased, 2, "the first and the last of them");
    world.wait(15_000);
    assert_eq!(world.take("w"), vec![tasks(late.tasks.start, middle.start)]);
    assert_eq!(world.finish("w").granted[0].lease.tasks, tasks(middle.end, late.tasks.end));
    world.finish("w");
    assert_eq!(world.sync("slow").revoked, vec![late.id]);
    let row = world.view("a").stages[0].clone();
    assert_eq!((row.done, row.measured.put_requests, row.measured.repeated_requests), (12, 12, 0));
}

#[test]
fn a_late_write_that_would_do_harm_gets_no_backup() {
    let mut world = World::new();
    world.submit("a", stages(vec![destroying("delete", 2)]));
    world.add_worker("slow", 1);
    world.add_worker("w", 1);
    world.take("slow");
    world.take("w");
    world.wait(1_000);
    world.finish("w");
    world.wait(30_000);
    assert_eq!(world.take("w"), vec![]);
}

#[test]
fn a_lease_without_progress_is_leased_to_somebody_else() {
    let settings = Settings { progress_deadline: Duration::from_mins(1), ..settings() };
    let mut world = World::with(settings);
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.add_worker("stuck", 1);
    world.add_worker("w", 1);
    world.take("stuck");
    for _ in 0..6 {
        world.wait(9_999);
        assert_eq!(world.sync("stuck").revoked, vec![]);
    }
    world.wait(9_999);
    assert_eq!(world.sync("stuck").revoked, vec![lease_id(7, 1)]);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
}

#[test]
fn a_lease_that_moves_is_kept_however_long_its_task_takes() {
    let settings = Settings { progress_deadline: Duration::from_mins(1), ..settings() };
    let mut world = World::with(settings);
    world.submit("a", stages(vec![stage("copy", 1)]));
    world.add_worker("slow", 1);
    world.take("slow");
    for _ in 0..30 {
        world.wait(9_999);
        world.worker("slow").moved += 1;
        assert_eq!(world.sync("slow").renewed, vec![lease_id(7, 1)]);
    }
    for _ in 0..6 {
        world.wait(9_999);
        assert_eq!(world.sync("slow").revoked, vec![]);
    }
    world.wait(9_999);
    assert_eq!(world.sync("slow").revoked, vec![lease_id(7, 1)], "it stands still now");
}

#[test]
fn a_slow_worker_gets_smaller_leases_than_the_others() {
    let mut world = World::with(Settings { lease_work: Duration::from_secs(5), ..settings() });
    world.submit("a", stages(vec![stage("copy", 10_000)]));
    let ms_per_task = |name: &str| if name == "slow" { 300 } else { 100 };
    let mut ends = ["slow", "v", "w"].map(|name| {
        world.add_worker(name, 1);
        world.take(name);
        (world.now + ms_per_task(name), name)
    });
    let mut sizes = BTreeMap::new();
    for _ in 0..24 {
        ends.sort_unstable();
        let (end, name) = ends[0];
        world.wait(end - world.now);
        let size = world.finish(name).granted[0].lease.tasks.len();
        ends[0].0 = world.now + size * ms_per_task(name);
        sizes.insert(name, size);
    }
    assert!(sizes["slow"] * 2 < sizes["w"], "{sizes:?}");
}

#[test]
fn a_worker_whose_tasks_fail_one_after_another_rests_while_others_work() {
    let mut world = with_tasks(20);
    world.add_worker("bad", 1);
    world.add_worker("w", 1);
    world.take("w");
    for _ in 0..3 {
        assert_eq!(world.take("bad").len(), 1);
        world.fail("bad", FailureClass::TryElsewhere);
    }
    assert_eq!(answer_to(&world.poll("bad"), "bad"), None, "it rests");
    assert_eq!(answer_to(&world.wait(999), "bad"), None);
    let answer = answer_to(&world.wait(1), "bad").expect("an answer");
    assert_eq!(answer.granted.len(), 1, "one more try");
}

#[test]
fn a_worker_whose_tasks_fail_does_not_rest_where_it_is_alone() {
    let mut world = with_tasks(20);
    world.add_worker("bad", 1);
    for _ in 0..4 {
        assert_eq!(world.take("bad").len(), 1);
        world.fail("bad", FailureClass::TryElsewhere);
    }
}

#[test]
fn a_worker_that_cannot_keep_its_leases_leaves_them_to_others() {
    let mut world = with_tasks(1);
    world.add_worker("far", 1);
    world.add_worker("w", 1);
    for _ in 0..3 {
        assert_eq!(world.take("far"), vec![tasks(0, 1)]);
        for _ in 0..3 {
            world.wait(10_000);
            assert_eq!(world.take("w"), vec![], "it is leased, and not late: nobody knows how long it takes");
        }
        world.drop_lease("far");
    }
    assert_eq!(world.take("far"), vec![], "it rests");
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
}

#[test]
fn a_grant_that_was_lost_on_the_way_is_no_failure() {
    let mut world = with_tasks(1);
    world.add_worker("unlucky", 1);
    world.add_worker("w", 1);
    for _ in 0..4 {
        assert_eq!(world.sync_lost("unlucky").granted.len(), 1);
        world.wait(1_000);
    }
    assert_eq!(world.take("unlucky"), vec![tasks(0, 1)]);
}
