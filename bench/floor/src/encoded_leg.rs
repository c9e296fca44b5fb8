//! Chunks passed on as they are stored: one object for one object, or packed into shards.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rechunk_common::geometry::BoxGrid;
use rechunk_zarr::{ShardCodec, ShardIndex};

use super::{
    clock::{Phase, Report, Traffic},
    codec_leg::{append, close_shard},
    objects::{Sink, Source},
    sides::{Sides, inner_chunks},
};

/// Copies all objects on `threads` threads.
pub(super) fn run(
    threads: usize,
    sides: &Sides,
    source: &Source,
    sink: &Sink,
    report: &mut Report,
) -> Result<(), String> {
    if sides.source.read_grid() != sides.target.read_grid() {
        return Err("only the same chunks can be passed on encoded".to_owned());
    }
    let next = AtomicUsize::new(0);
    let objects = sides.target.write_grid();
    let work = || copy_objects(&next, &objects, sides, source, sink);
    let all = || {
        let results: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let panicked = |_| Err("a thread of the floor broke off".to_owned());
            running.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        });
        results.into_iter().try_fold(Traffic::default(), |mut sum, traffic| {
            sum.add(traffic?);
            Ok(sum)
        })
    };
    let traffic = report.phase(Phase::named("copy_encoded", all))?;
    report.traffic.add(traffic);
    Ok(())
}

fn copy_objects(
    next: &AtomicUsize,
    objects: &BoxGrid,
    sides: &Sides,
    source: &Source,
    sink: &Sink,
) -> Result<Traffic, String> {
    let mut traffic = Traffic::default();
    let mut shard = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed) as u64;
        let Some(position) = objects.position(index) else { return Ok(traffic) };
        let key = sides.target.keys.key(&position);
        if let Some(codec) = &sides.shards {
            if pack(codec, sides, source, &position, &mut shard, &mut traffic)? {
                sink.write(&key, &shard)?;
                traffic.written(shard.len());
            }
        } else if let Some(encoded) = source.read(&sides.source.keys.key(&position))? {
            traffic.read(encoded.len());
            traffic.written(encoded.len());
            sink.keep(&key, encoded)?;
        }
    }
}

/// Packs the chunks of one shard into `shard`; whether there is any.
fn pack(
    codec: &ShardCodec,
    sides: &Sides,
    source: &Source,
    position: &[u64],
    shard: &mut Vec<u8>,
    traffic: &mut Traffic,
) -> Result<bool, String> {
    shard.clear();
    let grid = sides.source.read_grid();
    let mut index = ShardIndex::empty(codec.entry_count());
    for (number, chunk) in (0_u64..).zip(inner_chunks(codec, &grid, position)) {
        let Some(chunk) = chunk.and_then(|chunk| grid.position(chunk as u64)) else { continue };
        if let Some(encoded) = source.read(&sides.source.keys.key(&chunk))? {
            traffic.read(encoded.len());
            append(shard, &mut index, number, &encoded)?;
        }
    }
    close_shard(codec, &index, shard)
}
