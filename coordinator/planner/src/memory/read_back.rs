//! What a task holds that reads back what was written.

use rechunk_common::plan::{ReadBackAs, Verify};

use super::{MAX_PIECES_IN_FLIGHT, SourceSide, TargetSide, TaskMemory, encoded_in};
use crate::EncodedBound;

/// What a task holds that reads back what was written, in boxes of whole write units; `None` beyond 2^64.
pub fn of_verify(function: &Verify, written: EncodedBound) -> Option<TaskMemory> {
    let (extents, lengths) = (function.boxes.bounds().shape(), function.boxes.lengths());
    let target = SourceSide::of(&function.target, written).aligned();
    let objects = TargetSide::of(&function.target, written);
    match function.read_back_as {
        ReadBackAs::Elements => {
            let mut memory = TaskMemory::of_open(0);
            memory.indexes = target.indexes(&extents, lengths)?;
            let pieces = target.most_in_a_box(&extents, lengths, target.unit)?;
            memory = memory.with_pieces(target.piece()?, pieces, MAX_PIECES_IN_FLIGHT);
            // Whoever could write a chunk can hold it once more, but perhaps not twice.
            memory.least_pieces = 1;
            Some(memory)
        }
        ReadBackAs::EncodedChunks => encoded_in(&extents, (&target, &objects), lengths, true, false),
        ReadBackAs::EncodedInnerChunks => {
            // As if each was to be an object.
            let chunks = TargetSide { shard: None, ..objects };
            encoded_in(&extents, (&target, &chunks), lengths, false, false)
        }
    }
}
