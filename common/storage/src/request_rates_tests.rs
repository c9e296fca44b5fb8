//! Request rates of a store in memory; time is tokio's, and paused: it moves only when everybody waits.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::join_all};
use rechunk_common::request_rate::{RequestRate, StoreRates};
use tokio::time::Instant;

use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, Observer, Prefix, RequestKind, StoreConfig,
    StoreProfile, StoreUrl, Stores, Unguarded, UploadSizes,
};

const GET: RequestKind = RequestKind::Get;
const PUT: RequestKind = RequestKind::Put;

struct Rated {
    stores: Stores,
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    faults: Arc<Faults>,
    root: String,
}

impl Rated {
    /// A store without limits so far, with an object `k`.
    async fn new(name: &str) -> Self {
        Self::with(name, StoreConfig::environment().with_traffic_everywhere()).await
    }

    async fn with(name: &str, config: StoreConfig) -> Self {
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let stores = Stores::new(config).with_observer(seen.clone()).with_faults(faults.clone());
        let root = root(name);
        let prefix = stores.open(&StoreUrl::parse(&root).unwrap(), Access::ReadWrite).unwrap();
        prefix.put("k", "v", &Unguarded).await.unwrap();
        seen.clear();
        Self { stores, prefix, seen, faults, root }
    }

    fn share(&self, gets: RequestRate) {
        self.stores.set_request_shares(&[rates(&self.root, Some(gets), None)]);
    }

    /// So many reads side by side, all of which must succeed; returns how long they took.
    async fn read(&self, count: usize) -> Duration {
        let started = Instant::now();
        let read = join_all((0..count).map(|_| self.prefix.get_range("k", 0..1))).await;
        assert!(read.iter().all(Result::is_ok), "{read:?}");
        started.elapsed()
    }
}

fn root(name: &str) -> String {
    format!("memory://rates-{name}/root")
}

fn rates(prefix: &str, gets: Option<RequestRate>, puts: Option<RequestRate>) -> StoreRates {
    StoreRates { prefix: prefix.to_owned(), gets, puts }
}

fn rate(requests: u32) -> RequestRate {
    RequestRate::per_second(requests)
}

fn profile(name: &str, gets: u32, puts: u32) -> StoreProfile {
    let mut profile = StoreProfile::new(StoreUrl::parse(&root(name)).unwrap(), Access::ReadWrite);
    (profile.limits.gets, profile.limits.puts) = (Some(rate(gets)), Some(rate(puts)));
    profile
}

#[tokio::test(start_paused = true)]
async fn requests_keep_to_the_share_of_the_longest_prefix_and_reads_and_writes_are_limited_apart() {
    let store = Rated::new("share").await;
    let bucket = "memory://rates-share";
    store.stores.set_request_shares(&[
        rates(bucket, Some(rate(1000)), Some(rate(1))),
        rates(&store.root, Some(rate(10)), None),
    ]);
    assert_eq!(store.read(50).await, Duration::from_secs(5));
    let started = Instant::now();
    for _ in 0..50 {
        store.prefix.put("w", "v", &Unguarded).await.unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO, "the longer prefix limits no writes");
    store.stores.set_request_shares(&[]);
    assert_eq!(store.stores.request_rates(), []);
    assert_eq!(store.read(50).await, Duration::ZERO, "nothing limits them any more");
}

#[tokio::test(start_paused = true)]
async fn a_program_of_its_own_has_the_whole_rate_of_its_configuration() {
    let config = StoreConfig::environment().with_profile(profile("own", 20, 5));
    let store = Rated::with("own", config).await;
    assert_eq!(store.read(40).await.as_millis(), 2000 - 100, "a tenth of a second was saved");
    let started = Instant::now();
    for _ in 0..10 {
        store.prefix.put("w", "v", &Unguarded).await.unwrap();
    }
    assert_eq!(started.elapsed().as_millis(), 2000 - 200, "one request was saved");
}

#[tokio::test(start_paused = true)]
async fn a_share_never_lifts_what_the_configuration_allows() {
    let config = StoreConfig::environment().with_profile(profile("lower", 20, 5));
    let store = Rated::with("lower", config).await;
    store.share(rate(1000));
    assert_eq!(store.stores.request_rates(), [rates(&store.root, Some(rate(20)), Some(rate(5)))]);
    store.share(rate(2));
    assert_eq!(store.stores.request_rates(), [rates(&store.root, Some(rate(2)), Some(rate(5)))]);
    store.stores.set_request_shares(&[]);
    assert_eq!(store.stores.request_rates(), [rates(&store.root, Some(rate(20)), Some(rate(5)))]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_go_on_as_soon_as_the_share_grows() {
    let store = Rated::new("grows").await;
    store.share(RequestRate::NONE);
    let mut reads = Box::pin(store.read(20));
    assert!(tokio::time::timeout(Duration::from_hours(10), &mut reads).await.is_err(), "nothing is let through");
    assert_eq!((store.seen.count(GET), store.seen.waits(GET, "root/k")), (0, 20));
    store.share(rate(10));
    let grown = Instant::now();
    reads.await;
    assert_eq!(grown.elapsed(), Duration::from_secs(2), "an empty share saves nothing");
    assert_eq!(store.seen.count(GET), 20);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_takes_no_turn_away() {
    let store = Rated::new("gives-up").await;
    store.share(rate(1));
    let mut given_up = Box::pin(store.read(1));
    assert!((&mut given_up).now_or_never().is_none());
    let second = store.read(1);
    drop(given_up);
    assert_eq!(second.await, Duration::from_secs(1), "as if nobody had waited before");
    assert_eq!((store.seen.count(GET), store.seen.waits(GET, "")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn retries_count_too() {
    let store = Rated::new("retries").await;
    store.share(rate(1));
    store.faults.add(FaultRule::nth(GET, 1, Effect::Fail(ErrorClass::TryAgain)).times(3));
    let took = store.read(1).await;
    assert_eq!(store.seen.count(GET), 4);
    assert!(took >= Duration::from_secs(4), "each attempt waits for a second: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_requests_wait_is_not_taken_off_the_time_for_their_retries() {
    let store = Rated::new("patience").await;
    // The last of them waits for longer than all its attempts may take.
    store.share(RequestRate(10_000));
    store.faults.add(FaultRule::nth(GET, 5, Effect::Fail(ErrorClass::TryAgain)));
    assert_eq!(store.read(5).await.as_secs(), 600, "six attempts, one each 100 seconds");
    assert_eq!(store.seen.repeated(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_for_a_slow_read_is_sent_only_where_the_rate_has_room_for_it() {
    for (gets, sent) in [(RequestRate(1), 0), (rate(1000), 1)] {
        let store = Rated::new(&format!("hedge-{sent}")).await;
        store.faults.add(FaultRule::every(GET, Effect::Delay(Duration::from_millis(5))));
        store.read(100).await;
        store.faults.clear();
        store.seen.clear();
        store.faults.add(FaultRule::nth(GET, 1, Effect::Delay(Duration::from_secs(2))));
        let read = store.read(1);
        // It was admitted before the share came.
        let shared = async { store.share(gets) };
        let (took, ()) = tokio::join!(read, shared);
        let attempts: Vec<u32> = store.seen.of_kind(GET).iter().map(|get| get.attempt).collect();
        assert_eq!(attempts, [if sent == 1 { 2 } else { 1 }], "{gets}");
        assert_eq!(took >= Duration::from_secs(2), sent == 0, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_keys_of_a_deletion_and_the_pages_of_a_listing_are_counted_one_by_one() {
    let store = Rated::new("bulk").await;
    for key in 0..2500 {
        store.prefix.put(&format!("a/{key:04}"), "v", &Unguarded).await.unwrap();
    }
    store.stores.set_request_shares(&[rates(&store.root, Some(rate(1)), Some(rate(100)))]);
    let started = Instant::now();
    assert_eq!(store.prefix.list("a").count().await, 2500);
    assert_eq!(started.elapsed(), Duration::from_secs(3), "three pages");
    let started = Instant::now();
    store.prefix.delete_many((0..100).map(|key| format!("a/{key:04}")).collect(), &Unguarded).await.unwrap();
    store.prefix.put("after", "v", &Unguarded).await.unwrap();
    assert_eq!(started.elapsed().as_millis(), 910, "a tenth of a second was saved");
}

/// Lets no write through from the first part on.
struct StopAtPart {
    stores: Stores,
    root: String,
}

impl Observer for StopAtPart {
    fn request(&self, kind: RequestKind, _url: &str, _bytes: u64, _attempt: u32) {
        if kind == RequestKind::Part {
            self.stores.set_request_shares(&[rates(&self.root, None, Some(RequestRate::NONE))]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_aborted_without_waiting_for_the_rate() {
    let sizes = UploadSizes { threshold: 8, part: 8, least_part: 8 };
    let config = StoreConfig::environment().with_traffic_everywhere().with_upload_sizes(sizes);
    let store = Rated::with("abort", config).await;
    store.faults.add(FaultRule::every(RequestKind::Part, Effect::Fail(ErrorClass::Denied)));
    let stop = StopAtPart { stores: store.stores.clone(), root: store.root.clone() };
    let watched = store.prefix.with_observer(Arc::new(stop));
    let error = watched.put("large", vec![0; 16], &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.seen.count(RequestKind::Upload), 2, "begun and aborted");
    assert_eq!(store.seen.waits(RequestKind::Upload, ""), 0);
    assert!(store.prefix.put("small", "v", &Unguarded).now_or_never().is_none(), "others wait");
}

#[derive(Default)]
struct Waits(std::sync::Mutex<Vec<(RequestKind, Duration)>>);

impl Observer for Waits {
    fn request(&self, _kind: RequestKind, _url: &str, _bytes: u64, _attempt: u32) {}

    fn waited(&self, kind: RequestKind, _url: &str, time: Duration) {
        self.0.lock().unwrap().push((kind, time));
    }
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_how_long_a_request_has_waited() {
    let store = Rated::new("told").await;
    store.stores.set_request_shares(&[rates(&store.root, Some(rate(2)), Some(rate(1000)))]);
    tokio::time::advance(Duration::from_secs(1)).await;
    let waits = Arc::new(Waits::default());
    let watched = store.prefix.with_observer(waits.clone());
    watched.put("k", "v", &Unguarded).await.unwrap();
    watched.get_range("k", 0..1).await.unwrap();
    watched.get_range("k", 0..1).await.unwrap();
    assert_eq!(*waits.0.lock().unwrap(), [(GET, Duration::from_millis(500))], "the first ones did not wait");
    assert_eq!(store.seen.waits(PUT, ""), 0);
}
