//! Objects of the journal, behind the frame that holds their checksum: what a disk bent never comes so far, but what
//! another version wrote does.

use rechunk_proto::journal::{
    Content, Piece, decode_heartbeat, decode_object, decode_record, encode_heartbeat, encode_object, encode_record,
};

/// The first byte says what the others are.
pub(super) fn read(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 3 {
        0 => read_object(bytes),
        1 => read_record(bytes),
        _ => {
            if let Ok(heartbeat) = decode_heartbeat(bytes) {
                assert_eq!(decode_heartbeat(&encode_heartbeat(heartbeat)), Ok(heartbeat));
            }
        }
    }
}

fn read_object(bytes: &[u8]) {
    let Ok(object) = decode_object(bytes) else { return };
    assert_eq!(decode_object(&encode_object(object.clone())), Ok(object.clone()), "an object is not read again");
    let pieces = match object.content {
        Content::Claim => Vec::new(),
        Content::Batch(pieces) => pieces,
        Content::SnapshotPart(part) => part.pieces,
    };
    for Piece { record, continues } in pieces {
        if !continues {
            read_record(&record);
        }
    }
}

fn read_record(bytes: &[u8]) {
    let Ok(record) = decode_record(bytes) else { return };
    assert_eq!(decode_record(&encode_record(record.clone())), Ok(record), "a record is not read again");
}
