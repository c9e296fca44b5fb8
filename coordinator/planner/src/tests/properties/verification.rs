//! Reading back, held against the boxes one by one.

use rechunk_common::{
    Counts,
    geometry::BoxGrid,
    plan::{ReadBackAs, Stage, StageEffect, Verify},
};

use super::{Small, Written, check_memory};
use crate::{memory, prediction::source_reads, tests::bound};

/// Every object is read by one task, with the requests that are predicted, within the memory that is declared.
pub(super) fn check(stage: &Stage, function: &Verify, small: &Small, read_back: &mut Written) {
    assert_eq!((stage.effect, stage.name.as_str()), (StageEffect::Verifies, "verify"));
    let Verify { target, boxes, read_back_as, presence: _ } = function;
    let bound = bound(target, small.hundredths);
    let memory = memory::of_verify(function, bound).expect("small");
    check_memory(memory, stage, small.budget);
    let mut counts = Counts::default();
    for task in 0..stage.task_count {
        let region = boxes.region(task).expect("task");
        let objects = read_back.add(target, &region);
        match read_back_as {
            ReadBackAs::Elements => {
                let reads = source_reads(target, &region);
                assert!(memory.indexes >= reads.indexes * bound.shard_index.0);
                counts.get_requests += reads.requests();
                counts.bytes_decoded += reads.bytes;
            }
            ReadBackAs::EncodedChunks => {
                counts.get_requests += objects;
                for position in BoxGrid::positions(&target.write_grid().overlapping(&region)) {
                    let object = target.write_grid().region_at(&position);
                    let chunks = target.read_grid().overlapping(&object).element_count();
                    let held = chunks * bound.chunk.0 + 2 * bound.shard_index.0;
                    assert!(held <= memory.piece, "any object fits its room");
                }
            }
            ReadBackAs::EncodedInnerChunks => {
                assert!(target.chunks.is_sharded(), "only shards are written in parts");
                let reads = source_reads(target, &region);
                assert!(memory.indexes >= reads.indexes * bound.shard_index.0);
                assert!(bound.chunk.0 <= memory.piece, "any chunk fits its room");
                counts.get_requests += reads.requests();
            }
        }
    }
    assert_eq!(counts, stage.predicted);
}
