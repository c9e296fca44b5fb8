//! What the planner is told: the arrays on both sides, the memory, the fleet, and what surrounds the copy.

use rechunk_common::{
    ByteCount, Presence,
    layout::ArrayLayout,
    plan::{CostBasis, Document, GapPolicy, ListedSource, MemoryModel, PinnedDocument},
    request::ExchangeCodecChoice,
};

/// All that a plan depends on. The same input gives the same plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanInput {
    /// One per array, in the order of their names; arrays without elements included.
    pub copies: Vec<CopySpec>,
    /// How `max_mem` is shared out; one task may use all of the budget.
    pub memory: MemoryModel,
    /// Tasks that may run at once in the whole fleet: an estimate, at least 1.
    pub worker_slots: u64,
    /// Threads of one worker, at least 1: one task keeps all of them busy.
    pub threads_per_worker: u64,
    /// Local disk that tasks of any one worker may use together; 0 where workers offer none.
    pub worker_scratch: ByteCount,
    /// What the stores are assumed to do and to charge, and what the plan is chosen for; `workers` is what
    /// `worker_slots` makes of it.
    pub basis: CostBasis,
    /// Where exchange objects go.
    pub temp: TempSpace,
    /// Of what length parts of shards may be in the target's store.
    pub part_sizes: PartSizes,
    /// What is deleted before copying; `None` where the target is free.
    pub clear: Option<ClearTarget>,
    /// What makes the result visible.
    pub publish: Publish,
    /// Documents of the source, and of a target that stands, that must not have changed when the result is published.
    pub pinned: Vec<PinnedDocument>,
    /// What a cancel or a delete removes: the prefixes of a target that the job makes, and the temporary space.
    pub cleanup_prefixes: Vec<String>,
}

/// What one array needs, as rechunker's `CopySpec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySpec {
    /// Path from the group's root; empty for an array job.
    pub name: String,
    /// The data type as the source's metadata spells it.
    pub dtype: String,
    /// Where the elements come from.
    pub source: ArrayLayout,
    /// Where they go: the same shape and element width. Of arrays that are copied in part, both are about the same box.
    pub target: ArrayLayout,
    /// The part of the source that is copied ends inside a chunk with elements beyond it.
    pub ends_inside_chunk: bool,
    /// The longest that an encoded read unit of the source can be.
    pub source_encoding: EncodedBound,
    /// The longest that an encoded chunk of the target can be.
    pub target_encoding: EncodedBound,
    /// How missing chunks and fill-only chunks are treated.
    pub gaps: GapPolicy,
    /// Both sides lie in one store, which can copy objects by itself.
    pub one_store: bool,
    /// What a listing said of the source; `None`: every object of it is taken to be there.
    pub listed: Option<Listing>,
    /// The target is read back before it is published, and compared with what was read of the source.
    pub verify: bool,
    /// What the target holds already of the objects that are written anew; `None`: nothing.
    pub held: Option<Held>,
}

/// A part of an array that lies on both sides already: it must be the same before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// As the source has it.
    pub source: ArrayLayout,
    /// As the target has it.
    pub target: ArrayLayout,
    /// The longest that an encoded read unit of the source can be, whatever a listing said: who compares is told of none.
    pub source_encoding: EncodedBound,
}

impl CopySpec {
    /// Whether a listing found objects of the source absent.
    pub(crate) fn has_gaps(&self) -> bool {
        self.listed.as_ref().is_some_and(|listed| !listed.presence.is_complete())
    }
}

/// What a listing said of the objects of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which there are.
    pub presence: Presence,
    /// The same, as stages are told: no bitmap where the presence is complete.
    pub source: ListedSource,
}

/// Worst-case lengths after encoding: of the codecs, or, where a listing told, of what is there. What passes them must
/// wait for memory or be refused by the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EncodedBound {
    /// One chunk; one inner chunk where the array is sharded.
    pub chunk: ByteCount,
    /// The index of one shard; 0 where the array is not sharded.
    pub shard_index: ByteCount,
}

/// Lengths of the parts of an object, the last one excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartSizes {
    /// Where there is room for it.
    pub usual: ByteCount,
    /// The shortest that the store takes.
    pub least: ByteCount,
}

/// The temporary space of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TempSpace {
    /// `<temp>/<job>`, without a trailing slash: the job's own, and empty when it has ended.
    pub space: String,
    /// `<temp>/<job>/<generation>`: where this run's exchange objects go.
    pub url: String,
    /// Bytes that may stand at one time.
    pub limit: Option<ByteCount>,
    /// Leave the exchange objects where they are.
    pub keep: bool,
    /// How exchange blocks are to be stored.
    pub codec: ExchangeCodecChoice,
}

/// What `overwrite` deletes: all metadata first, then everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClearTarget {
    /// URLs of the nodes.
    pub prefixes: Vec<String>,
}

/// Metadata documents, written when every chunk is there: those of arrays first, then those of groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    /// Documents of arrays.
    pub arrays: Vec<Document>,
    /// Documents of groups.
    pub groups: Vec<Document>,
}
