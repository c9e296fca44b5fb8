//! The objects of one bucket and the uploads in parts that are under way: what S3 does to them, and what it refuses.
//!
//! Knows nothing of HTTP, of requests and of faults.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// The shortest part, the last one of an upload excepted: as at Amazon.
const LEAST_PART_BYTES: usize = 5 << 20;

/// An object, or a part of one that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// What it holds.
    pub(crate) bytes: Bytes,
    /// Another one for each write.
    pub(crate) tag: String,
}

/// An upload in parts that is neither completed nor aborted.
#[derive(Debug, Clone)]
struct Upload {
    key: String,
    parts: BTreeMap<i32, Stored>,
}

/// What a write demands of what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Anything or nothing.
    Any,
    /// No object: `If-None-Match: *`.
    Absent,
    /// The object of this tag: `If-Match`.
    Tag(String),
}

/// Why the bucket does not do what it is asked for, named as S3 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no object of that key.
    NoSuchKey,
    /// There is no upload of that id.
    NoSuchUpload,
    /// Something else is there than what was demanded.
    PreconditionFailed,
    /// A part that an upload is to be completed with was not sent, or is another one.
    InvalidPart,
    /// The parts are not named in ascending order.
    InvalidPartOrder,
    /// A part is shorter than they may be.
    EntityTooSmall,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) objects: Vec<(String, Stored)>,
    pub(crate) directories: Vec<String>,
    /// Where the next page begins, after this key or directory; `None`: nowhere.
    pub(crate) next_after: Option<String>,
}

/// One bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: BTreeMap<String, Stored>,
    uploads: BTreeMap<String, Upload>,
    writes: u64,
}

impl Bucket {
    fn stored(&mut self, bytes: Bytes) -> Stored {
        self.writes += 1;
        Stored { bytes, tag: format!("{:032x}", self.writes) }
    }

    /// The object `key`.
    pub(crate) fn get(&self, key: &str) -> Result<Stored, Refused> {
        self.objects.get(key).cloned().ok_or(Refused::NoSuchKey)
    }

    /// Writes an object, if what is there is as demanded; returns its tag.
    pub(crate) fn put(&mut self, key: &str, bytes: Bytes, demand: &Demand) -> Result<String, Refused> {
        self.check(key, demand)?;
        let stored = self.stored(bytes);
        let tag = stored.tag.clone();
        self.objects.insert(key.to_owned(), stored);
        Ok(tag)
    }

    fn check(&self, key: &str, demand: &Demand) -> Result<(), Refused> {
        match (demand, self.objects.get(key)) {
            (Demand::Any, _) | (Demand::Absent, None) => Ok(()),
            (Demand::Tag(tag), Some(there)) if there.tag == *tag => Ok(()),
            (Demand::Tag(_), None) => Err(Refused::NoSuchKey),
            (Demand::Absent | Demand::Tag(_), Some(_)) => Err(Refused::PreconditionFailed),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) fn delete(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// Every key.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.objects.keys().cloned().collect()
    }

    /// Up to `most` keys and directories below `prefix` that come after `after`. Keys with `delimiter` behind the prefix
    /// count as the directory that ends in it.
    pub(crate) fn list(&self, prefix: &str, delimiter: Option<&str>, after: &str, most: usize) -> Page {
        let mut page = Page::default();
        let mut last = String::new();
        for (key, stored) in self.objects.range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let directory = delimiter.and_then(|delimiter| {
                let end = rest.find(delimiter)? + delimiter.len();
                Some(format!("{prefix}{}", &rest[..end]))
            });
            let entry = directory.as_ref().unwrap_or(key);
            if entry.as_str() <= after || *entry == last {
                continue;
            }
            if page.objects.len() + page.directories.len() == most {
                page.next_after = Some(last);
                break;
            }
            last.clone_from(entry);
            match directory {
                Some(directory) => page.directories.push(directory),
                None => page.objects.push((key.clone(), stored.clone())),
            }
        }
        page
    }

    /// Begins an upload in parts; returns its id.
    pub(crate) fn begin(&mut self, key: &str) -> String {
        self.writes += 1;
        let id = format!("upload-{}", self.writes);
        self.uploads.insert(id.clone(), Upload { key: key.to_owned(), parts: BTreeMap::new() });
        id
    }

    fn upload(&mut self, key: &str, id: &str) -> Result<&mut Upload, Refused> {
        self.uploads.get_mut(id).filter(|upload| upload.key == key).ok_or(Refused::NoSuchUpload)
    }

    /// Takes a part; one of the same number is replaced. Returns its tag.
    pub(crate) fn put_part(&mut self, key: &str, id: &str, number: i32, bytes: Bytes) -> Result<String, Refused> {
        self.upload(key, id)?;
        let stored = self.stored(bytes);
        let tag = stored.tag.clone();
        self.upload(key, id)?.parts.insert(number, stored);
        Ok(tag)
    }

    /// Makes the object of the parts that are named, by number and tag; returns its tag. The upload is forgotten.
    pub(crate) fn complete(
        &mut self,
        key: &str,
        id: &str,
        named: &[(i32, String)],
        demand: &Demand,
    ) -> Result<String, Refused> {
        let parts = self.upload(key, id)?.parts.clone();
        if named.is_sorted_by_key(|(number, _)| *number) && !named.is_empty() {
            self.check(key, demand)?;
        } else {
            return Err(Refused::InvalidPartOrder);
        }
        let mut whole = Vec::new();
        for (at, (number, tag)) in named.iter().enumerate() {
            let part = parts.get(number).filter(|part| part.tag == *tag).ok_or(Refused::InvalidPart)?;
            if at + 1 < named.len() && part.bytes.len() < LEAST_PART_BYTES {
                return Err(Refused::EntityTooSmall);
            }
            whole.extend_from_slice(&part.bytes);
        }
        self.uploads.remove(id);
        self.put(key, whole.into(), &Demand::Any)
    }

    /// Forgets an upload and its parts.
    pub(crate) fn abort(&mut self, key: &str, id: &str) -> Result<(), Refused> {
        self.upload(key, id)?;
        self.uploads.remove(id);
        Ok(())
    }

    /// The uploads under way: key and id of each, by key.
    pub(crate) fn uploads(&self) -> Vec<(String, String)> {
        let mut uploads: Vec<_> = self.uploads.iter().map(|(id, upload)| (upload.key.clone(), id.clone())).collect();
        uploads.sort();
        uploads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(keys: &[&str]) -> Bucket {
        let mut bucket = Bucket::default();
        for key in keys {
            bucket.put(key, Bytes::new(), &Demand::Any).expect("a write");
        }
        bucket
    }

    /// Everything below `prefix`, page by page.
    fn all(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, most: usize) -> (Vec<String>, Vec<String>) {
        let (mut keys, mut directories, mut after) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = bucket.list(prefix, delimiter, &after, most);
            assert!(page.objects.len() + page.directories.len() <= most);
            keys.extend(page.objects.into_iter().map(|(key, _)| key));
            directories.extend(page.directories);
            match page.next_after {
                Some(next) => after = next,
                None => return (keys, directories),
            }
        }
    }

    #[test]
    fn a_listing_is_the_same_in_pages_of_every_length() {
        let bucket = bucket(&["a/b/1", "a/b/2", "a/3", "a0", "ab/4", "b"]);
        for most in 1..8 {
            assert_eq!(all(&bucket, "a/", None, most).0, ["a/3", "a/b/1", "a/b/2"]);
            let (keys, directories) = all(&bucket, "a/", Some("/"), most);
            assert_eq!((keys, directories), (vec!["a/3".to_owned()], vec!["a/b/".to_owned()]));
            let (keys, directories) = all(&bucket, "", Some("/"), most);
            assert_eq!(keys, ["a0", "b"]);
            assert_eq!(directories, ["a/", "ab/"]);
        }
    }

    #[test]
    fn a_write_with_a_condition_changes_nothing_where_it_is_not_met() {
        let mut bucket = Bucket::default();
        let tag = Demand::Tag("another".to_owned());
        assert_eq!(bucket.put("a", "1".into(), &tag), Err(Refused::NoSuchKey));
        let first = bucket.put("a", "1".into(), &Demand::Absent).expect("nothing is there");
        for demand in [Demand::Absent, tag] {
            assert_eq!(bucket.put("a", "2".into(), &demand), Err(Refused::PreconditionFailed));
        }
        assert_eq!(bucket.get("a").expect("an object").bytes, "1");
        bucket.put("a", "2".into(), &Demand::Tag(first)).expect("it is the one");
    }

    #[test]
    fn an_upload_becomes_an_object_of_its_parts_in_order_once() {
        let mut bucket = Bucket::default();
        let long = Bytes::from(vec![7; LEAST_PART_BYTES]);
        let id = bucket.begin("a");
        let last = bucket.put_part("a", &id, 2, "end".into()).expect("a part");
        let first = bucket.put_part("a", &id, 1, "short".into()).expect("a part");
        let complete = |bucket: &mut Bucket, parts: &[(i32, &String)]| {
            let parts: Vec<_> = parts.iter().map(|(number, tag)| (*number, (*tag).clone())).collect();
            bucket.complete("a", &id, &parts, &Demand::Any).map(|_tag| ())
        };
        assert_eq!(complete(&mut bucket, &[(2, &last), (1, &first)]), Err(Refused::InvalidPartOrder));
        assert_eq!(complete(&mut bucket, &[(1, &last), (2, &last)]), Err(Refused::InvalidPart));
        assert_eq!(complete(&mut bucket, &[(1, &first), (2, &last)]), Err(Refused::EntityTooSmall));
        let first = bucket.put_part("a", &id, 1, long.clone()).expect("a part");
        assert_eq!(bucket.get("a"), Err(Refused::NoSuchKey));
        assert_eq!(complete(&mut bucket, &[(1, &first), (2, &last)]), Ok(()));
        assert_eq!(bucket.get("a").expect("an object").bytes, [&long[..], b"end"].concat());
        assert_eq!(complete(&mut bucket, &[(1, &first), (2, &last)]), Err(Refused::NoSuchUpload));
        assert_eq!(bucket.abort("a", &id), Err(Refused::NoSuchUpload));
        assert!(bucket.uploads().is_empty());
    }
}
