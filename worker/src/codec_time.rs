//! Times what codecs do, chunk by chunk, on the thread that does it.

use std::time::Instant;

use rechunk_metrics::names::WORKER_CODEC_SECONDS;

/// Runs `decode` and notes how long it took.
pub(crate) fn decoding<T>(decode: impl FnOnce() -> T) -> T {
    timed("decode", decode)
}

/// Runs `encode` and notes how long it took.
pub(crate) fn encoding<T>(encode: impl FnOnce() -> T) -> T {
    timed("encode", encode)
}

fn timed<T>(work: &str, run: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = run();
    WORKER_CODEC_SECONDS.histogram(&[work]).record(begun.elapsed());
    result
}
