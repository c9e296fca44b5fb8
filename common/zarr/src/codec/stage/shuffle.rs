//! numcodecs' byte shuffle: the bytes of elements by their place in an element.

/// The first bytes of all elements, then the second ones, and so on.
pub(super) fn shuffle(bytes: &[u8], element: usize) -> Vec<u8> {
    match element {
        2 => return shuffle_by::<2>(bytes),
        4 => return shuffle_by::<4>(bytes),
        8 => return shuffle_by::<8>(bytes),
        _ => {}
    }
    let count = bytes.len().checked_div(element).unwrap_or_default();
    let mut shuffled = Vec::with_capacity(bytes.len());
    for byte in 0..element {
        shuffled.extend(bytes.iter().skip(byte).step_by(element).take(count));
    }
    shuffled
}

/// Constant widths let the compiler move many bytes at a time.
fn shuffle_by<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let elements = bytes.as_chunks::<N>().0;
    let mut shuffled = Vec::with_capacity(bytes.len());
    for byte in 0..N {
        shuffled.extend(elements.iter().filter_map(|element| element.get(byte)));
    }
    shuffled
}

fn unshuffle_by<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let count = bytes.len() / N;
    let mut unshuffled = vec![0; count.saturating_mul(N)];
    let mut planes = bytes.chunks_exact(count.max(1));
    let planes: [&[u8]; N] = std::array::from_fn(|_| planes.next().unwrap_or_default());
    for (index, element) in unshuffled.as_chunks_mut::<N>().0.iter_mut().enumerate() {
        for (place, plane) in element.iter_mut().zip(planes) {
            *place = plane.get(index).copied().unwrap_or_default();
        }
    }
    unshuffled
}

pub(super) fn unshuffle(bytes: &[u8], element: usize) -> Vec<u8> {
    match element {
        2 => return unshuffle_by::<2>(bytes),
        4 => return unshuffle_by::<4>(bytes),
        8 => return unshuffle_by::<8>(bytes),
        _ => {}
    }
    let count = bytes.len().checked_div(element).unwrap_or_default();
    let mut unshuffled = vec![0; count.saturating_mul(element)];
    if count > 0 {
        for (byte, plane) in bytes.chunks_exact(count).enumerate() {
            for (place, value) in unshuffled.iter_mut().skip(byte).step_by(element).zip(plane) {
                *place = *value;
            }
        }
    }
    unshuffled
}
