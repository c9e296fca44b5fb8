//! Every limit of rechunk, with its reason. A request that passes one is refused with the limit's name.

use std::time::Duration;

use crate::ByteCount;

/// Axes of an array. numpy stops at 64; the planner searches every axis.
pub const MAX_RANK: usize = 32;

/// Bytes of one element: larger ones are structures that belong into several arrays.
pub const MAX_ELEMENT_BYTES: u64 = 1 << 20;

/// Tasks of one stage: an index and a lease's range must stay cheap to track.
pub const MAX_TASKS_PER_STAGE: u64 = 1_000_000_000;

/// Stages of one pipeline: each is a barrier, and ours has three.
pub const MAX_STAGES_PER_PIPELINE: usize = 100;

/// Pipelines of one plan: each is held in memory and journaled.
pub const MAX_PIPELINES: usize = 100_000;

/// Arrays of one job.
pub const MAX_ARRAYS: usize = 10_000;

/// Candidates that a plan shows for one array: there are a few for each shape.
pub const MAX_CANDIDATES: usize = 100;

/// One metadata document, attributes included: it travels in a lease.
pub const MAX_DOCUMENT_BYTES: ByteCount = ByteCount(8 << 20);

/// An index of references: it is read and held whole by every process that reads by it.
pub const MAX_INDEX_BYTES: ByteCount = ByteCount(256 << 20);

/// References of one index: each takes 32 bytes beside its key.
pub const MAX_REFERENCES: usize = 1 << 23;

/// A record of references in Parquet, as a file, and apart from that what its pages are decompressed to: it is read whole.
pub const MAX_RECORD_BYTES: ByteCount = ByteCount(128 << 20);

/// Rows of one record: each takes 24 bytes beside its data, and about a hundred while it is read.
pub const MAX_RECORD_ROWS: u64 = 1 << 20;

/// Records that are read before a job begins, to see what they refer to: a request or two each.
pub const MAX_RECORDS_LOOKED_AT: u64 = 4096;

/// Objects of one source array that a listing may name, and that a presence bitmap has bits for: the bitmap (512 KiB)
/// is kept by workers, and the listing takes 4,000 pages.
pub const MAX_LISTED_OBJECTS: u64 = 1 << 22;

/// Objects that are listed where nothing else is asked for: 100 pages. Beyond that a source is taken to be dense.
pub const LISTED_BY_DEFAULT: u64 = 100_000;

/// Chunks along one axis of a rectilinear grid, where they differ in length: each of its edges travels with the tasks.
pub const MAX_UNEQUAL_BOXES: usize = 1 << 15;

/// Cells that a question about which objects are there may have at the most: a byte each.
pub const MAX_PRESENCE_CELLS: u64 = 1 << 27;

/// Metadata documents of one publishing stage together: they travel in one lease.
pub const MAX_STAGE_DOCUMENT_BYTES: ByteCount = ByteCount(8 << 20);

/// One gRPC message in either direction.
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// Jobs that are not terminal, per coordinator.
pub const MAX_LIVE_JOBS: usize = 1_000;

/// Terminal jobs that are remembered.
pub const MAX_REMEMBERED_JOBS: usize = 10_000;

/// Leases that one worker holds at a time.
pub const MAX_LEASES_PER_WORKER: u32 = 256;

/// Tasks of one lease: a lost lease costs them all.
pub const MAX_TASKS_PER_LEASE: u64 = 1_000;

/// Workers that a coordinator talks to at a time.
pub const MAX_WORKERS: usize = 20_000;

/// The parameters of a custom function: they travel in a lease.
pub const MAX_CUSTOM_PARAMETERS: ByteCount = ByteCount(1 << 20);

/// A name or an id in a message: object keys of S3 end at 1,024 bytes, and a name may hold one.
pub const MAX_NAME_BYTES: usize = 2048;

/// A URL in a message.
pub const MAX_URL_BYTES: usize = 4096;

/// Labels of one job.
pub const MAX_LABELS: usize = 64;

/// A message in an error or a failure: the rest is cut.
pub const MAX_ERROR_MESSAGE_BYTES: usize = 4096;

/// Buffer limit of blosc: it counts in signed 32 bits.
pub const MAX_BLOSC_BUFFER: ByteCount = ByteCount((1 << 31) - 1 - 16);

/// Buffer limit of lz4 (`LZ4_MAX_INPUT_SIZE`): other implementations take no more.
pub const MAX_LZ4_BUFFER: ByteCount = ByteCount(0x7e00_0000);

/// The largest dictionary that a decoder of lzma is given: that of the highest preset.
pub const MAX_LZMA_DICTIONARY: ByteCount = ByteCount(64 << 20);

/// One decoded chunk, whatever the codec.
pub const MAX_CHUNK_BYTES: ByteCount = ByteCount(1 << 40);

/// Parts of one object: S3 takes no more.
pub const MAX_UPLOAD_PARTS: u64 = 10_000;

/// One object that a store copies by itself: S3 takes no more in one request.
pub const MAX_STORE_COPY: ByteCount = ByteCount(5 << 30);

/// `[[stores]]` tables of one configuration: the request rates of those that have some travel in every `Sync`.
pub const MAX_STORE_TABLES: usize = 1_000;

/// The longest that one `Sync` waits for work.
pub const MAX_SYNC_WAIT: Duration = Duration::from_secs(20);

/// One attempt at writing an object: 250 MB at 10 MB/s. A write that is under way when its lease ends goes on for no
/// longer than this.
pub const PUT_TIMEOUT: Duration = Duration::from_secs(25);

/// What a coordinator adds to a lease before it counts as ended, unless it is told otherwise: longer than
/// [`PUT_TIMEOUT`], so that no write comes after a deletion that waited for it.
pub const LEASE_MARGIN: Duration = Duration::from_secs(30);

/// One object of the journal: larger records and batches are split, so that each PUT ends well within
/// [`PUT_TIMEOUT`] and a reader holds one at a time.
pub const MAX_JOURNAL_OBJECT_BYTES: usize = 8 << 20;

/// How long a failed job keeps what it wrote for a retry; then the coordinator removes it.
pub const RETRY_WINDOW: Duration = Duration::from_hours(24);
