//! Candidates, what they are weighed by, and estimates.

use rechunk_common::{
    MicroUsd,
    plan::{Candidate, CandidateFigures, ShapeOfPlan, Verdict},
};

use super::*;

fn candidates(plan: &Plan) -> &[Candidate] {
    &summary(plan).arrays[0].candidates
}

fn figures(plan: &Plan) -> CandidateFigures {
    candidates(plan)[0].figures.expect("what is chosen has figures")
}

/// Maps to series where both a sweep and an exchange fit.
fn maps() -> PlanInput {
    let shape = [1024, 512, 1024];
    let copy = copy(layout(&shape, 4, None, &[1, 512, 1024]), layout(&shape, 4, None, &[1024, 16, 32]), 101);
    input(vec![copy], mebibytes(256, 40), 4, 2)
}

#[test]
fn every_candidate_is_kept_with_its_figures_and_a_reason() {
    let plan = planned(&maps());
    let found = candidates(&plan);
    assert_eq!(found[0].verdict, Verdict::Chosen);
    assert_eq!(found[0].shape_of_plan, ShapeOfPlan::Exchange);
    assert_eq!(found[0].reason, summary(&plan).arrays[0].reason);
    let chosen = figures(&plan);
    let totals = Counts { metadata_requests: 0, ..summary(&plan).totals };
    assert_eq!(chosen.counts, totals, "nothing but this array is copied");
    assert_eq!(chosen.peak_memory, summary(&plan).peak_memory);
    assert_eq!(chosen.exchange_bytes, summary(&plan).exchange_bytes);
    let sweep = found.iter().find(|candidate| candidate.shape_of_plan == ShapeOfPlan::DirectSweep).expect("a sweep");
    assert_eq!(sweep.verdict, Verdict::Dearer);
    assert!(
        sweep.reason.starts_with("would cost ") && sweep.reason.contains(" × as much: reads the source "),
        "{}",
        sweep.reason
    );
    let lost = sweep.figures.expect("it fits");
    assert!(lost.cost > chosen.cost && lost.counts.get_requests > 2 * 1024);
    let runner_up = summary(&plan).arrays[0].runner_up.clone().expect("a runner-up");
    assert_eq!((runner_up.shape_of_plan, runner_up.reason), (ShapeOfPlan::DirectSweep, sweep.reason.clone()));
}

#[test]
fn what_does_not_fit_is_shown_without_figures() {
    let copy = plain(&[64, 1024], &[1, 1024], &[64, 16]);
    let memory = MemoryModel { max_mem: ByteCount(13_000), reserve: ByteCount(0), budget: ByteCount(13_000) };
    let plan = planned(&input(vec![copy], memory, 1, 1));
    let sweep = candidates(&plan).iter().find(|candidate| candidate.shape_of_plan == ShapeOfPlan::DirectSweep);
    let sweep = sweep.expect("it was looked at");
    assert_eq!((sweep.verdict, sweep.figures), (Verdict::DoesNotFit, None));
    assert!(sweep.reason.starts_with("needs "), "{}", sweep.reason);
}

#[test]
fn an_estimate_is_of_all_arrays_and_more_workers_shorten_it() {
    let of = |copies: usize, slots: u64| {
        let mut input = maps();
        input.copies = vec![input.copies[0].clone(); copies];
        input.worker_slots = slots;
        summary(&planned(&input)).estimate
    };
    let (one, two, many) = (of(1, 2), of(2, 2), of(2, 16));
    assert!(one.duration.as_secs() > 10 && two.duration > one.duration.mul_f64(1.8), "{one:?} {two:?}");
    assert!(many.duration < one.duration);
    assert!(one.usd > MicroUsd(1000) && two.usd.0.abs_diff(2 * one.usd.0) < 10);
    // Raw: 2 GiB to the worker and back, twice.
    assert_eq!(one.wire_bytes, ByteCount(4 << 31));
}

#[test]
fn compressed_chunks_count_half_on_the_wire() {
    let mut input = maps();
    let zstd = r#"[{"name":"bytes"},{"name":"zstd","configuration":{"level":1}}]"#;
    let copy = &mut input.copies[0];
    for layout in [&mut copy.source, &mut copy.target] {
        let ChunkLayout::Plain { codecs, .. } = &mut layout.chunks else { panic!("plain") };
        zstd.clone_into(codecs);
    }
    let estimate = summary(&planned(&input)).estimate;
    assert_eq!(estimate.wire_bytes, ByteCount((1 << 31) + (2 << 31)), "exchange objects are raw");
}

#[test]
fn money_waits_longer_for_fewer_requests() {
    // Eight tasks read what lies on their borders twice; one task does not, and seven workers wait.
    let mut input = input(vec![plain(&[512, 1024, 1024], &[64, 64, 64], &[100, 100, 100])], usable(1 << 30), 8, 1);
    let for_time = planned(&input);
    input.basis.prefer = Prefer::Money;
    let for_money = planned(&input);
    let (time, money) = (figures(&for_time), figures(&for_money));
    assert!(money.estimate.usd < time.estimate.usd && money.estimate.duration > time.estimate.duration);
    assert!(money.counts.get_requests < time.counts.get_requests, "{time:?} {money:?}");
    assert_eq!(summary(&for_money).basis.prefer, Prefer::Money);
}

#[test]
fn where_requests_cost_nothing_an_exchange_wins_earlier_than_where_they_do() {
    // Each store of its own: the temporary one decides whether going through it pays.
    let mut input = maps();
    input.basis.temp.bytes_per_second = 1_000_000;
    let plan = planned(&input);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::DirectSweep, "a temporary space of 1 MB/s");
    input.basis.temp.bytes_per_second = 1_000_000_000;
    assert_eq!(summary(&planned(&input)).arrays[0].shape_of_plan, ShapeOfPlan::Exchange);
}

#[test]
fn several_exchanges_are_named_only_where_they_would_be_cheaper() {
    let no_memory = MemoryModel { max_mem: ByteCount(4 << 20), reserve: ByteCount(0), budget: ByteCount(4 << 20) };
    let tiny = plain(&[65_536, 65_536], &[1, 65_536], &[65_536, 1]);
    let plan = planned(&input(vec![tiny.clone()], no_memory, 1, 1));
    let found = candidates(&plan).iter().find(|candidate| candidate.verdict == Verdict::NotExecuted).expect("one");
    assert_eq!(found.shape_of_plan, ShapeOfPlan::SeveralExchanges);
    let chosen = figures(&plan);
    assert!(found.figures.expect("a formula").cost < chosen.cost);
    let warning = summary(&plan).warnings.iter().find(|warning| warning.contains("only one is executed"));
    assert!(warning.is_some_and(|warning| warning.contains("more max_mem")), "{:?}", summary(&plan).warnings);
    assert_eq!(summary(&plan).arrays[0].shape_of_plan, ShapeOfPlan::Exchange, "what is planned can run");

    let enough = planned(&input(vec![tiny], mebibytes(2048, 40), 1, 1));
    assert!(candidates(&enough).iter().all(|candidate| candidate.verdict != Verdict::NotExecuted));
    assert!(!summary(&enough).warnings.iter().any(|warning| warning.contains("only one is executed")));
}
