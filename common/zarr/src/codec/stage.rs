//! The codecs from bytes to bytes. Decoders are given the size that must come out and never allocate for more.

use std::{
    borrow::Cow,
    io::{Read, Write as _},
    ops::Range,
};

use bytes::Bytes;
use rechunk_common::limits;
use zarrs::array::{
    BytesRepresentation,
    codec::{
        BloscCodec, BloscCompressionLevel, BloscCompressor, BloscShuffleMode,
        api::{BytesToBytesCodecTraits, CodecOptions},
        blosc_decompress_bytes_partial, blosc_typesize, blosc_validate,
    },
};

use super::{length, zstd_contexts};
use crate::{
    CodecError, MetadataError,
    chain::{BloscOptions, Cname, Shuffle, Step},
};

/// Bytes of a blosc header: sizes stand at 4 (decoded), 8 (block) and 12 (encoded).
const BLOSC_HEADER: usize = 16;
const CRC32C_BYTES: u64 = 4;

/// The size of what a stage encodes, or must decode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Known from the metadata.
    Exactly(u64),
    /// Compressed by another stage: a generous bound, because other encoders have other worst cases.
    AtMost(u64),
}

impl Size {
    fn bound(self) -> u64 {
        match self {
            Self::Exactly(bytes) | Self::AtMost(bytes) => bytes,
        }
    }

    fn allows(self, bytes: u64) -> bool {
        match self {
            Self::Exactly(expected) => bytes == expected,
            Self::AtMost(most) => bytes <= most,
        }
    }

    fn check_declared(self, codec: &'static str, declared: u64) -> Result<(), CodecError> {
        if self.allows(declared) {
            Ok(())
        } else {
            Err(CodecError::DeclaredSize { codec, declared, expected: self.bound() })
        }
    }

    fn check_decoded(self, codec: &'static str, bytes: Vec<u8>) -> Result<Bytes, CodecError> {
        let found = length(&bytes);
        if self.allows(found) {
            Ok(Bytes::from(bytes))
        } else {
            Err(CodecError::DecodedSize { codec, found, expected: self.bound() })
        }
    }
}

/// One codec from bytes to bytes.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Zstd { level: i32, checksum: bool },
    Gzip { level: u32 },
    Zlib { level: u32 },
    Bz2 { level: u32 },
    Blosc(BloscCodec),
    Shuffle { element: usize },
    Crc32c,
}

impl Stage {
    /// The stage of a step that encodes `size`; `None` where it does nothing, or for steps of another kind.
    pub(super) fn new(step: &Step, size: Size) -> Result<Option<Self>, MetadataError> {
        Ok(match step {
            Step::Zstd { level, checksum } => Some(Self::Zstd { level: *level, checksum: *checksum }),
            Step::Gzip { level } => Some(Self::Gzip { level: *level }),
            Step::Zlib { level } => Some(Self::Zlib { level: *level }),
            Step::Bz2 { level } => Some(Self::Bz2 { level: *level }),
            Step::Blosc(options) => {
                let limit = limits::MAX_BLOSC_BUFFER.0;
                if size.bound() > limit {
                    let what = "decoded bytes of a chunk for codec blosc";
                    return Err(MetadataError::Limit { what, value: size.bound().to_string(), limit });
                }
                Some(Self::Blosc(blosc(options)?))
            }
            Step::Shuffle { element } if *element > 1 => {
                let whole = matches!(size, Size::Exactly(bytes) if bytes.is_multiple_of(*element));
                match usize::try_from(*element) {
                    Ok(element) if whole => Some(Self::Shuffle { element }),
                    _ => return Err(MetadataError::codec("shuffle", "a chunk is not a multiple of its elementsize")),
                }
            }
            Step::Crc32c => Some(Self::Crc32c),
            Step::Shuffle { .. } | Step::Transpose { .. } | Step::Bytes { .. } => None,
        })
    }

    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Shuffle { .. } | Self::Crc32c => true,
            Self::Zstd { .. } | Self::Gzip { .. } | Self::Zlib { .. } | Self::Bz2 { .. } | Self::Blosc(_) => false,
        }
    }

    pub(super) fn largest_buffer(&self) -> Option<u64> {
        matches!(self, Self::Blosc(_)).then_some(limits::MAX_BLOSC_BUFFER.0)
    }

    /// What our own encoder makes of `bytes` at the worst.
    pub(super) fn worst_bytes(&self, bytes: u64) -> u64 {
        let more = match self {
            // ZSTD_COMPRESSBOUND, and a checksum.
            Self::Zstd { .. } => (bytes >> 8).saturating_add(((128 << 10_u64) >> 11) + 4),
            // zlib's conservative deflateBound, and gzip's header and trailer.
            Self::Gzip { .. } | Self::Zlib { .. } => (bytes >> 3).saturating_add(bytes >> 6).saturating_add(64),
            // "1% larger plus 600 bytes", rounded up generously.
            Self::Bz2 { .. } => (bytes >> 6).saturating_add(1024),
            Self::Blosc(_) => 16,
            Self::Shuffle { .. } => 0,
            Self::Crc32c => CRC32C_BYTES,
        };
        bytes.saturating_add(more)
    }

    /// The size of what comes out of encoding `size`.
    pub(super) fn encoded_size(&self, size: Size) -> Size {
        match (self, size) {
            (Self::Shuffle { .. }, size) => size,
            (Self::Crc32c, Size::Exactly(bytes)) => Size::Exactly(bytes.saturating_add(CRC32C_BYTES)),
            (Self::Crc32c, Size::AtMost(bytes)) => Size::AtMost(bytes.saturating_add(CRC32C_BYTES)),
            (_, size) => Size::AtMost(size.bound().saturating_mul(2).saturating_add(1 << 16)),
        }
    }

    /// What was encoded, if it has the size it must have.
    pub(super) fn decode(&self, encoded: &Bytes, size: Size) -> Result<Bytes, CodecError> {
        match self {
            Self::Zstd { .. } => decode_zstd(encoded, size),
            Self::Gzip { .. } => read_bounded("gzip", flate2::read::MultiGzDecoder::new(&**encoded), size),
            Self::Zlib { .. } => read_bounded("zlib", flate2::read::ZlibDecoder::new(&**encoded), size),
            Self::Bz2 { .. } => read_bounded("bz2", bzip2::read::MultiBzDecoder::new(&**encoded), size),
            Self::Blosc(codec) => decode_blosc(codec, encoded, size),
            Self::Shuffle { element } => size.check_decoded("shuffle", unshuffle(encoded, *element)),
            Self::Crc32c => decode_crc32c(encoded),
        }
    }

    /// The bytes `part` of what was encoded; `None` where it can only be decoded as a whole.
    pub(super) fn decode_part(
        &self,
        encoded: &[u8],
        size: Size,
        part: Range<usize>,
    ) -> Result<Option<Bytes>, CodecError> {
        match self {
            Self::Blosc(_) => decode_blosc_part(encoded, size, part),
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Shuffle { .. }
            | Self::Crc32c => Ok(None),
        }
    }

    pub(super) fn encode(&self, decoded: Cow<'_, [u8]>) -> Result<Vec<u8>, CodecError> {
        match self {
            Self::Zstd { level, checksum } => {
                zstd_contexts::compress(&decoded, *level, *checksum).map_err(fault("zstd"))
            }
            Self::Gzip { level } => {
                // No name and no time in the header: the same bytes each time.
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(*level));
                encoder.write_all(&decoded).and_then(|()| encoder.finish()).map_err(fault("gzip"))
            }
            Self::Zlib { level } => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(*level));
                encoder.write_all(&decoded).and_then(|()| encoder.finish()).map_err(fault("zlib"))
            }
            Self::Bz2 { level } => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(*level));
                encoder.write_all(&decoded).and_then(|()| encoder.finish()).map_err(fault("bz2"))
            }
            Self::Blosc(codec) => {
                let (bytes, limit) = (length(&decoded), limits::MAX_BLOSC_BUFFER.0);
                if bytes > limit {
                    return Err(CodecError::BufferLimit { codec: "blosc", bytes, limit });
                }
                let encoded = codec.encode(Cow::Borrowed(&*decoded), &options()).map_err(fault("blosc"))?;
                Ok(encoded.into_owned())
            }
            Self::Shuffle { element } => Ok(shuffle(&decoded, *element)),
            Self::Crc32c => {
                let checksum = crc32c::crc32c(&decoded);
                let mut encoded = decoded.into_owned();
                encoded.extend_from_slice(&checksum.to_le_bytes());
                Ok(encoded)
            }
        }
    }
}

fn fault<E: std::fmt::Display>(codec: &'static str) -> impl Fn(E) -> CodecError {
    move |error| CodecError::Encode { codec, problem: error.to_string() }
}

fn corrupt<E: std::fmt::Display>(codec: &'static str) -> impl Fn(E) -> CodecError {
    move |error| CodecError::Corrupt { codec, problem: error.to_string() }
}

fn options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}

fn capacity(codec: &'static str, bytes: u64) -> Result<usize, CodecError> {
    usize::try_from(bytes).map_err(corrupt(codec))
}

/// Reads one byte more than may come out, and no further.
fn read_bounded(codec: &'static str, decoder: impl Read, size: Size) -> Result<Bytes, CodecError> {
    let mut bytes = Vec::new();
    if let Size::Exactly(expected) = size {
        bytes.reserve_exact(capacity(codec, expected)?);
    }
    decoder.take(size.bound().saturating_add(1)).read_to_end(&mut bytes).map_err(corrupt(codec))?;
    size.check_decoded(codec, bytes)
}

fn decode_zstd(encoded: &[u8], size: Size) -> Result<Bytes, CodecError> {
    let codec = "zstd";
    let declared = zstd::zstd_safe::get_frame_content_size(encoded)
        .map_err(|_| CodecError::Corrupt { codec, problem: "no frame header".to_owned() })?;
    if let Some(declared) = declared {
        let is_only = zstd::zstd_safe::find_frame_compressed_size(encoded) == Ok(encoded.len());
        if is_only || declared > size.bound() {
            size.check_declared(codec, declared)?;
        }
    }
    let room = match (size, declared) {
        (Size::AtMost(_), Some(declared)) => declared,
        (size, _) => size.bound(),
    };
    let bytes = zstd_contexts::decompress(encoded, capacity(codec, room)?).map_err(corrupt(codec))?;
    size.check_decoded(codec, bytes)
}

fn blosc(options: &BloscOptions) -> Result<BloscCodec, MetadataError> {
    let cname = match options.cname {
        Cname::BloscLz => BloscCompressor::BloscLZ,
        Cname::Lz4 => BloscCompressor::LZ4,
        Cname::Lz4Hc => BloscCompressor::LZ4HC,
        Cname::Zlib => BloscCompressor::Zlib,
        Cname::Zstd => BloscCompressor::Zstd,
    };
    let shuffle = match options.shuffle {
        Shuffle::None => BloscShuffleMode::NoShuffle,
        Shuffle::Byte => BloscShuffleMode::Shuffle,
        Shuffle::Bit => BloscShuffleMode::BitShuffle,
    };
    let wrong = |problem: String| MetadataError::codec("blosc", problem);
    let level = BloscCompressionLevel::try_from(options.level).map_err(|_| wrong("its level is over 9".to_owned()))?;
    let blocksize = usize::try_from(options.blocksize).map_err(|error| wrong(error.to_string()))?;
    let typesize = usize::try_from(options.typesize).map_err(|error| wrong(error.to_string()))?;
    BloscCodec::new(cname, level, Some(blocksize), shuffle, Some(typesize)).map_err(|error| wrong(error.to_string()))
}

fn decode_blosc(codec: &BloscCodec, encoded: &[u8], size: Size) -> Result<Bytes, CodecError> {
    let representation = BytesRepresentation::FixedSize(check_blosc(encoded, size)?);
    let bytes = codec.decode(Cow::Borrowed(encoded), &representation, &options()).map_err(corrupt("blosc"))?;
    size.check_decoded("blosc", bytes.into_owned())
}

/// Only the blocks that overlap `part`; `None` where the chunk is no whole number of blosc's elements.
fn decode_blosc_part(encoded: &[u8], size: Size, part: Range<usize>) -> Result<Option<Bytes>, CodecError> {
    let codec = "blosc";
    let decoded = capacity(codec, check_blosc(encoded, size)?)?;
    let invalid = || CodecError::Corrupt { codec, problem: "its header and its blocks don't agree".to_owned() };
    if blosc_validate(encoded) != Some(decoded) || part.end > decoded || part.start >= part.end {
        return Err(invalid());
    }
    // Blosc counts in elements of its own.
    let element = blosc_typesize(encoded).ok_or_else(invalid)?;
    if !decoded.is_multiple_of(element) {
        return Ok(None);
    }
    let offset = part.start % element;
    let start = part.start.saturating_sub(offset);
    let length = part.end.saturating_sub(start).next_multiple_of(element);
    let bytes = blosc_decompress_bytes_partial(encoded, start, length, element).map_err(corrupt(codec))?;
    if bytes.len() != length {
        return Err(CodecError::DecodedSize { codec, found: super::length(&bytes), expected: length as u64 });
    }
    let end = part.len().saturating_add(offset);
    Ok(Some(Bytes::from(bytes).slice(offset..end)))
}

/// The decoded size that the header declares, if that and the encoded size are what they must be.
fn check_blosc(encoded: &[u8], size: Size) -> Result<u64, CodecError> {
    let field = |at: usize| {
        let bytes = encoded.get(at..)?.first_chunk::<4>()?;
        Some(u64::from(u32::from_le_bytes(*bytes)))
    };
    let (Some(declared), Some(stored)) = (field(4), field(BLOSC_HEADER.saturating_sub(4))) else {
        return Err(CodecError::Corrupt { codec: "blosc", problem: "shorter than its header".to_owned() });
    };
    size.check_declared("blosc", declared)?;
    if stored != length(encoded) {
        let expected = length(encoded);
        return Err(CodecError::DeclaredSize { codec: "blosc", declared: stored, expected });
    }
    Ok(declared)
}

fn decode_crc32c(encoded: &Bytes) -> Result<Bytes, CodecError> {
    let Some((content, checksum)) = encoded.split_last_chunk::<4>() else {
        return Err(CodecError::Corrupt { codec: "crc32c", problem: "shorter than its checksum".to_owned() });
    };
    if crc32c::crc32c(content).to_le_bytes() != *checksum {
        return Err(CodecError::Checksum { codec: "crc32c" });
    }
    let end = content.len();
    Ok(encoded.slice(..end))
}

/// The first bytes of all elements, then the second ones, and so on.
fn shuffle(bytes: &[u8], element: usize) -> Vec<u8> {
    match element {
        2 => return shuffle_by::<2>(bytes),
        4 => return shuffle_by::<4>(bytes),
        8 => return shuffle_by::<8>(bytes),
        _ => {}
    }
    let count = bytes.len().checked_div(element).unwrap_or_default();
    let mut shuffled = Vec::with_capacity(bytes.len());
    for byte in 0..element {
        shuffled.extend(bytes.iter().skip(byte).step_by(element).take(count));
    }
    shuffled
}

/// Constant widths let the compiler move many bytes at a time.
fn shuffle_by<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let elements = bytes.as_chunks::<N>().0;
    let mut shuffled = Vec::with_capacity(bytes.len());
    for byte in 0..N {
        shuffled.extend(elements.iter().filter_map(|element| element.get(byte)));
    }
    shuffled
}

fn unshuffle_by<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let count = bytes.len() / N;
    let mut unshuffled = vec![0; count.saturating_mul(N)];
    let mut planes = bytes.chunks_exact(count.max(1));
    let planes: [&[u8]; N] = std::array::from_fn(|_| planes.next().unwrap_or_default());
    for (index, element) in unshuffled.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        for (place, plane) in element.iter_mut().zip(planes) {
            *place = plane.get(index).copied().unwrap_or_default();
        }
    }
    unshuffled
}

fn unshuffle(bytes: &[u8], element: usize) -> Vec<u8> {
    match element {
        2 => return unshuffle_by::<2>(bytes),
        4 => return unshuffle_by::<4>(bytes),
        8 => return unshuffle_by::<8>(bytes),
        _ => {}
    }
    let count = bytes.len().checked_div(element).unwrap_or_default();
    let mut unshuffled = vec![0; count.saturating_mul(element)];
    if count > 0 {
        for (byte, plane) in bytes.chunks_exact(count).enumerate() {
            for (place, value) in unshuffled.iter_mut().skip(byte).step_by(element).zip(plane) {
                *place = *value;
            }
        }
    }
    unshuffled
}
