//! What is rechunked into what, and how.

use clap::{Args, ValueEnum};
use rechunk_common::{
    ByteCount,
    cost_profile::Prefer,
    request::{ExchangeCodecChoice, ZarrFormat},
};

/// What is rechunked into what.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Args)]
pub(crate) struct CopyArgs {
    /// Array or group to read: a path, or a URL: s3://, gs://, az:// or abfs://, https://, file://;
    /// kerchunk+URL/refs.json or refs.parq for what an index of references has
    pub(crate) source: String,
    /// Array or group to write: an array for an array, a group for a group
    pub(crate) target: String,
    /// Target chunks: 1024,16,32 by position, time=-1,lat=16 by dimension name, NAME:SPEC for one array of a group
    ///
    /// A length, -1 for the whole axis, keep, a size such as 100MB on one axis, auto (alone: for every axis), or lengths
    /// that differ such as 31+28+31*2 (a rectilinear grid, Zarr v3); a dimension that is not named keeps its chunks. With
    /// --shards these are the inner chunks. Repeatable in a group.
    #[arg(long, value_name = "SPEC", required_unless_present = "append", allow_hyphen_values = true)]
    pub(crate) chunks: Vec<String>,
    /// Target shards (Zarr v3): a spec as for --chunks, auto, keep, or none
    #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
    pub(crate) shards: Vec<String>,
    /// Target compressor, as zstd:3, blosc:lz4:5:shuffle or none; NAME:CODEC for one array; or JSON
    #[arg(long, value_name = "CODEC")]
    pub(crate) codec: Vec<String>,
    /// Arrays of a group to rechunk, with their coordinates: paths with * ? [a-z], ** across groups [default: all]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) include: Vec<String>,
    /// Arrays of a group to leave out, also as coordinates
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Part of SOURCE to copy: time=0:1000,lat=10:20 by dimension name, 0:1000,: by position in an array
    ///
    /// START:STOP in elements, STOP not included; either may be left out. A dimension that is not named is copied whole,
    /// and so is an array of a group that has none of them. TARGET is as long as the part.
    #[arg(long, value_name = "SLICES")]
    pub(crate) region: Vec<String>,
    /// Put what is new in SOURCE along this dimension behind what TARGET has, in TARGET's own chunks and codecs
    ///
    /// TARGET's elements stay as they are: where its last chunk has room, it is read, compared with SOURCE, and written
    /// anew with what comes behind. Arrays of a group that do not have the dimension stay as they are. An array without
    /// dimension names takes the number of an axis.
    #[arg(long, value_name = "DIMENSION")]
    pub(crate) append: Option<String>,
    /// Zarr format of the target [default: the source's]
    #[arg(long, value_name = "2|3", value_parser = parse_format)]
    pub(crate) zarr_format: Option<ZarrFormat>,
    /// Delete what lies at TARGET first; after a failure the old data is gone
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Write consolidated metadata [default: where the source has it]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) consolidate: Option<bool>,
    /// Memory of one worker process (in run: of this process): 2GiB, 512MiB
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_mem: Option<ByteCount>,
    /// Where temporary objects go [default: .rechunk-JOB beside TARGET]
    #[arg(long, value_name = "URL")]
    pub(crate) temp: Option<String>,
    /// Leave the temporary objects
    #[arg(long)]
    pub(crate) keep_temp: bool,
    /// Temporary bytes that may stand at one time
    #[arg(long, value_name = "SIZE")]
    pub(crate) temp_limit: Option<ByteCount>,
    /// Blocks of temporary objects: none (raw), lz4, zstd, or auto: compressed where the link is slower than the codec
    #[arg(long, value_name = "CODEC", default_value = "auto")]
    pub(crate) exchange_codec: ExchangeCodecChoice,
    /// Write target chunks also where every element equals the fill value
    #[arg(long)]
    pub(crate) write_empty_chunks: bool,
    /// A missing source chunk is an error
    #[arg(long)]
    pub(crate) strict: bool,
    /// Read the target back before it is published, and compare it with what was read of the source
    #[arg(long)]
    pub(crate) verify: bool,
    /// What the plan is chosen for: to be done soon, or to cost little
    #[arg(long, value_name = "time|money", default_value = "time", value_parser = parse_prefer)]
    pub(crate) prefer: Prefer,
    /// Whether the source's chunks are listed, so that missing ones are never asked for [default: up to 100,000 of each
    /// array; with more, every chunk is taken to be there]
    #[arg(long, value_name = "WHEN")]
    pub(crate) list: Option<When>,
}

/// Whether something is done that depends on the case otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// In any case
    Always,
    /// In no case
    Never,
}

fn parse_format(text: &str) -> Result<ZarrFormat, String> {
    match text {
        "2" => Ok(ZarrFormat::V2),
        "3" => Ok(ZarrFormat::V3),
        other => Err(format!("{other:?} is not a Zarr format; write 2 or 3")),
    }
}

fn parse_prefer(text: &str) -> Result<Prefer, String> {
    let found = Prefer::ALL.into_iter().find(|prefer| prefer.as_str() == text);
    found.ok_or_else(|| format!("{text:?} is no preference; write time or money"))
}
