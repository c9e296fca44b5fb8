//! Logs, on standard error: for people, or one JSON object a line.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing::Dispatch;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter, util::SubscriberInitExt};

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
    /// A JSON object, for what gathers logs: `timestamp`, `level`, `target`, `message` and the fields of the event, and in
    /// `span` those of the task that it happened in.
    Json,
}

/// Logs what `filter` lets through, unless `RUST_LOG` says otherwise. Called once.
pub fn start_logging(filter: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new(filter));
    logger(filter, format, std::io::stderr, std::io::stderr().is_terminal()).init();
}

fn logger<W>(filter: EnvFilter, format: LogFormat, to: W, is_terminal: bool) -> Dispatch
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(to)
        .with_ansi(is_terminal)
        // Where nobody reads standard error any more, saying so there would end the program.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => logs.finish().into(),
        LogFormat::Json => {
            logs.json().flatten_event(true).with_current_span(true).with_span_list(false).finish().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let dispatch = logger(EnvFilter::new("info"), format, move || to.clone(), false);
        tracing::dispatcher::with_default(&dispatch, || {
            let _task = tracing::info_span!("task", job = "job-1", lease = "1-7").entered();
            tracing::info!(attempt = 2, "sent again");
            tracing::debug!("not let through");
        });
        let bytes = lines.0.lock().expect("nobody panicked").clone();
        String::from_utf8(bytes).expect("a text")
    }

    #[test]
    fn what_happens_in_a_task_is_an_object_that_says_in_which() {
        let json: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json)).expect("one object");
        assert_eq!((&json["message"], &json["attempt"]), (&"sent again".into(), &2.into()));
        assert_eq!(json["span"], serde_json::json!({"name": "task", "job": "job-1", "lease": "1-7"}));
    }

    #[test]
    fn for_people_it_is_one_line() {
        let text = logged(LogFormat::Text);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO task{") && text.contains("sent again attempt=2"), "{text}");
    }
}
