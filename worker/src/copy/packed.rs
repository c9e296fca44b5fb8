//! What a packed exchange is made of: blocks that were shuffled and compressed, the tables in front of exchange objects,
//! and the rows of the index. Where each of them lies is arithmetic (`rechunk_common::plan::Exchange`).
//!
//! A block is a byte that says how it is stored, then its elements: as they are, or in tiles, each shuffled by byte and
//! compressed by itself. Elements of variable length stand in it behind their lengths, and where they are compressed four
//! bytes before them say how long both are. Its crc32c stands in the table and covers all of it, so that it is checked
//! before anything is decoded.

mod block;
mod copies;
mod entry;
mod shuffle;
mod values;

pub(crate) use block::{PackedBlock, Packer, is_compressed, values_bytes};
pub(crate) use copies::copies_of;
pub(crate) use entry::{BlockEntry, RowEntry};
use rechunk_common::{FailureClass, TaskFailure, ids::TaskIndex};
pub(crate) use values::Values;

/// From the index stage back to the stage that writes exchange objects.
const FROM_INDEX_TO_READERS: u32 = 1;

/// From the stage that reads blocks back to the index stage.
const FROM_WRITERS_TO_INDEX: u32 = 1;

/// From the stage that reads blocks back to the one that writes them.
const FROM_WRITERS_TO_READERS: u32 = 2;

/// Who noticed that an object is lost, and what kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The index stage: an exchange object.
    ObjectOfIndexer,
    /// A writing task: an index object.
    IndexOfWriter,
    /// A writing task: an exchange object.
    ObjectOfWriter,
}

impl Lost {
    /// The failure: the object at `url` is to be written again by `task`.
    pub(crate) fn failure(self, task: TaskIndex, url: &str, reason: &str) -> TaskFailure {
        let (stages_back, what) = match self {
            Self::ObjectOfIndexer => (FROM_INDEX_TO_READERS, "exchange object"),
            Self::IndexOfWriter => (FROM_WRITERS_TO_INDEX, "exchange index"),
            Self::ObjectOfWriter => (FROM_WRITERS_TO_READERS, "exchange object"),
        };
        let class = FailureClass::InputLost { stages_back, task };
        TaskFailure::new(class, format!("cannot read {what} {url}: {reason}"))
    }
}
