//! Which coordinator, and the patience with it.

use std::time::Duration;

use clap::Args;
use rechunk_common::Refusal;
use rechunk_program::CredentialArgs;

use crate::{failure::Failure, remote::RemoteService};

/// Which coordinator.
#[derive(Debug, Clone, Args)]
pub(crate) struct RemoteArgs {
    /// URL of the coordinator
    #[arg(long, value_name = "URL", env = "RECHUNK_COORDINATOR", default_value = "http://127.0.0.1:7380")]
    pub(crate) coordinator: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

impl RemoteArgs {
    /// Connects to that coordinator; see [`RemoteService::connect`].
    pub(crate) async fn connect(&self, patience: Duration) -> Result<RemoteService, Failure> {
        connect(&self.coordinator, &self.credentials, patience).await
    }
}

/// Connects to the coordinator at `url` with what the flags say of credentials.
pub(crate) async fn connect(
    url: &str,
    credentials: &CredentialArgs,
    patience: Duration,
) -> Result<RemoteService, Failure> {
    let credentials = credentials.files().read().map_err(Refusal::from)?;
    RemoteService::connect(url, credentials, patience).await
}

/// How long to go on without a coordinator.
#[derive(Debug, Clone, Args)]
pub(crate) struct PatienceArgs {
    /// How long to try when the coordinator can't be reached, as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) reconnect: Duration,
}

/// `30s`, `5m`, `1h`, `7d`, or a number of seconds.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, seconds) = match text.as_bytes().last() {
        Some(b's') => (text.trim_end_matches('s'), 1),
        Some(b'm') => (text.trim_end_matches('m'), 60),
        Some(b'h') => (text.trim_end_matches('h'), 3600),
        Some(b'd') => (text.trim_end_matches('d'), 86_400),
        _ => (text, 1),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is not a duration; write 30s, 5m, 1h or 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(parse_duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(168)));
        assert!(parse_duration("soon").is_err());
        assert!(parse_duration("").is_err());
    }
}
