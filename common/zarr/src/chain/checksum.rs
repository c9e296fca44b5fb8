//! Checksums of four bytes, little-endian, before or after what they are of.

use super::CodecEntry;
use crate::{MetadataError, json::Json};

/// A checksum and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) kind: ChecksumKind,
    pub(crate) place: Place,
}

/// How a checksum is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChecksumKind {
    Crc32,
    Crc32c,
    Adler32,
    /// HDF5's variant, of big-endian words.
    Fletcher32,
}

/// Where a checksum stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Start,
    End,
}

impl ChecksumKind {
    /// Its name in both formats.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Adler32 => "adler32",
            Self::Fletcher32 => "fletcher32",
        }
    }

    /// Where numcodecs writes it if nothing is said.
    fn default_place(self) -> Place {
        match self {
            Self::Crc32 | Self::Adler32 => Place::Start,
            Self::Crc32c | Self::Fletcher32 => Place::End,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Crc32, Self::Crc32c, Self::Adler32, Self::Fletcher32].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Checksum {
    /// v3's own: behind the content.
    pub(crate) const CRC32C: Self = Self { kind: ChecksumKind::Crc32c, place: Place::End };

    /// The checksum that an entry of numcodecs names; `None` for other codecs.
    pub(crate) fn parse(entry: &CodecEntry) -> Result<Option<Self>, MetadataError> {
        let Some(kind) = ChecksumKind::parse(entry.id()) else { return Ok(None) };
        let place = match entry.given("location").map(Json::as_text) {
            None => kind.default_place(),
            // numcodecs knows no other place for this one, and no such option.
            Some(_) if kind == ChecksumKind::Fletcher32 => return Err(entry.unsupported("it has no location")),
            Some(Some(place)) if place == "start" => Place::Start,
            Some(Some(place)) if place == "end" => Place::End,
            Some(_) => return Err(entry.unsupported("its location is neither start nor end")),
        };
        Ok(Some(Self { kind, place }))
    }

    /// The options as numcodecs writes them: nothing where they are its defaults.
    pub(crate) fn options(self) -> Vec<(&'static str, Json)> {
        if self.place == self.kind.default_place() {
            return Vec::new();
        }
        let place = match self.place {
            Place::Start => "start",
            Place::End => "end",
        };
        vec![("location", Json::text(place))]
    }
}
