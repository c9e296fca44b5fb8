use std::{fs, path::Path, sync::Arc};

use crate::{
    Access, CountingObserver, ErrorClass, Prefix, RequestKind, StoreConfig, StoreUrl, Stores, Unguarded, conformance,
};

fn open(directory: &Path) -> Prefix {
    let url = StoreUrl::parse(directory.to_str().unwrap()).unwrap();
    Stores::new(StoreConfig::environment()).open(&url, Access::ReadWrite).unwrap()
}

#[tokio::test]
async fn local_files_do_what_every_store_must_do() {
    let directory = tempfile::tempdir().unwrap();
    conformance::every_operation(&open(&directory.path().join("new/odd name%20#x/ü?"))).await.unwrap();
    assert!(!directory.path().join("new/odd name%20#x/ü?").exists(), "its empty directories are gone too");
    assert!(directory.path().join("new/odd name%20#x").exists(), "and no others");
}

#[tokio::test]
async fn keys_are_file_names_byte_for_byte() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = open(directory.path());
    for key in conformance::ODD_KEYS {
        prefix.put(key, "x", &Unguarded).await.unwrap();
        assert_eq!(fs::read(directory.path().join(key)).unwrap(), b"x", "{key}");
    }
}

#[tokio::test]
async fn a_write_replaces_the_file_and_never_writes_into_it() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = open(directory.path());
    prefix.put("k", "old", &Unguarded).await.unwrap();
    let reader = prefix.get_sized("k").await.unwrap().unwrap();
    prefix.put("k", "new", &Unguarded).await.unwrap();
    assert_eq!(reader.bytes().await.unwrap().as_deref(), Some(&b"old"[..]), "an open reader keeps the old object");
    assert_eq!(prefix.get("k").await.unwrap().as_deref(), Some(&b"new"[..]));
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["k"], "no temporary file stays");
}

#[tokio::test]
async fn what_a_crash_leaves_is_no_object_and_stands_in_no_way() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("k#1"), "half").unwrap();
    let prefix = open(directory.path());
    assert!(prefix.is_empty().await.unwrap());
    prefix.put("k", "whole", &Unguarded).await.unwrap();
    let found = prefix.list_directory("").await.unwrap();
    assert_eq!(found.objects.iter().map(|info| info.key.as_str()).collect::<Vec<_>>(), ["k"]);
    assert_eq!(prefix.put("k#2", "x", &Unguarded).await.unwrap_err().class, ErrorClass::Invalid);
}

#[tokio::test]
async fn what_crashes_left_is_removed_at_any_depth_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = open(directory.path());
    for key in ["k", "a/b/k", "a/#", "a/k#", "a/#1x"] {
        prefix.put(key, "x", &Unguarded).await.unwrap();
    }
    for unfinished in ["k#1", "a/b/k#27", "a/b/other#1"] {
        fs::write(directory.path().join(unfinished), "half").unwrap();
    }
    fs::create_dir(directory.path().join("a/d#1")).unwrap();
    // What others are still writing is asked for by its key.
    prefix.remove_unfinished_writes(&Unguarded, |key| key == "k").await.unwrap();
    assert!(!directory.path().join("k#1").exists());
    for unwanted in ["a/b/k#27", "a/b/other#1"] {
        assert!(directory.path().join(unwanted).exists(), "{unwanted}");
    }
    fs::write(directory.path().join("k#1"), "half").unwrap();
    prefix.remove_unfinished_writes(&Unguarded, |_| true).await.unwrap();
    for kept in ["k", "a/b/k", "a/#", "a/k#", "a/#1x", "a/d#1"] {
        assert!(directory.path().join(kept).exists(), "{kept}");
    }
    for gone in ["k#1", "a/b/k#27", "a/b/other#1"] {
        assert!(!directory.path().join(gone).exists(), "{gone}");
    }
}

#[tokio::test]
async fn a_directory_is_no_object_and_a_file_is_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = open(directory.path());
    prefix.put("dir/file", "x", &Unguarded).await.unwrap();
    assert_eq!(prefix.get("dir").await.unwrap(), None);
    assert_eq!(prefix.get_range("dir", 0..1).await.unwrap(), None);
    assert_eq!(prefix.head("dir").await.unwrap(), None);
    assert_eq!(prefix.get("dir/file/below").await.unwrap(), None);
    prefix.delete("dir", &Unguarded).await.unwrap();
    prefix.delete("dir/file/below", &Unguarded).await.unwrap();
    for key in ["dir", "dir/file/below"] {
        let error = prefix.put(key, "x", &Unguarded).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid, "{error}");
    }
    assert!(open(&directory.path().join("dir/file/below")).is_empty().await.unwrap());
    assert_eq!(prefix.get("dir/file").await.unwrap().as_deref(), Some(&b"x"[..]), "nothing was harmed");
    let names: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["dir"], "a refused write leaves no temporary file");
}

#[tokio::test]
async fn a_file_system_that_says_no_is_denied() {
    // Nobody creates files in sysfs, root included.
    let error = open(Path::new("/sys")).put("rechunk", "x", &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied, "{error}");
    assert!(error.to_string().starts_with("cannot write file:///sys/rechunk: "), "{error}");
}

#[tokio::test]
async fn a_file_name_that_is_too_long_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path()).put(&"x".repeat(300), "x", &Unguarded).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Invalid, "{error}");
}

#[tokio::test]
async fn a_truncated_file_is_corrupt_and_read_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("k"), "0123").unwrap();
    let seen = Arc::new(CountingObserver::new());
    let prefix = open(directory.path()).with_observer(seen.clone());
    let error = prefix.get_range("k", 2..8).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Corrupt);
    assert!(error.to_string().ends_with("the object has 4 bytes, too few for the bytes 2 to 8"), "{error}");
    assert_eq!(seen.count(RequestKind::Get), 1, "asking again would not help");
    assert_eq!(seen.count(RequestKind::Head), 0);
}

#[tokio::test]
async fn a_file_cut_while_it_waits_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("k");
    fs::write(&path, "0123456789").unwrap();
    let prefix = open(directory.path());
    let sized = prefix.get_sized("k").await.unwrap().unwrap();
    fs::write(&path, "01").unwrap();
    assert_eq!(sized.bytes().await.unwrap_err().class, ErrorClass::Corrupt);
}

#[tokio::test]
async fn only_empty_directories_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = open(directory.path());
    prefix.put("full/a", "x", &Unguarded).await.unwrap();
    prefix.put("empty/deep/b", "x", &Unguarded).await.unwrap();
    prefix.delete("empty/deep/b", &Unguarded).await.unwrap();
    prefix.remove_empty_directories().await.unwrap();
    assert!(!directory.path().join("empty").exists());
    assert_eq!(prefix.get("full/a").await.unwrap().as_deref(), Some(&b"x"[..]));
}
