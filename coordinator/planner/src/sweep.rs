//! How many target chunks a sweep holds open at one time.
//!
//! A task visits the source pieces of its box in lexicographic order of some order of the axes. A target chunk is
//! open from the first piece that touches it to the last, both included. At piece `p` of the slowest axis the chunks
//! that `p` touches fall into
//! - whole: they lie inside the piece. They are open only while the faster axes pass over them;
//! - begun: they began in an earlier piece and end here. They close as the faster axes pass over them;
//! - to be ended: they begin here and end later. They open as the faster axes pass over them;
//! - across: they began earlier and end later. All are open.
//!
//! At any moment the begun ones that are not closed and the ones to be ended that are open already are together one
//! full layer, and what the current piece touches stands in both. So with `o` chunks open on the faster axes and `P`
//! chunks there in all, `open = (whole + min(begun, to be ended)) · o + (max(begun, to be ended) + across) · P`, which
//! is about half of what counting full layers gives. It is exact but for the two ends of a box, where it is above.

use crate::axis;

/// Pieces of an axis that are looked at one by one; with more of them their phases are.
const FEW_PIECES: u64 = 64;

/// What the pieces of one axis touch at the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Touch {
    /// Most chunks that a piece touches of which none passes the piece's bounds.
    whole: u64,
    /// Most chunks beside the full layer that a piece touches of which one passes its bounds; `None`: no such piece.
    beside: Option<u64>,
}

impl Touch {
    /// For pieces of `piece` and chunks of `chunk` over `n` elements, both from 0.
    pub(crate) fn of(n: u64, piece: u64, chunk: u64) -> Self {
        let mut touch = Self::default();
        let pieces = axis::boxes(n, piece);
        if pieces <= FEW_PIECES {
            for index in 0..pieces {
                touch.add(index.saturating_mul(piece), n, piece, chunk);
            }
            return touch;
        }
        // A piece starts at a multiple of the common divisor inside a chunk. What it touches changes only where its
        // end meets the end of a chunk, so the phases around that point and at both ends stand for all.
        let step = axis::gcd(piece, chunk);
        let meets = chunk.saturating_sub(piece.checked_rem(chunk).unwrap_or(0));
        let phases = [
            Some(0),
            Some(step),
            chunk.checked_sub(step),
            Some(meets),
            meets.checked_sub(step),
            meets.checked_add(step),
        ];
        for phase in phases.into_iter().flatten().filter(|phase| *phase < chunk) {
            touch.add(phase, u64::MAX, piece, chunk);
        }
        touch
    }

    /// The same where pieces and chunks may begin anywhere: at the most.
    pub(crate) fn anywhere(n: u64, piece: u64, chunk: u64) -> Self {
        let touched = axis::most_overlapped_anywhere(n, piece, chunk);
        Self { whole: touched, beside: touched.checked_sub(1) }
    }

    /// The same where chunks are no longer than `chunk` and may be shorter: in what as many of that length take.
    pub(crate) fn anywhere_unequal(n: u64, piece: u64, chunk: u64) -> Self {
        let touched = axis::most_overlapped_anywhere(n, piece, chunk).saturating_add(1);
        Self { whole: touched, beside: touched.checked_sub(1) }
    }

    /// Takes the piece that starts at `start` into account.
    fn add(&mut self, start: u64, n: u64, piece: u64, chunk: u64) {
        let end = start.saturating_add(piece).min(n);
        let (Some(first), Some(last)) = (start.checked_div(chunk), end.saturating_sub(1).checked_div(chunk)) else {
            return;
        };
        let begun = first.saturating_mul(chunk) < start;
        let to_be_ended = last.saturating_add(1).saturating_mul(chunk).min(n) > end;
        let touched = last.saturating_sub(first).saturating_add(1);
        if begun || to_be_ended {
            // One of the touched stands for the full layer.
            let beside = touched.saturating_sub(1);
            self.beside = Some(self.beside.map_or(beside, |most| most.max(beside)));
        } else {
            self.whole = self.whole.max(touched);
        }
    }
}

/// Most chunks open at one time in a box of `counts` chunks per axis, visited in `order`, slowest first.
pub(crate) fn most_open(touches: &[Touch], counts: &[u64], order: &[usize]) -> Option<u64> {
    let mut open: u64 = 1;
    let mut all: u64 = 1;
    for axis in order.iter().rev() {
        let (touch, count) = (touches.get(*axis)?, *counts.get(*axis)?);
        let whole = touch.whole.min(count).checked_mul(open)?;
        let beside = match touch.beside {
            Some(beside) => beside.min(count.saturating_sub(1)).checked_mul(open)?.checked_add(all)?,
            None => 0,
        };
        all = all.checked_mul(count)?;
        open = whole.max(beside).min(all);
    }
    Some(open)
}

/// All axes with `slowest` first and the others in their order.
pub(crate) fn order(rank: usize, slowest: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).filter(|axis| *axis == slowest).collect();
    order.extend((0..rank).filter(|axis| *axis != slowest));
    order
}

#[cfg(test)]
mod tests;
