//! Checksums around a chunk. The content is neither changed nor, on decoding, copied.

use bytes::Bytes;

use crate::{
    CodecError,
    chain::{Checksum, ChecksumKind, Place},
};

/// Bytes of every checksum.
pub(super) const CHECKSUM_BYTES: u64 = 4;
/// Words that HDF5's fletcher32 sums up before it folds the carries.
const FLETCHER_BLOCK: usize = 360;

impl Checksum {
    fn of(self, content: &[u8]) -> u32 {
        match self.kind {
            ChecksumKind::Crc32 => crc32fast::hash(content),
            ChecksumKind::Crc32c => crc32c::crc32c(content),
            ChecksumKind::Adler32 => simd_adler32::adler32(&content),
            ChecksumKind::Fletcher32 => fletcher32(content),
        }
    }
}

pub(super) fn encode(checksum: Checksum, decoded: Vec<u8>) -> Vec<u8> {
    let bytes = checksum.of(&decoded).to_le_bytes();
    let mut encoded = decoded;
    match checksum.place {
        Place::Start => {
            encoded.splice(0..0, bytes);
        }
        Place::End => encoded.extend_from_slice(&bytes),
    }
    encoded
}

pub(super) fn decode(checksum: Checksum, encoded: &Bytes) -> Result<Bytes, CodecError> {
    let codec = checksum.kind.as_str();
    let split = match checksum.place {
        Place::Start => encoded.split_first_chunk::<4>().map(|(stored, content)| (*stored, content)),
        Place::End => encoded.split_last_chunk::<4>().map(|(content, stored)| (*stored, content)),
    };
    let Some((stored, content)) = split else {
        return Err(CodecError::Corrupt { codec, problem: "shorter than its checksum".to_owned() });
    };
    if checksum.of(content).to_le_bytes() != stored {
        return Err(CodecError::Checksum { codec });
    }
    Ok(encoded.slice_ref(content))
}

/// As HDF5 computes it (`H5_checksum_fletcher32`): two sums over big-endian words of two bytes, an odd byte at the end
/// counting as the upper half of one.
fn fletcher32(content: &[u8]) -> u32 {
    let (words, odd) = content.as_chunks::<2>();
    let fold = |sum: u32| (sum & 0xffff).wrapping_add(sum >> 16);
    let (mut first, mut second) = (0_u32, 0_u32);
    for block in words.chunks(FLETCHER_BLOCK) {
        for word in block {
            first = first.wrapping_add(u32::from(u16::from_be_bytes(*word)));
            second = second.wrapping_add(first);
        }
        (first, second) = (fold(first), fold(second));
    }
    if let [last] = odd {
        first = first.wrapping_add(u32::from(*last) << 8);
        second = second.wrapping_add(first);
        (first, second) = (fold(first), fold(second));
    }
    (fold(second) << 16) | fold(first)
}
