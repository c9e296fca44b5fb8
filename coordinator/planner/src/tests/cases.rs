//! Refusals, warnings and edges, one story each.

use rechunk_common::{RefusalCode, limits, plan::ShapeOfPlan};

use super::*;

fn refused(input: &PlanInput) -> rechunk_common::Refusal {
    plan(input).expect_err("a refusal")
}

#[test]
fn a_target_chunk_that_is_too_large_says_how_much_it_needs() {
    let copy = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let refusal = refused(&input(vec![copy.clone()], usable(600_000_000), 2, 1));
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::InvalidArgument, "MEMORY_TOO_SMALL"));
    assert_eq!(refusal.field.as_deref(), Some("max_mem"));
    assert!(refusal.message.starts_with("target chunk of 346.5 MiB needs max_mem of at least "), "{}", refusal.message);
    // What it asks for is enough, and much less is not.
    let asked = refusal.message.split("at least ").nth(1).and_then(|rest| rest.split(',').next()).expect("a size");
    let asked: ByteCount = asked.parse().expect("a size");
    assert!(asked < ByteCount(1_100_000_000), "{asked}");
    planned(&input(vec![copy.clone()], usable(asked.0), 2, 1));
    refused(&input(vec![copy], usable(asked.0 / 20 * 19), 2, 1));
}

#[test]
fn a_target_chunk_that_would_fit_as_a_shard_is_proposed_as_one() {
    let copy = plain(&[1000, 1000, 1000], &[10, 100, 100], &[500, 500, 500]);
    let memory = |mib| mebibytes(mib, 0);
    let refusal = refused(&input(vec![copy], memory(400), 1, 1));
    let Some((_, proposal)) = refusal.message.split_once("; or ask for --chunks ") else {
        panic!("{}", refusal.message)
    };
    let (chunk, shards) = proposal.split_once(" --shards ").expect("chunks and shards");
    assert_eq!(shards, "500,500,500");
    let chunk: Vec<u64> = chunk.split(',').map(|length| length.parse().expect("a length")).collect();
    let shape = [1000, 1000, 1000];
    let source = layout(&shape, 4, None, &[10, 100, 100]);
    let sharded = copy_of(source, layout(&shape, 4, Some(&[500, 500, 500]), &chunk));
    planned(&input(vec![sharded], memory(400), 1, 1));
}

fn copy_of(source: ArrayLayout, target: ArrayLayout) -> CopySpec {
    copy(source, target, 50)
}

#[test]
fn where_not_even_a_shard_would_fit_smaller_objects_are_proposed_that_do() {
    let lengths =
        |text: &str| -> Vec<u64> { text.split(',').map(|length| length.parse().expect("a length")).collect() };
    let shape = [1000, 1000, 1000];
    let source = || layout(&shape, 4, None, &[10, 100, 100]);
    let proposed = |target: ArrayLayout, option: &str| {
        let refusal = refused(&input(vec![copy_of(source(), target)], mebibytes(30, 0), 1, 1));
        assert_eq!(refusal.reason, "MEMORY_TOO_SMALL");
        let (_, proposal) = refusal.message.split_once("; or ask for ").expect(&refusal.message);
        proposal.strip_prefix(option).expect(proposal).trim().to_owned()
    };
    // A chunk that is too large fits as a shard, which is written in parts.
    let proposal = proposed(layout(&shape, 4, None, &[500, 500, 500]), "--chunks ");
    let (chunk, shard) = proposal.split_once(" --shards ").expect(&proposal);
    assert_eq!(lengths(shard), [500, 500, 500]);
    let target = layout(&shape, 4, Some(&lengths(shard)), &lengths(chunk));
    planned(&input(vec![copy_of(source(), target)], mebibytes(30, 0), 1, 1));

    // Shards whose index comes first are held whole.
    let sharded = |shard: &[u64]| {
        let mut layout = layout(&shape, 4, Some(shard), &[50, 50, 50]);
        if let ChunkLayout::Sharded { index_location, .. } = &mut layout.chunks {
            *index_location = IndexLocation::Start;
        }
        layout
    };
    let shard = lengths(&proposed(sharded(&[500, 500, 500]), "--shards "));
    assert!(shard.iter().all(|length| length % 50 == 0), "{shard:?}");
    planned(&input(vec![copy_of(source(), sharded(&shard))], mebibytes(30, 0), 1, 1));
}

#[test]
fn a_proposal_for_zarr_v2_has_no_shards_and_one_for_a_group_names_its_array() {
    let shape = [1000, 1000, 1000];
    let mut copy = copy_of(layout(&shape, 4, None, &[10, 100, 100]), layout(&shape, 4, None, &[500, 500, 500]));
    copy.target.keys = ChunkKeys::V2 { separator: Separator::Dot };
    copy.name = "tas".to_owned();
    let refusal = refused(&input(vec![copy], mebibytes(400, 0), 1, 1));
    let (_, proposal) = refusal.message.split_once("; or ask for ").expect("a proposal");
    assert!(proposal.starts_with("--chunks tas:") && !proposal.contains("--shards"), "{proposal}");
}

#[test]
fn a_source_chunk_that_is_too_large_is_named() {
    let refusal = refused(&input(vec![plain(&[4096, 4096], &[4096, 4096], &[64, 64])], mebibytes(50, 10), 1, 1));
    assert!(refusal.message.starts_with("source chunk of 64 MiB needs"), "{}", refusal.message);
}

#[test]
fn a_temporary_space_below_one_group_is_refused_with_what_it_needs() {
    let copy = plain(&[96_432, 721, 1440], &[1, 721, 1440], &[8760, 72, 144]);
    let mut input = input(vec![copy], usable(2_000_000_000), 2, 1);
    input.temp.limit = Some(ByteCount(30_000_000_000));
    // A direct sweep reads 40 times and more, but it needs no temporary space.
    let plan = planned(&input);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::DirectSweep);
    let runner_up = summary(&plan).arrays[0].runner_up.clone().expect("the exchange");
    assert_eq!(runner_up.reason, "needs 33.9 GiB of temporary space");
}

#[test]
fn a_temporary_space_below_one_group_where_nothing_else_fits_is_refused() {
    // The source chunk fits beside itself, not beside the target chunk: only an exchange would do.
    let copy = plain(&[64, 1024], &[1, 1024], &[64, 16]);
    let memory = MemoryModel { max_mem: ByteCount(13_000), reserve: ByteCount(0), budget: ByteCount(13_000) };
    let mut input = input(vec![copy], memory, 1, 1);
    let plan = planned(&input);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
    input.temp.limit = Some(ByteCount(1000));
    let refusal = refused(&input);
    assert_eq!((refusal.reason.as_str(), refusal.field.as_deref()), ("TEMP_LIMIT_TOO_SMALL", Some("temp_limit")));
    assert!(refusal.message.contains("272 KiB"), "256 KiB and the sums of its blocks: {}", refusal.message);
}

#[test]
fn groups_are_no_larger_than_the_sums_of_their_blocks_leave_room_for() {
    // By its elements alone a group could have twice what it may have with a sum beside each of them.
    let source = layout(&[6, 7, 6], 1, Some(&[3, 1, 2]), &[1, 1, 1]);
    let copy = copy_of(source, layout(&[6, 7, 6], 1, None, &[2, 3, 1]));
    let memory = MemoryModel { max_mem: ByteCount(106), reserve: ByteCount(0), budget: ByteCount(106) };
    let mut input = input(vec![copy], memory, 1, 1);
    input.temp.limit = Some(ByteCount(1));
    let refusal = refused(&input);
    assert!(refusal.message.contains("raise it to 180 B"), "{}", refusal.message);
    input.temp.limit = Some(ByteCount(180));
    assert_eq!(summary(&planned(&input)).temp_bytes, ByteCount(180));
}

#[test]
fn an_array_without_elements_has_no_pipeline() {
    let plan = planned(&input(vec![plain(&[0, 10], &[3, 3], &[5, 5])], mebibytes(256, 40), 1, 1));
    let summary = summary(&plan);
    assert!(plan.phases.is_empty());
    assert_eq!((summary.arrays[0].shape_of_plan, summary.arrays[0].pipelines), (ShapeOfPlan::Empty, 0));
    assert_eq!(summary.totals, Counts::default());
}

#[test]
fn a_scalar_is_one_read_and_one_write() {
    let plan = planned(&input(vec![plain(&[], &[], &[])], mebibytes(256, 40), 4, 2));
    let totals = totals(&plan);
    assert_eq!((totals.get_requests, totals.put_requests), (1, 1));
    assert_eq!((totals.bytes_decoded, totals.bytes_encoded), (0, 0), "it is passed on as it is");
}

#[test]
fn chunks_larger_than_the_array_count_clipped_and_hold_whole() {
    let plan = planned(&input(vec![plain(&[10], &[1000], &[500])], mebibytes(256, 40), 1, 1));
    let row = row(summary(&plan), "copy_read_to_write");
    assert_eq!((row.counts.bytes_decoded, row.counts.bytes_encoded), (40, 40));
    assert!(row.task_memory >= ByteCount(500 * 4 + 1000 * 4));
}

#[test]
fn a_kept_temporary_space_has_no_deleting_stage() {
    let copy = plain(&[64, 1024], &[1, 1024], &[64, 16]);
    let memory = MemoryModel { max_mem: ByteCount(13_000), reserve: ByteCount(0), budget: ByteCount(13_000) };
    let mut input = input(vec![copy], memory, 1, 1);
    let deletes = |input: &PlanInput| totals(&planned(input)).delete_requests;
    assert_eq!(deletes(&input), row(summary(&planned(&input)), "copy_read_to_exchange").tasks);
    input.temp.keep = true;
    assert_eq!(deletes(&input), 0);
}

#[test]
fn wrong_grids_are_refused_by_name() {
    let side = |shape: &[u64], chunk: &[u64]| layout(shape, 4, None, chunk);
    let spec = |source: ArrayLayout, target: ArrayLayout| CopySpec {
        name: "tas".into(),
        dtype: "float32".into(),
        source,
        target,
        source_encoding: EncodedBound::default(),
        target_encoding: EncodedBound::default(),
        gaps: GapPolicy::default(),
        one_store: false,
        ends_inside_chunk: false,
        listed: None,
        verify: false,
        held: None,
    };
    let reason = |copy: CopySpec| {
        let refusal = refused(&input(vec![copy], mebibytes(256, 40), 1, 1));
        assert!(refusal.message.starts_with("array tas: "), "{}", refusal.message);
        refusal.reason
    };
    assert_eq!(reason(spec(side(&[4], &[2]), side(&[4], &[0]))), "BAD_CHUNKS");
    assert_eq!(reason(spec(side(&[4], &[2]), side(&[4], &[2, 2]))), "BAD_CHUNKS");
    assert_eq!(reason(spec(side(&[4], &[2]), side(&[5], &[2]))), "SHAPES_DIFFER");
    assert_eq!(reason(spec(side(&[4], &[2]), layout(&[4], 4, Some(&[3]), &[2]))), "SHARDS_NOT_A_MULTIPLE");
    assert_eq!(reason(spec(side(&[4], &[1 << 60]), side(&[4], &[2]))), "CHUNK_TOO_LARGE");
    let long = [u64::MAX / 4];
    assert_eq!(reason(spec(side(&long, &[9]), side(&long, &[8]))), "TOO_MANY_TASKS");
    let rank = limits::MAX_RANK + 1;
    assert_eq!(
        reason(spec(side(&vec![1; rank], &vec![1; rank]), side(&vec![1; rank], &vec![1; rank]))),
        "RANK_TOO_HIGH"
    );
}

#[test]
fn many_and_small_objects_are_warned_of_with_shards_that_help() {
    let warnings = |copy: CopySpec| summary(&planned(&input(vec![copy], mebibytes(256, 40), 1, 1))).warnings.clone();
    let small = warnings(plain(&[4096, 4096], &[4096, 64], &[64, 64]));
    assert_eq!(small.len(), 1);
    assert!(small[0].contains("4096 objects of 16 KiB") && small[0].contains("shards 4096,4096"), "{}", small[0]);
    assert_eq!(warnings(plain(&[100, 100], &[100, 10], &[10, 10])), Vec::<String>::new(), "100 objects are few");
    let shape = [4096, 4096];
    let sharded = copy_of(layout(&shape, 4, None, &[4096, 64]), layout(&shape, 4, Some(&[2048, 2048]), &[64, 64]));
    assert_eq!(warnings(sharded), Vec::<String>::new());
}

#[test]
fn arrays_of_any_rank_are_planned() {
    for rank in [5, 8, 16, limits::MAX_RANK] {
        let mut shape = vec![2; rank];
        let (mut from, mut to) = (vec![1; rank], vec![2; rank]);
        for axis in 0..5 {
            (shape[axis], from[axis], to[axis]) = (12, 5, 3);
        }
        // Axes beyond the fifth hold one piece each, or the elements would pass 2^32.
        for axis in 5..rank {
            (shape[axis], from[axis], to[axis]) = (1, 1, 1);
        }
        let plan = planned(&input(vec![plain(&shape, &from, &to)], mebibytes(256, 40), 4, 1));
        assert_eq!(totals(&plan).bytes_encoded, 12_u64.pow(5) * 4, "rank {rank}");
    }
}
