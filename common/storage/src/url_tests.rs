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
    for scheme in ["gs", "gcs", "az", "abfs", "abfss", "http", "https"] {
        let error = refused(&format!("{scheme}://x/y"));
        assert_eq!(error, UrlError::NotSupportedYet { scheme: scheme.to_owned() });
        assert!(error.to_string().contains("not supported yet"), "{error}");
    }
    assert_eq!(refused("hdfs://x/y"), UrlError::UnknownScheme { scheme: "hdfs".to_owned() });
    for text in ["s3://key:secret@bucket/a", "file://key:secret@host/a"] {
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
        "://x",
        "simplecache::s3://bucket/a",
    ] {
        assert!(matches!(refused(text), UrlError::Malformed { .. }), "{text}: {:?}", refused(text));
    }
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
        scheme in prop::sample::select(vec!["s3://bucket", "memory://m", "file:///no-such-dir"]),
        segments in prop::collection::vec("[^/\\x00-\\x1f\\x7f]{1,12}", 0..5),
    ) {
        prop_assume!(segments.iter().all(|part| part != "." && part != ".."));
        let text = format!("{scheme}/{}", segments.join("/"));
        let url = StoreUrl::parse(&text).unwrap();
        prop_assert_eq!(StoreUrl::parse(&url.to_string()).unwrap(), url.clone());
        prop_assert!(url.segments().ends_with(&segments));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,40}") {
        if let Ok(url) = StoreUrl::parse(&text) {
            prop_assert_eq!(StoreUrl::parse(&url.to_string()).unwrap(), url);
        }
    }
}
