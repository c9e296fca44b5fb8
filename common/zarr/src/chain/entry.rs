//! One codec of a Zarr v3 list, and what rechunk does for it.

use super::{BloscOptions, SHARDING};
use crate::{MetadataError, dtype::Endian, json::Json};

/// One codec as the document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodecEntry {
    pub(crate) name: String,
    /// The entry itself.
    pub(crate) json: Json,
}

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
    /// Elements one after another; `None` where a byte order has no meaning or is left out.
    Bytes {
        endian: Option<Endian>,
    },
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
    /// numcodecs' byte shuffle.
    Shuffle {
        element: u64,
    },
    Crc32c,
}

impl CodecEntry {
    /// From `{"name": …, "configuration": …}` or a bare name.
    pub(crate) fn parse(entry: &Json, field: &str) -> Result<Self, MetadataError> {
        let malformed = || MetadataError::corrupt(field, format!("{} is not a codec", entry.compact()));
        let name = match entry {
            Json::Text(_) => entry.as_text(),
            Json::Object(object) => object.get("name").and_then(Json::as_text),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) => None,
        };
        Ok(Self { name: name.ok_or_else(malformed)?, json: entry.clone() })
    }

    /// An option of the codec.
    pub(crate) fn option(&self, key: &str) -> Option<&Json> {
        self.json.as_object()?.get("configuration")?.as_object()?.get(key)
    }

    /// Whether the entry packs chunks into shards.
    pub(crate) fn is_sharding(&self) -> bool {
        self.name == SHARDING
    }

    /// Whether the entry is what `--codec` replaces, also where rechunk cannot run it.
    pub(crate) fn is_compressor(&self) -> bool {
        let name = self.name.strip_prefix("numcodecs.").unwrap_or(&self.name);
        matches!(name, "zstd" | "gzip" | "zlib" | "bz2" | "blosc" | "lz4" | "lzma" | "gdeflate")
    }

    /// Whether the entry appends or prepends a checksum.
    pub(crate) fn is_checksum(&self) -> bool {
        let name = self.name.strip_prefix("numcodecs.").unwrap_or(&self.name);
        matches!(name, "crc32c" | "crc32" | "adler32" | "fletcher32" | "jenkins_lookup3")
    }

    fn level(&self, default: u32, least: u32) -> Result<u32, MetadataError> {
        match self.option("level") {
            None => Ok(default),
            Some(level) => level
                .as_u64()
                .and_then(|level| u32::try_from(level).ok())
                .filter(|level| (least..=9).contains(level))
                .ok_or_else(|| MetadataError::codec(&self.name, format!("its level is not between {least} and 9"))),
        }
    }
}

impl Step {
    /// What rechunk does for the entry, or its refusal by name. Defaults are zarr-python's.
    pub(crate) fn parse(entry: &CodecEntry) -> Result<Self, MetadataError> {
        let wrong = |problem: &str| MetadataError::codec(&entry.name, problem);
        Ok(match entry.name.as_str() {
            "transpose" => {
                let order =
                    entry.option("order").and_then(Json::as_list).ok_or_else(|| wrong("its order is no list"))?;
                let order: Option<Vec<u64>> = order.iter().map(Json::as_u64).collect();
                let order = order.ok_or_else(|| wrong("its order is no list of axes"))?;
                let mut sorted = order.clone();
                sorted.sort_unstable();
                if !sorted.iter().copied().eq((0..).take(order.len())) {
                    return Err(wrong("its order is no permutation"));
                }
                Self::Transpose { order }
            }
            "bytes" => Self::Bytes {
                endian: match entry.option("endian").map(Json::as_text) {
                    None => None,
                    Some(Some(name)) if name == "little" => Some(Endian::Little),
                    Some(Some(name)) if name == "big" => Some(Endian::Big),
                    Some(_) => return Err(wrong("its endian is neither little nor big")),
                },
            },
            "zstd" | "numcodecs.zstd" => {
                let level = match entry.option("level") {
                    None => 0,
                    Some(level) => level
                        .as_i64()
                        .and_then(|level| i32::try_from(level).ok())
                        .filter(|level| (-131_072..=22).contains(level))
                        .ok_or_else(|| wrong("its level is not between -131072 and 22"))?,
                };
                let checksum = match entry.option("checksum") {
                    None => false,
                    Some(checksum) => checksum.as_bool().ok_or_else(|| wrong("its checksum is no boolean"))?,
                };
                Self::Zstd { level, checksum }
            }
            "gzip" => Self::Gzip { level: entry.level(5, 0)? },
            "numcodecs.gzip" => Self::Gzip { level: entry.level(1, 0)? },
            "zlib" | "numcodecs.zlib" => Self::Zlib { level: entry.level(1, 0)? },
            "bz2" | "numcodecs.bz2" => Self::Bz2 { level: entry.level(1, 1)? },
            // numcodecs sees single bytes there.
            "blosc" | "numcodecs.blosc" => Self::Blosc(BloscOptions::parse(|key| entry.option(key), &entry.name, 1)?),
            "shuffle" | "numcodecs.shuffle" => Self::Shuffle {
                element: match entry.option("elementsize") {
                    None => 4,
                    Some(size) => {
                        size.as_u64().filter(|size| *size > 0).ok_or_else(|| wrong("its elementsize is not valid"))?
                    }
                },
            },
            "crc32c" => Self::Crc32c,
            SHARDING => return Err(wrong("shards within shards")),
            _ => return Err(wrong("rechunk has no such codec")),
        })
    }

    /// What the step turns into what.
    pub(crate) fn part(&self) -> Part {
        match self {
            Self::Transpose { .. } => Part::ArrayToArray,
            Self::Bytes { .. } => Part::ArrayToBytes,
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Blosc(_)
            | Self::Shuffle { .. }
            | Self::Crc32c => Part::BytesToBytes,
        }
    }
}
