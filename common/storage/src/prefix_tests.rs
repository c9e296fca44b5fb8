use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::TryStreamExt;
use tokio::sync::Semaphore;

use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, LeaseLost, Prefix, RequestKind, RetryPolicy,
    StoreConfig, StoreUrl, Stores, Unguarded, WriteGuard, WriteUnderWay, conformance,
};

/// A memory store of its own, watched and disturbed, with retries that don't wait.
struct Bench {
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    faults: Arc<Faults>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let retry = RetryPolicy { base_delay: Duration::ZERO, ..RetryPolicy::default() };
        Self::with(name, StoreConfig::environment().with_retry(retry))
    }

    fn with(name: &str, config: StoreConfig) -> Self {
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let stores = Stores::new(config).with_observer(seen.clone()).with_faults(faults.clone());
        let url = StoreUrl::parse(&format!("memory://prefix-tests-{name}/root")).unwrap();
        Self { prefix: stores.open(&url, Access::ReadWrite).unwrap(), seen, faults }
    }

    async fn put(&self, key: &str, text: &'static str) {
        self.prefix.put(key, text, &Unguarded).await.unwrap();
    }
}

/// Allows so many writes, then the lease is over.
struct Allowance(AtomicU32);

impl WriteGuard for Allowance {
    fn check(&self) -> Result<(), LeaseLost> {
        let take = |left: u32| left.checked_sub(1);
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).map(|_| ()).map_err(|_| LeaseLost)
    }
}

#[tokio::test]
async fn memory_does_what_every_store_must_do() {
    conformance::every_operation(&Bench::new("conformance").prefix).await.unwrap();
}

#[tokio::test]
async fn memory_of_one_name_is_one_store_in_the_whole_process() {
    let (one, two) = (Bench::new("shared"), Bench::new("shared"));
    one.put("k", "v").await;
    assert_eq!(two.prefix.get("k").await.unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(Bench::new("other").prefix.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn memory_urls_lead_to_the_store_that_a_program_brings_whatever_their_name() {
    let memory = Arc::new(object_store::memory::InMemory::new());
    let open = |url: &str| {
        let stores = Stores::on_memory(StoreConfig::environment(), memory.clone());
        stores.open(&StoreUrl::parse(url).unwrap(), Access::ReadWrite).unwrap()
    };
    open("memory://one/root").put("k", "v", &Unguarded).await.unwrap();
    assert_eq!(open("memory://two/root").get("k").await.unwrap().as_deref(), Some(&b"v"[..]));
    assert_eq!(Bench::new("one").prefix.get("k").await.unwrap(), None, "not a store of the process");
}

#[tokio::test(start_paused = true)]
async fn the_chance_that_a_program_brings_spreads_its_retries() {
    for (drawn, waited) in [(0, Duration::ZERO), (u32::MAX, Duration::from_millis(100 + 200))] {
        let bench = Bench::with("chance", StoreConfig::environment().with_chance(move || drawn));
        bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::Fail(ErrorClass::TryAgain)).times(2));
        let started = tokio::time::Instant::now();
        bench.put("k", "v").await;
        assert_eq!((started.elapsed(), bench.seen.count(RequestKind::Put)), (waited, 3));
    }
}

#[tokio::test]
async fn a_passing_fault_is_retried_and_each_attempt_is_seen() {
    let bench = Bench::new("retried");
    bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::Fail(ErrorClass::TryAgain)).times(2));
    bench.put("k", "v").await;
    let attempts: Vec<_> = bench.seen.of_kind(RequestKind::Put).iter().map(|put| (put.attempt, put.bytes)).collect();
    assert_eq!(attempts, [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(bench.seen.repeated(), 2);
    assert_eq!(bench.prefix.get("k").await.unwrap().as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn a_fault_that_stays_is_not_retried() {
    let bench = Bench::new("denied");
    for class in [ErrorClass::Denied, ErrorClass::Full, ErrorClass::Corrupt, ErrorClass::Other] {
        bench.seen.clear();
        bench.faults.clear();
        bench.faults.add(FaultRule::every(RequestKind::Get, Effect::Fail(class)));
        let error = bench.prefix.get("c/0").await.unwrap_err();
        assert_eq!(error.class, class);
        assert_eq!(bench.seen.count(RequestKind::Get), 1, "{class:?}");
        assert!(error.to_string().starts_with("cannot read memory://prefix-tests-denied/root/c/0: "), "{error}");
    }
}

#[tokio::test]
async fn retries_end_with_the_last_attempt() {
    let bench = Bench::new("exhausted");
    bench.faults.add(FaultRule::every(RequestKind::Head, Effect::Fail(ErrorClass::TryAgain)));
    assert_eq!(bench.prefix.head("k").await.unwrap_err().class, ErrorClass::TryAgain);
    assert_eq!(bench.seen.count(RequestKind::Head), u64::from(crate::retry::MAX_ATTEMPTS));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_written_again() {
    let bench = Bench::new("lost-answer");
    bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::LoseAnswer).on("c/1"));
    bench.put("c/0", "x").await;
    bench.put("c/1", "y").await;
    assert_eq!(bench.seen.count_of(RequestKind::Put, "memory://prefix-tests-lost-answer/root/c/1"), 2);
    assert_eq!(bench.seen.count_of(RequestKind::Put, "memory://prefix-tests-lost-answer/root/c/0"), 1);
}

#[tokio::test]
async fn no_write_starts_after_the_lease_ended() {
    let bench = Bench::new("lease");
    let ended = Allowance(AtomicU32::new(0));
    let error = bench.prefix.put("k", "v", &ended).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::LeaseLost);
    assert_eq!(bench.prefix.delete("k", &ended).await.unwrap_err().class, ErrorClass::LeaseLost);
    assert_eq!(bench.seen.requests(), [], "nothing was sent");
    assert_eq!(bench.prefix.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn the_lease_is_asked_again_before_every_attempt() {
    let bench = Bench::new("lease-retry");
    bench.faults.add(FaultRule::every(RequestKind::Put, Effect::Fail(ErrorClass::TryAgain)));
    let two = Allowance(AtomicU32::new(2));
    let error = bench.prefix.put("k", "v", &two).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::LeaseLost);
    assert_eq!(bench.seen.count(RequestKind::Put), 2, "the third attempt never started");
}

#[tokio::test]
async fn a_write_held_beyond_its_lease_is_not_sent() {
    struct Flag(std::sync::atomic::AtomicBool);
    impl WriteGuard for Flag {
        fn check(&self) -> Result<(), LeaseLost> {
            if self.0.load(Ordering::SeqCst) { Ok(()) } else { Err(LeaseLost) }
        }
    }
    let bench = Bench::new("held");
    let gate = Arc::new(Semaphore::new(0));
    bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::Hold(gate.clone())));
    let lease = Flag(true.into());
    let write = bench.prefix.put("k", "v", &lease);
    let end = async {
        lease.0.store(false, Ordering::SeqCst);
        gate.add_permits(1);
    };
    let (written, ()) = tokio::join!(write, end);
    assert_eq!(written.unwrap_err().class, ErrorClass::LeaseLost);
    assert_eq!(bench.prefix.get("k").await.unwrap(), None);
}

#[tokio::test]
async fn a_write_under_way_is_counted_until_it_is_over_also_when_nobody_waits_for_it() {
    struct Counting(Arc<Semaphore>);
    impl WriteGuard for Counting {
        fn check(&self) -> Result<(), LeaseLost> {
            Ok(())
        }
        fn begin_write(&self) -> WriteUnderWay {
            WriteUnderWay::holding(Arc::clone(&self.0).try_acquire_owned().unwrap())
        }
    }
    let bench = Bench::new("under-way");
    let idle = Arc::new(Semaphore::new(1));
    let guard = Counting(Arc::clone(&idle));
    // One poll sends it; then its caller goes.
    let mut write = Box::pin(bench.prefix.put("k", "v", &guard));
    assert!(futures::poll!(&mut write).is_pending());
    drop(write);
    assert_eq!(idle.available_permits(), 0, "it is under way");
    let _over = idle.acquire().await.unwrap();
    assert_eq!(bench.prefix.get("k").await.unwrap().as_deref(), Some(&b"v"[..]));
}

#[tokio::test]
async fn a_read_is_one_get_and_never_a_head() {
    let bench = Bench::new("requests");
    bench.put("k", "0123456789").await;
    bench.seen.clear();
    bench.prefix.get("k").await.unwrap();
    bench.prefix.get_range("k", 2..4).await.unwrap();
    bench.prefix.get_suffix("k", 3).await.unwrap();
    bench.prefix.get_ranges("k", &[0..1, 5..6, 9..10]).await.unwrap();
    bench.prefix.get_range("k", 3..3).await.unwrap();
    let bytes: Vec<_> = bench.seen.requests().iter().map(|request| (request.kind, request.bytes)).collect();
    let get = RequestKind::Get;
    assert_eq!(bytes, [(get, 0), (get, 2), (get, 3), (get, 10)]);
    assert_eq!(bench.seen.bytes_received(), 10 + 2 + 3 + 10);
}

#[tokio::test]
async fn a_task_counts_its_own_requests_beside_everyone_s() {
    let bench = Bench::new("own-observer");
    let own = Arc::new(CountingObserver::new());
    bench.put("k", "v").await;
    bench.prefix.with_observer(own.clone()).get("k").await.unwrap();
    assert_eq!((own.requests().len(), bench.seen.requests().len()), (1, 2));
}

#[tokio::test]
async fn a_place_opened_for_reading_takes_no_writes() {
    let stores = Stores::new(StoreConfig::environment());
    let url = StoreUrl::parse("memory://prefix-tests-read-only/x").unwrap();
    let prefix = stores.open(&url, Access::Read).unwrap();
    for error in [
        prefix.put("k", "v", &Unguarded).await.unwrap_err(),
        prefix.delete("k", &Unguarded).await.unwrap_err(),
        prefix.remove_empty_directories().await.unwrap_err(),
    ] {
        assert_eq!(error.class, ErrorClass::Denied, "{error}");
    }
}

#[tokio::test]
async fn keys_that_lead_elsewhere_are_refused() {
    let bench = Bench::new("bad-keys");
    for key in ["", "/", "a//b", "/a", "a/", "..", "a/../b", "./a", "a\nb"] {
        let error = bench.prefix.get(key).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{key:?}");
        assert_eq!(bench.prefix.put(key, "v", &Unguarded).await.unwrap_err().class, ErrorClass::Invalid, "{key:?}");
    }
    let escape = bench.prefix.url().join("../elsewhere");
    let stores = Stores::new(StoreConfig::environment());
    assert_eq!(stores.open(&escape, Access::Read).unwrap_err().class, ErrorClass::Invalid);
    assert_eq!(bench.seen.requests(), []);
}

#[tokio::test]
async fn a_listing_is_retried_and_large_deletions_go_in_batches() {
    let bench = Bench::new("many");
    let keys: Vec<String> = (0..2500).map(|index| format!("c/{index}")).collect();
    for key in &keys {
        bench.prefix.put(key, "x", &Unguarded).await.unwrap();
    }
    bench.seen.clear();
    bench.faults.add(FaultRule::nth(RequestKind::List, 1, Effect::Fail(ErrorClass::TryAgain)));
    bench.faults.add(FaultRule::nth(RequestKind::Delete, 2, Effect::Fail(ErrorClass::TryAgain)));
    assert_eq!(bench.prefix.list("c").try_collect::<Vec<_>>().await.unwrap().len(), 2500);
    assert_eq!(bench.seen.count(RequestKind::List), 2);
    assert_eq!(bench.prefix.delete_all("", &Unguarded).await.unwrap(), 2500);
    assert_eq!(bench.seen.count(RequestKind::Delete), 3500, "the second thousand twice");
    assert!(bench.prefix.is_empty().await.unwrap());
}

#[tokio::test]
async fn the_length_is_known_before_the_body_is_read() {
    let bench = Bench::new("changed");
    bench.put("k", "0123456789").await;
    let sized = bench.prefix.get_sized("k").await.unwrap().unwrap();
    assert_eq!((sized.content_length(), bench.seen.bytes_received()), (10, 0));
    assert_eq!(sized.bytes().await.unwrap().as_deref(), Some(&b"0123456789"[..]));
}

#[tokio::test]
async fn the_root_of_a_store_is_a_prefix_too() {
    let stores = Stores::new(StoreConfig::environment());
    let url = StoreUrl::parse("memory://prefix-tests-root").unwrap();
    let prefix = stores.open(&url, Access::ReadWrite).unwrap();
    conformance::every_operation(&prefix).await.unwrap();
    let error = prefix.get_range("x", Range { start: 3, end: 1 }).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read memory://prefix-tests-root/x: the range 3 to 1 is backwards");
}
