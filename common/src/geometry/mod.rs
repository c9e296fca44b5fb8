//! Boxes of elements and the grids that cut arrays into them. Lengths are elements, axes in the array's order.

mod cut;
mod edges;
mod grid;
mod overlap;
mod region;

pub use cut::Cut;
pub use edges::Edges;
pub use grid::{BoxGrid, div_ceil};
pub use overlap::{covered, gcd, lcm, meetings, pairs};
pub use region::Region;

#[cfg(test)]
mod tests;
