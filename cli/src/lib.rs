//! What stands behind the command line, for other programs that embed it: a coordinator in this process or behind
//! gRPC, why a call fails, and what people are shown of plans and jobs.
//!
//! Knows nothing of arguments, terminals or signals.

pub mod failure;
pub mod local;
pub mod remote;
pub mod report;
pub mod service;
