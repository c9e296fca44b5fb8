//! What rechunk does for one codec.

use super::{BloscOptions, Checksum, CodecEntry, Filter, LzmaOptions, SHARDING};
use crate::{
    MetadataError,
    dtype::{Endian, Variable},
    json::Json,
};

/// What a codec turns into what; ordered as in a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    ArrayToArray,
    ArrayToBytes,
    BytesToBytes,
}

/// A codec that rechunk can run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Axis `order[i]` of the elements becomes axis `i`.
    Transpose {
        order: Vec<u64>,
    },
    /// numcodecs' filter of elements.
    Filter(Filter),
    /// Elements one after another; `None` where a byte order has no meaning or is left out.
    Bytes {
        endian: Option<Endian>,
    },
    /// Elements of variable length one after another, each after its length.
    Variable(Variable),
    Zstd {
        level: i32,
        checksum: bool,
    },
    Gzip {
        level: u32,
    },
    Zlib {
        level: u32,
    },
    Bz2 {
        level: u32,
    },
    Blosc(BloscOptions),
    /// numcodecs' lz4: the decoded length, then one block. The acceleration is kept and has no effect.
    Lz4 {
        acceleration: i64,
    },
    Lzma(LzmaOptions),
    /// numcodecs' byte shuffle.
    Shuffle {
        element: u64,
    },
    Checksum(Checksum),
}

impl Step {
    /// What rechunk does for the entry, or its refusal by name. Defaults are zarr-python's and numcodecs'. `width` is
    /// that of the elements that numcodecs sees in v2; in v3 it sees single bytes.
    pub(crate) fn parse(entry: &CodecEntry, width: u64) -> Result<Self, MetadataError> {
        // Both formats call them the same; numcodecs has none for v3.
        if let Some(of) = Variable::of_codec(&entry.name) {
            return Ok(Self::Variable(of));
        }
        match entry.id() {
            "transpose" if entry.is_core() => Self::transpose(entry),
            "bytes" if entry.is_core() => Self::bytes(entry),
            SHARDING => Err(entry.unsupported("shards within shards")),
            "shuffle" => match entry.given("elementsize").map_or(Some(4), Json::as_u64) {
                Some(element) if element > 0 => Ok(Self::Shuffle { element }),
                _ => Err(entry.unsupported("its elementsize is not valid")),
            },
            "crc32c" if entry.is_core() => Ok(Self::Checksum(Checksum::CRC32C)),
            _ => {
                if let Some(compressor) = Self::compressor(entry, width)? {
                    return Ok(compressor);
                }
                if entry.is_core() {
                    return Err(entry.unsupported("rechunk has no such codec"));
                }
                if let Some(filter) = Filter::parse(entry)? {
                    return Ok(Self::Filter(filter));
                }
                let checksum = Checksum::parse(entry)?;
                checksum.map(Self::Checksum).ok_or_else(|| entry.unsupported("rechunk has no such codec"))
            }
        }
    }

    fn transpose(entry: &CodecEntry) -> Result<Self, MetadataError> {
        let wrong = |problem: &str| entry.unsupported(problem);
        let order = entry.option("order").and_then(Json::as_list).ok_or_else(|| wrong("its order is no list"))?;
        let order: Option<Vec<u64>> = order.iter().map(Json::as_u64).collect();
        let order = order.ok_or_else(|| wrong("its order is no list of axes"))?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq((0..).take(order.len())) {
            return Err(wrong("its order is no permutation"));
        }
        Ok(Self::Transpose { order })
    }

    fn bytes(entry: &CodecEntry) -> Result<Self, MetadataError> {
        let endian = match entry.option("endian").map(Json::as_text) {
            None => None,
            Some(Some(name)) if name == "little" => Some(Endian::Little),
            Some(Some(name)) if name == "big" => Some(Endian::Big),
            Some(_) => return Err(entry.unsupported("its endian is neither little nor big")),
        };
        Ok(Self::Bytes { endian })
    }

    fn compressor(entry: &CodecEntry, width: u64) -> Result<Option<Self>, MetadataError> {
        let level = |default: i64, least: i64| {
            let level = entry.number("level", default, least, 9)?;
            Ok::<u32, MetadataError>(u32::try_from(level).unwrap_or_default())
        };
        Ok(Some(match entry.id() {
            "zstd" => Self::Zstd {
                level: i32::try_from(entry.number("level", 0, -131_072, 22)?).unwrap_or_default(),
                checksum: match entry.given("checksum").map(Json::as_bool) {
                    None => false,
                    Some(Some(checksum)) => checksum,
                    Some(None) => return Err(entry.unsupported("its checksum is no boolean")),
                },
            },
            "gzip" if entry.is_core() => Self::Gzip { level: level(5, 0)? },
            "gzip" => Self::Gzip { level: level(1, 0)? },
            "zlib" => Self::Zlib { level: level(1, 0)? },
            "bz2" => Self::Bz2 { level: level(1, 1)? },
            "blosc" => Self::Blosc(BloscOptions::parse(|key| entry.option(key), &entry.name, width)?),
            "lz4" if !entry.is_core() => {
                Self::Lz4 { acceleration: entry.number("acceleration", 1, i64::from(i32::MIN), i64::from(i32::MAX))? }
            }
            "lzma" if !entry.is_core() => Self::Lzma(LzmaOptions::parse(entry)?),
            _ => return Ok(None),
        }))
    }

    /// What the step turns into what.
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::Transpose { .. } | Self::Filter(_) => Part::ArrayToArray,
            Self::Bytes { .. } | Self::Variable(_) => Part::ArrayToBytes,
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Blosc(_)
            | Self::Lz4 { .. }
            | Self::Lzma(_)
            | Self::Shuffle { .. }
            | Self::Checksum(_) => Part::BytesToBytes,
        }
    }

    /// Whether the step is what `--codec` replaces.
    pub(crate) fn is_compressor(&self) -> bool {
        match self {
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Blosc(_)
            | Self::Lz4 { .. }
            | Self::Lzma(_) => true,
            Self::Transpose { .. }
            | Self::Filter(_)
            | Self::Bytes { .. }
            | Self::Variable(_)
            | Self::Shuffle { .. }
            | Self::Checksum(_) => false,
        }
    }

    /// Whether writing rounds for the first time: such a filter can be kept, but not added.
    pub(crate) fn rounds(&self) -> bool {
        matches!(self, Self::Filter(Filter::Quantize { .. } | Filter::BitRound { .. }))
    }

    /// Whether the step is a filter of elements.
    pub(crate) fn is_filter(&self) -> bool {
        matches!(self, Self::Filter(_))
    }
}
