//! What every store must do: one suite for memory, local files and real servers; the part of it that reads also for
//! web servers.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use crate::{Creation, Directory, ErrorClass, ObjectInfo, Prefix, PutPayload, StorageError, Unguarded};

/// Keys that differ in what a URL, a shell or a store might do to them; each must come back as it is.
pub const ODD_KEYS: [&str; 10] = [
    "c/0/0",
    "0.0",
    "with space/and  two",
    "per%cent/%20",
    "ünïcödé/日本/🧊",
    "plus+and&and=",
    "question?mark",
    "hash#tag",
    "quote'\"[x]{y}~^|",
    ".zarray",
];

/// Runs every operation below `prefix`, which must be writable and empty, and leaves it empty.
///
/// # Panics
/// Where the store does something else than it must.
pub async fn every_operation(prefix: &Prefix) -> Result<(), StorageError> {
    assert!(prefix.is_empty().await?, "the suite needs an empty prefix");
    missing_objects(prefix).await?;
    whole_objects(prefix).await?;
    creations(prefix).await?;
    parts(prefix).await?;
    copies(prefix).await?;
    large_objects(prefix).await?;
    odd_keys(prefix).await?;
    prefix.remove_empty_directories().await?;
    listings(prefix).await?;
    deletions(prefix).await?;
    prefix.remove_empty_directories().await?;
    assert!(prefix.is_empty().await?, "the suite leaves nothing");
    Ok(())
}

/// Runs what reads, on a `prefix` where [`to_be_read`] has been put and nothing else can be done.
///
/// # Panics
/// Where the store does something else than it must.
pub async fn every_read(prefix: &Prefix) -> Result<(), StorageError> {
    missing_reads(prefix).await?;
    for key in ODD_KEYS {
        assert_eq!(prefix.get(key).await?.as_deref(), Some(key.as_bytes()), "{key}");
        assert_eq!(prefix.head(key).await?.map(|info| info.size), Some(key.len() as u64), "{key}");
    }
    read_parts(prefix).await?;
    assert!(!prefix.can_list());
    let refused = prefix.list("").next().await.and_then(Result::err);
    assert_eq!(refused.map(|error| error.class), Some(ErrorClass::Unsupported));
    let refused = prefix.list_directory("").await.err();
    assert_eq!(refused.map(|error| error.class), Some(ErrorClass::Unsupported));
    Ok(())
}

/// The objects that [`every_read`] reads.
pub fn to_be_read() -> Vec<(&'static str, &'static str)> {
    ODD_KEYS.into_iter().map(|key| (key, key)).chain([("parts", "0123456789"), ("empty", "")]).collect()
}

async fn missing_reads(prefix: &Prefix) -> Result<(), StorageError> {
    assert_eq!(prefix.get("no/such").await?, None);
    assert!(prefix.get_sized("no/such").await?.is_none());
    assert_eq!(prefix.get_range("no/such", 0..4).await?, None);
    assert_eq!(prefix.get_ranges("no/such", &[0..4, 9..10]).await?, None);
    assert_eq!(prefix.get_suffix("no/such", 4).await?, None);
    assert_eq!(prefix.head("no/such").await?, None);
    Ok(())
}

async fn missing_objects(prefix: &Prefix) -> Result<(), StorageError> {
    missing_reads(prefix).await?;
    prefix.delete("no/such", &Unguarded).await?;
    assert_eq!(collect(prefix, "no").await?, [""; 0]);
    assert_eq!(prefix.list_directory("no").await?, Directory::default());
    Ok(())
}

async fn whole_objects(prefix: &Prefix) -> Result<(), StorageError> {
    prefix.put("whole", "first, and longer", &Unguarded).await?;
    prefix.put("whole", payload(&[b"sec", b"", b"ond"]), &Unguarded).await?;
    assert_eq!(prefix.get("whole").await?.as_deref(), Some(&b"second"[..]), "the newer object, whole");
    let sized = prefix.get_sized("whole").await?;
    assert_eq!(sized.as_ref().map(crate::SizedObject::content_length), Some(6));
    if let Some(sized) = sized {
        assert_eq!(sized.bytes().await?.as_deref(), Some(&b"second"[..]));
    }
    assert_eq!(prefix.head("whole").await?.map(|info| (info.key, info.size)), Some(("whole".to_owned(), 6)));
    prefix.put("empty", PutPayload::new(), &Unguarded).await?;
    assert_eq!(prefix.get("empty").await?, Some(Bytes::new()));
    assert_eq!(prefix.get_suffix("empty", 3).await?, Some(Bytes::new()));
    prefix.delete_many(vec!["whole".to_owned(), "empty".to_owned()], &Unguarded).await?;
    assert_eq!(prefix.get("whole").await?, None, "deleted");
    Ok(())
}

/// Of many creations at once exactly one wins, and nobody replaces what is there.
async fn creations(prefix: &Prefix) -> Result<(), StorageError> {
    assert_eq!(prefix.create("new/1", "first", &Unguarded).await?, Creation::Created);
    assert_eq!(prefix.create("new/1", "second", &Unguarded).await?, Creation::Exists);
    assert_eq!(prefix.get("new/1").await?.as_deref(), Some(&b"first"[..]));
    let racers = (0..8).map(|n| async move { prefix.create("new/2", format!("racer {n}"), &Unguarded).await });
    let ended = futures::future::try_join_all(racers).await?;
    let winners: Vec<usize> = (0..8).filter(|n| ended.get(*n) == Some(&Creation::Created)).collect();
    assert_eq!(winners.len(), 1, "{ended:?}");
    let winner = format!("racer {}", winners.first().copied().unwrap_or_default());
    assert_eq!(prefix.get("new/2").await?.as_deref(), Some(winner.as_bytes()), "whole, and the winner's");
    prefix.delete_many(vec!["new/1".to_owned(), "new/2".to_owned()], &Unguarded).await?;
    assert_eq!(prefix.create("new/1", "again", &Unguarded).await?, Creation::Created, "a deleted key is free");
    prefix.delete("new/1", &Unguarded).await
}

async fn parts(prefix: &Prefix) -> Result<(), StorageError> {
    prefix.put("parts", "0123456789", &Unguarded).await?;
    read_parts(prefix).await?;
    prefix.delete("parts", &Unguarded).await
}

async fn read_parts(prefix: &Prefix) -> Result<(), StorageError> {
    assert_eq!(prefix.get_range("parts", 2..5).await?.as_deref(), Some(&b"234"[..]));
    assert_eq!(prefix.get_range("parts", 0..10).await?.as_deref(), Some(&b"0123456789"[..]));
    assert_eq!(prefix.get_range("parts", 4..4).await?, Some(Bytes::new()));
    assert_eq!(prefix.get_suffix("parts", 3).await?.as_deref(), Some(&b"789"[..]));
    assert_eq!(prefix.get_suffix("parts", 100).await?.as_deref(), Some(&b"0123456789"[..]));
    let ranges = prefix.get_ranges("parts", &[7..9, 0..2, 1..4, 5..5]).await?;
    assert_eq!(ranges, Some(["78", "01", "123", ""].map(Bytes::from).to_vec()));
    for beyond in [8..11, 10..11, 20..30] {
        let error = prefix.get_range("parts", beyond.clone()).await.err();
        assert_eq!(error.map(|error| error.class), Some(ErrorClass::Corrupt), "{beyond:?}");
        let error = prefix.get_ranges("parts", &[0..1, beyond]).await.err();
        assert_eq!(error.map(|error| error.class), Some(ErrorClass::Corrupt));
    }
    Ok(())
}

async fn copies(prefix: &Prefix) -> Result<(), StorageError> {
    if !prefix.shares_store_with(prefix) {
        let refused = prefix.copy_from("copy", prefix, "no/such", &Unguarded).await.err();
        assert_eq!(refused.map(|error| error.class), Some(ErrorClass::Unsupported));
        return Ok(());
    }
    assert!(!prefix.copy_from("copy/none", prefix, "no/such", &Unguarded).await?);
    for (number, key) in ODD_KEYS.iter().enumerate() {
        prefix.put(key, format!("{number}"), &Unguarded).await?;
        assert!(prefix.copy_from(&format!("copy/{key}"), prefix, key, &Unguarded).await?, "{key}");
        prefix.put(key, "changed later", &Unguarded).await?;
    }
    for (number, key) in ODD_KEYS.iter().enumerate() {
        let copy = prefix.get(&format!("copy/{key}")).await?;
        assert_eq!(copy.as_deref(), Some(number.to_string().as_bytes()), "{key}");
    }
    let keys = ODD_KEYS.iter().flat_map(|key| [(*key).to_owned(), format!("copy/{key}")]);
    prefix.delete_many(keys.collect(), &Unguarded).await?;
    prefix.remove_empty_directories().await
}

async fn odd_keys(prefix: &Prefix) -> Result<(), StorageError> {
    for key in ODD_KEYS {
        prefix.put(key, key.to_owned(), &Unguarded).await?;
    }
    for key in ODD_KEYS {
        assert_eq!(prefix.get(key).await?.as_deref(), Some(key.as_bytes()), "{key}");
    }
    let mut expected = ODD_KEYS.map(str::to_owned);
    expected.sort();
    assert_eq!(collect(prefix, "").await?, expected);
    prefix.delete_many(expected.to_vec(), &Unguarded).await?;
    assert!(prefix.is_empty().await?, "bulk deletion takes odd keys too");
    Ok(())
}

/// Larger than what is written at once, where the store takes objects in parts.
async fn large_objects(prefix: &Prefix) -> Result<(), StorageError> {
    let part = usize::try_from(prefix.upload_sizes().part).unwrap_or(usize::MAX).min(5 << 20);
    let threshold = usize::try_from(prefix.upload_sizes().threshold).unwrap_or(usize::MAX);
    // Pieces that end nowhere near the ends of parts.
    let piece = Bytes::from((0..=250_u8).cycle().take(part / 2 + 3).collect::<Vec<u8>>());
    let pieces = threshold / piece.len() + 2;
    let large: PutPayload = std::iter::repeat_n(piece.clone(), pieces).collect();
    let length = (piece.len() * pieces) as u64;
    prefix.put("large", "what was there before", &Unguarded).await?;
    prefix.put("large", large, &Unguarded).await?;
    assert_eq!(prefix.head("large").await?.map(|info| info.size), Some(length));
    let piece_length = piece.len() as u64;
    for index in 0..pieces as u64 {
        let start = index * piece_length;
        let found = prefix.get_range("large", start..start + piece_length).await?;
        assert!(found.as_ref() == Some(&piece), "piece {index} of a large object");
    }
    prefix.delete("large", &Unguarded).await
}

/// All below `tree/`: some servers show the directories of deleted objects for a while.
async fn listings(prefix: &Prefix) -> Result<(), StorageError> {
    for key in ["tree/a/b/1", "tree/a/b/2", "tree/a/3", "tree/ab/4", "tree/top"] {
        prefix.put(key, "four", &Unguarded).await?;
    }
    assert!(!prefix.is_empty().await?);
    let below = ["tree/a/3", "tree/a/b/1", "tree/a/b/2"];
    assert_eq!(collect(prefix, "tree/a").await?, below, "by whole segments, relative to the prefix");
    assert_eq!(collect(prefix, "tree/a/").await?, below);
    assert_eq!(collect(prefix, "tree/top").await?, [""; 0], "an object is not below itself");
    let found = prefix.list_directory("tree/a").await?;
    let objects: Vec<_> = found.objects.iter().map(|info| (info.key.as_str(), info.size)).collect();
    assert_eq!(objects, [("tree/a/3", 4)]);
    assert_eq!(found.directories, ["b"]);
    assert_eq!(prefix.list_directory("tree").await?.directories, ["a", "ab"]);
    Ok(())
}

async fn deletions(prefix: &Prefix) -> Result<(), StorageError> {
    assert_eq!(prefix.delete_all("tree/a", &Unguarded).await?, 3);
    assert_eq!(collect(prefix, "").await?, ["tree/ab/4", "tree/top"]);
    let many = vec!["tree/ab/4".to_owned(), "never/there".to_owned(), "tree/top".to_owned()];
    prefix.delete_many(many, &Unguarded).await?;
    assert!(prefix.is_empty().await?);
    Ok(())
}

async fn collect(prefix: &Prefix, subprefix: &str) -> Result<Vec<String>, StorageError> {
    let mut keys: Vec<String> = prefix.list(subprefix).map_ok(|info: ObjectInfo| info.key).try_collect().await?;
    keys.sort();
    Ok(keys)
}

fn payload(parts: &[&'static [u8]]) -> PutPayload {
    parts.iter().map(|part| Bytes::from_static(part)).collect()
}
