//! blosc, through the codec of zarrs, behind checks of what its header declares.

use std::{borrow::Cow, ops::Range};

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

use super::{super::length, Size, capacity, corrupt, fault};
use crate::{
    CodecError, MetadataError,
    chain::{BloscOptions, Cname, Shuffle},
};

/// Bytes of a header: sizes stand at 4 (decoded), 8 (block) and 12 (encoded).
const BLOSC_HEADER: usize = 16;

/// The codec of the options, for chunks of at most `bytes`.
pub(super) fn new(options: &BloscOptions, bytes: u64) -> Result<BloscCodec, MetadataError> {
    let limit = limits::MAX_BLOSC_BUFFER.0;
    if bytes > limit {
        let what = "decoded bytes of a chunk for codec blosc";
        return Err(MetadataError::Limit { what, value: bytes.to_string(), limit });
    }
    let cname = match options.cname {
        Cname::BloscLz => BloscCompressor::BloscLZ,
        Cname::Lz4 => BloscCompressor::LZ4,
        Cname::Lz4Hc => BloscCompressor::LZ4HC,
        Cname::Zlib => BloscCompressor::Zlib,
        Cname::Zstd => BloscCompressor::Zstd,
        Cname::Snappy => BloscCompressor::Snappy,
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

pub(super) fn encode(codec: &BloscCodec, decoded: &[u8]) -> Result<Vec<u8>, CodecError> {
    let (bytes, limit) = (length(decoded), limits::MAX_BLOSC_BUFFER.0);
    if bytes > limit {
        return Err(CodecError::BufferLimit { codec: "blosc", bytes, limit });
    }
    let encoded = codec.encode(Cow::Borrowed(decoded), &options()).map_err(fault("blosc"))?;
    Ok(encoded.into_owned())
}

pub(super) fn decode(codec: &BloscCodec, encoded: &[u8], size: Size) -> Result<Bytes, CodecError> {
    let representation = BytesRepresentation::FixedSize(check(encoded, size)?);
    let bytes = codec.decode(Cow::Borrowed(encoded), &representation, &options()).map_err(corrupt("blosc"))?;
    size.check_decoded("blosc", bytes.into_owned())
}

/// Only the blocks that overlap `part`; `None` where the chunk is no whole number of blosc's elements.
pub(super) fn decode_part(encoded: &[u8], size: Size, part: Range<usize>) -> Result<Option<Bytes>, CodecError> {
    let codec = "blosc";
    let decoded = capacity(codec, check(encoded, size)?)?;
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
        return Err(CodecError::DecodedSize { codec, found: super::super::length(&bytes), expected: length as u64 });
    }
    let end = part.len().saturating_add(offset);
    Ok(Some(Bytes::from(bytes).slice(offset..end)))
}

/// The decoded size that the header declares, if that and the encoded size are what they must be.
fn check(encoded: &[u8], size: Size) -> Result<u64, CodecError> {
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

fn options() -> CodecOptions {
    CodecOptions::default().with_concurrent_target(1)
}
