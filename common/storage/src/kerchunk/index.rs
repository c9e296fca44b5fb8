//! An index of references as it is held in memory: one arena of keys and inline data, the URLs once each, and 32 bytes
//! for each reference, sorted by key. Never a tree of JSON values.
//!
//! Knows nothing of stores.

use std::{cmp::Ordering, ops::Range};

use bytes::Bytes;

/// Stands for a URL where a reference has its data in the index.
const INLINE: u32 = u32::MAX;

/// Stands for a length where a reference is to a whole object.
const WHOLE: u64 = u64::MAX;

/// An index of references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Keys and inline data.
    arena: Bytes,
    /// By key; no key twice.
    entries: Box<[Entry]>,
    urls: Box<[Box<str>]>,
}

/// One reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    key: u32,
    key_length: u32,
    url: u32,
    /// In the object that is referred to; of inline data in the arena.
    start: u64,
    length: u64,
}

/// Where the bytes of a key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// In the index.
    Inline(Bytes),
    /// A part of an object.
    Part {
        /// Of the object, as it is written.
        url: &'a str,
        /// Where the part is.
        range: Range<u64>,
    },
    /// A whole object.
    Whole {
        /// Its URL, as it is written.
        url: &'a str,
    },
}

impl Index {
    /// `entries` are in the order in which they were written: of two for one key the last counts.
    pub(super) fn new(arena: Vec<u8>, mut entries: Vec<Entry>, urls: Box<[Box<str>]>) -> Self {
        entries.sort_by(|one, other| bytes_of(&arena, *one).cmp(bytes_of(&arena, *other)));
        entries.dedup_by(|later, kept| {
            let is_same = bytes_of(&arena, *later) == bytes_of(&arena, *kept);
            if is_same {
                *kept = *later;
            }
            is_same
        });
        Self { arena: arena.into_boxed_slice().into(), entries: entries.into_boxed_slice(), urls }
    }

    /// How many references there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What `key` refers to; `None`: there is no such key.
    pub(crate) fn get(&self, key: &str) -> Option<Reference<'_>> {
        let found = self.entries.binary_search_by(|entry| self.key_bytes(*entry).cmp(key.as_bytes()));
        self.at(found.ok()?).map(|(_, reference)| reference)
    }

    /// The places of the references below `prefix`, by whole segments; all of them below the empty one.
    pub(crate) fn below(&self, prefix: &str) -> Range<usize> {
        if prefix.is_empty() {
            return 0..self.entries.len();
        }
        // How a key stands to those that begin with the prefix and a slash.
        let compare = |entry: &Entry| {
            let key = self.key_bytes(*entry);
            let (start, rest) = key.split_at(key.len().min(prefix.len()));
            match start.cmp(prefix.as_bytes()) {
                Ordering::Equal => rest.first().map_or(Ordering::Less, |next| next.cmp(&b'/')),
                other @ (Ordering::Less | Ordering::Greater) => other,
            }
        };
        let start = self.entries.partition_point(|entry| compare(entry).is_lt());
        let end = self.entries.partition_point(|entry| compare(entry).is_le());
        start..end
    }

    /// The place of the first reference whose key comes after `key`.
    pub(crate) fn after(&self, key: &str) -> usize {
        self.entries.partition_point(|entry| self.key_bytes(*entry) <= key.as_bytes())
    }

    /// The reference at a place, and its key.
    pub(crate) fn at(&self, place: usize) -> Option<(&str, Reference<'_>)> {
        let entry = *self.entries.get(place)?;
        let key = str::from_utf8(self.key_bytes(entry)).ok()?;
        let reference = match (self.url(entry.url), entry.length) {
            (None, length) => Reference::Inline(self.inline(entry.start, length)?),
            (Some(url), WHOLE) => Reference::Whole { url },
            (Some(url), length) => Reference::Part { url, range: entry.start..entry.start.checked_add(length)? },
        };
        Some((key, reference))
    }

    /// Every URL that the references of these places have, once.
    pub(crate) fn urls(&self, places: &[Range<usize>]) -> Vec<&str> {
        let mut is_met = vec![false; self.urls.len()];
        let entries = places.iter().filter_map(|places| self.entries.get(places.clone())).flatten();
        let numbers = entries.filter_map(|entry| {
            let met = is_met.get_mut(usize::try_from(entry.url).ok()?)?;
            (!std::mem::replace(met, true)).then_some(entry.url)
        });
        numbers.filter_map(|number| self.url(number)).collect()
    }

    fn url(&self, number: u32) -> Option<&str> {
        self.urls.get(usize::try_from(number).ok()?).map(AsRef::as_ref)
    }

    fn inline(&self, start: u64, length: u64) -> Option<Bytes> {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= self.arena.len()).then(|| self.arena.slice(start..end))
    }

    fn key_bytes(&self, entry: Entry) -> &[u8] {
        bytes_of(&self.arena, entry)
    }
}

impl Entry {
    /// Inline data; both are places in the arena.
    pub(super) fn inline(key: &Range<u32>, data: &Range<u32>) -> Self {
        let (start, length) = (data.start.into(), (data.end - data.start).into());
        Self { key: key.start, key_length: key.end - key.start, url: INLINE, start, length }
    }

    /// A part of the object of URL number `url`, or all of it.
    pub(super) fn to(key: &Range<u32>, url: u32, part: Option<(u64, u64)>) -> Self {
        let (start, length) = part.unwrap_or((0, WHOLE));
        Self { key: key.start, key_length: key.end - key.start, url, start, length }
    }

    /// The number of the URL, unless the data is inline.
    pub(super) fn url(self) -> Option<u32> {
        (self.url != INLINE).then_some(self.url)
    }
}

/// The bytes of an entry's key.
pub(super) fn bytes_of(arena: &[u8], entry: Entry) -> &[u8] {
    let start = entry.key as usize;
    arena.get(start..start.saturating_add(entry.key_length as usize)).unwrap_or_default()
}
