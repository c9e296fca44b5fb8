//! A table of arrays, one of each kind.

use rechunk_common::{ByteCount, layout::IndexLocation, plan::ShapeOfPlan, request::RechunkRequest};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, Wire,
    faithful::{assert_faithful, request},
};
use serde_json::{Value, json};

use super::{SMALL_MEMORY, shuffled_v2, zstd};

fn big_endian_transposed() -> Value {
    json!([
        {"name": "transpose", "configuration": {"order": [1, 0]}},
        {"name": "bytes", "configuration": {"endian": "big"}},
        {"name": "gzip", "configuration": {"level": 1}},
        {"name": "crc32c"},
    ])
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
    let shapes = Box::pin(run_table(&place, ClusterOptions::at(&place), None)).await;
    assert!(shapes.contains(&ShapeOfPlan::Empty) && shapes.contains(&ShapeOfPlan::DirectSweep), "{shapes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_array_comes_out_bit_for_bit_on_local_files() {
    let place = Place::on_disk();
    Box::pin(run_table(&place, ClusterOptions::at(&place), None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_array_comes_out_bit_for_bit_without_a_wire() {
    let place = Place::in_memory();
    let options = ClusterOptions { wire: Wire::Direct, ..ClusterOptions::at(&place) };
    Box::pin(run_table(&place, options, Some(SMALL_MEMORY))).await;
}
