use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Per axis: start, length, reader's length, writer's length, writers per indexer, and by how much readers and writers
/// begin ahead.
fn exchanges() -> impl Strategy<Value = Exchange> {
    let ahead = || prop_oneof![Just(0_u64), 0_u64..9];
    let axis = (0_u64..9, 1_u64..13, 1_u64..7, 1_u64..7, 1_u64..4, (ahead(), ahead()));
    prop::collection::vec(axis, 0..4).prop_map(|axes| {
        let bounds =
            Region::new(axes.iter().map(|axis| axis.0).collect(), axes.iter().map(|axis| axis.0 + axis.1).collect());
        let of_readers = axes.iter().map(|axis| axis.0.min(axis.5.0)).collect();
        let of_writers = axes.iter().map(|axis| axis.0.min(axis.5.1)).collect();
        let readers = BoxGrid::new(bounds.clone(), axes.iter().map(|axis| axis.2).collect()).begun_ahead(of_readers);
        let writers = BoxGrid::new(bounds, axes.iter().map(|axis| axis.3).collect()).begun_ahead(of_writers);
        let indexers = writers.with_lengths(axes.iter().map(|axis| axis.3 * axis.4).collect());
        let encoding = ExchangeEncoding::Packed(Packing { codec: ExchangeCodec::Lz4, indexers });
        Exchange { url: "memory://t/x".into(), width: 3, readers, writers, encoding }
    })
}

fn positions(grid: &BoxGrid, region: &Region) -> Vec<Vec<u64>> {
    BoxGrid::positions(&grid.overlapping(region)).collect()
}

proptest! {
    #[test]
    fn rows_stand_one_after_another_and_fill_their_index_object(exchange in exchanges()) {
        let indexers = exchange.packing().expect("packed").indexers.clone();
        let mut rows = 0;
        for task in 0..indexers.len() {
            let mut entries = 0;
            let all = exchange.rows(TaskIndex(task)).expect("rows");
            for writer in positions(&exchange.writers, &indexers.region(task).expect("indexer")) {
                let row = exchange.row(&writer).expect("a row");
                prop_assert_eq!((row.indexer, row.offset), (TaskIndex(task), entries * ROW_ENTRY_BYTES));
                let readers = positions(&exchange.readers, &exchange.writers.region_at(&writer));
                prop_assert_eq!(BoxGrid::positions(&row.readers).collect::<Vec<_>>(), readers.clone());
                for (number, reader) in (entries..).zip(&readers) {
                    prop_assert_eq!(all.entry(&writer, reader), Some(number));
                }
                prop_assert_eq!(row.bytes(), Some(readers.len() as u64 * ROW_ENTRY_BYTES));
                entries += readers.len() as u64;
                rows += 1;
            }
            prop_assert_eq!(exchange.index_entries(TaskIndex(task)), Some(entries));
        }
        prop_assert_eq!(rows, exchange.writers.len(), "every writing task has one row");
    }

    #[test]
    fn every_block_has_one_number_and_every_run_holds_what_its_index_needs(exchange in exchanges()) {
        let indexers = exchange.packing().expect("packed").indexers.clone();
        for reader in 0..exchange.readers.len() {
            let reader = exchange.readers.region(reader).expect("reader");
            let writers = positions(&exchange.writers, &reader);
            prop_assert_eq!(exchange.blocks_of(&reader), writers.len() as u64);
            let mut by_indexer: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for (number, writer) in (0_u64..).zip(&writers) {
                prop_assert_eq!(exchange.block_number(&reader, writer), Some(number));
                by_indexer.entry(exchange.row(writer).expect("a row").indexer.0).or_default().push(number);
            }
            for task in 0..indexers.len() {
                let run = exchange.table_run(&reader, &indexers.region(task).expect("indexer"));
                let numbers = by_indexer.get(&task);
                prop_assert_eq!(run.clone().map(|run| run.start), numbers.and_then(|numbers| numbers.first().copied()));
                prop_assert_eq!(run.map(|run| run.end - 1), numbers.and_then(|numbers| numbers.last().copied()));
            }
        }
    }

    #[test]
    fn hostile_grids_give_no_row_and_no_panic(
        axes in prop::collection::vec((any::<u64>(), any::<u64>(), 1_u64.., 1_u64.., 1_u64..), 1..4),
        writer in prop::collection::vec(any::<u64>(), 1..4), ahead in prop_oneof![Just(0), any::<u64>()],
    ) {
        let bounds = Region::new(axes.iter().map(|axis| axis.0).collect(), axes.iter().map(|axis| axis.1).collect());
        let ahead: Vec<u64> = bounds.start().iter().map(|start| ahead.min(*start)).collect();
        let grid = |lengths: Vec<u64>| BoxGrid::new(bounds.clone(), lengths).begun_ahead(ahead.clone());
        let exchange = Exchange {
            url: String::new(),
            width: 8,
            readers: grid(axes.iter().map(|axis| axis.2).collect()),
            writers: grid(axes.iter().map(|axis| axis.3).collect()),
            encoding: ExchangeEncoding::Packed(Packing {
                codec: ExchangeCodec::Zstd,
                indexers: grid(axes.iter().map(|axis| axis.4).collect()),
            }),
        };
        let writer: Vec<u64> = writer.into_iter().chain([0, 0, 0]).take(axes.len()).collect();
        let _ = (exchange.row(&writer), exchange.index_entries(TaskIndex(0)), exchange.block_number(&bounds, &writer));
        let _ = exchange.table_run(&bounds, &bounds);
    }
}

#[test]
fn keys_are_read_back_and_neighbours_share_a_directory() {
    let lease = LeaseId { epoch: Epoch(0x1f), counter: 0xdead_beef };
    let mut directories = BTreeSet::new();
    for task in [0, 1, 99, 100, 12_345, u64::MAX] {
        let key = Exchange::packed_key(TaskIndex(task), lease);
        assert!(key.ends_with(&format!("/{task}-1f-deadbeef")), "{key}");
        assert_eq!(Exchange::parse_packed_key(&key), Some((TaskIndex(task), lease)), "{key}");
        directories.insert(Exchange::packed_directory(TaskIndex(task)));
    }
    assert_eq!(directories.len(), 4, "{directories:?}");
    let raw = Exchange::key(TaskIndex(7));
    for key in ["", "index/00/0", "00-0/1", "00-0/1-2", "00-0/1-2-3-4", "00-0/1-2-zz", "zz-0/1-2-3", raw.as_str()] {
        assert_eq!(Exchange::parse_packed_key(key), None, "{key}");
    }
}
