//! What is persisted comes back, and what nobody of ours wrote is an error.

use proptest::{collection::vec, prelude::*};
use rechunk_common::ids::Epoch;

use super::samples;
use crate::journal::{
    Heartbeat, decode_heartbeat, decode_object, decode_record, encode_heartbeat, encode_object, encode_record,
};

proptest! {
    #[test]
    fn a_record_comes_back(record in samples::records()) {
        prop_assert_eq!(decode_record(&encode_record(record.clone())), Ok(record));
    }

    #[test]
    fn an_object_comes_back(object in samples::journal_objects()) {
        prop_assert_eq!(decode_object(&encode_object(object.clone())), Ok(object));
    }

    #[test]
    fn a_heartbeat_comes_back(epoch: u64, beat: u64, written_through: u64) {
        let heartbeat = Heartbeat { epoch: Epoch(epoch), beat, written_through };
        prop_assert_eq!(decode_heartbeat(&encode_heartbeat(heartbeat)), Ok(heartbeat));
    }

    #[test]
    fn a_record_with_a_bent_byte_is_an_error_or_another_record(
        record in samples::records(), at: prop::sample::Index, bit in 0_u8..8
    ) {
        let mut bytes = encode_record(record);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = decode_record(&bytes) {
            prop_assert_eq!(decode_record(&encode_record(other.clone())), Ok(other));
        }
    }

    #[test]
    fn bytes_of_nobody_are_an_error_or_a_value(bytes in vec(any::<u8>(), 0..200)) {
        let _ = (decode_record(&bytes), decode_object(&bytes), decode_heartbeat(&bytes));
    }
}

#[test]
fn a_message_that_is_empty_is_refused_by_field() {
    assert_eq!(decode_record(&[]).expect_err("nothing").0.field, "fact");
    assert_eq!(decode_object(&[]).expect_err("nothing").0.field, "nonce");
}
