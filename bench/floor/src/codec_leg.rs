//! Decode, copy, encode: two passes over all chunks, on threads that take the next chunk from a counter.

use std::{
    borrow::Cow,
    sync::{
        Barrier, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rechunk_common::geometry::BoxGrid;
use rechunk_zarr::{ShardCodec, ShardEntry, ShardIndex};

use super::{
    clock::{Moment, Report, StepWatch, Traffic},
    meeting::Meeting,
    objects::{Sink, Source},
    sides::{Sides, inner_chunks},
};

/// One target chunk, decoded.
struct Cell {
    elements: Vec<u8>,
    /// Whether a stored source element came in.
    has_data: bool,
}

struct Leg<'a> {
    sides: &'a Sides,
    source: &'a Source,
    sink: &'a Sink,
    source_grid: BoxGrid,
    cell_grid: BoxGrid,
    object_grid: BoxGrid,
    meeting: Meeting,
    /// The target's chunks, in C order.
    cells: Vec<Mutex<Cell>>,
}

/// What one thread did.
#[derive(Default)]
struct Spent {
    read: Duration,
    decode: Duration,
    copy: Duration,
    encode: Duration,
    write: Duration,
    traffic: Traffic,
}

/// Runs both passes on `threads` threads.
pub(super) fn run(
    threads: usize,
    sides: &Sides,
    source: &Source,
    sink: &Sink,
    report: &mut Report,
) -> Result<(), String> {
    let leg = Leg::new(sides, source, sink)?;
    let (next_chunk, next_object) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let barrier = Barrier::new(threads + 1);
    let results = thread::scope(|scope| {
        let work = || {
            let mut spent = Spent::default();
            let mut result = leg.warm_up();
            barrier.wait();
            result = result.and_then(|()| leg.take_in(&next_chunk, &mut spent));
            barrier.wait();
            result = result.and_then(|()| leg.give_out(&next_object, &mut spent));
            barrier.wait();
            result.map(|()| spent)
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        barrier.wait();
        for name in ["read_decode_copy", "encode_write"] {
            let begun = Moment::now();
            barrier.wait();
            report.phases.push(begun.until_now(name));
        }
        let panicked = |_| Err("a thread of the floor broke off".to_owned());
        running.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect::<Vec<_>>()
    });
    for spent in results {
        let Spent { read, decode, copy, encode, write, traffic } = spent?;
        let steps = [("read", read), ("decode", decode), ("copy", copy), ("encode", encode), ("write", write)];
        for (name, spent) in steps {
            report.step(name, spent);
        }
        report.traffic.add(traffic);
    }
    Ok(())
}

impl<'a> Leg<'a> {
    fn new(sides: &'a Sides, source: &'a Source, sink: &'a Sink) -> Result<Self, String> {
        let (source_grid, cell_grid) = (sides.source.read_grid(), sides.target.read_grid());
        let width = usize::try_from(sides.source.element.width).map_err(|_| "an element is too wide")?;
        let meeting = Meeting::new(&source_grid, &cell_grid, width)?;
        let bytes = usize::try_from(sides.encoder.decoded_bytes()).map_err(|_| "a chunk is too large")?;
        // Written, not only asked for: every page is there before the clock starts.
        let cell = || Cell { elements: sides.target.fill.repeat(bytes / width), has_data: false };
        let cells = (0..cell_grid.len()).map(|_| Mutex::new(cell())).collect();
        let object_grid = sides.target.write_grid();
        Ok(Self { sides, source, sink, source_grid, cell_grid, object_grid, meeting, cells })
    }

    /// Decodes and encodes a chunk for nothing: what codecs and allocator set up once per thread is there then.
    fn warm_up(&self) -> Result<(), String> {
        let first = (0..self.source_grid.len())
            .filter_map(|index| self.source_grid.position(index))
            .find_map(|position| self.source.read(&self.sides.source.keys.key(&position)).transpose());
        if let Some(encoded) = first {
            self.sides.decoder.decode(encoded?).map_err(|error| error.to_string())?;
        }
        if let Some(cell) = self.cells.first() {
            let cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
            self.sides.encoder.encode(Cow::Borrowed(&cell.elements)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The first pass: source objects into cells.
    fn take_in(&self, next: &AtomicUsize, spent: &mut Spent) -> Result<(), String> {
        let mut watch = StepWatch::start();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed) as u64;
            let Some(position) = self.source_grid.position(index) else { return Ok(()) };
            let encoded = self.source.read(&self.sides.source.keys.key(&position))?;
            watch.lap(&mut spent.read);
            let Some(encoded) = encoded else { continue };
            spent.traffic.read(encoded.len());
            let decoded = self.sides.decoder.decode(encoded).map_err(|error| format!("{position:?}: {error}"))?;
            watch.lap(&mut spent.decode);
            let position: Vec<usize> = position.iter().map(|at| usize::try_from(*at).unwrap_or(usize::MAX)).collect();
            self.meeting.transfers(&position, |cell, transfer| {
                let mut cell = self.cells[cell].lock().unwrap_or_else(PoisonError::into_inner);
                cell.has_data = true;
                transfer.copy(&decoded, &mut cell.elements);
            });
            drop(decoded);
            watch.lap(&mut spent.copy);
        }
    }

    /// The second pass: cells into target objects.
    fn give_out(&self, next: &AtomicUsize, spent: &mut Spent) -> Result<(), String> {
        let mut watch = StepWatch::start();
        let mut shard = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed) as u64;
            let Some(position) = self.object_grid.position(index) else { return Ok(()) };
            let key = self.sides.target.keys.key(&position);
            match &self.sides.shards {
                Some(codec) => {
                    let is_there = self.encode_shard(codec, &position, &mut shard)?;
                    watch.lap(&mut spent.encode);
                    if is_there {
                        self.sink.write(&key, &shard)?;
                        spent.traffic.written(shard.len());
                    }
                }
                None => self.give_chunk(index, &key, spent, &mut watch)?,
            }
            watch.lap(&mut spent.write);
        }
    }

    fn give_chunk(&self, index: u64, key: &str, spent: &mut Spent, watch: &mut StepWatch) -> Result<(), String> {
        let cell = usize::try_from(index).ok().and_then(|index| self.cells.get(index)).ok_or("a chunk is missing")?;
        let cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
        if !cell.has_data {
            return Ok(());
        }
        if self.sides.encoder.is_identity() {
            spent.traffic.written(cell.elements.len());
            return self.sink.write(key, &cell.elements);
        }
        let encoded = self.sides.encoder.encode(Cow::Borrowed(&cell.elements)).map_err(|error| error.to_string())?;
        watch.lap(&mut spent.encode);
        spent.traffic.written(encoded.len());
        self.sink.keep(key, encoded)
    }

    /// Encodes a shard into `shard`; whether it has any chunk.
    fn encode_shard(&self, codec: &ShardCodec, position: &[u64], shard: &mut Vec<u8>) -> Result<bool, String> {
        shard.clear();
        let mut index = ShardIndex::empty(codec.entry_count());
        for (number, cell) in (0_u64..).zip(inner_chunks(codec, &self.cell_grid, position)) {
            let Some(cell) = cell.and_then(|cell| self.cells.get(cell)) else { continue };
            let cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
            if cell.has_data {
                let encoded = codec.inner().encode(Cow::Borrowed(&cell.elements)).map_err(|error| error.to_string())?;
                append(shard, &mut index, number, &encoded)?;
            }
        }
        close_shard(codec, &index, shard)
    }
}

/// Appends an inner chunk and notes where it stands.
pub(super) fn append(shard: &mut Vec<u8>, index: &mut ShardIndex, number: u64, encoded: &[u8]) -> Result<(), String> {
    let entry = ShardEntry { offset: shard.len() as u64, length: encoded.len() as u64 };
    shard.extend_from_slice(encoded);
    if index.set(number, entry) { Ok(()) } else { Err("a shard has too many chunks".to_owned()) }
}

/// Appends the index; whether the shard has any chunk.
pub(super) fn close_shard(codec: &ShardCodec, index: &ShardIndex, shard: &mut Vec<u8>) -> Result<bool, String> {
    if index.is_all_missing() {
        return Ok(false);
    }
    if codec.index_location() != rechunk_common::layout::IndexLocation::End {
        return Err("the floor writes no shards whose index stands first".to_owned());
    }
    shard.extend_from_slice(&codec.encode_index(index).map_err(|error| error.to_string())?);
    Ok(true)
}
