//! How a client talks to a coordinator.

use std::time::Duration;

use super::Credentials;

/// Deadlines and liveness of a connection, and who is at its ends.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// For the connection to stand.
    pub connect_timeout: Duration,
    /// For a call that only asks the coordinator.
    pub call_timeout: Duration,
    /// For a call in which the coordinator plans: it reads metadata and may list keys.
    pub plan_timeout: Duration,
    /// Added to the time for which a `Sync` may be held.
    pub sync_margin: Duration,
    /// Between two signs of life on a silent connection.
    pub keepalive_interval: Duration,
    /// Without an answer to one of those, the connection counts as cut.
    pub keepalive_timeout: Duration,
    /// Whom we believe, and who we are.
    pub credentials: Credentials,
    /// The span that submissions come of, as W3C's `traceparent` spells it: the job's trace links to it.
    pub trace_parent: Option<String>,
}

impl ClientOptions {
    /// The usual ones, with these credentials.
    pub fn with_credentials(credentials: Credentials) -> Self {
        Self { credentials, ..Self::default() }
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            plan_timeout: Duration::from_mins(5),
            sync_margin: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(10),
            credentials: Credentials::default(),
            trace_parent: None,
        }
    }
}
