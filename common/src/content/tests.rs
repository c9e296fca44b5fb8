use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// The definition, word by word.
fn defined(fill: &[u8], first: u64, elements: &[u8]) -> ContentSum {
    let width = fill.len();
    let words = width.div_ceil(4);
    let per_block = (256 / words).max(1) as u64;
    let parts = words.div_ceil(256) as u64;
    let mut sum = ContentSum::default();
    for (index, element) in (first..).zip(elements.chunks(width)) {
        for (at, (word, fill)) in element.chunks(4).zip(fill.chunks(4)).enumerate() {
            let word = little_endian(word) ^ little_endian(fill);
            let word = u64::from(word ^ (word >> 16));
            let (block, place) = if parts > 1 {
                (index * parts + at as u64 / 256, at % 256)
            } else {
                (index / per_block, usize::try_from(index % per_block).expect("small") * words + at)
            };
            sum += ContentSum([0, 1].map(|table| word * u64::from(WEIGHTS[table][place]))).weighed(block);
        }
    }
    sum
}

fn widths() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1_usize), Just(2), Just(4), Just(8), Just(16), 1_usize..40, 1020_usize..1040, Just(2050)]
}

/// A fill value, and some elements, many of which equal it.
fn arrays() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (widths(), any::<bool>()).prop_flat_map(|(width, is_zero)| {
        let fill = prop::collection::vec(if is_zero { 0..1_u8 } else { 0..3_u8 }, width);
        let most = (1200 / width).clamp(3, 600);
        let elements = prop::collection::vec((any::<bool>(), any::<u8>(), 0..width), 0..most);
        (fill, elements).prop_map(move |(fill, elements)| {
            let element = |(is_fill, value, at): (bool, u8, usize)| {
                let mut element = fill.clone();
                element[at] = if is_fill { element[at] } else { value };
                element
            };
            let elements = elements.into_iter().flat_map(element).collect();
            (fill.clone(), elements)
        })
    })
}

proptest! {
    #[test]
    fn runs_add_up_to_what_is_defined_however_they_are_cut_and_ordered(
        (fill, elements) in arrays(),
        first in prop_oneof![0_u64..2000, any::<u32>().prop_map(u64::from), Just(u64::MAX - 5000)],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        is_reversed in any::<bool>(),
    ) {
        let hash = ContentHash::new(&fill);
        let width = fill.len();
        let count = elements.len() / width;
        let cuts: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(count + 1)).chain([0, count]).collect();
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let mut runs: Vec<(usize, usize)> = cuts.windows(2).map(|cut| (cut[0], cut[1])).collect();
        if is_reversed {
            runs.reverse();
        }
        let of_run = |(from, to): (usize, usize)| hash.of_run(first + from as u64, &elements[from * width..to * width]);
        let sum: ContentSum = runs.into_iter().map(of_run).sum();
        prop_assert_eq!(sum, hash.of_run(first, &elements));
        if first < u64::from(u32::MAX) * 2 {
            prop_assert_eq!(sum, defined(&fill, first, &elements));
        }
    }

    #[test]
    fn one_word_that_changes_or_another_place_always_shows((fill, elements) in arrays(), bit in any::<prop::sample::Index>(), first in 0_u64..1000) {
        let hash = ContentHash::new(&fill);
        prop_assume!(!elements.is_empty());
        let sum = hash.of_run(first, &elements);
        let bit = bit.index(elements.len() * 8);
        let mut changed = elements.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(hash.of_run(first, &changed), sum);
        if !sum.is_zero() {
            prop_assert_ne!(hash.of_run(first + 1, &elements), sum, "elements in the places of others");
        }
    }

    #[test]
    fn elements_that_equal_the_fill_value_add_nothing((fill, elements) in arrays(), first in any::<u32>(), count in 0_u64..2000) {
        let hash = ContentHash::new(&fill);
        let first = u64::from(first);
        prop_assert_eq!(hash.of_equal(first, count, &fill), ContentSum::default());
        prop_assert_eq!(hash.of_run(first, &fill.repeat(7)), ContentSum::default());
        let others = elements.chunks(fill.len()).enumerate().filter(|(_, element)| *element != fill);
        let sum: ContentSum = others.map(|(at, element)| hash.of_run(first + at as u64, element)).sum();
        prop_assert_eq!(hash.of_run(first, &elements), sum);
    }

    #[test]
    fn equal_elements_are_summed_as_any((fill, element) in widths().prop_flat_map(|width| (prop::collection::vec(any::<u8>(), width), prop::collection::vec(any::<u8>(), width))), first in 0_u64..2000, count in 0_u64..700) {
        let hash = ContentHash::new(&fill);
        let run = element.repeat(usize::try_from(count).expect("small"));
        prop_assert_eq!(hash.of_equal(first, count, &element), hash.of_run(first, &run));
    }

    #[test]
    fn a_stored_chunk_is_told_from_others_of_other_places_lengths_and_bytes(bytes in prop::collection::vec(any::<u8>(), 0..3000), number in any::<u64>(), at in any::<prop::sample::Index>()) {
        let sum = ContentSum::of_encoded(number, &bytes);
        prop_assert!(!sum.is_zero(), "that it is there counts");
        prop_assert_ne!(ContentSum::of_encoded(number ^ 1, &bytes), sum);
        let longer = [&bytes[..], &[0]].concat();
        prop_assert_ne!(ContentSum::of_encoded(number, &longer), sum);
        if !bytes.is_empty() {
            let mut changed = bytes.clone();
            let bit = at.index(bytes.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(ContentSum::of_encoded(number, &changed), sum);
            prop_assert_ne!(ContentSum::of_encoded(number, &bytes[..bytes.len() - 1]), sum);
        }
    }
}

#[test]
fn elements_are_bits_whatever_numbers_they_are() {
    let hash = ContentHash::new(&0.0_f64.to_le_bytes());
    let sums = [0.0_f64, -0.0, f64::NAN, -f64::NAN, f64::from_bits(f64::NAN.to_bits() | 1), 1.0];
    let sums: BTreeSet<(u64, u64)> = sums.iter().map(|value| hash.of_run(3, &value.to_le_bytes()).halves()).collect();
    assert_eq!(sums.len(), 6);
    assert!(hash.of_run(3, &0.0_f64.to_le_bytes()).is_zero());
}

#[test]
fn elements_that_change_places_show_also_in_whole_blocks() {
    // Two blocks of equal length, and two pairs of elements that lie alike in both.
    let hash = ContentHash::new(&[0; 4]);
    let elements: Vec<u8> = (0..1024_u32).flat_map(|value| (value % 7 + 1).to_le_bytes()).collect();
    let sum = hash.of_run(0, &elements);
    let mut turned = elements.clone();
    turned.rotate_left(1024);
    assert_ne!(hash.of_run(0, &turned), sum, "blocks that changed places");
    let mut swapped = elements.clone();
    for block in [0, 1024] {
        for byte in 0..4 {
            swapped.swap(block + byte, block + 40 + byte);
        }
    }
    assert_ne!(hash.of_run(0, &swapped), sum, "the same pair in two blocks");
}

#[test]
fn halves_make_the_sum_again() {
    let sum = ContentHash::new(&[0]).of_run(5, &[1, 2, 3]);
    let (low, high) = sum.halves();
    assert_eq!(ContentSum::of_halves(low, high), sum);
    assert!(low != 0 && high != 0);
}
