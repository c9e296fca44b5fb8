use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;

use super::*;
use crate::{
    Access, CountingObserver, Effect, FaultRule, Faults, LeaseLost, RequestKind, RetryPolicy, StoreConfig, StoreUrl,
    Stores, Unguarded, WriteUnderWay,
};

/// A place whose objects grow in parts of four bytes.
struct Bench {
    prefix: Prefix,
    seen: Arc<CountingObserver>,
    faults: Arc<Faults>,
    directory: Option<tempfile::TempDir>,
}

impl Bench {
    fn at(url: &str, directory: Option<tempfile::TempDir>) -> Self {
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let retry = RetryPolicy { base_delay: Duration::ZERO, ..RetryPolicy::default() };
        let config = StoreConfig::environment().with_retry(retry);
        let stores = Stores::new(config).with_observer(seen.clone()).with_faults(faults.clone());
        let prefix = stores.open(&StoreUrl::parse(url).unwrap(), Access::ReadWrite).unwrap();
        Self { prefix, seen, faults, directory }
    }

    /// The same stories on a store that takes objects in parts and on local files.
    fn both(name: &str) -> [Self; 2] {
        let directory = tempfile::tempdir().unwrap();
        let local = directory.path().join("a").to_str().unwrap().to_owned();
        [Self::at(&format!("memory://growing-{name}/a"), None), Self::at(&local, Some(directory))]
    }

    async fn read(&self) -> Option<Bytes> {
        self.prefix.get("c/0").await.unwrap()
    }

    /// Files of unfinished objects; none in memory, where nobody can look.
    fn unfinished(&self) -> usize {
        let Some(directory) = &self.directory else { return 0 };
        let files = std::fs::read_dir(directory.path().join("a/c")).into_iter().flatten();
        files.filter(|file| file.as_ref().unwrap().file_name().to_str().unwrap().contains('#')).count()
    }

    fn local(&self) -> Option<&Path> {
        self.directory.as_ref().map(tempfile::TempDir::path)
    }
}

/// Knows when the last write, abortions included, is over.
struct Lease {
    writes: Arc<tokio::sync::Semaphore>,
    left: std::sync::atomic::AtomicU32,
}

impl Lease {
    fn of(checks: u32) -> Self {
        Self { writes: Arc::new(tokio::sync::Semaphore::new(100)), left: checks.into() }
    }

    async fn all_writes_over(&self) {
        drop(self.writes.acquire_many(100).await.unwrap());
    }
}

impl WriteGuard for Lease {
    fn check(&self) -> Result<(), LeaseLost> {
        use std::sync::atomic::Ordering::SeqCst;
        let take = |left: u32| left.checked_sub(1);
        self.left.fetch_update(SeqCst, SeqCst, take).map(|_| ()).map_err(|_| LeaseLost)
    }

    fn begin_write(&self) -> WriteUnderWay {
        WriteUnderWay::holding(Arc::clone(&self.writes).try_acquire_owned().unwrap())
    }
}

const PARTS: [&str; 3] = ["0123", "4567", "89"];

/// Grows an object, its parts from the last to the first.
async fn grow(bench: &Bench, guard: &dyn WriteGuard) -> Result<(), StorageError> {
    let object = bench.prefix.grow("c/0", 4, guard).await?;
    let mut sent = Vec::new();
    for (number, part) in PARTS.iter().enumerate().rev() {
        sent.push(object.put_part(number, &PutPayload::from_static(part.as_bytes()), guard).await?);
    }
    object.complete(sent, guard).await
}

#[tokio::test]
async fn nothing_is_seen_of_an_object_before_its_last_part_is_in() {
    for bench in Bench::both("whole") {
        let object = bench.prefix.grow("c/0", 4, &Unguarded).await.unwrap();
        let mut sent = Vec::new();
        for (number, part) in PARTS.iter().enumerate().rev() {
            let part = PutPayload::from_static(part.as_bytes());
            sent.push(object.put_part(number, &part, &Unguarded).await.unwrap());
            assert_eq!(bench.read().await, None, "{:?}", bench.local());
            assert!(bench.prefix.is_empty().await.unwrap(), "unfinished objects are not listed");
        }
        object.complete(sent, &Unguarded).await.unwrap();
        drop(object);
        assert_eq!(bench.read().await.as_deref(), Some(&b"0123456789"[..]), "{:?}", bench.local());
        let count = |kind| bench.seen.count(kind);
        assert_eq!((count(RequestKind::Put), count(RequestKind::Part), count(RequestKind::Upload)), (1, 3, 1));
        assert_eq!((bench.seen.bytes_sent(), bench.unfinished()), (10, 0));
    }
}

#[tokio::test]
async fn a_part_that_fails_in_passing_is_sent_again_alone() {
    for bench in Bench::both("part-again") {
        bench.faults.add(FaultRule::nth(RequestKind::Part, 2, Effect::LoseAnswer));
        grow(&bench, &Unguarded).await.unwrap();
        assert_eq!((bench.seen.count(RequestKind::Part), bench.seen.repeated()), (4, 1));
        assert_eq!(bench.read().await.as_deref(), Some(&b"0123456789"[..]));
    }
}

#[tokio::test]
async fn a_part_that_fails_for_good_is_named_and_leaves_the_old_object() {
    for bench in Bench::both("fails") {
        bench.prefix.put("c/0", "old", &Unguarded).await.unwrap();
        bench.faults.add(FaultRule::nth(RequestKind::Part, 2, Effect::Fail(ErrorClass::Full)));
        let lease = Lease::of(100);
        let error = grow(&bench, &lease).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Full);
        assert!(error.url.ends_with("/c/0"), "{error}");
        lease.all_writes_over().await;
        assert_eq!(bench.seen.count(RequestKind::Upload), 2, "begun and aborted");
        assert_eq!(bench.read().await.as_deref(), Some(&b"old"[..]));
        assert_eq!(bench.unfinished(), 0);
    }
}

#[tokio::test]
async fn the_lease_is_asked_before_every_part_and_before_the_end() {
    for bench in Bench::both("lease") {
        let whole = Lease::of(100);
        grow(&bench, &whole).await.unwrap();
        let asked = 100 - whole.left.load(std::sync::atomic::Ordering::SeqCst);
        assert!(asked >= 5, "beginning, three parts and the end, asked {asked} times");
        for checks in 0..asked {
            bench.prefix.put("c/0", "old", &Unguarded).await.unwrap();
            let lease = Lease::of(checks);
            let error = grow(&bench, &lease).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::LeaseLost, "after {checks} checks");
            lease.all_writes_over().await;
            assert_eq!(bench.read().await.as_deref(), Some(&b"old"[..]), "after {checks} checks");
            assert_eq!(bench.unfinished(), 0, "after {checks} checks");
        }
    }
}

#[tokio::test]
async fn an_end_whose_answer_is_lost_is_worth_another_attempt_at_the_whole() {
    for bench in Bench::both("lost-end") {
        bench.faults.add(FaultRule::nth(RequestKind::Put, 1, Effect::LoseAnswer));
        let error = grow(&bench, &Unguarded).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::TryAgain, "{error}");
        grow(&bench, &Unguarded).await.unwrap();
        assert_eq!(bench.read().await.as_deref(), Some(&b"0123456789"[..]));
    }
}

#[tokio::test]
async fn two_objects_of_one_key_grow_beside_each_other_and_the_last_end_counts() {
    for bench in Bench::both("twice") {
        let one = bench.prefix.grow("c/0", 4, &Unguarded).await.unwrap();
        let other = bench.prefix.grow("c/0", 4, &Unguarded).await.unwrap();
        let first = one.put_part(0, &PutPayload::from_static(b"one"), &Unguarded).await.unwrap();
        let second = other.put_part(0, &PutPayload::from_static(b"other"), &Unguarded).await.unwrap();
        other.complete(vec![second], &Unguarded).await.unwrap();
        assert_eq!(bench.read().await.as_deref(), Some(&b"other"[..]));
        one.complete(vec![first], &Unguarded).await.unwrap();
        assert_eq!(bench.read().await.as_deref(), Some(&b"one"[..]));
    }
}

#[tokio::test]
async fn an_object_with_a_part_left_out_is_not_made() {
    for bench in Bench::both("left-out") {
        let object = bench.prefix.grow("c/0", 4, &Unguarded).await.unwrap();
        let part = object.put_part(1, &PutPayload::from_static(b"4567"), &Unguarded).await.unwrap();
        object.complete(vec![part], &Unguarded).await.unwrap_err();
        assert_eq!(bench.read().await, None);
    }
}
