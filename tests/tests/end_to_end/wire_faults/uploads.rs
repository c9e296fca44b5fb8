//! Objects in parts under faults: those whose bytes are all there, and shards that are sent while they are filled.

use rechunk_common::{ByteCount, job::JobView, request::RechunkRequest};
use rechunk_tests::{
    ArraySpec, Cluster, MadeArray, Place, S3Double,
    faithful::{assert_equal, assert_succeeded, measured, request},
    s3_double::{Fired, Operation, WireFault, WireRule},
};

use super::{assert_unharmed, double, in_parts};

/// How an object comes to its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is complete, and larger than what is sent at once.
    Whole,
    /// It is larger than the memory of a worker.
    Growing,
}

/// A job that has written one object in parts under a fault.
struct Outcome {
    double: S3Double,
    place: Place,
    cluster: Cluster,
    made: MadeArray,
    view: JobView,
    fired: Fired,
}

impl Outcome {
    async fn of(way: Way, seed: u64, rule: WireRule) -> Self {
        let (double, place) = double(seed).await;
        let place = place.with_config(in_parts);
        let (spec, chunks, shards, max_mem) = match way {
            Way::Whole => (ArraySpec::new(&[3, 1024, 1024], &[1, 1024, 1024]), "3,1024,1024", None, None),
            Way::Growing => {
                let blocks = ArraySpec::new(&[12, 1024, 512], &[4, 256, 256]);
                (blocks, "12,128,128", Some("12,1024,512".to_owned()), Some(ByteCount(24 << 20)))
            }
        };
        let made = spec.make(&place, "source").await;
        let cluster = Box::pin(Cluster::at(&place)).await;
        let fired = double.faults().add(rule);
        let shards = shards.into_iter().collect();
        let request = RechunkRequest { shards, max_mem, ..request(&place, "source", "target", chunks) };
        let view = Box::pin(cluster.run(request)).await;
        assert!(fired.count() > 0, "the fault fired");
        Self { double, place, cluster, made, view, fired }
    }

    async fn unharmed(self) -> JobView {
        let Self { double, place, cluster, made, view, .. } = self;
        Box::pin(assert_unharmed(&double, &cluster, &place, &made, &view)).await;
        assert!(measured(&view).repeated_requests + view.retries > 0, "something was sent again");
        cluster.shutdown().await;
        super::assert_nothing_else(&double, &place, &["source", "target"]).await;
        view
    }
}

/// The same, where nothing came of the fault.
async fn unharmed(way: Way, seed: u64, rule: WireRule) -> JobView {
    let outcome = Box::pin(Outcome::of(way, seed, rule)).await;
    Box::pin(outcome.unharmed()).await
}

/// Messages of an upload.
const MESSAGES: [Operation; 3] = [Operation::Begin, Operation::Part, Operation::Complete];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_messages_are_refused_or_reset_is_completed() {
    for (seed, fault) in [(21, WireFault::SlowDown), (22, WireFault::Reset)] {
        let view = unharmed(Way::Whole, seed, WireRule::every(fault, &MESSAGES).first(1)).await;
        assert_eq!(view.retries, 0, "no task was tried again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_whose_answer_is_lost_is_sent_again() {
    let rule = || WireRule::every(WireFault::AnswerLost, &[Operation::Part]).first(2);
    for way in [Way::Whole, Way::Growing] {
        let view = unharmed(way, 23, rule()).await;
        assert_eq!(view.retries, 0, "no task was tried again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_whose_answer_is_lost_makes_the_object_once_more() {
    let rule = || WireRule::every(WireFault::AnswerLost, &[Operation::Complete]).first(1);
    let view = unharmed(Way::Whole, 24, rule()).await;
    assert_eq!(view.retries, 0, "the bytes are still there, and are sent again");
    let view = unharmed(Way::Growing, 25, rule()).await;
    assert!(view.retries > 0, "the bytes are not there any more: the task makes them again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_is_answered_with_an_error_in_a_success_is_sent_again() {
    let rule = || WireRule::every(WireFault::ErrorInSuccess, &[Operation::Complete]).first(1);
    for way in [Way::Whole, Way::Growing] {
        unharmed(way, 26, rule()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_beginning_was_never_confirmed_is_all_that_stays_of_it() {
    let rule = WireRule::every(WireFault::AnswerLost, &[Operation::Begin]).first(2);
    let Outcome { double, place, cluster, made, view, fired } = Outcome::of(Way::Whole, 27, rule).await;
    assert_succeeded(&view);
    assert_equal(&place, &made, "target").await;
    assert_eq!(place.strays(&["source", "target"]).await, [""; 0]);
    // No client knows their ids; a lifecycle rule of the bucket removes them.
    assert_eq!(double.uploads().len() as u64, fired.count());
    cluster.shutdown().await;
}
