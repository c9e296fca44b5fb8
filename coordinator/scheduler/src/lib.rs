//! The scheduler core: `(now, event) → commands`.
//!
//! Pure. Knows nothing of I/O, clocks, randomness, threads, protobuf or gRPC: time arrives inside events, and what
//! must be durable is held here until the journal says so.

mod command;
mod event;

pub use command::{Command, Record, RecordFact};
pub use event::{Event, Settings, Timestamp};
