//! The worker's side of the conversation with the coordinator: what it holds, what came of it, and what it should
//! hold.
//!
//! Level-triggered: every call says all that is held and everything that is not acknowledged, so a lost answer or a
//! new coordinator costs one round. The worker counts a lease's time from before it asked, on a clock that goes on
//! while the machine sleeps; the coordinator counts from after it was asked plus a margin: the worker stops first.
//! Knows nothing of plans, of what functions do, or of gRPC.

mod attempt;
mod call;
mod clock;
mod conversation;
mod lease_table;
mod link;
mod outbox;
mod surroundings;
mod term;

pub(crate) use attempt::{Admission, Attempts, Outcome};
pub use clock::{BootClock, Clock};
pub(crate) use conversation::{Conversation, Identity, Patience};
pub(crate) use lease_table::NextTask;
pub use link::{CoordinatorLink, GrpcLink, LinkError};
pub use surroundings::{Machine, Surroundings};
pub(crate) use term::LeaseTerm;

#[cfg(test)]
mod tests;
