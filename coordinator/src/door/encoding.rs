//! How long encoded chunks can be, and which chunks are too long to be encoded at all.

use rechunk_common::{
    ByteCount, Refusal,
    layout::{ArrayLayout, ChunkLayout},
    limits::{MAX_BLOSC_BUFFER, MAX_CHUNK_BYTES, MAX_LZ4_BUFFER},
};
use rechunk_planner::EncodedBound;
use rechunk_zarr::{ChunkCodec, MetadataError, ShardCodec};

use super::refusals;

/// The longest that an encoded chunk (inner chunk where sharded) and a shard's index can be. Makes the codec chain:
/// what that refuses, a worker could not run.
pub(super) fn bound(layout: &ArrayLayout) -> Result<EncodedBound, MetadataError> {
    let (chunk, shard_index) = match ShardCodec::new(&layout.chunks, &layout.element, &layout.fill)? {
        Some(shard) => (shard.inner().worst_encoded_bytes(), shard.index_bytes()),
        None => match &layout.chunks {
            ChunkLayout::Plain { chunk_shape, codecs } | ChunkLayout::Sharded { chunk_shape, codecs, .. } => {
                (ChunkCodec::new(codecs, &layout.element, chunk_shape, &layout.fill)?.worst_encoded_bytes(), 0)
            }
        },
    };
    Ok(EncodedBound { chunk: ByteCount(chunk), shard_index: ByteCount(shard_index) })
}

/// Refuses chunks (inner chunks where sharded) beyond the limit of every codec. `url` is the array's.
pub(super) fn refuse_oversized(width: u64, chunk: &[u64], field: &str, url: &str) -> Result<(), Refusal> {
    if decoded_bytes(width, chunk).is_some_and(|bytes| bytes <= MAX_CHUNK_BYTES) {
        return Ok(());
    }
    let message = format!("a chunk {chunk:?} of {url} would be over {MAX_CHUNK_BYTES} decoded; choose smaller chunks");
    Err(refusals::over_limit(field, "MAX_CHUNK_BYTES", message))
}

/// The limit that a chunk passes, where the error says that a codec takes no such buffer.
pub(super) fn codec_limit(error: &MetadataError) -> Option<ByteCount> {
    match error {
        MetadataError::Limit { limit, .. } if *limit == MAX_BLOSC_BUFFER.0 => Some(MAX_BLOSC_BUFFER),
        MetadataError::Limit { limit, .. } if *limit == MAX_LZ4_BUFFER.0 => Some(MAX_LZ4_BUFFER),
        MetadataError::Limit { .. }
        | MetadataError::Corrupt { .. }
        | MetadataError::WrongNode { .. }
        | MetadataError::UnsupportedDataType { .. }
        | MetadataError::UnsupportedCodec { .. }
        | MetadataError::UnsupportedExtension { .. }
        | MetadataError::FillValue { .. }
        | MetadataError::NoTwin { .. }
        | MetadataError::ChunkShape { .. }
        | MetadataError::CodecChoice { .. } => None,
    }
}

/// Refuses a target whose chunks pass what their codec takes at a time.
pub(super) fn over_codec(width: u64, chunk: &[u64], limit: ByteCount, field: &str, url: &str) -> Refusal {
    let bytes = decoded_bytes(width, chunk).map_or_else(|| "too much".to_owned(), |bytes| bytes.to_string());
    Refusal::invalid(
        field,
        "CHUNK_OVER_CODEC_LIMIT",
        format!(
            "a chunk {chunk:?} of target array {url} has {bytes} decoded, and its codec takes {limit} at a time; \
             choose smaller chunks or another codec, such as --codec zstd"
        ),
    )
}

fn decoded_bytes(width: u64, chunk: &[u64]) -> Option<ByteCount> {
    chunk.iter().try_fold(width, |bytes, length| bytes.checked_mul(*length)).map(ByteCount)
}
