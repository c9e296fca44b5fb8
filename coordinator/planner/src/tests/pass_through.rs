//! When chunks are passed on without decoding, and what the plan then says.

use rechunk_common::{
    geometry::Region,
    layout::{ChunkLayout, IndexLocation},
    plan::{ShapeOfPlan, StageFunction},
};

use super::*;

const SHAPE: [u64; 3] = [1000, 700, 500];

/// Chunks of 2 MB, and how each side keeps them.
fn spec(source: Option<&[u64]>, target: Option<&[u64]>) -> CopySpec {
    let side = |shard: Option<&[u64]>| layout(&SHAPE, 4, shard, &[10, 100, 500]);
    copy(side(source), side(target), 50)
}

fn shape_of(spec: CopySpec) -> ShapeOfPlan {
    summary(&planned(&input(vec![spec], mebibytes(2048, 100), 8, 2))).arrays[0].shape_of_plan
}

#[test]
fn the_same_chunks_are_passed_on_and_the_plan_says_so() {
    let plan = planned(&input(vec![spec(None, None)], mebibytes(2048, 100), 8, 2));
    let array = &summary(&plan).arrays[0];
    assert_eq!((array.shape_of_plan, array.pipelines), (ShapeOfPlan::CopyEncoded, 1));
    assert!(array.reason.contains("passed on without decoding") && array.reason.contains("stays missing"));
    let runner_up = array.runner_up.as_ref().expect("the direct sweep");
    assert_eq!(runner_up.shape_of_plan, ShapeOfPlan::DirectSweep);
    assert_eq!(runner_up.reason, "would decode and encode every chunk");
    let expected = Counts { get_requests: 700, put_requests: 700, ..Counts::default() };
    assert_eq!(row(summary(&plan), "copy_encoded").counts, expected);
    assert_eq!(totals(&plan), expected, "nothing else touches a store");
}

#[test]
fn shards_are_packed_unpacked_and_passed_on_by_their_chunks() {
    let (small, large): (&[u64], &[u64]) = (&[100, 100, 500], &[200, 700, 500]);
    for (source, target, gets, puts) in [
        (None, Some(large), 700, 5),
        (Some(large), Some(large), 5, 5),
        // Chunks, and one index for each pair of a task and a shard.
        (Some(small), None, 700 + 70, 700),
        (Some(small), Some(large), 700 + 70, 5),
    ] {
        let plan = planned(&input(vec![spec(source, target)], mebibytes(2048, 100), 1, 1));
        assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::CopyEncoded);
        let totals = totals(&plan);
        assert_eq!((totals.get_requests, totals.put_requests), (gets, puts), "{source:?} to {target:?}");
        assert_eq!((totals.bytes_decoded, totals.bytes_encoded), (0, 0));
    }
}

#[test]
fn one_store_copies_whole_objects_by_itself_in_next_to_no_memory() {
    let large: &[u64] = &[200, 700, 500];
    let plan_of = |source, target, strict| {
        let mut spec = spec(source, target);
        (spec.one_store, spec.gaps.strict) = (true, strict);
        // Less than one chunk.
        let memory = MemoryModel { max_mem: ByteCount(1 << 20), reserve: ByteCount(0), budget: ByteCount(1 << 20) };
        let is_small = target.is_none() || target == source;
        planned(&input(vec![spec], if is_small && !strict { memory } else { mebibytes(2048, 100) }, 8, 2))
    };
    for (source, target, strict, gets, puts) in [
        (None, None, false, 0, 700),
        (Some(large), Some(large), false, 0, 5),
        (None, None, true, 0, 700),
        // Which of its chunks are missing must be seen.
        (Some(large), Some(large), true, 5, 5),
        (None, Some(large), false, 700, 5),
    ] {
        let plan = plan_of(source, target, strict);
        assert_eq!((totals(&plan).get_requests, totals(&plan).put_requests), (gets, puts), "{source:?} to {target:?}");
        let reason = &summary(&plan).arrays[0].reason;
        assert_eq!(reason.contains("the store itself copies"), gets == 0, "{reason}");
    }
    assert_eq!(summary(&plan_of(None, None, false)).peak_memory, ByteCount(0));
}

#[test]
fn an_object_that_is_too_large_for_one_copy_is_read_and_written() {
    let gets = |length: u64| {
        let side = || layout(&[4 << 30], 4, None, &[length]);
        let mut spec = copy(side(), side(), 100);
        spec.one_store = true;
        totals(&planned(&input(vec![spec], mebibytes(30_000, 100), 1, 1))).get_requests
    };
    assert_eq!((gets(5 << 28), gets((5 << 28) + 1)), (0, 4));
}

#[test]
fn whatever_differs_is_decoded() {
    let changed = |change: fn(&mut CopySpec)| {
        let mut spec = spec(None, None);
        change(&mut spec);
        shape_of(spec)
    };
    let codecs = |spec: &mut CopySpec, json: &str| {
        spec.target.chunks = ChunkLayout::Plain { chunk_shape: vec![10, 100, 500], codecs: json.into() };
    };
    assert_eq!(changed(|_| ()), ShapeOfPlan::CopyEncoded);
    let differences: [fn(&mut CopySpec); 6] = [
        |spec| spec.target.fill = vec![1, 0, 0, 0],
        |spec| spec.target.has_fill = false,
        |spec| spec.target.element.data_type = "float32".into(),
        |spec| spec.gaps.write_empty_chunks = true,
        |spec| spec.target.chunks = layout(&SHAPE, 4, None, &[10, 100, 600]).chunks,
        |spec| spec.target.chunks = layout(&SHAPE, 4, None, &[10, 50, 500]).chunks,
    ];
    for (number, difference) in differences.into_iter().enumerate() {
        assert_ne!(changed(difference), ShapeOfPlan::CopyEncoded, "difference {number}");
    }
    let mut other = spec(None, None);
    codecs(&mut other, r#"[{"name":"bytes"}]"#);
    assert_ne!(shape_of(other), ShapeOfPlan::CopyEncoded);
    let mut same = spec(None, None);
    codecs(&mut same, " [ ] ");
    assert_eq!(shape_of(same), ShapeOfPlan::CopyEncoded, "spaces are no difference");
}

#[test]
fn a_source_without_a_fill_value_reads_as_zeros_and_strict_is_no_obstacle() {
    let mut spec = spec(None, None);
    spec.source.has_fill = false;
    spec.gaps.strict = true;
    let plan = planned(&input(vec![spec.clone()], mebibytes(2048, 100), 8, 2));
    let Some(StageFunction::CopyEncoded(function)) = plan.stages().next().map(|stage| &stage.function) else {
        panic!("passed on")
    };
    assert!(function.gaps.strict);
    assert_eq!(function.writers.bounds(), &Region::whole(&SHAPE));
    spec.target.has_fill = false;
    assert_eq!(shape_of(spec), ShapeOfPlan::CopyEncoded);
}

#[test]
fn a_fleet_gets_tasks_for_all_and_a_huge_array_more_of_them() {
    let tasks = |shape: &[u64], workers: u64| {
        let side = || layout(shape, 4, None, &[10, 100, 500]);
        let plan = planned(&input(vec![copy(side(), side(), 50)], mebibytes(2048, 100), workers, 1));
        row(summary(&plan), "copy_encoded").tasks
    };
    let fleet = tasks(&[10_000, 7000, 500], 64);
    assert!(fleet >= 2 * 64, "{fleet} tasks for 64 workers");
    assert!(tasks(&[10_000, 7000, 500], 1) < 1000, "a task is worth its round trip");
    assert!(tasks(&[1_000_000, 70_000, 5000], 1) > 1000, "no task takes hours");
}

#[test]
fn a_shard_that_does_not_fit_says_what_it_needs() {
    let side = |shard: Option<&[u64]>| {
        let mut layout = layout(&[4096, 4096], 4, shard, &[64, 64]);
        // Such shards are held whole.
        if let ChunkLayout::Sharded { index_location, .. } = &mut layout.chunks {
            *index_location = IndexLocation::Start;
        }
        layout
    };
    let copy = copy(side(None), side(Some(&[4096, 4096])), 101);
    let refusal = plan(&input(vec![copy.clone()], mebibytes(60, 10), 1, 1)).expect_err("64 MiB do not fit");
    assert_eq!(refusal.reason, "MEMORY_TOO_SMALL");
    let asked = refusal.message.split("at least ").nth(1).and_then(|rest| rest.split(',').next()).expect("a size");
    let asked: ByteCount = asked.parse().expect("a size");
    let reserve = ByteCount(10 << 20);
    let memory = MemoryModel { max_mem: asked, reserve, budget: ByteCount(asked.0 - reserve.0) };
    assert_eq!(summary(&planned(&input(vec![copy], memory, 1, 1))).arrays[0].shape_of_plan, ShapeOfPlan::CopyEncoded);
}
