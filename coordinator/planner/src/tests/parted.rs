//! Shards that do not fit the memory: planned in parts where their index comes last, refused where it comes first.

use rechunk_common::{
    layout::IndexLocation,
    plan::{ReadBackAs, ShapeOfPlan, ShardParts, StageFunction, Verify},
};

use super::*;

/// The parts of each copying stage, in order.
fn parts(plan: &Plan) -> Vec<Option<ShardParts>> {
    let stages = plan.phases.iter().flat_map(|phase| &phase.pipelines.pipelines).flat_map(|pipeline| &pipeline.stages);
    stages
        .filter_map(|stage| match &stage.function {
            StageFunction::CopyEncoded(copy) => Some(copy.shard_parts),
            StageFunction::CopyReadToWrite(copy) => Some(copy.shard_parts),
            StageFunction::CopyExchangeToWrite(copy) => Some(copy.shard_parts),
            StageFunction::CopyThroughScratch(copy) => Some(copy.shard_parts),
            StageFunction::CopyReadToExchange(_)
            | StageFunction::IndexExchange(_)
            | StageFunction::CopySmallArrays(_)
            | StageFunction::Verify(_)
            | StageFunction::DeleteExchange(_)
            | StageFunction::ClearPrefix(_)
            | StageFunction::CheckSource(_)
            | StageFunction::PublishMetadata(_)
            | StageFunction::Custom(_) => None,
        })
        .collect()
}

/// float32, encoded to half, from plain chunks to shards.
fn to_shards(shape: &[u64], from: &[u64], shard: &[u64], chunk: &[u64]) -> CopySpec {
    copy(layout(shape, 4, None, from), layout(shape, 4, Some(shard), chunk), 50)
}

fn planned_within(copy: CopySpec, mib: u64) -> Plan {
    let plan = planned(&input(vec![copy], mebibytes(mib, 0), 1, 1));
    assert!(summary(&plan).peak_memory <= ByteCount(mib << 20), "{}", summary(&plan).peak_memory);
    plan
}

fn shape_of(plan: &Plan) -> ShapeOfPlan {
    summary(plan).arrays[0].shape_of_plan
}

#[test]
fn maps_become_series_in_shards_of_many_times_the_memory() {
    // A shard has 2 GiB decoded; every source chunk is a map, so that blocks must be cut by inner chunks.
    let copy = to_shards(&[8192, 512, 1024], &[1, 512, 1024], &[8192, 256, 256], &[8192, 8, 8]);
    let plan = planned_within(copy, 100);
    assert_eq!(shape_of(&plan), ShapeOfPlan::Exchange);
    assert_eq!(parts(&plan), [Some(ShardParts { bytes: ByteCount(16 << 20) })]);
    let totals = totals(&plan);
    let objects = row(summary(&plan), "copy_read_to_exchange").tasks;
    assert_eq!(totals.put_requests, objects + 8, "logical objects: parts are counted apart");
    assert_eq!(totals.bytes_encoded, 2 * 8192 * 512 * 1024 * 4);
    assert_eq!(row(summary(&plan), "copy_exchange_to_write").tasks, 8, "one task for each shard");
}

#[test]
fn blocks_are_swept_into_a_shard_that_is_never_held() {
    let copy = to_shards(&[1024, 512, 512], &[64, 64, 64], &[1024, 512, 512], &[128, 32, 32]);
    let plan = planned_within(copy, 40);
    assert_eq!(shape_of(&plan), ShapeOfPlan::DirectSweep);
    assert_eq!(parts(&plan).len(), 1);
    assert!(parts(&plan)[0].is_some());
    let totals = totals(&plan);
    assert_eq!((totals.get_requests, totals.put_requests), (16 * 8 * 8, 1), "each chunk is read once");
}

#[test]
fn chunks_are_packed_into_a_shard_that_is_never_held() {
    let copy = to_shards(&[1024, 512, 512], &[64, 64, 64], &[1024, 512, 512], &[64, 64, 64]);
    let plan = planned_within(copy, 24);
    assert_eq!(shape_of(&plan), ShapeOfPlan::CopyEncoded);
    assert_eq!(parts(&plan), [Some(ShardParts { bytes: ByteCount(5 << 20) })], "there is no room for longer parts");
    assert_eq!((totals(&plan).get_requests, totals(&plan).put_requests), (16 * 8 * 8, 1));
}

#[test]
fn shards_of_which_many_fit_stay_whole() {
    let copy = to_shards(&[1024, 512, 512], &[64, 64, 64], &[128, 128, 128], &[128, 32, 32]);
    assert_eq!(parts(&planned_within(copy, 400)), [None]);
}

#[test]
fn a_shard_whose_index_comes_first_needs_memory_for_all_of_it() {
    let mut copy = to_shards(&[1024, 512, 512], &[64, 64, 64], &[1024, 512, 512], &[128, 32, 32]);
    if let ChunkLayout::Sharded { index_location, .. } = &mut copy.target.chunks {
        *index_location = IndexLocation::Start;
    }
    let refusal = plan(&input(vec![copy.clone()], mebibytes(40, 0), 1, 1)).expect_err("too large");
    assert_eq!(refusal.reason, "MEMORY_TOO_SMALL");
    let asked = refusal.message.split("at least ").nth(1).and_then(|rest| rest.split(',').next()).expect("a size");
    let asked: ByteCount = asked.parse().expect("a size");
    assert!(asked > ByteCount(500 << 20), "{}", refusal.message);
    assert_eq!(parts(&planned_within(copy, (asked.0 >> 20) + 1)), [None]);
}

#[test]
fn an_enormous_shard_has_no_more_parts_than_a_store_takes() {
    let shape = [1 << 20, 1 << 10, 128];
    let copy = to_shards(&shape, &[1 << 14, 32, 32], &shape, &[1 << 12, 64, 32]);
    let plan = planned_within(copy, 1000);
    let ShardParts { bytes } = parts(&plan)[0].expect("in parts");
    assert!((1_u64 << 38).div_ceil(bytes.0) <= 10_000, "{bytes}");
}

/// How the target is read back.
fn read_back(plan: &Plan) -> &Verify {
    let stages = plan.phases.iter().flat_map(|phase| &phase.pipelines.pipelines).flat_map(|pipeline| &pipeline.stages);
    let mut verify = stages.filter_map(|stage| {
        let StageFunction::Verify(verify) = &stage.function else { return None };
        Some(verify)
    });
    verify.next().expect("a stage that verifies")
}

#[test]
fn what_was_packed_in_parts_is_read_back_chunk_by_chunk() {
    let copy = to_shards(&[1024, 512, 512], &[64, 64, 64], &[1024, 512, 512], &[64, 64, 64]);
    let plan = planned_within(CopySpec { verify: true, ..copy }, 24);
    assert_eq!(shape_of(&plan), ShapeOfPlan::CopyEncoded);
    assert_eq!(read_back(&plan).read_back_as, ReadBackAs::EncodedInnerChunks);
    let chunks = 16 * 8 * 8;
    assert_eq!(totals(&plan).get_requests, chunks + 1 + chunks, "of the source; the index; of the target");
}

#[test]
fn what_came_in_blocks_of_inner_chunks_is_read_back_by_whole_shards() {
    let copy = to_shards(&[8192, 512, 1024], &[1, 512, 1024], &[8192, 256, 256], &[8192, 8, 8]);
    let plan = planned_within(CopySpec { verify: true, ..copy }, 100);
    assert_eq!(shape_of(&plan), ShapeOfPlan::Exchange);
    let Verify { boxes, read_back_as, .. } = read_back(&plan);
    assert_eq!((*read_back_as, boxes.lengths()), (ReadBackAs::Elements, &[8192, 256, 256][..]));
}
