//! The floor as a program: rechunks one array with everything in memory and prints one line of JSON, wall and processor
//! seconds by phase. Not a tool to work with: it needs memory for the whole array, and an error leaves half a target.

use std::{io::Write, process::ExitCode};

use rechunk_floor::{Arguments, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // object_store may find two TLS providers linked in; naming one keeps the choice from being made twice.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let report = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| run(&arguments));
    match report {
        Ok(report) => {
            let written = writeln!(std::io::stdout(), "{}", report.json());
            if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
