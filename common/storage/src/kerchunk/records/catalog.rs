//! What lies beside the records: `.zmetadata`, which has every document, and says how many rows a record has. From the
//! documents of the arrays follows which row of which record is that of a chunk.
//!
//! Knows nothing of stores.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use bytes::Bytes;
use rechunk_common::limits::{MAX_INDEX_BYTES, MAX_RANK, MAX_RECORD_ROWS, MAX_REFERENCES};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    super::parse::{IndexError, beginning, check_key, plain},
    kept::Kept,
};
use crate::classify::one_line;

/// The document of an array.
const ARRAY: &str = ".zarray";

/// The references of a directory.
#[derive(Debug)]
pub(crate) struct Catalog {
    text: Bytes,
    /// Where each document is in the text, by its key.
    documents: BTreeMap<String, Range<usize>>,
    arrays: BTreeMap<String, Array>,
    record_size: u64,
    /// The records that were read last.
    pub(crate) kept: Kept,
}

/// The chunks of one array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Array {
    /// Along each axis; one of an array without axes.
    counts: Vec<u64>,
    /// Of all.
    chunks: u64,
    has_axes: bool,
}

/// The row of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) array: &'a str,
    pub(crate) record: u64,
    pub(crate) row: u64,
}

#[derive(Deserialize)]
struct Zmetadata<'a> {
    #[serde(borrow)]
    metadata: BTreeMap<String, &'a RawValue>,
    record_size: u64,
}

#[derive(Deserialize)]
struct Zarray {
    shape: Vec<u64>,
    chunks: Vec<u64>,
    dimension_separator: Option<String>,
}

impl Catalog {
    /// Reads the text of `.zmetadata`.
    pub(crate) fn parse(text: Bytes) -> Result<Self, IndexError> {
        let whole = |reason: String| IndexError::Whole(reason);
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_INDEX_BYTES.0 {
            return Err(whole(format!("it has {} bytes; at most {MAX_INDEX_BYTES} are read", text.len())));
        }
        let written = str::from_utf8(&text).map_err(|_| whole("it is not UTF-8 text".to_owned()))?;
        let plain_text = without_literals(written);
        let read: Zmetadata<'_> = serde_json::from_str(&plain_text)
            .map_err(|error| whole(format!("it is not the .zmetadata of references: {}", one_line(&error))))?;
        if !(1..=MAX_RECORD_ROWS).contains(&read.record_size) {
            let reason = format!("its record_size is {}; 1 to {MAX_RECORD_ROWS} are read", read.record_size);
            return Err(whole(reason));
        }
        if read.metadata.len() > MAX_REFERENCES {
            return Err(whole(format!("it has more than {MAX_REFERENCES} documents")));
        }
        let (mut documents, mut arrays) = (BTreeMap::new(), BTreeMap::new());
        let start = plain_text.as_ptr().addr();
        for (key, value) in read.metadata {
            let refuse = |reason: String| IndexError::Key { key: beginning(&key), reason };
            check_key(&key).map_err(|reason| refuse(reason.to_owned()))?;
            if !value.get().starts_with('{') {
                return Err(refuse("its document is no object".to_owned()));
            }
            if let Some((path, ARRAY)) = key.rsplit_once('/') {
                let array = Array::parse(value.get(), read.record_size).map_err(refuse)?;
                arrays.insert(path.to_owned(), array);
            } else if key == ARRAY {
                return Err(refuse("an array at the root has no records in this format; write it as JSON".to_owned()));
            }
            let place = value.get().as_ptr().addr() - start;
            documents.insert(key, place..place + value.get().len());
        }
        let record_size = read.record_size;
        drop(plain_text);
        Ok(Self { text, documents, arrays, record_size, kept: Kept::default() })
    }

    /// The document that `key` names.
    pub(crate) fn document(&self, key: &str) -> Option<Bytes> {
        let place = self.documents.get(key)?.clone();
        (place.end <= self.text.len()).then(|| self.text.slice(place))
    }

    /// The row of the chunk that `key` names; `None`: no array has such a chunk.
    pub(crate) fn place<'a>(&self, key: &'a str) -> Option<Place<'a>> {
        let (array, name) = key.rsplit_once('/')?;
        let number = self.arrays.get(array)?.number(name)?;
        Some(Place { array, record: number / self.record_size, row: number % self.record_size })
    }

    /// The number of a chunk in C order.
    pub(crate) fn number(&self, place: &Place<'_>) -> u64 {
        place.record.saturating_mul(self.record_size).saturating_add(place.row)
    }

    /// The keys of the documents below `prefix`, by whole segments, in order.
    pub(crate) fn documents_below(&self, prefix: &str) -> impl Iterator<Item = (&str, u64)> {
        let sized = |place: &Range<usize>| u64::try_from(place.len()).unwrap_or(u64::MAX);
        let all = self.documents.iter().map(move |(key, place)| (key.as_str(), sized(place)));
        all.filter(move |(key, _)| prefix.is_empty() || *key != prefix && is_within(key, prefix))
    }

    /// The arrays at or below `prefix`, in the order of their paths.
    pub(crate) fn arrays_within(&self, prefix: &str) -> impl Iterator<Item = (&str, &Array)> {
        let all = self.arrays.iter().map(|(path, array)| (path.as_str(), array));
        all.filter(move |(path, _)| prefix.is_empty() || is_within(path, prefix))
    }

    /// The rows of one record.
    pub(crate) fn record_size(&self) -> u64 {
        self.record_size
    }

    /// Documents and chunks, those of which nothing is known included.
    pub(crate) fn len(&self) -> usize {
        let chunks = self.arrays.values().map(|array| array.chunks).fold(0, u64::saturating_add);
        self.documents.len().saturating_add(usize::try_from(chunks).unwrap_or(usize::MAX))
    }
}

fn is_within(key: &str, prefix: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Array {
    fn parse(document: &str, record_size: u64) -> Result<Self, String> {
        let zarray: Zarray = serde_json::from_str(document).map_err(|error| one_line(plain(&error)))?;
        let rank = zarray.shape.len();
        if rank != zarray.chunks.len() || zarray.chunks.contains(&0) {
            return Err("its shape and its chunks do not belong together".to_owned());
        }
        if rank > MAX_RANK {
            return Err(format!("it has {rank} axes; arrays may have {MAX_RANK}"));
        }
        if rank > 1 && zarray.dimension_separator.is_some_and(|separator| separator != ".") {
            return Err("chunks of records are named with dots; write its dimension_separator so".to_owned());
        }
        let counts: Vec<u64> =
            zarray.shape.iter().zip(&zarray.chunks).map(|(axis, chunk)| axis.div_ceil(*chunk)).collect();
        let chunks = if counts.contains(&0) {
            Some(0)
        } else {
            counts.iter().try_fold(1_u64, |all, count| all.checked_mul(*count))
        };
        let chunks = chunks.filter(|chunks| chunks.checked_add(record_size).is_some());
        let chunks = chunks.ok_or("it has more chunks than can be counted")?;
        let has_axes = rank > 0;
        Ok(Self { counts: if has_axes { counts } else { vec![1] }, chunks, has_axes })
    }

    /// How many records it has.
    pub(crate) fn records(&self, record_size: u64) -> u64 {
        self.chunks.div_ceil(record_size)
    }

    /// How many chunks it has.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// The number of the chunk in C order.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        let mut parts = name.split('.');
        let mut number = 0_u64;
        for count in &self.counts {
            let part = parts.next()?;
            let index: u64 = part.parse().ok()?;
            // As it is written, not as it could be: no sign, no zero before it.
            if index >= *count || index.to_string() != part {
                return None;
            }
            number = number.checked_mul(*count)?.checked_add(index)?;
        }
        parts.next().is_none().then_some(number)
    }

    /// The name of a chunk, by its number.
    pub(crate) fn name(&self, mut number: u64) -> String {
        if !self.has_axes {
            return "0".to_owned();
        }
        let mut parts: Vec<String> = Vec::with_capacity(self.counts.len());
        for count in self.counts.iter().rev() {
            let count = (*count).max(1);
            parts.push((number % count).to_string());
            number /= count;
        }
        parts.reverse();
        parts.join(".")
    }
}

/// The text with a number, as long as it, in the place of each of Python's that JSON has not.
fn without_literals(text: &str) -> Cow<'_, str> {
    const LITERALS: [(&str, &str); 2] = [("NaN", "0.0"), ("Infinity", "0.000000")];
    if !LITERALS.iter().any(|(literal, _)| text.contains(literal)) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_text = false;
    while let Some(first) = rest.chars().next() {
        let literal = LITERALS.iter().find(|(literal, _)| !is_text && rest.starts_with(literal));
        let taken = if let Some((literal, number)) = literal {
            plain.push_str(number);
            literal.len()
        } else {
            let escaped = if is_text && first == '\\' { rest.chars().nth(1).map_or(0, char::len_utf8) } else { 0 };
            is_text ^= first == '"';
            let taken = first.len_utf8() + escaped;
            plain.push_str(rest.get(..taken).unwrap_or_default());
            taken
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(plain)
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
