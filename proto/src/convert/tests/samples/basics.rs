//! Names, numbers and refusals.

use std::time::Duration;

use proptest::{option, prelude::*, sample::select};
use rechunk_common::{ByteCount, ContentSum, Counts, Refusal, RefusalCode};

pub(crate) fn names() -> BoxedStrategy<String> {
    "[a-zA-Z0-9_/ é-]{1,12}".boxed()
}

pub(crate) fn texts() -> BoxedStrategy<String> {
    "\\PC{0,20}".boxed()
}

pub(crate) fn urls() -> BoxedStrategy<String> {
    "(s3|file|memory)://[a-z]{1,6}/[a-z0-9.]{1,8}".boxed()
}

pub(crate) fn bytes() -> impl Strategy<Value = ByteCount> {
    any::<u64>().prop_map(ByteCount)
}

pub(crate) fn refusal_codes() -> impl Strategy<Value = RefusalCode> {
    select(vec![
        RefusalCode::InvalidArgument,
        RefusalCode::NotFound,
        RefusalCode::AlreadyExists,
        RefusalCode::PermissionDenied,
        RefusalCode::FailedPrecondition,
        RefusalCode::ResourceExhausted,
        RefusalCode::Unavailable,
        RefusalCode::Internal,
    ])
}

pub(crate) fn refusals() -> impl Strategy<Value = Refusal> {
    (refusal_codes(), "[A-Z]{2,5}_[A-Z]{2,5}", option::of(names()), texts())
        .prop_map(|(code, reason, field, message)| Refusal { code, reason, field, message })
}

pub(crate) fn counts() -> impl Strategy<Value = Counts> {
    any::<[u64; 16]>().prop_map(|n| Counts {
        get_requests: n[0],
        put_requests: n[1],
        delete_requests: n[2],
        bytes_decoded: n[3],
        bytes_encoded: n[4],
        skipped_fill_chunks: n[5],
        missing_source_chunks: n[6],
        metadata_requests: n[7],
        repeated_requests: n[8],
        upload_parts: n[9],
        wire_bytes_read: n[10],
        wire_bytes_written: n[11],
        peak_task_memory: n[12],
        rate_wait_us: n[13],
        content: ContentSum::of_halves(n[14], n[15]),
    })
}

pub(crate) fn durations() -> impl Strategy<Value = Duration> {
    (0_u64..1_000_000, 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}
