//! The main job end to end: an array goes in, a rechunked array comes out, bit for bit, with exactly the requests that
//! the plan said. One coordinator, three workers, gRPC between them; memory stores and local files.
//!
//! Every kind of array is in `kinds`, arrays at random in `random`, what a request can ask for in `wishes`.

#![allow(clippy::expect_used, reason = "tests")]

mod kinds;
mod random;
mod wishes;

use rechunk_common::ByteCount;
use serde_json::{Value, json};

/// So little that tasks hold a few chunks; far below what a worker process itself takes, it bounds the buffers only.
const SMALL_MEMORY: ByteCount = ByteCount(48 << 10);

fn zstd() -> Value {
    json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ])
}

fn shuffled_v2() -> Value {
    json!({
        "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
        "filters": null, "order": "F",
    })
}
