//! The objects of the journal.

use rechunk_common::ids::{Epoch, JournalPosition};

use super::field::required;
use crate::{
    fault::{Fault, Problem},
    generated::journal::v1::{self, journal_object::Content as WireContent},
    invalid::InvalidJournalObject,
    journal::{Content, Heartbeat, JournalObject, Nonce, Piece, SnapshotPart},
};

impl From<JournalObject> for v1::JournalObject {
    fn from(object: JournalObject) -> Self {
        let JournalObject { epoch: Epoch(epoch), seq, nonce: Nonce(nonce), content } = object;
        let content = match content {
            Content::Claim => WireContent::Claim(v1::Claim {}),
            Content::Batch(pieces) => WireContent::Batch(v1::Batch { pieces: of_pieces(pieces) }),
            Content::SnapshotPart(part) => WireContent::SnapshotPart(part.into()),
        };
        Self { epoch, seq, nonce: nonce.to_be_bytes().to_vec(), content: Some(content) }
    }
}

impl TryFrom<v1::JournalObject> for JournalObject {
    type Error = InvalidJournalObject;

    fn try_from(object: v1::JournalObject) -> Result<Self, InvalidJournalObject> {
        let nonce: [u8; 16] = object
            .nonce
            .try_into()
            .map_err(|nonce: Vec<u8>| Fault::at("nonce", Problem::WrongLength { expected: 16, found: nonce.len() }))?;
        let content = object.content.ok_or_else(|| Fault::at("content", Problem::Missing))?;
        let content = match content {
            WireContent::Claim(v1::Claim {}) => Content::Claim,
            WireContent::Batch(batch) => Content::Batch(pieces(batch.pieces)),
            WireContent::SnapshotPart(part) => Content::SnapshotPart(required(Some(part), "snapshot_part")?),
        };
        Ok(Self { epoch: Epoch(object.epoch), seq: object.seq, nonce: Nonce(u128::from_be_bytes(nonce)), content })
    }
}

impl From<SnapshotPart> for v1::SnapshotPart {
    fn from(part: SnapshotPart) -> Self {
        let SnapshotPart { index, count, last: JournalPosition(last_position), last_at_ms, pieces } = part;
        Self { index, count, last_position, last_at_ms, pieces: of_pieces(pieces) }
    }
}

impl TryFrom<v1::SnapshotPart> for SnapshotPart {
    type Error = Fault;

    fn try_from(part: v1::SnapshotPart) -> Result<Self, Fault> {
        if part.index >= part.count {
            return Err(Fault::at("index", Problem::Disagrees { other: "count" }));
        }
        Ok(Self {
            index: part.index,
            count: part.count,
            last: JournalPosition(part.last_position),
            last_at_ms: part.last_at_ms,
            pieces: pieces(part.pieces),
        })
    }
}

impl From<Heartbeat> for v1::Heartbeat {
    fn from(heartbeat: Heartbeat) -> Self {
        let Heartbeat { epoch: Epoch(epoch), beat, written_through } = heartbeat;
        Self { epoch, beat, written_through }
    }
}

impl From<v1::Heartbeat> for Heartbeat {
    fn from(heartbeat: v1::Heartbeat) -> Self {
        Self { epoch: Epoch(heartbeat.epoch), beat: heartbeat.beat, written_through: heartbeat.written_through }
    }
}

fn of_pieces(pieces: Vec<Piece>) -> Vec<v1::Piece> {
    pieces.into_iter().map(|Piece { record, continues }| v1::Piece { record, continues }).collect()
}

fn pieces(pieces: Vec<v1::Piece>) -> Vec<Piece> {
    pieces.into_iter().map(|v1::Piece { record, continues }| Piece { record, continues }).collect()
}
