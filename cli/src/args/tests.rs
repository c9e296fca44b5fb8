//! What the grammar takes, and what it refuses.

use std::time::Duration;

use clap::CommandFactory;
use rechunk_common::{ByteCount, cost_profile::Prefer};

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

#[test]
fn the_grammar_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_chunk_spec_may_start_with_a_hyphen() {
    let Command::Run(run) = parse("rechunk run a b --chunks -1,16,32 --max-mem 256MiB").expect("valid").command else {
        panic!("not run");
    };
    assert_eq!(run.copy.chunks, ["-1,16,32"]);
    assert_eq!(run.copy.max_mem, Some(ByteCount(256 << 20)));
}

#[test]
fn consolidate_takes_a_value_only_after_an_equals_sign() {
    for (line, expected) in [
        ("rechunk plan a b --chunks 1", None),
        ("rechunk plan --consolidate a b --chunks 1", Some(true)),
        ("rechunk plan --consolidate=false a b --chunks 1", Some(false)),
    ] {
        let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
        assert_eq!(plan.copy.consolidate, expected, "{line}");
    }
}

#[test]
fn a_plan_is_chosen_for_time_unless_money_is_preferred() {
    for (line, expected) in
        [("rechunk plan a b --chunks 1", Prefer::Time), ("rechunk plan a b --chunks 1 --prefer money", Prefer::Money)]
    {
        let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
        assert_eq!(plan.copy.prefer, expected, "{line}");
    }
    assert!(parse("rechunk plan a b --chunks 1 --prefer fame").is_err());
}

#[test]
fn a_dense_plan_lists_nothing() {
    let plan = |line: &str| {
        let Command::Plan(plan) = parse(line).expect("valid").command else { panic!("not plan") };
        (plan.copy.list, plan.assume_dense)
    };
    assert_eq!(plan("rechunk plan a b --chunks 1"), (None, false));
    assert_eq!(plan("rechunk plan a b --chunks 1 --list never"), (Some(When::Never), false));
    assert_eq!(plan("rechunk plan a b --chunks 1 --assume-dense"), (None, true));
    assert!(parse("rechunk plan a b --chunks 1 --assume-dense --list always").is_err());
    assert!(parse("rechunk run a b --chunks 1 --assume-dense").is_err(), "a run finds what there is");
    assert!(parse("rechunk run a b --chunks 1 --list sometimes").is_err());
}

#[test]
fn only_plans_have_pictures() {
    let asked = |line: &str| parse(line).expect("valid").output;
    assert_eq!(asked("rechunk plan a b --chunks auto --output html").format, PlanFormat::Html);
    let refusal = asked("rechunk --output html jobs").without_pictures().expect_err("a refusal");
    assert_eq!(refusal.field.as_deref(), Some("output"));
    let json = asked("rechunk jobs --output json").without_pictures().expect("every command has it");
    assert_eq!(json.output, OutputFormat::Json);
    assert!(parse("rechunk plan a b --chunks 1 --output svg").is_err());
}

#[test]
fn what_unknown_jobs_left_is_removed_by_age_only_and_never_within_the_hour() {
    let gc = |line: &str| {
        let Command::Gc(gc) = parse(line).expect("valid").command else { panic!("not gc") };
        (gc.remove, gc.unknown_older_than)
    };
    assert_eq!(gc("rechunk gc"), (false, None));
    let week = Duration::from_hours(168);
    assert_eq!(gc("rechunk gc s3://b/a --remove --unknown-older-than 7d"), (true, Some(week)));
    assert!(parse("rechunk gc s3://b/a --unknown-older-than 59m").is_err());
    assert!(parse("rechunk gc --no-coordinator").is_err(), "who would say where to look?");
}

#[test]
fn chunks_are_required_and_a_format_is_two_or_three() {
    assert!(parse("rechunk plan a b").is_err());
    assert!(parse("rechunk plan a b --chunks 1 --zarr-format 4").is_err());
}
