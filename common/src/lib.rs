//! The vocabulary of rechunk: ids, limits, failure classes, geometry, layouts and plans.
//!
//! Pure types and arithmetic. Knows nothing of I/O, clocks, threads, protobuf or gRPC. Every other crate
//! depends on this one; this one depends on none of them.

pub mod byte_count;
pub mod content;
pub mod cost_profile;
pub mod counts;
pub mod failure;
pub mod geometry;
pub mod ids;
pub mod job;
pub mod layout;
pub mod limits;
pub mod memory_share;
pub mod micro_usd;
pub mod plan;
pub mod presence;
pub mod record;
pub mod refusal;
pub mod request;
pub mod request_rate;
pub mod session;
pub mod task_set;
pub mod variable;

pub use byte_count::ByteCount;
pub use content::{ContentHash, ContentSum, ValueHash};
pub use counts::Counts;
pub use failure::{FailureClass, TaskFailure};
pub use memory_share::MemoryShare;
pub use micro_usd::MicroUsd;
pub use presence::Presence;
pub use refusal::{Refusal, RefusalCode};
