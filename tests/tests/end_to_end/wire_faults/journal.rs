//! The journal on an S3 whose wire breaks: what its claim, its records and its snapshots leave open is read back.

use rechunk_common::ids::Epoch;
use rechunk_tests::s3_double::{Operation, WireFault, WireRule};

use super::double;
use crate::journal::{WHOLE, load, open, sorted, suite, write_two};

/// The whole suite of the journal, under `rule`.
async fn keeps_its_promises(seed: u64, rule: WireRule) {
    let (double, place) = double(seed).await;
    let fired = double.faults().add(rule);
    suite(&place).await;
    assert!(fired.count() > 10, "{fired:?}");
    assert!(double.keys().is_empty(), "the suite removes everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_second_request_is_refused_the_journal_keeps_its_promises() {
    keeps_its_promises(41, WireRule::every(WireFault::SlowDown, &[]).percent(50)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_every_answer_to_a_create_is_lost_the_journal_keeps_its_promises() {
    keeps_its_promises(42, WireRule::every(WireFault::AnswerLost, &[Operation::Create]).first(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_creates_conflict_and_write_nothing_the_journal_keeps_its_promises() {
    keeps_its_promises(43, WireRule::every(WireFault::Conflict, &[Operation::Create]).percent(15)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_answers_break_off_the_journal_keeps_its_promises() {
    let reads = [Operation::Get, Operation::List];
    keeps_its_promises(44, WireRule::every(WireFault::CutShort, &reads).percent(30)).await;
    keeps_its_promises(45, WireRule::every(WireFault::ResetInBody, &reads).percent(30)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_and_records_whose_first_creates_come_to_nothing_visible_are_there_once() {
    for fault in [WireFault::AnswerLost, WireFault::Conflict] {
        let (double, place) = double(46).await;
        let fired = double.faults().add(WireRule::every(fault, &[Operation::Create]).on("/journal/").first(1));
        let mut journal = open(&place, 1, WHOLE);
        assert_eq!(load(&mut journal).await.epoch, Epoch(1));
        let records = write_two(&mut journal).await;
        assert_eq!(fired.count(), 3, "the claim and two records");
        assert_eq!(place.keys("j/journal").await.len(), 3, "each has one number");
        let loaded = load(&mut open(&place, 2, WHOLE)).await;
        assert_eq!((loaded.epoch, sorted(loaded.records)), (Epoch(2), records));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_at_the_probe_does_not_make_the_store_look_unsafe() {
    for tries in [1, 2, 3] {
        let (double, place) = double(47).await;
        let fired =
            double.faults().add(WireRule::every(WireFault::Conflict, &[Operation::Create]).on("/probe/").first(tries));
        assert_eq!(load(&mut open(&place, 1, WHOLE)).await.epoch, Epoch(1));
        assert!(fired.count() > 0, "{fired:?}");
        assert_eq!(place.keys("j/probe").await, [""; 0]);
    }
}
