//! The names are what the documentation says, and requests are counted where they belong.

use std::{collections::BTreeSet, fmt::Write, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;
use rechunk_storage::{Access, ErrorClass, Observer, RequestKind, StoreConfig, StoreProfile, StoreUrl};

use crate::{Kind, Metric, StoreMetrics, names::ALL};

const DOCUMENTED: &str = include_str!("../../../deploy/METRICS.md");

/// The table of `deploy/METRICS.md`.
fn table() -> String {
    let mut table = "| name | kind | labels | program | |\n|---|---|---|---|---|\n".to_owned();
    for Metric { name, kind, labels, shown, help } in ALL {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let (kind, shown, labels) = (kind.as_str(), shown.as_str(), labels.join(", "));
        writeln!(table, "| `{name}` | {kind} | {labels} | {shown} | {help} |").expect("a string");
    }
    table
}

#[test]
fn the_documentation_lists_every_metric_and_no_other() {
    let expected = table();
    assert!(DOCUMENTED.contains(&expected), "deploy/METRICS.md should have this table:\n{expected}");
    let names = DOCUMENTED.split('`').filter(|word| word.starts_with("rechunk_"));
    let known: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    let unknown: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "there are no metrics {unknown:?}");
}

#[test]
fn a_name_is_unique_and_says_its_unit() {
    let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        assert!(metric.name.starts_with("rechunk_"), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
        if metric.kind == Kind::Histogram {
            assert!(metric.name.ends_with("_seconds"), "{}: all histograms have the bounds of times", metric.name);
        }
    }
}

/// What `counted` makes of two tables, one of which lies in the other.
fn shown(counted: impl FnOnce(&StoreMetrics)) -> String {
    let profile = |prefix: &str| StoreProfile::new(StoreUrl::parse(prefix).expect("a URL"), Access::ReadWrite);
    let config = StoreConfig::of_profiles(vec![profile("s3://bucket"), profile("s3://bucket/deep/")]);
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    ::metrics::with_local_recorder(&recorder, || counted(&StoreMetrics::new(&config)));
    handle.render()
}

#[test]
fn a_request_counts_for_the_table_that_covers_it_by_whole_segments() {
    let text = shown(|metrics| {
        for url in ["s3://bucket/deep/a", "s3://bucket/deeper/a", "s3://bucket/deep", "s3://buckets/a", "s3://bucket/b"]
        {
            metrics.request(RequestKind::Head, url, 0, 1);
        }
    });
    for (store, count) in [("s3://bucket/deep", 2), ("s3://bucket", 2), ("other", 1)] {
        let line = format!("rechunk_store_requests_total{{store=\"{store}\",kind=\"head\"}} {count}\n");
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}

#[test]
fn bytes_failures_and_repetitions_are_counted() {
    let text = shown(|metrics| {
        metrics.request(RequestKind::Get, "s3://bucket/a", 5000, 1);
        metrics.answered(RequestKind::Get, "s3://bucket/a", Duration::from_millis(2), Some(ErrorClass::TryAgain));
        metrics.request(RequestKind::Get, "s3://bucket/a", 5000, 2);
        metrics.received("s3://bucket/a", 70);
        metrics.answered(RequestKind::Get, "s3://bucket/a", Duration::from_millis(2), None);
        metrics.request(RequestKind::Part, "s3://bucket/a", 11, 1);
        metrics.request(RequestKind::Put, "s3://bucket/a", 13, 1);
        metrics.waited(RequestKind::Put, "s3://bucket/a", Duration::from_secs(1));
    });
    let of = |name: &str, labels: &str| format!("{name}{{store=\"s3://bucket\",{labels}}}");
    for (series, value) in [
        (of("rechunk_store_bytes_total", "kind=\"get\""), 70),
        (of("rechunk_store_bytes_total", "kind=\"part\""), 11),
        (of("rechunk_store_bytes_total", "kind=\"put\""), 13),
        (of("rechunk_store_repeated_requests_total", "kind=\"get\""), 1),
        (of("rechunk_store_request_failures_total", "class=\"try_again\""), 1),
        (of("rechunk_store_request_failures_total", "class=\"denied\""), 0),
        (of("rechunk_store_request_seconds_count", "kind=\"get\""), 2),
        ("rechunk_store_rate_wait_seconds_count{store=\"s3://bucket\"}".to_owned(), 1),
    ] {
        assert!(text.contains(&format!("{series} {value}\n")), "{series} {value} in\n{text}");
    }
}
