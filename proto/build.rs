//! Compiles the messages with protox, so that no `protoc` is needed, and keeps their descriptors for reflection.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

/// What is said.
const WIRE: [&str; 3] = [
    "rechunk/v1/rechunk_service.proto",
    "rechunk/worker/v1/worker_service.proto",
    "externalscaler/externalscaler.proto",
];

/// What is persisted: no service of it, so that reflection shows the wire only.
const JOURNAL: [&str; 2] = ["rechunk/journal/v1/journal.proto", "rechunk/journal/v1/record.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=rechunk");
    println!("cargo:rerun-if-changed=externalscaler");
    let descriptors = protox::compile(WIRE, ["."])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("rechunk_descriptor.bin"), descriptors.encode_to_vec())?;
    let all = protox::compile(WIRE.iter().chain(&JOURNAL), ["."])?;
    tonic_prost_build::configure().compile_fds(all)?;
    Ok(())
}
