//! A piece on its way: what the next one needs, one that has its room, and one that is there.

use crate::{
    copy::source::{Fetched, Short},
    memory::Reservation,
};

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
    pub(super) heaps: Vec<u64>,
}

impl Next {
    /// A piece that opens no target.
    pub(super) fn new(place: Vec<u64>, room: u64) -> Self {
        Self { place, room, opens: Vec::new(), buffers: Vec::new(), encoded: Vec::new(), heaps: Vec::new() }
    }

    /// What the targets that it opens take beside their buffers.
    pub(super) fn beside(&self) -> impl Iterator<Item = u64> + '_ {
        self.encoded.iter().chain(&self.heaps).copied()
    }
}

/// A piece for which there was no room: it has given back all that it had.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) place: Vec<u64>,
    pub(super) short: Short,
}
