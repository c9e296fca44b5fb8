//! Along which axes the grids of both sides do not begin together: a part of an array that is copied may begin anywhere
//! in its chunks, and chunks that differ in length begin anywhere. What depends on how two grids meet is there taken for the
//! worst that can be; counts of requests and bytes are exact in any case, and know nothing of this.

use rechunk_common::{geometry::BoxGrid, layout::ArrayLayout};

/// A set of axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shifted(u32);

impl Shifted {
    /// Axes along which objects of `layout` begin before its bounds do, or differ in length.
    pub(crate) fn of(layout: &ArrayLayout) -> Self {
        if layout.part.is_none() && layout.has_equal_chunks() {
            return Self::default();
        }
        let units = layout.chunks.write_unit().iter().enumerate();
        let is_shifted = |(axis, unit): (usize, &u64)| {
            layout.edges(axis).is_some() || layout.origin(axis).checked_rem(*unit) != Some(0)
        };
        Self::along(units.map(is_shifted))
    }

    /// Axes along which objects of `layout` differ in length.
    pub(crate) fn of_unequal(layout: &ArrayLayout) -> Self {
        Self::along((0..layout.shape.len()).map(|axis| layout.edges(axis).is_some()))
    }

    /// Axes along which boxes of `grid` do either.
    pub(crate) fn of_grid(grid: &BoxGrid) -> Self {
        Self::along((0..grid.lengths().len()).map(|axis| grid.ahead(axis) > 0 || grid.edges(axis).is_some()))
    }

    fn along(axes: impl Iterator<Item = bool>) -> Self {
        // There are at most 32 axes.
        Self(axes.zip(0_u32..32).filter(|(is_shifted, _)| *is_shifted).fold(0, |set, (_, axis)| set | 1 << axis))
    }

    /// Axes of either.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `axis` is one.
    pub(crate) fn has(self, axis: usize) -> bool {
        u32::try_from(axis).is_ok_and(|axis| self.0.checked_shr(axis).is_some_and(|set| set & 1 == 1))
    }
}
