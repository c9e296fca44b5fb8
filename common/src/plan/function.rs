//! Stage functions: the built-in ones with typed parameters, and custom ones, which are opaque. Each says how a task
//! index becomes work by geometry alone. Any change of task mapping, layout or keys bumps the version.

use serde::{Deserialize, Serialize};

use super::{
    CopySmallArrays, CopyThroughScratch, Exchange, ExchangeCodec, ListedSource, PresenceBitmap, ShardParts, Verify,
};
use crate::{geometry::BoxGrid, layout::ArrayLayout};

/// The name and version by which a worker offers a function and a stage asks for it; both must agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionId {
    /// `copy_read_to_write`, or a name of a caller's own.
    pub name: String,
    /// Bumped by any change of what a task index means.
    pub version: u32,
}

impl FunctionId {
    /// A function's id.
    pub fn new(name: impl Into<String>, version: u32) -> Self {
        Self { name: name.into(), version }
    }
}

impl std::fmt::Display for FunctionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// The version of functions about whole arrays of elements of a fixed width.
const OF_ARRAYS: u32 = 1;
/// Of those about parts of arrays.
const OF_PARTS: u32 = 2;
/// Of those about whole arrays of elements of variable length.
const OF_VARIABLE: u32 = 3;
/// Of those about parts of such.
const OF_VARIABLE_PARTS: u32 = 4;
/// Of those about exchanges of elements of variable length: workers that offered such elements first knew none.
const THROUGH_EXCHANGE: u32 = 5;
/// Of those about exchanges of parts of such.
const OF_PARTS_THROUGH_EXCHANGE: u32 = 6;
/// Of those about arrays whose chunks differ in length, in part or whole, whatever their elements.
const OF_UNEQUAL_CHUNKS: u32 = 7;

const VERSIONS: [u32; 7] = [
    OF_ARRAYS,
    OF_PARTS,
    OF_VARIABLE,
    OF_VARIABLE_PARTS,
    THROUGH_EXCHANGE,
    OF_PARTS_THROUGH_EXCHANGE,
    OF_UNEQUAL_CHUNKS,
];

/// What a worker must know that is given `layout`.
fn version_of(layout: &ArrayLayout) -> u32 {
    if !layout.has_equal_chunks() {
        return OF_UNEQUAL_CHUNKS;
    }
    match (layout.element.is_variable(), layout.part.is_some()) {
        (false, false) => OF_ARRAYS,
        (false, true) => OF_PARTS,
        (true, false) => OF_VARIABLE,
        (true, true) => OF_VARIABLE_PARTS,
    }
}

/// The same where elements of `layout` go into an exchange or come out of one.
fn version_through_exchange(layout: &ArrayLayout) -> u32 {
    if !layout.has_equal_chunks() {
        return OF_UNEQUAL_CHUNKS;
    }
    match (layout.element.is_variable(), layout.part.is_some()) {
        (false, _) => version_of(layout),
        (true, false) => THROUGH_EXCHANGE,
        (true, true) => OF_PARTS_THROUGH_EXCHANGE,
    }
}

/// What a worker must know that is given `exchange` alone, whatever its elements are.
fn version_of_exchange(exchange: &Exchange) -> u32 {
    let is_compressed = exchange.packing().is_none_or(|packing| packing.codec != ExchangeCodec::None);
    match (is_compressed, exchange.is_of_parts()) {
        (true, false) => OF_ARRAYS,
        (true, true) => OF_PARTS,
        (false, false) => THROUGH_EXCHANGE,
        (false, true) => OF_PARTS_THROUGH_EXCHANGE,
    }
}

/// What a stage maps over its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageFunction {
    /// Deletes old metadata or all objects of a prefix.
    ClearPrefix(ClearPrefix),
    /// Chunks as they are, still encoded, into other objects.
    CopyEncoded(CopyEncoded),
    /// Source chunks straight into target chunks.
    CopyReadToWrite(CopyReadToWrite),
    /// Source chunks into exchange objects.
    CopyReadToExchange(CopyReadToExchange),
    /// Tables of packed exchange objects into rows for writing tasks.
    IndexExchange(IndexExchange),
    /// Exchange blocks into target chunks.
    CopyExchangeToWrite(CopyExchangeToWrite),
    /// Source chunks into target chunks, group by group, by way of the worker's own disk.
    CopyThroughScratch(CopyThroughScratch),
    /// Many small arrays at once.
    CopySmallArrays(CopySmallArrays),
    /// Reads back what was written and sums it.
    Verify(Verify),
    /// Deletes exchange objects.
    DeleteExchange(DeleteExchange),
    /// Compares the source's metadata with what was planned for.
    CheckSource(CheckSource),
    /// Writes metadata documents.
    PublishMetadata(PublishMetadata),
    /// A function that a worker of someone else registered.
    Custom(CustomFunction),
}

impl StageFunction {
    /// The id by which workers offer it. What is about parts of arrays, about elements of variable length, or about chunks
    /// that differ in length has a version of its own: a worker that knows nothing of parts would take them for whole
    /// arrays.
    pub fn id(&self) -> FunctionId {
        let of = |name: &str, version: u32| FunctionId::new(name, version);
        let of_both = |source: &ArrayLayout, target: &ArrayLayout| version_of(source).max(version_of(target));
        match self {
            Self::ClearPrefix(_) => of("clear_prefix", OF_ARRAYS),
            Self::CopyEncoded(copy) => of("copy_encoded", of_both(&copy.source, &copy.target)),
            Self::CopyReadToWrite(copy) => of("copy_read_to_write", of_both(&copy.source, &copy.target)),
            Self::CopyReadToExchange(copy) => of("copy_read_to_exchange", version_through_exchange(&copy.source)),
            Self::IndexExchange(index) => of("index_exchange", version_of_exchange(&index.exchange)),
            Self::CopyExchangeToWrite(copy) => of("copy_exchange_to_write", version_through_exchange(&copy.target)),
            Self::CopyThroughScratch(copy) => of("copy_through_scratch", of_both(&copy.source, &copy.target)),
            Self::CopySmallArrays(small) => {
                let versions = small.copies.iter().map(|small| of_both(small.copy.source(), small.copy.target()));
                of("copy_small_arrays", versions.max().unwrap_or(OF_ARRAYS))
            }
            Self::Verify(verify) => of("verify", version_of(&verify.target)),
            Self::DeleteExchange(delete) => of("delete_exchange", version_of_exchange(&delete.exchange)),
            Self::CheckSource(_) => of("check_source", OF_ARRAYS),
            Self::PublishMetadata(_) => of("publish_metadata", OF_ARRAYS),
            Self::Custom(custom) => custom.id.clone(),
        }
    }

    /// The ids of all built-in functions, in every version that is known.
    pub fn built_in() -> Vec<FunctionId> {
        [
            "clear_prefix",
            "copy_encoded",
            "copy_read_to_write",
            "copy_read_to_exchange",
            "index_exchange",
            "copy_exchange_to_write",
            "copy_through_scratch",
            "copy_small_arrays",
            "verify",
            "delete_exchange",
            "check_source",
            "publish_metadata",
        ]
        .into_iter()
        .flat_map(|name| VERSIONS.map(|version| FunctionId::new(name, version)))
        .collect()
    }
}

/// Deletes objects under prefixes; task `i` clears `prefixes[i]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearPrefix {
    /// URLs of the nodes or temporary spaces to clear.
    pub prefixes: Vec<String>,
    /// What is deleted.
    pub part: PrefixPart,
}

/// What part of a prefix is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrefixPart {
    /// Zarr metadata documents only (`zarr.json`, `.zarray`, `.zgroup`, `.zattrs`, `.zmetadata`), at any depth: first,
    /// so that no reader sees an array whose chunks are going.
    Metadata,
    /// Every object.
    Everything,
}

/// Each task owns a box of whole write units and fills them with encoded chunks (inner chunks of shards) as they stand
/// in the source: both sides have the same chunks by the same codecs. Missing chunks stay missing, and what is stored
/// is passed on, also where every element equals the fill value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyEncoded {
    /// Where the chunks come from.
    pub source: ArrayLayout,
    /// Where they go.
    pub target: ArrayLayout,
    /// Task `i` owns box `i`.
    pub writers: BoxGrid,
    /// How missing chunks are treated; chunks that are missing are never made, so `write_empty_chunks` is refused.
    pub gaps: GapPolicy,
    /// Both sides lie in one store, and objects that are passed on whole are copied by the store itself, unread.
    pub by_store: bool,
    /// What a listing said of the source; `None`: nothing is known of it.
    pub listed: Option<ListedSource>,
    /// How shards are packed that are not held whole; `None`: each is held until all of it is there.
    pub shard_parts: Option<ShardParts>,
    /// The chunks are summed as they are stored, to be verified later; then nothing may be copied by the store.
    pub is_summed: bool,
}

impl CopyEncoded {
    /// Whether an object of the target is an object of the source, byte for byte. Else shards are packed or unpacked,
    /// chunk by chunk.
    pub fn is_of_whole_objects(&self) -> bool {
        self.source.are_whole_objects_of(&self.target)
    }
}

/// Each task owns a box of whole write units and reads every read unit that overlaps it, sweeping along one axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReadToWrite {
    /// Where the elements come from.
    pub source: ArrayLayout,
    /// Where they go.
    pub target: ArrayLayout,
    /// Task `i` owns box `i`.
    pub writers: BoxGrid,
    /// Axes in the order in which read units are visited, slowest first: the first is the sweep.
    pub order: Vec<usize>,
    /// How missing chunks and fill-only chunks are treated.
    pub gaps: GapPolicy,
    /// What a listing said of the source; `None`: nothing is known of it.
    pub listed: Option<ListedSource>,
    /// How shards of the target are written that are not held whole; `None`: each is held until all of it is there.
    pub shard_parts: Option<ShardParts>,
    /// The elements are summed, to be verified later.
    pub is_summed: bool,
}

/// Each task owns a box of whole read units and writes one exchange object of blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReadToExchange {
    /// Where the elements come from.
    pub source: ArrayLayout,
    /// Where they go. Task `i` writes exchange object `i`.
    pub exchange: Exchange,
    /// A missing source chunk is an error.
    pub strict: bool,
    /// What a listing said of the source; `None`: nothing is known of it. A task whose box shares no element with an
    /// object that is there writes no exchange object.
    pub listed: Option<ListedSource>,
    /// The elements are summed, to be verified later: all but those that equal this one, the target's fill value.
    pub sum_beside: Option<Vec<u8>>,
}

/// Reads the tables of packed exchange objects and writes them again by writing task: index object `i` by task `i`. Which
/// of several objects of one reading task counts is decided here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexExchange {
    /// The exchange, which is packed.
    pub exchange: Exchange,
}

/// Each task owns a box of whole write units and reads the blocks of every exchange object that overlap it: one of each, or,
/// where its box is several of the exchange's, one for each of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyExchangeToWrite {
    /// Where the elements come from.
    pub exchange: Exchange,
    /// Task `i` owns box `i`: a whole number of the boxes of the exchange's `writers`, along every axis.
    pub writers: BoxGrid,
    /// Where they go.
    pub target: ArrayLayout,
    /// Axes in the order in which blocks are visited, slowest first.
    pub order: Vec<usize>,
    /// How gaps and fill-only chunks are treated.
    pub gaps: GapPolicy,
    /// Which objects of the source there are, where some are known to be absent. A block that shares no element with
    /// one that is there is not read.
    pub presence: Option<PresenceBitmap>,
    /// How shards of the target are written that are not held whole; `None`: each is held until all of it is there.
    pub shard_parts: Option<ShardParts>,
}

/// How missing source chunks and fill-only target chunks are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GapPolicy {
    /// A missing source chunk is an error.
    pub strict: bool,
    /// Write target chunks also where every element equals the fill value.
    pub write_empty_chunks: bool,
}

impl GapPolicy {
    /// Whether target objects are left out that no object of the source shares an element with: what is missing on one
    /// side reads the same on the other. Else each is made, of fill values.
    pub fn leaves_out_gaps(self, source_fill: &[u8], target_fill: &[u8]) -> bool {
        !self.write_empty_chunks && source_fill == target_fill
    }
}

/// Deletes exchange objects: task `i` those of `objects_per_task` consecutive reading tasks, and, where they are packed,
/// its part of the index objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteExchange {
    /// The exchange that is no longer needed.
    pub exchange: Exchange,
    /// How many objects a task deletes.
    pub objects_per_task: u64,
}

/// Compares metadata documents of the source with their state at planning; task 0 checks all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckSource {
    /// The documents, as they were.
    pub documents: Vec<PinnedDocument>,
}

/// One object of the source as it was at planning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedDocument {
    /// The object's URL.
    pub url: String,
    /// Its entity tag.
    pub etag: Option<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// Writes metadata documents, each whole; task `i` writes `documents[i]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishMetadata {
    /// The documents.
    pub documents: Vec<Document>,
}

/// One metadata document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Document {
    /// The object at `url` becomes `body`.
    Write {
        /// The object's URL.
        url: String,
        /// Its content, JSON text.
        body: String,
    },
    /// The consolidated metadata of the existing group at `group_url` is brought up to date with the node that now
    /// lies under it.
    Reconsolidate {
        /// The group's URL.
        group_url: String,
        /// The new node's path from the group: `a/b`.
        node_path: String,
        /// Its metadata documents: name (`zarr.json`, `.zarray`, `.zattrs`) and body.
        documents: Vec<(String, String)>,
    },
}

/// A function that is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomFunction {
    /// By which workers offer it.
    pub id: FunctionId,
    /// Handed to it as they are.
    pub parameters: Vec<u8>,
}
