//! What a target that grows holds already is read on both sides, once and as predicted, before anything is written.

use proptest::prelude::*;
use rechunk_common::{
    geometry::BoxGrid,
    ids::TaskIndex,
    plan::{StageEffect, StageFunction},
};

use super::*;
use crate::{Held, memory, prediction::source_reads};

/// A source of `shape` whose first elements along axis 0, up to `old`, are in a target with such chunks.
fn appended(shape: &[u64], old: u64, source: &ArrayLayout, target: &ArrayLayout) -> CopySpec {
    let edge = old / target.chunks.write_unit()[0] * target.chunks.write_unit()[0];
    let from_edge = |layout: &ArrayLayout, length: u64| {
        let mut of = shape.to_vec();
        of[0] = length;
        let mut start = vec![0; shape.len()];
        start[0] = edge;
        ArrayLayout { shape: of, part: Some(ArrayPart { start: start.clone(), origin: start }), ..layout.clone() }
    };
    let source_encoding = bound(source, 100);
    let held = Held { source: from_edge(source, old - edge), target: from_edge(target, old - edge), source_encoding };
    let (source, target) = (from_edge(source, shape[0] - edge), from_edge(target, shape[0] - edge));
    CopySpec { held: (old > edge).then_some(held), ..copy(source, target, 100) }
}

proptest! {
    #[test]
    fn both_sides_are_read_once_and_as_predicted(
        axes in prop::collection::vec((2_u64..30, 1_u64..7, 1_u64..4, 1_u64..7, 1_u64..4), 1..=3),
        sharded in any::<(bool, bool)>(), old in 1_u64..30,
    ) {
        let per_axis = |of: fn(&(u64, u64, u64, u64, u64)) -> u64| axes.iter().map(of).collect::<Vec<u64>>();
        let shape = per_axis(|axis| axis.0);
        let old = old.min(shape[0] - 1);
        let source_shard = per_axis(|axis| axis.1 * axis.2);
        let target_shard = per_axis(|axis| axis.3 * axis.4);
        let source = layout(&shape, 4, sharded.0.then_some(&source_shard[..]), &per_axis(|axis| axis.1));
        let target = layout(&shape, 4, sharded.1.then_some(&target_shard[..]), &per_axis(|axis| axis.3));
        let mut spec = appended(&shape, old, &source, &target);
        // A listing found that all chunks are short; who compares is not told.
        spec.source_encoding.chunk = ByteCount(1);
        let plan = planned(&input(vec![spec.clone()], mebibytes(256, 40), 4, 2));
        let compared = plan.phases.iter().find(|phase| phase.name == "compare");
        prop_assert_eq!(compared.is_some(), spec.held.is_some());
        let (Some(phase), Some(held)) = (compared, &spec.held) else { return Ok(()) };
        prop_assert_eq!(&plan.phases[1].name, "copy");
        let stages = &phase.pipelines.pipelines[0].stages;
        let effects: Vec<_> = stages.iter().map(|stage| stage.effect).collect();
        prop_assert_eq!(effects, [StageEffect::Writes, StageEffect::Verifies]);
        for (stage, layout) in stages.iter().zip([&held.source, &held.target]) {
            let StageFunction::Verify(function) = &stage.function else { panic!("{stage:?}") };
            prop_assert_eq!(&function.target, layout);
            let (mut counts, mut elements, mut objects) = (Counts::default(), 0, std::collections::BTreeSet::new());
            for task in 0..stage.task_count {
                let region = function.boxes.region(TaskIndex(task).0).expect("a task");
                let reads = source_reads(layout, &region);
                counts.get_requests += reads.requests();
                counts.bytes_decoded += reads.bytes;
                elements += region.element_count();
                for object in BoxGrid::positions(&layout.write_grid().overlapping(&region)) {
                    prop_assert!(objects.insert(object), "an object is read by one task");
                }
            }
            prop_assert_eq!(counts, stage.predicted);
            prop_assert_eq!(elements, layout.bounds().element_count());
            let memory = memory::of_verify(function, bound(layout, 100)).expect("small");
            prop_assert!(memory.total(memory.least_pieces).is_some_and(|least| least <= stage.task_memory.0));
        }
    }
}

#[test]
fn a_chunk_that_cannot_be_read_back_is_refused_with_the_memory_that_it_takes() {
    let shape = [40, 1000];
    let spec = appended(&shape, 15, &layout(&shape, 4, None, &[1, 1000]), &layout(&shape, 4, None, &[10, 1000]));
    let memory = |bytes| MemoryModel { max_mem: ByteCount(bytes), reserve: ByteCount(0), budget: ByteCount(bytes) };
    let refusal = plan(&input(vec![spec.clone()], memory(30_000), 1, 1)).expect_err("too little");
    assert_eq!((refusal.reason.as_str(), refusal.field.as_deref()), ("MEMORY_TOO_SMALL", Some("max_mem")));
    planned(&input(vec![spec], memory(200_000), 1, 1));
}

#[test]
fn a_task_of_a_comparison_reads_many_small_objects() {
    let shape = [200, 1000, 1000];
    let spec =
        appended(&shape, 150, &layout(&shape, 4, None, &[1, 1000, 1000]), &layout(&shape, 4, None, &[100, 10, 10]));
    let plan = planned(&input(vec![spec], mebibytes(1024, 100), 4, 2));
    let [source, target] = &plan.phases[0].pipelines.pipelines[0].stages[..] else { panic!("two stages") };
    assert_eq!((source.predicted.get_requests, target.predicted.get_requests), (50, 10_000));
    assert!(source.task_count < 5 && target.task_count < 5, "{} and {}", source.task_count, target.task_count);
}
