//! How each format spells a step: v3 has names of its own for some, and numcodecs' for the rest; v2 has numcodecs' only.

use super::{Checksum, Step, named_list};
use crate::json::{Json, Object};

impl Step {
    /// numcodecs' name and options; `None` where it has no such codec.
    fn of_numcodecs(&self) -> Option<(&'static str, Vec<(&'static str, Json)>)> {
        let of_level = |level: u32| vec![("level", Json::number(level))];
        Some(match self {
            Self::Zstd { level, checksum: false } => ("zstd", vec![("level", Json::number(*level))]),
            Self::Zstd { level, checksum: true } => {
                ("zstd", vec![("level", Json::number(*level)), ("checksum", Json::Bool(true))])
            }
            Self::Gzip { level } => ("gzip", of_level(*level)),
            Self::Zlib { level } => ("zlib", of_level(*level)),
            Self::Bz2 { level } => ("bz2", of_level(*level)),
            Self::Blosc(options) => ("blosc", options.of_numcodecs()),
            Self::Lz4 { acceleration } => ("lz4", vec![("acceleration", Json::number(*acceleration))]),
            Self::Lzma(options) => ("lzma", options.options()),
            Self::Shuffle { element } => ("shuffle", vec![("elementsize", Json::number(*element))]),
            Self::Checksum(checksum) => (checksum.kind.as_str(), checksum.options()),
            Self::Filter(filter) => (filter.id(), filter.options()),
            Self::Variable(of) => (of.codec(), Vec::new()),
            Self::Transpose { .. } | Self::Bytes { .. } => return None,
        })
    }

    /// As v2 spells it; `None` for what is no codec there.
    pub(crate) fn to_v2(&self) -> Option<Json> {
        let (id, options) = self.of_numcodecs()?;
        let mut object = Object::default();
        object.set("id", Json::text(id));
        for (key, value) in options {
            object.set(key, value);
        }
        Some(Json::Object(object))
    }

    /// As v3 spells it.
    pub(crate) fn to_v3(&self) -> Json {
        let of_core = match self {
            Self::Transpose { order } => Some(("transpose", vec![("order", Json::numbers(order))])),
            Self::Bytes { endian: None } => Some(("bytes", Vec::new())),
            Self::Bytes { endian: Some(endian) } => Some(("bytes", vec![("endian", Json::text(endian.as_str()))])),
            Self::Zstd { level, checksum } => {
                Some(("zstd", vec![("level", Json::number(*level)), ("checksum", Json::Bool(*checksum))]))
            }
            Self::Gzip { level } => Some(("gzip", vec![("level", Json::number(*level))])),
            Self::Blosc(options) => Some(("blosc", options.of_core())),
            Self::Checksum(Checksum::CRC32C) => Some(("crc32c", Vec::new())),
            // With its empty configuration, as zarr-python spells it.
            Self::Variable(of) => {
                let configuration = Json::Object(Object::default());
                return Json::object([("name", Json::text(of.codec())), ("configuration", configuration)]);
            }
            Self::Filter(_)
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Lz4 { .. }
            | Self::Lzma(_)
            | Self::Shuffle { .. }
            | Self::Checksum(_) => None,
        };
        if let Some((name, options)) = of_core {
            return named_list(name, options);
        }
        let (id, options) = self.of_numcodecs().unwrap_or_default();
        let mut configuration = Object::default();
        for (key, value) in options {
            configuration.set(key, value);
        }
        let name = Json::text(&format!("numcodecs.{id}"));
        Json::object([("name", name), ("configuration", Json::Object(configuration))])
    }
}
