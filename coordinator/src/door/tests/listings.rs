//! Which chunks of a source there are, and what the plan and the temporary space are told of it.

use rechunk_common::{
    RefusalCode,
    limits::LISTED_BY_DEFAULT,
    plan::{Assumed, Plan, PlanSummary},
    request::{RechunkRequest, SourceListing},
};
use serde_json::json;

use super::world::World;

fn summary(plan: &Plan) -> &PlanSummary {
    plan.summary.as_ref().expect("a summary")
}

fn asked(world: &World, listing: SourceListing) -> RechunkRequest {
    RechunkRequest { listing, ..world.request("a", "b", &["x=5"]) }
}

/// Ten chunks of which the first three are there, of 11, 22 and 33 bytes, among keys that are none.
async fn world() -> World {
    let world = World::new();
    world.v3_array("a", &[("x", 20, 2)]).await;
    for (key, bytes) in [("c/0", 11), ("c/1", 22), ("c/2", 33)] {
        world.put(&format!("a/{key}"), vec![1; bytes]).await;
    }
    for foreign in ["c/03", "c/10", "c/3/0", "c.3", "3", "c/+3", "notes.txt", "c/3.tmp"] {
        world.put(&format!("a/{foreign}"), vec![1; 99]).await;
    }
    world
}

#[tokio::test]
async fn only_chunk_keys_inside_the_array_count_and_gaps_make_a_bitmap() {
    let world = world().await;
    let before = world.contents().await;
    let prepared = world.prepared(&asked(&world, SourceListing::WhereFew)).await;
    assert_eq!(world.contents().await, before, "a plan writes nothing");
    assert_eq!(summary(&prepared.plan).assumed, Assumed::Listed);
    let array = &summary(&prepared.plan).arrays[0];
    assert_eq!((array.listed_objects, array.source_objects), (Some(3), 10));
    assert_eq!(summary(&prepared.plan).totals.get_requests, 3, "one task has the third chunk for two targets");
    let [(url, bits)] = prepared.objects.objects.as_slice() else { panic!("{:?}", prepared.objects) };
    assert_eq!(bits, &[0b111, 0]);
    assert!(url.starts_with(&format!("{}/", prepared.objects.space)) && url.ends_with("/presence/0"), "{url}");
}

#[tokio::test]
async fn what_a_job_needs_is_written_and_removed_again_when_it_is_not_accepted() {
    let world = world().await;
    let before = world.contents().await;
    let prepared = world.prepared(&asked(&world, SourceListing::Always)).await;
    world.door().write(&prepared.objects).await.expect("written");
    assert_eq!(world.contents().await.len(), before.len() + 1);
    world.door().discard(&prepared.objects.space).await;
    assert_eq!(world.contents().await, before);
}

#[tokio::test]
async fn a_complete_source_needs_no_bitmap() {
    let world = world().await;
    for chunk in 3..10 {
        world.put(&format!("a/c/{chunk}"), "x").await;
    }
    let prepared = world.prepared(&asked(&world, SourceListing::WhereFew)).await;
    let array = &summary(&prepared.plan).arrays[0];
    assert_eq!((array.listed_objects, array.source_objects), (Some(10), 10));
    assert_eq!((prepared.objects.objects.len(), summary(&prepared.plan).temp.clone()), (0, None));
    let dense = world.prepared(&asked(&world, SourceListing::Never)).await;
    assert_eq!(summary(&dense.plan).totals, summary(&prepared.plan).totals);
    assert_eq!((summary(&dense.plan).assumed, summary(&dense.plan).arrays[0].listed_objects), (Assumed::Dense, None));
}

#[tokio::test]
async fn a_gap_is_refused_by_name_where_gaps_are_errors() {
    let world = world().await;
    let request = RechunkRequest { strict: true, ..asked(&world, SourceListing::WhereFew) };
    let refusal = world.refusal(&request).await;
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::FailedPrecondition, Some("strict")));
    assert!(refusal.message.contains(&format!("{}/c/3 is missing", world.url("a"))), "{refusal}");
}

#[tokio::test]
async fn a_bad_spec_is_refused_before_anything_is_listed() {
    let world = world().await;
    let request =
        RechunkRequest { strict: true, chunks: vec!["nowhere=5".to_owned()], ..asked(&world, SourceListing::WhereFew) };
    assert_ne!(world.refusal(&request).await.field.as_deref(), Some("strict"));
}

#[tokio::test]
async fn beyond_the_limit_a_source_is_taken_to_be_dense_unless_it_must_be_listed() {
    let world = world().await;
    for number in 0..LISTED_BY_DEFAULT {
        world.put(&format!("a/x/{number}"), "").await;
    }
    let few = world.prepared(&asked(&world, SourceListing::WhereFew)).await;
    assert_eq!((summary(&few.plan).assumed, few.objects.objects.len()), (Assumed::Dense, 0));
    let always = world.prepared(&asked(&world, SourceListing::Always)).await;
    assert_eq!((summary(&always.plan).assumed, always.objects.objects.len()), (Assumed::Listed, 1));
}

#[tokio::test]
async fn a_grid_that_no_bitmap_can_hold_is_refused_by_the_limit_where_it_must_be_listed() {
    let world = World::new();
    world.v3_array("a", &[("x", 1 << 30, 1)]).await;
    let request = |listing| RechunkRequest { listing, ..world.request("a", "b", &["x=1048576"]) };
    assert_eq!(summary(&world.prepared(&request(SourceListing::WhereFew)).await.plan).assumed, Assumed::Dense);
    let refusal = world.refusal(&request(SourceListing::Always)).await;
    assert_eq!((refusal.code, refusal.field.as_deref()), (RefusalCode::ResourceExhausted, Some("listing")));
    assert_eq!(refusal.reason, "LIMIT_MAX_LISTED_OBJECTS");
}

#[tokio::test]
async fn a_scalar_of_either_format_is_found() {
    let world = World::new();
    world.v3_array("a", &[]).await;
    world.put("a/c", vec![0; 4]).await;
    let two = json!({"zarr_format": 2, "shape": [], "chunks": [], "dtype": "<f4", "compressor": null, "fill_value": 0,
        "order": "C", "filters": null});
    world.put_json("two/.zarray", &two).await;
    world.put("two/0", vec![0; 4]).await;
    for source in ["a", "two"] {
        let request = RechunkRequest { listing: SourceListing::Always, ..world.request(source, "b", &[""]) };
        let prepared = world.prepared(&request).await;
        let array = &summary(&prepared.plan).arrays[0];
        assert_eq!((array.listed_objects, array.source_objects), (Some(1), 1), "{source}");
    }
}
