//! Small arrays of large groups.

use std::collections::BTreeSet;

use rechunk_common::plan::{ArrayCopy, CopySmallArrays, Stage, StageFunction};

use super::*;

fn named(name: String, copy: CopySpec) -> CopySpec {
    CopySpec { name, ..copy }
}

fn small(count: usize) -> Vec<CopySpec> {
    let of = |number: usize| match number % 2 {
        0 => plain(&[100, 4], &[25, 4], &[50, 4]),
        _ => plain(&[100, 4], &[25, 4], &[25, 4]),
    };
    (0..count).map(|number| named(format!("a{number:04}"), of(number))).collect()
}

fn copying(plan: &Plan) -> Vec<&Stage> {
    let phase = plan.phases.iter().find(|phase| phase.name == "copy").expect("it copies");
    phase.pipelines.pipelines.iter().flat_map(|pipeline| &pipeline.stages).collect()
}

fn batches<'a>(plan: &'a Plan) -> Vec<(&'a Stage, &'a CopySmallArrays)> {
    let of = |stage: &'a Stage| {
        let StageFunction::CopySmallArrays(small) = &stage.function else { return None };
        Some((stage, small))
    };
    copying(plan).into_iter().filter_map(of).collect()
}

#[test]
fn thousands_of_small_arrays_are_some_tasks_and_each_array_is_in_one() {
    let mut copies = small(1000);
    copies.push(named("large".into(), plain(&[4096, 4096], &[64, 4096], &[4096, 64])));
    let plan = planned(&input(copies, mebibytes(1024, 100), 4, 2));
    let batches = batches(&plan);
    assert_eq!(batches.len(), 1000_usize.div_ceil(63), "of 63, so that every slot has four");
    let mut targets = BTreeSet::new();
    for (stage, small) in &batches {
        assert_eq!((stage.task_count, stage.array), (1, None));
        let memory = small.copies.iter().map(|small| small.memory.0).sum::<u64>();
        assert_eq!(stage.task_memory, ByteCount(memory));
        for small in &small.copies {
            let is_new = match &small.copy {
                ArrayCopy::Encoded(copy) => targets.insert((copy.writers.len(), targets.len())),
                ArrayCopy::ReadToWrite(copy) => targets.insert((copy.writers.len(), targets.len())),
            };
            assert!(is_new);
        }
    }
    assert_eq!(targets.len(), 1000);
    assert!(targets.iter().all(|(tasks, _)| *tasks == 1), "each is one task's work");
    let large = copying(&plan).into_iter().find(|stage| stage.array == Some(1000)).expect("by itself");
    assert_ne!(large.name, "copy_small_arrays");
    let of_small = batches.iter().map(|(stage, _)| stage.predicted).sum::<Counts>();
    assert_eq!((of_small.get_requests, of_small.put_requests), (1000 * 4, 500 * 2 + 500 * 4));
    let row = row(summary(&plan), "copy_small_arrays");
    assert_eq!((row.tasks, row.counts), (batches.len() as u64, of_small));
    assert_eq!(summary(&plan).arrays.len(), 1001);
}

#[test]
fn they_take_no_more_memory_than_a_slot_has() {
    let plan = planned(&input(
        small(200),
        MemoryModel { max_mem: ByteCount(20_000), reserve: ByteCount(0), budget: ByteCount(20_000) },
        2,
        2,
    ));
    let batches = batches(&plan);
    assert!(batches.len() > 200 / 64, "{}", batches.len());
    assert!(batches.iter().all(|(stage, _)| stage.task_memory <= ByteCount(10_000)));
}

#[test]
fn few_arrays_and_those_that_are_verified_are_by_themselves() {
    let apart = |copies: Vec<CopySpec>| {
        let plan = planned(&input(copies, mebibytes(1024, 100), 4, 2));
        assert!(batches(&plan).is_empty());
        plan
    };
    assert_eq!(copying(&apart(small(63))).len(), 63);
    let verified = small(100).into_iter().map(|copy| CopySpec { verify: true, ..copy }).collect();
    assert_eq!(copying(&apart(verified)).len(), 200);
}
