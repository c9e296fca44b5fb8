//! What a raw exchange object is made of; a packed one is in `packed.rs`. Blocks stand in C order of the writing tasks that overlap the reading task's
//! box; offsets are arithmetic (`rechunk_common::plan::Exchange`). A block is its elements in C order, then four
//! bytes: the crc32c, little-endian, of the elements followed by one *presence byte*, which itself is not stored:
//! 1 where any element is stored in the source, 0 where all of them are missing. A reader tries both, so that it
//! learns with the checksum whether a block is nothing but gaps; that keeps missing chunks missing on the far side.

use bytes::Bytes;
use rechunk_common::plan::BLOCK_TRAILER_BYTES;

/// Whether any element of a block is stored in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// At least one is.
    Stored,
    /// All elements are missing.
    Missing,
}

impl Presence {
    /// 1 or 0.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Stored => 1,
            Self::Missing => 0,
        }
    }
}

/// What stands after a block of `elements`.
pub(crate) fn trailer(elements: &[u8], presence: Presence) -> [u8; 4] {
    crc32c::crc32c_append(crc32c::crc32c(elements), &[presence.byte()]).to_le_bytes()
}

/// The elements of `block` (elements and trailer) if they are what was written; `None` where the checksum fails.
pub(crate) fn checked_block(block: &Bytes) -> Option<(Bytes, Presence)> {
    let trailer_bytes = usize::try_from(BLOCK_TRAILER_BYTES).ok()?;
    let elements = block.slice(..block.len().checked_sub(trailer_bytes)?);
    let trailer = block.get(elements.len()..)?;
    let of_elements = crc32c::crc32c(&elements);
    [Presence::Stored, Presence::Missing]
        .into_iter()
        .find(|presence| crc32c::crc32c_append(of_elements, &[presence.byte()]).to_le_bytes() == trailer)
        .map(|presence| (elements, presence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_tells_presence_and_every_flipped_bit() {
        for presence in [Presence::Stored, Presence::Missing] {
            let mut block = b"elements".to_vec();
            block.extend(trailer(b"elements", presence));
            let intact = Bytes::from(block.clone());
            assert_eq!(checked_block(&intact), Some((Bytes::from_static(b"elements"), presence)));
            for bit in 0..block.len() * 8 {
                let mut flipped = block.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(checked_block(&Bytes::from(flipped)), None, "bit {bit}");
            }
        }
        assert_eq!(checked_block(&Bytes::from_static(b"abc")), None);
    }
}
