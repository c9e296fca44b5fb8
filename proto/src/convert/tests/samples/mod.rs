//! Strategies for valid values of every domain type.

mod arrays;
mod basics;
mod costs;
mod functions;
mod jobs;
mod plans;
mod records;
mod sessions;

pub(crate) use arrays::{grids, layouts, regions};
pub(crate) use basics::{counts, names, refusals};
pub(crate) use functions::{exchanges, function_ids, functions};
pub(crate) use jobs::{jobs, workers};
pub(crate) use plans::{pipelines_requests, planned, rechunk_requests, summaries};
pub(crate) use records::{journal_objects, records};
pub(crate) use sessions::{grants, leases, reports, sync_requests, sync_responses};
