//! What a stage asks of the stores: predicted by the planner, counted by the workers, in the same words.

use std::{ops::AddAssign, time::Duration};

use serde::{Deserialize, Serialize};

use crate::ContentSum;

/// Requests and bytes of logical objects: chunks, shards, inner chunks and exchange objects. A prediction and a
/// measurement are both of this type, so that they can be compared field by field. What a task keeps on its worker's
/// own disk is no object of a store: it is asked for and counted nowhere.
///
/// What a listing at planning found absent stands in neither: chunks of the source that are known to be missing are not
/// asked for and not counted in `missing_source_chunks`; chunks and shards of the target that share no element with an
/// object that is there are not made, and counted neither in `put_requests` as planned nor in `skipped_fill_chunks` as
/// measured. So `put_requests + skipped_fill_chunks` as measured equals `put_requests` as planned, whatever was assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Reads: chunks, inner chunks (before coalescing, and one per shard for its index), exchange blocks.
    pub get_requests: u64,
    /// Writes: chunks, shards, exchange objects; a multipart upload is one, and so is an object that the store itself
    /// copies, which is no read.
    pub put_requests: u64,
    /// Objects deleted.
    pub delete_requests: u64,
    /// Bytes after decoding what was read, clipped to the array; a raw chunk or block counts at its length.
    pub bytes_decoded: u64,
    /// Bytes before encoding what was written, clipped to the array.
    pub bytes_encoded: u64,
    /// Target chunks not written because every element equals the fill value.
    pub skipped_fill_chunks: u64,
    /// Source chunks that were asked for and were not there.
    pub missing_source_chunks: u64,
    /// Requests for metadata and listings.
    pub metadata_requests: u64,
    /// Requests sent again, and all requests of attempts whose result another attempt had already delivered.
    pub repeated_requests: u64,
    /// Parts of multipart uploads.
    pub upload_parts: u64,
    /// Encoded bytes received from the stores.
    pub wire_bytes_read: u64,
    /// Encoded bytes sent to the stores.
    pub wire_bytes_written: u64,
    /// The most memory that one task reserved for itself at a time, in bytes: the largest, never a sum. Measured; a
    /// prediction says `task_memory`.
    pub peak_task_memory: u64,
    /// How long requests waited because they were beyond the request rate of their store, in microseconds: the sum over
    /// requests that may have waited side by side. Measured; a prediction knows of none.
    pub rate_wait_us: u64,
    /// The content that was moved, or read back: asked for, and summed by the one task that owns it. Nothing in a
    /// prediction.
    pub content: ContentSum,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let add = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        add(&mut self.get_requests, other.get_requests);
        add(&mut self.put_requests, other.put_requests);
        add(&mut self.delete_requests, other.delete_requests);
        add(&mut self.bytes_decoded, other.bytes_decoded);
        add(&mut self.bytes_encoded, other.bytes_encoded);
        add(&mut self.skipped_fill_chunks, other.skipped_fill_chunks);
        add(&mut self.missing_source_chunks, other.missing_source_chunks);
        add(&mut self.metadata_requests, other.metadata_requests);
        add(&mut self.repeated_requests, other.repeated_requests);
        add(&mut self.upload_parts, other.upload_parts);
        add(&mut self.wire_bytes_read, other.wire_bytes_read);
        add(&mut self.wire_bytes_written, other.wire_bytes_written);
        add(&mut self.rate_wait_us, other.rate_wait_us);
        self.peak_task_memory = self.peak_task_memory.max(other.peak_task_memory);
        self.content += other.content;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

impl Counts {
    /// How long requests waited because they were beyond the request rate of their store.
    pub fn rate_wait(&self) -> Duration {
        Duration::from_micros(self.rate_wait_us)
    }

    /// All requests for chunk, shard and exchange objects.
    pub fn requests(&self) -> u64 {
        self.get_requests.saturating_add(self.put_requests).saturating_add(self.delete_requests)
    }
}
