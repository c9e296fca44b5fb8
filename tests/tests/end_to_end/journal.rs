//! The journal on every kind of store: what it promises, who may write it, and what it finds.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use futures::future::join_all;
use rechunk_common::{
    ByteCount,
    ids::{Epoch, JobId, JournalPosition, RequestId, RunNumber},
    job::JobState,
    plan::{
        CustomFunction, FunctionId, MultiStagePipeline, ParallelPipelines, Phase, Plan, RetryPolicy, Stage,
        StageEffect, StageFunction,
    },
    record::{AcceptedJob, Record, RecordFact},
};
use rechunk_coordinator::journal::{Journal, JournalError, JournalLimits, Loaded, ObjectJournal};
use rechunk_proto::journal::Nonce;
use rechunk_storage::{CountingObserver, Effect, FaultRule, Faults, RequestKind, StoreUrl, Stores};
use rechunk_tests::{Azurite, GcsDouble, Place, SeaweedFs};
use tokio::{sync::Semaphore, task::JoinHandle};

/// Snapshots soon, and objects small, so that both are met.
const SMALL: JournalLimits = JournalLimits { object_bytes: 1_000, snapshot_objects: 6, snapshot_bytes: 1 << 20 };

/// A snapshot after the claim and two appends.
const AFTER_THREE: JournalLimits = JournalLimits { snapshot_objects: 3, ..WHOLE };

/// A journal that keeps every record.
pub(crate) const WHOLE: JournalLimits =
    JournalLimits { object_bytes: 1 << 20, snapshot_objects: u64::MAX, snapshot_bytes: u64::MAX };

fn open_with(stores: &Stores, place: &Place, nonce: u128, limits: JournalLimits) -> ObjectJournal {
    let url = StoreUrl::parse(&place.url("j")).expect("a URL");
    ObjectJournal::open(stores, &url, Nonce(nonce)).expect("a journal").with_limits(limits)
}

pub(crate) fn open(place: &Place, nonce: u128, limits: JournalLimits) -> ObjectJournal {
    open_with(&Stores::new(place.config().clone().durable()), place, nonce, limits)
}

fn record(position: u64, fact: RecordFact) -> Record {
    Record { position: JournalPosition(position), at_ms: 1_000 + position, is_synchronous: false, fact }
}

fn accepted(job: &str, parameters: usize) -> RecordFact {
    let function = CustomFunction { id: FunctionId::new("f", 1), parameters: vec![7; parameters] };
    let stage = Stage {
        name: "copy".to_owned(),
        array: Some(3),
        function: StageFunction::Custom(function),
        task_count: 1_000_000,
        task_memory: ByteCount(5),
        task_scratch: ByteCount(6),
        retry: RetryPolicy::default(),
        effect: StageEffect::Writes,
        predicted: rechunk_common::Counts { put_requests: 9, ..Default::default() },
    };
    let pipelines = ParallelPipelines {
        pipelines: vec![MultiStagePipeline { name: String::new(), stages: vec![stage], temp_bytes: ByteCount(1) }],
    };
    let plan = Plan {
        phases: vec![Phase { name: "copy".to_owned(), pipelines: pipelines.clone() }],
        cleanup: pipelines,
        summary: None,
    };
    let accepted = AcceptedJob {
        request_id: Some(RequestId::from(job)),
        plan: Arc::new(plan),
        source: "s3://b/source".to_owned(),
        target: format!("s3://b/{job}"),
        temp_limit: Some(ByteCount(100)),
        weight: 2,
        max_parallel_tasks: Some(3),
    };
    RecordFact::JobAccepted { job: JobId::from(job), accepted: Box::new(accepted) }
}

fn settled(job: &str) -> RecordFact {
    RecordFact::JobSettled { job: JobId::from(job), run: RunNumber(1), state: JobState::Succeeded }
}

pub(crate) async fn load(journal: &mut ObjectJournal) -> Loaded {
    journal.load().await.expect("a journal that can be read")
}

/// Two jobs, in two appends.
pub(crate) async fn write_two(journal: &mut ObjectJournal) -> Vec<Record> {
    let records = vec![record(1, accepted("a", 10)), record(2, accepted("b", 20)), record(3, settled("a"))];
    assert_eq!(journal.append(&records[..2]).await, Ok(JournalPosition(2)));
    assert_eq!(journal.append(&records[2..]).await, Ok(JournalPosition(3)));
    records
}

pub(crate) fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| record.position);
    records
}

/// What every store must give.
pub(crate) async fn suite(place: &Place) {
    what_is_appended_is_read_by_the_next_reign(place).await;
    clear(place).await;
    of_many_claims_at_once_one_reign_is_left(place).await;
    clear(place).await;
    a_record_of_any_size_is_kept(place).await;
    clear(place).await;
    snapshots_bound_what_is_read(place).await;
    clear(place).await;
    a_paused_coordinator_is_fenced_by_a_number_that_was_deleted(place).await;
    clear(place).await;
}

async fn clear(place: &Place) {
    place.open("j").delete_all("", &rechunk_storage::Unguarded).await.expect("a deletion");
}

async fn what_is_appended_is_read_by_the_next_reign(place: &Place) {
    let mut older = open(place, 1, WHOLE);
    let loaded = load(&mut older).await;
    assert_eq!((loaded.epoch, loaded.records.len(), loaded.last), (Epoch(1), 0, JournalPosition(0)));
    let records = write_two(&mut older).await;
    assert_eq!(older.confirm().await, Ok(()));
    let mut newer = open(place, 2, WHOLE);
    let loaded = load(&mut newer).await;
    assert_eq!((loaded.epoch, loaded.last, loaded.last_at_ms), (Epoch(2), JournalPosition(3), 1_003));
    assert_eq!(sorted(loaded.records), records);
    assert_eq!(older.append(&[record(4, settled("b"))]).await, Err(JournalError::Fenced(Epoch(2))));
    assert_eq!(older.confirm().await, Err(JournalError::Fenced(Epoch(2))), "an idle one notices too");
    assert_eq!(newer.append(&[record(4, settled("b"))]).await, Ok(JournalPosition(4)));
}

async fn of_many_claims_at_once_one_reign_is_left(place: &Place) {
    let mut rivals: Vec<ObjectJournal> = (0..6).map(|nonce| open(place, nonce, WHOLE)).collect();
    let epochs = join_all(rivals.iter_mut().map(load)).await;
    let mut claimed: Vec<u64> = epochs.iter().map(|loaded| loaded.epoch.0).collect();
    claimed.sort_unstable();
    assert_eq!(claimed, [1, 2, 3, 4, 5, 6], "each reign has a number of its own");
    let facts = [record(1, accepted("a", 1))];
    let ended = join_all(rivals.iter_mut().map(|rival| rival.append(&facts))).await;
    assert_eq!(ended.iter().filter(|ended| ended.is_ok()).count(), 1, "{ended:?}");
    let fenced = |ended: &&Result<JournalPosition, JournalError>| matches!(ended, Err(JournalError::Fenced(_)));
    assert_eq!(ended.iter().filter(fenced).count(), 5, "{ended:?}");
}

async fn a_record_of_any_size_is_kept(place: &Place) {
    let mut journal = open(place, 1, JournalLimits { object_bytes: 1_000, ..WHOLE });
    load(&mut journal).await;
    let records = [record(1, accepted("a", 5)), record(2, accepted("large", 5_500)), record(3, accepted("c", 5))];
    assert_eq!(journal.append(&records).await, Ok(JournalPosition(3)));
    assert!(place.keys("j/journal").await.len() > 10, "it is split over objects");
    assert_eq!(sorted(load(&mut open(place, 2, WHOLE)).await.records), records);
}

async fn snapshots_bound_what_is_read(place: &Place) {
    let mut journal = open(place, 1, SMALL);
    load(&mut journal).await;
    journal.append(&[record(1, accepted("kept", 5_000))]).await.expect("an append");
    for round in 0..20_u64 {
        let name = format!("job-{round}");
        let gone = RecordFact::JobDeleted { job: JobId::from(name.as_str()) };
        let records = [record(2 + 2 * round, accepted(&name, 5)), record(3 + 2 * round, gone)];
        journal.append(&records).await.expect("an append");
    }
    let (records, snapshots) = (place.keys("j/journal").await, place.keys("j/snapshots").await);
    assert!(records.len() <= 6, "{records:?}");
    assert!(snapshots.len() > 5 && snapshots.iter().all(|key| key.ends_with(&snapshots[0][snapshots[0].len() - 6..])));
    let loaded = load(&mut open(place, 2, SMALL)).await;
    assert_eq!((loaded.epoch, loaded.last, loaded.last_at_ms), (Epoch(2), JournalPosition(41), 1_041));
    assert_eq!(loaded.records, [record(1, accepted("kept", 5_000))]);
}

async fn a_paused_coordinator_is_fenced_by_a_number_that_was_deleted(place: &Place) {
    let mut paused = Vec::new();
    for nonce in [1, 2] {
        let mut journal = open(place, nonce, SMALL);
        load(&mut journal).await;
        paused.push(journal);
    }
    let mut newer = open(place, 3, SMALL);
    load(&mut newer).await;
    for position in 1..30 {
        newer.append(&[record(position, accepted(&format!("job-{position}"), 5))]).await.expect("an append");
    }
    assert!(!place.keys("j/journal").await.iter().any(|key| key.ends_with("00002")), "its next number was deleted");
    for paused in &mut paused {
        let fenced = paused.confirm().await;
        assert!(matches!(fenced, Err(JournalError::Fenced(_))), "{fenced:?}");
        let fenced = paused.append(&[record(1, accepted("late", 5))]).await;
        assert!(matches!(fenced, Err(JournalError::Fenced(_))), "{fenced:?}");
    }
    let loaded = load(&mut open(place, 4, SMALL)).await;
    assert_eq!((loaded.last, loaded.records.len()), (JournalPosition(29), 29), "what it wrote then does not count");
}

#[tokio::test]
async fn in_memory_the_journal_keeps_its_promises() {
    suite(&Place::in_memory()).await;
}

#[tokio::test]
async fn in_a_directory_the_journal_keeps_its_promises() {
    suite(&Place::on_disk()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_s3_the_journal_keeps_its_promises() {
    let server = SeaweedFs::start().await;
    suite(&Place::on_s3(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_gcs_the_journal_keeps_its_promises() {
    let server = GcsDouble::start();
    suite(&Place::on_gcs(&server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_azure_the_journal_keeps_its_promises() {
    let Some(server) = Azurite::start() else { return };
    suite(&Place::on_azure(&server)).await;
}

/// A start that stands still at its first request of `kind` for a number, until the gate is closed.
async fn start_held(place: &Place, kind: RequestKind) -> (JoinHandle<(ObjectJournal, Loaded)>, Arc<Semaphore>) {
    let (faults, gate) = (Arc::new(Faults::new()), Arc::new(Semaphore::new(0)));
    faults.add(FaultRule::nth(kind, 1, Effect::Hold(Arc::clone(&gate))).on("/journal/0000"));
    let mut held = open_with(&Stores::new(place.config().clone()).with_faults(faults), place, 2, WHOLE);
    let starting = tokio::spawn(async move {
        let loaded = load(&mut held).await;
        (held, loaded)
    });
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert!(!starting.is_finished(), "it waits for what only we can give it");
    (starting, gate)
}

/// It goes on, knows what `other` has written meanwhile, and reigns in its place.
async fn assert_goes_on_well(
    (starting, gate): (JoinHandle<(ObjectJournal, Loaded)>, Arc<Semaphore>),
    mut other: ObjectJournal,
) {
    gate.close();
    let (mut late, loaded) = starting.await.expect("no panic");
    assert_eq!((loaded.epoch, loaded.last), (Epoch(2), JournalPosition(3)));
    let is_accepted = |record: &&Record| matches!(record.fact, RecordFact::JobAccepted { .. });
    assert_eq!(loaded.records.iter().filter(is_accepted).count(), 2, "{:?}", loaded.records);
    assert_eq!(other.append(&[record(4, settled("b"))]).await, Err(JournalError::Fenced(Epoch(2))));
    assert_eq!(late.append(&[record(4, settled("b"))]).await, Ok(JournalPosition(4)));
}

#[tokio::test]
async fn a_start_that_stood_still_before_its_claim_reads_anew_what_was_covered_meanwhile() {
    let place = Place::in_memory();
    let starting = start_held(&place, RequestKind::Put).await;
    let mut other = open(&place, 1, AFTER_THREE);
    load(&mut other).await;
    write_two(&mut other).await;
    assert_eq!(place.keys("j/journal").await, Vec::<String>::new(), "a snapshot covers all numbers");
    assert_goes_on_well(starting, other).await;
}

#[tokio::test]
async fn a_start_that_stood_still_while_it_read_takes_no_number_that_was_created_again() {
    let place = Place::in_memory();
    let mut other = open(&place, 1, AFTER_THREE);
    load(&mut other).await;
    let claim = place.get("j/journal/00000000000000000001").await.expect("a claim");
    let starting = start_held(&place, RequestKind::Get).await;
    write_two(&mut other).await;
    assert_eq!(place.keys("j/journal").await, Vec::<String>::new(), "a snapshot covers all numbers");
    // By a third, who stood still since before that claim.
    place.put("j/journal/00000000000000000001", claim).await;
    assert_goes_on_well(starting, other).await;
}

#[tokio::test]
async fn a_lost_answer_is_resolved_by_reading_back() {
    let place = Place::in_memory();
    let (faults, seen) = (Arc::new(Faults::new()), Arc::new(CountingObserver::new()));
    let stores = Stores::new(place.config().clone()).with_faults(faults.clone()).with_observer(seen.clone());
    let mut journal = open_with(&stores, &place, 1, SMALL);
    // Of the claim, of every record, of snapshots and heartbeats: the first answer is lost.
    for nth in [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21] {
        faults.add(FaultRule::nth(RequestKind::Put, nth, Effect::LoseAnswer));
    }
    assert_eq!(load(&mut journal).await.epoch, Epoch(1));
    for position in 1..9 {
        let name = format!("job-{position}");
        assert_eq!(journal.append(&[record(position, accepted(&name, 5))]).await, Ok(JournalPosition(position)));
    }
    assert!(seen.repeated() >= 5, "the fault fired");
    faults.clear();
    assert_eq!(load(&mut open(&place, 2, SMALL)).await.records.len(), 8);
}

/// A journal of some objects, the first being a claim.
async fn written(place: &Place) -> Vec<String> {
    let mut journal = open(place, 1, WHOLE);
    load(&mut journal).await;
    write_two(&mut journal).await;
    journal.confirm().await.expect("a reign");
    let keys = place.keys("j/journal").await;
    assert_eq!(keys.len(), 3);
    keys.into_iter().map(|key| format!("j/journal/{}", key.rsplit('/').next().expect("a name"))).collect()
}

async fn refusal(place: &Place) -> (String, String) {
    match open(place, 9, WHOLE).load().await {
        Err(JournalError::Corrupt { object, problem }) => (object, problem),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_damaged_object_is_named_also_the_last() {
    for at in 0..3 {
        let place = Place::in_memory();
        let key = written(&place).await.swap_remove(at);
        let good = place.get(&key).await.expect("an object");
        for bent in [good.len() / 2, good.len() - 1, 9, 0] {
            let mut bytes = good.clone();
            bytes[bent] ^= 0x10;
            place.put(&key, bytes).await;
            let (object, _) = refusal(&place).await;
            assert_eq!(object, place.url(&key));
        }
        place.put(&key, good[..good.len() - 3].to_vec()).await;
        assert_eq!(refusal(&place).await.0, place.url(&key), "cut short");
        place.put(&key, good).await;
        load(&mut open(&place, 10, WHOLE)).await;
    }
}

#[tokio::test]
async fn every_missing_object_is_named_also_the_last() {
    for at in 0..3 {
        let place = Place::in_memory();
        let key = written(&place).await.swap_remove(at);
        place.delete(&key).await;
        let (object, problem) = refusal(&place).await;
        assert_eq!(object, place.url(&key));
        assert!(problem.contains("is missing"), "{problem}");
    }
}

#[tokio::test]
async fn an_object_under_another_number_and_one_of_a_newer_format_are_named() {
    let place = Place::in_memory();
    let keys = written(&place).await;
    let (second, third) = (place.get(&keys[1]).await.expect("one"), place.get(&keys[2]).await.expect("one"));
    place.put(&keys[2], second).await;
    let (object, problem) = refusal(&place).await;
    assert!(object == place.url(&keys[2]) && problem.contains("number 2"), "{object} {problem}");
    let mut newer = third.clone();
    newer[4] = 2;
    place.put(&keys[2], newer).await;
    assert!(refusal(&place).await.1.contains("format 2"));
}

#[tokio::test]
async fn a_record_that_its_coordinator_did_not_finish_is_dropped() {
    let place = Place::in_memory();
    let limits = JournalLimits { object_bytes: 1_000, ..WHOLE };
    let faults = Arc::new(Faults::new());
    let stores = Stores::new(place.config().clone()).with_faults(faults.clone());
    let mut journal = open_with(&stores, &place, 1, limits);
    load(&mut journal).await;
    journal.append(&[record(1, accepted("a", 5))]).await.expect("an append");
    faults.add(FaultRule::nth(RequestKind::Put, 3, Effect::Fail(rechunk_storage::ErrorClass::Denied)).on("j/journal"));
    let failed = journal.append(&[record(2, accepted("large", 9_000))]).await;
    assert!(matches!(failed, Err(JournalError::Unavailable(_))), "{failed:?}");
    let mut next = open(&place, 2, limits);
    let loaded = load(&mut next).await;
    assert_eq!((loaded.last, loaded.records.len()), (JournalPosition(1), 1));
    assert_eq!(next.append(&[record(2, accepted("b", 5))]).await, Ok(JournalPosition(2)));
    assert_eq!(load(&mut open(&place, 3, limits)).await.records.len(), 2);
}
