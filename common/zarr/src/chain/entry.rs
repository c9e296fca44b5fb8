//! One codec as a document has it: of a Zarr v3 list, or a filter or compressor of Zarr v2.

use super::SHARDING;
use crate::{MetadataError, json::Json};

/// What numcodecs' codecs are called in v3, before their own name.
const NUMCODECS: &str = "numcodecs.";

/// One codec as the document has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CodecEntry {
    /// As the document spells it.
    pub(crate) name: String,
    /// The entry itself.
    pub(crate) json: Json,
    dialect: Dialect,
}

/// Whose names and defaults an entry has, and where its options stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// A v3 codec of the specification or of its registry.
    Core,
    /// A codec of numcodecs in v3: `numcodecs.lz4`.
    Numcodecs,
    /// A codec of numcodecs in v2: its options stand beside its `id`.
    V2,
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
        let name = name.ok_or_else(malformed)?;
        let dialect = if name.starts_with(NUMCODECS) { Dialect::Numcodecs } else { Dialect::Core };
        Ok(Self { name, json: entry.clone(), dialect })
    }

    /// From v2's `{"id": …, …}`.
    pub(crate) fn parse_v2(entry: &Json, field: &str) -> Result<Self, MetadataError> {
        let id = entry.as_object().and_then(|object| object.get("id")).and_then(Json::as_text);
        let name = id.ok_or_else(|| MetadataError::corrupt(field, format!("{} has no id", entry.compact())))?;
        Ok(Self { name, json: entry.clone(), dialect: Dialect::V2 })
    }

    /// The codec's name without the prefix of numcodecs.
    pub(crate) fn id(&self) -> &str {
        self.name.strip_prefix(NUMCODECS).unwrap_or(&self.name)
    }

    /// Whether the names and defaults are those of the v3 specification, and not those of numcodecs.
    pub(crate) fn is_core(&self) -> bool {
        self.dialect == Dialect::Core
    }

    /// An option of the codec.
    pub(crate) fn option(&self, key: &str) -> Option<&Json> {
        let object = self.json.as_object()?;
        match self.dialect {
            Dialect::Core | Dialect::Numcodecs => object.get("configuration")?.as_object()?.get(key),
            Dialect::V2 => object.get(key),
        }
    }

    /// An option that is there and not null.
    pub(crate) fn given(&self, key: &str) -> Option<&Json> {
        self.option(key).filter(|value| !value.is_null())
    }

    /// A whole number within `least..=most`; `default` where it is not given.
    pub(crate) fn number(&self, key: &str, default: i64, least: i64, most: i64) -> Result<i64, MetadataError> {
        match self.given(key) {
            None => Ok(default),
            Some(value) => value
                .as_i64()
                .filter(|value| (least..=most).contains(value))
                .ok_or_else(|| self.unsupported(format!("its {key} is not between {least} and {most}"))),
        }
    }

    /// The refusal of the codec, by its name.
    pub(crate) fn unsupported(&self, problem: impl Into<String>) -> MetadataError {
        MetadataError::codec(&self.name, problem)
    }

    /// Whether the entry packs chunks into shards.
    pub(crate) fn is_sharding(&self) -> bool {
        self.name == SHARDING
    }

    /// Whether the entry is what `--codec` replaces, also where rechunk cannot run it.
    pub(crate) fn is_compressor(&self) -> bool {
        matches!(self.id(), "zstd" | "gzip" | "zlib" | "bz2" | "blosc" | "lz4" | "lzma" | "gdeflate")
    }

    /// Whether the entry appends or prepends a checksum.
    pub(crate) fn is_checksum(&self) -> bool {
        matches!(self.id(), "crc32c" | "crc32" | "adler32" | "fletcher32" | "jenkins_lookup3")
    }
}
