use futures::TryStreamExt;
use rechunk_common::limits::MAX_RECORDS_LOOKED_AT;
use serde_json::json;

use super::{
    super::store_tests::{Bench, class, limits, url},
    written::{Row, record},
};
use crate::{
    Access, Effect, ErrorClass, FaultRule, Prefix, Referred, RequestKind, StoreConfig, StoreProfile, Stores, Unguarded,
};

/// Rows of a record.
const SIZE: u64 = 10;

/// Of an array of 45 chunks, of which each tenth is missing and record 3 has no file; and of one without axes.
async fn bench(name: &str, config: StoreConfig) -> Bench {
    let bench = Bench::with(&format!("records-{name}"), config);
    let zarray = |shape: &[u64], chunks: &[u64]| json!({"shape": shape, "chunks": chunks});
    let metadata = json!({
        ".zgroup": {"zarr_format": 2},
        "g/.zgroup": {},
        "g/a/.zarray": zarray(&[9, 5], &[1, 1]),
        "g/a/.zattrs": {"units": "K"},
        "s/.zarray": zarray(&[], &[]),
    });
    bench.put("d/refs.parq/.zmetadata", json!({"metadata": metadata, "record_size": SIZE}).to_string()).await;
    bench.put("x.nc", "0123456789".repeat(10)).await;
    for number in [0, 1, 2, 4] {
        bench.put(&file("g/a", number), record(&rows(&bench, number, "x.nc"))).await;
    }
    let mut scalar = vec![Row::Missing; 10];
    scalar[0] = Row::Inline(b"one");
    bench.put(&file("s", 0), record(&scalar)).await;
    bench
}

fn file(array: &str, number: u64) -> String {
    format!("d/refs.parq/{array}/refs.{number}.parq")
}

/// Chunk `n` is the bytes `n` and `n + 1` of `name`; those behind the last one are beyond the array.
fn rows(bench: &Bench, number: u64, name: &str) -> Vec<Row> {
    let row = |row: u64| {
        let chunk = i64::try_from(number * SIZE + row).unwrap();
        if row == 3 { Row::Missing } else { Row::Part(format!("{}/{name}", bench.name), chunk, 2) }
    };
    (0..SIZE).map(row).collect()
}

fn place(bench: &Bench, key: &str) -> crate::StoreUrl {
    url(&format!("kerchunk+{}/d/refs.parq/{key}", bench.name))
}

fn open(bench: &Bench, key: &str) -> Prefix {
    bench.stores.open(&place(bench, key), Access::Read).unwrap()
}

fn reads(bench: &Bench, kind: RequestKind, array: &str, number: u64) -> u64 {
    bench.seen.count_of(kind, &format!("{}/{}", bench.name, file(array, number)))
}

#[tokio::test]
async fn chunks_are_read_by_the_rows_of_their_records() {
    let bench = bench("rows", StoreConfig::environment()).await;
    let prefix = open(&bench, "");
    for (key, expected) in [
        ("g/a/0.0", Some("01")),
        ("g/a/0.3", None),
        ("g/a/2.4", Some("45")),
        ("g/a/5.4", Some("90")),
        ("g/a/8.4", Some("45")),
        ("g/a/7.0", None),
        ("g/a/9.0", None),
        ("g/a/0", None),
        ("s/0", Some("one")),
        ("g/a/.zattrs", Some(r#"{"units":"K"}"#)),
        (".zgroup", Some(r#"{"zarr_format":2}"#)),
        (".zmetadata", None),
    ] {
        assert_eq!(prefix.get(key).await.unwrap().as_deref(), expected.map(str::as_bytes), "{key}");
        let length = expected.map(|text| text.len() as u64);
        assert_eq!(prefix.head(key).await.unwrap().map(|info| info.size), length, "{key}");
    }
    let array = open(&bench, "g/a");
    assert_eq!(array.get_range("1.0", 1..2).await.unwrap().as_deref(), Some(&b"6"[..]));
    assert_eq!(array.get_suffix("1.0", 1).await.unwrap().as_deref(), Some(&b"6"[..]));
}

#[tokio::test]
async fn only_the_records_that_are_asked_for_are_read_and_each_once_by_all() {
    let bench = bench("once", StoreConfig::environment()).await;
    let prefixes: Vec<_> = (0..5).map(|_| open(&bench, "g/a")).collect();
    let all = prefixes.iter().flat_map(|prefix| ["0.1", "0.2", "4.1", "4.2", "6.1"].map(|key| prefix.get(key)));
    futures::future::try_join_all(all).await.unwrap();
    for (number, gets, heads) in [(0, 1, 5), (1, 0, 0), (2, 1, 5), (3, 0, 5), (4, 0, 0)] {
        assert_eq!(reads(&bench, RequestKind::Get, "g/a", number), gets, "record {number}");
        assert_eq!(reads(&bench, RequestKind::Head, "g/a", number), heads, "of record {number}, one by each prefix");
    }
    assert_eq!(reads(&bench, RequestKind::Get, "s", 0), 0);
    let document = format!("{}/d/refs.parq/.zmetadata", bench.name);
    assert_eq!(bench.seen.count_of(RequestKind::Get, &document), 1);
}

#[tokio::test]
async fn a_record_that_was_replaced_is_read_again_by_who_comes_later() {
    let bench = bench("replaced", StoreConfig::environment()).await;
    bench.put("y.nc", "abcdefghijklm").await;
    let (early, late) = (open(&bench, "g/a"), open(&bench, "g/a"));
    assert_eq!(early.get("0.0").await.unwrap().as_deref(), Some(&b"01"[..]));
    bench.put(&file("g/a", 0), record(&rows(&bench, 0, "y.nc"))).await;
    assert_eq!(early.get("0.0").await.unwrap().as_deref(), Some(&b"01"[..]), "what was read stays as it is");
    assert_eq!(late.get("0.0").await.unwrap().as_deref(), Some(&b"ab"[..]));
    let (kind, message) = class(early.get("0.1").await);
    assert!(
        kind == ErrorClass::TryAgain && message.contains("refs.0.parq") && message.contains("changed"),
        "{message}"
    );
}

#[tokio::test]
async fn a_pin_of_an_array_shows_a_change_of_its_records() {
    let bench = bench("pins", StoreConfig::environment()).await;
    let pin = async |key: &str| open(&bench, "").head(key).await.unwrap().unwrap().etag.unwrap();
    let (array, scalar, group) = (pin("g/a/.zarray").await, pin("s/.zarray").await, pin("g/.zgroup").await);
    assert_eq!(array, pin("g/a/.zarray").await);
    bench.put(&file("g/a", 2), record(&rows(&bench, 2, "y.nc"))).await;
    let changed = pin("g/a/.zarray").await;
    assert_ne!(array, changed, "a record is another one");
    bench.put(&file("g/a", 3), record(&rows(&bench, 3, "x.nc"))).await;
    assert_ne!(changed, pin("g/a/.zarray").await, "one came");
    assert_eq!((scalar, group), (pin("s/.zarray").await, pin("g/.zgroup").await), "which no other has to do with");
    assert_eq!(reads(&bench, RequestKind::Get, "g/a", 2), 0);
}

#[tokio::test]
async fn what_there_is_is_listed_by_the_records() {
    let bench = bench("listed", StoreConfig::environment()).await;
    let prefix = open(&bench, "");
    assert!(prefix.can_list() && !prefix.is_empty().await.unwrap() && open(&bench, "none").is_empty().await.unwrap());
    assert_eq!(reads(&bench, RequestKind::Head, "g/a", 0), 0, "documents come first");
    let keys = async |prefix: &Prefix, below: &str| -> Vec<String> {
        prefix.list(below).map_ok(|info| info.key).try_collect().await.unwrap()
    };
    let chunks: Vec<u64> = (0..45).filter(|chunk| chunk % 10 != 3 && chunk / 10 != 3).collect();
    let expected: Vec<_> = chunks.iter().map(|chunk| format!("{}.{}", chunk / 5, chunk % 5)).collect();
    let found = keys(&open(&bench, "g/a"), "").await;
    assert_eq!(found[..2], [".zarray", ".zattrs"]);
    assert_eq!(found[2..], expected);
    let all = keys(&prefix, "").await;
    assert_eq!(all.len(), 5 + chunks.len() + 1);
    assert_eq!((all.last().map(String::as_str), keys(&prefix, "s").await.len()), (Some("s/0"), 2));
    let sizes: Vec<_> = open(&bench, "g/a").list("").map_ok(|info| info.size).try_collect().await.unwrap();
    assert!(sizes[2..].iter().all(|size| *size == 2));
    // After a key, as a listing goes on that broke off.
    let client = &prefix.place.client;
    for (after, count) in [(".zgroup", all.len() - 1), ("g/a/.zattrs", chunks.len() + 2), ("g/a/2.1", 21), ("s/0", 0)] {
        let rest: Vec<_> = client.list_with_offset(None, &after.into()).try_collect().await.unwrap();
        let rest: Vec<_> = rest.iter().map(|meta| meta.location.to_string()).collect();
        assert_eq!(rest, all[all.len() - count..], "after {after}");
    }
}

#[tokio::test]
async fn levels_are_listed_without_the_records_of_what_lies_deeper() {
    let bench = bench("levels", StoreConfig::environment()).await;
    let level = async |key: &str| {
        let level = open(&bench, "").list_directory(key).await.unwrap();
        (level.objects.into_iter().map(|info| info.key).collect::<Vec<_>>(), level.directories)
    };
    assert_eq!(level("").await, (vec![".zgroup".to_owned()], vec!["g".to_owned(), "s".to_owned()]));
    assert_eq!(level("g").await, (vec!["g/.zgroup".to_owned()], vec!["a".to_owned()]));
    assert_eq!(reads(&bench, RequestKind::Head, "g/a", 0), 0);
    assert_eq!(level("s").await, (vec!["s/.zarray".to_owned(), "s/0".to_owned()], vec![]));
}

#[tokio::test]
async fn what_cannot_be_used_says_which_file_and_why() {
    let bench = bench("unusable", StoreConfig::environment()).await;
    bench.put(&file("g/a", 0), "{}").await;
    bench.put(&file("g/a", 1), record(&rows(&bench, 1, "x.nc")[..4])).await;
    bench.put(&file("g/a", 2), record(&[vec![Row::Missing; 5], vec![Row::Whole("x.nc".to_owned()); 5]].concat())).await;
    for (key, words) in [
        ("0.0", ["a/refs.0.parq", "it is no Parquet file"]),
        ("3.0", ["a/refs.1.parq", "it has 4 rows, and row 5 is that of a chunk"]),
        ("4.0", ["a/refs.2.parq", "its row 5: it refers to \"x.nc\", which is no whole URL"]),
    ] {
        for (kind, message) in [class(open(&bench, "g/a").get(key).await), class(open(&bench, "g/a").head(key).await)] {
            assert!(
                kind == ErrorClass::BadIndex && words.iter().all(|word| message.contains(word)),
                "{key}: {message}"
            );
        }
    }
    assert_eq!(open(&bench, "g/a").get("2.1").await.unwrap().as_deref(), Some(&b"12"[..]), "its row is there");
    let (kind, message) = class(open(&bench, "g/a").list("").try_collect::<Vec<_>>().await);
    assert!(kind == ErrorClass::BadIndex && message.contains("refs.0.parq"), "{message}");
    bench.put("d/refs.parq/.zmetadata", r#"{"metadata":{"a/.zarray":{}},"record_size":5}"#).await;
    let (kind, message) = class(open(&bench, "g/a").get("0.0").await);
    let is_named = message.contains("d/refs.parq") && message.contains(r#"key "a/.zarray""#);
    assert!(kind == ErrorClass::BadIndex && is_named, "{message}");
    let nothing = url(&format!("kerchunk+{}/none.parq/a", bench.name));
    let (kind, message) = class(bench.stores.open(&nothing, Access::Read).unwrap().get("0").await);
    assert!(kind == ErrorClass::Missing && message.contains("its .zmetadata is not there"), "{message}");
}

#[tokio::test]
async fn all_that_the_records_refer_to_is_looked_at() {
    let at = |path: &str| url(&format!("memory://kerchunk-records-profiles/{path}"));
    let profiles = ["d", "x.nc"].map(|path| StoreProfile::new(at(path), Access::Read));
    let bench = bench("profiles", StoreConfig::of_profiles(profiles.to_vec())).await;
    let referred = async |keys: &[&str], apart| open(&bench, "").referred(keys, apart).await;
    assert_eq!(referred(&["s"], vec![at("x.nc")]).await.unwrap(), Referred::default());
    let found = referred(&["g", "g/a"], vec![at("y.nc")]).await.unwrap();
    assert_eq!(found, Referred { example: Some(at("x.nc")), overlap: None });
    let found = referred(&["g"], vec![at("x.nc")]).await.unwrap();
    assert_eq!(found.overlap, Some((at("x.nc"), at("x.nc"))));
    // In the last record only.
    bench.put(&file("g/a", 4), record(&rows(&bench, 4, "y.nc"))).await;
    let (kind, message) = class(referred(&["g/a"], Vec::new()).await);
    assert!(kind == ErrorClass::Denied && message.contains("/y.nc") && message.contains("[[stores]]"), "{message}");
    let zarray = json!({"shape": [(MAX_RECORDS_LOOKED_AT + 1) * SIZE], "chunks": [1]});
    let text = json!({"metadata": {"a/.zarray": zarray}, "record_size": SIZE}).to_string();
    bench.put("d/refs.parq/.zmetadata", text).await;
    let (kind, message) = class(referred(&["a"], Vec::new()).await);
    assert!(kind == ErrorClass::BadIndex && message.contains("4097 records"), "{message}");
}

#[tokio::test]
async fn requests_keep_to_the_limits_of_the_store_that_a_record_refers_to() {
    let config = StoreConfig::environment().with_traffic_everywhere();
    let mut profile = StoreProfile::new(url("memory://kerchunk-records-limits/x.nc"), Access::Read);
    profile.limits.gets = Some(rechunk_common::request_rate::RequestRate::per_second(1000));
    let bench = bench("limits", config.with_profile(profile)).await;
    let prefix = open(&bench, "");
    for (key, is_far) in [("g/a/0.0", true), ("g/a/0.3", false), ("s/0", false), ("g/a/.zattrs", false)] {
        let limits = limits(&prefix, &place(&bench, key).to_string()).await;
        assert_eq!(limits.traffic.is_some(), is_far, "{key}");
        assert_eq!(prefix.turnstile(RequestKind::Get, &limits).is_some(), is_far, "{key}");
    }
    bench.faults.add(FaultRule::every(RequestKind::Get, Effect::Throttle(None)).on("refs.1.parq").times(2));
    assert_eq!(open(&bench, "").get("g/a/2.1").await.unwrap().as_deref(), Some(&b"12"[..]));
    bench.faults.add(FaultRule::every(RequestKind::Head, Effect::Throttle(None)).on("refs.0.parq").times(2));
    assert_eq!(open(&bench, "").get("g/a/0.1").await.unwrap().as_deref(), Some(&b"12"[..]));
    assert_eq!(bench.seen.repeated(), 4);
}

#[tokio::test]
async fn local_records_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("r.parquet/a")).unwrap();
    std::fs::write(root.join("x"), "..0123..").unwrap();
    let metadata = json!({"metadata": {"a/.zarray": {"shape": [3], "chunks": [1]}}, "record_size": 2});
    std::fs::write(root.join("r.parquet/.zmetadata"), metadata.to_string()).unwrap();
    let rows =
        [Row::Part(format!("file://{}/x", root.display()), 2, 4), Row::Whole(format!("{}/none", root.display()))];
    std::fs::write(root.join("r.parquet/a/refs.0.parq"), record(&rows)).unwrap();
    let stores = Stores::new(StoreConfig::environment());
    let prefix = stores.open(&url(&format!("kerchunk+{}/r.parquet/a", root.display())), Access::Read).unwrap();
    assert_eq!(prefix.get("0").await.unwrap().as_deref(), Some(&b"0123"[..]));
    let (kind, message) = class(prefix.get("1").await);
    assert!(kind == ErrorClass::Missing && message.contains("/none: it is not there"), "no missing chunk: {message}");
    assert_eq!(prefix.get("2").await.unwrap(), None, "there is no such record");
    assert!(prefix.put("0", "x", &Unguarded).await.is_err());
}
