//! The stages of an exchange, task by task: what is read, the index of a packed one, and what is written.

use super::*;

pub(super) fn check_read(stage: &rechunk_common::plan::Stage, function: &CopyReadToExchange, small: &Small) -> u64 {
    let source_bound = bound(&function.source, small.hundredths);
    let memory = memory::of_read_to_exchange(function, source_bound).expect("small");
    check_memory(memory, stage, small.budget);
    let mut counts = Counts::default();
    let mut bytes = 0;
    for task in 0..stage.task_count {
        let region = function.exchange.readers.region(task).expect("task");
        let reads = source_reads(&function.source, &region);
        let object = function.exchange.object_bytes(TaskIndex(task)).expect("small");
        assert!(object <= memory.open);
        if function.exchange.packing().is_some() {
            let blocks = visited(&function.exchange.writers, &region, &identity(region.rank()));
            let block = |writer: &Region| writer.intersection(&region).expect("a block").element_count() * small.width;
            assert!(blocks.iter().map(block).max() <= Some(memory.write), "a block is packed beside its elements");
        }
        assert!(memory.indexes >= reads.indexes * source_bound.shard_index.0);
        if function.source.has_equal_chunks() {
            assert_eq!(reads.bytes, region.element_count() * small.width, "boxes of whole read units");
        }
        bytes += object;
        counts.get_requests += reads.requests();
        counts.put_requests += 1;
        counts.bytes_decoded += reads.bytes;
        counts.bytes_encoded += region.element_count() * small.width;
    }
    assert_eq!(counts, stage.predicted);
    bytes
}

pub(super) fn identity(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

/// The index of a packed exchange, entry by entry; gives its bytes.
pub(super) fn check_index(stage: &rechunk_common::plan::Stage, function: &IndexExchange, small: &Small) -> u64 {
    let memory = memory::of_index_exchange(function).expect("small");
    check_memory(memory, stage, small.budget);
    let exchange = &function.exchange;
    let indexers = &exchange.packing().expect("packed").indexers;
    let mut counts = Counts::default();
    let mut entries = 0;
    for task in 0..stage.task_count {
        let region = indexers.region(task).expect("task");
        let readers = visited(&exchange.readers, &region, &identity(region.rank()));
        let of_task = exchange.index_entries(TaskIndex(task)).expect("small");
        assert!(of_task * 40 <= memory.open && readers.len() as u64 * 24 <= memory.indexes);
        let mut needed = 0;
        for reader in &readers {
            let run = exchange.table_run(reader, &region).expect("they share an element");
            let run = run.end - run.start;
            assert!(run * TABLE_ENTRY_BYTES <= memory.piece);
            needed += run;
        }
        assert_eq!(needed, of_task, "a slab needs nothing but what it reads");
        entries += of_task;
        counts.get_requests += readers.len() as u64;
        counts.put_requests += 1;
        counts.metadata_requests += 1;
    }
    assert_eq!(counts, stage.predicted);
    entries * 40
}

pub(super) fn check_write(
    stage: &rechunk_common::plan::Stage,
    function: &CopyExchangeToWrite,
    small: &Small,
    written: &mut Written,
) {
    let target_bound = bound(&function.target, small.hundredths);
    let memory = memory::of_exchange_to_write(function, target_bound).expect("small");
    check_memory(memory, stage, small.budget);
    let (readers, cut, writers) = (&function.exchange.readers, &function.exchange.writers, &function.writers);
    assert_eq!(stage.task_count, writers.len());
    assert!(writers.lengths().iter().zip(cut.lengths()).all(|(writer, cut)| writer % cut == 0), "of whole boxes");
    let mut counts = Counts::default();
    for task in 0..stage.task_count {
        let region = writers.region(task).expect("task");
        let mut pieces = Vec::new();
        for (position, part) in BoxGrid::positions(&cut.overlapping(&region)).map(|at| (at.clone(), cut.region_at(&at)))
        {
            for reader in visited(readers, &part, &function.order) {
                let block = function.exchange.block(&reader, &position).expect("a block for every pair");
                pieces.push((reader, position.clone(), block.region));
            }
        }
        pieces.sort_by_key(|(.., block)| function.order.iter().map(|axis| block.start()[*axis]).collect::<Vec<_>>());
        for (reader, position, _) in &pieces {
            let block = function.exchange.block(reader, position).expect("a block for every pair");
            let packed = function.exchange.packing().is_some();
            assert!(if packed { 2 * block.bytes < memory.piece } else { block.bytes + 4 <= memory.piece });
            counts.get_requests += 1;
            counts.bytes_decoded += block.bytes;
        }
        let blocks: Vec<Region> = pieces.iter().map(|(.., block)| block.clone()).collect();
        assert!(most_open(&function.target, target_bound, function.shard_parts, &region, &blocks) <= memory.open);
        if function.exchange.packing().is_some() {
            let position = writers.position(task).expect("task");
            assert_eq!(cut, writers);
            counts.get_requests += 1;
            let row = function.exchange.row(&position).and_then(|row| row.bytes());
            assert_eq!(row, Some(pieces.len() as u64 * 40));
            assert!(row <= Some(memory.indexes));
        }
        counts.bytes_encoded += region.element_count() * small.width;
        counts.put_requests += written.add(&function.target, &region);
    }
    assert_eq!(counts, stage.predicted);
}
