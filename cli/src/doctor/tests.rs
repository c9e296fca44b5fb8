//! Findings, and what they advise.

use rechunk_common::{ByteCount, ids::WorkerId, session::Capacity};
use rechunk_storage::{Access, StoreConfig, StoreProfile, StoreUrl, Stores};

use super::{
    store::{Seen, judge, judge_listing},
    *,
};

const NOON: u64 = 1_700_000_000_000;

fn worker(name: &str, version: &str, draining: bool, heard: u64) -> WorkerView {
    let total = Capacity { memory: ByteCount(1 << 30), scratch: ByteCount(0), slots: 2 };
    WorkerView {
        id: WorkerId::from(name),
        version: version.to_owned(),
        total,
        free: total,
        leased_tasks: 0,
        draining,
        functions: Vec::new(),
        last_heard_at_ms: heard,
    }
}

fn verdicts(findings: &[Finding]) -> Vec<(String, Verdict)> {
    findings.iter().map(|finding| (finding.check.clone(), finding.verdict)).collect()
}

fn of(check: &str, verdict: Verdict) -> (String, Verdict) {
    (check.to_owned(), verdict)
}

#[test]
fn a_fleet_without_workers_that_take_work_is_a_warning() {
    let expected = [of("workers", Verdict::Warning), of("clock", Verdict::Good)];
    assert_eq!(verdicts(&of_workers(&[], "1", NOON)), expected);
    assert_eq!(verdicts(&of_workers(&[worker("w", "1", true, NOON)], "1", NOON)), expected);
}

#[test]
fn clocks_that_differ_and_versions_that_differ_are_said() {
    let far = [worker("w", "1", false, NOON - 600_000), worker("v", "2", false, NOON - 900_000)];
    let findings = of_workers(&far, "1", NOON);
    let expected =
        [of("workers", Verdict::Good), of("versions of workers", Verdict::Warning), of("clock", Verdict::Bad)];
    assert_eq!(verdicts(&findings), expected);
    assert!(findings[1].message.contains("v;") && findings[2].message.contains("600 s"), "{findings:?}");
    let near = [worker("w", "1", false, NOON + 60_000)];
    assert_eq!(verdicts(&of_workers(&near, "1", NOON))[1], of("clock", Verdict::Good));
}

#[tokio::test]
async fn a_store_that_can_do_everything_is_found_good_and_left_as_it_was() {
    let url = StoreUrl::parse("memory://doctor-good/lab").expect("a URL");
    let stores = Stores::new(StoreConfig::environment());
    let findings = examine(&stores, &url, true, "one").await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:#?}");
    let checks: Vec<&str> = findings.iter().filter_map(|finding| finding.check.split(' ').next()).collect();
    assert_eq!(checks, ["list", "read", "write", "create-if-absent", "delete"]);
    assert!(stores.open(&url, Access::Read).expect("open").is_empty().await.expect("a listing"));
}

#[tokio::test]
async fn a_directory_is_left_without_a_trace() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = StoreUrl::parse(&directory.path().display().to_string()).expect("a path");
    let findings = examine(&Stores::new(StoreConfig::environment()), &url, true, "two").await;
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:#?}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("still there").count(), 0);
}

#[tokio::test]
async fn a_place_that_no_table_covers_is_refused_with_what_to_do() {
    let covered = StoreUrl::parse("memory://doctor-covered/a").expect("a URL");
    let profile = StoreProfile::new(covered.clone(), Access::Read);
    let stores = Stores::new(StoreConfig::of_profiles(vec![profile]));
    let elsewhere = StoreUrl::parse("memory://doctor-covered/b").expect("a URL");
    let findings = examine(&stores, &elsewhere, true, "three").await;
    assert_eq!(verdicts(&findings), [of("open memory://doctor-covered/b", Verdict::Bad)]);
    assert!(findings[0].message.contains("[[stores]]"), "{findings:?}");
    let findings = examine(&stores, &covered, true, "three").await;
    assert_eq!(findings[2].verdict, Verdict::Warning, "reading only, as its table says");
    assert!(findings[2].message.contains("reading only"), "{findings:?}");
}

#[test]
fn a_web_server_is_a_source_without_listings() {
    let url = StoreUrl::parse("https://host/maps.zarr").expect("a URL");
    let finding = judge_listing(None, &url);
    assert_eq!(finding.verdict, Verdict::Warning);
    assert!(finding.message.contains("consolidated metadata"), "{finding:?}");
    assert_eq!(judge_listing(Some(Ok(false)), &url).verdict, Verdict::Good);
}

#[test]
fn a_store_that_replaces_is_no_place_for_a_journal_and_one_that_lags_none_for_anything() {
    let url = StoreUrl::parse("s3://bucket/lab").expect("a URL");
    let seen = Seen { refused_second: true, kept_first: true, is_listed: true };
    let of_seen = |seen: Seen| judge(seen, &url).iter().map(|finding| finding.verdict).collect::<Vec<_>>();
    assert_eq!(of_seen(seen), [Verdict::Good, Verdict::Good]);
    assert_eq!(of_seen(Seen { refused_second: false, ..seen }), [Verdict::Good, Verdict::Warning]);
    assert_eq!(of_seen(Seen { kept_first: false, ..seen }), [Verdict::Good, Verdict::Warning]);
    assert_eq!(of_seen(Seen { is_listed: false, ..seen }), [Verdict::Bad, Verdict::Good]);
}
