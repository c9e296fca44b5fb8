//! The codecs from bytes to bytes, filters of stored elements among them. Decoders are given the size that must come out and never allocate for more.

mod blosc;
mod checksum;
mod lz4;
mod lzma;
mod shuffle;
mod size;
mod zstd_contexts;

use std::{
    borrow::Cow,
    io::{Read, Write as _},
    ops::Range,
};

use bytes::Bytes;
use rechunk_common::limits;
pub(super) use size::Size;
use zarrs::array::codec::BloscCodec;

use super::filter::FilterStage;
use crate::{
    CodecError, MetadataError,
    chain::{Checksum, LzmaOptions, Step},
};

/// One codec from bytes to bytes.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    Zstd { level: i32, checksum: bool },
    Gzip { level: u32 },
    Zlib { level: u32 },
    Bz2 { level: u32 },
    Blosc(BloscCodec),
    Lz4,
    Lzma(LzmaOptions),
    Shuffle { element: usize },
    Checksum(Checksum),
    Filter(FilterStage),
}

impl Stage {
    /// The stage of a step that encodes `size`; `None` where it does nothing, or for steps of another kind.
    pub(super) fn new(step: &Step, size: Size) -> Result<Option<Self>, MetadataError> {
        Ok(match step {
            Step::Zstd { level, checksum } => Some(Self::Zstd { level: *level, checksum: *checksum }),
            Step::Gzip { level } => Some(Self::Gzip { level: *level }),
            Step::Zlib { level } => Some(Self::Zlib { level: *level }),
            Step::Bz2 { level } => Some(Self::Bz2 { level: *level }),
            Step::Blosc(options) => Some(Self::Blosc(blosc::new(options, size.bound())?)),
            Step::Lz4 { .. } => {
                let limit = limits::MAX_LZ4_BUFFER.0;
                if size.bound() > limit {
                    let what = "decoded bytes of a chunk for codec lz4";
                    return Err(MetadataError::Limit { what, value: size.bound().to_string(), limit });
                }
                Some(Self::Lz4)
            }
            Step::Lzma(options) => {
                lzma::check(options)?;
                Some(Self::Lzma(options.clone()))
            }
            Step::Shuffle { element } if *element > 1 => {
                let whole = matches!(size, Size::Exactly(bytes) if bytes.is_multiple_of(*element));
                match usize::try_from(*element) {
                    Ok(element) if whole => Some(Self::Shuffle { element }),
                    _ => return Err(MetadataError::codec("shuffle", "a chunk is not a multiple of its elementsize")),
                }
            }
            Step::Checksum(checksum) => Some(Self::Checksum(*checksum)),
            Step::Filter(filter) => FilterStage::new(filter).map(Self::Filter),
            Step::Shuffle { .. } | Step::Transpose { .. } | Step::Bytes { .. } | Step::Variable(_) => None,
        })
    }

    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Shuffle { .. } | Self::Checksum(_) | Self::Filter(_) => true,
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Blosc(_)
            | Self::Lz4
            | Self::Lzma(_) => false,
        }
    }

    pub(super) fn largest_buffer(&self) -> Option<u64> {
        match self {
            Self::Blosc(_) => Some(limits::MAX_BLOSC_BUFFER.0),
            Self::Lz4 => Some(limits::MAX_LZ4_BUFFER.0),
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Lzma(_)
            | Self::Shuffle { .. }
            | Self::Checksum(_)
            | Self::Filter(_) => None,
        }
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
            // A length byte for each 255 literals, and lz4_flex's own margin.
            Self::Lz4 => (bytes >> 3).saturating_add(lz4::HEADER_BYTES).saturating_add(32),
            // Three bytes for each block that does not compress; twice what LZMA1 was seen to add.
            Self::Lzma(_) => (bytes >> 4).saturating_add(1024),
            Self::Shuffle { .. } => 0,
            Self::Checksum(_) => checksum::CHECKSUM_BYTES,
            Self::Filter(filter) => return filter.encoded_bytes(bytes),
        };
        bytes.saturating_add(more)
    }

    /// The size of what comes out of encoding `size`.
    pub(super) fn encoded_size(&self, size: Size) -> Size {
        match self {
            Self::Shuffle { .. } => size,
            Self::Checksum(_) => size.longer(checksum::CHECKSUM_BYTES),
            Self::Filter(filter) => Size::Exactly(filter.encoded_bytes(size.bound())),
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Blosc(_)
            | Self::Lz4
            | Self::Lzma(_) => Size::AtMost(size.bound().saturating_mul(2).saturating_add(1 << 16)),
        }
    }

    /// What was encoded, if it has the size it must have.
    pub(super) fn decode(&self, encoded: &Bytes, size: Size) -> Result<Bytes, CodecError> {
        match self {
            Self::Zstd { .. } => decode_zstd(encoded, size),
            Self::Gzip { .. } => read_bounded("gzip", flate2::read::MultiGzDecoder::new(&**encoded), size),
            Self::Zlib { .. } => read_bounded("zlib", flate2::read::ZlibDecoder::new(&**encoded), size),
            Self::Bz2 { .. } => read_bounded("bz2", bzip2::read::MultiBzDecoder::new(&**encoded), size),
            Self::Blosc(codec) => blosc::decode(codec, encoded, size),
            Self::Lz4 => lz4::decode(encoded, size),
            Self::Lzma(options) => lzma::decode(options, encoded, size),
            Self::Shuffle { element } => size.check_decoded("shuffle", shuffle::unshuffle(encoded, *element)),
            Self::Checksum(checksum) => checksum::decode(*checksum, encoded),
            Self::Filter(filter) => filter.decode(encoded, size.bound()),
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
            Self::Blosc(_) => blosc::decode_part(encoded, size, part),
            Self::Zstd { .. }
            | Self::Gzip { .. }
            | Self::Zlib { .. }
            | Self::Bz2 { .. }
            | Self::Lz4
            | Self::Lzma(_)
            | Self::Shuffle { .. }
            | Self::Checksum(_)
            | Self::Filter(_) => Ok(None),
        }
    }

    /// `matters` says of which elements a filter must give the value back.
    pub(super) fn encode(&self, decoded: Cow<'_, [u8]>, matters: &impl Fn(u64) -> bool) -> Result<Vec<u8>, CodecError> {
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
            Self::Blosc(codec) => blosc::encode(codec, &decoded),
            Self::Lz4 => lz4::encode(&decoded),
            Self::Lzma(options) => lzma::encode(options, &decoded),
            Self::Shuffle { element } => Ok(shuffle::shuffle(&decoded, *element)),
            Self::Checksum(checksum) => Ok(checksum::encode(*checksum, decoded.into_owned())),
            Self::Filter(filter) => filter.encode(&decoded, matters),
        }
    }
}

fn fault<E: std::fmt::Display>(codec: &'static str) -> impl Fn(E) -> CodecError {
    move |error| CodecError::Encode { codec, problem: error.to_string() }
}

fn corrupt<E: std::fmt::Display>(codec: &'static str) -> impl Fn(E) -> CodecError {
    move |error| CodecError::Corrupt { codec, problem: error.to_string() }
}

fn capacity(codec: &'static str, bytes: u64) -> Result<usize, CodecError> {
    usize::try_from(bytes).map_err(corrupt(codec))
}

/// Reads one byte more than may come out, and no further.
fn read_bounded(codec: &'static str, decoder: impl Read, size: Size) -> Result<Bytes, CodecError> {
    let mut bytes = Vec::new();
    // At once, so that it never stands twice in memory; of what is not touched there is none.
    bytes.try_reserve_exact(capacity(codec, size.bound())?).map_err(corrupt(codec))?;
    decoder.take(size.bound().saturating_add(1)).read_to_end(&mut bytes).map_err(corrupt(codec))?;
    if matches!(size, Size::AtMost(_)) {
        bytes.shrink_to_fit();
    }
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
        (Size::AtMost(_), None) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(encoded).map_err(corrupt(codec))?;
            return read_bounded(codec, decoder, size);
        }
        (Size::Exactly(bytes), _) => bytes,
    };
    let bytes = zstd_contexts::decompress(encoded, capacity(codec, room)?).map_err(corrupt(codec))?;
    size.check_decoded(codec, bytes)
}
