//! Clients of the coordinator, in the words of the domain: one for people's programs, one for workers. Every call has a
//! deadline; nothing is tried again here, because only the caller knows how long it will wait.

mod call;
mod connection;
mod credentials;
mod error;
mod options;
mod rechunk_client;
mod watch;
mod worker_link;

pub use credentials::{BadCredentials, CredentialFiles, Credentials};
pub use error::ClientError;
pub use options::ClientOptions;
pub use rechunk_client::RechunkClient;
pub use watch::JobWatch;
pub use worker_link::WorkerLink;

#[cfg(test)]
mod tests;
