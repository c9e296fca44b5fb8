//! A piece on its way: what the next one needs, one that has its room, and one that is there.

use crate::{copy::source::Fetched, memory::Reservation};

/// A piece as it came, and the room that it takes.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) place: Vec<u64>,
    pub(super) fetched: Fetched,
    pub(super) room: Reservation,
    /// What it took before its encoded length was known.
    pub(super) bytes: u64,
}

/// A piece that has its room and is to be fetched.
#[derive(Debug)]
pub(super) struct Starting {
    pub(super) place: Vec<u64>,
    pub(super) room: Reservation,
    pub(super) bytes: u64,
}

/// The next piece and what it needs.
pub(super) struct Next {
    pub(super) place: Vec<u64>,
    pub(super) room: u64,
    pub(super) opens: Vec<usize>,
    pub(super) buffers: Vec<usize>,
    pub(super) encoded: Vec<u64>,
}
