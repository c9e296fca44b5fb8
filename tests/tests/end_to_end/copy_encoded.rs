//! Jobs whose chunks stay what they are, end to end: they are passed on without decoding, byte for byte, between chunks,
//! shards and both Zarr formats, with exactly the requests that the plan said.

#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;

use bytes::Bytes;
use rechunk_common::{
    geometry::{BoxGrid, Region},
    job::JobState,
    layout::{ChunkLayout, IndexLocation},
    plan::ShapeOfPlan,
    request::{RechunkRequest, SourceListing, ZarrFormat},
};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, Place, SeaweedFs,
    faithful::{assert_faithful, assert_succeeded, measured, planned, request},
    whole_array::layout_at,
};
use rechunk_zarr::{ShardCodec, ShardEntry};
use serde_json::{Value, json};

fn zstd() -> Value {
    json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 1, "checksum": false}},
    ])
}

fn shuffled_v2(order: &str) -> Value {
    json!({
        "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
        "filters": null, "order": order,
    })
}

/// Every chunk (inner chunk) at `path` as it stands in the store, by position.
async fn encoded_chunks(place: &Place, path: &str) -> BTreeMap<Vec<u64>, Bytes> {
    let layout = layout_at(place, path).await;
    let prefix = place.open(path);
    let shards = ShardCodec::new(&layout.chunks, &layout.element, &layout.fill).expect("known codecs");
    let objects = layout.write_grid();
    let mut chunks = BTreeMap::new();
    for position in BoxGrid::positions(&Region::whole(&objects.counts())) {
        let Some(object) = prefix.get(&layout.keys.key(&position)).await.expect("an answer") else { continue };
        let Some(codec) = &shards else {
            chunks.insert(position, object);
            continue;
        };
        let index_bytes = usize::try_from(codec.index_bytes()).expect("a small index");
        let index = match codec.index_location() {
            IndexLocation::Start => object.slice(..index_bytes),
            IndexLocation::End => object.slice(object.len() - index_bytes..),
        };
        let index = codec.decode_index(index).expect("an index with a valid checksum");
        let per_shard = codec.chunks_per_shard();
        for (number, inside) in (0_u64..).zip(BoxGrid::positions(&Region::whole(per_shard))) {
            let Some(ShardEntry { offset, length }) = index.entry(number) else { continue };
            let at = position.iter().zip(per_shard).zip(&inside).map(|((shard, count), at)| shard * count + at);
            let small = |n: u64| usize::try_from(n).expect("a small shard");
            chunks.insert(at.collect(), object.slice(small(offset)..small(offset + length)));
        }
    }
    chunks
}

/// Copies `source` to `target` with the same chunks, and checks that nothing was decoded and nothing changed.
async fn pass_on(cluster: &Cluster, place: &Place, spec: &ArraySpec, change: impl FnOnce(&mut RechunkRequest)) {
    let made = spec.make(place, "source").await;
    cluster.worker_requests.clear();
    cluster.coordinator_requests.clear();
    let mut request = request(place, "source", "target", "");
    request.chunks = vec![vec!["keep"; spec.shape.len()].join(",")];
    change(&mut request);
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    let planned_array = &view.plan.as_ref().expect("a plan").arrays[0];
    assert_eq!(planned_array.shape_of_plan, ShapeOfPlan::CopyEncoded, "{spec:?}");
    assert_faithful(cluster, place, &made, "target", &view).await;
    assert_eq!(encoded_chunks(place, "target").await, encoded_chunks(place, "source").await, "{spec:?}");
    let done = measured(&view);
    assert_eq!((done.bytes_decoded, done.bytes_encoded), (0, 0), "nothing is decoded");
    let has_gaps = planned_array.listed_objects.is_some_and(|listed| listed < planned_array.source_objects);
    assert_eq!(done.delete_requests, u64::from(has_gaps), "nothing is temporary but the bitmap of a source with gaps");
    let reason = &planned_array.reason;
    let is_whole = made.layout.chunks.are_whole_objects_of(&layout_at(place, "target").await.chunks);
    assert_eq!(reason.contains("the store itself copies"), is_whole, "{reason}");
    if is_whole {
        let copied = view.stages.iter().find(|stage| stage.name == "copy_encoded").expect("its stage").measured;
        let bitmap = if has_gaps { planned_array.source_objects.div_ceil(8) } else { 0 };
        let moved = (copied.get_requests, copied.wire_bytes_read, copied.wire_bytes_written);
        assert_eq!(moved, (0, bitmap, 0), "{spec:?}");
    }
    if made.whole.stored.len() as u64 == made.layout.read_grid().len() {
        assert_eq!(done.get_requests, planned(&view).get_requests);
        assert_eq!(done.put_requests, planned(&view).put_requests);
    }
}

async fn clear(place: &Place) {
    for node in ["source", "target"] {
        let prefix = place.open(node);
        prefix.delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
        // The chunk of a 0-d array is a file `c`, where others have a directory.
        prefix.remove_empty_directories().await.expect("directories are removed");
    }
}

/// Every way in which chunks can stay what they are.
async fn run_table(place: &Place) {
    let cluster = Cluster::start(ClusterOptions::at(place)).await;
    let to_v3 = |request: &mut RechunkRequest| request.zarr_format = Some(ZarrFormat::V3);
    let to_v2 = |request: &mut RechunkRequest| request.zarr_format = Some(ZarrFormat::V2);
    let shards = |shards: &'static str| move |request: &mut RechunkRequest| request.shards = vec![shards.to_owned()];
    // Edges on both axes; gaps, and chunks of nothing but the fill value, which stay too.
    let plain = ArraySpec::new(&[25, 18], &[3, 4]).with_codecs(zstd()).with_fill(json!(7));
    let gaps = plain.clone().without(&[[0, 0], [1, 1], [8, 4]]).filled_at(&[[2, 2], [3, 3]]);
    let sharded = gaps.clone().in_shards(&[9, 8]);
    let in_front = ArraySpec { index_location: IndexLocation::Start, ..sharded.clone() };
    for spec in [&plain, &gaps, &sharded, &in_front] {
        pass_on(&cluster, place, spec, |_| ()).await;
        clear(place).await;
        for asked in ["none", "6,12", "9,8", "27,20"] {
            pass_on(&cluster, place, spec, shards(asked)).await;
            clear(place).await;
        }
    }
    pass_on(&cluster, place, &gaps, to_v2).await;
    clear(place).await;
    for spec in [
        ArraySpec::v2(&[20, 15], &[6, 4]).of("<f4").with_codecs(shuffled_v2("C")),
        ArraySpec::v2(&[20, 15], &[6, 4]).of(">i2").with_codecs(shuffled_v2("F")).without(&[[1, 1]]),
        ArraySpec::v2(&[20, 15], &[6, 4]).of("<M8[ns]"),
        ArraySpec::v2(&[20, 6], &[4, 6]).with_fill(Value::Null).without(&[[2, 0]]),
        ArraySpec::v2(&[], &[]),
    ] {
        pass_on(&cluster, place, &spec, |_| ()).await;
        clear(place).await;
        pass_on(&cluster, place, &spec, to_v3).await;
        clear(place).await;
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_stay_the_same_arrive_byte_for_byte_in_memory() {
    Box::pin(run_table(&Place::in_memory())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_stay_the_same_arrive_byte_for_byte_on_local_files() {
    Box::pin(run_table(&Place::on_disk())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_stay_the_same_arrive_byte_for_byte_on_s3() {
    let server = SeaweedFs::start().await;
    let place = Place::on_s3(&server);
    let cluster = Cluster::at(&place).await;
    let plain = ArraySpec::new(&[24, 18], &[3, 4]).with_codecs(zstd()).without(&[[1, 1]]);
    let sharded = plain.clone().in_shards(&[6, 8]);
    for (spec, shards) in
        [(&plain, "none"), (&plain, "6,8"), (&sharded, "none"), (&sharded, "keep"), (&sharded, "12,20")]
    {
        pass_on(&cluster, &place, spec, |request| request.shards = vec![shards.to_owned()]).await;
        clear(&place).await;
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn into_shards_and_back_gives_the_same_objects() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    let spec = ArraySpec::new(&[25, 18], &[3, 4]).with_codecs(zstd()).without(&[[2, 2]]);
    spec.make(&place, "chunks").await;
    for (source, target, shards) in [("chunks", "shards", "9,8"), ("shards", "again", "none")] {
        let shards = vec![shards.to_owned()];
        let view = cluster.run(RechunkRequest { shards, ..request(&place, source, target, "keep,keep") }).await;
        assert_succeeded(&view);
    }
    assert!(matches!(layout_at(&place, "shards").await.chunks, ChunkLayout::Sharded { .. }));
    assert_eq!(layout_at(&place, "again").await.chunks, layout_at(&place, "chunks").await.chunks);
    assert_eq!(encoded_chunks(&place, "again").await, encoded_chunks(&place, "chunks").await);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_chunk_fails_the_job_where_that_was_asked_for() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    for (node, spec, key) in [
        ("plain", ArraySpec::new(&[8, 8], &[2, 2]), "c/1/3"),
        ("sharded", ArraySpec::new(&[8, 8], &[2, 2]).in_shards(&[4, 4]), "c/0/1"),
    ] {
        let source = format!("{node}/source");
        spec.without(&[[1, 3]]).make(&place, &source).await;
        let request = request(&place, &source, &format!("{node}/target"), "keep,keep");
        let view = cluster.run(RechunkRequest { strict: true, listing: SourceListing::Never, ..request }).await;
        assert_eq!(view.state, JobState::Failed);
        let failure = view.failure.expect("a reason").to_string();
        assert!(failure.contains(key) && failure.contains("missing"), "{failure}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_codec_would_decode_is_passed_on_unseen() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    ArraySpec::new(&[6, 4], &[3, 4]).with_codecs(zstd()).make(&place, "source").await;
    let prefix = place.open("source");
    prefix.put("c/1/0", b"no zstd frame".to_vec(), &rechunk_storage::Unguarded).await.expect("a put");
    let view = cluster.run(request(&place, "source", "target", "keep,keep")).await;
    assert_succeeded(&view);
    assert_eq!(encoded_chunks(&place, "target").await, encoded_chunks(&place, "source").await);
    // Other chunks need its elements.
    let view = cluster.run(request(&place, "source", "other", "2,4")).await;
    assert_eq!(view.state, JobState::Failed);
    cluster.shutdown().await;
}
