//! The options of numcodecs' lzma codec, which are those of Python's `lzma` module: container, integrity check, preset,
//! and for containers that say nothing a list of filters. Numbers are liblzma's.

use super::CodecEntry;
use crate::{MetadataError, json::Json};

/// Python's default, liblzma's own.
const DEFAULT_PRESET: u32 = 6;
/// The flag of a preset that searches longer.
const EXTREME: u32 = 1 << 31;
const FILTER_DELTA: u64 = 3;
const FILTER_LZMA2: u64 = 0x21;
const FILTER_LZMA1: u64 = 0x4000_0000_0000_0001;

/// How lzma compresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LzmaOptions {
    pub(crate) format: LzmaFormat,
    /// As the document has it: null, or a list for raw streams.
    filters: Json,
    /// As the document has it.
    preset: Json,
}

/// What surrounds the compressed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LzmaFormat {
    /// `.xz`, with an integrity check.
    Xz { preset: u32, check: LzmaCheck },
    /// The older `.lzma`.
    Alone { preset: u32 },
    /// Nothing: the chain must be known.
    Raw(RawLzma),
}

/// An integrity check of an `.xz` stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LzmaCheck {
    None,
    Crc32,
    Crc64,
    Sha256,
}

/// The filters of a raw stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawLzma {
    /// Distances of delta filters, in encoding order; each at most 256.
    pub(crate) deltas: Vec<u8>,
    /// Whether the last filter is LZMA2, and not LZMA1.
    pub(crate) is_lzma2: bool,
    pub(crate) preset: u32,
    pub(crate) dict_size: Option<u32>,
    pub(crate) literal_context_bits: Option<u32>,
    pub(crate) literal_position_bits: Option<u32>,
    pub(crate) position_bits: Option<u32>,
    pub(crate) nice_length: Option<u32>,
    pub(crate) depth: Option<u32>,
}

impl LzmaCheck {
    fn parse(entry: &CodecEntry) -> Result<Option<Self>, MetadataError> {
        match entry.given("check").map_or(Some(-1), Json::as_i64) {
            Some(-1) => Ok(None),
            Some(0) => Ok(Some(Self::None)),
            Some(1) => Ok(Some(Self::Crc32)),
            Some(4) => Ok(Some(Self::Crc64)),
            Some(10) => Ok(Some(Self::Sha256)),
            _ => Err(entry.unsupported("its check is none of -1, 0, 1, 4, 10")),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Crc32 => 1,
            Self::Crc64 => 4,
            Self::Sha256 => 10,
        }
    }
}

impl LzmaOptions {
    /// What `--codec lzma:PRESET` means.
    pub(crate) fn of_preset(preset: u32) -> Self {
        let format = LzmaFormat::Xz { preset, check: LzmaCheck::Crc64 };
        Self { format, filters: Json::Null, preset: Json::number(preset) }
    }

    pub(crate) fn parse(entry: &CodecEntry) -> Result<Self, MetadataError> {
        let filters = entry.option("filters").cloned().unwrap_or(Json::Null);
        let preset_json = entry.option("preset").cloned().unwrap_or(Json::Null);
        let preset = preset(entry, &preset_json)?;
        let check = LzmaCheck::parse(entry)?;
        let format = match entry.given("format").map_or(Some(1), Json::as_u64) {
            Some(1) => LzmaFormat::Xz { preset, check: check.unwrap_or(LzmaCheck::Crc64) },
            Some(2) => LzmaFormat::Alone { preset },
            Some(3) => LzmaFormat::Raw(RawLzma::parse(entry, &filters)?),
            _ => return Err(entry.unsupported("its format is none of 1 (xz), 2 (alone), 3 (raw)")),
        };
        let is_xz = matches!(format, LzmaFormat::Xz { .. });
        if !matches!(format, LzmaFormat::Raw(_)) && !filters.is_null() {
            return Err(entry.unsupported("filters outside of a raw stream, which numcodecs cannot read back"));
        }
        if !is_xz && !matches!(check, None | Some(LzmaCheck::None)) {
            return Err(entry.unsupported("an integrity check outside of an xz stream"));
        }
        Ok(Self { format, filters, preset: preset_json })
    }

    /// The options as numcodecs writes them.
    pub(crate) fn options(&self) -> Vec<(&'static str, Json)> {
        let (format, check) = match &self.format {
            LzmaFormat::Xz { check: LzmaCheck::Crc64, .. } => (1, Json::number(-1)),
            LzmaFormat::Xz { check, .. } => (1, Json::number(check.number())),
            LzmaFormat::Alone { .. } => (2, Json::number(-1)),
            LzmaFormat::Raw(_) => (3, Json::number(-1)),
        };
        vec![
            ("format", Json::number(format)),
            ("check", check),
            ("preset", self.preset.clone()),
            ("filters", self.filters.clone()),
        ]
    }
}

/// A level from 0 to 9, with or without the flag; null is liblzma's default.
fn preset(entry: &CodecEntry, value: &Json) -> Result<u32, MetadataError> {
    if value.is_null() {
        return Ok(DEFAULT_PRESET);
    }
    value
        .as_u64()
        .and_then(|preset| u32::try_from(preset).ok())
        .filter(|preset| preset & !EXTREME <= 9)
        .ok_or_else(|| entry.unsupported("its preset is not between 0 and 9"))
}

impl RawLzma {
    /// Delta filters and one LZMA filter behind them.
    fn parse(entry: &CodecEntry, filters: &Json) -> Result<Self, MetadataError> {
        let wrong = |problem: &str| entry.unsupported(format!("its filters: {problem}"));
        let filters = filters.as_list().filter(|list| list.len() <= 4).ok_or_else(|| wrong("no list of up to four"))?;
        let (last, before) = filters.split_last().ok_or_else(|| wrong("none"))?;
        let id = |filter: &Json| filter.as_object().and_then(|filter| filter.get("id")).and_then(Json::as_u64);
        let mut deltas = Vec::with_capacity(before.len());
        for filter in before {
            if id(filter) != Some(FILTER_DELTA) {
                return Err(wrong("only delta filters (id 3) may stand before the last"));
            }
            let dist = option(filter, "dist").map_or(Some(1), Json::as_u64).and_then(|dist| dist.checked_sub(1));
            deltas.push(dist.and_then(|dist| u8::try_from(dist).ok()).ok_or_else(|| wrong("dist is over 256 or 0"))?);
        }
        let is_lzma2 = match id(last) {
            Some(FILTER_LZMA2) => true,
            Some(FILTER_LZMA1) => false,
            _ => return Err(wrong("the last is neither LZMA2 (id 33) nor LZMA1")),
        };
        let number = |key: &str, most: u32| match option(last, key) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|value| u32::try_from(value).ok())
                .filter(|value| *value <= most)
                .map(Some)
                .ok_or_else(|| wrong(&format!("{key} is not valid"))),
        };
        Ok(Self {
            deltas,
            is_lzma2,
            preset: preset(entry, option(last, "preset").unwrap_or(&Json::Null))?,
            dict_size: number("dict_size", u32::MAX)?,
            literal_context_bits: number("lc", 4)?,
            literal_position_bits: number("lp", 4)?,
            position_bits: number("pb", 4)?,
            nice_length: number("nice_len", 273)?,
            depth: number("depth", 1000)?,
        })
    }
}

fn option<'j>(filter: &'j Json, key: &str) -> Option<&'j Json> {
    filter.as_object()?.get(key).filter(|value| !value.is_null())
}
