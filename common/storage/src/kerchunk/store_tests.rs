use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use crate::{
    Access, CountingObserver, Effect, ErrorClass, FaultRule, Faults, Operation, Prefix, Referred, RequestKind,
    RetryPolicy, StorageError, StoreConfig, StoreProfile, StoreUrl, Stores, Unguarded,
    prefix::{Limits, Request},
};

/// Stores in memory, with one index and what it refers to.
pub(super) struct Bench {
    pub(super) stores: Stores,
    pub(super) seen: Arc<CountingObserver>,
    pub(super) faults: Arc<Faults>,
    pub(super) name: String,
}

pub(super) fn url(text: &str) -> StoreUrl {
    StoreUrl::parse(text).unwrap()
}

impl Bench {
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, StoreConfig::environment())
    }

    pub(super) fn with(name: &str, config: StoreConfig) -> Self {
        let retry = RetryPolicy { base_delay: Duration::ZERO, ..RetryPolicy::default() };
        let (seen, faults) = (Arc::new(CountingObserver::new()), Arc::new(Faults::new()));
        let stores = Stores::new(config.with_retry(retry)).with_observer(seen.clone()).with_faults(faults.clone());
        Self { stores, seen, faults, name: format!("memory://kerchunk-{name}") }
    }

    /// Whatever the profiles allow.
    pub(super) async fn put(&self, key: &str, data: impl Into<Vec<u8>>) {
        let place = Stores::new(StoreConfig::environment()).open(&url(&self.name), Access::ReadWrite).unwrap();
        place.put(key, data.into(), &Unguarded).await.unwrap();
    }

    /// An index of these references, in which `@` is the place of this bench.
    async fn index(&self, refs: &str) {
        self.put("d/refs.json", refs.replace('@', &self.name)).await;
    }

    fn open(&self, key: &str) -> Prefix {
        self.stores.open(&self.url(key), Access::Read).unwrap()
    }

    fn url(&self, key: &str) -> StoreUrl {
        url(&format!("kerchunk+{}/d/refs.json/{key}", self.name))
    }
}

/// Of a read of the object at `url`.
pub(super) async fn limits(prefix: &Prefix, url: &str) -> Limits {
    let (kind, operation) = (RequestKind::Get, Operation::Read);
    let urls = [url.to_owned()];
    prefix.limits(&Request { kind, operation, urls: &urls, bytes: 0, guard: None, first_attempt: 1 }).await.unwrap()
}

pub(super) fn class<T: std::fmt::Debug>(answer: Result<T, StorageError>) -> (ErrorClass, String) {
    let error = answer.unwrap_err();
    (error.class, error.to_string())
}

#[tokio::test]
async fn every_kind_of_reference_is_read_as_an_object_is() {
    let bench = Bench::new("kinds");
    bench.put("x.nc", "..0123456789..").await;
    bench.put("whole", "0123456789").await;
    let refs = r#"{"p/inline":"0123456789","p/base64":"base64:MDEyMzQ1Njc4OQ==",
        "p/part":["@/x.nc",2,10],"p/whole":["@/whole"]}"#;
    bench.index(refs).await;
    let prefix = bench.open("p");
    for key in ["inline", "base64", "part", "whole"] {
        assert_eq!(prefix.get(key).await.unwrap().as_deref(), Some(&b"0123456789"[..]), "{key}");
        assert_eq!(prefix.get_sized(key).await.unwrap().unwrap().content_length(), 10);
        assert_eq!(prefix.get_range(key, 2..5).await.unwrap().as_deref(), Some(&b"234"[..]), "{key}");
        assert_eq!(prefix.get_range_of(key, 0..10, 10).await.unwrap().as_deref(), Some(&b"0123456789"[..]), "{key}");
        assert_eq!(prefix.get_suffix(key, 3).await.unwrap().as_deref(), Some(&b"789"[..]), "{key}");
        assert_eq!(prefix.get_suffix(key, 30).await.unwrap().as_deref(), Some(&b"0123456789"[..]), "{key}");
        let ranges = prefix.get_ranges(key, &[7..9, 0..2]).await.unwrap().unwrap();
        assert_eq!(ranges, ["78", "01"], "{key}");
        assert_eq!(prefix.head(key).await.unwrap().map(|info| info.size), Some(10), "{key}");
        for beyond in [8..11, 10..11, 20..30] {
            assert_eq!(class(prefix.get_range(key, beyond.clone()).await).0, ErrorClass::Corrupt, "{key} {beyond:?}");
        }
        assert_eq!(class(prefix.get_range_of(key, 0..4, 9).await).0, ErrorClass::Corrupt, "{key}");
    }
    assert_eq!(prefix.get("none").await.unwrap(), None);
    assert!(prefix.get_sized("none").await.unwrap().is_none());
    assert_eq!(prefix.get_range("none", 0..4).await.unwrap(), None);
    assert_eq!(prefix.head("none").await.unwrap(), None);
}

#[tokio::test]
async fn local_files_are_read_through_a_local_index() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::write(root.join("x.nc"), "..0123456789..").unwrap();
    let refs = format!(r#"{{"a":["{0}/x.nc",2,10],"b":["file://{0}/x.nc"],"c":["{0}/none",0,1]}}"#, root.display());
    std::fs::write(root.join("refs.json"), refs).unwrap();
    let stores = Stores::new(StoreConfig::environment());
    let prefix = stores.open(&url(&format!("kerchunk+{}/refs.json", root.display())), Access::Read).unwrap();
    assert_eq!(prefix.get("a").await.unwrap().as_deref(), Some(&b"0123456789"[..]));
    assert_eq!(prefix.get_range("a", 2..5).await.unwrap().as_deref(), Some(&b"234"[..]));
    assert_eq!(prefix.get("b").await.unwrap().as_deref(), Some(&b"..0123456789.."[..]));
    let (kind, message) = class(prefix.get("c").await);
    assert!(kind == ErrorClass::Missing && message.contains("/none: it is not there"), "no missing chunk: {message}");
}

#[tokio::test]
async fn what_it_knows_is_listed_without_a_request() {
    let bench = Bench::new("listed");
    bench.put("w", "12345").await;
    bench.index(r#"{"g/a/0":["@/none",0,7],"g/a/1":"xy","g/a-b/0":"","g/top":["@/w"],"h":""}"#).await;
    let prefix = bench.open("");
    let listed = async |prefix: &Prefix, below: &str| {
        let found: Vec<_> = prefix.list(below).map_ok(|info| (info.key, info.size)).try_collect().await.unwrap();
        found
    };
    let all = [("g/a-b/0", 0), ("g/a/0", 7), ("g/a/1", 2), ("g/top", 5), ("h", 0)];
    assert_eq!(listed(&prefix, "").await, all.map(|(key, size)| (key.to_owned(), size)));
    assert_eq!(listed(&bench.open("g/a"), "").await, [("0".to_owned(), 7), ("1".to_owned(), 2)]);
    assert_eq!(listed(&prefix, "g/top").await, [], "an object is not below itself");
    let found = prefix.list_directory("g").await.unwrap();
    assert_eq!(found.directories, ["a", "a-b"]);
    assert_eq!(found.objects.iter().map(|info| (info.key.as_str(), info.size)).collect::<Vec<_>>(), [("g/top", 5)]);
    assert_eq!(prefix.list_directory("").await.unwrap().directories, ["g"]);
    assert!(prefix.can_list() && !prefix.is_empty().await.unwrap() && bench.open("none").is_empty().await.unwrap());
    // After a key, as a listing goes on that broke off.
    let client = &prefix.place.client;
    let after: Vec<_> = client.list_with_offset(Some(&"g".into()), &"g/a/0".into()).try_collect().await.unwrap();
    assert_eq!(after.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["g/a/1", "g/top"]);
}

#[tokio::test]
async fn nothing_is_written() {
    let bench = Bench::new("writes");
    bench.index(r#"{"a":"b"}"#).await;
    let (kind, message) = class(bench.stores.open(&bench.url("a"), Access::ReadWrite));
    assert!(kind == ErrorClass::Unsupported && message.contains("can only be read"), "{message}");
    let prefix = bench.open("");
    assert_eq!(class(prefix.put("c", "d", &Unguarded).await).0, ErrorClass::Denied);
    let client = &prefix.place.client;
    assert!(client.put(&"c".into(), "d".into()).await.is_err());
    assert!(client.delete(&"a".into()).await.is_err() && client.copy(&"a".into(), &"c".into()).await.is_err());
    assert!(!prefix.shares_store_with(&prefix));
}

#[tokio::test]
async fn the_index_is_read_once_by_all_and_again_when_it_changed() {
    let bench = Bench::new("once");
    bench.index(r#"{"a":"first"}"#).await;
    let index = format!("{}/d/refs.json", bench.name);
    let prefixes: Vec<_> = (0..5).map(|_| bench.open("")).collect();
    let reads = prefixes.iter().map(|prefix| prefix.get("a"));
    let answers = futures::future::try_join_all(reads).await.unwrap();
    assert!(answers.iter().all(|answer| answer.as_deref() == Some(b"first")));
    assert_eq!(bench.seen.count_of(RequestKind::Get, &index), 1);
    assert_eq!(bench.seen.count_of(RequestKind::Head, &index), 5, "each prefix asks whether it changed");
    prefixes[0].get("a").await.unwrap();
    assert_eq!(bench.seen.count_of(RequestKind::Head, &index), 5, "and no prefix twice");
    let before = prefixes[0].head("a").await.unwrap().unwrap();
    bench.index(r#"{"a":"other"}"#).await;
    assert_eq!(prefixes[0].get("a").await.unwrap().as_deref(), Some(&b"first"[..]), "what was opened stays as it is");
    let prefix = bench.open("");
    assert_eq!(prefix.get("a").await.unwrap().as_deref(), Some(&b"other"[..]));
    let now = prefix.head("a").await.unwrap().unwrap();
    assert_eq!(bench.seen.count_of(RequestKind::Get, &index), 2);
    assert!(before.size == now.size && before.etag.is_some() && before.etag != now.etag, "a pin shows the change");
}

#[tokio::test]
async fn an_index_that_cannot_be_used_says_why() {
    let bench = Bench::new("unusable");
    let (kind, message) = class(bench.open("").get("a").await);
    assert!(kind == ErrorClass::Missing && message.contains("d/refs.json: it is not there"), "{message}");
    bench.index(r#"{"a":["x.nc",0,1]}"#).await;
    for (kind, message) in [
        class(bench.open("g").get("a").await),
        class(bench.open("g").head("a").await),
        class(bench.open("g").list("").try_collect::<Vec<_>>().await),
        class(bench.open("g").list_directory("").await),
    ] {
        let is_named = message.contains("d/refs.json") && message.contains(r#"key "a""#) && message.contains("x.nc");
        assert!(kind == ErrorClass::BadIndex && is_named, "{message}");
    }
    bench.index("{}").await;
    assert_eq!(bench.open("g").get("a").await.unwrap(), None, "it was put right");
}

#[tokio::test]
async fn a_reference_to_what_is_not_there_or_is_shorter_is_no_missing_key() {
    let bench = Bench::new("dangling");
    bench.put("short", "0123").await;
    bench
        .index(r#"{"a":["@/none",0,4],"b":["@/none"],"c":["@/short",2,4],"d":["@/short",9,1],"e":["@/none",3,0]}"#)
        .await;
    let prefix = bench.open("");
    for (key, expected) in
        [("a", ErrorClass::Missing), ("b", ErrorClass::Missing), ("c", ErrorClass::Corrupt), ("d", ErrorClass::Corrupt)]
    {
        let (kind, message) = class(prefix.get(key).await);
        assert!(kind == expected && message.contains(&bench.name), "{key}: {message}");
    }
    assert_eq!(class(prefix.head("b").await).0, ErrorClass::Missing);
    assert_eq!(prefix.get("e").await.unwrap().as_deref(), Some(&b""[..]), "nothing is asked for");
}

#[tokio::test]
async fn the_index_gives_no_access_to_what_it_refers_to() {
    let name = "profiles";
    let at = |path: &str| url(&format!("memory://kerchunk-{name}/{path}"));
    let profiles = vec![StoreProfile::new(at("d"), Access::Read), StoreProfile::new(at("open"), Access::Read)];
    let bench = Bench::with(name, StoreConfig::of_profiles(profiles));
    bench.put("open/x", "seen").await;
    bench.put("secret/x", "hidden").await;
    bench.index(r#"{"a/0":["@/open/x",0,4],"b/0":["@/secret/x",0,6],"b/1":"in"}"#).await;
    assert_eq!(bench.open("a").get("0").await.unwrap().as_deref(), Some(&b"seen"[..]));
    assert_eq!(bench.open("b").get("1").await.unwrap().as_deref(), Some(&b"in"[..]));
    let (kind, message) = class(bench.open("b").get("0").await);
    assert!(kind == ErrorClass::Denied && message.contains("/secret/x") && message.contains("[[stores]]"), "{message}");
    let referred = async |keys: &[&str], apart| bench.open("").referred(keys, apart).await;
    let found = referred(&["a"], vec![at("open/xy"), at("closed")]).await.unwrap();
    assert_eq!(found, Referred { example: Some(at("open/x")), overlap: None });
    let found = referred(&["a"], vec![at("closed"), at("open")]).await.unwrap();
    assert_eq!(found.overlap, Some((at("open/x"), at("open"))));
    assert_eq!(referred(&["none"], vec![at("open")]).await.unwrap(), Referred::default());
    let (kind, message) = class(referred(&["a", "b"], Vec::new()).await);
    assert!(kind == ErrorClass::Denied && message.contains("/secret/x") && message.contains("refs.json"), "{message}");
    let outside = url(&format!("kerchunk+memory://kerchunk-{name}/secret/r.json"));
    assert_eq!(class(bench.stores.open(&outside, Access::Read)).0, ErrorClass::Denied, "nor is any index read");
}

#[tokio::test]
async fn an_index_from_elsewhere_does_not_lead_to_local_files_that_nobody_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::write(root.join("x"), "mine").unwrap();
    let refs = format!(r#"{{"a":["file://{}/x",0,4]}}"#, root.display());
    let bench = Bench::new("local");
    bench.index(&refs).await;
    let (kind, message) = class(bench.open("").get("a").await);
    assert!(kind == ErrorClass::Denied && message.contains("[[stores]]"), "{message}");
    let profile = StoreProfile::new(url(&root.display().to_string()), Access::Read);
    let bench = Bench::with("local", StoreConfig::environment().with_profile(profile));
    assert_eq!(bench.open("").get("a").await.unwrap().as_deref(), Some(&b"mine"[..]));
}

#[tokio::test]
async fn what_fails_in_passing_is_asked_for_again_with_the_traffic_of_its_store() {
    let bench = Bench::with("faults", StoreConfig::environment().with_traffic_everywhere());
    bench.put("x", "0123456789").await;
    bench.index(r#"{"a":["@/x",2,3],"b":"data"}"#).await;
    let prefix = bench.open("");
    bench.faults.add(FaultRule::every(RequestKind::Get, Effect::Throttle(None)).on("refs.json/a").times(2));
    assert_eq!(prefix.get("a").await.unwrap().as_deref(), Some(&b"234"[..]));
    assert_eq!(bench.seen.repeated(), 2);
    let traffic = async |prefix: &Prefix, key: &str| limits(prefix, &bench.url(key).to_string()).await.traffic;
    let store = traffic(&bench.stores.open(&url(&bench.name), Access::Read).unwrap(), "a").await.unwrap();
    assert!(Arc::ptr_eq(&store, &traffic(&prefix, "a").await.unwrap()), "shared with all that ask that store");
    assert!(traffic(&prefix, "b").await.is_none() && traffic(&prefix, "none").await.is_none());
}

#[tokio::test]
async fn requests_keep_to_the_rate_of_the_store_that_is_referred_to() {
    let name = "rates";
    let mut profile = StoreProfile::new(url(&format!("memory://kerchunk-{name}/data")), Access::Read);
    profile.limits.gets = Some(rechunk_common::request_rate::RequestRate::per_second(1));
    let bench = Bench::with(name, StoreConfig::environment().with_profile(profile));
    bench.put("data/x", "0123456789").await;
    bench.index(r#"{"a":["@/data/x",2,3],"b":"data"}"#).await;
    let prefix = bench.open("");
    for (key, is_limited) in [("a", true), ("b", false)] {
        let limits = limits(&prefix, &bench.url(key).to_string()).await;
        assert_eq!(prefix.turnstile(RequestKind::Get, &limits).is_some(), is_limited, "{key}");
    }
}
