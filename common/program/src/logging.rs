//! Logs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Logs what `filter` lets through, unless `RUST_LOG` says otherwise. Called once.
pub fn start_logging(filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(filter));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        // Where nobody reads standard error any more, saying so there would end the program.
        .log_internal_errors(false)
        .init();
}
