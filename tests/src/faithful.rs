//! What must hold after every job that succeeded.

use rechunk_common::{
    Counts,
    job::{JobState, JobView},
    plan::ShapeOfPlan,
    request::RechunkRequest,
};

use crate::{
    cluster::Cluster,
    made_array::MadeArray,
    place::Place,
    traffic::{Traffic, chunk_urls},
    whole_array::{WholeArray, layout_at},
};

/// A request to copy `source` to `target`, both in `place`, with other chunks.
pub fn request(place: &Place, source: &str, target: &str, chunks: &str) -> RechunkRequest {
    RechunkRequest {
        source: place.url(source),
        target: place.url(target),
        chunks: vec![chunks.to_owned()],
        ..RechunkRequest::default()
    }
}

/// What all stages of a job together were counted to have done.
pub fn measured(view: &JobView) -> Counts {
    view.stages.iter().map(|stage| stage.measured).sum()
}

/// What all stages of a job together were planned to do.
pub fn planned(view: &JobView) -> Counts {
    view.plan.as_ref().expect("an ended job has its plan").totals
}

/// The job succeeded; if it did not, says why.
pub fn assert_succeeded(view: &JobView) {
    assert_eq!(view.state, JobState::Succeeded, "{:?}", view.failure);
    assert!(view.stages.iter().all(|stage| stage.done == stage.tasks && stage.leased == 0), "{:#?}", view.stages);
}

/// Every element at `target` is the source's by bits, and exactly those chunks are stored that have to be.
pub async fn assert_equal(place: &Place, source: &MadeArray, target: &str) {
    let found = WholeArray::read(place, target).await;
    if let Some(difference) = found.first_difference(&source.whole) {
        panic!("{} differs from {}: {difference}", place.url(target), source.url);
    }
    let layout = layout_at(place, target).await;
    if layout.has_fill {
        let expected = source.whole.boxes_with_data(layout.chunks.read_unit());
        assert_eq!(found.stored, expected, "chunks that hold nothing but the fill value are not stored");
    }
}

/// Every element at `target` is the source's by bits, and exactly those chunks are stored that the source has: what must
/// hold where chunks were passed on without decoding.
pub async fn assert_passed_on(place: &Place, source: &MadeArray, target: &str) {
    let found = WholeArray::read(place, target).await;
    if let Some(difference) = found.first_difference(&source.whole) {
        panic!("{} differs from {}: {difference}", place.url(target), source.url);
    }
    assert_eq!(found.stored, source.whole.stored, "what is missing stays missing, what is stored stays stored");
}

/// Whether the job passes chunks on without decoding.
fn is_passed_on(view: &JobView) -> bool {
    let plan = view.plan.as_ref().expect("an ended job has its plan");
    plan.arrays.iter().all(|array| array.shape_of_plan == ShapeOfPlan::CopyEncoded)
}

/// What the plan says was asked for, what the workers say they asked for, and what their stores saw are the same.
/// Holds for jobs without faults whose source has no missing chunks.
pub async fn assert_counted(cluster: &Cluster, place: &Place, source: &MadeArray, target: &str, view: &JobView) {
    let (planned, measured) = (planned(view), measured(view));
    let seen = Traffic::of(&cluster.worker_requests);
    // The index of a shard says which inner chunks are missing: these are not asked for.
    // Where shards are passed on whole, inner chunks are not asked for at all.
    let target_chunks = layout_at(place, target).await.chunks;
    let is_whole = is_passed_on(view) && source.layout.chunks.are_whole_objects_of(&target_chunks);
    // The store copies these itself, and answers where there is nothing to copy.
    let by_store = is_whole && planned.get_requests == 0;
    let in_vain = if by_store { measured.skipped_fill_chunks } else { 0 };
    // What was left out of the target is asked for once more where it is read back, but not decoded.
    let verifies = view.stages.iter().any(|stage| stage.name == "verify");
    let by_index = source.layout.chunks.is_sharded() && !is_whole;
    let unasked = if by_index { measured.missing_source_chunks } else { 0 };
    assert_eq!(measured.get_requests + unasked, planned.get_requests, "GETs as measured");
    assert_eq!(measured.put_requests + measured.skipped_fill_chunks, planned.put_requests, "PUTs as measured");
    assert_eq!(measured.delete_requests, planned.delete_requests, "DELETEs as measured");
    if measured.missing_source_chunks == 0 && !(verifies && measured.skipped_fill_chunks > 0) {
        assert_eq!(measured.bytes_decoded, planned.bytes_decoded, "bytes decoded");
    }
    // Chunks that hold nothing but the fill value are not encoded, also where their shard is written.
    let grid = layout_at(place, target).await.read_grid();
    if source.whole.boxes_with_data(grid.lengths()).len() as u64 == grid.len() {
        assert_eq!(measured.bytes_encoded, planned.bytes_encoded, "bytes encoded");
    }
    assert_within_memory(view);
    // A real server may answer a few reads so slowly that they are asked for again beside the first time.
    let is_far = ["s3://", "gs://", "az://"].iter().any(|scheme| place.url("").starts_with(scheme));
    let hedged = if is_far { measured.repeated_requests } else { 0 };
    assert!(hedged <= 1 + planned.get_requests * 3 / 100, "{hedged} hedged reads");
    assert_eq!((view.retries, measured.repeated_requests - hedged), (0, 0), "nothing was done twice");
    assert_eq!(seen.puts, measured.put_requests + in_vain, "PUTs as seen");
    assert_eq!(seen.deletes, measured.delete_requests, "DELETEs as seen");
    // What was passed on is read back by whole shards, unless these were written in parts.
    let reads_whole = is_passed_on(view) && measured.upload_parts == 0;
    let reads_target_shards = verifies && target_chunks.is_sharded() && !reads_whole;
    let reads_shards = (source.layout.chunks.is_sharded() && !by_store) || reads_target_shards;
    // Azure must be asked where a shard ends, with its index.
    let is_asked = place.url("").starts_with("az://") && reads_shards;
    assert_eq!(seen.heads > 0, is_asked, "a chunk is never asked for its size");
    if reads_shards {
        assert!(seen.gets <= measured.get_requests + hedged, "ranges are joined, never split: {seen:?}, {measured:?}");
        assert!(seen.gets > 0 || planned.get_requests == 0, "something was read");
    } else {
        let counted = measured.get_requests..=measured.get_requests + hedged;
        assert!(counted.contains(&seen.gets), "GETs as seen: {} of {counted:?}", seen.gets);
    }
}

/// No task took more memory than its stage was promised, and the peak of those that move chunks is known.
fn assert_within_memory(view: &JobView) {
    let plan = view.plan.as_ref().expect("an ended job has its plan");
    for stage in &view.stages {
        let planned = plan.stages.iter().find(|planned| planned.array == stage.array && planned.name == stage.name);
        let promised = planned.expect("every stage was planned").task_memory.0;
        let peak = stage.measured.peak_task_memory;
        assert!(peak <= promised, "{} took {peak} of {promised}", stage.name);
        assert!(peak > 0 || stage.measured.bytes_decoded == 0, "{} decoded without memory", stage.name);
    }
}

/// The coordinator never touched a chunk: invariant 1. It may ask whether a file stands where `target` shall be.
pub fn assert_no_chunk_at_coordinator(cluster: &Cluster, place: &Place, target: &str) {
    let mut touched = chunk_urls(&cluster.coordinator_requests);
    touched.remove(&place.url(target));
    assert!(touched.is_empty(), "the coordinator touched {touched:?}");
}

/// All of the above after a job without faults, and that nothing lies in `place` but `nodes`.
pub async fn assert_faithful(cluster: &Cluster, place: &Place, source: &MadeArray, target: &str, view: &JobView) {
    assert_succeeded(view);
    if is_passed_on(view) {
        assert_passed_on(place, source, target).await;
    } else {
        assert_equal(place, source, target).await;
    }
    assert_counted(cluster, place, source, target, view).await;
    assert_no_chunk_at_coordinator(cluster, place, target);
    let source_node = source.url.strip_prefix(&place.url("")).expect("the source is here");
    let strays = place.strays(&[source_node, target]).await;
    assert!(strays.is_empty(), "left behind: {strays:?}");
}
