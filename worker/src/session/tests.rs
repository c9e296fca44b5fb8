//! Stories of a worker and a scripted coordinator, on a clock that stands still while anybody works.

mod script;

use std::{sync::atomic::Ordering, time::Duration};

use rechunk_common::{
    ByteCount, FailureClass,
    ids::{Epoch, SyncSeq},
    request_rate::{RequestRate, RequestShares, StoreRates},
    session::Grant,
    task_set::TaskRange,
};
use rechunk_storage::{StoreConfig, Stores};
use script::{Story, grant, panicking, seconds};

use super::LinkError;
use crate::Scratch;

#[tokio::test(start_paused = true)]
async fn results_are_sent_again_until_they_are_acknowledged() {
    let mut story = Story::new();
    let first = story.call().await;
    assert_eq!((first.request.free.slots, first.request.held.len()), (2, 0));
    assert!(first.request.wait > Duration::ZERO, "nothing to say: a long poll");
    first.answer(|answer| answer.granted.push(grant(1, 0..2)));
    story.gate.open(2);
    let report = story.call_with_reports().await;
    assert_eq!(report.request.wait, Duration::ZERO, "news is answered at once");
    assert!(report.request.held.is_empty());
    let sent = report.request.reports.clone();
    assert_eq!((sent[0].number, sent[0].done[0].tasks), (1, TaskRange::new(0, 2)));
    assert_eq!(sent[0].done[0].counts.put_requests, 2);
    let seq = report.request.seq;
    report.fail(LinkError::Unreachable("cut".into()));
    let again = story.call().await;
    assert_eq!(again.request.reports, sent, "the answer may have been lost");
    assert!(again.request.seq > seq);
    again.answer(|_| {});
    assert!(story.call().await.request.reports.is_empty(), "acknowledged is forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_takes_its_time_to_acknowledge_is_not_flooded() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    story.gate.open(1);
    story.call_with_reports().await.answer(|answer| answer.reports_accepted_through = 0);
    let call = story.call().await;
    assert!(!call.request.reports.is_empty() && call.request.wait > Duration::ZERO);
    assert!(call.request.wait < seconds(1), "but asked again soon");
    call.answer(|_| {});
    assert!(story.call().await.request.reports.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_ends_and_none_of_its_writes_starts() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    assert!(guard.check().is_ok());
    loop {
        let call = story.call().await;
        if call.request.held.is_empty() {
            break;
        }
        assert!(guard.check().is_ok(), "held as long as it is listed");
        call.fail(LinkError::Unreachable("cut".into()));
    }
    assert!(guard.check().is_err());
    assert!(story.elapsed() >= seconds(30));
    assert_eq!(story.gate.running.load(Ordering::SeqCst), 0, "its task was stopped");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_counted_from_before_the_call_that_brought_it() {
    let mut story = Story::new();
    let call = story.call().await;
    tokio::time::advance(seconds(10)).await;
    call.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    tokio::time::advance(Duration::from_millis(19_900)).await;
    assert!(guard.check().is_ok());
    tokio::time::advance(Duration::from_millis(100)).await;
    assert!(guard.check().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_slow_task_keeps_its_lease_while_the_coordinator_renews_it() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    while story.elapsed() < seconds(300) {
        let call = story.call().await;
        assert!(call.request.wait <= seconds(10), "a third of the lease at the most");
        tokio::time::advance(call.request.wait).await;
        call.answer(|_| {});
    }
    assert!(guard.check().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_lease_is_listed_until_its_last_write_is_over() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    let under_way = guard.begin_write();
    let call = story.call().await;
    let id = call.request.held[0].id;
    call.answer(|answer| answer.revoked.push(id));
    for _ in 0..3 {
        let call = story.call().await;
        assert_eq!(call.request.held.len(), 1, "what it wrote may still be on its way");
        assert!(guard.check().is_err(), "but nothing new is sent");
        call.answer(|answer| answer.revoked.push(id));
    }
    drop(under_way);
    let call = story.call_where(|request| request.held.is_empty()).await;
    assert!(call.request.reports.is_empty());
    assert_eq!(call.request.wait, Duration::ZERO, "the coordinator waits for it");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_lease_stops_at_once_and_reports_nothing() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    let call = story.call().await;
    let id = call.request.held[0].id;
    call.answer(|answer| {
        answer.renewed.clear();
        answer.revoked.push(id);
    });
    let next = story.call().await;
    assert!(next.request.held.is_empty() && next.request.reports.is_empty());
    assert!(guard.check().is_err());
    assert_eq!(story.gate.running.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_coordinator_is_told_of_every_lease_and_a_fenced_one_is_not_heard() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let call = story.call().await;
    let held = call.request.held.clone();
    assert_eq!(held.len(), 1);
    call.fail(LinkError::Unreachable("the coordinator died".into()));
    let call = story.call().await;
    assert_eq!(call.request.held, held, "self-describing, to be adopted");
    call.answer(|answer| answer.epoch = Epoch(2));
    story.call().await.answer(|answer| {
        answer.epoch = Epoch(1);
        answer.granted.push(grant(2, 5..6));
        answer.revoked.push(held[0].id);
    });
    assert_eq!(story.call().await.request.held, held);
}

#[tokio::test(start_paused = true)]
async fn grants_in_an_answer_to_another_call_are_ignored() {
    let mut story = Story::new();
    story.call().await.answer(|answer| {
        answer.seq = SyncSeq(0);
        answer.granted.push(grant(1, 0..1));
    });
    assert!(story.call().await.request.held.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_asked_to_leave_finishes_reports_and_leaves() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..3)));
    story.gate.first_guard().await;
    story.shutdown.cancel();
    let call = story.call_where(|request| request.draining).await;
    assert_eq!((call.request.free.slots, call.request.held.len()), (0, 1));
    call.answer(|answer| answer.granted.push(grant(2, 7..8)));
    story.gate.open(10);
    let call = story.call_with_reports().await;
    assert!(call.request.held.is_empty(), "nothing new was taken");
    assert_eq!(call.request.reports[0].done[0].tasks, TaskRange::new(0, 3));
    call.answer(|_| {});
    story.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_nothing_to_report_does_not_wait_for_a_coordinator_that_is_gone() {
    let mut story = Story::new();
    let _poll = story.call().await;
    story.shutdown.cancel();
    story.call_where(|request| request.draining).await.fail(LinkError::Unreachable("gone".into()));
    story.ended_without_a_word().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_what_is_not_done_is_given_up() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    let guard = story.gate.first_guard().await;
    story.shutdown.cancel();
    let asked = story.elapsed();
    story.call_where(|request| request.draining).await.answer(|_| {});
    let mut unanswered = Vec::new();
    let last = loop {
        let call = story.call().await;
        if call.request.held.is_empty() {
            break call;
        }
        unanswered.push(call);
    };
    assert!(last.request.reports.is_empty(), "nothing was done");
    assert!(story.elapsed() >= asked + seconds(20), "the grace was used");
    assert!(guard.check().is_err());
    last.answer(|_| {});
    story.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_task_and_nothing_else() {
    let mut story = Story::new();
    story.call().await.answer(|answer| {
        answer.granted.push(script::panicking(grant(1, 0..1)));
        answer.granted.push(grant(2, 1..2));
    });
    story.gate.open(1);
    let (mut failed, mut done) = (Vec::new(), 0);
    while failed.is_empty() || done == 0 {
        let call = story.call_with_reports().await;
        for report in &call.request.reports {
            failed.extend(report.failed.clone());
            done += report.done.len();
        }
        call.answer(|_| {});
    }
    assert_eq!(failed[0].failure.class, FailureClass::Bug);
    assert!(failed[0].failure.message.contains("on purpose"), "{}", failed[0].failure);
    assert_eq!(story.call().await.request.free.slots, 2, "the worker lives");
}

#[tokio::test(start_paused = true)]
async fn tasks_run_side_by_side_only_if_their_memory_fits() {
    let mut story = Story::new();
    story.call().await.answer(|answer| {
        let mut large = grant(1, 0..2);
        large.task_memory = ByteCount(60 << 10);
        answer.granted.push(large);
    });
    story.gate.first_guard().await;
    let call = story.call().await;
    assert_eq!(call.request.free.memory, ByteCount(0), "both are spoken for");
    assert_eq!(story.gate.running.load(Ordering::SeqCst), 1, "60 of 100 KiB twice is too much");
    story.gate.open(2);
    let report = story.call_where(|request| request.held.is_empty()).await;
    assert!(!report.request.reports.is_empty());
    assert_eq!(story.gate.most_running.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn every_call_says_how_far_each_lease_has_moved() {
    let mut story = Story::new();
    story.call().await.answer(|answer| answer.granted.push(grant(1, 0..1)));
    story.gate.first_guard().await;
    let call = story.call().await;
    let before = call.request.progress.clone();
    assert_eq!(before.len(), 1);
    call.answer(|_| {});
    let call = story.call().await;
    assert_eq!(call.request.progress, before, "it stands still");
    story.gate.nudge();
    call.answer(|_| {});
    story.call_where(move |request| request.progress != before).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_fits_is_sent_elsewhere() {
    let mut story = Story::new();
    story.call().await.answer(|answer| {
        let mut huge = grant(1, 0..1);
        huge.task_memory = ByteCount(101 << 10);
        answer.granted.push(huge);
    });
    let call = story.call_with_reports().await;
    assert_eq!(call.request.reports[0].failed[0].failure.class, FailureClass::TryElsewhere);
}

#[tokio::test(start_paused = true)]
async fn local_disk_bounds_the_tasks_at_a_time_and_is_empty_after_each_whatever_became_of_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let files = || {
        let mut files = 0;
        for worker in std::fs::read_dir(directory.path()).expect("a directory") {
            let worker = worker.expect("an entry").path();
            files += if worker.is_dir() { std::fs::read_dir(worker).expect("a directory").count() } else { 0 };
        }
        files
    };
    let scratch = Scratch::open(directory.path(), ByteCount(10 << 10)).expect("opened");
    let mut story = Story::of(|worker| worker.scratch(scratch));
    let needing = |grant: Grant| Grant { task_scratch: ByteCount(6 << 10), ..grant };
    let first = story.call().await;
    assert_eq!(first.request.total.scratch, ByteCount(10 << 10));
    first.answer(|answer| answer.granted.push(needing(grant(1, 0..2))));
    story.gate.first_guard().await;
    assert_eq!(files(), 1, "the second waits for its disk");
    let call = story.call_where(|request| !request.held.is_empty()).await;
    assert_eq!(call.request.free.scratch, ByteCount(0), "nothing is free for others either");
    call.answer(|_| {});
    story.gate.open(2);
    story.call_where(|request| request.held.is_empty()).await.answer(|answer| {
        answer.granted.push(needing(grant(2, 0..1)));
        answer.granted.push(panicking(needing(grant(3, 0..1))));
    });
    assert_eq!(story.gate.most_running.load(Ordering::SeqCst), 1);
    // One task is stopped while it is at work, and the other panics with the disk that this leaves.
    let call = story.call_where(|request| request.held.len() == 2).await;
    let id = call.request.held[0].id;
    call.answer(|answer| answer.revoked.push(id));
    let call = story.call_with_reports().await;
    assert_eq!(call.request.reports[0].failed.len(), 1);
    call.answer(|_| {});
    assert_eq!(files(), 0);
    story.shutdown.cancel();
    story.ended().await;
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0, "not even the worker's own");
}

#[tokio::test(start_paused = true)]
async fn shares_of_request_rates_hold_until_an_answer_changes_them_and_every_call_says_them() {
    let stores = Stores::new(StoreConfig::environment());
    let of_worker = stores.clone();
    let mut story = Story::of(|worker| worker.stores(of_worker));
    let share = |gets: u32| {
        let rates =
            vec![StoreRates { prefix: "s3://b".to_owned(), gets: Some(RequestRate::per_second(gets)), puts: None }];
        RequestShares { rates, ask_within: seconds(2) }
    };
    let first = story.call().await;
    assert_eq!(first.request.request_rates, []);
    first.answer(|answer| answer.request_shares = Some(share(10)));
    let call = story.call().await;
    assert_eq!((&call.request.request_rates, stores.request_rates()), (&share(10).rates, share(10).rates));
    assert_eq!(call.request.wait, seconds(2), "others may wait for what it gives back");
    call.fail(LinkError::Unreachable("cut".into()));
    let call = story.call().await;
    assert_eq!((&call.request.request_rates, stores.request_rates()), (&share(10).rates, share(10).rates), "kept");
    call.answer(|answer| {
        answer.seq = SyncSeq(1);
        answer.request_shares = Some(share(99));
    });
    let call = story.call().await;
    assert_eq!(call.request.request_rates, share(10).rates, "an answer to another call says nothing");
    call.answer(|answer| answer.request_shares = Some(share(5)));
    let call = story.call().await;
    assert_eq!((&call.request.request_rates, stores.request_rates()), (&share(5).rates, share(5).rates));
    call.answer(|_| {});
    let call = story.call().await;
    assert_eq!((call.request.request_rates.len(), stores.request_rates().len()), (0, 0), "nothing is limited any more");
    assert!(call.request.wait > seconds(2));
}
