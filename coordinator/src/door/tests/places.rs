//! URLs and how they keep apart.

use rechunk_common::{Refusal, RefusalCode, ids::JobId, request::RechunkRequest};
use rechunk_storage::StoreUrl;

use super::super::{
    LiveSpace,
    places::{Places, refuse_live},
};

fn places(source: &str, target: &str, temp: Option<&str>) -> Result<Places, Refusal> {
    let request = RechunkRequest {
        source: source.to_owned(),
        target: target.to_owned(),
        temp: temp.map(str::to_owned),
        ..RechunkRequest::default()
    };
    Places::of(&request)
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, field: &str, reason: &str) {
    let refusal = result.expect_err("a refusal");
    assert_eq!(refusal.code, RefusalCode::InvalidArgument, "{refusal}");
    assert_eq!((refusal.field.as_deref(), refusal.reason.as_str()), (Some(field), reason), "{refusal}");
}

fn job() -> JobId {
    JobId::from("job-0123456789ab")
}

fn url(text: &str) -> StoreUrl {
    StoreUrl::parse(text).expect("a URL")
}

#[test]
fn a_target_that_is_contains_or_lies_in_the_source_is_refused() {
    for (source, target) in [
        ("s3://b/a.zarr", "s3://b/a.zarr/"),
        ("s3://b/a.zarr", "s3a://b/./a.zarr"),
        ("s3://b/a.zarr", "s3://b/a.zarr/tas"),
        ("s3://b/data/a.zarr", "s3://b/data"),
        ("s3://b/a.zarr", "s3://b"),
        ("/data/a.zarr", "file:///data/a.zarr"),
        ("/data/x/../a.zarr", "/data/a.zarr"),
        ("kerchunk+s3://b/d/refs.json/tas", "s3://b/d"),
        ("kerchunk+/data/refs.json", "/data/refs.json"),
    ] {
        refused(places(source, target, None), "target", "TARGET_OVERLAPS_SOURCE");
    }
    for (source, target) in [
        ("s3://b/a.zarr", "s3://b/a.zarr2"),
        ("s3://b/a.zarr", "s3://c/a.zarr"),
        ("s3://b/g/x", "s3://b/g/y"),
        ("memory://b/a", "s3://b/a"),
        ("kerchunk+s3://b/d/refs.json/tas", "s3://b/d/tas"),
    ] {
        places(source, target, None).unwrap_or_else(|refusal| panic!("{source} {target}: {refusal}"));
    }
}

#[test]
fn a_link_to_the_source_is_the_source() {
    let directory = tempfile::tempdir().expect("a directory");
    let real = directory.path().join("a.zarr");
    std::fs::create_dir(&real).expect("a directory");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    let (real, link) = (real.display().to_string(), link.display().to_string());
    refused(places(&real, &link, None), "target", "TARGET_OVERLAPS_SOURCE");
    refused(places(&real, &format!("{link}/sub"), None), "target", "TARGET_OVERLAPS_SOURCE");
}

#[test]
fn a_temporary_space_near_source_or_target_is_refused() {
    for temp in ["s3://b/a.zarr", "s3://b/a.zarr/tmp", "s3://b/t.zarr/tmp", "s3://b/t.zarr", "s3://b", "s3://b/"] {
        refused(places("s3://b/a.zarr", "s3://b/t.zarr", Some(temp)), "temp", "TEMP_OVERLAPS");
    }
    let places = places("s3://b/a.zarr", "s3://b/t.zarr", Some("s3://tmp")).expect("elsewhere");
    let temp = places.temp_of(&job(), &places.target).expect("as asked for");
    assert_eq!(temp.space.to_string(), "s3://tmp/job-0123456789ab", "others may use the same temp");
    assert_eq!(temp.generation.to_string(), "s3://tmp/job-0123456789ab/0");
}

#[test]
fn the_temporary_space_lies_beside_the_outermost_node_unless_asked_otherwise() {
    let places = places("s3://b/a.zarr", "s3://c/d/g.zarr/sub/x", None).expect("apart");
    let temp = |outermost: &str| places.temp_of(&job(), &url(outermost)).expect("a place").space.to_string();
    assert_eq!(temp("s3://c/d/g.zarr/sub/x"), "s3://c/d/g.zarr/sub/.rechunk-job-0123456789ab");
    assert_eq!(temp("s3://c/d/g.zarr"), "s3://c/d/.rechunk-job-0123456789ab");
    assert_eq!(temp("s3://c/d"), "s3://c/.rechunk-job-0123456789ab");
    refused(places.temp_of(&job(), &url("s3://c")), "temp", "TEMP_NEEDED");
}

#[test]
fn a_place_of_a_live_job_is_refused_and_the_job_named() {
    let live = [LiveSpace { job: JobId::from("job-other"), url: "s3://b/g".to_owned() }];
    for place in ["s3://b/g", "s3://b/g/x", "s3://b"] {
        let refusal = refuse_live(&url(place), "target", &job(), &live).expect_err("taken");
        assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::AlreadyExists, "LIVE_JOB"));
        assert!(refusal.message.contains("job-other"), "{refusal}");
    }
    assert_eq!(refuse_live(&url("s3://b/h"), "target", &job(), &live), Ok(()));
    assert_eq!(refuse_live(&url("s3://b/g"), "target", &JobId::from("job-other"), &live), Ok(()), "its own");
}

#[test]
fn urls_that_name_no_place_are_refused_with_their_field() {
    for (text, reason) in [
        ("", "EMPTY_URL"),
        ("https://h/a?x=1", "MALFORMED_URL"),
        ("gopher://b/a", "UNKNOWN_SCHEME"),
        ("s3://key:secret@b/a", "CREDENTIALS_IN_URL"),
        ("s3://b/../a", "MALFORMED_URL"),
        ("s3://b/x//a", "MALFORMED_URL"),
        ("s3:///a", "MALFORMED_URL"),
        ("s3:/b/a", "MALFORMED_URL"),
    ] {
        refused(places(text, "s3://b/t", None), "source", reason);
        refused(places("s3://b/s", text, None), "target", reason);
        refused(places("s3://b/s", "s3://b/t", Some(text)), "temp", reason);
    }
}

#[test]
fn nothing_is_written_to_a_web_server() {
    places("https://h/a", "s3://b/t", None).expect("it may be read");
    refused(places("s3://b/s", "https://h/a", None), "target", "STORE_UNSUPPORTED");
    refused(places("s3://b/s", "s3://b/t", Some("http://h/a")), "temp", "STORE_UNSUPPORTED");
}
