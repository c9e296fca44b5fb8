//! The byte shuffle: the first bytes of all elements, then the second bytes, and so on. Neighbouring elements often
//! differ in their last bytes only; side by side, the others compress.

/// Elements wider than this are left as they are: a structure's bytes have little to do with its neighbours'.
const WIDEST: usize = 64;

/// Whether elements of `width` bytes are shuffled.
pub(super) fn applies_to(width: usize) -> bool {
    (2..=WIDEST).contains(&width)
}

/// Shuffles whole elements of `width` bytes into `to`, which is as long.
pub(super) fn shuffle(elements: &[u8], width: usize, to: &mut [u8]) {
    match width {
        2 => shuffle_by::<2>(elements, to),
        4 => shuffle_by::<4>(elements, to),
        8 => shuffle_by::<8>(elements, to),
        16 => shuffle_by::<16>(elements, to),
        _ => {
            let count = elements.len().checked_div(width).unwrap_or(0);
            for (at, element) in elements.chunks_exact(width.max(1)).enumerate() {
                for (byte, value) in element.iter().enumerate() {
                    if let Some(place) = to.get_mut(byte * count + at) {
                        *place = *value;
                    }
                }
            }
        }
    }
}

/// The reverse of [`shuffle`].
pub(super) fn unshuffle(shuffled: &[u8], width: usize, to: &mut [u8]) {
    match width {
        2 => unshuffle_by::<2>(shuffled, to),
        4 => unshuffle_by::<4>(shuffled, to),
        8 => unshuffle_by::<8>(shuffled, to),
        16 => unshuffle_by::<16>(shuffled, to),
        _ => {
            let count = shuffled.len().checked_div(width).unwrap_or(0);
            for (at, element) in to.chunks_exact_mut(width.max(1)).enumerate() {
                for (byte, place) in element.iter_mut().enumerate() {
                    if let Some(value) = shuffled.get(byte * count + at) {
                        *place = *value;
                    }
                }
            }
        }
    }
}

/// Elements that are turned around together: a square that stays in registers.
const TOGETHER: usize = 16;

fn shuffle_by<const W: usize>(elements: &[u8], to: &mut [u8]) {
    let (elements, _) = elements.as_chunks::<W>();
    let count = elements.len();
    let (groups, rest) = elements.as_chunks::<TOGETHER>();
    for (group, at) in groups.iter().zip((0..).step_by(TOGETHER)) {
        for byte in 0..W {
            let mut run = [0; TOGETHER];
            for (value, element) in run.iter_mut().zip(group) {
                *value = element[byte];
            }
            if let Some(place) = to.get_mut(byte * count + at..).and_then(<[u8]>::first_chunk_mut::<TOGETHER>) {
                *place = run;
            }
        }
    }
    for (element, at) in rest.iter().zip(groups.len() * TOGETHER..) {
        for (byte, value) in element.iter().enumerate() {
            if let Some(place) = to.get_mut(byte * count + at) {
                *place = *value;
            }
        }
    }
}

fn unshuffle_by<const W: usize>(shuffled: &[u8], to: &mut [u8]) {
    let (elements, _) = to.as_chunks_mut::<W>();
    let count = elements.len();
    let (groups, rest) = elements.as_chunks_mut::<TOGETHER>();
    let first_of_rest = groups.len() * TOGETHER;
    for (group, at) in groups.iter_mut().zip((0..).step_by(TOGETHER)) {
        for byte in 0..W {
            let run = shuffled.get(byte * count + at..).and_then(<[u8]>::first_chunk::<TOGETHER>);
            let run = run.copied().unwrap_or_default();
            for (element, value) in group.iter_mut().zip(run) {
                element[byte] = value;
            }
        }
    }
    for (element, at) in rest.iter_mut().zip(first_of_rest..) {
        for (byte, place) in element.iter_mut().enumerate() {
            if let Some(value) = shuffled.get(byte * count + at) {
                *place = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_byte_goes_to_its_plane_and_comes_back(
            width in prop_oneof![Just(2_usize), Just(4), Just(8), Just(16), 1_usize..20],
            count in 0_usize..70, seed in any::<u64>(),
        ) {
            let value = |at: usize| u8::try_from((seed.wrapping_mul(at as u64 + 1) >> 40) & 0xff).expect("a byte");
            let elements: Vec<u8> = (0..width * count).map(value).collect();
            let mut shuffled = vec![0; elements.len()];
            shuffle(&elements, width, &mut shuffled);
            for element in 0..count {
                for byte in 0..width {
                    prop_assert_eq!(shuffled[byte * count + element], elements[element * width + byte]);
                }
            }
            let mut back = vec![0; elements.len()];
            unshuffle(&shuffled, width, &mut back);
            prop_assert_eq!(back, elements);
        }
    }
}
