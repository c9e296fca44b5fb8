use std::{
    sync::atomic::{AtomicU32, AtomicUsize},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, LeaseLost, RetryPolicy, StoreConfig, StoreUrl,
    Stores, Unguarded, conformance,
};

const TEXT: &str = "0123456789ab";

/// A store in memory where objects above ten bytes go up in parts of five.
struct Bench {
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    faults: Arc<Faults>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let retry = RetryPolicy { base_delay: Duration::ZERO, ..RetryPolicy::default() };
        let config = StoreConfig::environment().with_retry(retry).with_upload_sizes(UploadSizes {
            threshold: 10,
            part: 5,
            least_part: 1,
        });
        let stores = Stores::new(config).with_observer(seen.clone()).with_faults(faults.clone());
        let url = StoreUrl::parse(&format!("memory://upload-tests-{name}/root")).unwrap();
        Self { prefix: stores.open(&url, Access::ReadWrite).unwrap(), seen, faults }
    }

    fn count(&self, kind: RequestKind) -> u64 {
        self.seen.count(kind)
    }

    async fn read(&self) -> Option<Bytes> {
        self.prefix.get("k").await.unwrap()
    }
}

/// Allows so many writes to start, and knows when the last of them, abortions included, is over.
struct Lease {
    left: AtomicU32,
    asked: AtomicUsize,
    writes: Arc<Semaphore>,
}

const WRITES: u32 = 1000;

impl Lease {
    fn of(checks: u32) -> Self {
        Self { left: checks.into(), asked: 0.into(), writes: Arc::new(Semaphore::new(WRITES as usize)) }
    }

    async fn all_writes_over(&self) {
        drop(self.writes.acquire_many(WRITES).await.unwrap());
    }
}

impl WriteGuard for Lease {
    fn check(&self) -> Result<(), LeaseLost> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let take = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).map(|_| ()).map_err(|_| LeaseLost)
    }

    fn begin_write(&self) -> WriteUnderWay {
        WriteUnderWay::holding(Arc::clone(&self.writes).try_acquire_owned().unwrap())
    }
}

#[test]
fn a_payload_is_cut_into_equal_parts_across_its_pieces() {
    let cut = |pieces: &[&'static str], part| -> Vec<String> {
        let payload: PutPayload = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
        split(&payload, part)
            .iter()
            .map(|part| String::from_utf8(part.iter().flatten().copied().collect()).unwrap())
            .collect()
    };
    assert_eq!(cut(&["ab", "", "cdefgh", "i"], 4), ["abcd", "efgh", "i"]);
    assert_eq!(cut(&["abcdefgh"], 4), ["abcd", "efgh"]);
    assert_eq!(cut(&["abc"], 100), ["abc"]);
    assert_eq!(cut(&[""], 4), [""; 0]);
}

#[test]
fn a_part_grows_where_there_would_be_too_many() {
    let sizes = UploadSizes::default();
    assert_eq!(sizes.part_of(UPLOAD_THRESHOLD + 1), PART_BYTES);
    assert_eq!(sizes.part_of(PART_BYTES * MAX_UPLOAD_PARTS), PART_BYTES);
    let part = sizes.part_of(MAX_OBJECT_BYTES);
    assert!(MAX_OBJECT_BYTES.div_ceil(part) <= MAX_UPLOAD_PARTS && part.is_multiple_of(1 << 20), "{part}");
}

#[tokio::test]
async fn memory_takes_objects_in_parts_and_does_what_every_store_must_do() {
    let bench = Bench::new("conformance");
    conformance::every_operation(&bench.prefix).await.unwrap();
    assert!(bench.count(RequestKind::Part) > 0);
}

#[tokio::test]
async fn a_large_object_is_one_put_of_several_parts() {
    let bench = Bench::new("one-put");
    bench.prefix.put("k", "0123456789", &Unguarded).await.unwrap();
    assert_eq!((bench.count(RequestKind::Put), bench.count(RequestKind::Part)), (1, 0), "small enough for one message");
    bench.seen.clear();
    bench.prefix.put("k", TEXT, &Unguarded).await.unwrap();
    assert_eq!(bench.read().await.as_deref(), Some(TEXT.as_bytes()));
    let parts: Vec<_> = bench.seen.of_kind(RequestKind::Part).iter().map(|part| part.bytes).collect();
    assert_eq!(parts, [5, 5, 2]);
    assert_eq!((bench.count(RequestKind::Put), bench.count(RequestKind::Upload)), (1, 1));
    assert_eq!((bench.seen.bytes_sent(), bench.seen.repeated()), (12, 0));
}

#[tokio::test]
async fn a_part_that_fails_is_sent_again_alone() {
    let bench = Bench::new("part-again");
    bench.faults.add(FaultRule::nth(RequestKind::Part, 2, Effect::Fail(ErrorClass::TryAgain)));
    bench.prefix.put("k", TEXT, &Unguarded).await.unwrap();
    assert_eq!((bench.count(RequestKind::Part), bench.seen.repeated()), (4, 1));
    assert_eq!(bench.read().await.as_deref(), Some(TEXT.as_bytes()));
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_told_from_an_upload_that_is_gone_by_sending_all_again() {
    let bench = Bench::new("lost-end");
    bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::LoseAnswer));
    bench.prefix.put("k", TEXT, &Unguarded).await.unwrap();
    assert_eq!(bench.count(RequestKind::Put), 3, "the lost one, its repetition in vain, and that of the second upload");
    assert_eq!(bench.count(RequestKind::Part), 6);
    assert_eq!(bench.count(RequestKind::Upload), 2, "nothing is left to abort");
    assert_eq!(bench.read().await.as_deref(), Some(TEXT.as_bytes()));
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted_and_the_old_object_stays() {
    let bench = Bench::new("aborted");
    bench.prefix.put("k", "old", &Unguarded).await.unwrap();
    bench.faults.add(FaultRule::nth(RequestKind::Part, 3, Effect::Fail(ErrorClass::Full)));
    let lease = Lease::of(100);
    let error = bench.prefix.put("k", TEXT, &lease).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Full);
    lease.all_writes_over().await;
    assert_eq!(bench.count(RequestKind::Upload), 2, "begun and aborted");
    assert_eq!(bench.read().await.as_deref(), Some(&b"old"[..]));
}

#[tokio::test]
async fn every_part_and_the_end_ask_the_lease_and_its_loss_aborts_the_upload() {
    let bench = Bench::new("lease");
    let whole = Lease::of(100);
    bench.prefix.put("k", TEXT, &whole).await.unwrap();
    let asked = whole.asked.load(Ordering::SeqCst);
    assert!(asked >= 5, "beginning, three parts and the end, asked {asked} times");
    for checks in 0..asked {
        bench.seen.clear();
        bench.prefix.put("k", "old", &Unguarded).await.unwrap();
        let lease = Lease::of(u32::try_from(checks).unwrap());
        let error = bench.prefix.put("k", TEXT, &lease).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::LeaseLost, "after {checks} checks");
        lease.all_writes_over().await;
        let has_begun = checks >= 2;
        let messages = bench.count(RequestKind::Upload);
        assert!(if has_begun { messages == 2 } else { messages <= 1 }, "{messages} messages after {checks} checks");
        assert_eq!(bench.read().await.as_deref(), Some(&b"old"[..]), "after {checks} checks");
    }
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_any_more_is_aborted_after_the_parts_under_way() {
    let bench = Bench::new("dropped");
    let gate = Arc::new(Semaphore::new(1));
    bench.faults.add(FaultRule::every(RequestKind::Part, Effect::Hold(gate)));
    let lease = Lease::of(100);
    let put = bench.prefix.put("k", TEXT, &lease);
    let one_part = async {
        while bench.count(RequestKind::Part) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = put => panic!("two parts are held"),
        () = one_part => {}
    }
    lease.all_writes_over().await;
    assert_eq!(bench.count(RequestKind::Upload), 2, "begun and aborted");
    assert_eq!(bench.read().await, None);
}

#[tokio::test]
async fn a_beginning_whose_answer_is_lost_leaves_nothing_open() {
    let bench = Bench::new("lost-beginning");
    bench.faults.add(FaultRule::nth(RequestKind::Upload, 1, Effect::LoseAnswer));
    let lease = Lease::of(100);
    bench.prefix.put("k", TEXT, &lease).await.unwrap();
    lease.all_writes_over().await;
    assert_eq!(bench.count(RequestKind::Upload), 3, "begun twice, and the first aborted");
    assert_eq!(bench.read().await.as_deref(), Some(TEXT.as_bytes()));
}

#[tokio::test]
async fn an_abortion_that_fails_keeps_nobody_waiting_for_ever() {
    let bench = Bench::new("abort-fails");
    bench.faults.add(FaultRule::nth(RequestKind::Upload, 2, Effect::Fail(ErrorClass::Denied)));
    bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::Fail(ErrorClass::Denied)));
    let lease = Lease::of(100);
    assert_eq!(bench.prefix.put("k", TEXT, &lease).await.unwrap_err().class, ErrorClass::Denied);
    lease.all_writes_over().await;
    assert_eq!(bench.count(RequestKind::Upload), 2);
}
