//! The main job end to end: an array goes in, a rechunked array comes out, bit for bit, with exactly the requests that
//! the plan said. One coordinator, three workers, gRPC between them; memory stores and local files.

#![allow(clippy::expect_used, reason = "tests")]

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rechunk_common::{
    ByteCount,
    layout::IndexLocation,
    plan::ShapeOfPlan,
    request::{ExchangeCodecChoice, RechunkRequest, SourceListing, ZarrFormat},
};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Content, Place, WholeArray, Wire,
    faithful::{assert_equal, assert_faithful, assert_succeeded, measured, planned, request},
};
use serde_json::{Value, json};

/// So little that tasks hold a few chunks; far below what a worker process itself takes, it bounds the buffers only.
const SMALL_MEMORY: ByteCount = ByteCount(48 << 10);

fn zstd() -> Value {
    json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ])
}

fn big_endian_transposed() -> Value {
    json!([
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        {"name": "bytes", "configuration": {"endian": "big"}},
        {"name": "gzip", "configuration": {"level": 1}},
        {"name": "crc32c"},
    ])
}

fn shuffled_v2() -> Value {
    json!({
        "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
        "filters": null, "order": "F",
    })
}

/// A job of the table: what is made, and what is asked for.
struct Case {
    name: &'static str,
    spec: ArraySpec,
    chunks: &'static str,
    shards: Option<&'static str>,
}

impl Case {
    fn new(name: &'static str, spec: ArraySpec, chunks: &'static str) -> Self {
        Self { name, spec, chunks, shards: None }
    }

    fn into_shards(mut self, shards: &'static str) -> Self {
        self.shards = Some(shards);
        self
    }
}

fn cases() -> Vec<Case> {
    let filled = |spec: ArraySpec| spec.with_fill(json!(7));
    vec![
        Case::new("a 0-d array", ArraySpec::new(&[], &[]), ""),
        Case::new("an empty array", ArraySpec::new(&[0, 5], &[3, 2]), "1,5"),
        Case::new("one element", ArraySpec::new(&[1], &[1]), "1"),
        Case::new("a line with a prime length", ArraySpec::new(&[1009], &[100]), "97"),
        Case::new("maps to series", ArraySpec::new(&[24, 12, 10], &[1, 12, 10]), "24,3,2"),
        Case::new("series to maps", ArraySpec::new(&[24, 12, 10], &[24, 3, 2]), "1,12,10"),
        Case::new("edges on every axis", ArraySpec::new(&[17, 13, 11], &[5, 4, 3]), "4,6,7"),
        Case::new("chunks larger than the array", ArraySpec::new(&[7, 5], &[10, 20]), "3,5"),
        Case::new("one chunk of everything", ArraySpec::new(&[30, 20], &[7, 3]), "-1,-1"),
        Case::new("the same grid", ArraySpec::new(&[9, 9], &[4, 4]), "keep,keep"),
        Case::new("compressed", ArraySpec::new(&[40, 30], &[8, 30]).with_codecs(zstd()), "40,7"),
        Case::new(
            "big-endian, transposed and checked",
            ArraySpec::new(&[21, 34], &[5, 8])
                .of("float64")
                .with_fill(json!("NaN"))
                .with_codecs(big_endian_transposed()),
            "21,3",
        ),
        Case::new(
            "elements of 16 bytes",
            ArraySpec::new(&[12, 9], &[5, 2]).of("complex128").with_fill(json!([0, 1])),
            "3,9",
        ),
        Case::new("elements of one byte", ArraySpec::new(&[100, 3], &[9, 3]).of("uint8"), "50,1"),
        Case::new("v2 with F order", ArraySpec::v2(&[20, 15], &[6, 4]).of(">i2").with_codecs(shuffled_v2()), "5,15"),
        Case::new("v2 without a fill value", ArraySpec::v2(&[20, 6], &[4, 6]).with_fill(Value::Null), "20,2"),
        Case::new(
            "missing chunks",
            filled(ArraySpec::new(&[20, 20], &[5, 5])).without(&[[0, 0], [1, 1], [3, 2]]),
            "4,10",
        ),
        Case::new("no chunk at all", filled(ArraySpec::new(&[4, 4], &[4, 2])).without(&[[0, 0], [0, 1]]), "2,4"),
        Case::new(
            "stored fill values",
            filled(ArraySpec::new(&[20, 20], &[5, 5])).filled_at(&[[0, 0], [0, 1], [2, 2]]),
            "10,5",
        ),
        Case::new(
            "shards on the source's side",
            ArraySpec::new(&[25, 18], &[3, 4]).in_shards(&[9, 8]).with_codecs(zstd()).without(&[[0, 0], [1, 1]]),
            "5,18",
        ),
        Case::new(
            "a shard index in front",
            ArraySpec { index_location: IndexLocation::Start, ..ArraySpec::new(&[16, 16], &[4, 4]).in_shards(&[8, 8]) },
            "16,2",
        ),
        Case::new("shards on the target's side", ArraySpec::new(&[30, 20], &[1, 20]), "4,5").into_shards("12,10"),
        Case::new("shards on both sides", ArraySpec::new(&[24, 24], &[4, 3]).in_shards(&[8, 12]), "6,6")
            .into_shards("12,24"),
        Case::new(
            "shards with gaps",
            filled(ArraySpec::new(&[24, 24], &[6, 6]))
                .filled_at(&[[0, 0], [0, 1], [1, 0], [1, 1]])
                .without(&[[3, 3], [2, 1]]),
            "3,3",
        )
        .into_shards("12,12"),
    ]
}

/// Runs every case of the table in `place`, all through one cluster.
async fn run_table(place: &Place, options: ClusterOptions, max_mem: Option<ByteCount>) -> Vec<ShapeOfPlan> {
    let cluster = Cluster::start(options).await;
    let mut shapes = Vec::new();
    for (number, case) in cases().into_iter().enumerate() {
        let (source, target) = (format!("case-{number}/source"), format!("case-{number}/target"));
        let made = case.spec.make(place, &source).await;
        let request = RechunkRequest {
            shards: case.shards.map(str::to_owned).into_iter().collect(),
            max_mem,
            ..request(place, &source, &target, case.chunks)
        };
        cluster.worker_requests.clear();
        cluster.coordinator_requests.clear();
        eprintln!("{}", case.name);
        let view = cluster.run(request).await;
        shapes.push(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan);
        assert_faithful(&cluster, place, &made, &target, &view).await;
        // The next case starts with nothing here.
        for node in [&source, &target] {
            let gone = place.open(node).delete_all("", &rechunk_storage::Unguarded).await;
            gone.expect("a deletion");
        }
    }
    cluster.shutdown().await;
    shapes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_array_comes_out_bit_for_bit_in_memory() {
    let place = Place::in_memory();
    let shapes = run_table(&place, ClusterOptions::at(&place), None).await;
    assert!(shapes.contains(&ShapeOfPlan::Empty) && shapes.contains(&ShapeOfPlan::DirectSweep), "{shapes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_array_comes_out_bit_for_bit_on_local_files() {
    let place = Place::on_disk();
    run_table(&place, ClusterOptions::at(&place), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_array_comes_out_bit_for_bit_without_a_wire() {
    let place = Place::in_memory();
    let options = ClusterOptions { wire: Wire::Direct, ..ClusterOptions::at(&place) };
    run_table(&place, options, Some(SMALL_MEMORY)).await;
}

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

/// 1 MiB of maps, wanted as series.
fn maps() -> ArraySpec {
    ArraySpec::new(&[256, 32, 32], &[1, 32, 32])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_memory_gives_a_direct_sweep_without_temporary_objects() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let view = cluster.run(request(&place, "source", "target", "256,2,2")).await;
    let plan = view.plan.as_ref().expect("a plan");
    assert_eq!(plan.arrays[0].shape_of_plan, ShapeOfPlan::DirectSweep);
    assert_eq!((plan.exchange_bytes, plan.temp_bytes), (ByteCount(0), ByteCount(0)));
    assert_eq!(planned(&view).put_requests, 256);
    assert_eq!(planned(&view).get_requests % 256, 0, "each task reads every map");
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_memory_gives_an_exchange_whose_objects_are_gone_afterwards() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest { max_mem: Some(SMALL_MEMORY), ..request(&place, "source", "target", "256,2,2") };
    let view = cluster.run(request).await;
    let plan = view.plan.as_ref().expect("a plan");
    assert_eq!(plan.arrays[0].shape_of_plan, ShapeOfPlan::Exchange, "{}", plan.arrays[0].reason);
    assert!(plan.peak_memory <= SMALL_MEMORY, "{}", plan.peak_memory);
    let names: Vec<&str> = view.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert!(names.contains(&"copy_read_to_exchange") && names.contains(&"delete_exchange"), "{names:?}");
    assert_eq!(measured(&view).delete_requests, planned(&view).delete_requests);
    assert!(planned(&view).delete_requests > 1, "several exchange objects");
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_compressed_when_that_is_asked_for_and_counted_as_planned() {
    for codec in [ExchangeCodecChoice::Lz4, ExchangeCodecChoice::Zstd] {
        for place in [Place::in_memory()] {
            let made = maps().with_content(Content::Index).make(&place, "source").await;
            let cluster = Cluster::at(&place).await;
            let request = RechunkRequest {
                max_mem: Some(SMALL_MEMORY),
                exchange_codec: codec,
                ..request(&place, "source", "target", "256,2,2")
            };
            let view = cluster.run(request).await;
            let plan = view.plan.as_ref().expect("a plan");
            assert_eq!(plan.arrays[0].shape_of_plan, ShapeOfPlan::Exchange, "{}", plan.arrays[0].reason);
            let stage = |name: &str| view.stages.iter().find(|stage| stage.name == name).expect("a stage");
            let index = stage("index_exchange");
            assert_eq!(
                (index.measured.get_requests, index.measured.put_requests, index.measured.metadata_requests),
                (index.predicted.get_requests, index.predicted.put_requests, index.predicted.metadata_requests,)
            );
            let written = stage("copy_read_to_exchange").measured;
            assert!(written.wire_bytes_written < written.bytes_encoded, "compressed: {written:?}");
            assert!(ByteCount(written.wire_bytes_written) <= plan.exchange_bytes, "an upper bound");
            assert_eq!(measured(&view).metadata_requests, planned(&view).metadata_requests, "listings too");
            assert_faithful(&cluster, &place, &made, "target", &view).await;
            cluster.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keep_temp_leaves_every_exchange_object_where_it_was() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest {
        max_mem: Some(SMALL_MEMORY),
        keep_temp: true,
        ..request(&place, "source", "target", "256,2,2")
    };
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    assert_equal(&place, &made, "target").await;
    let written = view.stages.iter().find(|stage| stage.name == "copy_read_to_exchange").expect("an exchange");
    let left = place.strays(&["source", "target"]).await;
    assert_eq!(left.len() as u64, written.measured.put_requests, "{left:?}");
    cluster.shutdown().await;
}

/// Chunks of 48 and of 32 along the first axis meet every 96 elements: eight groups.
fn grouped() -> ArraySpec {
    ArraySpec::new(&[768, 64, 32], &[48, 1, 32])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_run_as_pipelines_of_their_own_within_the_temporary_limit() {
    let place = Place::in_memory();
    let made = grouped().make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let whole = made.whole.elements.len() as u64;
    let limit = ByteCount(whole / 4 + whole / 16);
    let request = RechunkRequest {
        max_mem: Some(SMALL_MEMORY),
        temp_limit: Some(limit),
        ..request(&place, "source", "target", "32,64,1")
    };
    let view = cluster.run(request).await;
    let plan = view.plan.as_ref().expect("a plan");
    assert_eq!(plan.arrays[0].shape_of_plan, ShapeOfPlan::Exchange, "{}", plan.arrays[0].reason);
    assert!(plan.arrays[0].pipelines > 1, "{plan:#?}");
    assert!(plan.temp_bytes <= limit, "{} of {limit}", plan.temp_bytes);
    assert!(plan.exchange_bytes > limit, "all groups together need more than the limit");
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_fails_the_job_at_a_missing_chunk_and_publishes_nothing() {
    let place = Place::in_memory();
    maps().without(&[[17, 0, 0]]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest {
        strict: true,
        // Where they are listed it is refused at planning.
        listing: SourceListing::Never,
        ..request(&place, "source", "target", "256,2,2")
    };
    let view = cluster.run(request).await;
    let failure = view.failure.as_ref().expect("a reason");
    assert!(failure.message.contains("c/17/0/0"), "{failure}");
    assert_eq!(place.get("target/zarr.json").await, None);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_chunks_are_written_when_that_is_asked_for() {
    let place = Place::in_memory();
    let made = ArraySpec::new(&[20, 20], &[5, 5]).without(&[[0, 0], [0, 1], [2, 2]]).make(&place, "source").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest { write_empty_chunks: true, ..request(&place, "source", "target", "5,10") };
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    let found = WholeArray::read(&place, "target").await;
    assert_eq!(found.first_difference(&made.whole), None);
    assert_eq!(found.stored.len(), 8, "every chunk is there");
    assert_eq!((measured(&view).skipped_fill_chunks, measured(&view).missing_source_chunks), (0, 0));
    assert_eq!(measured(&view).get_requests, 13, "what is missing is known, and made of fill values unasked");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overwriting_leaves_nothing_of_the_old_array() {
    let place = Place::in_memory();
    let made = maps().make(&place, "source").await;
    // More chunks than the new array has, and metadata of the other format.
    ArraySpec::v2(&[400], &[1]).make(&place, "target").await;
    let cluster = Cluster::at(&place).await;
    let request = RechunkRequest { overwrite: true, ..request(&place, "source", "target", "256,16,32") };
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    assert_equal(&place, &made, "target").await;
    assert_eq!(place.keys("target").await, ["c/0/0/0", "c/0/1/0", "zarr.json"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_formats_convert_into_each_other_bit_for_bit() {
    let place = Place::in_memory();
    let v2 = ArraySpec::v2(&[20, 15], &[6, 4]).with_codecs(shuffled_v2()).make(&place, "two").await;
    let v3 = ArraySpec::new(&[20, 15], &[6, 4]).with_codecs(zstd()).make(&place, "three").await;
    let cluster = Cluster::at(&place).await;
    for (made, source, target, format) in
        [(v2, "two", "two-as-three", ZarrFormat::V3), (v3, "three", "three-as-two", ZarrFormat::V2)]
    {
        let request = RechunkRequest { zarr_format: Some(format), ..request(&place, source, target, "5,15") };
        let view = cluster.run(request).await;
        assert_succeeded(&view);
        let found = WholeArray::read(&place, target).await;
        assert_eq!(found.first_difference(&made.whole), None, "{target}");
        let name = if format == ZarrFormat::V3 { "zarr.json" } else { ".zarray" };
        assert!(place.get(&format!("{target}/{name}")).await.is_some(), "{target} has {name}");
    }
    cluster.shutdown().await;
}
