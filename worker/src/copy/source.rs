//! Where the elements of a copy come from, piece by piece: chunks, inner chunks of shards, or exchange blocks.

mod array;
mod blocks;
mod packed_blocks;
mod shard_index;

pub(crate) use array::ArraySource;
pub(crate) use blocks::BlockSource;
use bytes::Bytes;
pub(crate) use packed_blocks::{PackedSource, lost_or_failed};
use rechunk_common::TaskFailure;
use rechunk_storage::{Prefix, Scheme};

use super::cells::Cells;
use crate::{context::TaskContext, failure::bug};

/// The pieces of one task.
#[derive(Debug)]
pub(crate) enum PieceSource {
    /// Read units of an array.
    Array(ArraySource),
    /// Blocks of an exchange.
    Blocks(BlockSource),
    /// Blocks of a packed exchange.
    Packed(PackedSource),
}

/// A piece as it came from the store.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// Nothing is stored for it.
    Missing,
    /// Its bytes, and where they came from.
    Encoded {
        /// As the store gave them.
        bytes: Bytes,
        /// The object, for messages.
        url: String,
    },
    /// Elements of it as they are, at the least those that the task moves.
    Elements {
        /// In C order.
        bytes: Bytes,
        /// Where in the whole piece they begin.
        start: usize,
    },
}

/// A piece ready to be copied.
#[derive(Debug)]
pub(crate) enum Piece {
    /// All of it is the source's fill value.
    Missing,
    /// Elements in C order.
    Elements {
        /// The buffer of the piece, or the part of it that the task moves.
        bytes: Bytes,
        /// Where in the whole buffer they begin.
        start: usize,
        /// Whether any of them is stored in the source; a block may hold fill values only.
        is_stored: bool,
    },
}

impl PieceSource {
    /// The pieces' cells.
    pub(crate) fn cells(&self) -> &Cells {
        match self {
            Self::Array(array) => array.cells(),
            Self::Blocks(blocks) => blocks.cells(),
            Self::Packed(blocks) => blocks.cells(),
        }
    }

    /// Where they are read.
    pub(crate) fn prefix(&self) -> &Prefix {
        match self {
            Self::Array(array) => array.prefix(),
            Self::Blocks(blocks) => blocks.prefix(),
            Self::Packed(blocks) => blocks.prefix(),
        }
    }

    /// Whether they are read from local files.
    pub(crate) fn is_local(&self) -> bool {
        self.prefix().url().scheme() == Scheme::File
    }

    /// What the piece at `place` needs at the most, encoded and decoded.
    pub(crate) fn room(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        match self {
            Self::Array(array) => array.room(),
            Self::Blocks(blocks) => blocks.room(place),
            Self::Packed(blocks) => blocks.room(place),
        }
    }

    /// What the piece needs now that its encoded length is known.
    pub(crate) fn settled_room(&self, place: &[u64], fetched: &Fetched) -> u64 {
        match (self, fetched) {
            (_, Fetched::Missing) => 0,
            (Self::Array(array), Fetched::Encoded { bytes, .. }) => array.settled_room(bytes.len() as u64),
            (Self::Packed(blocks), Fetched::Encoded { bytes, .. }) => blocks.settled_room(place, bytes),
            (Self::Blocks(_), Fetched::Encoded { bytes, .. }) | (_, Fetched::Elements { bytes, .. }) => {
                bytes.len() as u64
            }
        }
    }

    /// What is held from the first piece to the last.
    pub(crate) fn standing_room(&self) -> Result<u64, TaskFailure> {
        match self {
            Self::Array(array) => array.standing_room(),
            Self::Blocks(_) | Self::Packed(_) => Ok(0),
        }
    }

    /// Asks the store for the piece at `place`.
    pub(crate) async fn fetch(&self, cx: &TaskContext, place: &[u64]) -> Result<Fetched, TaskFailure> {
        match self {
            Self::Array(array) => array.fetch(cx, place).await,
            Self::Blocks(blocks) => blocks.fetch(cx, place).await,
            Self::Packed(blocks) => blocks.fetch(cx, place).await,
        }
    }

    /// Decodes what was fetched for `place`: work for the compute threads.
    pub(crate) fn decode(&self, cx: &TaskContext, place: &[u64], fetched: Fetched) -> Result<Piece, TaskFailure> {
        match (self, fetched) {
            (_, Fetched::Missing) => Ok(Piece::Missing),
            (Self::Array(array), Fetched::Encoded { bytes, url }) => array.decode(cx, place, bytes, &url),
            (Self::Array(array), Fetched::Elements { bytes, start }) => array.elements(cx, place, bytes, start),
            (Self::Blocks(blocks), Fetched::Encoded { bytes, url }) => blocks.decode(cx, place, &bytes, &url),
            (Self::Packed(blocks), Fetched::Encoded { bytes, url }) => blocks.decode(cx, place, &bytes, &url),
            (Self::Blocks(_) | Self::Packed(_), Fetched::Elements { .. }) => {
                Err(bug("a block came without its checksum"))
            }
        }
    }
}
