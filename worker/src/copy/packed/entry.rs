//! Entries of fixed size: where a block lies in its object, in the object's table and in the rows of the index. Each
//! ends in its own crc32c, so that a damaged table is noticed where it is read.

use rechunk_common::{
    ids::{Epoch, LeaseId},
    plan::{ROW_ENTRY_BYTES, TABLE_ENTRY_BYTES},
};

/// A block in its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) length: u64,
    /// Their crc32c.
    pub(crate) crc: u32,
}

/// A block and the object that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowEntry {
    /// The lease under which the object was written.
    pub(crate) lease: LeaseId,
    /// The block.
    pub(crate) block: BlockEntry,
}

const BLOCK: usize = 24;
const ROW: usize = 40;
const _: () = assert!(BLOCK as u64 == TABLE_ENTRY_BYTES && ROW as u64 == ROW_ENTRY_BYTES);

impl BlockEntry {
    /// As it stands in a table.
    pub(crate) fn encode(self) -> [u8; BLOCK] {
        let mut bytes = [0; BLOCK];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.crc.to_le_bytes());
        sealed(bytes)
    }

    /// `None` where `bytes` are not what was written.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let content = intact(bytes, BLOCK)?;
        Some(Self { offset: number(content, 0)?, length: number(content, 8)?, crc: short(content, 16)? })
    }
}

impl RowEntry {
    /// As it stands in a row.
    pub(crate) fn encode(self) -> [u8; ROW] {
        let mut bytes = [0; ROW];
        bytes[..8].copy_from_slice(&self.lease.epoch.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.lease.counter.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.block.offset.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.block.length.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.block.crc.to_le_bytes());
        sealed(bytes)
    }

    /// `None` where `bytes` are not what was written.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let content = intact(bytes, ROW)?;
        let lease = LeaseId { epoch: Epoch(number(content, 0)?), counter: number(content, 8)? };
        let block = BlockEntry { offset: number(content, 16)?, length: number(content, 24)?, crc: short(content, 32)? };
        Some(Self { lease, block })
    }
}

/// With the crc32c of the rest in the last four bytes.
fn sealed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    let (content, seal) = bytes.split_at_mut(N - 4);
    seal.copy_from_slice(&crc32c::crc32c(content).to_le_bytes());
    bytes
}

/// What stands before the seal of the entry that `bytes` begin with, if it is intact.
fn intact(bytes: &[u8], length: usize) -> Option<&[u8]> {
    let (content, seal) = bytes.get(..length)?.split_at_checked(length.checked_sub(4)?)?;
    (seal == crc32c::crc32c(content).to_le_bytes()).then_some(content)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_and_every_flipped_bit_is_noticed() {
        let block = BlockEntry { offset: 0x0102_0304_0506_0708, length: 77, crc: 0x9abc_def0 };
        let row = RowEntry { lease: LeaseId { epoch: Epoch(3), counter: u64::MAX }, block };
        assert_eq!(BlockEntry::decode(&block.encode()), Some(block));
        assert_eq!(RowEntry::decode(&row.encode()), Some(row));
        for bit in 0..BLOCK * 8 {
            let mut flipped = block.encode();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(BlockEntry::decode(&flipped), None, "bit {bit}");
        }
        for bit in 0..ROW * 8 {
            let mut flipped = row.encode();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RowEntry::decode(&flipped), None, "bit {bit}");
        }
        for length in 0..BLOCK {
            assert_eq!(BlockEntry::decode(&block.encode()[..length]), None);
        }
    }

    #[test]
    fn nothing_but_zeros_is_no_entry() {
        assert_eq!(BlockEntry::decode(&[0; BLOCK]), None);
        assert_eq!(RowEntry::decode(&[0; ROW]), None);
    }
}
