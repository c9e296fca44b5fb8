//! Where the elements of a copy come from, piece by piece: chunks, inner chunks of shards, or exchange blocks.

mod array;
mod blocks;
mod packed_blocks;
mod shard_index;

pub(crate) use array::ArraySource;
pub(crate) use blocks::BlockSource;
use bytes::Bytes;
pub(crate) use packed_blocks::{BlockKind, PackedSource, lost_or_failed};
use rechunk_common::TaskFailure;
use rechunk_storage::{Prefix, Scheme};

use self::array::Unread;
use super::cells::Cells;
use crate::{context::TaskContext, failure::bug, memory::Reservation};

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
    /// It is longer than there is room for; nothing of it has been read.
    Longer(Box<Longer>),
}

/// A piece that was found and not read.
#[derive(Debug)]
pub(crate) struct Longer {
    /// Bytes that it needs at the least.
    pub(crate) needed: u64,
    /// The object, for messages.
    pub(crate) url: String,
    unread: Unread,
}

/// A piece that was decoded, as far as there was room.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// All of it.
    Piece(Piece),
    /// It is longer than there is room for.
    Short(Short),
}

/// What there is no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Short {
    /// Bytes that are needed at the least.
    pub(crate) needed: u64,
    /// The object, for messages.
    pub(crate) url: String,
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
        /// Where elements are of variable length these are their descriptors, and here are the elements.
        heap: Option<Bytes>,
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

    /// Whether elements are of variable length.
    pub(crate) fn is_variable(&self) -> bool {
        match self {
            Self::Array(array) => array.is_variable(),
            Self::Packed(blocks) => blocks.is_variable(),
            Self::Blocks(_) => false,
        }
    }

    /// What the piece at `place` needs at the most, encoded and decoded; what it is assumed to need where elements are of
    /// variable length.
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
            (_, Fetched::Missing | Fetched::Longer(_)) => 0,
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

    /// Asks the store for the piece at `place`, for which there is `room`.
    pub(crate) async fn fetch(&self, cx: &TaskContext, place: &[u64], room: u64) -> Result<Fetched, TaskFailure> {
        match self {
            Self::Array(array) => array.fetch(cx, place, room).await,
            Self::Blocks(blocks) => blocks.fetch(cx, place).await,
            Self::Packed(blocks) => blocks.fetch(cx, place).await,
        }
    }

    /// Reads what was found to be longer.
    pub(crate) async fn read(&self, cx: &TaskContext, longer: Longer) -> Result<Fetched, TaskFailure> {
        match self {
            Self::Array(array) => array.read(cx, longer).await,
            Self::Blocks(_) | Self::Packed(_) => Err(bug("a block of an exchange is longer than it can be")),
        }
    }

    /// What the piece at `place` takes beside its heap once it is decoded, of elements of variable length.
    pub(crate) fn descriptor_bytes(&self, place: &[u64]) -> Result<u64, TaskFailure> {
        match self {
            Self::Array(array) => Ok(array.descriptor_bytes()),
            Self::Packed(blocks) => blocks.descriptor_bytes(place),
            Self::Blocks(_) => Ok(0),
        }
    }

    /// Decodes what was fetched for `place`, of elements of variable length, within `room`, which `grow` makes larger where
    /// it can. It is not counted yet.
    pub(crate) fn decode_variable(
        &self,
        place: &[u64],
        fetched: Fetched,
        room: &mut Reservation,
        grow: impl Fn(&mut Reservation, u64) -> bool,
    ) -> Result<Decoded, TaskFailure> {
        match (self, fetched) {
            (_, Fetched::Missing) => Ok(Decoded::Piece(Piece::Missing)),
            (Self::Array(array), Fetched::Encoded { bytes, url }) => {
                array.decode_variable(place, (&bytes, url), room, grow)
            }
            (Self::Packed(blocks), Fetched::Encoded { bytes, url }) => {
                blocks.decode_variable(place, &bytes, url, room, grow)
            }
            (_, Fetched::Encoded { .. } | Fetched::Elements { .. } | Fetched::Longer(_)) => {
                Err(bug("a piece of elements of variable length came in another way"))
            }
        }
    }

    /// Counts a piece of elements of variable length.
    pub(crate) fn count_decoded(&self, cx: &TaskContext, place: &[u64]) -> Result<(), TaskFailure> {
        match self {
            Self::Array(array) => array.count_decoded(cx, place),
            Self::Packed(blocks) => blocks.count_decoded(cx, place),
            Self::Blocks(_) => Ok(()),
        }
    }

    /// Decodes what was fetched for `place`: work for the compute threads.
    pub(crate) fn decode(&self, cx: &TaskContext, place: &[u64], fetched: Fetched) -> Result<Piece, TaskFailure> {
        match (self, fetched) {
            (_, Fetched::Missing) => Ok(Piece::Missing),
            (_, Fetched::Longer(_)) => Err(bug("a piece that was not read cannot be decoded")),
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
