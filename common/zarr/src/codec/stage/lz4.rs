//! numcodecs' lz4: the decoded length in four bytes, little-endian, then one block.

use bytes::Bytes;

use super::{Size, capacity, corrupt};
use crate::CodecError;

const CODEC: &str = "lz4";
/// Bytes before the block.
pub(super) const HEADER_BYTES: u64 = 4;

pub(super) fn encode(decoded: &[u8]) -> Result<Vec<u8>, CodecError> {
    let declared = u32::try_from(decoded.len()).map_err(super::fault(CODEC))?;
    let header = declared.to_le_bytes();
    let room = lz4_flex::block::get_maximum_output_size(decoded.len());
    let mut encoded = vec![0; room.saturating_add(header.len())];
    let (head, block) = encoded.split_at_mut(header.len());
    head.copy_from_slice(&header);
    let written = lz4_flex::block::compress_into(decoded, block).map_err(super::fault(CODEC))?;
    encoded.truncate(written.saturating_add(header.len()));
    Ok(encoded)
}

pub(super) fn decode(encoded: &[u8], size: Size) -> Result<Bytes, CodecError> {
    let Some((header, block)) = encoded.split_first_chunk::<4>() else {
        return Err(CodecError::Corrupt { codec: CODEC, problem: "shorter than its header".to_owned() });
    };
    let declared = u64::from(u32::from_le_bytes(*header));
    size.check_declared(CODEC, declared)?;
    let mut decoded = vec![0; capacity(CODEC, declared)?];
    let written = lz4_flex::block::decompress_into(block, &mut decoded).map_err(corrupt(CODEC))?;
    if written != decoded.len() {
        decoded.truncate(written);
        let found = super::super::length(&decoded);
        return Err(CodecError::DecodedSize { codec: CODEC, found, expected: declared });
    }
    Ok(Bytes::from(decoded))
}
