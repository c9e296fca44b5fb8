//! What the benchmarks share: the jobs of the worked table, a simulated fleet, and an allocator that counts.

pub mod allocation;
pub mod fleet;
pub mod jobs;
pub mod worker;
