//! Records cut into pieces that fit objects, and put together again. Pure.

use rechunk_common::record::Record;
use rechunk_proto::journal::{Piece, decode_record, encode_record};

/// The pieces of each object, in order: as many whole records as fit, and parts of those that are larger.
pub(super) fn cut(records: impl IntoIterator<Item = Record>, most_bytes: usize) -> Vec<Vec<Piece>> {
    let most_bytes = most_bytes.max(1);
    let mut objects = Vec::new();
    let (mut pieces, mut room) = (Vec::new(), most_bytes);
    for record in records {
        let mut rest = encode_record(record);
        loop {
            if !pieces.is_empty() && rest.len() > room {
                objects.push(std::mem::take(&mut pieces));
                room = most_bytes;
            }
            let after = if rest.len() > room { rest.split_off(room) } else { Vec::new() };
            room = room.saturating_sub(rest.len());
            let continues = !after.is_empty();
            pieces.push(Piece { record: rest, continues });
            if !continues {
                break;
            }
            rest = after;
        }
    }
    if !pieces.is_empty() {
        objects.push(pieces);
    }
    objects
}

/// Puts records together from their pieces.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    begun: Option<Vec<u8>>,
}

impl Assembler {
    /// Takes the next piece; a record when that was its last.
    pub(super) fn add(&mut self, piece: Piece) -> Result<Option<Record>, String> {
        let bytes = match self.begun.take() {
            Some(mut bytes) => {
                bytes.extend_from_slice(&piece.record);
                bytes
            }
            None => piece.record,
        };
        if piece.continues {
            self.begun = Some(bytes);
            return Ok(None);
        }
        decode_record(&bytes).map(Some).map_err(|invalid| format!("holds an {invalid}"))
    }

    /// Drops a record that was begun: its coordinator has died before the rest was written, so nobody relies on it.
    pub(super) fn abandon(&mut self) {
        self.begun = None;
    }

    /// Whether a record was begun and not ended.
    pub(super) fn is_amid(&self) -> bool {
        self.begun.is_some()
    }
}

#[cfg(test)]
mod tests {
    use rechunk_common::{
        ids::{JobId, JournalPosition},
        record::RecordFact,
    };

    use super::*;

    fn record(position: u64, length: usize) -> Record {
        let fact = RecordFact::JobDeleted { job: JobId("x".repeat(length)) };
        Record { position: JournalPosition(position), at_ms: 5, is_synchronous: false, fact }
    }

    #[test]
    fn records_of_any_size_come_back_from_objects_of_any_size() {
        for most in [1, 7, 64, 1_000, 100_000] {
            let records: Vec<Record> =
                [3, 900, 1, 1, 400, 2_000].into_iter().zip(1..).map(|(length, n)| record(n, length)).collect();
            let objects = cut(records.clone(), most);
            let bytes = |pieces: &Vec<Piece>| pieces.iter().map(|piece| piece.record.len()).sum::<usize>();
            assert!(objects.iter().all(|pieces| !pieces.is_empty() && bytes(pieces) <= most), "{most}");
            let mut assembler = Assembler::default();
            let pieces = objects.into_iter().flatten();
            let back: Vec<Record> = pieces.filter_map(|piece| assembler.add(piece).expect("a record")).collect();
            assert_eq!(back, records, "{most}");
            assert!(!assembler.is_amid());
        }
    }

    #[test]
    fn small_records_share_an_object() {
        assert_eq!(cut((1..100).map(|n| record(n, 10)), 1 << 20).len(), 1);
        assert!(cut([], 10).is_empty());
    }
}
