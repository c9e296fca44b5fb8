//! The transpose codec: the axes of a chunk in another order.

/// A chunk's axes in another order. Strides are in elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permutation {
    /// Lengths of the encoded chunk's axes.
    encoded_shape: Vec<usize>,
    /// For each axis of the encoded chunk, the distance of its neighbours in the decoded one.
    strides: Vec<usize>,
    is_identity: bool,
}

impl Permutation {
    /// Axis `order[i]` of a chunk of `shape` becomes axis `i`; `None` where the ranks differ, or beyond 2^64.
    pub(super) fn new(order: &[u64], shape: &[u64]) -> Option<Self> {
        if order.len() != shape.len() {
            return None;
        }
        let shape = shape.iter().map(|length| usize::try_from(*length).ok()).collect::<Option<Vec<_>>>()?;
        let mut decoded_strides = vec![1_usize; shape.len()];
        let mut stride = 1_usize;
        for (axis, length) in shape.iter().enumerate().rev() {
            *decoded_strides.get_mut(axis)? = stride;
            stride = stride.checked_mul(*length)?;
        }
        let order = order.iter().map(|axis| usize::try_from(*axis).ok()).collect::<Option<Vec<_>>>()?;
        let encoded_shape = order.iter().map(|axis| shape.get(*axis).copied()).collect::<Option<Vec<_>>>()?;
        let strides = order.iter().map(|axis| decoded_strides.get(*axis).copied()).collect::<Option<Vec<_>>>()?;
        // Axes of length 1 may stand anywhere.
        let mut longer = order.iter().zip(&encoded_shape).filter(|(_, length)| **length > 1).map(|(axis, _)| *axis);
        let is_identity = longer.by_ref().is_sorted();
        Some(Self { encoded_shape, strides, is_identity })
    }

    pub(super) fn is_identity(&self) -> bool {
        self.is_identity
    }

    /// The encoded order of decoded elements of `width` bytes.
    pub(super) fn apply(&self, decoded: &[u8], width: usize) -> Vec<u8> {
        let mut encoded = vec![0; decoded.len()];
        self.run(width, |to, from| copy(&mut encoded, to, decoded, from, width));
        encoded
    }

    /// The decoded order of encoded elements of `width` bytes.
    pub(super) fn invert(&self, encoded: &[u8], width: usize) -> Vec<u8> {
        let mut decoded = vec![0; encoded.len()];
        self.run(width, |from, to| copy(&mut decoded, to, encoded, from, width));
        decoded
    }

    /// Calls with the byte offsets of each element: in the encoded and in the decoded chunk.
    fn run(&self, width: usize, mut visit: impl FnMut(usize, usize)) {
        let (Some((row, outer)), Some((step, outer_strides))) =
            (self.encoded_shape.split_last(), self.strides.split_last())
        else {
            visit(0, 0);
            return;
        };
        let rows: usize = outer.iter().product();
        let mut position = vec![0_usize; outer.len()];
        let mut encoded_at = 0_usize;
        for _ in 0..rows {
            let base: usize = position
                .iter()
                .zip(outer_strides)
                .fold(0, |sum, (at, stride)| sum.wrapping_add(at.wrapping_mul(*stride)));
            let mut decoded_at = base.wrapping_mul(width);
            let stride = step.wrapping_mul(width);
            for _ in 0..*row {
                visit(encoded_at, decoded_at);
                encoded_at = encoded_at.wrapping_add(width);
                decoded_at = decoded_at.wrapping_add(stride);
            }
            for (at, length) in position.iter_mut().zip(outer).rev() {
                *at = at.wrapping_add(1);
                if at < &mut length.clone() {
                    break;
                }
                *at = 0;
            }
        }
    }
}

/// Copies one element. Constant widths become single loads and stores.
fn copy(to: &mut [u8], to_at: usize, from: &[u8], from_at: usize, width: usize) {
    fn fixed<const N: usize>(to: &mut [u8], to_at: usize, from: &[u8], from_at: usize) {
        let source = from.get(from_at..).and_then(<[u8]>::first_chunk::<N>);
        let place = to.get_mut(to_at..).and_then(<[u8]>::first_chunk_mut::<N>);
        if let (Some(place), Some(source)) = (place, source) {
            *place = *source;
        }
    }
    match width {
        1 => fixed::<1>(to, to_at, from, from_at),
        2 => fixed::<2>(to, to_at, from, from_at),
        4 => fixed::<4>(to, to_at, from, from_at),
        8 => fixed::<8>(to, to_at, from, from_at),
        16 => fixed::<16>(to, to_at, from, from_at),
        width => {
            let source = from.get(from_at..from_at.wrapping_add(width));
            let place = to.get_mut(to_at..to_at.wrapping_add(width));
            if let (Some(place), Some(source)) = (place, source) {
                place.copy_from_slice(source);
            }
        }
    }
}
