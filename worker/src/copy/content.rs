//! The content of what a task moves or reads back: the elements of each piece that are the task's own, by their place
//! in the array. Where an element goes is not asked: pieces are summed as they are copied, box by box.

use rechunk_common::{ContentHash, ContentSum, TaskFailure, ValueHash, geometry::Region, layout::ElementType};
use rechunk_zarr::Descriptor;

use super::{
    cells::{Cell, Cells},
    source::Piece,
};
use crate::failure::{bug, too_large};

/// Sums elements of one array.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    hash: Hash,
    width: u64,
    /// Elements from one step along an axis to the next.
    strides: Vec<u64>,
    /// What stands where nothing is stored; `None`: what adds nothing.
    gap: Option<Vec<u8>>,
}

/// By what elements are summed.
#[derive(Debug, Clone)]
enum Hash {
    OfWidth(ContentHash),
    Variable(ValueHash),
}

/// One axis of a box.
#[derive(Debug, Clone, Copy)]
struct BoxAxis {
    length: u64,
    /// Elements of the array from one step to the next.
    in_array: u64,
    /// Elements of the buffer from one step to the next.
    in_buffer: u64,
}

impl Content {
    /// Of an array of `shape` and of `element`s: all but those that equal `beside`. What is missing reads as `gap`.
    pub(crate) fn new(shape: &[u64], element: &ElementType, beside: &[u8], gap: &[u8]) -> Self {
        let mut strides = vec![1; shape.len()];
        let mut stride = 1_u64;
        for (at, length) in strides.iter_mut().zip(shape).rev() {
            *at = stride;
            stride = stride.saturating_mul(*length);
        }
        let gap = (gap != beside).then(|| gap.to_vec());
        let hash = if element.is_variable() {
            Hash::Variable(ValueHash::new(beside))
        } else {
            Hash::OfWidth(ContentHash::new(beside))
        };
        Self { hash, width: element.width, strides, gap }
    }

    /// Whether what is missing adds something.
    pub(crate) fn counts_gaps(&self) -> bool {
        self.gap.is_some()
    }

    /// What the task moves of the piece at `place`.
    pub(crate) fn of_piece(&self, cells: &Cells, place: &[u64], piece: &Piece) -> Result<ContentSum, TaskFailure> {
        let odd = || bug("a piece has no cell on an axis");
        let (mut first, mut offset, mut buffer) = (0_u64, 0_u64, 1_u64);
        let mut axes = Vec::with_capacity(place.len());
        for (axis, at) in place.iter().enumerate().rev() {
            let Cell { start, length, used, .. } = *cells.cell(axis, *at).ok_or_else(odd)?;
            let in_array = *self.strides.get(axis).ok_or_else(odd)?;
            axes.push(BoxAxis { length: used.1.saturating_sub(used.0), in_array, in_buffer: buffer });
            first = first.saturating_add(used.0.saturating_mul(in_array));
            offset = offset.saturating_add(used.0.saturating_sub(start).saturating_mul(buffer));
            buffer = buffer.saturating_mul(length);
        }
        axes.reverse();
        match piece {
            Piece::Missing => Ok(self.of_gaps(axes, first)),
            Piece::Elements { bytes, start, heap, .. } => {
                self.of_elements(axes, (first, offset), (bytes, *start), heap.as_deref())
            }
        }
    }

    /// A box of which nothing is stored.
    pub(crate) fn of_gap(&self, region: &Region) -> ContentSum {
        let of_axis = |(axis, in_array): (usize, &u64)| BoxAxis {
            length: region.length(axis),
            in_array: *in_array,
            in_buffer: *in_array,
        };
        let axes = self.strides.iter().enumerate().map(of_axis).collect();
        let starts = region.start().iter().zip(&self.strides);
        let first = starts.fold(0_u64, |first, (at, stride)| first.saturating_add(at.saturating_mul(*stride)));
        self.of_gaps(axes, first)
    }

    fn of_gaps(&self, mut axes: Vec<BoxAxis>, first: u64) -> ContentSum {
        let mut sum = ContentSum::default();
        let Some(gap) = &self.gap else { return sum };
        // There is no buffer that would break a run.
        for axis in &mut axes {
            axis.in_buffer = axis.in_array;
        }
        let run = fold(&mut axes);
        for_each_row(&axes, |index, _| {
            let first = first.saturating_add(index);
            sum += match &self.hash {
                Hash::OfWidth(hash) => hash.of_equal(first, run, gap),
                Hash::Variable(hash) => hash.of_equal(first, run, gap),
            };
        });
        sum
    }

    /// Elements from `first`, which stands at element `offset` of a buffer of which `bytes` are all from byte `start`.
    fn of_elements(
        &self,
        mut axes: Vec<BoxAxis>,
        (first, offset): (u64, u64),
        (bytes, start): (&[u8], usize),
        heap: Option<&[u8]>,
    ) -> Result<ContentSum, TaskFailure> {
        let run = fold(&mut axes);
        let length = usize::try_from(run.saturating_mul(self.width)).map_err(|_| too_large("a chunk"))?;
        let mut sum = ContentSum::default();
        let mut is_inside = true;
        for_each_row(&axes, |index, at| {
            let byte = offset.saturating_add(at).saturating_mul(self.width);
            let from = usize::try_from(byte).ok().and_then(|byte| byte.checked_sub(start));
            let row = from.and_then(|from| bytes.get(from..from.checked_add(length)?));
            let first = first.saturating_add(index);
            let of_row = |row| match &self.hash {
                Hash::OfWidth(hash) => Some(hash.of_run(first, row)),
                Hash::Variable(hash) => of_values(hash, first, row, heap?),
            };
            match row.and_then(of_row) {
                Some(of_row) => sum += of_row,
                None => is_inside = false,
            }
        });
        if is_inside { Ok(sum) } else { Err(bug("a piece misses elements")) }
    }
}

/// Elements of variable length that stand one after another; `None` where one does not lie in `heap`.
fn of_values(hash: &ValueHash, first: u64, descriptors: &[u8], heap: &[u8]) -> Option<ContentSum> {
    let each = (first..).zip(descriptors.as_chunks::<8>().0);
    each.map(|(index, bytes)| Some(hash.of_value(index, Descriptor::of_bytes(*bytes).of_heap(heap)?))).sum()
}

/// Takes off the axes that continue each other in the array and in the buffer; gives the elements of one run.
fn fold(axes: &mut Vec<BoxAxis>) -> u64 {
    if axes.iter().any(|axis| axis.length == 0) {
        return 0;
    }
    axes.retain(|axis| axis.length != 1);
    let mut run = 1_u64;
    while let Some(axis) = axes.last().filter(|axis| axis.in_array == run && axis.in_buffer == run) {
        run = run.saturating_mul(axis.length);
        axes.pop();
    }
    run
}

/// Calls `row` with the elements from the first run to each: in the array, and in the buffer.
fn for_each_row(axes: &[BoxAxis], mut row: impl FnMut(u64, u64)) {
    if axes.iter().any(|axis| axis.length == 0) {
        return;
    }
    let mut steps = vec![0_u64; axes.len()];
    let (mut in_array, mut in_buffer) = (0_u64, 0_u64);
    loop {
        row(in_array, in_buffer);
        let mut has_moved = false;
        for (axis, step) in axes.iter().zip(&mut steps).rev() {
            *step += 1;
            in_array += axis.in_array;
            in_buffer += axis.in_buffer;
            if *step < axis.length {
                has_moved = true;
                break;
            }
            in_array -= axis.in_array * axis.length;
            in_buffer -= axis.in_buffer * axis.length;
            *step = 0;
        }
        if !has_moved {
            return;
        }
    }
}
