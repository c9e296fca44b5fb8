//! Histories of a small job under the real scheduler: all of them, and random ones.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod exhaustive;
mod small_world;
mod state_machine;
