use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    StoreUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn urls_are_normalised() {
    for (text, expected) in [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3a://bucket/a/b.zarr///", "s3://bucket/a/b.zarr"),
        ("S3://bucket/./a/./b", "s3://bucket/a/b"),
        ("s3://bucket/with space/%20/ü?x#y", "s3://bucket/with space/%20/ü?x#y"),
        ("gs://bucket.example/a%20b/", "gs://bucket.example/a%20b"),
        ("gcs://bucket/a", "gs://bucket/a"),
        ("az://box/a", "az://box/a"),
        ("azure://box/a", "az://box/a"),
        ("abfs://box/a", "az://box/a"),
        ("abfss://box@lab.dfs.core.windows.net/a/", "abfs://box@lab.dfs.core.windows.net/a"),
        ("az://box@lab/a", "abfs://box@lab.dfs.core.windows.net/a"),
        ("az://box@lab.blob.core.usgovcloudapi.net/a", "abfs://box@lab.dfs.core.usgovcloudapi.net/a"),
        ("https://Data.Example:443/a%20b/./%C3%BC%23/", "https://data.example/a%20b/%C3%BC%23"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:80/a+b%2525", "http://[::1]/a+b%2525"),
        ("memory://name/x/", "memory://name/x"),
        ("file:///no-such-dir/a/./b//c/", "file:///no-such-dir/a/b/c"),
        ("file://localhost/no-such-dir/a", "file:///no-such-dir/a"),
        ("file:///", "file:///"),
        ("/no-such-dir/../no-such-dir/x/.", "file:///no-such-dir/x"),
        ("/no-such-dir/a%20b", "file:///no-such-dir/a%20b"),
        ("/../..", "file:///"),
    ] {
        assert_eq!(canonical(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_a_place_is_refused_with_its_reason() {
    let refused = |text: &str| StoreUrl::parse(text).unwrap_err();
    assert_eq!(refused(""), UrlError::Empty);
    assert_eq!(refused("hdfs://x/y"), UrlError::UnknownScheme { scheme: "hdfs".to_owned() });
    for text in
        ["s3://key:secret@bucket/a", "file://key:secret@host/a", "az://lab:secret@box/a", "https://key:secret@host/a"]
    {
        let error = refused(text);
        assert_eq!(error, UrlError::Credentials);
        assert!(!error.to_string().contains("secret"));
    }
    for text in [
        "s3://",
        "s3:///key",
        "s3:/bucket/key",
        "s3:bucket",
        "s3://buc ket/a",
        "s3://bucket:80/a",
        "s3://../a",
        "s3://bucket/a/../b",
        "s3://bucket/a//b",
        "s3://bucket//a",
        "s3://bucket/a\nb",
        "file://relative/path",
        "file://",
        "file:///a/../b",
        "memory://",
        "gs://",
        "az://box@lab.example.com/a",
        "az://box@LAB/a",
        "https://",
        "https:///a",
        "https://h/a#b",
        "https://h/a%2Fb",
        "https://h/a/%2E%2E/b",
        "https://h/a/%FF",
        "https://h/a//b",
        "://x",
        "simplecache::s3://bucket/a",
    ] {
        assert!(matches!(refused(text), UrlError::Malformed { .. }), "{text}: {:?}", refused(text));
    }
}

#[test]
fn a_query_is_refused_and_not_repeated() {
    let error = StoreUrl::parse("https://h/a?sig=s3cr3t").unwrap_err();
    assert!(matches!(error, UrlError::Malformed { .. }) && !error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn a_container_of_an_unnamed_account_may_be_any() {
    let url = |text| StoreUrl::parse(text).unwrap();
    let (unnamed, lab, other) = (url("az://box/a"), url("az://box@lab/a/b"), url("az://box@other/a"));
    assert!(unnamed.overlaps(&lab) && lab.overlaps(&unnamed) && lab.may_be_within(&unnamed));
    assert!(!lab.overlaps(&other) && !unnamed.overlaps(&url("az://crate@lab/a")));
    assert!(!lab.is_within(&unnamed), "no profile of one is taken for the other");
}

#[test]
fn a_relative_path_starts_at_the_working_directory() {
    let here = std::env::current_dir().unwrap().canonicalize().unwrap();
    assert_eq!(canonical("data/x.zarr"), format!("file://{}/data/x.zarr", here.display()));
    assert_eq!(canonical("./a://b"), format!("file://{}/a:/b", here.display()), "a path may hold a colon");
}

#[test]
fn a_leading_tilde_is_the_home_directory_and_no_other_tilde_is() {
    let resolve = |text| local_path::resolve_in(text, "/cwd".as_ref(), Some("/no-such-home/me".as_ref()));
    assert_eq!(resolve("~/x").unwrap(), ["no-such-home", "me", "x"]);
    assert_eq!(resolve("~").unwrap(), ["no-such-home", "me"]);
    assert_eq!(resolve("a/~/x").unwrap(), ["cwd", "a", "~", "x"]);
    assert_eq!(resolve("~other").unwrap(), ["cwd", "~other"]);
    assert!(matches!(local_path::resolve_in("~/x", "/cwd".as_ref(), None), Err(UrlError::Unresolvable { .. })));
}

#[test]
fn symlinks_are_resolved_as_far_as_the_path_exists() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("real")).unwrap();
    std::os::unix::fs::symlink(root.join("real"), root.join("link")).unwrap();
    let real = StoreUrl::parse(root.join("real/new/x.zarr").to_str().unwrap()).unwrap();
    let link = StoreUrl::parse(root.join("link/new/x.zarr").to_str().unwrap()).unwrap();
    assert_eq!(real, link);
    assert_eq!(real, StoreUrl::parse(&format!("file://{}/link/new/x.zarr", root.display())).unwrap());
    assert_eq!(real.file_name(), Some("x.zarr"));
}

#[test]
fn places_are_compared_by_whole_segments() {
    let url = |text| StoreUrl::parse(text).unwrap();
    for (inner, outer, is_within) in [
        ("s3://b/a", "s3://b/a", true),
        ("s3://b/a/c", "s3://b/a", true),
        ("s3://b/a", "s3://b", true),
        ("s3://b/ab", "s3://b/a", false),
        ("s3://b/a", "s3://b/a/c", false),
        ("s3://c/a", "s3://b/a", false),
        ("memory://b/a", "s3://b/a", false),
        ("file:///no-such-dir/x", "file:///", true),
    ] {
        assert_eq!(url(inner).is_within(&url(outer)), is_within, "{inner} in {outer}");
    }
    assert!(url("s3://b/a").overlaps(&url("s3://b/a/c")));
    assert!(url("s3://b/a/c").overlaps(&url("s3://b/a")));
    assert!(!url("s3://b/a").overlaps(&url("s3://b/ab")));
    assert!(!url("s3://b/a/x").overlaps(&url("s3://b/a/y")));
}

#[test]
fn joining_and_parents_undo_each_other() {
    let array = StoreUrl::parse("s3://b/g/tas").unwrap();
    assert_eq!(array.parent().unwrap().to_string(), "s3://b/g");
    assert_eq!(array.parent().unwrap().join("tas"), array);
    assert_eq!(array.join("./c//0/").to_string(), "s3://b/g/tas/c/0");
    assert_eq!(array.join(""), array);
    assert_eq!(StoreUrl::parse("s3://b").unwrap().parent(), None);
    assert_eq!(StoreUrl::parse("s3://b").unwrap().file_name(), None);
    assert!(StoreUrl::parse(&array.join("../x").to_string()).is_err(), "a joined `..` leads nowhere");
}

proptest! {
    #[test]
    fn the_canonical_text_parses_to_the_same_place(
        scheme in prop::sample::select(vec!["s3://bucket", "gs://b", "az://b@lab", "memory://m", "file:///no-such-dir"]),
        segments in prop::collection::vec("[^/\\x00-\\x1f\\x7f]{1,12}", 0..5),
    ) {
        prop_assume!(segments.iter().all(|part| part != "." && part != ".."));
        let text = format!("{scheme}/{}", segments.join("/"));
        let url = StoreUrl::parse(&text).unwrap();
        prop_assert_eq!(StoreUrl::parse(&url.to_string()).unwrap(), url.clone());
        prop_assert!(url.segments().ends_with(&segments));
    }

    #[test]
    fn any_segment_goes_through_the_url_of_a_web_server(
        segments in prop::collection::vec("[^/\\x00-\\x1f\\x7f]{1,12}", 0..5),
    ) {
        prop_assume!(segments.iter().all(|part| part != "." && part != ".."));
        let url = StoreUrl::parse("https://h").unwrap().join(&segments.join("/"));
        let parsed = StoreUrl::parse(&url.to_string()).unwrap();
        prop_assert_eq!(parsed.segments(), &segments[..]);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}") {
        if let Ok(url) = StoreUrl::parse(&text) {
            prop_assert_eq!(StoreUrl::parse(&url.to_string()).unwrap(), url);
        }
    }
}
