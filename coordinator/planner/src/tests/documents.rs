//! What surrounds the copy: prepare, finish, clean-up.

use rechunk_common::plan::{Document, PinnedDocument, PrefixPart, ShapeOfPlan, Stage, StageEffect, StageFunction};

use super::*;
use crate::ClearTarget;

fn document(name: &str, bytes: usize) -> Document {
    Document::Write { url: format!("memory://t/{name}"), body: "x".repeat(bytes) }
}

fn whole_job() -> PlanInput {
    let mut input = input(vec![plain(&[8, 8], &[2, 8], &[8, 2])], mebibytes(256, 40), 2, 1);
    input.clear = Some(ClearTarget { prefixes: vec!["memory://t/a".into()] });
    input.publish = Publish { arrays: vec![document("a/zarr.json", 10)], groups: vec![document("zarr.json", 10)] };
    input.pinned = vec![PinnedDocument { url: "memory://s/zarr.json".into(), etag: None, size: 3 }];
    input.cleanup_prefixes = vec!["memory://t/a".into(), "memory://t/tmp/job-1".into()];
    input
}

fn names(stages: &[Stage]) -> Vec<&str> {
    stages.iter().map(|stage| stage.name.as_str()).collect()
}

#[test]
fn a_job_clears_then_copies_then_checks_then_publishes_arrays_before_groups() {
    let plan = planned(&whole_job());
    let phases: Vec<_> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(phases, ["prepare", "copy", "finish"]);
    let prepare = &plan.phases[0].pipelines.pipelines[0].stages;
    assert_eq!(names(prepare), ["clear_metadata", "clear_target"]);
    assert!(prepare.iter().all(|stage| stage.effect == StageEffect::Destroys));
    let finish = &plan.phases[2].pipelines.pipelines[0].stages;
    assert_eq!(names(finish), ["check_source", "publish_arrays", "publish_groups"]);
    let effects: Vec<_> = finish.iter().map(|stage| stage.effect).collect();
    assert_eq!(effects, [StageEffect::Writes, StageEffect::Publishes, StageEffect::Publishes]);
    assert_eq!(summary(&plan).totals.metadata_requests, 3, "one for each document, one for each pinned one");
}

#[test]
fn cleaning_up_removes_metadata_first() {
    let plan = planned(&whole_job());
    let stages = &plan.cleanup.pipelines[0].stages;
    let parts: Vec<_> = stages
        .iter()
        .map(|stage| {
            let StageFunction::ClearPrefix(clear) = &stage.function else { panic!("{stage:?}") };
            (clear.part, clear.prefixes.len(), stage.task_count)
        })
        .collect();
    assert_eq!(parts, [(PrefixPart::Metadata, 2, 2), (PrefixPart::Everything, 2, 2)]);
    assert!(stages.iter().all(|stage| stage.effect == StageEffect::Destroys));
}

#[test]
fn documents_are_split_into_stages_that_travel_in_one_lease() {
    let mut input = whole_job();
    input.publish.arrays = (0..5).map(|index| document(&format!("{index}/zarr.json"), 3 << 20)).collect();
    let plan = planned(&input);
    let finish = &plan.phases[2].pipelines.pipelines[0].stages;
    let publish: Vec<_> = finish.iter().filter(|stage| stage.name == "publish_arrays").collect();
    assert_eq!(publish.iter().map(|stage| stage.task_count).collect::<Vec<_>>(), [2, 2, 1]);
    let row = row(summary(&plan), "publish_arrays");
    assert_eq!((row.tasks, row.counts.metadata_requests), (5, 5), "one row for all of them");
    input.publish.arrays.push(document("large", 9 << 20));
    assert_eq!(plan_refusal(&input), "DOCUMENT_TOO_LARGE");
}

fn plan_refusal(input: &PlanInput) -> String {
    plan(input).expect_err("a refusal").reason
}

#[test]
fn stages_of_many_arrays_have_one_row_for_each_array_and_name() {
    let mut input = whole_job();
    let mut second = input.copies[0].clone();
    input.copies[0].name = "pr".into();
    second.name = "tas".into();
    input.copies.push(second);
    let plan = planned(&input);
    let rows: Vec<_> = summary(&plan).stages.iter().map(|row| (row.array.as_str(), row.name.as_str())).collect();
    assert_eq!(
        rows,
        [
            ("", "clear_metadata"),
            ("", "clear_target"),
            ("pr", "copy_read_to_write"),
            ("tas", "copy_read_to_write"),
            ("", "check_source"),
            ("", "publish_arrays"),
            ("", "publish_groups"),
        ]
    );
}

#[test]
fn a_temporary_space_is_left_empty_before_anything_is_published_unless_it_is_to_be_kept() {
    let copies = || vec![plain(&[1024, 512, 1024], &[1, 512, 1024], &[1024, 16, 32])];
    let mut input = input(copies(), mebibytes(256, 40), 1, 1);
    input.publish = Publish { arrays: vec![document("a/zarr.json", 10)], groups: Vec::new() };
    let plan = planned(&input);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
    let finish = &plan.phases[1].pipelines.pipelines[0].stages;
    assert_eq!(names(finish), ["clear_temp", "publish_arrays"]);
    let StageFunction::ClearPrefix(clear) = &finish[0].function else { panic!("{:?}", finish[0]) };
    assert_eq!((&clear.prefixes, clear.part), (&vec!["memory://t/tmp/job-1".into()], PrefixPart::Everything));
    assert_eq!(finish[0].effect, StageEffect::Destroys);
    input.temp.keep = true;
    let kept = planned(&input);
    assert_eq!(names(&kept.phases[1].pipelines.pipelines[0].stages), ["publish_arrays"]);
}
