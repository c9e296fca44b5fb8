//! What a user asks for. Texts are as the user wrote them; the coordinator parses them against the source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ByteCount,
    cost_profile::Prefer,
    ids::RequestId,
    plan::{ParallelPipelines, Phase},
};

/// A request to rechunk an array or a group.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RechunkRequest {
    /// URL or path of an array or a group.
    pub source: String,
    /// URL or path of what will be written: an array for an array, a group for a group.
    pub target: String,
    /// Chunk specs in the grammar of the command line: `1024,16,32`, `time=-1,lat=16`, `tas:time=100`.
    pub chunks: Vec<String>,
    /// Shard specs in the same grammar, or `keep`, or `none`; none given: changed arrays are unsharded.
    pub shards: Vec<String>,
    /// Codec specs: `zstd:3`, `tas:blosc:lz4:5`, or JSON; none given: the source's.
    pub codecs: Vec<String>,
    /// Patterns over the paths of a group's arrays; none given: all. Coordinates of what is included come along.
    pub include: Vec<String>,
    /// Patterns over the paths of a group's arrays that stay out, also as coordinates.
    pub exclude: Vec<String>,
    /// The target's Zarr format; `None`: the source's.
    pub zarr_format: Option<ZarrFormat>,
    /// Replace what lies at the target.
    pub overwrite: bool,
    /// Write consolidated metadata; `None`: where the source has it.
    pub consolidate: Option<bool>,
    /// The resident set of one worker process; `None`: what the smallest worker has.
    pub max_mem: Option<ByteCount>,
    /// URL of the temporary space; `None`: beside the target.
    pub temp: Option<String>,
    /// Leave the temporary objects.
    pub keep_temp: bool,
    /// Temporary bytes that may stand at one time.
    pub temp_limit: Option<ByteCount>,
    /// How exchange blocks are stored.
    pub exchange_codec: ExchangeCodecChoice,
    /// Write chunks also where every element equals the fill value.
    pub write_empty_chunks: bool,
    /// A missing source chunk is an error.
    pub strict: bool,
    /// The target is read back and compared with what was read of the source, before it is published.
    pub verify: bool,
    /// What the plan is chosen for.
    pub prefer: Prefer,
    /// Whether the source's chunks are listed when it is planned for.
    pub listing: SourceListing,
    /// What is copied of the source: `time=0:1000,lat=10:20`, or `0:1000,:` by position in an array; none given: all.
    pub region: Vec<String>,
    /// The dimension (of an array without dimension names: the axis) along which what is new in the source goes behind
    /// what the target has; `None`: the target is made.
    pub append: Option<String>,
    /// The same id gives the same job.
    pub request_id: Option<RequestId>,
}

/// Whether the chunks (or shards) of a source are listed when a plan is made, so that absent ones are never asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SourceListing {
    /// Up to [`LISTED_BY_DEFAULT`](crate::limits::LISTED_BY_DEFAULT) objects of an array; with more, every chunk is taken
    /// to be there.
    #[default]
    WhereFew,
    /// However many there are, up to [`MAX_LISTED_OBJECTS`](crate::limits::MAX_LISTED_OBJECTS).
    Always,
    /// Never: every chunk is taken to be there.
    Never,
}

/// A request to run pipelines that the caller planned: nothing in it needs to be about arrays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PipelinesRequest {
    /// Shown to people.
    pub name: String,
    /// The caller's own marks.
    pub labels: BTreeMap<String, String>,
    /// Run one after another.
    pub phases: Vec<Phase>,
    /// Run when the job is cancelled or deleted; empty where there is nothing to remove.
    pub cleanup: ParallelPipelines,
    /// Temporary bytes that may stand at one time, by what the pipelines declare.
    pub temp_limit: Option<ByteCount>,
    /// The job's share beside other jobs; `None`: 1.
    pub weight: Option<u32>,
    /// Tasks of the job that may be leased at a time.
    pub max_parallel_tasks: Option<u64>,
    /// The same id gives the same job.
    pub request_id: Option<RequestId>,
}

/// How exchange blocks are to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ExchangeCodecChoice {
    /// As is faster by the planner's estimate.
    #[default]
    Auto,
    /// Raw.
    None,
    /// Compressed by LZ4.
    Lz4,
    /// Compressed by Zstandard at level 1.
    Zstd,
}

impl std::str::FromStr for ExchangeCodecChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            "lz4" => Ok(Self::Lz4),
            "zstd" => Ok(Self::Zstd),
            other => Err(format!("{other:?} is no exchange codec; there are auto, none, lz4 and zstd")),
        }
    }
}

/// A version of the Zarr format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ZarrFormat {
    /// Zarr v2.
    V2,
    /// Zarr v3.
    V3,
}

impl ZarrFormat {
    /// 2 or 3.
    pub fn number(self) -> u32 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}
