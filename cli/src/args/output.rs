//! How results and progress are shown.

use clap::{Args, ValueEnum};
use rechunk_common::Refusal;

/// How results and progress are shown, as it was asked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct AskedOutput {
    /// How the result is printed on standard output
    #[arg(long = "output", value_name = "FORMAT", default_value = "text", global = true)]
    pub(crate) format: PlanFormat,
    /// No progress, only the result
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Log what is done on standard error; twice for every request
    #[arg(long, short, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

/// A form in which a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// Tables for people
    Text,
    /// One JSON object
    Json,
    /// One page with pictures, for plan and run --dry-run
    Html,
}

/// How results and progress of any command are shown.
#[derive(Debug, Clone)]
pub(crate) struct OutputArgs {
    /// How the result is printed on standard output.
    pub(crate) output: OutputFormat,
    /// No progress, only the result.
    pub(crate) quiet: bool,
}

/// A form of output that every command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// Tables for people.
    Text,
    /// One JSON object.
    Json,
}

impl AskedOutput {
    /// For a command that shows no plan: pictures of anything else there are none.
    pub(crate) fn without_pictures(&self) -> Result<OutputArgs, Refusal> {
        let output = match self.format {
            PlanFormat::Text => OutputFormat::Text,
            PlanFormat::Json => OutputFormat::Json,
            PlanFormat::Html => {
                let message = "html is for plan and run --dry-run; write text or json for other commands";
                return Err(Refusal::invalid("output", "OUTPUT_FORMAT", message));
            }
        };
        Ok(OutputArgs { output, quiet: self.quiet })
    }
}
