//! When groups go over local disk, and what the plan then says.

use rechunk_common::plan::{ShapeOfPlan, StageFunction};

use super::*;

const GIB: u64 = 1 << 30;

/// 12 groups of 36 GB, most of them.
fn maps(scratch: u64, slots: u64) -> PlanInput {
    let copy = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let mut input = input(vec![copy], usable(2_000_000_000), slots, 1);
    input.worker_scratch = ByteCount(scratch);
    input
}

#[test]
fn groups_that_fit_the_local_disk_of_workers_are_sorted_there_and_the_store_sees_the_data_twice() {
    let plan = planned(&maps(64 * GIB, 2));
    let array = &summary(&plan).arrays[0];
    assert_eq!((array.shape_of_plan, array.pipelines), (ShapeOfPlan::GroupLocal, 1));
    assert!(array.reason.contains("in 12 groups that are each sorted on 33.9 GiB of local disk"), "{}", array.reason);
    let runner_up = array.runner_up.as_ref().expect("the exchange");
    assert_eq!(runner_up.shape_of_plan, ShapeOfPlan::Exchange, "{}", runner_up.reason);
    let decoded = 96_432 * 721 * 1440 * 4;
    let expected = Counts {
        get_requests: 96_432,
        put_requests: 12 * 11 * 10,
        bytes_decoded: decoded,
        bytes_encoded: decoded,
        ..Counts::default()
    };
    assert_eq!(totals(&plan), expected, "nothing else touches a store");
    assert_eq!((summary(&plan).temp.clone(), summary(&plan).exchange_bytes), (None, ByteCount(0)));
    let Some(stage) = plan.stages().find(|stage| stage.name == "copy_through_scratch") else { panic!("the stage") };
    assert_eq!(stage.task_count, 12);
    let StageFunction::CopyThroughScratch(function) = &stage.function else { panic!("its function") };
    assert_eq!(function.groups.lengths(), [8760, 721, 1440]);
    // Elements and a checksum for each block, and blocks are not tiny.
    let group = 8760 * 721 * 1440 * 4;
    assert!((group..group + group / 10_000).contains(&stage.task_scratch.0), "{}", stage.task_scratch);
    assert_eq!(summary(&plan).peak_scratch, stage.task_scratch);
}

#[test]
fn without_enough_local_disk_the_exchange_goes_through_the_store_and_the_plan_says_what_was_missing() {
    let plan = planned(&maps(20 * GIB, 2));
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
    let none = planned(&maps(0, 2));
    assert_eq!((totals(&none), summary(&none).peak_scratch), (totals(&plan), ByteCount(0)));
    // Where nothing else fits, that is what is said.
    let copy = plain(&[64, 1024], &[1, 1024], &[64, 16]);
    let memory = MemoryModel { max_mem: ByteCount(13_000), reserve: ByteCount(0), budget: ByteCount(13_000) };
    let mut input = input(vec![copy], memory, 1, 1);
    input.worker_scratch = ByteCount(1000);
    let runner_up = summary(&planned(&input)).arrays[0].runner_up.clone().expect("one");
    assert!(runner_up.reason.starts_with("needs "), "{}", runner_up.reason);
}

#[test]
fn one_group_is_for_one_worker_and_a_fleet_shares_it_through_the_store() {
    let shape = |slots| {
        let copy = plain(&[8760, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
        let mut input = input(vec![copy], usable(2_000_000_000), slots, 1);
        input.worker_scratch = ByteCount(64 * GIB);
        summary(&planned(&input)).arrays[0].shape_of_plan
    };
    assert_eq!((shape(1), shape(200)), (ShapeOfPlan::GroupLocal, ShapeOfPlan::Exchange));
}

#[test]
fn two_tasks_on_a_worker_share_its_memory_and_its_disk() {
    let copy = || plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let memory = usable(8_000_000_000);
    let stage = |scratch: u64| {
        let mut input = input(vec![copy()], memory, 4, 2);
        input.worker_scratch = ByteCount(scratch);
        let plan = planned(&input);
        plan.stages().find(|stage| stage.name == "copy_through_scratch").expect("its stage").clone()
    };
    let (one, two) = (stage(40 * GIB), stage(80 * GIB));
    assert!(two.task_memory.0 <= memory.budget.0 / 2, "{}", two.task_memory);
    assert!(one.task_memory <= memory.budget && one.task_memory > two.task_memory, "{}", one.task_memory);
}
