//! Logs, on standard error: for people, or one JSON object a line.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// How a program logs.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LogArgs {
    /// How logs are written
    #[arg(long, value_name = "FORMAT", env = "RECHUNK_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object, for what gathers logs: `timestamp`, `level`, `target`, `message` and the fields of the event.
    Json,
}

/// Logs what `filter` lets through, unless `RUST_LOG` says otherwise. Called once.
pub fn start_logging(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(filter));
    let is_terminal = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        // Where nobody reads standard error any more, saying so there would end the program.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).with_current_span(false).with_span_list(false).init(),
    }
}
