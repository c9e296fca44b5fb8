//! The threads of a program.

use crate::Failure;

/// Runs `work` on threads of its own; what is still running on them afterwards is given up. `Err`: there are no threads.
pub fn run_to_end<W: Future>(work: W) -> Result<W::Output, Failure> {
    // Two TLS providers may be linked in; naming one keeps the choice from being made twice.
    let _already_named = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::broken(format!("cannot start threads: {error}")))?;
    let ended = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(ended)
}
