//! Which elements of a source chunk go where in which target chunk, worked out per axis before the clock starts.

use rechunk_common::geometry::BoxGrid;

use super::strided::{MOST_AXES, PerAxis, Transfer};

/// Two grids over one array. Buffers are whole chunks, also at the edges.
pub(super) struct Meeting {
    axes: Vec<Axis>,
    width: usize,
    from_strides: PerAxis,
    to_strides: PerAxis,
}

struct Axis {
    /// Per source chunk along the axis.
    cuts: Vec<Vec<Cut>>,
    target_count: usize,
}

/// What a source chunk shares with a target chunk along one axis, in elements.
#[derive(Clone, Copy, Default)]
struct Cut {
    target: usize,
    length: usize,
    from: usize,
    to: usize,
}

impl Meeting {
    /// How chunks of `source` and `target`, grids over the same array, meet.
    pub(super) fn new(source: &BoxGrid, target: &BoxGrid, width: usize) -> Result<Self, String> {
        let rank = source.bounds().rank();
        if rank > MOST_AXES {
            return Err(format!("{rank} axes are more than the floor's {MOST_AXES}"));
        }
        let axes = (0..rank).map(|axis| Axis::new(source, target, axis)).collect::<Result<Vec<_>, _>>()?;
        let from_strides = strides(source.lengths(), width)?;
        let to_strides = strides(target.lengths(), width)?;
        Ok(Self { axes, width, from_strides, to_strides })
    }

    /// Calls `each` with the index of every target chunk that shares elements with the source chunk at `position`, and
    /// the box that they share.
    pub(super) fn transfers(&self, position: &[usize], mut each: impl FnMut(usize, &Transfer)) {
        let rank = self.axes.len();
        let mut cuts: [&[Cut]; MOST_AXES] = [&[]; MOST_AXES];
        for ((axis, at), cut) in self.axes.iter().zip(position).zip(&mut cuts) {
            *cut = axis.cuts.get(*at).map_or(&[], Vec::as_slice);
        }
        if cuts[..rank].iter().any(|cuts| cuts.is_empty()) {
            return;
        }
        let mut transfer = Transfer {
            rank,
            width: self.width,
            lengths: [1; MOST_AXES],
            from_strides: self.from_strides,
            to_strides: self.to_strides,
            from_start: 0,
            to_start: 0,
        };
        let mut steps = [0_usize; MOST_AXES];
        loop {
            let mut target = 0;
            (transfer.from_start, transfer.to_start) = (0, 0);
            for axis in 0..rank {
                let cut = cuts[axis][steps[axis]];
                target = target * self.axes[axis].target_count + cut.target;
                transfer.lengths[axis] = cut.length;
                transfer.from_start += cut.from * self.from_strides[axis];
                transfer.to_start += cut.to * self.to_strides[axis];
            }
            each(target, &transfer);
            let mut axis = rank;
            loop {
                let Some(outer) = axis.checked_sub(1) else { return };
                axis = outer;
                steps[axis] += 1;
                if steps[axis] < cuts[axis].len() {
                    break;
                }
                steps[axis] = 0;
            }
        }
    }
}

impl Axis {
    fn new(source: &BoxGrid, target: &BoxGrid, axis: usize) -> Result<Self, String> {
        let bound = small(source.bounds().length(axis))?;
        let (from, to) = (small(source.lengths()[axis])?, small(target.lengths()[axis])?);
        let cuts = (0..bound.div_ceil(from)).map(|chunk| {
            let (start, end) = (chunk * from, (chunk * from + from).min(bound));
            let targets = start / to..end.div_ceil(to);
            let cut = |target: usize| {
                let (first, last) = (start.max(target * to), end.min(target * to + to));
                Cut { target, length: last - first, from: first - start, to: first - target * to }
            };
            targets.map(cut).collect()
        });
        Ok(Self { cuts: cuts.collect(), target_count: bound.div_ceil(to) })
    }
}

fn strides(lengths: &[u64], width: usize) -> Result<PerAxis, String> {
    let mut strides = [0; MOST_AXES];
    let mut stride = width;
    for (axis, length) in lengths.iter().enumerate().rev() {
        strides[axis] = stride;
        stride = stride.checked_mul(small(*length)?).ok_or("a chunk does not fit the memory")?;
    }
    Ok(strides)
}

fn small(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| format!("{number} does not fit the memory"))
}
