//! Records of references in Parquet.

use rechunk_storage::check_record;

pub(super) fn read(input: &[u8]) {
    if let Err(reason) = check_record(input) {
        assert!(!reason.is_empty() && reason.len() < 2_000, "{reason}");
    }
}
