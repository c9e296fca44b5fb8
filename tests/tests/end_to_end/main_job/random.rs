//! Arrays at random.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rechunk_common::{
    ByteCount,
    request::{ExchangeCodecChoice, RechunkRequest},
};
use rechunk_tests::{
    ArraySpec, Cluster, Content, Place,
    faithful::{assert_faithful, request},
};
use serde_json::json;

use super::{SMALL_MEMORY, zstd};

/// Random arrays, on both sides of everything that has an edge.
fn any_case() -> impl Strategy<Value = (ArraySpec, Vec<u64>, Option<Vec<u64>>)> {
    let one_axis = (1_u64..24, 1_u64..10, 1_u64..3, 1_u64..10, 0_u64..3);
    let axes = prop::collection::vec(one_axis, 1..4);
    let what = (any::<u64>(), any::<bool>(), any::<bool>(), 0_usize..4, 0_usize..3, any::<u16>(), any::<u16>());
    (axes, what).prop_map(|(axes, (seed, source_shards, codec, data_type, format, missing, filled))| {
        let of = |pick: fn(&(u64, u64, u64, u64, u64)) -> u64| axes.iter().map(pick).collect::<Vec<u64>>();
        let (shape, chunks) = (of(|axis| axis.0), of(|axis| axis.1));
        let is_v2 = format == 0;
        let names = if is_v2 { ["|u1", "<i2", ">f4", "<c16"] } else { ["uint8", "int16", "float32", "complex128"] };
        let mut spec = if is_v2 { ArraySpec::v2(&shape, &chunks) } else { ArraySpec::new(&shape, &chunks) };
        spec = spec.of(names[data_type]).with_content(Content::Random(seed));
        spec.fill_value = if data_type == 3 { json!([1, 2]) } else { json!(1) };
        if codec && !is_v2 {
            spec.codecs = zstd();
        }
        if source_shards && !is_v2 {
            spec.shards = Some(of(|axis| axis.1 * axis.2));
        }
        // Two patterns of bits, cut to the number of chunks.
        let grid: Vec<u64> = shape.iter().zip(&chunks).map(|(length, chunk)| length.div_ceil(*chunk)).collect();
        let positions = rechunk_common::geometry::BoxGrid::positions(&rechunk_common::geometry::Region::whole(&grid));
        for (number, position) in positions.enumerate() {
            if missing >> (number % 16) & 1 == 1 && number % 3 == 0 {
                spec.missing.insert(position);
            } else if filled >> (number % 16) & 1 == 1 && number % 5 == 0 {
                spec.filled.insert(position);
            }
        }
        let target = of(|axis| axis.3);
        let shards = (axes[0].4 > 0 && !is_v2).then(|| of(|axis| axis.3 * (axis.4 + 1)));
        (spec, target, shards)
    })
}

fn spec_of(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn random_arrays_come_out_bit_for_bit_with_the_planned_requests() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    // Every memory store is everybody's, so that one cluster serves every place.
    let cluster = runtime.block_on(Cluster::at(&Place::in_memory()));
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let counter = std::cell::Cell::new(0_u32);
    let outcome = runner.run(&any_case(), |(spec, target_chunks, shards)| {
        counter.set(counter.get() + 1);
        let place = Place::in_memory();
        runtime.block_on(async {
            let made = spec.make(&place, "source").await;
            cluster.worker_requests.clear();
            let objects = [shards.as_ref().unwrap_or(&target_chunks), spec.shards.as_ref().unwrap_or(&spec.chunks)];
            let elements: u64 = objects.iter().map(|lengths| lengths.iter().product::<u64>()).sum();
            let small = SMALL_MEMORY.max(ByteCount(4 * elements * made.layout.element.width));
            let request = RechunkRequest {
                shards: shards.as_deref().map(spec_of).into_iter().collect(),
                max_mem: counter.get().is_multiple_of(2).then_some(small),
                exchange_codec: if counter.get().is_multiple_of(4) {
                    ExchangeCodecChoice::Lz4
                } else {
                    ExchangeCodecChoice::Auto
                },
                ..request(&place, "source", "target", &spec_of(&target_chunks))
            };
            let view = cluster.run(request).await;
            assert_faithful(&cluster, &place, &made, "target", &view).await;
        });
        Ok(())
    });
    outcome.expect("every case holds");
    runtime.block_on(cluster.shutdown());
}
