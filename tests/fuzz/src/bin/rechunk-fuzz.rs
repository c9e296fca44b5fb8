//! libFuzzer on one target, whose name is in `RECHUNK_FUZZ`. Started by `tests/fuzz/run`.

#![no_main]
#![allow(unsafe_code, missing_docs, reason = "the macro's")]

use std::sync::OnceLock;

use rechunk_fuzz::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn of_environment() -> Target {
    let name = std::env::var("RECHUNK_FUZZ").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| {
        eprintln!("RECHUNK_FUZZ={name} names no target: {:?}", Target::ALL.map(Target::name));
        std::process::exit(2)
    })
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.get_or_init(of_environment).read(input));
