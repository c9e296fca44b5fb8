//! The options of the blosc codec in the spellings of both formats.

use crate::{MetadataError, json::Json};

/// How blosc compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BloscOptions {
    pub(crate) cname: Cname,
    pub(crate) level: u8,
    pub(crate) shuffle: Shuffle,
    /// Bytes that the shuffle takes for one element.
    pub(crate) typesize: u64,
    /// 0: blosc chooses.
    pub(crate) blocksize: u64,
}

/// The compressor inside blosc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cname {
    BloscLz,
    Lz4,
    Lz4Hc,
    Zlib,
    Zstd,
    /// Of other builds of blosc than numcodecs', which cannot read it.
    Snappy,
}

/// How blosc reorders bytes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shuffle {
    None,
    Byte,
    Bit,
}

impl Cname {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BloscLz => "blosclz",
            Self::Lz4 => "lz4",
            Self::Lz4Hc => "lz4hc",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::BloscLz, Self::Lz4, Self::Lz4Hc, Self::Zlib, Self::Zstd, Self::Snappy]
            .into_iter()
            .find(|cname| cname.as_str() == name)
    }
}

impl Shuffle {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "noshuffle",
            Self::Byte => "shuffle",
            Self::Bit => "bitshuffle",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::None, Self::Byte, Self::Bit].into_iter().find(|shuffle| shuffle.as_str() == name)
    }

    /// As numcodecs numbers them; -1 chooses by the size of an element.
    fn of_number(number: i64, width: u64) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Byte),
            2 => Some(Self::Bit),
            -1 => Some(Self::automatic(width)),
            _ => None,
        }
    }

    /// What numcodecs and zarr-python choose.
    pub(crate) fn automatic(width: u64) -> Self {
        if width == 1 { Self::Bit } else { Self::Byte }
    }

    fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Byte => 1,
            Self::Bit => 2,
        }
    }
}

impl BloscOptions {
    /// From either spelling; `width` stands for a missing typesize. What is missing has numcodecs' defaults.
    pub(crate) fn parse<'j>(
        option: impl Fn(&str) -> Option<&'j Json>,
        name: &str,
        width: u64,
    ) -> Result<Self, MetadataError> {
        let wrong = |key: &str| MetadataError::codec(name, format!("its option {key} is not valid"));
        let cname = match option("cname") {
            None => Cname::Lz4,
            Some(cname) => {
                let cname = cname.as_text().ok_or_else(|| wrong("cname"))?;
                Cname::parse(&cname)
                    .ok_or_else(|| MetadataError::codec(name, format!("its compressor {cname} is not known")))?
            }
        };
        let level = match option("clevel") {
            None => 5,
            Some(level) => level.as_u64().filter(|level| *level <= 9).ok_or_else(|| wrong("clevel"))?,
        };
        let typesize = match option("typesize") {
            None | Some(Json::Null) => width,
            Some(size) => size.as_u64().filter(|size| *size > 0).ok_or_else(|| wrong("typesize"))?,
        };
        let shuffle = match option("shuffle") {
            None => Some(Shuffle::Byte),
            Some(Json::Text(name)) => Shuffle::parse(name),
            Some(number) => number.as_i64().and_then(|number| Shuffle::of_number(number, width)),
        };
        let shuffle = shuffle.ok_or_else(|| wrong("shuffle"))?;
        let blocksize = match option("blocksize") {
            None => 0,
            Some(size) => {
                size.as_u64().filter(|size| i32::try_from(*size).is_ok()).ok_or_else(|| wrong("blocksize"))?
            }
        };
        Ok(Self { cname, level: u8::try_from(level).unwrap_or(9), shuffle, typesize, blocksize })
    }

    /// The options as Zarr v3 spells them, in zarr-python's order.
    pub(crate) fn of_core(self) -> Vec<(&'static str, Json)> {
        vec![
            ("typesize", Json::number(self.typesize)),
            ("cname", Json::text(self.cname.as_str())),
            ("clevel", Json::number(self.level)),
            ("shuffle", Json::text(self.shuffle.as_str())),
            ("blocksize", Json::number(self.blocksize)),
        ]
    }

    /// The options as numcodecs spells them.
    pub(crate) fn of_numcodecs(self) -> Vec<(&'static str, Json)> {
        vec![
            ("cname", Json::text(self.cname.as_str())),
            ("clevel", Json::number(self.level)),
            ("shuffle", Json::number(self.shuffle.number())),
            ("blocksize", Json::number(self.blocksize)),
        ]
    }
}
