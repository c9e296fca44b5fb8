//! Jobs of every kind under one fault after the other.

use std::time::Duration;

use rechunk_common::{
    ByteCount,
    job::JobView,
    plan::ShapeOfPlan,
    request::{ExchangeCodecChoice, RechunkRequest},
};
use rechunk_tests::{
    ArraySpec, Content, Place,
    faithful::{measured, request},
    s3_double::{Operation, WireFault, WireRule},
};

use super::{assert_unharmed, cluster, double};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads maps and writes series.
    Sweep,
    /// The same through raw exchange objects.
    Exchange,
    /// The same through packed ones, with an index.
    Packed,
    /// Lets the store copy every chunk.
    PassOn,
}

/// Those that move the elements through a worker.
const MOVING: [Kind; 3] = [Kind::Sweep, Kind::Exchange, Kind::Packed];

impl Kind {
    fn request(self, place: &Place) -> (RechunkRequest, ShapeOfPlan) {
        let (chunks, shape) = match self {
            Self::Sweep => ("64,8,5", ShapeOfPlan::DirectSweep),
            Self::Exchange | Self::Packed => ("64,3,4", ShapeOfPlan::Exchange),
            Self::PassOn => ("keep,keep,keep", ShapeOfPlan::CopyEncoded),
        };
        let request = RechunkRequest {
            max_mem: (shape == ShapeOfPlan::Exchange).then_some(ByteCount(16 << 10)),
            exchange_codec: if self == Self::Packed { ExchangeCodecChoice::Lz4 } else { ExchangeCodecChoice::None },
            ..request(place, "source", "target", chunks)
        };
        (request, shape)
    }
}

/// Runs a job of each kind under `rules`, of which each fires, and every job comes out as if nothing had happened.
async fn survive(seed: u64, kinds: &[Kind], rules: &[WireRule]) -> Vec<JobView> {
    let mut views = Vec::new();
    for kind in kinds {
        let (double, place) = double(seed).await;
        let place = place.with_config(|config| config.with_request_timeout(Duration::from_secs(1)));
        let made =
            ArraySpec::new(&[64, 24, 20], &[1, 24, 20]).with_content(Content::Index).make(&place, "source").await;
        let fired: Vec<_> = rules.iter().map(|rule| double.faults().add(rule.clone())).collect();
        let cluster = Box::pin(cluster(&double, &place)).await;
        let (request, shape) = kind.request(&place);
        let view = Box::pin(cluster.run(request)).await;
        assert_eq!(view.plan.as_ref().expect("a plan").arrays[0].shape_of_plan, shape, "{kind:?}");
        Box::pin(assert_unharmed(&double, &cluster, &place, &made, &view)).await;
        for (fired, rule) in fired.iter().zip(rules) {
            assert!(fired.count() > 0, "{kind:?}: {rule:?} did not fire");
        }
        cluster.shutdown().await;
        // Nor did anything come late.
        super::assert_nothing_else(&double, &place, &["source", "target"]).await;
        views.push(view);
    }
    views
}

fn assert_repeated(views: &[JobView]) {
    for view in views {
        assert!(measured(view).repeated_requests > 0, "requests were sent again: {view:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_half_of_all_requests_delays_a_job_and_loses_nothing() {
    let rules = [WireRule::every(WireFault::SlowDown, &[]).percent(50)];
    assert_repeated(&survive(1, &[Kind::Sweep, Kind::Exchange, Kind::Packed, Kind::PassOn], &rules).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_other_kinds_are_waited_out() {
    let rules =
        [WireFault::TooManyRequests, WireFault::InternalError].map(|fault| WireRule::every(fault, &[]).percent(20));
    assert_repeated(&survive(2, &[Kind::Sweep, Kind::Packed, Kind::PassOn], &rules).await);
    let conflict = [WireRule::every(WireFault::Conflict, &[Operation::Put]).on("/c/").percent(20)];
    assert_repeated(&survive(3, &MOVING, &conflict).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_reset_before_the_answer_lose_nothing() {
    let rules = [WireRule::every(WireFault::Reset, &[]).percent(20)];
    assert_repeated(&survive(4, &[Kind::Sweep, Kind::Exchange, Kind::PassOn], &rules).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_break_off_are_never_taken_for_whole_ones() {
    for (seed, fault) in [(5, WireFault::ResetInBody), (6, WireFault::CutShort)] {
        assert_repeated(&survive(seed, &MOVING, &[WireRule::every(fault, &[Operation::Get]).percent(20)]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_break_off_are_never_taken_for_whole_ones() {
    for (seed, fault) in [(7, WireFault::ResetInBody), (8, WireFault::CutShort)] {
        survive(seed, &MOVING, &[WireRule::every(fault, &[Operation::List]).first(1)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stands_still_is_given_up_and_asked_for_again() {
    let rules = [WireRule::every(WireFault::Stalled, &[Operation::Get]).on("source/c/").percent(4).first(1)];
    assert_repeated(&survive(9, &[Kind::Sweep, Kind::Exchange], &rules).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_come_slowly_are_waited_for() {
    survive(10, &[Kind::Sweep, Kind::Packed], &[WireRule::every(WireFault::Slow, &[Operation::Get]).percent(50)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_after_the_deed_change_nothing() {
    let writes = [Operation::Put, Operation::Copy, Operation::Delete, Operation::DeleteMany];
    let rules = [WireRule::every(WireFault::AnswerLost, &writes).percent(30)];
    assert_repeated(&survive(11, &[Kind::Sweep, Kind::Exchange, Kind::Packed, Kind::PassOn], &rules).await);
    // What is not there any more is deleted a second time. All messages that delete several objects are of one kind.
    let rules = [WireRule::every(WireFault::AnswerLost, &[Operation::DeleteMany]).percent(80)];
    assert_repeated(&survive(12, &[Kind::Exchange, Kind::Packed], &rules).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_within_an_answer_of_success_is_taken_for_an_error() {
    let rules = [WireRule::every(WireFault::ErrorInSuccess, &[Operation::Copy]).percent(30)];
    assert_repeated(&survive(13, &[Kind::PassOn], &rules).await);
}
