//! `rechunk`: the command line. Parses, calls a coordinator (in this process or over gRPC), prints.

mod args;
mod commands;
mod console;
mod doctor;
mod follow;
mod garbage;
mod interrupt;
mod machine;
mod progress;
mod request;

use std::process::ExitCode;

use clap::Parser;
use rechunk_cli::{failure, local, remote, report, service};
use rechunk_common::{Refusal, RefusalCode};
use rechunk_program::{LogFormat, run_to_end, start_logging};

use crate::{
    args::{Arguments, PlanFormat},
    console::{say, tell},
    failure::Failure,
    interrupt::Interrupts,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, on standard output; anything else is a wrong request.
            if error.use_stderr() && asks_for_json() {
                say!("{}", report::json::error(&wrong_arguments(&error)));
            }
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let filter = match arguments.output.verbose {
        0 => "warn",
        1 => "info,h2=warn,hyper=warn",
        _ => "debug,h2=warn,hyper=warn",
    };
    start_logging(filter, LogFormat::Text);
    let format = arguments.output.format;
    let interrupts = Interrupts::default();
    match run_to_end(interrupts.run(commands::run(arguments, &interrupts))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => report(&failure, format),
        Err(no_threads) => report(&Failure::internal(no_threads.message), format),
    }
}

/// Whether the arguments, which could not be parsed, ask for JSON.
fn asks_for_json() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let is_asked = |pair: &[String]| pair == ["--output", "json"];
    arguments.windows(2).any(is_asked) || arguments.iter().any(|argument| argument == "--output=json")
}

fn wrong_arguments(error: &clap::Error) -> Refusal {
    // Its first line is the sentence; usage and tips follow.
    let text = error.to_string();
    let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    Refusal::new(RefusalCode::InvalidArgument, "BAD_ARGUMENTS", sentence)
}

/// One sentence on standard error, with the field at fault; as JSON on standard output where that was asked for.
fn report(failure: &Failure, format: PlanFormat) -> ExitCode {
    let refusal = failure.refusal();
    // The findings are the one object.
    if format == PlanFormat::Json && !matches!(failure, Failure::Unwell(_)) {
        say!("{}", report::json::error(refusal));
    }
    match &refusal.field {
        Some(field) => tell!("error: {field}: {}", refusal.message),
        None => tell!("error: {}", refusal.message),
    }
    failure.exit_code()
}
