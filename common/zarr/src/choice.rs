//! The values of `--codec`: what takes the place of the compressor, or a whole chain as JSON.

use std::str::FromStr;

use crate::{
    MetadataError,
    chain::{self, BloscOptions, Cname, Shuffle, Step},
    json::Json,
};

/// A parsed `--codec` value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodecChoice {
    text: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No compressor.
    None,
    /// This compressor; filters, transpose, serializer and checksums stay.
    Compressor(Step),
    /// blosc, with what depends on the width of an element still open.
    Blosc { cname: Cname, level: u8, shuffle: Option<Shuffle> },
    /// The whole list of Zarr v3 codecs.
    ListV3(Json),
    /// Zarr v2's compressor and filters.
    V2 { compressor: Json, filters: Json },
}

impl CodecChoice {
    /// As the user wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn fault(&self, problem: &str) -> MetadataError {
        MetadataError::CodecChoice { choice: self.text.clone(), problem: problem.to_owned() }
    }
}

impl Kind {
    /// The compressor in v3's spelling for elements of `width` bytes, null for none; `None` for JSON choices.
    pub(crate) fn compressor_v3(&self, width: u64) -> Option<Json> {
        match self {
            Self::None => Some(Json::Null),
            Self::Compressor(step) => compressor_to_v3(step),
            Self::Blosc { .. } => self.blosc(width).map(BloscOptions::to_v3),
            Self::ListV3(_) | Self::V2 { .. } => None,
        }
    }

    /// The compressor in v2's spelling for elements of `width` bytes, null for none; `None` for JSON choices.
    pub(crate) fn compressor_v2(&self, width: u64) -> Option<Json> {
        match self {
            Self::None => Some(Json::Null),
            Self::Compressor(step) => chain::compressor_to_v2(step),
            Self::Blosc { .. } => self.blosc(width).map(BloscOptions::to_v2),
            Self::ListV3(_) | Self::V2 { .. } => None,
        }
    }

    fn blosc(&self, width: u64) -> Option<BloscOptions> {
        let Self::Blosc { cname, level, shuffle } = self else {
            return None;
        };
        let shuffle = shuffle.unwrap_or(Shuffle::automatic(width));
        Some(BloscOptions { cname: *cname, level: *level, shuffle, typesize: width, blocksize: 0 })
    }
}

fn compressor_to_v3(step: &Step) -> Option<Json> {
    let of_level = |name: &str, level: u32| chain::named(name, [("level", Json::number(level))]);
    match step {
        Step::Zstd { level, checksum } => {
            Some(chain::named("zstd", [("level", Json::number(*level)), ("checksum", Json::Bool(*checksum))]))
        }
        Step::Gzip { level } => Some(of_level("gzip", *level)),
        Step::Zlib { level } => Some(of_level("numcodecs.zlib", *level)),
        Step::Bz2 { level } => Some(of_level("numcodecs.bz2", *level)),
        Step::Blosc(options) => Some(options.to_v3()),
        Step::Transpose { .. } | Step::Bytes { .. } | Step::Shuffle { .. } | Step::Crc32c => None,
    }
}

impl FromStr for CodecChoice {
    type Err = MetadataError;

    /// `none zstd[:LEVEL] gzip[:LEVEL] zlib[:LEVEL] bz2[:LEVEL] blosc[:CNAME[:LEVEL[:SHUFFLE]]]`, or JSON.
    fn from_str(text: &str) -> Result<Self, MetadataError> {
        let text = text.trim();
        let kind = if text.starts_with(['[', '{']) { parse_json(text)? } else { parse_name(text)? };
        Ok(Self { text: text.to_owned(), kind })
    }
}

fn fault(choice: &str, problem: impl Into<String>) -> MetadataError {
    MetadataError::CodecChoice { choice: choice.to_owned(), problem: problem.into() }
}

fn parse_json(text: &str) -> Result<Kind, MetadataError> {
    let value = Json::parse("codec", text).map_err(|error| fault(text, error.to_string()))?;
    match &value {
        Json::List(_) => {
            chain::steps(&value, "codecs")?;
            Ok(Kind::ListV3(value))
        }
        Json::Object(object) => {
            for (key, _) in object.iter() {
                if key != "compressor" && key != "filters" {
                    return Err(fault(text, format!("{key} is neither compressor nor filters")));
                }
            }
            let of = |key: &str| object.get(key).cloned().unwrap_or(Json::Null);
            Ok(Kind::V2 { compressor: of("compressor"), filters: of("filters") })
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => {
            Err(fault(text, "neither a list nor an object"))
        }
    }
}

fn parse_name(text: &str) -> Result<Kind, MetadataError> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let options: Vec<&str> = parts.collect();
    let known = |most: usize| {
        if options.len() > most { Err(fault(text, format!("{name} has {most} options at the most"))) } else { Ok(()) }
    };
    let level = |at: usize, default: i32, least: i32, most: i32| match options.get(at) {
        None => Ok(default),
        Some(level) => level
            .parse::<i32>()
            .ok()
            .filter(|level| (least..=most).contains(level))
            .ok_or_else(|| fault(text, format!("the level is not between {least} and {most}"))),
    };
    let small = |default: i32, least: i32| level(0, default, least, 9).map(i32::unsigned_abs);
    match name {
        "none" => known(0).map(|()| Kind::None),
        "zstd" => {
            known(1)?;
            Ok(Kind::Compressor(Step::Zstd { level: level(0, 0, -131_072, 22)?, checksum: false }))
        }
        "gzip" => known(1).and(small(5, 0)).map(|level| Kind::Compressor(Step::Gzip { level })),
        "zlib" => known(1).and(small(1, 0)).map(|level| Kind::Compressor(Step::Zlib { level })),
        "bz2" => known(1).and(small(1, 1)).map(|level| Kind::Compressor(Step::Bz2 { level })),
        "blosc" => {
            known(3)?;
            let cname = match options.first() {
                None => Cname::Lz4,
                Some(cname) => Cname::parse(cname)
                    .ok_or_else(|| fault(text, format!("{cname} is none of blosclz, lz4, lz4hc, zlib, zstd")))?,
            };
            let level = u8::try_from(level(1, 5, 0, 9)?).unwrap_or(5);
            let shuffle = match options.get(2) {
                None => None,
                Some(shuffle) => Some(
                    Shuffle::parse(shuffle)
                        .ok_or_else(|| fault(text, format!("{shuffle} is none of noshuffle, shuffle, bitshuffle")))?,
                ),
            };
            Ok(Kind::Blosc { cname, level, shuffle })
        }
        "lz4" => Err(MetadataError::codec("lz4", "rechunk has no such codec; blosc:lz4 is close to it")),
        _ => Err(fault(text, "not one of none, zstd, gzip, zlib, bz2, blosc, or JSON")),
    }
}
