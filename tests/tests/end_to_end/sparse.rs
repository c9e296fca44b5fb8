//! Sparse sources end to end: what a listing at submission found absent is never asked for, what would hold nothing is
//! never made, and the plan says all of it to the request.

#![allow(clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;

use rechunk_common::{
    ByteCount, RefusalCode,
    geometry::{BoxGrid, Region},
    job::{JobState, JobView},
    plan::{Assumed, ShapeOfPlan},
    request::{RechunkRequest, SourceListing, ZarrFormat},
};
use rechunk_tests::{
    ArraySpec, Cluster, ClusterOptions, MadeArray, Place, WholeArray,
    cluster::{refusal, within},
    faithful::{assert_faithful, assert_succeeded, measured, planned, request},
    traffic::chunk_urls,
};
use serde_json::json;

const SMALL_MEMORY: ByteCount = ByteCount(48 << 10);

/// Without the objects (chunks, or shards with all that is in them) whose number in C order `is_gone` says.
fn thinned(mut spec: ArraySpec, is_gone: impl Fn(u64) -> bool) -> ArraySpec {
    let objects = BoxGrid::of_array(&spec.shape, spec.shards.as_ref().unwrap_or(&spec.chunks));
    let chunks = BoxGrid::of_array(&spec.shape, &spec.chunks);
    for (number, position) in (0_u64..).zip(BoxGrid::positions(&Region::whole(&objects.counts()))) {
        if is_gone(number) {
            let within = chunks.overlapping(&objects.region_at(&position));
            spec.missing.extend(BoxGrid::positions(&within));
        }
    }
    spec
}

/// URLs of the objects that the source could have and has not.
fn absent(made: &MadeArray) -> BTreeSet<String> {
    let (layout, units) = (&made.layout, made.layout.read_grid());
    let objects = layout.write_grid();
    let has = |position: &Vec<u64>| {
        let within = units.overlapping(&objects.region_at(position));
        BoxGrid::positions(&within).any(|unit| made.whole.stored.contains(&unit))
    };
    let everywhere = BoxGrid::positions(&Region::whole(&objects.counts()));
    everywhere.filter(|position| !has(position)).map(|at| format!("{}/{}", made.url, layout.keys.key(&at))).collect()
}

/// Everything is as planned, to the request and the byte, and nothing absent was asked for.
async fn assert_exact(cluster: &Cluster, place: &Place, made: &MadeArray, view: &JobView) {
    assert_faithful(cluster, place, made, "target", view).await;
    let plan = view.plan.as_ref().expect("a plan");
    assert_eq!(plan.assumed, Assumed::Listed);
    assert_eq!(
        plan.arrays[0].listed_objects.map(|listed| listed + absent(made).len() as u64),
        Some(plan.arrays[0].source_objects)
    );
    let (planned, measured) = (planned(view), measured(view));
    let figures = |counts: &rechunk_common::Counts| {
        (counts.get_requests, counts.put_requests, counts.delete_requests, counts.bytes_decoded, counts.bytes_encoded)
    };
    assert_eq!(figures(&measured), figures(&planned));
    assert_eq!((measured.skipped_fill_chunks, measured.missing_source_chunks), (0, 0));
    let asked = chunk_urls(&cluster.worker_requests);
    let absent = absent(made);
    assert_eq!(asked.intersection(&absent).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Runs `spec` to `chunks` and checks all of it; the shape of the plan.
async fn run(
    cluster: &Cluster,
    spec: &ArraySpec,
    chunks: &str,
    change: impl FnOnce(&mut RechunkRequest),
) -> ShapeOfPlan {
    let place = Place::in_memory();
    let made = spec.make(&place, "source").await;
    cluster.worker_requests.clear();
    cluster.coordinator_requests.clear();
    let mut request = request(&place, "source", "target", chunks);
    change(&mut request);
    let view = cluster.run(request).await;
    assert_succeeded(&view);
    assert_exact(cluster, &place, &made, &view).await;
    view.plan.expect("a plan").arrays[0].shape_of_plan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_of_plan_does_what_it_said_of_a_sparse_source() {
    let cluster = Cluster::at(&Place::in_memory()).await;
    let plain = ArraySpec::new(&[25, 18], &[3, 4]).with_fill(json!(7));
    let sharded = plain.clone().in_shards(&[9, 8]);
    for keep in [2_u64, 3, 7, 1000] {
        let thin = |spec: &ArraySpec| thinned(spec.clone(), |number| number % keep != 1);
        for (spec, chunks, shards, shape) in [
            (&plain, "5,5", None, ShapeOfPlan::DirectSweep),
            (&plain, "5,5", Some("10,10"), ShapeOfPlan::DirectSweep),
            (&sharded, "5,5", None, ShapeOfPlan::DirectSweep),
            (&sharded, "2,3", Some("10,6"), ShapeOfPlan::DirectSweep),
            (&plain, "keep,keep", None, ShapeOfPlan::CopyEncoded),
            (&plain, "keep,keep", Some("6,12"), ShapeOfPlan::CopyEncoded),
            (&sharded, "keep,keep", Some("none"), ShapeOfPlan::CopyEncoded),
            (&sharded, "keep,keep", Some("keep"), ShapeOfPlan::CopyEncoded),
            (&sharded, "keep,keep", Some("6,12"), ShapeOfPlan::CopyEncoded),
        ] {
            let asked = |request: &mut RechunkRequest| request.shards = shards.into_iter().map(str::to_owned).collect();
            assert_eq!(run(&cluster, &thin(spec), chunks, asked).await, shape, "{chunks} {shards:?}");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_leaves_out_what_is_absent_on_both_sides() {
    let cluster = Cluster::at(&Place::in_memory()).await;
    let maps = ArraySpec::new(&[256, 32, 32], &[1, 32, 32]);
    let small = |request: &mut RechunkRequest| request.max_mem = Some(SMALL_MEMORY);
    // One map of each three, one of many, the first half, none.
    let gone: [fn(u64) -> bool; 4] =
        [|number| number % 3 != 0, |number| number != 100, |number| number >= 128, |_| true];
    for is_gone in gone {
        let shape = run(&cluster, &thinned(maps.clone(), is_gone), "256,2,2", small).await;
        assert_eq!(shape, ShapeOfPlan::Exchange);
    }
    // Chunks of 48 and of 32 along the first axis: groups, some of them empty.
    let grouped = thinned(ArraySpec::new(&[768, 64, 32], &[48, 1, 32]), |number| number / 64 % 4 != 1);
    assert_eq!(run(&cluster, &grouped, "32,64,1", small).await, ShapeOfPlan::Exchange);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gaps_that_must_be_made_are_made_without_asking_for_them() {
    let cluster = Cluster::at(&Place::in_memory()).await;
    for (spec, chunks, max_mem) in [
        (ArraySpec::new(&[25, 18], &[3, 4]).with_fill(json!(7)), "5,5", None),
        (ArraySpec::new(&[256, 32, 32], &[1, 32, 32]).with_fill(json!(7)), "256,2,2", Some(SMALL_MEMORY)),
    ] {
        let place = Place::in_memory();
        let made = thinned(spec, |number| number % 5 != 2).make(&place, "source").await;
        cluster.worker_requests.clear();
        // The fill value becomes null: what is missing must be written.
        let request = RechunkRequest {
            zarr_format: Some(ZarrFormat::V2),
            max_mem,
            ..request(&place, "source", "target", chunks)
        };
        let view = cluster.run(request).await;
        assert_succeeded(&view);
        let found = WholeArray::read(&place, "target").await;
        assert_eq!(found.first_difference(&made.whole), None);
        let (planned, measured) = (planned(&view), measured(&view));
        assert_eq!((measured.get_requests, measured.put_requests), (planned.get_requests, planned.put_requests));
        assert_eq!(measured.bytes_decoded, planned.bytes_decoded);
        let asked = chunk_urls(&cluster.worker_requests);
        assert_eq!(asked.intersection(&absent(&made)).count(), 0);
        assert_eq!(place.strays(&["source", "target"]).await, Vec::<String>::new());
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_listing_every_chunk_is_asked_for() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    let spec = thinned(ArraySpec::new(&[25, 18], &[3, 4]), |number| number % 3 != 1);
    let made = spec.make(&place, "source").await;
    cluster.worker_requests.clear();
    cluster.coordinator_requests.clear();
    let request = RechunkRequest { listing: SourceListing::Never, ..request(&place, "source", "target", "5,5") };
    let view = cluster.run(request).await;
    assert_faithful(&cluster, &place, &made, "target", &view).await;
    assert_eq!(view.plan.as_ref().expect("a plan").assumed, Assumed::Dense);
    assert!(absent(&made).is_subset(&chunk_urls(&cluster.worker_requests)));
    assert!(measured(&view).missing_source_chunks > 0);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_and_a_refused_submission_leave_nothing_behind() {
    let place = Place::in_memory();
    let cluster = Cluster::at(&place).await;
    thinned(ArraySpec::new(&[25, 18], &[3, 4]), |number| number == 3).make(&place, "source").await;
    let wanted = || request(&place, "source", "target", "5,5");
    let plan = cluster.client().plan(wanted()).await.expect("a plan");
    assert_eq!(plan.summary.arrays[0].listed_objects, Some(44));
    assert_eq!(place.strays(&["source"]).await, Vec::<String>::new());
    // A gap that is an error is named at once.
    let refused = refusal(cluster.client().submit(RechunkRequest { strict: true, ..wanted() }).await);
    assert_eq!((refused.code, refused.field.as_deref()), (RefusalCode::FailedPrecondition, Some("strict")));
    assert!(refused.message.contains("c/0/3"), "{refused}");
    // Of two jobs for one target one is accepted; what was written for the other goes.
    let (one, other) = tokio::join!(cluster.client().submit(wanted()), cluster.client().submit(wanted()));
    let accepted: Vec<_> = [one, other].into_iter().filter_map(Result::ok).collect();
    assert_eq!(accepted.len(), 1);
    assert_succeeded(&cluster.ended(&accepted[0]).await);
    let gone = async {
        while !place.strays(&["source", "target"]).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    within(gone, "the refused job's bitmap to go").await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bitmap_stands_from_acceptance_to_the_end_and_its_loss_fails_the_job_by_name() {
    let place = Place::in_memory();
    let mut cluster = Cluster::start(ClusterOptions::at(&place).with_workers(0)).await;
    thinned(ArraySpec::new(&[25, 18], &[3, 4]), |number| number == 3).make(&place, "source").await;
    let wanted =
        |target| RechunkRequest { max_mem: Some(ByteCount(1 << 30)), ..request(&place, "source", target, "5,5") };
    let cancelled = cluster.submit(wanted("cancelled")).await;
    let there = place.strays(&["source"]).await;
    let [bitmap] = there.as_slice() else { panic!("one bitmap: {there:?}") };
    assert!(bitmap.ends_with("/presence/0"), "{bitmap}");
    let failing = cluster.submit(wanted("failing")).await;
    for stray in place.strays(&["source"]).await.iter().filter(|stray| *stray != bitmap) {
        place.delete(stray).await;
    }
    cluster.client().cancel(&cancelled).await.expect("cancelled");
    cluster.add_worker("late", |worker| worker);
    assert_eq!(cluster.ended(&cancelled).await.state, JobState::Cancelled);
    let failed = cluster.ended(&failing).await;
    assert_eq!(failed.state, JobState::Failed);
    let failure = failed.failure.expect("a reason").to_string();
    assert!(failure.contains("/presence/0") && failure.contains("it is not there"), "{failure}");
    assert_eq!(place.strays(&["source"]).await, Vec::<String>::new());
    cluster.shutdown().await;
}
