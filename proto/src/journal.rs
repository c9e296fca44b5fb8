//! What the coordinator persists, in bytes and back. Versioned apart from the wire. Knows nothing of stores, nor of the
//! frame with format version and checksum that stands around these bytes.

use prost::Message;
use rechunk_common::{
    ids::{Epoch, JournalPosition},
    record::Record,
};

use crate::{
    fault::{Fault, Problem},
    generated::journal::v1,
    invalid::{InvalidJournalObject, InvalidRecord},
};

/// Who wrote an object: one number per process, drawn when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub u128);

/// One object of the journal, written once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalObject {
    /// The reign that wrote it.
    pub epoch: Epoch,
    /// Its number, which is its name too.
    pub seq: u64,
    /// Who wrote it.
    pub nonce: Nonce,
    /// What it holds.
    pub content: Content,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The reign begins.
    Claim,
    /// Records, in order.
    Batch(Vec<Piece>),
    /// A part of what all records up to this number come to.
    SnapshotPart(SnapshotPart),
}

/// One part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPart {
    /// Its place among the parts.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
    /// The position of the last record that the snapshot covers.
    pub last: JournalPosition,
    /// When that record was made.
    pub last_at_ms: u64,
    /// Records, in order.
    pub pieces: Vec<Piece>,
}

/// The bytes of a record, or of a part of one that is larger than an object may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes.
    pub record: Vec<u8>,
    /// The record goes on in the next piece.
    pub continues: bool,
}

/// What the coordinator that reigns writes again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// The reign.
    pub epoch: Epoch,
    /// Counts up.
    pub beat: u64,
    /// Every object up to this number was written.
    pub written_through: u64,
}

/// The bytes of an object.
pub fn encode_object(object: JournalObject) -> Vec<u8> {
    v1::JournalObject::from(object).encode_to_vec()
}

/// The object in `bytes`.
pub fn decode_object(bytes: &[u8]) -> Result<JournalObject, InvalidJournalObject> {
    v1::JournalObject::decode(bytes).map_err(|error| unreadable(&error))?.try_into()
}

/// The bytes of a record.
pub fn encode_record(record: Record) -> Vec<u8> {
    v1::Record::from(record).encode_to_vec()
}

/// The record in `bytes`.
pub fn decode_record(bytes: &[u8]) -> Result<Record, InvalidRecord> {
    v1::Record::decode(bytes).map_err(|error| unreadable(&error))?.try_into()
}

/// The bytes of a heartbeat.
pub fn encode_heartbeat(heartbeat: Heartbeat) -> Vec<u8> {
    v1::Heartbeat::from(heartbeat).encode_to_vec()
}

/// The heartbeat in `bytes`.
pub fn decode_heartbeat(bytes: &[u8]) -> Result<Heartbeat, InvalidJournalObject> {
    Ok(v1::Heartbeat::decode(bytes).map_err(|error| unreadable(&error))?.into())
}

fn unreadable(error: &prost::DecodeError) -> Fault {
    Fault::whole(Problem::Unreadable(error.to_string()))
}
