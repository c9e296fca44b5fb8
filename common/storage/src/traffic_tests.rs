//! Limits, retries and pauses on a store in memory that is treated as one far away; time is tokio's, and paused.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::join_all};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, LeaseLost, Prefix, RequestKind, RetryPolicy,
    START_REQUESTS, StorageError, StoreConfig, StoreProfile, StoreUrl, Stores, Unguarded, WriteGuard, traffic::Traffic,
};

const GET: RequestKind = RequestKind::Get;
const PUT: RequestKind = RequestKind::Put;

struct Far {
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    faults: Arc<Faults>,
}

impl Far {
    fn new(name: &str) -> Self {
        Self::with(name, StoreConfig::environment())
    }

    fn with(name: &str, config: StoreConfig) -> Self {
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let config = config.with_traffic_everywhere();
        let stores = Stores::new(config).with_observer(seen.clone()).with_faults(faults.clone());
        let url = StoreUrl::parse(&format!("memory://traffic-tests-{name}/root")).unwrap();
        let prefix = stores.open(&url, Access::ReadWrite).unwrap();
        Self { prefix, seen, faults }
    }

    fn traffic(&self) -> &Traffic {
        self.prefix.place.traffic.as_deref().unwrap()
    }

    /// So many reads side by side.
    async fn read(&self, count: usize) -> Vec<StorageError> {
        let reads = (0..count).map(|_| self.prefix.get_range("k", 0..1));
        join_all(reads).await.into_iter().filter_map(Result::err).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_falls_when_the_store_asks_for_less_and_recovers() {
    let store = Far::new("recovers");
    store.prefix.put("k", "v", &Unguarded).await.unwrap();
    store.faults.add(FaultRule::nth(GET, 1, Effect::Throttle(None)).times(10));
    assert_eq!(store.read(10).await, []);
    let fired = store.seen.of_kind(GET).iter().filter(|get| get.attempt > 1).count();
    assert!(fired >= 10, "{fired} requests were sent again");
    let fallen = store.traffic().limit(GET);
    assert!((1..START_REQUESTS).contains(&fallen), "{fallen}");
    assert_eq!(store.traffic().limit(PUT), START_REQUESTS, "writes are another lane");
    store.faults.add(FaultRule::every(GET, Effect::Delay(Duration::from_millis(3))));
    assert_eq!(store.read(2000).await, []);
    let recovered = store.traffic().limit(GET);
    assert!(recovered > START_REQUESTS, "{recovered}");
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_under_way_than_the_table_of_the_store_allows() {
    let url = StoreUrl::parse("memory://traffic-tests-cap/root").unwrap();
    let mut profile = StoreProfile::new(url, Access::ReadWrite);
    profile.limits.concurrent = std::num::NonZeroU32::new(3);
    let store = Far::with("cap", StoreConfig::of_profiles(vec![profile]));
    store.prefix.put("k", "v", &Unguarded).await.unwrap();
    store.faults.add(FaultRule::every(GET, Effect::Delay(Duration::from_secs(1))));
    let started = Instant::now();
    assert_eq!(store.read(10).await, []);
    assert_eq!(started.elapsed().as_secs(), 4, "ten requests of a second each, three at a time");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_amplified_and_ends_in_errors() {
    let store = Far::new("outage");
    store.faults.add(FaultRule::every(GET, Effect::Fail(ErrorClass::TryAgain)));
    let started = Instant::now();
    let errors = store.read(300).await;
    assert_eq!(errors.len(), 300);
    assert!(errors.iter().all(|error| error.class == ErrorClass::TryAgain));
    let retries = store.seen.repeated();
    let allowed = 100 + 300 / 5 + started.elapsed().as_secs() + 1;
    assert!((100..=allowed).contains(&retries), "{retries} retries where {allowed} are allowed");
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_a_retry_go_on_when_the_store_is_back() {
    let policy = RetryPolicy { max_attempts: 1000, ..RetryPolicy::default() };
    let store = Far::with("back", StoreConfig::environment().with_retry(policy));
    store.prefix.put("k", "v", &Unguarded).await.unwrap();
    store.faults.add(FaultRule::nth(GET, 1, Effect::Fail(ErrorClass::TryAgain)).times(450));
    assert_eq!(store.read(300).await, [], "every one was answered in the end");
    assert!(store.seen.repeated() >= 450);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_store_asks_for_is_kept() {
    let store = Far::new("pause");
    store.faults.add(FaultRule::nth(PUT, 1, Effect::Throttle(Some(Duration::from_secs(7)))));
    let started = Instant::now();
    store.prefix.put("k", "v", &Unguarded).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(7), "{:?}", started.elapsed());
    assert_eq!(store.seen.repeated(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_lease_ends_while_it_waits_for_its_turn_is_not_sent() {
    struct Flag(std::sync::atomic::AtomicBool);
    impl WriteGuard for Flag {
        fn check(&self) -> Result<(), LeaseLost> {
            if self.0.load(std::sync::atomic::Ordering::SeqCst) { Ok(()) } else { Err(LeaseLost) }
        }
    }
    let url = StoreUrl::parse("memory://traffic-tests-turn/root").unwrap();
    let mut profile = StoreProfile::new(url, Access::ReadWrite);
    profile.limits.concurrent = std::num::NonZeroU32::new(1);
    let store = Far::with("turn", StoreConfig::of_profiles(vec![profile]));
    let gate = Arc::new(Semaphore::new(0));
    store.faults.add(FaultRule::nth(PUT, 1, Effect::Hold(gate.clone())));
    let lease = Flag(true.into());
    let mut first = Box::pin(store.prefix.put("first", "v", &Unguarded));
    assert!((&mut first).now_or_never().is_none(), "it holds the only permit");
    let mut second = Box::pin(store.prefix.put("second", "v", &lease));
    assert!((&mut second).now_or_never().is_none());
    lease.0.store(false, std::sync::atomic::Ordering::SeqCst);
    gate.add_permits(1);
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    assert_eq!(second.unwrap_err().class, ErrorClass::LeaseLost);
    assert_eq!(store.seen.count(PUT), 1);
}

/// A store that has answered often enough to know what is usual: five milliseconds.
async fn familiar(name: &str, reads: usize) -> Far {
    let store = Far::new(name);
    store.prefix.put("k", "v", &Unguarded).await.unwrap();
    store.faults.add(FaultRule::every(GET, Effect::Delay(Duration::from_millis(5))));
    assert_eq!(store.read(reads).await, []);
    store.faults.clear();
    store.seen.clear();
    store
}

#[tokio::test(start_paused = true)]
async fn a_read_that_takes_unusually_long_is_sent_again_and_the_first_answer_wins() {
    let store = familiar("hedge", 100).await;
    store.faults.add(FaultRule::nth(GET, 1, Effect::Delay(Duration::from_secs(20))));
    let started = Instant::now();
    let read = store.prefix.get_range("k", 0..1).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"v"[..]));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    let attempts: Vec<_> = store.seen.of_kind(GET).iter().map(|get| get.attempt).collect();
    assert_eq!(attempts, [2], "the slow one was given up before it was sent");
    assert_eq!(store.seen.bytes_received(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_that_fails_leaves_the_first_its_time() {
    let store = familiar("hedge-fails", 100).await;
    store.faults.add(FaultRule::nth(GET, 1, Effect::Delay(Duration::from_secs(20))));
    store.faults.add(FaultRule::nth(GET, 2, Effect::Fail(ErrorClass::Denied)));
    let read = store.prefix.get_range("k", 0..1).await.unwrap();
    assert_eq!(read.as_deref(), Some(&b"v"[..]));
    let attempts: Vec<_> = store.seen.of_kind(GET).iter().map(|get| get.attempt).collect();
    assert_eq!(attempts, [2, 1], "both were sent");
}

#[tokio::test(start_paused = true)]
async fn where_every_read_is_slow_few_are_sent_twice() {
    let store = familiar("hedge-share", 200).await;
    for _ in 0..200 {
        // The reads themselves: a second request is quick, so that it is seen.
        store.faults.clear();
        store.faults.add(FaultRule::nth(GET, 1, Effect::Delay(Duration::from_secs(2))).times(5));
        assert_eq!(store.read(5).await, []);
    }
    let repeated = store.seen.repeated();
    assert!((1..=36).contains(&repeated), "{repeated} of 1200");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice_while_too_little_is_known_nor_a_large_read_nor_a_write() {
    let store = Far::new("no-hedge");
    let large = vec![0_u8; (4 << 20) + 1];
    let length = large.len() as u64;
    store.prefix.put("k", large, &Unguarded).await.unwrap();
    for _ in 0..100 {
        store.prefix.get_range("k", 0..length).await.unwrap();
        store.prefix.put("w", "v", &Unguarded).await.unwrap();
    }
    for kind in [GET, PUT] {
        store.faults.add(FaultRule::every(kind, Effect::Delay(Duration::from_secs(2))));
    }
    assert_eq!(store.read(20).await, [], "no read of this size was seen before");
    store.prefix.get_range("k", 0..length).await.unwrap();
    store.prefix.put("w", "v", &Unguarded).await.unwrap();
    assert_eq!(store.seen.repeated(), 0);
}
