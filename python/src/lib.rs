//! `rechunk._rechunk`: what the Python package asks of Rust. A coordinator in this process or behind gRPC
//! ([`service`]), plans whose tasks an engine of the user's runs ([`engine`]), and workers of Python's functions
//! ([`worker`]). Everything that is said about plans and jobs crosses as JSON text; the Python side gives it its form.
//!
//! Knows nothing of zarr-python, xarray, or the engines.

mod engine;
mod failure;
mod logging;
mod machine;
mod pipelines;
mod request;
mod runtime;
mod service;
mod worker;

use pyo3::pymodule;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The module.
#[pymodule]
mod _rechunk {
    #[pymodule_export]
    use crate::{
        engine::{prepare, preview, run_tasks, stop_tasks},
        machine::resident,
        service::{Call, Service},
        worker::Worker,
    };

    /// The version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
