//! What every program of rechunk does when it starts and when it ends: logs, the TLS provider, threads, the configuration
//! file, credentials, signals, probes, metrics and traces, and the sentence with which it breaks off.
//!
//! Knows nothing of what a program is for. No library uses it.

mod configuration;
mod credentials;
mod failure;
mod http;
mod logging;
mod runtime;
mod signals;
mod traces;

pub use configuration::{BadConfiguration, read_configuration};
pub use credentials::CredentialArgs;
pub use failure::Failure;
pub use http::HttpFace;
pub use logging::{LogArgs, LogFormat, start_logging};
pub use runtime::run_to_end;
pub use signals::Signals;
pub use traces::traced;
