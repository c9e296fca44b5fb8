use proptest::prelude::*;

use rechunk_common::ByteCount;
use rechunk_zarr::Descriptor;

use super::*;
use crate::{
    copy::heap::Heap,
    memory::{BufferPool, TaskMemory},
};

const CODECS: [ExchangeCodec; 2] = [ExchangeCodec::Lz4, ExchangeCodec::Zstd];

/// Values that grow slowly: what a shuffle is for.
fn smooth(count: usize, width: usize) -> Vec<u8> {
    (0..count as u64).flat_map(|n| (n * 3 / 7).to_le_bytes().into_iter().cycle().take(width)).collect()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

fn stored(block: &PackedBlock) -> Bytes {
    let bytes: Vec<u8> = block.parts.iter().flatten().copied().collect();
    assert_eq!((block.length, block.crc), (bytes.len() as u64, crc32c::crc32c(&bytes)));
    Bytes::from(bytes)
}

#[test]
fn blocks_of_every_width_come_back_and_smooth_ones_shrink() {
    for codec in CODECS {
        for width in [1, 2, 3, 4, 5, 8, 16, 24, 64, 65, 100] {
            for count in [1, 2, 17, 1000, 70_001] {
                let elements = smooth(count, width);
                let packer = Packer::new(codec, width);
                let block = packer.pack(&elements, Presence::Stored).expect("packed");
                assert!(block.is_some() || count < 2000, "{codec:?} {width} {count}");
                let Some(block) = block else { continue };
                assert!(block.length <= elements.len() as u64, "{codec:?} {width} {count}");
                let bytes = stored(&block);
                assert!(is_compressed(&bytes));
                let (back, presence) = packer.unpack(&bytes, elements.len()).expect("unpacked");
                assert!(back == elements && presence == Presence::Stored, "{codec:?} {width} {count}");
            }
        }
    }
}

#[test]
fn what_does_not_shrink_is_stored_as_it_is() {
    for codec in CODECS {
        for length in [4, 1000, 300_000] {
            let elements = noise(length);
            let packer = Packer::new(codec, 4);
            assert_eq!(packer.pack(&elements, Presence::Stored).expect("packed"), None);
            let block = stored(&PackedBlock::raw(Bytes::from(elements.clone()), Presence::Missing));
            assert_eq!(block.len(), length + 1);
            assert!(!is_compressed(&block));
            let (back, presence) = packer.unpack(&block, length).expect("unpacked");
            assert!(back == elements && presence == Presence::Missing);
        }
    }
}

#[test]
fn a_tile_that_does_not_shrink_stands_among_others_that_do() {
    for codec in CODECS {
        let packer = Packer::new(codec, 4);
        let mut elements = vec![7; packer.tile * 2];
        elements.extend(noise(packer.tile));
        elements.extend([1, 2, 3, 4]);
        let block = stored(&packer.pack(&elements, Presence::Stored).expect("packed").expect("shorter"));
        assert!(block.len() > packer.tile && block.len() < packer.tile + packer.tile / 4);
        assert!(packer.unpack(&block, elements.len()).expect("unpacked").0 == elements);
    }
}

#[test]
fn a_block_of_another_length_is_refused() {
    for codec in CODECS {
        let packer = Packer::new(codec, 4);
        let elements = smooth(5000, 4);
        let block = stored(&packer.pack(&elements, Presence::Stored).expect("packed").expect("shorter"));
        for length in [0, 4, elements.len() - 4, elements.len() + 4, elements.len() * 2] {
            assert_eq!(packer.unpack(&block, length), None, "{length}");
        }
        for cut in [0, 1, 3, 5, block.len() / 2, block.len() - 1] {
            assert_eq!(packer.unpack(&block.slice(..cut), elements.len()), None, "cut to {cut}");
        }
    }
}

/// Calls `with` with these elements as a target has them.
fn with_values<T>(elements: &[Vec<u8>], with: impl FnOnce(&Values) -> T) -> T {
    let memory = TaskMemory::new(ByteCount(1 << 30), std::sync::Arc::new(BufferPool::new(ByteCount(0))), None);
    let mut heap = Heap::new(memory.try_reserve(0).expect("nothing"));
    heap.begin(elements.iter().map(|element| element.len() as u64).sum()).expect("small");
    let descriptors: Vec<u8> = elements.iter().flat_map(|element| heap.push(element).to_bytes()).collect();
    with(&Values::new(&descriptors, &heap))
}

/// The block as a reading task writes it, and what came back.
fn there_and_back(codec: ExchangeCodec, elements: &[Vec<u8>]) -> (Bytes, Vec<Vec<u8>>) {
    let packer = Packer::new(codec, 1);
    let block = with_values(elements, |values| {
        let shorter = packer.pack_values(values, Presence::Missing).expect("packed");
        let whole = u64::from(values.bytes().expect("small"));
        assert!(shorter.as_ref().is_none_or(|block| block.length <= whole), "no longer than it is raw");
        shorter.unwrap_or_else(|| PackedBlock::raw(values.serialized().expect("small").into(), Presence::Missing))
    });
    let bytes = stored(&block);
    let whole = elements.iter().map(|element| 4 + element.len() as u64).sum();
    assert_eq!(values_bytes(&bytes), Some(whole));
    let (chunk, presence) = packer.unpack_values(&bytes, elements.len() as u64).expect("unpacked");
    assert_eq!(presence, Presence::Missing);
    let of = |bytes: &[u8; 8]| Descriptor::of_bytes(*bytes).of_heap(&chunk.heap).expect("in the heap").to_vec();
    (bytes, chunk.descriptors.as_chunks().0.iter().map(of).collect())
}

#[test]
fn text_of_many_tiles_shrinks_and_comes_back_and_noise_stays_as_it_is() {
    let words: Vec<Vec<u8>> = (0..60_000_u32).map(|n| format!("sample {} of {n}", n % 7).into_bytes()).collect();
    let random: Vec<Vec<u8>> = noise(400_000).chunks(40_000).map(<[u8]>::to_vec).collect();
    for codec in CODECS {
        let (block, back) = there_and_back(codec, &words);
        assert!(back == words && is_compressed(&block), "{codec:?}");
        assert!(block.len() * 2 < words.concat().len(), "{codec:?}: {} bytes", block.len());
        let (block, back) = there_and_back(codec, &random);
        assert!(back == random && !is_compressed(&block), "{codec:?}");
    }
    let (block, back) = there_and_back(ExchangeCodec::None, &words);
    assert!(back == words && !is_compressed(&block));
}

#[test]
fn a_block_of_text_that_is_cut_or_of_another_number_of_elements_is_refused() {
    let words: Vec<Vec<u8>> = (0..3000_u32).map(|n| format!("word {n}").into_bytes()).collect();
    for codec in [ExchangeCodec::Lz4, ExchangeCodec::Zstd, ExchangeCodec::None] {
        let packer = Packer::new(codec, 1);
        let (block, _) = there_and_back(codec, &words);
        for count in [0, 1, 2999, 3001, u64::MAX] {
            assert_eq!(packer.unpack_values(&block, count), None, "{count}");
        }
        for cut in [0, 1, 3, 5, block.len() / 2, block.len() - 1] {
            assert_eq!(packer.unpack_values(&block.slice(..cut), 3000), None, "cut to {cut}");
        }
    }
}

proptest! {
    #[test]
    fn any_elements_of_variable_length_come_back(
        elements in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..40),
    ) {
        for codec in [ExchangeCodec::Lz4, ExchangeCodec::Zstd, ExchangeCodec::None] {
            prop_assert_eq!(&there_and_back(codec, &elements).1, &elements);
        }
    }

    #[test]
    fn hostile_blocks_are_refused_or_decode_to_what_was_asked_for(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_usize..300, width in 1_usize..9,
    ) {
        for codec in CODECS {
            if let Some(header) = bytes.first_mut() {
                *header |= COMPRESSED;
                *header &= STORED | COMPRESSED;
            }
            if let Some((elements, _)) = Packer::new(codec, width).unpack(&Bytes::from(bytes.clone()), length) {
                prop_assert_eq!(elements.len(), length);
            }
        }
    }

    #[test]
    fn flipped_bits_never_ask_for_more_than_the_block(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        for codec in CODECS {
            let packer = Packer::new(codec, 4);
            let elements = smooth(500, 4);
            let block = packer.pack(&elements, Presence::Stored).expect("packed").expect("shorter");
            let mut bytes = stored(&block).to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(crc32c::crc32c(&bytes), block.crc);
            if let Some((elements, _)) = packer.unpack(&Bytes::from(bytes), elements.len()) {
                prop_assert_eq!(elements.len(), 2000);
            }
        }
    }
}
