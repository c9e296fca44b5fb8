//! The scheduler core: `(now, event) → commands`.
//!
//! Pure. Knows nothing of I/O, clocks, randomness, threads, protobuf or gRPC: time arrives inside events, and what
//! must be durable is held here until the journal says so.
//!
//! [`Scheduler::apply`] takes in one event; [`Scheduler::next_deadline`] says when to send `Event::Tick` if nothing else
//! happens. Tasks are ranges, never a struct each: a job of 10^8 tasks costs what its leases and failures cost.

mod adopt;
mod advance;
mod barrier;
mod command;
mod durable;
mod ending;
mod event;
mod expiry;
mod failed_task;
mod fairness;
mod figures;
mod fingerprint;
mod grant;
mod index;
pub mod invariants;
mod job;
mod late;
mod lease;
mod lease_size;
mod ledger;
mod progress;
mod recover;
mod removal;
mod repair;
mod report;
mod retry;
mod stage;
mod state;
mod submit;
mod succession;
mod sync;
#[cfg(test)]
mod tests;
mod track_record;
mod verification;
mod view;
mod waiting;
mod worker;

pub use command::Command;
pub use event::{Event, Settings, Timestamp};
pub use figures::{Demand, Figures};
pub use ledger::Ledger;
pub use rechunk_common::record::{AcceptedJob, Record, RecordFact};
pub use recover::Inconsistent;
pub use state::Scheduler;
pub use view::{LiveSpace, spaces_overlap};
