//! Stories of stages, pipelines and phases: what opens when.

use rechunk_common::{
    ByteCount, FailureClass, ids::TaskIndex, job::JobState, plan::MultiStagePipeline, session::Grant,
};

use super::{
    plans::{destroying, phase, phases, pipeline, publishing, stage, stages},
    world::{World, answer_to, tasks},
};
use crate::{Command, Event, RecordFact};

fn lost(stages_back: u32, task: u64) -> FailureClass {
    FailureClass::InputLost { stages_back, task: TaskIndex(task) }
}

#[test]
fn a_job_starts_when_its_acceptance_is_durable() {
    let mut world = World::new();
    world.is_durable_at_once = false;
    world.add_worker("w", 1);
    world.poll("w");
    let commands = world.submit("a", stages(vec![stage("copy", 1)]));
    assert!(matches!(&commands[..], [Command::Append(record)] if record.is_synchronous), "{commands:?}");
    assert_eq!(world.scheduler.jobs().count(), 0, "nobody sees it yet");
    let commands = world.make_durable();
    assert!(commands.iter().any(|command| matches!(command, Command::Accepted { .. })));
    assert_eq!(answer_to(&commands, "w").expect("work").granted.len(), 1);
}

#[test]
fn a_stage_opens_when_the_barrier_before_it_is_durable() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 2), stage("write", 1)]));
    world.is_durable_at_once = false;
    world.add_worker("w", 2);
    world.take("w");
    assert_eq!(world.finish("w").granted, vec![], "the record is not durable");
    assert_eq!(world.barriers(), vec![(0, 0, 0)]);
    let synchronous: Vec<bool> = world.records.iter().map(|record| record.is_synchronous).collect();
    assert_eq!(synchronous, vec![true, false, false, true], "completions are flushed with others");
    world.poll("w");
    let commands = world.make_durable();
    assert_eq!(answer_to(&commands, "w").expect("work").granted[0].stage_name, "write");
}

#[test]
fn a_record_that_is_durable_lets_only_effects_up_to_its_position_happen() {
    let mut world = World::new();
    world.is_durable_at_once = false;
    world.submit("a", stages(vec![stage("copy", 1)]));
    let first = world.records[0].position;
    world.submit("b", stages(vec![stage("copy", 1)]));
    world.apply(Event::RecordDurable { position: first });
    let ids: Vec<String> = world.scheduler.job_ids().map(ToString::to_string).collect();
    assert_eq!(ids, vec!["a"]);
}

#[test]
fn a_phase_opens_when_every_pipeline_of_the_one_before_is_complete() {
    let mut world = World::new();
    let copy = phase(vec![pipeline(vec![stage("copy", 1)]), pipeline(vec![stage("copy", 1)])]);
    world.submit("a", phases(vec![copy, phase(vec![pipeline(vec![stage("finish", 1)])])]));
    world.add_worker("w", 1);
    world.add_worker("v", 1);
    world.take("w");
    world.take("v");
    assert_eq!(world.finish("w").granted, vec![], "the other pipeline is not complete");
    assert_eq!(world.finish("v").granted[0].stage_name, "finish");
}

#[test]
fn stages_pipelines_and_phases_without_a_task_pass() {
    let mut world = World::new();
    let empty = || pipeline(vec![stage("nothing", 0), stage("nothing", 0)]);
    let no_stage = MultiStagePipeline { stages: vec![], ..empty() };
    world.submit("a", phases(vec![phase(vec![]), phase(vec![no_stage, empty(), empty()]), phase(vec![])]));
    assert_eq!(world.state("a"), JobState::Succeeded);
    world.submit("b", phases(vec![]));
    assert_eq!(world.state("b"), JobState::Succeeded);
}

#[test]
fn pipelines_open_within_the_temporary_bytes_and_one_always_may() {
    let mut world = World::new();
    let copy = || pipeline(vec![stage("read", 1), stage("write", 1)]);
    let big = MultiStagePipeline { temp_bytes: ByteCount(1_000), ..copy() };
    world.submit_with("a", phases(vec![phase(vec![copy(), copy(), big])]), |event| {
        if let Event::Submit { temp_limit, .. } = event {
            *temp_limit = Some(ByteCount(250));
        }
    });
    world.add_worker("w", 5);
    assert_eq!(world.take("w").len(), 2, "the third would pass the limit");
    world.finish("w");
    assert_eq!(world.finish("w").granted.len(), 1, "two are complete, the third may open alone");
    assert_eq!(world.run_to_end("w", "a"), JobState::Succeeded);
}

#[test]
fn an_early_group_is_done_before_the_last_begins_where_the_limit_forces_it() {
    let mut world = World::new();
    let group = |number: usize| {
        let name = |stage: &str| format!("{stage} {number}");
        pipeline(vec![stage(&name("read"), 2), stage(&name("write"), 2), destroying(&name("delete"), 1)])
    };
    world.submit_with("a", phases(vec![phase((0..4).map(group).collect())]), |event| {
        if let Event::Submit { temp_limit, .. } = event {
            *temp_limit = Some(ByteCount(250));
        }
    });
    world.add_worker("w", 8);
    let mut begun: Vec<String> = Vec::new();
    world.poll("w");
    for _ in 0..100 {
        let grants = world.finish("w").granted;
        begun.extend(grants.into_iter().map(|grant| grant.stage_name));
        if world.state("a") == JobState::Succeeded {
            break;
        }
    }
    let first =
        |name: &str| begun.iter().position(|stage| stage == name).unwrap_or_else(|| panic!("{name}: {begun:?}"));
    assert!(first("delete 0") < first("read 3"), "{begun:?}");
    assert!(first("read 1") < first("delete 0"), "two may stand: {begun:?}");
}

#[test]
fn a_pipeline_opens_when_no_fresh_task_is_left() {
    let mut world = World::new();
    let copy = || pipeline(vec![stage("copy", 2)]);
    world.submit("a", phases(vec![phase((0..50).map(|_| copy()).collect())]));
    world.add_worker("w", 1);
    world.take("w");
    let open = world.scheduler.jobs.values().next().expect("the job").open.len();
    assert_eq!(open, 1, "the first still has a task");
    world.worker("w").total.slots = 9;
    world.worker("w").total.memory = ByteCount(9 << 20);
    assert_eq!(world.take("w").len(), 8, "one answer reaches over pipelines");
}

#[test]
fn a_stage_that_destroys_waits_for_leases_that_may_still_write() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), destroying("delete", 1)]));
    world.add_worker("zombie", 1);
    world.add_worker("w", 1);
    world.take("zombie");
    world.wait(40_000);
    world.take("w");
    world.finish("w");
    assert_eq!(world.barriers(), vec![(0, 0, 0)]);
    world.wait(9_999);
    assert_eq!(world.take("w"), vec![], "lease and margin are over, the second margin is not");
    world.wait(1);
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
}

#[test]
fn a_stage_that_destroys_need_not_wait_for_a_worker_that_says_it_has_stopped() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 1), publishing("publish", 1)]));
    world.add_worker("zombie", 1);
    world.add_worker("w", 1);
    world.take("zombie");
    world.wait(40_000);
    world.take("w");
    world.finish("w");
    assert_eq!(world.take("w"), vec![]);
    world.worker("zombie").held.clear();
    world.worker("zombie").total.slots = 0;
    world.sync("zombie");
    assert_eq!(world.take("w"), vec![tasks(0, 1)]);
}

#[test]
fn a_stage_that_writes_does_not_wait_for_earlier_writers_but_for_earlier_destroyers() {
    for (first, waits) in [(stage("copy", 1), false), (destroying("clear", 1), true)] {
        let mut world = World::new();
        world.submit("a", stages(vec![first, stage("write", 1)]));
        world.add_worker("zombie", 1);
        world.add_worker("w", 1);
        world.take("zombie");
        world.wait(40_000);
        world.take("w");
        let granted = world.finish("w").granted;
        assert_eq!(granted.is_empty(), waits);
    }
}

#[test]
fn pipelines_side_by_side_do_not_wait_for_each_other() {
    let mut world = World::new();
    let group = || pipeline(vec![stage("copy", 1), destroying("delete", 1)]);
    world.submit("a", phases(vec![phase(vec![group(), group()])]));
    world.add_worker("w", 1);
    world.add_worker("v", 1);
    world.take("w");
    world.take("v");
    assert_eq!(world.finish("w").granted[0].stage_name, "delete");
}

#[test]
fn a_lost_input_is_written_again_before_its_reader_is() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 3), stage("write", 1)]));
    world.add_worker("w", 3);
    world.add_worker("v", 1);
    world.take("w");
    world.finish("w");
    world.fail("w", lost(1, 1));
    let repair = world.sync("w").granted;
    assert_eq!((repair.len(), repair[0].stage_name.as_str(), repair[0].lease.tasks), (1, "read", tasks(1, 2)));
    assert_eq!(world.take("v"), vec![], "the reader waits");
    let reader = world.finish("w").granted;
    assert_eq!((reader[0].stage_name.as_str(), reader[0].lease.tasks), ("write", tasks(0, 1)));
    assert_eq!(world.view("a").stages[0].done, 3);
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn a_repair_whose_own_input_is_lost_waits_for_that_one() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 1), stage("index", 1), stage("write", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.finish("w");
    world.finish("w");
    world.fail("w", lost(1, 0));
    assert_eq!(world.sync("w").granted[0].stage_name, "index");
    world.fail("w", lost(1, 0));
    assert_eq!(world.sync("w").granted[0].stage_name, "read");
    assert_eq!(world.finish("w").granted[0].stage_name, "index");
    assert_eq!(world.finish("w").granted[0].stage_name, "write");
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn a_lost_input_of_two_stages_before_is_written_again_and_only_its_readers_wait() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 2), stage("index", 1), stage("write", 2)]));
    world.add_worker("w", 2);
    world.take("w");
    world.finish("w");
    world.finish("w");
    world.fail("w", lost(2, 1));
    let repair = world.sync("w").granted;
    assert_eq!((repair.len(), repair[0].stage_name.as_str(), repair[0].lease.tasks), (1, "read", tasks(1, 2)));
    // The other reader is done meanwhile; the repair goes on, and then the one that waited.
    let mut granted = world.finish("w").granted;
    granted.extend(world.sync("w").granted);
    assert_eq!((granted[0].stage_name.as_str(), granted[0].lease.tasks), ("write", tasks(0, 1)));
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
    assert_eq!(world.view("a").retries, 2, "the lost task and its reader");
}

#[test]
fn readers_of_two_stages_wait_for_one_repair_of_what_both_need() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 1), stage("index", 1), stage("write", 2)]));
    world.add_worker("w", 2);
    world.take("w");
    world.finish("w");
    world.finish("w");
    // One writer has lost its index, whose own input is lost; the other one has lost that input itself.
    world.fail("w", lost(1, 0));
    world.fail("w", lost(2, 0));
    let names = |grants: Vec<Grant>| grants.into_iter().map(|grant| grant.stage_name).collect::<Vec<_>>();
    let mut repairs = names(world.sync("w").granted);
    repairs.sort();
    assert_eq!(repairs, ["index", "read"]);
    let at = world.worker("w").held.iter().position(|lease| lease.stage.stage.0 == 1).expect("the index");
    let index = world.worker("w").held.remove(at);
    world.fail_task("w", &index, 0, lost(1, 0));
    let mut next = names(world.finish("w").granted);
    next.sort();
    assert_eq!(next, ["index", "write"], "what waited for the one repair");
    assert_eq!(names(world.finish("w").granted), ["write"], "what waited for the index");
    world.finish("w");
    assert_eq!(world.state("a"), JobState::Succeeded);
}

#[test]
fn an_input_that_no_stage_before_writes_is_a_bug_of_the_function() {
    for stages_back in [0, 2, u32::MAX] {
        let mut world = World::new();
        world.submit("a", stages(vec![stage("read", 1), stage("write", 1)]));
        world.add_worker("w", 1);
        world.take("w");
        world.finish("w");
        world.fail("w", lost(stages_back, 0));
        assert_eq!(world.state("a"), JobState::Failed);
        assert_eq!(world.view("a").failure.expect("a reason").reason, "BUG");
    }
}

#[test]
fn an_input_that_is_lost_a_third_time_fails_the_job() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 1), stage("write", 1)]));
    world.add_worker("w", 1);
    world.take("w");
    world.finish("w");
    for _ in 0..2 {
        world.wait(10);
        world.fail("w", lost(1, 0));
        assert_eq!(world.take("w").len(), 1, "the repair");
        world.wait(10);
        world.finish("w");
    }
    world.fail("w", lost(1, 0));
    world.sync("w");
    assert_eq!(world.state("a"), JobState::Failed);
    assert_eq!(world.view("a").failure.expect("a reason").reason, "INPUT_LOST");
}

#[test]
fn readers_that_saw_the_lost_input_before_its_repair_do_not_ask_for_another() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("read", 1), stage("write", 4)]));
    world.add_worker("w", 1);
    world.take("w");
    world.worker("w").total.slots = 5;
    world.worker("w").total.memory = ByteCount(5 << 20);
    assert_eq!(world.finish("w").granted.len(), 4);
    for _ in 0..4 {
        world.wait(10);
        world.fail("w", lost(1, 0));
        world.add_worker("v", 1);
        world.take("v");
        world.wait(10);
        world.finish("v");
    }
    assert_ne!(world.run_to_end("v", "a"), JobState::Failed);
}

#[test]
fn done_tasks_are_recorded_once_each_with_their_counts() {
    let mut world = World::new();
    world.submit("a", stages(vec![stage("copy", 4)]));
    world.add_worker("w", 4);
    world.take("w");
    world.finish("w");
    let recorded: Vec<_> = world
        .records
        .iter()
        .filter_map(|record| {
            let RecordFact::TasksDone { tasks, counts, .. } = &record.fact else { return None };
            Some((*tasks, counts.put_requests))
        })
        .collect();
    assert_eq!(recorded, (0..4).map(|task| (tasks(task, task + 1), 1)).collect::<Vec<_>>());
}
