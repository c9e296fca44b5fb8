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

/// Rows to columns: 704 MiB of text by what is assumed.
fn rows_to_columns(budget: u64) -> PlanInput {
    let (shape, from, to): ([u64; 2], [u64; 2], [u64; 2]) = ([4096, 4096], [1, 4096], [4096, 2]);
    let memory = MemoryModel { max_mem: ByteCount(budget), reserve: ByteCount(0), budget: ByteCount(budget) };
    let spec = copy_of(text(&shape, None, &from), text(&shape, None, &to));
    PlanInput { worker_scratch: ByteCount(1 << 40), ..input(vec![spec], memory, 1, 1) }
}

fn stages_of(plan: &rechunk_common::plan::Plan) -> Vec<rechunk_common::plan::Stage> {
    let pipelines = plan.phases.iter().flat_map(|phase| &phase.pipelines.pipelines);
    pipelines.flat_map(|pipeline| pipeline.stages.clone()).collect()
}

#[test]
fn little_memory_makes_an_exchange_of_packed_blocks_and_never_one_over_local_disk() {
    let plan = planned(&rows_to_columns(16 << 20));
    let array = &summary(&plan).arrays[0];
    assert_eq!(array.shape_of_plan, ShapeOfPlan::Exchange, "{}", array.reason);
    let shapes: Vec<_> = array.candidates.iter().map(|candidate| candidate.shape_of_plan).collect();
    assert!(shapes.contains(&ShapeOfPlan::DirectSweep) && !shapes.contains(&ShapeOfPlan::GroupLocal), "{shapes:?}");
    assert!(!array.reason.contains("compressed"), "{}", array.reason);
    let names: Vec<_> = stages_of(&plan).into_iter().map(|stage| stage.name).collect();
    assert_eq!(
        names[..4],
        ["copy_read_to_exchange", "index_exchange", "copy_exchange_to_write", "delete_exchange"],
        "{names:?}"
    );
    // Every chunk once, whatever the memory; descriptors count.
    let totals = totals(&plan);
    let elements = 4096 * 4096;
    assert_eq!((totals.bytes_decoded, totals.bytes_encoded), (16 * elements, 16 * elements));
    // What stands is assumed to have the bytes that are assumed.
    assert!(summary(&plan).temp_bytes.0 > 40 * elements, "{}", summary(&plan).temp_bytes);
}

#[test]
fn an_exchange_goes_only_to_workers_that_know_such_ones() {
    let versions = |input: &PlanInput| -> Vec<(String, u32)> {
        let ids = stages_of(&planned(input)).into_iter().map(|stage| stage.function.id());
        ids.inspect(|id| assert!(StageFunction::built_in().contains(id))).map(|id| (id.name, id.version)).collect()
    };
    let mut input = rows_to_columns(16 << 20);
    let of = |versions: Vec<(String, u32)>, name: &str| versions.iter().find(|(found, _)| found == name).map(|id| id.1);
    let all = ["copy_read_to_exchange", "index_exchange", "copy_exchange_to_write", "delete_exchange"];
    for name in all {
        assert_eq!(of(versions(&input), name), Some(5), "{name}");
    }
    // Those that know no text can read the index of blocks that they could decompress.
    input.temp.codec = ExchangeCodecChoice::Lz4;
    for (name, version) in all.into_iter().zip([5, 1, 5, 1]) {
        assert_eq!(of(versions(&input), name), Some(version), "{name}");
    }
    let spec = &mut input.copies[0];
    for layout in [&mut spec.source, &mut spec.target] {
        layout.part = Some(ArrayPart { start: vec![3, 0], origin: vec![3, 0] });
    }
    for name in ["copy_read_to_exchange", "copy_exchange_to_write"] {
        assert_eq!(of(versions(&input), name), Some(6), "{name} of a part");
    }
}

#[test]
fn tasks_of_an_exchange_get_twice_what_their_elements_are_assumed_to_take() {
    let budget = 16 << 20;
    for stage in stages_of(&planned(&rows_to_columns(budget))) {
        let least = if let StageFunction::CopyReadToExchange(read) = &stage.function {
            crate::memory::of_read_to_exchange(read, bound(&read.source, 100))
        } else if let StageFunction::CopyExchangeToWrite(write) = &stage.function {
            crate::memory::of_exchange_to_write(write, bound(&write.target, 100))
        } else {
            continue;
        };
        let least = least.and_then(|memory| memory.total(memory.least_pieces)).expect("small");
        assert!(stage.task_memory.0 >= 2 * least && stage.task_memory.0 <= budget, "{least} {}", stage.task_memory);
    }
}

#[test]
fn a_listing_that_says_how_long_elements_are_makes_smaller_boxes() {
    let readers_of = |longest: u64| {
        let mut input = rows_to_columns(32 << 20);
        let spec = listed(input.copies.remove(0));
        input.copies.push(spec);
        input.copies[0].listed.as_mut().expect("listed").source.longest = ByteCount(longest);
        let stages = stages_of(&planned(&input));
        let function = stages.into_iter().map(|stage| stage.function).next().expect("a stage");
        let StageFunction::CopyReadToExchange(read) = function else { panic!("{function:?}") };
        read.exchange.readers.lengths().iter().product::<u64>()
    };
    // 4096 elements in a chunk: 16 bytes each, less than is assumed; and 400.
    let (assumed, measured) = (readers_of(1 << 16), readers_of(400 << 12));
    assert!(measured * 2 < assumed, "{measured} elements in a box, and {assumed}");
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
