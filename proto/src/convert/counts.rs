//! Counts: every number is valid, so both ways always succeed.

use rechunk_common::{ContentSum, Counts};

use crate::v1;

impl From<Counts> for v1::Counts {
    fn from(counts: Counts) -> Self {
        let Counts {
            get_requests,
            put_requests,
            delete_requests,
            bytes_decoded,
            bytes_encoded,
            skipped_fill_chunks,
            missing_source_chunks,
            metadata_requests,
            repeated_requests,
            upload_parts,
            wire_bytes_read,
            wire_bytes_written,
            peak_task_memory,
            rate_wait_us,
            content,
        } = counts;
        let (content_first, content_second) = content.halves();
        Self {
            get_requests,
            put_requests,
            delete_requests,
            decoded_bytes: bytes_decoded,
            encoded_bytes: bytes_encoded,
            skipped_fill_chunks,
            missing_source_chunks,
            metadata_requests,
            repeated_requests,
            upload_parts,
            wire_read_bytes: wire_bytes_read,
            wire_written_bytes: wire_bytes_written,
            peak_task_memory_bytes: peak_task_memory,
            rate_wait_us,
            content_first,
            content_second,
        }
    }
}

impl From<v1::Counts> for Counts {
    fn from(counts: v1::Counts) -> Self {
        Self {
            get_requests: counts.get_requests,
            put_requests: counts.put_requests,
            delete_requests: counts.delete_requests,
            bytes_decoded: counts.decoded_bytes,
            bytes_encoded: counts.encoded_bytes,
            skipped_fill_chunks: counts.skipped_fill_chunks,
            missing_source_chunks: counts.missing_source_chunks,
            metadata_requests: counts.metadata_requests,
            repeated_requests: counts.repeated_requests,
            upload_parts: counts.upload_parts,
            wire_bytes_read: counts.wire_read_bytes,
            wire_bytes_written: counts.wire_written_bytes,
            peak_task_memory: counts.peak_task_memory_bytes,
            rate_wait_us: counts.rate_wait_us,
            content: ContentSum::of_halves(counts.content_first, counts.content_second),
        }
    }
}

/// Counts that may be absent: nothing was asked of the stores.
pub(super) fn or_zero(counts: Option<v1::Counts>) -> Counts {
    counts.map(Counts::from).unwrap_or_default()
}
