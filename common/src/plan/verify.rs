//! Reading back what was written: the content of the target as a reader would find it, to be compared with the content
//! that the copy took from the source. Whoever runs the stages compares; a task only sums.

use serde::{Deserialize, Serialize};

use super::PresenceBitmap;
use crate::{geometry::BoxGrid, layout::ArrayLayout};

/// Each task owns a box of whole write units, reads what was written there, and sums its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// What was written.
    pub target: ArrayLayout,
    /// Task `i` reads box `i`.
    pub boxes: BoxGrid,
    /// What is summed.
    pub read_back_as: ReadBackAs,
    /// Which objects of the source there are, where what shares no element with one that is there was not written, and
    /// is not read. `None`: nothing was left out for that.
    pub presence: Option<PresenceBitmap>,
}

/// What of a target is summed: the same as of the source when it was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReadBackAs {
    /// Elements by their index in the array, less those that equal the fill value.
    Elements,
    /// Chunks (inner chunks of shards) as they are stored, by their place in the grid of chunks: nothing is decoded.
    EncodedChunks,
    /// The same, where inner chunks are read one by one: shards that are never held whole.
    EncodedInnerChunks,
}
