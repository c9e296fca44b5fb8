//! One box of elements from one buffer into another: rows of runs, and an odometer around them.

/// Axes that the floor can move. Everything about a box has this length, so that none is allocated.
pub(super) const MOST_AXES: usize = 8;

/// One number per axis; beyond the rank they are not looked at.
pub(super) type PerAxis = [usize; MOST_AXES];

/// A box in two buffers. All strides and starts are bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub(super) rank: usize,
    pub(super) width: usize,
    pub(super) lengths: PerAxis,
    pub(super) from_strides: PerAxis,
    pub(super) to_strides: PerAxis,
    pub(super) from_start: usize,
    pub(super) to_start: usize,
}

impl Transfer {
    /// Copies the box. Bounds are checked at every run.
    pub(super) fn copy(&self, from: &[u8], to: &mut [u8]) {
        let (mut run, mut rank) = (self.width, self.rank);
        while let Some(axis) = rank.checked_sub(1) {
            if self.from_strides[axis] != run || self.to_strides[axis] != run {
                break;
            }
            run *= self.lengths[axis];
            rank = axis;
        }
        match run {
            32 => self.rows(rank, |f, t| to[t..t + 32].copy_from_slice(&from[f..f + 32])),
            64 => self.rows(rank, |f, t| to[t..t + 64].copy_from_slice(&from[f..f + 64])),
            128 => self.rows(rank, |f, t| to[t..t + 128].copy_from_slice(&from[f..f + 128])),
            256 => self.rows(rank, |f, t| to[t..t + 256].copy_from_slice(&from[f..f + 256])),
            _ => self.rows(rank, |f, t| to[t..t + run].copy_from_slice(&from[f..f + run])),
        }
    }

    /// Calls `copy` with both positions of every run of the first `rank` axes.
    #[inline]
    fn rows(&self, rank: usize, mut copy: impl FnMut(usize, usize)) {
        let Some(last) = rank.checked_sub(1) else {
            copy(self.from_start, self.to_start);
            return;
        };
        let (from_step, to_step) = (self.from_strides[last], self.to_strides[last]);
        let (mut from, mut to) = (self.from_start, self.to_start);
        let mut steps = [0; MOST_AXES];
        loop {
            let (mut f, mut t) = (from, to);
            for _ in 0..self.lengths[last] {
                copy(f, t);
                f += from_step;
                t += to_step;
            }
            let mut axis = last;
            loop {
                let Some(outer) = axis.checked_sub(1) else { return };
                axis = outer;
                steps[axis] += 1;
                from += self.from_strides[axis];
                to += self.to_strides[axis];
                if steps[axis] < self.lengths[axis] {
                    break;
                }
                from -= self.from_strides[axis] * self.lengths[axis];
                to -= self.to_strides[axis] * self.lengths[axis];
                steps[axis] = 0;
            }
        }
    }
}
