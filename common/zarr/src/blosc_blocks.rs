//! A part of a blosc buffer as a blosc buffer of its own: the blocks that overlap some decoded bytes, behind a header
//! that says so. Whoever reads local files needs no more of them than its head and these blocks.
//!
//! A buffer is a header of 16 bytes, where each block begins, and the blocks; a buffer that did not get smaller is the
//! header and the bytes as they were (c-blosc 1, README_HEADER). What looks otherwise is not taken apart.

use std::ops::Range;

/// Where the flags stand, and the three lengths: decoded, of a block, encoded.
const FLAGS: usize = 2;
const LENGTHS: usize = 4;
const HEADER: usize = 16;

/// The flag of a buffer that was only copied.
const COPIED: u8 = 0x2;

/// What to read of a buffer, and what that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BloscBlocks {
    /// The header and the places of the blocks, as they must stand before what is read.
    pub head: Vec<u8>,
    /// Bytes of the buffer that follow them.
    pub rest: Range<u64>,
    /// The decoded bytes that this makes.
    pub part: Range<usize>,
}

impl BloscBlocks {
    /// So many bytes from the beginning of a buffer tell where the blocks of all but the largest are.
    pub const HEAD_BYTES: u64 = 1024;

    /// The blocks that overlap the bytes `part` of the `decoded` ones, from the first bytes of a buffer of `size` bytes;
    /// `None` where they are most of it, or where the buffer must be read whole to find what it is.
    pub fn select(beginning: &[u8], size: u64, decoded: u64, part: &Range<usize>) -> Option<Self> {
        let header = beginning.first_chunk::<HEADER>()?;
        let [length, block, stored] = lengths(header)?;
        let is_sound = length as u64 == decoded && stored as u64 == size && block > 0 && block <= length;
        if !is_sound || part.start >= part.end || part.end > length {
            return None;
        }
        if header[FLAGS] & COPIED != 0 {
            return Self::of_copy(header, block, part).filter(|_| stored == length.saturating_add(HEADER));
        }
        let count = length.div_ceil(block);
        let starts = starts(beginning.get(HEADER..)?, count, stored)?;
        let (mut first, end) = (part.start / block, part.end.div_ceil(block));
        let has_short_end = !length.is_multiple_of(block) && end == count;
        // A short block alone would count as a whole one, and those are laid out differently.
        if has_short_end && end.checked_sub(first)? == 1 {
            first = first.checked_sub(1)?;
        }
        let chosen = starts.get(first..end)?;
        if chosen.len().checked_mul(4)? > count.checked_mul(3)? {
            return None;
        }
        let from = *chosen.first()?;
        let to = starts.get(end).copied().unwrap_or(stored);
        let bytes = first.checked_mul(block)?..end.checked_mul(block)?.min(length);
        let shift = HEADER.checked_add(chosen.len().checked_mul(4)?)?;
        let encoded = shift.checked_add(to.checked_sub(from)?)?;
        let mut head = header_of(header, [bytes.len(), block, encoded])?;
        for start in chosen {
            let start = start.checked_sub(from)?.checked_add(shift)?;
            head.extend_from_slice(&u32::try_from(start).ok()?.to_le_bytes());
        }
        Some(Self { head, rest: from as u64..to as u64, part: bytes })
    }

    fn of_copy(header: &[u8; HEADER], block: usize, part: &Range<usize>) -> Option<Self> {
        let encoded = part.len().checked_add(HEADER)?;
        let head = header_of(header, [part.len(), block.min(part.len()), encoded])?;
        let rest = part.start.checked_add(HEADER)? as u64..part.end.checked_add(HEADER)? as u64;
        Some(Self { head, rest, part: part.clone() })
    }
}

/// Decoded length, length of a block, and encoded length.
fn lengths(header: &[u8; HEADER]) -> Option<[usize; 3]> {
    let mut lengths = [0; 3];
    for (length, field) in lengths.iter_mut().zip(header.get(LENGTHS..)?.chunks_exact(4)) {
        *length = usize::try_from(u32::from_le_bytes(*field.first_chunk::<4>()?)).ok()?;
    }
    Some(lengths)
}

/// Where `count` blocks begin, if each begins after the one before it.
fn starts(places: &[u8], count: usize, stored: usize) -> Option<Vec<usize>> {
    let places = places.get(..count.checked_mul(4)?)?;
    let mut before = HEADER.checked_add(places.len())?;
    let mut starts = Vec::with_capacity(count);
    for place in places.chunks_exact(4) {
        let start = usize::try_from(u32::from_le_bytes(*place.first_chunk::<4>()?)).ok()?;
        if start < before || start >= stored {
            return None;
        }
        before = start.checked_add(1)?;
        starts.push(start);
    }
    Some(starts)
}

fn header_of(header: &[u8; HEADER], lengths: [usize; 3]) -> Option<Vec<u8>> {
    let mut head = header.get(..LENGTHS)?.to_vec();
    for length in lengths {
        head.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    }
    Some(head)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use rechunk_common::layout::ElementType;

    use super::*;
    use crate::ChunkCodec;

    fn codec(elements: u64, shuffle: &str, block: u64, level: u8) -> ChunkCodec {
        let blosc = format!(
            r#"[{{"name":"bytes","configuration":{{"endian":"little"}}}},{{"name":"blosc","configuration":{{
            "cname":"lz4","clevel":{level},"shuffle":"{shuffle}","typesize":4,"blocksize":{block}}}}}]"#
        );
        let element = ElementType { data_type: "uint32".to_owned(), width: 4 };
        ChunkCodec::new(&blosc, &element, &[elements], &[0; 4]).unwrap()
    }

    fn cut(buffer: &[u8], decoded: u64, part: &Range<usize>) -> Option<(Vec<u8>, Range<usize>)> {
        let beginning = &buffer[..buffer.len().min(usize::try_from(BloscBlocks::HEAD_BYTES).unwrap())];
        let blocks = BloscBlocks::select(beginning, buffer.len() as u64, decoded, part)?;
        let rest = usize::try_from(blocks.rest.start).unwrap()..usize::try_from(blocks.rest.end).unwrap();
        Some(([&blocks.head, &buffer[rest]].concat(), blocks.part))
    }

    proptest! {
        #[test]
        fn chosen_blocks_are_a_buffer_of_their_own(
            elements in 1_u64..60_000,
            block in prop::sample::select(vec![0_u64, 1 << 10, 4 << 10, 40_000]),
            shuffle in prop::sample::select(vec!["noshuffle", "shuffle", "bitshuffle"]),
            level in prop::sample::select(vec![0_u8, 1, 5, 9]),
            noise in prop::sample::select(vec![1_u64, 255, 1 << 32]),
            (from, to) in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let codec = codec(elements, shuffle, block, level);
            let values = (0..elements).map(|n| n.wrapping_mul(2_654_435_761) % noise);
            let decoded: Vec<u8> = values.flat_map(|value| value.to_le_bytes().into_iter().take(4)).collect();
            let buffer = codec.encode(Cow::Borrowed(&decoded)).unwrap();
            let (from, to) = (from.index(decoded.len()), to.index(decoded.len()));
            let part = from.min(to)..from.max(to) + 1;
            if let Some((own, of)) = cut(&buffer, codec.decoded_bytes(), &part) {
                prop_assert!(of.start <= part.start && part.end <= of.end);
                prop_assert!(own.len() < buffer.len());
                let bytes = codec.decode_blocks(&own.into(), of.len()).unwrap();
                prop_assert_eq!(&bytes[..], &decoded[of]);
            }
        }
    }

    #[test]
    fn a_block_of_many_is_read_alone() {
        let codec = codec(64 << 10, "shuffle", 16 << 10, 5);
        let decoded: Vec<u8> = (0..64_u32 << 10).flat_map(u32::to_le_bytes).collect();
        let buffer = codec.encode(Cow::Borrowed(&decoded)).unwrap();
        let block = {
            let header = buffer.first_chunk::<HEADER>().unwrap();
            lengths(header).unwrap()[1]
        };
        let part = 3 * block + 5..4 * block - 5;
        let (own, of) = cut(&buffer, codec.decoded_bytes(), &part).expect("a part");
        assert_eq!(of, 3 * block..4 * block);
        assert!(own.len() * 2 < buffer.len(), "{} of {}", own.len(), buffer.len());
        assert_eq!(codec.decode_blocks(&own.into(), of.len()).unwrap(), decoded[of]);
    }

    #[test]
    fn what_does_not_add_up_is_read_whole() {
        let codec = codec(64 << 10, "shuffle", 16 << 10, 5);
        let decoded: Vec<u8> = (0..64_u32 << 10).flat_map(u32::to_le_bytes).collect();
        let buffer = codec.encode(Cow::Borrowed(&decoded)).unwrap().to_vec();
        let (size, length) = (buffer.len() as u64, codec.decoded_bytes());
        assert!(BloscBlocks::select(&buffer, size, length, &(0..10)).is_some());
        assert_eq!(BloscBlocks::select(&buffer, size + 1, length, &(0..10)), None, "another size");
        assert_eq!(BloscBlocks::select(&buffer, size, length - 1, &(0..10)), None, "another length");
        assert_eq!(BloscBlocks::select(&buffer[..20], size, length, &(0..10)), None, "the places are not all there");
        assert_eq!(BloscBlocks::select(&buffer, size, length, &(0..decoded.len())), None, "all of it");
        let mut swapped = buffer.clone();
        let (first, second) = swapped[HEADER..HEADER + 8].split_at_mut(4);
        first.swap_with_slice(second);
        assert_eq!(BloscBlocks::select(&swapped, size, length, &(0..10)), None, "blocks in another order");
    }
}
