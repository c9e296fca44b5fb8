//! What a request can ask for, one thing at a time.

use rechunk_common::{
    ByteCount,
    job::TempStanding,
    plan::ShapeOfPlan,
    request::{ExchangeCodecChoice, RechunkRequest, SourceListing, ZarrFormat},
};
use rechunk_tests::{
    ArraySpec, Cluster, Content, Place, WholeArray,
    faithful::{assert_equal, assert_faithful, assert_succeeded, measured, planned, request},
};

use super::{SMALL_MEMORY, shuffled_v2, zstd};

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
    assert_eq!(
        view.temp.map(|temp| temp.standing),
        Some(TempStanding::Kept),
        "and nobody is to take it for left behind"
    );
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
    let temp = view.temp.clone().expect("a temporary space");
    assert_eq!((Some(temp.url), temp.standing), (plan.temp.clone(), TempStanding::Released), "it needs it no more");
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
