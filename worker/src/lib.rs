//! The worker: leases in, chunks moved, results out. A library first: [`WorkerBuilder`] puts a worker together, with
//! functions of one's own if wanted, and the program `rechunk-worker` is a thin shell around it.
//!
//! A worker knows nothing of plans: it is given (function, task range, lease). Order, barriers and retries are the
//! coordinator's. What it holds in memory is bounded by the grant of each task, to the byte.

mod builder;
mod codec_time;
pub mod compute;
pub mod context;
pub mod copy;
pub mod copy_encoded;
mod failure;
mod figures;
mod function;
pub mod memory;
pub mod metadata;
pub mod pages;
mod payload;
mod presence;
mod progress;
pub mod removal;
mod requests;
pub mod resident;
mod runner;
mod scratch;
mod session;
mod shard;
mod small_copies;
pub mod tally;
mod verification;
#[cfg(test)]
mod workbench;

pub use builder::{BuildError, DEFAULT_GRACE, Worker, WorkerBuilder};
pub use compute::ComputePool;
pub use context::TaskContext;
pub use figures::{Standing, WorkerWatch};
pub use function::TaskFunction;
pub use memory::{BufferPool, TaskMemory, memory_reserve};
pub use runner::TaskRunner;
pub use scratch::{Scratch, ScratchError};
pub use session::{BootClock, Clock, CoordinatorLink, GrpcLink, LinkError, Machine, Surroundings};
