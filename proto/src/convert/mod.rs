//! Conversions between messages and domain types: `From` on the way out, `TryFrom` with a typed error on the way in.
//!
//! Domain types are taken apart by name on the way out, so that a new field of a domain type does not compile until it
//! is on the wire.

mod cost;
mod counts;
mod edges;
mod exchange;
mod field;
mod function;
mod geometry;
mod job;
mod journal_object;
mod journal_plan;
mod journal_record;
mod layout;
mod lease;
mod listed;
mod outline;
mod pipelines;
mod publishing;
mod rates;
mod refusal;
mod request;
mod scratch;
mod session;
mod small_copies;
mod summary;
mod time;
mod verify;
mod worker;

pub(crate) use field::cut;
pub use outline::PlannedRechunk;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::samples;
