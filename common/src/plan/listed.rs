//! What a listing at planning said of a source: how long its objects are, and which of them are there.

use serde::{Deserialize, Serialize};

use crate::{ByteCount, geometry::BoxGrid};

/// A source whose objects were listed when it was planned for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSource {
    /// Bytes of the longest object, chunk or shard.
    pub longest: ByteCount,
    /// Which objects there are; `None`: all of them.
    pub presence: Option<PresenceBitmap>,
}

/// Where it stands which objects of a source there are: an object of one bit for each, in C order of their grid. What
/// is absent is never asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceBitmap {
    /// URL of the bitmap, in the job's temporary space.
    pub url: String,
    /// Its length.
    pub size: ByteCount,
    /// Its checksum.
    pub crc32c: u32,
    /// The grid of the source's objects.
    pub objects: BoxGrid,
    /// One element of what is absent: the source's fill value.
    pub fill: Vec<u8>,
}

impl PresenceBitmap {
    /// Where a job keeps its bitmaps, below its temporary space; that of array `index` is `<directory>/<index>`.
    pub const DIRECTORY: &str = "presence";
}
