//! Everything that reads bytes which somebody else wrote, given any bytes at all: an error or a valid value, never a
//! panic, and never more memory than the input warrants.
//!
//! `tests/corpus.rs` replays the corpus and changes it by chance, on any compiler. `tests/fuzz/run` lets libFuzzer look for
//! inputs that reach new code, and keeps those that do.

pub mod corpus;
pub mod memory;
pub mod mutation;
pub mod targets;

pub use targets::Target;
