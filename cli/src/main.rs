//! `rechunk`: the command line. Parses, calls a coordinator (in this process or over gRPC), prints.

mod args;
mod commands;
mod failure;
mod follow;
mod local;
mod progress;
mod remote;
mod report;
mod request;
mod service;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;

use crate::{
    args::{Arguments, OutputFormat},
    failure::Failure,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, on standard output; anything else is a wrong request.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    start_logging(arguments.output.verbose);
    // Two TLS providers may be linked in; naming one keeps the choice from being made twice.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let format = arguments.output.output;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::internal(format!("cannot start threads: {error}")), format),
    };
    let ended = runtime.block_on(commands::run(arguments));
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
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal).init();
}

/// One sentence on standard error, with the field at fault; as JSON on standard output where that was asked for.
fn report(failure: &Failure, format: OutputFormat) -> ExitCode {
    let refusal = failure.refusal();
    if format == OutputFormat::Json {
        println!("{}", report::json::error(refusal));
    }
    match &refusal.field {
        Some(field) => eprintln!("error: {field}: {}", refusal.message),
        None => eprintln!("error: {}", refusal.message),
    }
    failure.exit_code()
}
