//! `rechunk`: the command line. Parses, calls a coordinator (in this process or over gRPC), prints.

mod args;
mod commands;
mod console;
mod failure;
mod follow;
mod interrupt;
mod local;
mod progress;
mod remote;
mod report;
mod request;
mod service;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use rechunk_common::{Refusal, RefusalCode};

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
    start_logging(arguments.output.verbose);
    // Two TLS providers may be linked in; naming one keeps the choice from being made twice.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let format = arguments.output.format;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::internal(format!("cannot start threads: {error}")), format),
    };
    let interrupts = Interrupts::default();
    let ended = runtime.block_on(interrupts.run(commands::run(arguments, &interrupts)));
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, format),
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info,h2=warn,hyper=warn",
        _ => "debug,h2=warn,hyper=warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        // Where nobody reads standard error any more, saying so there would end the program.
        .log_internal_errors(false)
        .init();
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
    if format == PlanFormat::Json {
        say!("{}", report::json::error(refusal));
    }
    match &refusal.field {
        Some(field) => tell!("error: {field}: {}", refusal.message),
        None => tell!("error: {}", refusal.message),
    }
    failure.exit_code()
}
