//! Memory of tasks, accounted to the byte: a worker's buffers, and what one task may hold of them.
//!
//! A task's memory is granted whole before it reads anything. Inside the task every buffer is reserved before it
//! comes into being, so the sum never passes the grant. Buffers that were freed are kept for the next ones, because
//! fresh pages cost more than most codecs; kept buffers count as held, and give way when their room is needed.

mod buffer;
mod pool;
mod task;

pub(crate) use buffer::Buffer;
pub use pool::BufferPool;
pub use task::TaskMemory;
pub(crate) use task::{Opened, Reservation};

use rechunk_common::{ByteCount, MemoryShare};

#[cfg(test)]
mod tests;

/// What the process takes beyond its resident set at start: connections, response bodies on their way, the working
/// space of codecs, what an allocator keeps.
const RESERVE_BASE: u64 = 48 << 20;

/// The same for every compute thread.
const RESERVE_PER_THREAD: u64 = 8 << 20;

/// The resident set at start where the machine does not say it.
const UNKNOWN_RSS: u64 = 24 << 20;

/// How much of `memory`, the resident set that the process may have, is for tasks: nine tenths of it, less the
/// resident set at start and an allowance for what tasks don't account for. Below twice the reserve the limit bounds
/// the data buffers only.
pub fn memory_reserve(memory: ByteCount, rss_at_start: Option<ByteCount>, threads: usize) -> MemoryShare {
    let threads = u64::try_from(threads).unwrap_or(u64::MAX);
    let at_start = rss_at_start.map_or(UNKNOWN_RSS, |rss| rss.0);
    let reserve = at_start.saturating_add(RESERVE_BASE).saturating_add(RESERVE_PER_THREAD.saturating_mul(threads));
    MemoryShare::of(memory, ByteCount(reserve))
}
