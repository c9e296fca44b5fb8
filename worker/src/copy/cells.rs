//! The two grids of a copy, cut down to one task: pieces come in as cells, targets are filled as cells. Per axis and
//! piece it is worked out once which target cells take which elements; a pair of cells is then a few additions.

use std::ops::Range;

use rechunk_common::{
    Presence, TaskFailure,
    geometry::{BoxGrid, Region},
};

use super::kernel::StridedAxis;
use crate::failure::{bug, too_large};

/// A cell along one axis. Positions are elements of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Where its buffer begins.
    pub(crate) start: u64,
    /// The first element that lies in the array, or in the part of it that is copied.
    pub(crate) valid_start: u64,
    /// Length of its buffer.
    pub(crate) length: u64,
    /// The part that this task moves, half-open.
    pub(crate) used: (u64, u64),
    /// One past the last such element.
    pub(crate) valid_end: u64,
}

/// The cells of a grid that share an element with a task's region.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    /// Per axis.
    axes: Vec<Vec<Cell>>,
    /// Position of the first cell in the whole grid, per axis.
    first: Vec<u64>,
    counts: Vec<u64>,
}

impl Cells {
    /// Chunks: buffers have the grid's lengths, also where they pass the bounds.
    pub(crate) fn of_chunks(grid: &BoxGrid, region: &Region) -> Result<Self, TaskFailure> {
        Self::new(grid, region, |start, length, _, _| (start, length))
    }

    /// Blocks: buffers are what a box shares with the region.
    pub(crate) fn of_blocks(grid: &BoxGrid, region: &Region) -> Result<Self, TaskFailure> {
        Self::new(grid, region, |_, _, used_start, used_end| (used_start, used_end.saturating_sub(used_start)))
    }

    /// What boxes of two grids share with each other and with the region: both grids have the same bounds. The position of
    /// a cell is its place.
    pub(crate) fn of_pairs(one: &BoxGrid, other: &BoxGrid, region: &Region) -> Result<Self, TaskFailure> {
        let (one, other) = (Self::of_blocks(one, region)?, Self::of_blocks(other, region)?);
        let mut axes = Vec::with_capacity(region.rank());
        for axis in 0..region.rank() {
            let cells = one.axis(axis).iter().chain(other.axis(axis));
            let mut ends: Vec<u64> = cells.map(|cell| cell.used.1).collect();
            ends.sort_unstable();
            ends.dedup();
            let mut start = at(region.start(), axis)?;
            let cell = |end: u64| {
                let used = (std::mem::replace(&mut start, end), end);
                Cell { start: used.0, length: end.saturating_sub(used.0), used, valid_start: used.0, valid_end: end }
            };
            axes.push(ends.into_iter().map(cell).collect::<Vec<_>>());
        }
        let counts: Vec<u64> = axes.iter().map(|cells| cells.len() as u64).collect();
        Ok(Self { axes, first: vec![0; counts.len()], counts })
    }

    fn new(
        grid: &BoxGrid,
        region: &Region,
        buffer: impl Fn(u64, u64, u64, u64) -> (u64, u64),
    ) -> Result<Self, TaskFailure> {
        let positions = grid.overlapping(region);
        let mut axes = Vec::with_capacity(region.rank());
        for axis in 0..region.rank() {
            let bounds = (at(grid.bounds().start(), axis)?, at(grid.bounds().end(), axis)?);
            let (from, to) = (at(region.start(), axis)?, at(region.end(), axis)?);
            let count = usize::try_from(positions.length(axis)).map_err(|_| too_large("a task's cells"))?;
            let mut cells = Vec::with_capacity(count);
            for position in at(positions.start(), axis)?..at(positions.end(), axis)? {
                let span = grid.span(axis, position);
                let (start, length) = (span.start, span.end.saturating_sub(span.start));
                let valid_start = start.max(bounds.0);
                let valid_end = span.end.min(bounds.1);
                let used = (valid_start.max(from), valid_end.min(to));
                let (start, length) = buffer(start, length, used.0, used.1);
                let valid_start = valid_start.max(start);
                let valid_end = valid_end.min(start.saturating_add(length));
                cells.push(Cell { start, valid_start, length, used, valid_end });
            }
            axes.push(cells);
        }
        let counts = axes.iter().map(|cells| cells.len() as u64).collect();
        Ok(Self { axes, first: positions.start().to_vec(), counts })
    }

    /// Number of cells; `None` where it does not fit memory.
    pub(crate) fn len(&self) -> Option<usize> {
        self.counts.iter().try_fold(1_usize, |len, count| len.checked_mul(usize::try_from(*count).ok()?))
    }

    /// The cell's position in the whole grid.
    pub(crate) fn position(&self, place: &[u64]) -> Vec<u64> {
        place.iter().zip(&self.first).map(|(at, first)| at.saturating_add(*first)).collect()
    }

    /// The place of cell `index`, counted in C order.
    pub(crate) fn place(&self, index: usize) -> Vec<u64> {
        let mut rest = index as u64;
        let mut place = vec![0; self.counts.len()];
        for (at, count) in place.iter_mut().zip(&self.counts).rev() {
            *at = rest.checked_rem(*count).unwrap_or(0);
            rest = rest.checked_div(*count).unwrap_or(0);
        }
        place
    }

    /// The number of the cell at `place`, in C order.
    pub(crate) fn index(&self, place: &[u64]) -> usize {
        let index = place
            .iter()
            .zip(&self.counts)
            .fold(0_u64, |index, (at, count)| index.saturating_mul(*count).saturating_add(*at));
        usize::try_from(index).unwrap_or(usize::MAX)
    }

    /// By cell in C order: whether an object that is there shares an element with what this task moves of it.
    pub(crate) fn touched(&self, presence: &Presence) -> Vec<bool> {
        let along = |(axis, cells): (usize, &Vec<Cell>)| {
            cells.iter().map(|cell| presence.along(axis, cell.used.0, cell.used.1)).collect::<Vec<_>>()
        };
        presence.touched(&self.axes.iter().enumerate().map(along).collect::<Vec<_>>())
    }

    /// The cell along `axis`.
    pub(crate) fn cell(&self, axis: usize, place: u64) -> Option<&Cell> {
        self.axes.get(axis)?.get(usize::try_from(place).ok()?)
    }

    fn product(&self, place: &[u64], length: impl Fn(&Cell) -> u64) -> Option<u64> {
        place
            .iter()
            .enumerate()
            .try_fold(1_u64, |product, (axis, at)| product.checked_mul(length(self.cell(axis, *at)?)))
    }

    /// Elements of the cell's buffer.
    pub(crate) fn buffer_elements(&self, place: &[u64]) -> Option<u64> {
        self.product(place, |cell| cell.length)
    }

    /// Elements of the cell's buffer that lie in the array.
    pub(crate) fn valid_elements(&self, place: &[u64]) -> Option<u64> {
        self.product(place, |cell| cell.valid_end.saturating_sub(cell.valid_start))
    }

    /// Length per axis of the part of the cell's buffer, from its beginning, that lies in the array.
    pub(crate) fn valid_shape(&self, place: &[u64]) -> Option<Vec<u64>> {
        let length = |(axis, at): (usize, &u64)| {
            let cell = self.cell(axis, *at)?;
            Some(cell.valid_end.saturating_sub(cell.start))
        };
        place.iter().enumerate().map(length).collect()
    }

    /// Elements of the cell that this task moves.
    pub(crate) fn used_elements(&self, place: &[u64]) -> Option<u64> {
        self.product(place, |cell| cell.used.1.saturating_sub(cell.used.0))
    }

    /// From the first to past the last element of the cell's buffer that this task moves, in C order.
    pub(crate) fn used_span(&self, place: &[u64]) -> Option<Range<u64>> {
        let (mut first, mut last, mut stride) = (0_u64, 0_u64, 1_u64);
        for (axis, at) in place.iter().enumerate().rev() {
            let cell = self.cell(axis, *at)?;
            let from_start = |position: u64| position.checked_sub(cell.start)?.checked_mul(stride);
            first = first.checked_add(from_start(cell.used.0)?)?;
            last = last.checked_add(from_start(cell.used.1.checked_sub(1)?)?)?;
            stride = stride.checked_mul(cell.length)?;
        }
        Some(first..last.checked_add(1)?)
    }

    fn axis(&self, axis: usize) -> &[Cell] {
        self.axes.get(axis).map_or(&[], Vec::as_slice)
    }
}

fn at(values: &[u64], axis: usize) -> Result<u64, TaskFailure> {
    values.get(axis).copied().ok_or_else(|| bug("a region has too few axes"))
}

/// What one piece gives one target along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    target: usize,
    length: usize,
    /// Elements from the beginning of the piece's buffer.
    from: usize,
    /// Elements from the beginning of the target's buffer.
    to: usize,
    /// Length of the target's buffer.
    target_length: usize,
}

/// Which elements of each piece go where in each target.
#[derive(Debug)]
pub(crate) struct Meeting {
    /// Per axis and piece cell.
    cuts: Vec<Vec<Vec<Cut>>>,
    /// Per axis: the piece's buffer length by cell.
    piece_lengths: Vec<Vec<usize>>,
    /// Target cells per axis.
    target_counts: Vec<usize>,
    width: usize,
}

/// What one piece gives one target: the box for the copy kernel.
#[derive(Debug, Default)]
pub(crate) struct Share {
    /// Index of the target among the task's targets, in C order.
    pub(crate) target: usize,
    /// Elements.
    pub(crate) elements: u64,
    /// First byte in the piece's buffer.
    pub(crate) from_start: usize,
    /// First byte in the target's buffer.
    pub(crate) to_start: usize,
    /// The box, in bytes.
    pub(crate) axes: Vec<StridedAxis>,
}

impl Meeting {
    /// How `pieces` and `targets` of elements of `width` bytes meet. Their buffers must be countable in memory.
    pub(crate) fn new(pieces: &Cells, targets: &Cells, width: u64) -> Result<Self, TaskFailure> {
        let small = |n: u64| usize::try_from(n).map_err(|_| too_large("a chunk"));
        let rank = pieces.axes.len();
        let mut cuts = Vec::with_capacity(rank);
        let mut piece_lengths = Vec::with_capacity(rank);
        let mut target_counts = Vec::with_capacity(rank);
        for axis in 0..rank {
            let targets = targets.axis(axis);
            let mut first = 0;
            let mut axis_cuts = Vec::with_capacity(pieces.axis(axis).len());
            for piece in pieces.axis(axis) {
                while targets.get(first).is_some_and(|target| target.used.1 <= piece.used.0) {
                    first += 1;
                }
                let mut piece_cuts = Vec::new();
                for (index, target) in targets.iter().enumerate().skip(first) {
                    let (start, end) = (piece.used.0.max(target.used.0), piece.used.1.min(target.used.1));
                    if end <= start {
                        break;
                    }
                    piece_cuts.push(Cut {
                        target: index,
                        length: small(end.saturating_sub(start))?,
                        from: small(start.saturating_sub(piece.start))?,
                        to: small(start.saturating_sub(target.start))?,
                        target_length: small(target.length)?,
                    });
                }
                axis_cuts.push(piece_cuts);
            }
            cuts.push(axis_cuts);
            piece_lengths.push(pieces.axis(axis).iter().map(|cell| small(cell.length)).collect::<Result<_, _>>()?);
            target_counts.push(targets.len());
        }
        Ok(Self { cuts, piece_lengths, target_counts, width: small(width)? })
    }

    /// Bytes of one element.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Calls `each` with every share of the piece at `place`; the share is reused between calls.
    pub(crate) fn shares<E>(&self, place: &[u64], mut each: impl FnMut(&mut Share) -> Result<(), E>) -> Result<(), E> {
        let rank = self.cuts.len();
        let mut cuts: Vec<&[Cut]> = Vec::with_capacity(rank);
        let mut from_strides = vec![self.width; rank];
        let mut stride = self.width;
        for (axis, at) in place.iter().enumerate() {
            let at = usize::try_from(*at).unwrap_or(usize::MAX);
            let Some(of_piece) = self.cuts.get(axis).and_then(|cuts| cuts.get(at)) else { return Ok(()) };
            cuts.push(of_piece);
        }
        if cuts.iter().any(|cuts| cuts.is_empty()) {
            return Ok(());
        }
        for axis in (0..rank).rev() {
            from_strides[axis] = stride;
            let at = usize::try_from(place[axis]).unwrap_or(usize::MAX);
            stride = stride.saturating_mul(self.piece_lengths[axis].get(at).copied().unwrap_or(0));
        }
        let mut steps = vec![0_usize; rank];
        let mut share = Share::default();
        loop {
            self.describe(&cuts, &steps, &from_strides, &mut share);
            each(&mut share)?;
            let mut axis = rank;
            loop {
                if axis == 0 {
                    return Ok(());
                }
                axis -= 1;
                steps[axis] += 1;
                if steps[axis] < cuts[axis].len() {
                    break;
                }
                steps[axis] = 0;
            }
        }
    }

    fn describe(&self, cuts: &[&[Cut]], steps: &[usize], from_strides: &[usize], share: &mut Share) {
        share.target = 0;
        share.elements = 1;
        share.from_start = 0;
        share.to_start = 0;
        share.axes.clear();
        for (axis, step) in steps.iter().enumerate() {
            let cut = cuts[axis][*step];
            share.target = share.target * self.target_counts[axis] + cut.target;
            share.elements *= cut.length as u64;
            share.from_start += cut.from * from_strides[axis];
            share.axes.push(StridedAxis { length: cut.length, from_stride: from_strides[axis], to_stride: 0 });
        }
        let mut stride = self.width;
        for (axis, step) in steps.iter().enumerate().rev() {
            let cut = cuts[axis][*step];
            share.to_start += cut.to * stride;
            share.axes[axis].to_stride = stride;
            stride *= cut.target_length;
        }
    }
}

/// All of `targets`, by index, in the order in which they become complete where `pieces` are visited with the axes of
/// `order` from slowest to fastest. It depends on the grids alone, not on what is there.
pub(crate) fn closing_order(pieces: &Cells, targets: &Cells, order: &[usize]) -> Result<Vec<usize>, TaskFailure> {
    // Per axis and target cell: the piece that holds its last element.
    let last = |axis: usize| {
        let of_cell = |cell: &Cell| pieces.axis(axis).partition_point(|piece| piece.used.1 < cell.used.1);
        targets.axis(axis).iter().map(of_cell).collect::<Vec<_>>()
    };
    let last: Vec<Vec<usize>> = (0..targets.counts.len()).map(last).collect();
    let mut closing: Vec<usize> = (0..targets.len().ok_or_else(|| too_large("a task's cells"))?).collect();
    closing.sort_by_cached_key(|target| {
        let place = targets.place(*target);
        let along = |axis: &usize| last.get(*axis)?.get(usize::try_from(*place.get(*axis)?).ok()?).copied();
        order.iter().map(along).collect::<Vec<_>>()
    });
    Ok(closing)
}

/// The places of `cells` with the axes of `order` from slowest to fastest.
pub(crate) fn visits(
    cells: &Cells,
    order: &[usize],
) -> Result<impl Iterator<Item = Vec<u64>> + Send + use<>, TaskFailure> {
    let counts = &cells.counts;
    let rank = counts.len();
    let mut seen = vec![false; rank];
    for axis in order {
        match seen.get_mut(*axis) {
            Some(seen) if !*seen => *seen = true,
            Some(_) | None => return Err(bug("the order of a copy does not name every axis once")),
        }
    }
    if order.len() != rank {
        return Err(bug("the order of a copy does not name every axis once"));
    }
    let order = order.to_vec();
    let permuted = Region::whole(&order.iter().map(|axis| counts[*axis]).collect::<Vec<_>>());
    Ok(BoxGrid::positions(&permuted).map(move |position| {
        let mut place = vec![0; rank];
        for (axis, at) in order.iter().zip(position) {
            place[*axis] = at;
        }
        place
    }))
}
