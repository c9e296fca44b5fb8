//! Plans for elements of variable length, whose chunks are as long as they turn out to be.

use rechunk_common::{
    Presence,
    plan::{ListedSource, ShapeOfPlan, StageFunction},
    variable::assumed_chunk_bytes,
};

use super::*;

/// Text in chunks of `chunk`, encoded as is assumed.
fn text(shape: &[u64], shard: Option<&[u64]>, chunk: &[u64]) -> ArrayLayout {
    let element = ElementType::variable();
    ArrayLayout { element, fill: b"none".to_vec(), ..layout(shape, 8, shard, chunk) }
}

fn copy_of(source: ArrayLayout, target: ArrayLayout) -> CopySpec {
    let bound = |layout: &ArrayLayout| {
        let elements = layout.chunks.read_unit().iter().product::<u64>();
        EncodedBound { chunk: ByteCount(assumed_chunk_bytes(elements)), ..bound(layout, 100) }
    };
    let (source_encoding, target_encoding) = (bound(&source), bound(&target));
    CopySpec { source_encoding, target_encoding, ..copy(source, target, 100) }
}

/// Every object is there.
fn listed(mut spec: CopySpec) -> CopySpec {
    let grid = spec.source.write_grid();
    let mut presence = Presence::none(grid.clone()).expect("small");
    (0..grid.len()).for_each(|index| presence.insert(&grid.position(index).expect("in the grid")));
    let source = ListedSource { longest: ByteCount(1000), presence: None };
    spec.listed = Some(Listing { presence, source });
    spec
}

#[test]
fn an_exchange_is_never_proposed_and_local_disk_neither() {
    let memory = MemoryModel { max_mem: ByteCount(4 << 20), reserve: ByteCount(0), budget: ByteCount(4 << 20) };
    let shapes_of = |spec: CopySpec| {
        let input = PlanInput { worker_scratch: ByteCount(1 << 40), ..input(vec![spec], memory, 1, 1) };
        let plan = planned(&input);
        let candidates = summary(&plan).arrays[0].candidates.clone();
        candidates.into_iter().map(|candidate| candidate.shape_of_plan).collect::<Vec<_>>()
    };
    let (shape, from, to): ([u64; 2], [u64; 2], [u64; 2]) = ([4096, 4096], [1, 4096], [4096, 2]);
    let fixed = shapes_of(copy(layout(&shape, 44, None, &from), layout(&shape, 44, None, &to), 100));
    assert!(fixed.contains(&ShapeOfPlan::Exchange), "or this says nothing: {fixed:?}");
    let variable = shapes_of(copy_of(text(&shape, None, &from), text(&shape, None, &to)));
    assert!(variable.iter().all(|shape| *shape == ShapeOfPlan::DirectSweep), "{variable:?}");
}

#[test]
fn only_chunks_whose_lengths_can_be_known_are_packed_into_shards_unseen() {
    let (shape, chunk): ([u64; 1], [u64; 1]) = ([1000], [10]);
    let (small, large): (&[u64], &[u64]) = (&[50], &[200]);
    let shape_of =
        |spec: CopySpec| summary(&planned(&input(vec![spec], mebibytes(512, 100), 2, 2))).arrays[0].shape_of_plan;
    let of = |source: Option<&[u64]>, target: Option<&[u64]>| {
        copy_of(text(&shape, source, &chunk), text(&shape, target, &chunk))
    };
    for (spec, expected) in [
        (of(None, None), ShapeOfPlan::CopyEncoded),
        (of(Some(large), Some(large)), ShapeOfPlan::CopyEncoded),
        (of(Some(large), None), ShapeOfPlan::CopyEncoded),
        // The index of each shard says how long its chunks are.
        (of(Some(small), Some(large)), ShapeOfPlan::CopyEncoded),
        (of(None, Some(large)), ShapeOfPlan::DirectSweep),
        (listed(of(None, Some(large))), ShapeOfPlan::CopyEncoded),
    ] {
        let sides = (spec.source.chunks.is_sharded(), spec.target.chunks.is_sharded(), spec.listed.is_some());
        assert_eq!(shape_of(spec), expected, "{sides:?}");
    }
}

#[test]
fn tasks_get_their_share_of_a_worker_and_go_to_those_that_know_such_elements() {
    let (shape, from, to): ([u64; 2], [u64; 2], [u64; 2]) = ([100, 100], [10, 100], [100, 10]);
    let mut spec = copy_of(text(&shape, None, &from), text(&shape, None, &to));
    spec.verify = true;
    let plan = planned(&input(vec![spec], mebibytes(500, 100), 4, 4));
    let stages: Vec<_> =
        plan.phases.iter().flat_map(|phase| &phase.pipelines.pipelines).flat_map(|p| &p.stages).collect();
    let of_chunks: Vec<_> = stages
        .iter()
        .filter(|stage| matches!(stage.function, StageFunction::CopyReadToWrite(_) | StageFunction::Verify(_)))
        .collect();
    assert_eq!(of_chunks.len(), 2);
    for stage in of_chunks {
        assert_eq!(stage.task_memory, ByteCount(100 << 20), "a fourth of 400 MiB");
        assert_eq!(stage.function.id().version, 3);
        if let StageFunction::CopyReadToWrite(copy) = &stage.function {
            let mut of_part = copy.clone();
            of_part.target.part = Some(ArrayPart { start: vec![0, 0], origin: vec![0, 0] });
            let id = StageFunction::CopyReadToWrite(of_part).id();
            assert_eq!(id.version, 4, "of parts of such arrays");
            assert!(StageFunction::built_in().contains(&id));
        }
    }
    // Descriptors count.
    assert_eq!((totals(&plan).bytes_encoded, totals(&plan).bytes_decoded), (80_000, 160_000));
}

#[test]
fn a_listing_says_how_long_elements_may_be() {
    let (shape, from, to): ([u64; 2], [u64; 2], [u64; 2]) = ([100, 100], [10, 100], [100, 10]);
    let of = |longest: Option<u64>| {
        let mut spec = copy_of(text(&shape, None, &from), text(&shape, None, &to));
        if let Some(longest) = longest {
            spec = listed(spec);
            spec.listed.as_mut().expect("listed").source.longest = ByteCount(longest);
        }
        let plan = planned(&input(vec![spec], mebibytes(500, 100), 64, 64));
        plan.phases[0].pipelines.pipelines[0].stages[0].clone()
    };
    let declared = |stage: &rechunk_common::plan::Stage| {
        let StageFunction::CopyReadToWrite(copy) = &stage.function else { panic!("{:?}", stage.function) };
        let bounds = (bound(&copy.source, 100), bound(&copy.target, 100));
        crate::memory::of_read_to_write(copy, bounds.0, bounds.1).expect("small")
    };
    let (assumed, short, long) = (declared(&of(None)), declared(&of(Some(10_000))), declared(&of(Some(1_000_000))));
    assert_eq!(assumed.piece, short.piece, "less than is assumed anyhow");
    // 1000 elements in the longest chunk, which is not compressed.
    assert_eq!(long.piece - assumed.piece, 1000 * (1000 - 32));
    assert!(long.open > 10 * assumed.open && long.write > 10 * assumed.write, "{long:?} {assumed:?}");
}

#[test]
fn elements_of_variable_length_do_not_become_elements_of_a_width() {
    let spec = copy_of(text(&[10], None, &[5]), layout(&[10], 8, None, &[5]));
    assert_eq!(plan(&input(vec![spec], mebibytes(512, 100), 1, 1)).expect_err("refused").reason, "SHAPES_DIFFER");
}
