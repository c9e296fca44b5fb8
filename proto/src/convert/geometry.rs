//! Regions and grids. Behind this door every region has a count of elements that fits into 64 bits, and every grid a
//! count of boxes.

use rechunk_common::geometry::{BoxGrid, Region};

use super::{
    edges,
    field::{lengths, of_rank, required, shape},
};
use crate::{
    fault::{Fault, Problem},
    invalid::{InvalidGrid, InvalidRegion},
    v1,
};

impl From<Region> for v1::Region {
    fn from(region: Region) -> Self {
        Self { start: region.start().to_vec(), end: region.end().to_vec() }
    }
}

impl TryFrom<v1::Region> for Region {
    type Error = InvalidRegion;

    fn try_from(region: v1::Region) -> Result<Self, InvalidRegion> {
        let start = shape(region.start, "start")?;
        let end = of_rank(region.end, start.len(), "end")?;
        if start.iter().zip(&end).any(|(start, end)| end < start) {
            return Err(Fault::at("end", Problem::Reversed).into());
        }
        let region = Self::new(start, end);
        if product(&region.shape()).is_none() {
            return Err(Fault::at("end", Problem::Overflow).into());
        }
        Ok(region)
    }
}

impl From<BoxGrid> for v1::BoxGrid {
    fn from(grid: BoxGrid) -> Self {
        let ahead: Vec<u64> = (0..grid.lengths().len()).map(|axis| grid.ahead(axis)).collect();
        let ahead = if ahead.iter().all(|ahead| *ahead == 0) { Vec::new() } else { ahead };
        Self {
            bounds: Some(grid.bounds().clone().into()),
            lengths: grid.lengths().to_vec(),
            ahead,
            edges: edges::to_wire(grid.all_edges()),
        }
    }
}

impl TryFrom<v1::BoxGrid> for BoxGrid {
    type Error = InvalidGrid;

    fn try_from(grid: v1::BoxGrid) -> Result<Self, InvalidGrid> {
        // There are at most as many boxes as elements, and those are known to fit.
        let bounds: Region = required(grid.bounds, "bounds")?;
        let lengths = lengths(grid.lengths, bounds.rank(), "lengths")?;
        let ahead = if grid.ahead.is_empty() { grid.ahead } else { of_rank(grid.ahead, bounds.rank(), "ahead")? };
        if ahead.iter().zip(bounds.start()).any(|(ahead, start)| ahead > start) {
            return Err(Fault::at("ahead", Problem::Outside).into());
        }
        let reach = |axis: usize| bounds.length(axis).saturating_add(ahead.get(axis).copied().unwrap_or(0));
        let least: Vec<u64> = (0..bounds.rank()).map(reach).collect();
        let edges = edges::from_wire(grid.edges, &lengths, &least)?;
        Ok(Self::new(bounds, lengths).begun_ahead(ahead).cut_at(&edges))
    }
}

/// The product of lengths; `None` beyond 64 bits, and for the largest number of 64 bits, which counts that saturate
/// stop at. An empty axis makes it 0 whatever the others are.
pub(super) fn product(lengths: &[u64]) -> Option<u64> {
    if lengths.contains(&0) {
        return Some(0);
    }
    lengths.iter().try_fold(1_u64, |product, length| product.checked_mul(*length)).filter(|product| *product < u64::MAX)
}
