//! One record file: the references of so many chunks, a row each.
//!
//! Knows nothing of stores, nor of which chunk a row belongs to.

use std::{collections::HashMap, ops::Range};

use bytes::Bytes;
use rechunk_common::limits::MAX_RECORD_BYTES;

use super::{
    super::{index::Reference, parse::whole_url},
    column::{Column, Numbers, Texts, Values},
    footer::Footer,
    pages::Budget,
};

/// Stands for a URL where a chunk is missing.
const MISSING: u32 = u32::MAX;

/// Stands for a URL where a chunk lies in the record.
const INLINE: u32 = u32::MAX - 1;

/// Stands for a length where a reference is to a whole object.
const WHOLE: u64 = u64::MAX;

/// The references of one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Record {
    /// Rows of the file; those behind the last reference are not kept.
    length: u64,
    rows: Box<[Row]>,
    urls: Box<[Box<str>]>,
    inline: Bytes,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    url: u32,
    /// In the object that is referred to; of inline data in the record's.
    start: u64,
    length: u64,
}

impl Record {
    /// Reads a record file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self, String> {
        if u64::try_from(file.len()).unwrap_or(u64::MAX) > MAX_RECORD_BYTES.0 {
            return Err(format!("it has {} bytes; at most {MAX_RECORD_BYTES} are read", file.len()));
        }
        let footer = Footer::parse(file)?;
        let mut budget = Budget { left: MAX_RECORD_BYTES.0 };
        let path = column::<Texts>(file, &footer, "path", &mut budget)?;
        let raw = column::<Texts>(file, &footer, "raw", &mut budget)?;
        if path.is_none() && raw.is_none() {
            return Err("it has neither a column \"path\" nor \"raw\", as references have".to_owned());
        }
        let offset = column::<Numbers>(file, &footer, "offset", &mut budget)?;
        let size = column::<Numbers>(file, &footer, "size", &mut budget)?;
        if path.is_some() && (offset.is_none() || size.is_none()) {
            return Err("it has a column \"path\" without \"offset\" and \"size\"".to_owned());
        }
        let columns = Columns { path, offset, size, raw };
        columns.record(footer.rows)
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Bytes of memory that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let urls: usize = self.urls.iter().map(|url| url.len() + size_of::<Box<str>>()).sum();
        size_of_val(&*self.rows) + urls + self.inline.len()
    }

    /// What the chunk of a row refers to; `None`: it is missing.
    pub(crate) fn get(&self, row: u64) -> Option<Reference<'_>> {
        let row = self.rows.get(usize::try_from(row).ok()?)?;
        if row.url == INLINE {
            let start = usize::try_from(row.start).ok()?;
            let end = start.checked_add(usize::try_from(row.length).ok()?)?;
            return (end <= self.inline.len()).then(|| Reference::Inline(self.inline.slice(start..end)));
        }
        let url = self.urls.get(usize::try_from(row.url).ok()?)?;
        Some(match row.length {
            WHOLE => Reference::Whole { url },
            length => Reference::Part { url, range: row.start..row.start.checked_add(length)? },
        })
    }

    /// The rows that refer to something.
    pub(crate) fn present(&self) -> impl Iterator<Item = u64> {
        (0_u64..).zip(&self.rows).filter(|(_, row)| row.url != MISSING).map(|(number, _)| number)
    }

    /// Every URL, once.
    pub(crate) fn urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().map(AsRef::as_ref)
    }
}

/// The values of the column `name`; `None`: there is no such column.
fn column<V: Values + Default>(
    file: &[u8],
    footer: &Footer,
    name: &str,
    budget: &mut Budget,
) -> Result<Option<Column<V>>, String> {
    let Some(place) = footer.columns.iter().position(|column| column.name == name) else { return Ok(None) };
    let Some(schema) = footer.columns.get(place) else { return Ok(None) };
    let mut column = Column::default();
    for group in &footer.groups {
        let Some(chunk) = group.chunks.get(place) else { continue };
        let kind = (schema.physical, schema.is_optional);
        let read = column.read(file, chunk, kind, group.rows, budget);
        read.map_err(|reason| format!("its column {name:?}: {reason}"))?;
    }
    Ok(Some(column))
}

/// The columns of a record.
struct Columns {
    path: Option<Column<Texts>>,
    offset: Option<Column<Numbers>>,
    size: Option<Column<Numbers>>,
    raw: Option<Column<Texts>>,
}

impl Columns {
    fn record(self, length: u64) -> Result<Record, String> {
        let mut urls = Urls::default();
        let mut rows = Vec::new();
        for number in 0..usize::try_from(length).unwrap_or_default() {
            let row = self.row(number, &mut urls).map_err(|reason| format!("its row {number}: {reason}"))?;
            rows.push(row);
        }
        let kept = rows.iter().rposition(|row| row.url != MISSING).map_or(0, |last| last + 1);
        rows.truncate(kept);
        let inline = self.raw.map(|raw| raw.values.into_data().into()).unwrap_or_default();
        Ok(Record { length, rows: rows.into(), urls: urls.meant.into(), inline })
    }

    fn row(&self, number: usize, urls: &mut Urls) -> Result<Row, String> {
        if let Some((raw, value)) = self.raw.as_ref().and_then(|raw| Some((raw, raw.at(number)?))) {
            let Range { start, end } = raw.values.place(value);
            let place = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
            return Ok(Row { url: INLINE, start: place(start), length: place(end - start) });
        }
        let Some((path, value)) = self.path.as_ref().and_then(|path| Some((path, path.at(number)?))) else {
            return Ok(Row { url: MISSING, start: 0, length: 0 });
        };
        let url = urls.number(path, value)?;
        let part = |column: Option<&Column<Numbers>>, name| {
            let number = column.and_then(|column| Some(column.values.get(column.at(number)?)));
            let number = number.and_then(|number| u64::try_from(number).ok());
            number.ok_or_else(|| format!("its {name} is missing or below zero"))
        };
        match (part(self.offset.as_ref(), "offset")?, part(self.size.as_ref(), "size")?) {
            (0, 0) => Ok(Row { url, start: 0, length: WHOLE }),
            (start, length) => Ok(Row { url, start, length }),
        }
    }
}

/// The URLs of a record.
#[derive(Default)]
struct Urls {
    meant: Vec<Box<str>>,
    /// By the numbers of the column's values.
    known: HashMap<usize, u32>,
    by_text: HashMap<Box<str>, u32>,
}

impl Urls {
    /// The number of the URL that is value `value` of `path`.
    fn number(&mut self, path: &Column<Texts>, value: usize) -> Result<u32, String> {
        if let Some(number) = self.known.get(&value) {
            return Ok(*number);
        }
        let text = str::from_utf8(path.values.get(value)).map_err(|_| "its path is not UTF-8 text".to_owned())?;
        let number = if let Some(number) = self.by_text.get(text) {
            *number
        } else {
            let number = u32::try_from(self.meant.len()).ok().filter(|number| *number < INLINE);
            let number = number.ok_or("there are too many URLs")?;
            self.meant.push(whole_url(text, None)?);
            self.by_text.insert(text.into(), number);
            number
        };
        self.known.insert(value, number);
        Ok(number)
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
