//! The innermost loop: elements from one C-order buffer into another, each moved once.
//!
//! Elements are opaque bytes. Axes that are contiguous on both sides are folded into runs; short runs are moved by
//! copies of a fixed size. Knows nothing of chunks, arrays or stores; all positions are bytes.

/// One axis of a box that is copied. Slowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StridedAxis {
    /// Steps along the axis.
    pub(crate) length: usize,
    /// Bytes from one step to the next in the buffer that is read.
    pub(crate) from_stride: usize,
    /// Bytes from one step to the next in the buffer that is written.
    pub(crate) to_stride: usize,
}

/// A box lies outside its buffer: the geometry is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a box of elements lies outside its buffer")]
pub(crate) struct OutOfBuffer;

/// Copies the box `axes` of elements of `width` bytes from `from[from_start..]` to `to[to_start..]`. `axes` is used
/// as working space: its content is not meaningful afterwards.
pub(crate) fn copy_box(
    from: &[u8],
    from_start: usize,
    to: &mut [u8],
    to_start: usize,
    axes: &mut Vec<StridedAxis>,
    width: usize,
) -> Result<(), OutOfBuffer> {
    let Some(run) = fold(axes, width) else { return Ok(()) };
    check_bounds(axes, run, from_start, from.len(), |axis| axis.from_stride)?;
    check_bounds(axes, run, to_start, to.len(), |axis| axis.to_stride)?;
    let from = from.get(from_start..).ok_or(OutOfBuffer)?;
    let to = to.get_mut(to_start..).ok_or(OutOfBuffer)?;
    match run {
        1 => walk(axes, |f, t, row| rows::<1>(from, f, to, t, row)),
        2 => walk(axes, |f, t, row| rows::<2>(from, f, to, t, row)),
        4 => walk(axes, |f, t, row| rows::<4>(from, f, to, t, row)),
        8 => walk(axes, |f, t, row| rows::<8>(from, f, to, t, row)),
        16 => walk(axes, |f, t, row| rows::<16>(from, f, to, t, row)),
        32 => walk(axes, |f, t, row| rows::<32>(from, f, to, t, row)),
        64 => walk(axes, |f, t, row| rows::<64>(from, f, to, t, row)),
        128 => walk(axes, |f, t, row| rows::<128>(from, f, to, t, row)),
        256 => walk(axes, |f, t, row| rows::<256>(from, f, to, t, row)),
        _ => walk(axes, |mut f, mut t, row| {
            for _ in 0..row.length {
                to[t..t + run].copy_from_slice(&from[f..f + run]);
                f += row.from_stride;
                t += row.to_stride;
            }
        }),
    }
    Ok(())
}

/// Calls `each` with the first byte, in both buffers, of every element of the box `axes`, in C order. It lies in buffers
/// of `from_length` and `to_length` bytes.
pub(crate) fn for_each_element(
    axes: &[StridedAxis],
    (from_start, from_length): (usize, usize),
    (to_start, to_length): (usize, usize),
    width: usize,
    mut each: impl FnMut(usize, usize),
) -> Result<(), OutOfBuffer> {
    if axes.iter().any(|axis| axis.length == 0) {
        return Ok(());
    }
    check_bounds(axes, width, from_start, from_length, |axis| axis.from_stride)?;
    check_bounds(axes, width, to_start, to_length, |axis| axis.to_stride)?;
    walk(axes, |mut f, mut t, row| {
        for _ in 0..row.length {
            each(from_start + f, to_start + t);
            f += row.from_stride;
            t += row.to_stride;
        }
    });
    Ok(())
}

/// Writes `fill`, one element, to every element of the box `axes` in `to[to_start..]`; the axes' `from_stride` must
/// be 0. `axes` is used as working space.
pub(crate) fn fill_box(
    to: &mut [u8],
    to_start: usize,
    axes: &mut Vec<StridedAxis>,
    fill: &[u8],
) -> Result<(), OutOfBuffer> {
    // An axis that does not move in the source would never fold into a run; here it may.
    let width = fill.len();
    let mut run = width;
    while let Some(axis) = axes.last() {
        if axis.length != 1 && axis.to_stride != run {
            break;
        }
        run = run.checked_mul(axis.length).ok_or(OutOfBuffer)?;
        axes.pop();
    }
    if run == 0 || axes.iter().any(|axis| axis.length == 0) {
        return Ok(());
    }
    check_bounds(axes, run, to_start, to.len(), |axis| axis.to_stride)?;
    let to = to.get_mut(to_start..).ok_or(OutOfBuffer)?;
    walk(axes, |_, mut t, row| {
        for _ in 0..row.length {
            fill_run(&mut to[t..t + run], fill);
            t += row.to_stride;
        }
    });
    Ok(())
}

/// Writes `fill`, one element, over and over; the length is a multiple of the element's.
pub(crate) fn fill_run(run: &mut [u8], fill: &[u8]) {
    match fill.first() {
        None => {}
        Some(first) if fill.iter().all(|byte| byte == first) => run.fill(*first),
        Some(_) => run.chunks_exact_mut(fill.len()).for_each(|element| element.copy_from_slice(fill)),
    }
}

/// Whether every element equals `fill` bit for bit.
pub(crate) fn is_all(elements: &[u8], fill: &[u8]) -> bool {
    // The first element is the fill, and every element equals the one before it.
    let width = fill.len();
    elements.get(..width).is_none_or(|first| first == fill)
        && elements.len() >= width
        && elements.get(width..).is_some_and(|shifted| shifted == &elements[..elements.len() - width])
}

/// Folds axes that continue each other on both sides; what is left over is the length of a run in bytes, `None` for
/// an empty box. Axes of length 1 vanish.
fn fold(axes: &mut Vec<StridedAxis>, width: usize) -> Option<usize> {
    if width == 0 || axes.iter().any(|axis| axis.length == 0) {
        return None;
    }
    axes.retain(|axis| axis.length != 1);
    let mut run = width;
    while let Some(axis) = axes.last().copied() {
        if axis.from_stride != run || axis.to_stride != run {
            break;
        }
        run = run.checked_mul(axis.length)?;
        axes.pop();
    }
    let mut kept = axes.len();
    while kept >= 2 {
        let (outer, inner) = (axes[kept - 2], axes[kept - 1]);
        let continues = outer.from_stride == inner.from_stride.saturating_mul(inner.length)
            && outer.to_stride == inner.to_stride.saturating_mul(inner.length);
        if continues {
            axes[kept - 2] = StridedAxis { length: outer.length.saturating_mul(inner.length), ..inner };
            axes.remove(kept - 1);
        }
        kept -= 1;
    }
    Some(run)
}

/// The last byte of the box lies in the buffer.
fn check_bounds(
    axes: &[StridedAxis],
    run: usize,
    start: usize,
    buffer: usize,
    stride: impl Fn(&StridedAxis) -> usize,
) -> Result<(), OutOfBuffer> {
    let end = axes.iter().try_fold(start.checked_add(run).ok_or(OutOfBuffer)?, |end, axis| {
        let steps = axis.length.checked_sub(1).ok_or(OutOfBuffer)?;
        end.checked_add(steps.checked_mul(stride(axis)).ok_or(OutOfBuffer)?).ok_or(OutOfBuffer)
    })?;
    if end <= buffer { Ok(()) } else { Err(OutOfBuffer) }
}

const ONE_STEP: StridedAxis = StridedAxis { length: 1, from_stride: 0, to_stride: 0 };

/// Calls `row` with the two positions of every row: an odometer over all axes but the last.
fn walk(axes: &[StridedAxis], mut row: impl FnMut(usize, usize, StridedAxis)) {
    let (inner, outer) = axes.split_last().map_or((ONE_STEP, axes), |(last, outer)| (*last, outer));
    match outer {
        [] => row(0, 0, inner),
        [middle] => (0..middle.length).for_each(|i| row(i * middle.from_stride, i * middle.to_stride, inner)),
        _ => odometer(outer, |from, to| row(from, to, inner)),
    }
}

fn odometer(axes: &[StridedAxis], mut at: impl FnMut(usize, usize)) {
    let mut steps = vec![0_usize; axes.len()];
    let (mut from, mut to) = (0_usize, 0_usize);
    loop {
        at(from, to);
        let mut moved = false;
        for (axis, step) in axes.iter().zip(&mut steps).rev() {
            *step += 1;
            from += axis.from_stride;
            to += axis.to_stride;
            if *step < axis.length {
                moved = true;
                break;
            }
            from -= axis.from_stride * axis.length;
            to -= axis.to_stride * axis.length;
            *step = 0;
        }
        if !moved {
            return;
        }
    }
}

#[inline]
fn rows<const N: usize>(from: &[u8], mut f: usize, to: &mut [u8], mut t: usize, row: StridedAxis) {
    for _ in 0..row.length {
        to[t..t + N].copy_from_slice(&from[f..f + N]);
        f += row.from_stride;
        t += row.to_stride;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Strides of a C-order buffer of `shape` with elements of `width` bytes.
    fn strides(shape: &[usize], width: usize) -> Vec<usize> {
        (0..shape.len()).map(|axis| shape[axis + 1..].iter().product::<usize>() * width).collect()
    }

    #[derive(Debug, Clone)]
    struct Case {
        from_shape: Vec<usize>,
        to_shape: Vec<usize>,
        from_at: Vec<usize>,
        to_at: Vec<usize>,
        shape: Vec<usize>,
        width: usize,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let axis = (0_usize..6, 0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3);
        let width = prop::sample::select(vec![1_usize, 2, 3, 4, 8, 16, 17, 40, 128]);
        (prop::collection::vec(axis, 0..5), width).prop_map(|(axes, width)| Case {
            from_shape: axes.iter().map(|a| a.0 + a.1 + a.2).collect(),
            to_shape: axes.iter().map(|a| a.0 + a.3 + a.4).collect(),
            from_at: axes.iter().map(|a| a.1).collect(),
            to_at: axes.iter().map(|a| a.3).collect(),
            shape: axes.iter().map(|a| a.0).collect(),
            width,
        })
    }

    /// The offsets of every element of the box, in C order.
    fn offsets(at: &[usize], shape: &[usize], strides: &[usize]) -> Vec<usize> {
        let mut offsets = vec![0];
        for axis in 0..shape.len() {
            offsets = offsets
                .iter()
                .flat_map(|base| (0..shape[axis]).map(move |i| base + (at[axis] + i) * strides[axis]))
                .collect();
        }
        offsets
    }

    proptest! {
        #[test]
        fn a_box_is_copied_as_element_by_element(case in cases()) {
            let Case { from_shape, to_shape, from_at, to_at, shape, width } = case;
            let from: Vec<u8> = (0..from_shape.iter().product::<usize>() * width).map(|i| i.to_le_bytes()[0] ^ 7).collect();
            let (from_strides, to_strides) = (strides(&from_shape, width), strides(&to_shape, width));
            let mut copied = vec![255_u8; to_shape.iter().product::<usize>() * width];
            let mut expected = copied.clone();
            let from_offsets = offsets(&from_at, &shape, &from_strides);
            for (f, t) in from_offsets.into_iter().zip(offsets(&to_at, &shape, &to_strides)) {
                expected[t..t + width].copy_from_slice(&from[f..f + width]);
            }
            let start = |at: &[usize], strides: &[usize]| at.iter().zip(strides).map(|(a, s)| a * s).sum::<usize>();
            let axes: Vec<StridedAxis> = (0..shape.len())
                .map(|i| StridedAxis { length: shape[i], from_stride: from_strides[i], to_stride: to_strides[i] })
                .collect();
            let (from_start, to_start) = (start(&from_at, &from_strides), start(&to_at, &to_strides));
            prop_assert_eq!(copy_box(&from, from_start, &mut copied, to_start, &mut axes.clone(), width), Ok(()));
            prop_assert_eq!(&copied, &expected);

            let fill: Vec<u8> = (0..width).map(|i| i.to_le_bytes()[0]).collect();
            for t in offsets(&to_at, &shape, &to_strides) {
                expected[t..t + width].copy_from_slice(&fill);
            }
            let mut still: Vec<_> = axes.into_iter().map(|axis| StridedAxis { from_stride: 0, ..axis }).collect();
            prop_assert_eq!(fill_box(&mut copied, to_start, &mut still, &fill), Ok(()));
            prop_assert_eq!(copied, expected);
        }

        #[test]
        fn a_run_is_all_fill_only_if_every_element_is(elements in prop::collection::vec(0_u8..2, 0..24), width in 1_usize..5) {
            let length = elements.len() / width * width;
            let fill = vec![1_u8; width];
            let expected = length > 0 && elements[..length].iter().all(|byte| *byte == 1);
            prop_assert_eq!(length > 0 && is_all(&elements[..length], &fill), expected);
        }
    }

    #[test]
    fn a_box_outside_its_buffer_is_refused() {
        let mut axes = vec![StridedAxis { length: 4, from_stride: 2, to_stride: 1 }];
        assert_eq!(copy_box(&[0; 6], 0, &mut [0; 4], 0, &mut axes, 1), Err(OutOfBuffer));
    }
}
