//! The values of `--codec`: what takes the place of the compressor, or a whole chain as JSON.

use std::str::FromStr;

use crate::{
    MetadataError,
    chain::{self, BloscOptions, Cname, LzmaOptions, Shuffle, Step},
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
            Self::Compressor(step) => Some(step.to_v3()),
            Self::Blosc { .. } => self.blosc(width).map(|options| Step::Blosc(options).to_v3()),
            Self::ListV3(_) | Self::V2 { .. } => None,
        }
    }

    /// The compressor in v2's spelling for elements of `width` bytes, null for none; `None` for JSON choices.
    pub(crate) fn compressor_v2(&self, width: u64) -> Option<Json> {
        match self {
            Self::None => Some(Json::Null),
            Self::Compressor(step) => step.to_v2(),
            Self::Blosc { .. } => self.blosc(width).and_then(|options| Step::Blosc(options).to_v2()),
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

impl FromStr for CodecChoice {
    type Err = MetadataError;

    /// `none zstd[:LEVEL] gzip[:LEVEL] zlib[:LEVEL] bz2[:LEVEL] lz4 lzma[:PRESET] blosc[:CNAME[:LEVEL[:SHUFFLE]]]`, or
    /// JSON.
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
                    .filter(|cname| *cname != Cname::Snappy)
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
        "lz4" => known(0).map(|()| Kind::Compressor(Step::Lz4 { acceleration: 1 })),
        "lzma" => known(1).and(small(6, 0)).map(|preset| Kind::Compressor(Step::Lzma(LzmaOptions::of_preset(preset)))),
        _ => Err(fault(text, "not one of none, zstd, gzip, zlib, bz2, lz4, lzma, blosc, or JSON")),
    }
}
