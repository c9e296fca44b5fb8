//! The wire: protobuf messages, their conversion to the domain types, and the clients.
//!
//! The only crate that knows protobuf. Messages are converted once, at the door; each conversion has a typed error
//! that names the field at fault, and behind it nothing is checked again. Knows nothing of planning, scheduling or
//! storage.
//!
//! - [`v1`] and [`worker::v1`]: the messages and services, generated from `rechunk/v1` and `rechunk/worker/v1`.
//! - The conversions are `From` and `TryFrom` between those and the types of `rechunk_common`; what is refused is one of
//!   the `Invalid…` errors, which become a [`Refusal`](rechunk_common::Refusal).
//! - [`status`]: refusals as gRPC statuses and back.
//! - [`journal`]: what the coordinator persists, in bytes and back, generated from `rechunk/journal/v1`.
//! - [`client`]: the clients of both services, in domain types.
//!
//! A server or a client of its own must raise tonic's limit of 4 MiB to `limits::MAX_MESSAGE_BYTES` on its side.

pub mod client;
mod convert;
mod fault;
mod generated;
mod invalid;
pub mod journal;
pub mod status;

pub use convert::PlannedRechunk;
pub use fault::{Fault, Problem};
pub use generated::{FILE_DESCRIPTOR_SET, externalscaler, v1, worker};
pub use invalid::{
    InvalidExchange, InvalidFunction, InvalidFunctionId, InvalidGrant, InvalidGrid, InvalidJob, InvalidJobId,
    InvalidJournalObject, InvalidLayout, InvalidLease, InvalidPipelines, InvalidPlan, InvalidRechunk, InvalidRecord,
    InvalidRefusal, InvalidRegion, InvalidReport, InvalidStage, InvalidSyncRequest, InvalidSyncResponse, InvalidWorker,
};
