//! numcodecs' lzma: streams of liblzma. Memory is bounded on both sides: the encoder's dictionary is never larger than
//! the chunk nor than [`MOST_ENCODER_DICTIONARY`], and a decoder takes no larger one than the highest preset's. A
//! dictionary that is smaller than the preset's is in the stream's header, and any decoder reads it.

use std::io::Write as _;

use bytes::Bytes;
use liblzma::{
    read::XzDecoder,
    stream::{CONCATENATED, Check, Error, Filters, LzmaOptions as Options, Stream},
    write::XzEncoder,
};
use rechunk_common::limits;

use super::{Size, corrupt, fault};
use crate::{
    CodecError, MetadataError,
    chain::{LzmaCheck, LzmaFormat, LzmaOptions, RawLzma},
};

const CODEC: &str = "lzma";
/// An encoder takes about twelve times its dictionary; with this one it fits into what is reserved for codecs.
const MOST_ENCODER_DICTIONARY: u32 = 1 << 20;
/// liblzma's own least.
const LEAST_DICTIONARY: u32 = 4096;
/// What a decoder takes beside its dictionary, rounded up.
const DECODER_BYTES: u64 = 1 << 20;

/// Refuses dictionaries beyond the limit: a raw stream does not say its own, so the decoder could not.
pub(super) fn check(options: &LzmaOptions) -> Result<(), MetadataError> {
    let LzmaFormat::Raw(RawLzma { dict_size: Some(size), .. }) = &options.format else { return Ok(()) };
    let limit = limits::MAX_LZMA_DICTIONARY.0;
    if u64::from(*size) > limit {
        let what = "bytes of the dictionary of codec lzma";
        return Err(MetadataError::Limit { what, value: size.to_string(), limit });
    }
    Ok(())
}

pub(super) fn encode(options: &LzmaOptions, decoded: &[u8]) -> Result<Vec<u8>, CodecError> {
    let stream = encoder(options, decoded.len()).map_err(fault(CODEC))?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(decoded).and_then(|()| encoder.finish()).map_err(fault(CODEC))
}

pub(super) fn decode(options: &LzmaOptions, encoded: &[u8], size: Size) -> Result<Bytes, CodecError> {
    let limit = limits::MAX_LZMA_DICTIONARY.0.saturating_add(DECODER_BYTES);
    let stream = match &options.format {
        LzmaFormat::Xz { .. } => Stream::new_stream_decoder(limit, CONCATENATED),
        LzmaFormat::Alone { .. } => Stream::new_lzma_decoder(limit),
        LzmaFormat::Raw(raw) => raw_options(raw, None).and_then(|options| Stream::new_raw_decoder(&options)),
    };
    let stream = stream.map_err(corrupt(CODEC))?;
    super::read_bounded(CODEC, XzDecoder::new_stream(encoded, stream), size)
}

fn encoder(options: &LzmaOptions, bytes: usize) -> Result<Stream, Error> {
    match &options.format {
        LzmaFormat::Xz { preset, check } => {
            let check = match check {
                LzmaCheck::None => Check::None,
                LzmaCheck::Crc32 => Check::Crc32,
                LzmaCheck::Crc64 => Check::Crc64,
                LzmaCheck::Sha256 => Check::Sha256,
            };
            let mut filters = Filters::new();
            filters.lzma2(&of_preset(*preset, bytes)?);
            Stream::new_stream_encoder(&filters, check)
        }
        LzmaFormat::Alone { preset } => Stream::new_lzma_encoder(&of_preset(*preset, bytes)?),
        LzmaFormat::Raw(raw) => Stream::new_raw_encoder(&raw_options(raw, Some(bytes))?),
    }
}

/// A preset's options with the dictionary that a chunk of `bytes` needs.
fn of_preset(preset: u32, bytes: usize) -> Result<Options, Error> {
    let mut options = Options::new_preset(preset)?;
    options.dict_size(dictionary(dictionary_of_preset(preset), bytes));
    Ok(options)
}

/// As liblzma's presets have it.
fn dictionary_of_preset(preset: u32) -> u32 {
    match preset & 0x1f {
        0 => 1 << 18,
        1 => 1 << 20,
        2 => 1 << 21,
        3 | 4 => 1 << 22,
        5 | 6 => 1 << 23,
        7 => 1 << 24,
        8 => 1 << 25,
        _ => 1 << 26,
    }
}

/// The encoder's dictionary: matches cannot reach farther than the chunk is long.
fn dictionary(wanted: u32, bytes: usize) -> u32 {
    let chunk = bytes.checked_next_power_of_two().and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(u32::MAX);
    wanted.min(chunk).clamp(LEAST_DICTIONARY, MOST_ENCODER_DICTIONARY)
}

/// The chain of a raw stream: to encode `bytes`, or (`None`) to decode.
fn raw_options(raw: &RawLzma, bytes: Option<usize>) -> Result<Filters, Error> {
    let mut options = Options::new_preset(raw.preset)?;
    let wanted = raw.dict_size.unwrap_or(dictionary_of_preset(raw.preset));
    options.dict_size(bytes.map_or(wanted.max(LEAST_DICTIONARY), |bytes| dictionary(wanted, bytes)));
    if let Some(bits) = raw.literal_context_bits {
        options.literal_context_bits(bits);
    }
    if let Some(bits) = raw.literal_position_bits {
        options.literal_position_bits(bits);
    }
    if let Some(bits) = raw.position_bits {
        options.position_bits(bits);
    }
    if let Some(length) = raw.nice_length {
        options.nice_len(length);
    }
    if let Some(depth) = raw.depth {
        options.depth(depth);
    }
    let mut filters = Filters::new();
    for distance in &raw.deltas {
        filters.delta_properties(&[*distance])?;
    }
    if raw.is_lzma2 {
        filters.lzma2(&options);
    } else {
        filters.lzma1(&options);
    }
    Ok(filters)
}
